"""A training that was stopped, however it was stopped, goes on as if it had not been."""

import io
import json
import os
import shutil
import zipfile
import zlib

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils import checkpoints, training
from charlm_utils.checkpoints import Progress, checksum, load_checkpoint, save_checkpoint
from charlm_utils.models import build_model, zero_states
from charlm_utils.training import compiled_step, train

BATCH, TIME, VOCAB, UNITS, EMBEDDING, EPOCHS = 2, 7, 5, 6, 3, 2
IDS = np.random.default_rng(0).integers(0, VOCAB, 3 * BATCH * TIME + 4)  # three batches and a rest
STEPS = EPOCHS * 3


def start(seed, cell="rnn", **settings):
    """Return a fresh model with dropout and a fresh optimizer with slots and a schedule."""
    keras.utils.set_random_seed(seed)
    shape = {"cell": cell, "units": UNITS, "embedding_dim": EMBEDDING, "dropout": 0.4}
    schedule = keras.optimizers.schedules.CosineDecay(0.05, STEPS)
    return build_model(VOCAB, **(shape | settings)), keras.optimizers.Adam(schedule)


def fit(parts, path=None, *, ids=IDS, epochs=EPOCHS, save_every=1, **settings):
    model, optimizer = parts
    sizes = {"batch_size": BATCH, "time": TIME} | settings
    options = {"validation_ids": IDS[:20], "checkpoint": path, "save_every": save_every, "progress": False}
    return train(model, ids, epochs=epochs, optimizer=optimizer, **(options | sizes))


def values(parts):
    """Return all that a training changes: weights, seeds of dropout, slots, steps taken."""
    return [variable.numpy() for part in parts for variable in part.variables]


def assert_same(one, other):
    """Compare what two trainings ended with, bit for bit: (variables, history)."""
    for a, b in zip(one[0], other[0], strict=True):
        np.testing.assert_array_equal(a, b)
    histories = [{key: part for key, part in history.items() if key != "seconds"} for _, history in (one, other)]
    assert histories[0] == histories[1]


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class Stop(Exception):
    """Raised where a test stops a training."""


def stop_at_call(monkeypatch, owner, name, number, *, before):
    """Let the call ``number`` of a function (from 1) raise, before it does its work or after."""
    original, calls = getattr(owner, name), iter(range(1, 1000))

    def patched(*arguments):
        call = next(calls)
        if call == number and before:
            raise Stop
        result = original(*arguments)
        if call == number:
            raise Stop
        return result

    monkeypatch.setattr(owner, name, patched)


def stopped(monkeypatch, parts, path, *where, before, **settings):
    with monkeypatch.context() as patch:
        stop_at_call(patch, *where, before=before)
        with pytest.raises(Stop):
            fit(parts, path, **settings)


@pytest.fixture(scope="module")
def undisturbed():
    parts = start(1)
    history = fit(parts)
    return values(parts), history


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The checkpoint of a training of one epoch and a step."""
    path = tmp_path_factory.mktemp("saved") / "checkpoint.npz"
    with pytest.MonkeyPatch.context() as patch:
        stopped(patch, start(1), path, training, "save_checkpoint", 6, before=False)
    return path.read_bytes()


def test_saving_changes_nothing(undisturbed, tmp_path):
    parts = start(1)
    history = fit(parts, tmp_path / "checkpoint.npz")
    assert_same((values(parts), history), undisturbed)
    assert names(tmp_path) == ["checkpoint.npz"]


def test_a_training_stopped_after_every_step_in_turn_ends_as_if_it_had_not_been(undisturbed, tmp_path, monkeypatch):
    """Each life takes a step, saves it, and stops after the next step or epoch, whose work is lost."""
    path = tmp_path / "checkpoint.npz"
    saves = 1 + STEPS + EPOCHS  # at the start, after each step and each epoch
    for lives in range(1, saves + 1):
        parts = start(lives)
        with monkeypatch.context() as patch:
            stop_at_call(patch, training, "save_checkpoint", 2, before=True)
            if lives < saves:
                with pytest.raises(Stop):
                    fit(parts, path)
            else:
                history = fit(parts, path)
    assert_same((values(parts), history), undisturbed)


@pytest.mark.parametrize(("loss", "message"), [("nan", "the loss became nan"), ("1", "weights .* no longer numbers")])
def test_numbers_that_are_none_leave_the_last_good_state(undisturbed, tmp_path, monkeypatch, loss, message):
    """The second step spoils the weights, and its loss or not; the file holds the first one, and goes on from it."""
    path = tmp_path / "checkpoint.npz"
    original = training.compiled_step

    def spoiled(model, *others):
        step = original(model, *others)
        numbers = iter(range(1, 1000))

        def take(*tensors):
            good, states = step(*tensors)
            if next(numbers) < 2:
                return good, states
            model.trainable_variables[0].assign(tf.fill((VOCAB, EMBEDDING), float("nan")))
            return tf.constant(float(loss)), states

        return take

    with monkeypatch.context() as patch:
        patch.setattr(training, "compiled_step", spoiled)
        with pytest.raises(ValueError, match=message):
            fit(start(1), path)
    parts = start(2)
    history = fit(parts, path)
    assert_same((values(parts), history), undisturbed)


def test_steps_since_the_last_save_are_taken_again(undisturbed, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    saves, save = [], training.save_checkpoint

    def noted(path, variables, at, settings):
        saves.append((at.epoch, at.batch))
        save(path, variables, at, settings)

    monkeypatch.setattr(training, "save_checkpoint", noted)
    stopped(monkeypatch, start(1), path, training, "save_checkpoint", 5, before=True, save_every=2)
    assert saves == [(0, 0), (0, 2), (1, 0), (1, 2)]
    parts = start(9)
    assert_same((fit(parts, path, save_every=2), values(parts))[::-1], undisturbed)
    assert saves[4:] == [(2, 0)]


def test_slow_steps_are_saved_by_the_clock_and_end_as_undisturbed(undisturbed, tmp_path, monkeypatch):
    saves, save = [], training.save_checkpoint

    def noted(path, variables, at, settings):
        saves.append((at.epoch, at.batch))
        save(path, variables, at, settings)

    monkeypatch.setattr(training, "save_checkpoint", noted)
    monkeypatch.setattr(training, "_SAVE_SECONDS", 0)
    parts = start(1)
    history = fit(parts, tmp_path / "checkpoint.npz", save_every=500)
    assert_same((values(parts), history), undisturbed)
    assert saves == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (1, 2), (1, 3), (2, 0)]


@pytest.fixture
def mixed_precision():
    """New layers compute and carry their states in bfloat16."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.slow
def test_a_deep_lstm_in_mixed_precision_with_momentum_goes_on_exactly(mixed_precision, tmp_path, monkeypatch):
    def lstm(seed):
        model, _ = start(seed, cell="lstm", num_layers=2)
        assert zero_states(model, 1)[1][1].dtype == tf.bfloat16
        return model, keras.optimizers.SGD(0.1, momentum=0.9, nesterov=True)

    path, whole, plain = tmp_path / "checkpoint.npz", lstm(1), {"validation_ids": None}
    history = fit(whole, **plain)
    stopped(monkeypatch, lstm(1), path, training, "save_checkpoint", 6, before=False, **plain)
    parts = lstm(2)
    assert_same((fit(parts, path, **plain), values(parts))[::-1], (values(whole), history))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("loss", r"the loss became nan at batch 2 \(epoch 2/2\)"),
        ("weights", r"the weights .*kernel are no longer numbers after batch 2 \(epoch 2/2\)"),
    ],
)
def test_what_is_no_longer_a_number_is_never_saved(undisturbed, tmp_path, monkeypatch, damage, message):
    def damaging(model, *arguments):
        step, numbers = compiled_step(model, *arguments), iter(range(1, STEPS + 1))

        def damaging_step(*tensors):
            loss, states = step(*tensors)
            if next(numbers) < 5:
                return loss, states
            if damage == "loss":
                return tf.constant(float("nan")), states
            kernel = model.trainable_variables[1]
            kernel.assign(kernel * float("nan"))
            return loss, states

        return damaging_step

    path = tmp_path / "checkpoint.npz"
    with monkeypatch.context() as patch:
        patch.setattr(training, "compiled_step", damaging)
        with pytest.raises(ValueError, match=message):
            fit(start(1), path)
    parts = start(9)
    assert_same((fit(parts, path), values(parts))[::-1], undisturbed)


def test_more_epochs_later_equal_all_at_once_and_a_finished_training_is_given_back(undisturbed, tmp_path, monkeypatch):
    path = tmp_path / "checkpoint.npz"
    first = fit(start(1), path, epochs=1)
    assert len(first["train"]) == 1
    parts = start(9)
    assert_same((fit(parts, path), values(parts))[::-1], undisturbed)
    monkeypatch.setattr(training, "save_checkpoint", lambda *_: pytest.fail("trained on"))
    parts = start(10)
    assert_same((fit(parts, path), values(parts))[::-1], undisturbed)


# best weights

STOPPING = {"patience": 2, "epochs": 9, "save_every": 2}  # stops after five epochs, of which the third is the best


def start_to_stop(seed):
    model, _ = start(seed)
    return model, keras.optimizers.Adam(0.05)


@pytest.fixture(scope="module")
def stopped_early():
    parts = start_to_stop(2)
    history = fit(parts, **STOPPING)
    losses = history["validation"]
    assert len(losses) == 5
    assert np.argmin(losses) == 2
    return values(parts), history


@pytest.mark.slow
def test_an_early_stop_comes_after_the_same_epoch_wherever_the_training_was_stopped(
    stopped_early, tmp_path, monkeypatch
):
    """Each life saves three times and dies; five epochs of three steps are saved at the start and twice an epoch."""
    path = tmp_path / "checkpoint.npz"
    for _ in range(3):
        stopped(monkeypatch, start_to_stop(2), path, training, "save_checkpoint", 4, before=True, **STOPPING)
    parts = start_to_stop(9)
    assert_same((fit(parts, path, **STOPPING), values(parts))[::-1], stopped_early)
    with monkeypatch.context() as patch:
        patch.setattr(training, "save_checkpoint", lambda *_: pytest.fail("trained on"))
        parts = start_to_stop(10)
        assert_same((fit(parts, path, **STOPPING), values(parts))[::-1], stopped_early)


def test_more_epochs_go_on_from_the_last_weights_and_not_from_the_best(stopped_early, tmp_path):
    path = tmp_path / "checkpoint.npz"
    fit(start_to_stop(2), path, **(STOPPING | {"epochs": 4}))
    parts = start_to_stop(9)
    assert_same((fit(parts, path, **STOPPING), values(parts))[::-1], stopped_early)


def test_a_resumed_run_adds_to_the_scalars_what_is_missing(tmp_path, monkeypatch):
    settings = {"epochs": 3, "log_dir": tmp_path / "log"}
    path = tmp_path / "checkpoint.npz"
    stopped(monkeypatch, start(1), path, training, "evaluate", 2, before=True, **settings)
    fit(start(1), path, **settings)
    steps = []
    for file in sorted((tmp_path / "log").iterdir()):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            steps += [event.step for value in event.summary.value if value.tag == "nats_per_character/train"]
    assert steps == [1, 2, 3]


def test_the_seconds_go_on_where_they_were(saved, tmp_path, monkeypatch):
    def later(*arguments):
        at = load_checkpoint(*arguments)
        at.seconds += 1000
        return at

    path = tmp_path / "checkpoint.npz"
    path.write_bytes(saved)
    monkeypatch.setattr(training, "load_checkpoint", later)
    seconds = fit(start(9), path)["seconds"]
    assert 0 < seconds[0] < 1000 < seconds[1] < 2000


def test_what_on_epoch_end_adds_survives_and_is_called_again_for_an_epoch_that_was_not_saved(tmp_path, undisturbed):
    def note(epoch, history):
        history.setdefault("samples", []).append(f"{epoch}: \u03b1 after {len(history['validation'])}")
        if epoch == lives:  # before this epoch is saved
            raise Stop

    path = tmp_path / "checkpoint.npz"
    for lives in (1, 2):
        with pytest.raises(Stop):
            fit(start(lives), path, on_epoch_end=note)
    lives = 3
    parts = start(lives)
    history = fit(parts, path, on_epoch_end=note)
    assert history.pop("samples") == ["1: \u03b1 after 1", "2: \u03b1 after 2"]
    assert_same((values(parts), history), undisturbed)


# failed saves


@pytest.mark.parametrize("failure", [OSError("disk full"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_old_checkpoint_and_nothing_else(saved, tmp_path, monkeypatch, failure):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(saved)

    def fail(source, target):
        assert os.path.getsize(source) > 1000, "the new checkpoint is written, but not yet in its place"
        raise failure

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(type(failure)):
        fit(start(9), path)
    assert path.read_bytes() == saved
    assert names(tmp_path) == ["checkpoint.npz"]


def test_a_history_that_json_cannot_hold_is_an_error_that_leaves_the_old_checkpoint(saved, tmp_path):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(saved)
    with pytest.raises(TypeError, match="not JSON serializable"):
        fit(start(9), path, save_every=99, on_epoch_end=lambda epoch, history: history.update(bad={1, 2}))
    assert path.read_bytes() == saved
    assert names(tmp_path) == ["checkpoint.npz"]


# refused checkpoints


@pytest.fixture(scope="module")
def other():
    """Another model and optimizer, which no refused checkpoint changes."""
    parts = start(9)
    parts[1].build(parts[0].trainable_variables)
    return parts


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 3}, "was made with batch_size=2, this run has 3"),
        ({"time": 5}, "was made with time=7, this run has 5"),
        ({"clip_norm": 1.5}, "was made with clip_norm=5.0, this run has 1.5"),
        ({"clip_norm": None}, "was made with clip_norm=5.0, this run has None"),
        ({"keep_best": True}, "was made with keep_best=False, this run has True"),
        ({"validation_ids": IDS[:21]}, "was made with another validation text$"),
        ({"validation_ids": None}, "was made with a validation text, this run has none$"),
        ({"ids": IDS[:-1]}, "was made with another text$"),
        ({"ids": np.roll(IDS, 1)}, "was made with another text$"),
    ],
)
def test_a_checkpoint_of_other_settings_is_refused_with_both(saved, other, tmp_path, settings, message):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(saved)
    before = values(other)
    with pytest.raises(ValueError, match=message) as caught:
        fit(other, path, **settings)
    assert str(path) in str(caught.value)
    assert_same((values(other), {}), (before, {}))
    assert path.read_bytes() == saved


def test_a_checkpoint_of_another_kind_of_optimizer_is_refused_with_both(saved, other, tmp_path):
    path, parts = tmp_path / "checkpoint.npz", (other[0], keras.optimizers.AdamW(0.05))  # with the very same slots
    path.write_bytes(saved)
    before = values(other)
    with pytest.raises(ValueError, match="was made with optimizer=Adam, this run has AdamW"):
        fit(parts, path)
    assert_same((values(other), {}), (before, {}))


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (keras.optimizers.Adam(0.05), "was made with learning_rate=.*CosineDecay.*, this run has 0.05"),
        (
            keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.05, STEPS + 1)),
            "was made with learning_rate=",
        ),
    ],
)
def test_a_checkpoint_of_another_rate_or_schedule_is_refused_with_both(saved, other, tmp_path, optimizer, message):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(saved)
    with pytest.raises(ValueError, match=message):
        fit((other[0], optimizer), path)


def test_the_name_of_an_optimizer_does_not_matter(saved, tmp_path):
    """Keras numbers them: the second Adam of a process is called adam_1."""
    path, (model, optimizer) = tmp_path / "checkpoint.npz", start(9)
    path.write_bytes(saved)
    renamed = keras.optimizers.Adam.from_config(optimizer.get_config() | {"name": "adam_1"})
    assert len(fit((model, renamed), path)["train"]) == EPOCHS


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"units": UNITS + 1}, "was made with units of layer 2=6, this run has 7"),
        ({"num_layers": 2}, "was made with layer 4=Dense, this run has SimpleRNN"),
        ({"cell": "gru"}, "was made with layer 2=SimpleRNN, this run has GRU"),
        ({"dropout": 0}, "was made with layer 3=Dropout, this run has Dense"),
        ({"dropout": 0.3}, "was made with rate of layer 3=0.4, this run has 0.3"),
    ],
)
def test_a_checkpoint_of_another_model_is_refused_with_both(saved, tmp_path, model, message):
    path, parts = tmp_path / "checkpoint.npz", start(9, **model)
    path.write_bytes(saved)
    before = [weight.numpy() for weight in parts[0].variables]
    with pytest.raises(ValueError, match=message) as caught:
        fit(parts, path)
    assert str(path) in str(caught.value)
    assert_same(([weight.numpy() for weight in parts[0].variables], {}), (before, {}))


def test_a_checkpoint_of_other_products_is_refused_with_both(tmp_path, monkeypatch):
    path, fast = tmp_path / "checkpoint.npz", {"cell": "gru", "fast": True}
    stopped(monkeypatch, start(1, **fast), path, training, "save_checkpoint", 1, before=False)
    with pytest.raises(ValueError, match="made with recurrent_dtype of layer 2=float32, this run has bfloat16"):
        fit(start(1, recurrent_dtype="bfloat16", **fast), path)


def repacked(data, **changes):
    """Return an archive with some arrays replaced, or left out where they are None."""
    with np.load(io.BytesIO(data)) as file:
        arrays = {key: file[key] for key in file.files} | changes
    buffer = io.BytesIO()
    np.savez(buffer, **{key: array for key, array in arrays.items() if array is not None})
    return buffer.getvalue()


def array_file(data):
    buffer = io.BytesIO()
    np.save(buffer, np.arange(3))
    return buffer.getvalue()


def flipped(offset, member="variable_00000.npy"):
    """Return a damage: one byte of the central entry, or of the values, of a member."""

    def damage(data):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(member)
        place = data.index(b"PK\x01\x02") if offset is not None else entry.header_offset
        place = data.index(member.encode(), place) + (len(member) + entry.file_size if offset is None else offset)
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

    return damage


def replaced_place(text):
    return lambda data: repacked(data, place=np.array(text))


@pytest.mark.parametrize(
    "damage",
    [
        *(lambda data, share=share: data[: int(len(data) * share)] for share in (0, 0.01, 0.5, 0.99)),
        lambda data: data[:-1],
        lambda data: b"not an archive",
        lambda data: b"\x80\x04N.",  # a pickle
        array_file,
        flipped(None),  # a value
        flipped(-38),  # the flags: it reads as encrypted
        flipped(-36),  # the method of compression
        lambda data: repacked(data, place=None),
        *map(replaced_place, ["{", "[]", "5", '{"settings": {}}', '{"settings": 5, "progress": {}}']),
        lambda data: repacked(
            data, place=np.array(str(np.load(io.BytesIO(data))["place"]).replace('"batch": ', '"place": '))
        ),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_by_name_and_changes_nothing(saved, other, tmp_path, damage):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(damage(saved))
    assert damage(saved) != saved
    before = values(other)
    with pytest.raises(ValueError, match="cannot be read: .") as caught:
        fit(other, path)
    assert str(path) in str(caught.value)
    assert_same((values(other), {}), (before, {}))
    assert path.read_bytes() == damage(saved)


@pytest.mark.parametrize("name", ["variable_00002", "variable_00020", "state_00000"])
@pytest.mark.parametrize("change", [lambda x: None, lambda x: x[None], lambda x: x.astype(str), np.float64])
def test_a_checkpoint_with_an_array_that_is_lost_or_changed_is_refused_whole(saved, other, tmp_path, name, change):
    path = tmp_path / "checkpoint.npz"
    with np.load(io.BytesIO(saved)) as file:
        path.write_bytes(repacked(saved, **{name: change(file[name])}))
    before = values(other)
    with pytest.raises(ValueError, match="another shape"):
        fit(other, path)
    assert_same((values(other), {}), (before, {}))


def test_a_checkpoint_is_never_unpickled(saved, other, tmp_path):
    path = tmp_path / "checkpoint.npz"
    path.write_bytes(repacked(saved, variable_00000=np.array([{"an": "object"}], dtype=object)))
    with pytest.raises(ValueError, match="'variable_00000' has shape .1,. and type object, needed are .*float32"):
        fit(other, path)


# the file itself


def test_a_checkpoint_brings_back_variables_states_and_progress(tmp_path):
    variables = [
        tf.Variable([[1.5, -2.0, 3.0]]),
        tf.Variable(7, dtype=tf.int64),
        keras.Variable([9, 8], dtype="uint32"),
    ]
    states = [[tf.fill((2, 3), 1.0)], [tf.fill((2, 4), 2.0), tf.fill((2, 4), 3.0)]]
    at = Progress(states, epoch=3, batch=2, nats=1 / 3, history={"train": [1e-17]}, seconds=2.5)
    save_checkpoint(tmp_path / "new" / "file", variables, at, {"time": 4})
    blank = [tf.Variable([[0.0, 0.0, 0.0]]), tf.Variable(0, dtype=tf.int64), keras.Variable([0, 0], dtype="uint32")]
    zeros = tf.nest.map_structure(tf.zeros_like, states)
    found = load_checkpoint(str(tmp_path / "new" / "file"), blank, zeros, {"time": 4})
    for variable, expected in zip(blank, variables, strict=True):
        np.testing.assert_array_equal(variable.numpy(), expected.numpy())
    tf.nest.map_structure(np.testing.assert_array_equal, found.states, states)
    assert (found.epoch, found.batch, found.nats, found.history) == (3, 2, 1 / 3, {"train": [1e-17]})
    assert found.seconds == 2.5


def test_bfloat16_survives_the_file(tmp_path):
    """NumPy would save it as raw bytes that it cannot read again."""
    numbers = tf.cast([1.0, 1 / 3, -3e38], tf.bfloat16)
    save_checkpoint(tmp_path / "file", [tf.Variable(numbers)], Progress([[numbers]]), {})
    variable = tf.Variable(tf.zeros_like(numbers))
    found = load_checkpoint(tmp_path / "file", [variable], [[tf.zeros_like(numbers)]], {})
    assert found.states[0][0].dtype == variable.dtype == tf.bfloat16
    np.testing.assert_array_equal(variable.numpy(), numbers.numpy())
    np.testing.assert_array_equal(found.states[0][0].numpy(), numbers.numpy())


def test_the_checksum_is_that_of_the_ids_whatever_their_type_and_wherever_they_lie(tmp_path, monkeypatch):
    expected = zlib.crc32(np.arange(100, dtype=np.int32).tobytes())
    np.save(tmp_path / "ids.npy", np.arange(100, dtype=np.uint8))
    mapped = np.load(tmp_path / "ids.npy", mmap_mode="r")
    for ids in (np.arange(100), np.arange(200)[::2] // 2, list(range(100)), mapped):
        assert checksum(ids) == expected
    pieces = [np.arange(60), np.arange(60, 100)]
    monkeypatch.setattr(checkpoints, "iterate_pieces", lambda _: pieces)
    assert checksum([]) == expected


def test_a_setting_that_only_one_side_knows_is_refused(tmp_path):
    save_checkpoint(tmp_path / "file", [], Progress([]), {"time": 4})
    with pytest.raises(ValueError, match="made with depth=None, this run has 2"):
        load_checkpoint(tmp_path / "file", [], [], {"time": 4, "depth": 2})
    with pytest.raises(ValueError, match="made with time=4, this run has None"):
        load_checkpoint(tmp_path / "file", [], [], {})


def test_states_of_another_batch_size_are_refused(tmp_path):
    model, _ = start(1)
    save_checkpoint(tmp_path / "file", model.variables, Progress(zero_states(model, 2)), {})
    with pytest.raises(ValueError, match="another shape"):
        load_checkpoint(tmp_path / "file", model.variables, zero_states(model, 3), {})


def test_a_missing_checkpoint_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match="missing.npz cannot be read"):
        load_checkpoint(tmp_path / "missing.npz", [], [], {})


def test_a_file_of_other_arrays_is_no_checkpoint_and_nobody_is_told_to_unpickle_it(tmp_path):
    path = tmp_path / "checkpoint.npz"
    for arrays in ({"a": np.arange(3)}, {"place": np.array([{"an": "object"}])}):
        np.savez(path, **arrays)
        with pytest.raises(ValueError, match="checkpoint.npz cannot be read: .*place") as caught:
            load_checkpoint(path, [], [], {})
        assert "pickle" not in str(caught.value)


@pytest.mark.parametrize(
    "place", [{"epoch": "1"}, {"batch": -1}, {"epoch": True}, {"seconds": None}, {"history": []}, {"history": {"a": 1}}]
)
def test_a_checkpoint_that_stands_nowhere_is_refused(tmp_path, place):
    text = json.dumps({"settings": {}, "progress": place})
    np.savez(tmp_path / "file.npz", place=np.array(text))
    with pytest.raises(ValueError, match="file.npz cannot be read: .* must "):
        load_checkpoint(tmp_path / "file.npz", [], [], {})


def test_a_disk_without_room_for_two_checkpoints_is_noticed_at_the_first(tmp_path, monkeypatch):
    variables = [tf.Variable(tf.zeros(1000))]
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=4000))
    with pytest.raises(OSError, match="needs [45],[0-9]{3} bytes more on its disk, which has 4,000"):
        save_checkpoint(tmp_path / "file", variables, Progress([]), {})
    assert names(tmp_path) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=6000))
    save_checkpoint(tmp_path / "file", variables, Progress([]), {})
    assert names(tmp_path) == ["file"]


def test_what_a_killed_process_was_writing_is_removed_when_the_training_goes_on(saved, tmp_path):
    (tmp_path / "checkpoint.npz").write_bytes(saved)
    (tmp_path / ".charlm-0123456789abcdef.part").write_bytes(b"half")
    os.utime(tmp_path / ".charlm-0123456789abcdef.part", (1e9, 1e9))
    fit(start(9), tmp_path / "checkpoint.npz")
    assert names(tmp_path) == ["checkpoint.npz"]
