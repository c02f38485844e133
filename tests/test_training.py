import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model
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


@pytest.mark.parametrize("bad", [{"validation_ids": IDS[:1]}, {"validation_ids": [0, VOCAB]}, {"ids": IDS + VOCAB}])
def test_texts_that_cannot_be_scored_are_refused_before_the_training(bad):
    model = small_model()
    before = model.get_weights()
    with pytest.raises(ValueError, match="need at least 2 ids|ids must be between 0 and 4"):
        fit(model, **bad)
    assert change_of(model, before) == 0
