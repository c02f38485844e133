"""Fitting: the loop against one written out, best weights, scalars, schedules, and what is refused."""

import random

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils import training
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model
from charlm_utils.training import compiled_step, cosine_decay, count_steps, set_seed, train

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


@pytest.fixture(scope="module")
def untrained():
    """A model that no refused training changes."""
    return small_model()


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


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True])
def test_set_seed_refuses_a_seed_out_of_range(seed):
    with pytest.raises(ValueError, match=f"an integer between 0 and 4294967295, got {seed}"):
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


def test_ids_of_another_vocabulary_are_warned_of():
    """A trained model begins far worse than a guess on them, and a new model does not."""
    model = small_model(cell="rnn")
    row = np.arange(60)
    fit(model, row % VOCAB, epochs=30, optimizer=keras.optimizers.Adam(0.1))
    with pytest.warns(UserWarning, match="a guess among 5 characters, 1.61: are these ids of the vocabulary"):
        fit(model, 2 * row % VOCAB, epochs=1)


def test_a_loss_that_is_a_number_but_far_above_a_guess_is_warned_of():
    with pytest.warns(UserWarning, match=r"mean loss of epoch 1/1, [\d,.]+ nats .*, 1.61: lower the learning rate"):
        fit(small_model(cell="rnn"), epochs=1, optimizer=keras.optimizers.SGD(3000.0))


@pytest.mark.parametrize(("batch", "shown"), [(1, "nan"), (2, "inf")])
def test_a_loss_that_is_no_longer_a_number_stops_the_training_and_names_its_batch(monkeypatch, batch, shown):
    def broken(*arguments):
        step, losses = compiled_step(*arguments), iter([1.0] * (batch - 1) + [float(shown)] + [1.0] * 9)
        return lambda *tensors: (tf.constant(next(losses)), step(*tensors)[1])

    monkeypatch.setattr(training, "compiled_step", broken)
    with pytest.raises(ValueError, match=rf"the loss became {shown} at batch {batch} \(epoch 1/2\): lower the learn"):
        fit(small_model(cell="rnn"))


def test_weights_that_are_no_longer_numbers_stop_the_training_though_every_loss_was_one(monkeypatch):
    def broken(model, *arguments):
        step = compiled_step(model, *arguments)

        def broken_step(*tensors):
            results = step(*tensors)
            model.trainable_variables[0].assign(tf.fill((VOCAB, EMBEDDING), float("inf")))
            return results

        return broken_step

    monkeypatch.setattr(training, "compiled_step", broken)
    with pytest.raises(ValueError, match=r"weights .*embeddings are no longer numbers after batch 1 \(epoch 1/1\)"):
        fit(small_model(cell="rnn"), IDS[: BATCH * TIME + 1], epochs=1)


def test_a_validation_loss_that_is_no_longer_a_number_stops_the_training(monkeypatch):
    monkeypatch.setattr(training, "evaluate", lambda *_: float("nan"))
    with pytest.raises(ValueError, match="the validation loss became nan after epoch 1/2: lower the learning rate"):
        fit(small_model(cell="rnn"), validation_ids=IDS)


# best weights and patience


def fit_with_scores(monkeypatch, scores, **settings):
    """Train while the validation losses are given; return the history, the weights, and those after each epoch."""
    given, after = iter(scores), []
    monkeypatch.setattr(training, "evaluate", lambda *_: next(given))
    model = small_model(cell="rnn")
    settings = {"epochs": len(scores), "validation_ids": IDS} | settings
    history = fit(model, on_epoch_end=lambda *_: after.append(model.get_weights()), **settings)
    return history, model.get_weights(), after


def assert_equal(weights, expected):
    for weight, same in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(weight, same)


@pytest.mark.parametrize(
    ("settings", "epochs", "best"),
    [
        ({}, 6, 6),
        ({"keep_best": True}, 6, 5),
        ({"patience": 1}, 3, 2),
        ({"patience": 2}, 4, 2),  # the fourth epoch ties with the second: no improvement
        ({"patience": 3}, 6, 5),
    ],
)
def test_the_model_ends_with_the_best_weights_and_stops_when_patience_is_over(monkeypatch, settings, epochs, best):
    plain = fit(small_model(cell="rnn"), epochs=epochs)
    history, weights, after = fit_with_scores(monkeypatch, [3.0, 2.0, 2.5, 2.0, 1.5, 1.5], **settings)
    assert history["train"] == plain["train"], "the training itself is the same"
    assert len(after) == epochs
    assert_equal(weights, after[best - 1])
    assert set(history) == {"train", "validation", "seconds"}


# scalars


def scalars(folder):
    """Return the scalars of all event files of a folder, oldest first: (name, step, value)."""
    found = []
    for path in sorted(folder.iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(path)):
            for value in event.summary.value:
                found.append((value.tag, event.step, float(tf.make_ndarray(value.tensor))))
    return found


def test_the_log_holds_losses_and_learning_rate_of_every_epoch(tmp_path):
    rate = cosine_decay(0.1, len(IDS), batch_size=BATCH, time=TIME, epochs=2)
    history = fit(
        small_model(cell="rnn"),
        validation_ids=IDS[:20],
        optimizer=keras.optimizers.Adam(rate),
        log_dir=tmp_path / "log",
    )
    found = scalars(tmp_path / "log")
    assert sorted(found) == [
        ("learning_rate", 1, pytest.approx(0.05)),
        ("learning_rate", 2, pytest.approx(0.0, abs=1e-6)),
        ("nats_per_character/train", 1, pytest.approx(history["train"][0])),
        ("nats_per_character/train", 2, pytest.approx(history["train"][1])),
        ("nats_per_character/validation", 1, pytest.approx(history["validation"][0])),
        ("nats_per_character/validation", 2, pytest.approx(history["validation"][1])),
    ]


# steps and schedules


def test_a_cosine_ends_with_the_last_step_of_the_training():
    sizes = {"batch_size": BATCH, "time": TIME, "epochs": 2}
    optimizer = keras.optimizers.SGD(cosine_decay(0.2, len(IDS), **sizes))
    train(small_model(cell="rnn"), IDS, optimizer=optimizer, progress=False, **sizes)
    assert int(optimizer.iterations.numpy()) == count_steps(len(IDS), **sizes) == 6
    assert float(optimizer.learning_rate) == pytest.approx(0, abs=1e-7)
    optimizer.iterations.assign(3)
    assert float(optimizer.learning_rate) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"learning_rate": float("inf")}, "learning_rate must be a finite number above 0, got inf"),
        ({"learning_rate": 0}, "learning_rate must be a finite number above 0, got 0"),
        ({"epochs": 2.5}, "epochs must be an integer of at least 1, got 2.5"),
        ({"num_ids": 14}, "need at least 15 ids for batch_size=2 and time=7, got 14"),
    ],
)
def test_a_cosine_of_what_cannot_be_trained_is_refused(changes, message):
    arguments = {"learning_rate": 0.1, "num_ids": 15, "batch_size": BATCH, "time": TIME, "epochs": 1}
    assert cosine_decay(**arguments).decay_steps == 1
    with pytest.raises(ValueError, match=message):
        cosine_decay(**(arguments | changes))


# what is refused


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ({"epochs": 0.5}, "epochs must be an integer of at least 1, got 0.5"),
        ({"save_every": 0}, "save_every must be an integer of at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ({"time": 0}, "time must be an integer of at least 1, got 0"),
        ({"patience": 0}, "patience must be an integer of at least 1 or None, got 0"),
        ({"patience": 1, "validation_ids": None}, "keep_best and patience need validation_ids"),
        ({"keep_best": True, "validation_ids": None}, "keep_best and patience need validation_ids"),
        ({"clip_norm": 0.0}, "clip_norm must be a finite number above 0 or None, got 0.0"),
        ({"clip_norm": float("nan")}, "clip_norm must be a finite number above 0 or None, got nan"),
        ({"clip_norm": float("inf")}, "clip_norm must be a finite number above 0 or None, got inf"),
        ({"clip_norm": "5"}, "clip_norm must be a finite number above 0 or None, got '5'"),
        ({"clip_norm": True}, "clip_norm must be a finite number above 0 or None, got True"),
        ({"optimizer": keras.optimizers.SGD(float("inf"))}, "rate must be a finite number of at least 0, got inf"),
        ({"optimizer": keras.optimizers.Adam(-0.1)}, "rate must be a finite number of at least 0, got -0.1"),
        ({"ids": IDS[:14]}, "need at least 15 ids for batch_size=2 and time=7, got 14"),
        ({"ids": IDS + VOCAB}, "ids must be between 0 and 4"),
        ({"validation_ids": IDS[:1]}, "need at least 2 validation_ids"),
        ({"validation_ids": [0, VOCAB]}, "validation_ids must be between 0 and 4"),
    ],
)
def test_what_is_out_of_range_is_refused_before_anything_is_trained_or_written(untrained, tmp_path, settings, message):
    before = untrained.get_weights()
    valid = {"ids": IDS, "batch_size": BATCH, "time": TIME, "epochs": 1, "validation_ids": IDS}
    files = {"checkpoint": tmp_path / "checkpoint.npz", "log_dir": tmp_path / "log"}
    with pytest.raises(ValueError, match=message):
        train(untrained, **(valid | files | settings))
    assert change_of(untrained, before) == 0
    assert list(tmp_path.iterdir()) == []
