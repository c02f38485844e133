import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils import evaluation
from charlm_utils.evaluation import (
    evaluate,
    evaluate_windows,
    nats_in_windows,
    nats_per_position,
    nats_while_learning,
)
from charlm_utils.models import build_model, forward, zero_states

VOCAB, UNITS, EMBEDDING = 5, 6, 3


def small_model(seed=1, cell="gru", **settings):
    keras.utils.set_random_seed(seed)
    return build_model(VOCAB, cell=cell, units=UNITS, embedding_dim=EMBEDDING, **settings)


def naive_nats(weights, ids):
    """Score a text with a plain tanh network, one character after the other, in NumPy."""
    embedding, kernel, recurrent, bias, output, output_bias = (w.astype(np.float64) for w in weights)
    state, total = np.zeros(UNITS), 0.0
    for character, following in zip(ids[:-1], ids[1:], strict=True):
        state = np.tanh(embedding[character] @ kernel + state @ recurrent + bias)
        logits = state @ output + output_bias
        total += np.log(np.sum(np.exp(logits))) - logits[following]
    return total / (len(ids) - 1)


LONG = np.random.default_rng(1).integers(0, VOCAB, 2345)


@pytest.fixture(scope="module")
def sharp_model():
    """A network whose state matters: its weights are three times as large as at the start."""
    model = small_model(cell="rnn")
    model.set_weights([3 * w for w in model.get_weights()])
    return model


@pytest.mark.parametrize("n", [2, 3, 1000, 1001, 1002, 2001, 2002, 2345])
def test_evaluate_is_one_stream_over_all_characters_after_the_first(sharp_model, n):
    assert evaluate(sharp_model, LONG[:n]) == pytest.approx(naive_nats(sharp_model.get_weights(), LONG[:n]), abs=1e-4)


def test_evaluate_carries_every_state_of_a_deep_lstm_from_chunk_to_chunk():
    model = small_model(cell="lstm", num_layers=2)
    model.set_weights([3 * w for w in model.get_weights()])
    ids = LONG[:1200]  # more than one chunk
    logits = tf.function(model)(tf.constant(ids[None, :-1], tf.int32))  # the whole text at once
    whole = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(ids[None, 1:], logits))
    assert evaluate(model, ids) == pytest.approx(float(whole), abs=1e-5)


def test_evaluate_does_not_depend_on_its_inner_chunk(sharp_model, monkeypatch):
    text = LONG[:50]
    expected = evaluate(sharp_model, text)
    for chunk in (1, 7, 49, 50):
        monkeypatch.setattr(evaluation, "_STREAM_TIME", chunk)
        assert evaluate(sharp_model, text) == pytest.approx(expected, abs=1e-6)


def test_evaluate_counts_every_character_but_the_first():
    model = small_model()
    probabilities = np.array([0.5, 0.25, 0.125, 0.0625, 0.0625])
    model.set_weights([*(0 * w for w in model.get_weights()[:-1]), np.log(probabilities)])
    ids = np.array([4, 0, 0, 1, 2, 0])
    assert evaluate(model, ids) == pytest.approx((1 + 1 + 2 + 3 + 1) * np.log(2) / 5, abs=1e-6)


def test_evaluate_scores_a_list_and_leaves_the_weights(sharp_model):
    before = sharp_model.get_weights()
    score = evaluate(sharp_model, [int(i) for i in LONG[:30]])
    assert type(score) is float
    assert score == pytest.approx(naive_nats(before, LONG[:30]), abs=1e-4)
    for weight, old in zip(sharp_model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


def test_nats_per_position_are_those_of_longer_and_longer_beginnings(sharp_model):
    text = LONG[:40]
    nats = nats_per_position(sharp_model, text)
    assert nats.shape == (39,)
    totals = [naive_nats(sharp_model.get_weights(), text[:n]) * (n - 1) for n in range(2, 41)]
    np.testing.assert_allclose(np.cumsum(nats), totals, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_every_window_is_a_text_of_its_own_and_no_target_is_scored_twice(sharp_model, monkeypatch, rows):
    monkeypatch.setattr(evaluation, "_WINDOW_ROWS", rows)
    text = LONG[:48]  # 47 targets: seven windows of 6 and a rest
    nats = nats_in_windows(sharp_model, text, 6)
    assert nats.shape == (7, 6)
    for row, start in zip(nats, range(0, 42, 6), strict=True):
        expected = nats_per_position(sharp_model, text[start : start + 7])
        np.testing.assert_allclose(row, expected, atol=1e-5)


@pytest.mark.parametrize("ids", [[0.9, 1.9, 2.9], [True, False, True], np.array([0, None, 1], dtype=object)])
def test_what_is_no_row_of_ids_is_not_scored(sharp_model, ids):
    for score in (evaluate, nats_per_position):
        with pytest.raises(ValueError, match="^ids must be a 1-D array of integers, got "):
            score(sharp_model, ids)


def test_windows_longer_than_the_text_are_refused(sharp_model):
    with pytest.raises(ValueError, match="time must be an integer between 1 and 47, got 48"):
        nats_in_windows(sharp_model, LONG[:48], 48)
    assert nats_in_windows(sharp_model, LONG[:48], 47).shape == (1, 47)


def test_scoring_is_traced_once_whatever_the_length(sharp_model):
    for n in (2, 17, 1500):
        evaluate(sharp_model, LONG[:n])
    nats_in_windows(sharp_model, LONG[:100], 9)
    assert evaluation._score(sharp_model).experimental_get_tracing_count() == 1


CALLS = {
    "evaluate": evaluate,
    "evaluate in rows": lambda model, ids: evaluate(model, ids, rows=2),
    "nats_per_position": nats_per_position,
    "nats_in_windows": lambda model, ids: nats_in_windows(model, ids, 1),
    "evaluate_windows": lambda model, ids: evaluate_windows(model, ids, 1),
    "nats_while_learning": lambda model, ids: nats_while_learning(model, ids, learning_rate=0.1),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
def test_too_few_or_foreign_ids_are_refused(sharp_model, call):
    with pytest.raises(ValueError, match="need at least 2 ids to score a text, got 1"):
        call(sharp_model, [1])
    with pytest.raises(ValueError, match="ids must be between 0 and 4, got 5 at position 1"):
        call(sharp_model, [0, VOCAB, 1])


@pytest.mark.parametrize("rows", [2, 7, 64])
def test_rows_score_every_character_once_and_come_close_to_the_one_stream(monkeypatch, rows):
    model = small_model()  # forgets within a few characters, so that a warm-up of 30 is enough
    monkeypatch.setattr(evaluation, "_WARM_UP", 30)
    monkeypatch.setattr(evaluation, "_STREAM_TIME", 50)
    for n in (rows + 1, 1000, 1001):
        assert evaluate(model, LONG[:n], rows=rows) == pytest.approx(evaluate(model, LONG[:n]), abs=1e-3)


def test_rows_are_fewer_where_their_warm_up_would_reach_past_the_start_of_the_text(sharp_model):
    assert evaluate(sharp_model, LONG[:900], rows=64) == pytest.approx(evaluate(sharp_model, LONG[:900]), abs=1e-6)


@pytest.mark.parametrize(("rows", "message"), [(0, "rows must be"), (2.5, "rows must be"), (30, "between 1 and 29")])
def test_rows_out_of_range_are_refused(sharp_model, rows, message):
    with pytest.raises(ValueError, match=message):
        evaluate(sharp_model, LONG[:30], rows=rows)


def test_what_is_compiled_for_a_model_dies_with_it_and_follows_its_layers():
    model = small_model(cell="rnn")
    before = evaluate(model, LONG[:30])
    model.layers[2].cell.activation = keras.activations.relu
    assert evaluate(model, LONG[:30]) != before
    assert not any("charlm" in name or "score" in name for name in vars(model))
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


IDS = np.random.default_rng(0).integers(VOCAB, size=50)


@pytest.fixture
def learner():
    model = small_model(seed=0)
    model.set_weights([3 * weight for weight in model.get_weights()])
    return model


def test_without_learning_it_is_plain_evaluation_and_the_weights_come_back(learner):
    before, plain = learner.get_weights(), nats_per_position(learner, IDS)
    np.testing.assert_allclose(nats_while_learning(learner, IDS, learning_rate=0, time=9), plain, atol=1e-5)
    moved = nats_while_learning(learner, IDS, learning_rate=0.5, time=9)
    assert np.abs(moved[:9] - plain[:9]).max() < 1e-5  # the first segment is scored before anything is learned
    assert np.abs(moved[9:] - plain[9:]).max() > 1e-3
    for weight, old in zip(learner.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("clip_norm", [0.05, 100])
def test_every_segment_is_scored_first_and_learned_from_then(learner, clip_norm):
    nats = nats_while_learning(learner, IDS, learning_rate=0.3, time=10, clip_norm=clip_norm)
    states, expected, variables = zero_states(learner, 1), [], learner.trainable_variables
    for start in range(0, 49, 10):
        with tf.GradientTape() as tape:
            logits, states = forward(learner, IDS[None, start : start + 10][:, : 49 - start], states)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(IDS[None, start + 1 : start + 11], logits)
            loss = tf.reduce_mean(losses)
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]
        norm = np.sqrt(sum(float(tf.reduce_sum(gradient**2)) for gradient in gradients))
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(0.3 * gradient * min(1, clip_norm / norm))
        expected.append(losses[0])
    np.testing.assert_allclose(nats, np.concatenate(expected), rtol=1e-4, atol=1e-5)


def test_a_text_that_repeats_itself_is_learned_while_it_is_scored(learner):
    ids = np.tile([1, 2, 3, 4], 200)
    assert (
        nats_while_learning(learner, ids, learning_rate=1.0)[-64:].mean() < nats_per_position(learner, ids).mean() / 4
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -0.1}, "learning_rate must be a finite number of at least 0, got -0.1"),
        ({"time": 0}, "time must be an integer of at least 1, got 0"),
        ({"clip_norm": 0}, "clip_norm must be a finite number above 0, got 0"),
        ({"clip_norm": np.inf}, "clip_norm must be a finite number above 0, got inf"),
        ({"learning_rate": np.nan}, "learning_rate must be a finite number of at least 0, got nan"),
    ],
)
def test_what_is_out_of_range_is_refused(learner, settings, message):
    with pytest.raises(ValueError, match=message):
        nats_while_learning(learner, **({"ids": IDS, "learning_rate": 0.1} | settings))


def test_losses_that_are_no_numbers_are_not_returned(learner):
    learner.set_weights([np.full_like(weight, np.nan) for weight in learner.get_weights()])
    with pytest.raises(ValueError, match="the loss is no longer a number with learning_rate=0.1"):
        nats_while_learning(learner, IDS, learning_rate=0.1)


TIME = 4
WINDOW_IDS = np.random.default_rng(0).integers(0, VOCAB, 53)


@pytest.fixture(scope="module")
def window_model():
    """A network that remembers: its weights are four times as large as at the start."""
    keras.utils.set_random_seed(2)
    model = build_model(VOCAB, cell="lstm", units=6, embedding_dim=3)
    model.set_weights([4 * w for w in model.get_weights()])
    return model


def last_logits(model, ids):
    return model(tf.constant([ids], tf.int32)).numpy()[0, -1].astype(np.float64)


def slow_nats(model, ids, time):
    """Score character by character, each after its own window."""
    losses = []
    for i in range(time, len(ids)):
        logits = last_logits(model, [int(c) for c in ids[i - time : i]])
        losses.append(np.log(np.exp(logits).sum()) - logits[ids[i]])
    return np.mean(losses)


@pytest.mark.parametrize("time", [1, TIME, 52])
def test_windows_are_scored_each_by_itself(window_model, time):
    score = evaluate_windows(window_model, WINDOW_IDS, time)
    assert type(score) is float
    assert score == pytest.approx(slow_nats(window_model, WINDOW_IDS, time), abs=1e-5)


def test_a_window_forgets_what_the_stream_remembers(window_model):
    assert abs(evaluate_windows(window_model, WINDOW_IDS, TIME) - evaluate(window_model, WINDOW_IDS)) > 0.01


def test_scores_do_not_depend_on_how_many_windows_a_step_takes(window_model, monkeypatch):
    expected = slow_nats(window_model, WINDOW_IDS, TIME)
    for rows in (20, 48, 49, 50):  # there are 49 windows
        monkeypatch.setattr(evaluation, "_EVALUATION_ROWS", rows)
        assert evaluate_windows(window_model, WINDOW_IDS, TIME) == pytest.approx(expected, abs=1e-5)


def test_a_text_without_a_whole_window_is_refused(window_model):
    with pytest.raises(ValueError, match="need at least 4 ids for time=3, got 3"):
        evaluate_windows(window_model, np.arange(3), 3)
