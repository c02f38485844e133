import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils import evaluation
from charlm_utils.models import build_model
from charlm_utils.evaluation import evaluate
from charlm_utils.training import set_seed, train

BATCH, TIME, VOCAB, UNITS, EMBEDDING = 2, 7, 5, 6, 3
IDS = np.random.default_rng(0).integers(0, VOCAB, 3 * BATCH * TIME + 4)  # three batches and a rest


def small_model(seed=1, cell="gru", **settings):
    keras.utils.set_random_seed(seed)
    return build_model(VOCAB, cell=cell, units=UNITS, embedding_dim=EMBEDDING, **settings)


def fit(model, ids=IDS, *, epochs=2, **settings):
    return train(model, ids, batch_size=BATCH, time=TIME, epochs=epochs, progress=False, **settings)


def seeded_run(seed, **settings):
    """Build and train from nothing, with everything random that there is; return losses and weights."""
    set_seed(seed)
    model = build_model(VOCAB, cell="rnn", units=UNITS, embedding_dim=EMBEDDING, dropout=0.3)
    history = fit(model, epochs=1, **settings)
    return history["train"], model.get_weights()


@pytest.fixture(scope="module")
def first_run():
    return seeded_run(3)


def change_of(model, before):
    """Return the Euclidean norm of the change of all weights together."""
    return np.sqrt(sum(np.sum((w - b) ** 2) for w, b in zip(model.get_weights(), before, strict=True)))


def naive_training(weights, *, epochs, learning_rate, clip_norm):
    """Train the same network as Keras' stateful layer would, with the gradient descent written out."""
    model = keras.Sequential(
        [
            keras.Input(batch_shape=(BATCH, TIME), dtype="int32"),
            keras.layers.Embedding(VOCAB, EMBEDDING),
            keras.layers.GRU(UNITS, return_sequences=True, stateful=True),
            keras.layers.Dense(VOCAB),
        ]
    )
    model.set_weights(weights)
    stretch = (len(IDS) - 1) // (BATCH * TIME) * TIME
    history, norms = [], []
    for _ in range(epochs):
        model.layers[1].reset_states()
        losses = []
        for start in range(0, stretch, TIME):
            inputs = np.stack([IDS[r * stretch + start : r * stretch + start + TIME] for r in range(BATCH)])
            targets = np.stack([IDS[r * stretch + start + 1 :][:TIME] for r in range(BATCH)])
            with tf.GradientTape() as tape:
                chosen = tf.gather(tf.nn.log_softmax(model(inputs)), targets, batch_dims=2)
                loss = -tf.reduce_mean(chosen)
            variables = model.trainable_variables
            gradients = [tf.convert_to_tensor(g).numpy() for g in tape.gradient(loss, variables)]
            norms.append(np.sqrt(sum(np.sum(g**2) for g in gradients)))
            for variable, gradient in zip(variables, gradients, strict=True):
                variable.assign_sub(learning_rate * min(1, clip_norm / norms[-1]) * gradient)
            losses.append(float(loss))
        history.append(np.mean(losses))
    return model.get_weights(), history, norms


@pytest.mark.parametrize(("clip_norm", "clips"), [(1e6, False), (0.2, True)])
def test_train_is_the_loop_written_out_with_carried_state_and_clipping(clip_norm, clips):
    model = small_model()
    weights, losses, norms = naive_training(model.get_weights(), epochs=2, learning_rate=0.5, clip_norm=clip_norm)
    history = fit(model, clip_norm=clip_norm, optimizer=keras.optimizers.SGD(0.5))
    assert (min(norms) > clip_norm) == clips
    np.testing.assert_allclose(history["train"], losses, atol=1e-5)
    for ours, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_a_clipped_step_is_as_long_as_the_learning_rate_times_the_norm():
    # one character again and again: its embedding collects the gradient of every place
    model = small_model(cell="rnn")
    before = model.get_weights()
    fit(model, np.full(BATCH * TIME + 1, 3), epochs=1, clip_norm=0.01, optimizer=keras.optimizers.SGD(2.0))
    assert change_of(model, before) == pytest.approx(2.0 * 0.01, rel=1e-3)


def test_without_a_clip_norm_no_step_is_clipped():
    model = small_model()
    model.set_weights([30 * w for w in model.get_weights()])
    weights, losses, norms = naive_training(model.get_weights(), epochs=1, learning_rate=0.01, clip_norm=np.inf)
    assert min(norms) > 5, "the default would clip"
    history = fit(model, epochs=1, clip_norm=None, optimizer=keras.optimizers.SGD(0.01))
    np.testing.assert_allclose(history["train"], losses, rtol=1e-5)
    for ours, expected in zip(model.get_weights(), weights, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-3)


def test_the_same_seed_gives_the_very_same_weights_and_losses(first_run):
    again = seeded_run(3)
    assert first_run[0] == again[0]
    for weight, same in zip(first_run[1], again[1], strict=True):
        np.testing.assert_array_equal(weight, same)
    set_seed(4)
    assert np.all(build_model(VOCAB, embedding_dim=EMBEDDING).get_weights()[0] != small_model(3).get_weights()[0])


def test_the_default_optimizer_is_adam_at_0_002(first_run):
    explicit = seeded_run(3, optimizer=keras.optimizers.Adam(0.002))
    for weight, same in zip(first_run[1], explicit[1], strict=True):
        np.testing.assert_array_equal(weight, same)


def test_set_seed_seeds_python_numpy_and_tensorflow():
    def draw(seed):
        set_seed(seed)
        return random.random(), np.random.random(), float(tf.random.uniform(()))  # noqa: NPY002

    one, again, other = draw(5), draw(5), draw(6)
    assert one == again
    assert all(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_set_seed_refuses_a_seed_out_of_range(seed):
    with pytest.raises(ValueError, match=f"between 0 and 4294967295, got {seed}"):
        set_seed(seed)


def test_history_has_one_figure_per_epoch_and_rising_seconds_and_no_progress_is_shown(capsys):
    model = small_model(cell="rnn")
    history = fit(model, epochs=3, validation_ids=IDS[:20])
    assert {key: len(values) for key, values in history.items()} == {"train": 3, "validation": 3, "seconds": 3}
    assert all(type(value) is float for values in history.values() for value in values)
    assert 0 < history["seconds"][0] < history["seconds"][1] < history["seconds"][2]
    assert history["validation"][-1] == evaluate(model, IDS[:20])
    assert len(set(history["validation"])) == 3
    assert capsys.readouterr().out == ""


def test_progress_is_shown_unless_switched_off_and_validation_is_empty_without_a_text(capsys):
    history = train(small_model(cell="rnn"), IDS, batch_size=BATCH, time=TIME, epochs=2)
    shown = capsys.readouterr().out
    assert "epoch 1/2" in shown
    assert "epoch 2/2" in shown
    assert "nats: " in shown
    assert history["validation"] == []
    assert len(history["train"]) == 2


def test_the_loss_of_a_repetitive_text_falls_to_nearly_nothing():
    set_seed(0)
    model = build_model(VOCAB, units=12, embedding_dim=EMBEDDING)
    ids = np.tile(np.arange(VOCAB), 40)
    before = evaluate(model, ids)
    history = fit(model, ids, epochs=12, optimizer=keras.optimizers.Adam(0.02))
    assert before == pytest.approx(np.log(VOCAB), abs=0.1)
    assert history["train"][0] > history["train"][-1]
    assert evaluate(model, ids) < 0.05


def test_dropout_is_at_work_in_training_and_at_rest_in_evaluation():
    dropped, plain = small_model(cell="rnn", dropout=0.8), small_model(cell="rnn")
    plain.set_weights(dropped.get_weights())
    assert evaluate(dropped, IDS) == evaluate(dropped, IDS) == pytest.approx(evaluate(plain, IDS), abs=1e-6)
    losses = fit(dropped, epochs=2, optimizer=keras.optimizers.SGD(0.0))["train"]  # the weights stay
    assert losses[0] != pytest.approx(losses[1], abs=1e-6)  # other places are dropped


def test_a_loss_that_is_no_longer_a_number_stops_the_training():
    with pytest.raises(ValueError, match=r"loss became (nan|inf) at batch \d \(epoch 1/2\): lower the learning rate"):
        fit(small_model(cell="rnn"), optimizer=keras.optimizers.SGD(1e38))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be above 0, got 0"),
        ({"epochs": -1}, "epochs must be above 0, got -1"),
        ({"clip_norm": 0.0}, "clip_norm must be above 0, got 0.0"),
        ({"clip_norm": float("nan")}, "clip_norm must be above 0, got nan"),
        ({"save_every": 0}, "save_every must be above 0, got 0"),
        ({"save_every": -1}, "save_every must be above 0, got -1"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"time": 0}, "time must be at least 1, got 0"),
        ({"ids": IDS[:14]}, "batch_size=2 and time=7 need at least 15 characters, got 14"),
    ],
)
def test_train_refuses_what_is_out_of_range_and_leaves_the_weights(sharp_model, settings, message):
    before = sharp_model.get_weights()
    with pytest.raises(ValueError, match=message):
        train(sharp_model, **({"ids": IDS, "batch_size": BATCH, "time": TIME, "epochs": 1} | settings))
    assert change_of(sharp_model, before) == 0


# evaluation


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
    assert change_of(sharp_model, before) == 0


def test_nats_per_position_are_those_of_longer_and_longer_beginnings(sharp_model):
    text = LONG[:40]
    nats = evaluation.nats_per_position(sharp_model, text)
    assert nats.shape == (39,)
    totals = [naive_nats(sharp_model.get_weights(), text[:n]) * (n - 1) for n in range(2, 41)]
    np.testing.assert_allclose(np.cumsum(nats), totals, atol=1e-3)


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_every_window_is_a_text_of_its_own_and_no_target_is_scored_twice(sharp_model, monkeypatch, rows):
    monkeypatch.setattr(evaluation, "_WINDOW_ROWS", rows)
    text = LONG[:48]  # 47 targets: seven windows of 6 and a rest
    nats = evaluation.nats_in_windows(sharp_model, text, 6)
    assert nats.shape == (7, 6)
    for row, start in zip(nats, range(0, 42, 6), strict=True):
        expected = evaluation.nats_per_position(sharp_model, text[start : start + 7])
        np.testing.assert_allclose(row, expected, atol=1e-5)


@pytest.mark.parametrize("time", [0, 48])
def test_windows_longer_than_the_text_are_refused(sharp_model, time):
    with pytest.raises(ValueError, match=f"time must be between 1 and 47, got {time}"):
        evaluation.nats_in_windows(sharp_model, LONG[:48], time)
    assert evaluation.nats_in_windows(sharp_model, LONG[:48], 47).shape == (1, 47)


def test_scoring_is_traced_once_whatever_the_length(sharp_model):
    for n in (2, 17, 1500):
        evaluate(sharp_model, LONG[:n])
    evaluation.nats_in_windows(sharp_model, LONG[:100], 9)
    assert sharp_model._charlm_score.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ([], "at least 2 characters, got 0"),
        ([1], "at least 2 characters, got 1"),
        ([0, VOCAB, 1], "ids must be between 0 and 4, got 0 to 5"),
        ([3, -1, 1], "ids must be between 0 and 4, got -1 to 3"),
    ],
)
def test_evaluate_refuses_too_few_or_foreign_ids(sharp_model, ids, message):
    with pytest.raises(ValueError, match=message):
        evaluate(sharp_model, ids)


@pytest.mark.parametrize("bad", [{"validation_ids": IDS[:1]}, {"validation_ids": [0, VOCAB]}, {"ids": IDS + VOCAB}])
def test_texts_that_cannot_be_scored_are_refused_before_the_training(bad):
    model = small_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match="at least 2 characters|ids must be between 0 and 4"):
        fit(model, **bad)
    assert change_of(model, before) == 0
