import inspect
import io
import json
import shutil
import zipfile

import keras
import numpy as np
import pytest

from charlm_utils.checkpoints import Progress, save_checkpoint
from charlm_utils.corpora import CORPORA, text_sha256
from charlm_utils.files import bundled_data_dir
from charlm_utils.folders import is_unfinished, stopped_at
from charlm_utils.models import build_model
from charlm_utils.runs import check_free, list_runs, load_run, save_run, unfinished_run
from charlm_utils.settings import CELLS, Cell, weight_shapes
from charlm_utils.vocabulary import Vocabulary

VOCABULARY = Vocabulary("cab\n\u03b1\U0001f996")
SHAPE = {"cell": "lstm", "units": 5, "num_layers": 2, "embedding_dim": 3, "dropout": 0.1}
RECORD = {"model": SHAPE, "history": {"train": [1.5, 1.25]}, "sample": "\u03b1\U0001f996\n", "corpus": "play"}


def small_model(seed=1):
    keras.utils.set_random_seed(seed)
    return build_model(len(VOCABULARY), **SHAPE)


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "tiny"
    save_run(folder, small_model(), VOCABULARY, RECORD)
    return folder


@pytest.fixture
def run_dir(saved, tmp_path):
    """A copy of the saved run, to load or to damage."""
    return shutil.copytree(saved, tmp_path / "tiny")


def test_a_saved_run_is_loaded_with_the_same_model_vocabulary_and_record(run_dir):
    run = load_run("tiny", run_dir.parent)
    assert run.name == "tiny"
    assert run.vocabulary == VOCABULARY
    assert run.record.items() >= RECORD.items()
    model = small_model()
    ids = VOCABULARY.encode("ab\u03b1c")[None]
    np.testing.assert_allclose(run.model(ids), model(ids), atol=2e-3)
    assert np.abs(run.model(ids) - small_model(seed=2)(ids)).max() > 2e-3
    for loaded, saved in zip(run.model.get_weights(), model.get_weights(), strict=True):
        assert loaded.dtype == np.float32
        np.testing.assert_array_equal(loaded, saved.astype(np.float16))
    assert [layer.name.split("_")[0] for layer in run.model.layers[1:]] == [
        *("embedding", "lstm", "dropout", "lstm", "dropout", "logits")
    ]


def test_a_run_is_three_files_that_are_json_or_plain_arrays(run_dir):
    assert files(run_dir) == ["run.json", "vocabulary.json", "weights.npz"]
    record = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    assert {"date", "python", "tensorflow", "keras", "processor", "devices"} <= set(record["provenance"])
    assert record["provenance"]["keras"] == keras.__version__
    with np.load(run_dir / "weights.npz", allow_pickle=False) as weights:
        assert {weights[name].dtype for name in weights.files} == {np.dtype(np.float16)}


def test_the_provenance_holds_the_hash_of_a_corpus_of_the_book_and_of_no_other(run_dir, tmp_path):
    assert load_run("tiny", run_dir.parent).record["provenance"]["corpus_sha256"] == CORPORA["play"].sha256
    save_run(tmp_path / "own", small_model(), VOCABULARY, RECORD | {"corpus": "my-own.txt"})
    assert load_run("own", tmp_path).record["provenance"]["corpus_sha256"] is None


def test_saving_twice_replaces_the_run_and_the_record_handed_in_stays_as_it_was(run_dir):
    record = dict(RECORD)
    save_run(str(run_dir), small_model(seed=2), VOCABULARY, record)
    assert record == RECORD
    first = load_run("tiny", str(run_dir.parent)).model.get_weights()[0]
    np.testing.assert_array_equal(first, small_model(seed=2).get_weights()[0].astype(np.float16))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"nats": np.float32(1.5)}, "'nats': Object of type float32 is not JSON serializable"),
        ({"history": {"train": {1.5}}}, "'history': Object of type set"),
        ({"nats": float("nan")}, "'nats': Out of range float values"),
        ({"model": None}, "must hold arguments of build_model"),
        ({"model": {"unit": 5}}, "must hold arguments of build_model: .*unexpected keyword argument 'unit'"),
        (
            {"model": SHAPE | {"units": 6}},
            r"weights of shapes .*\(3, 24\), .*, the model to be saved .*\(3, 20\)",
        ),
        ({"model": SHAPE | {"cell": "transformer"}}, "cell must be one of"),
    ],
)
def test_a_record_that_could_not_be_read_again_is_refused_and_the_old_run_stays(run_dir, change, message):
    before = {path.name: path.read_bytes() for path in run_dir.iterdir()}
    with pytest.raises(ValueError, match=message):
        save_run(run_dir, small_model(seed=2), VOCABULARY, RECORD | change)
    assert {path.name: path.read_bytes() for path in run_dir.iterdir()} == before


def test_a_record_without_a_model_and_a_vocabulary_of_another_size_are_refused(tmp_path):
    with pytest.raises(ValueError, match='the record must hold "model"'):
        save_run(tmp_path / "run", small_model(), VOCABULARY, {})
    with pytest.raises(ValueError, match="weights of shapes"):
        save_run(tmp_path / "run", small_model(), Vocabulary("ab"), RECORD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", [65520, -1e9, np.inf, np.nan])
def test_weights_that_half_precision_cannot_hold_are_refused(tmp_path, value):
    model = small_model()
    weights = model.get_weights()
    weights[-1][2] = value
    model.set_weights(weights)
    with pytest.raises(ValueError, match="weights must be finite and at most 65504, got .* in logits/bias"):
        save_run(tmp_path / "run", model, VOCABULARY, RECORD)
    assert list(tmp_path.iterdir()) == []


def test_the_provenance_holds_the_hash_of_the_vocabulary_and_a_permuted_one_is_refused(run_dir):
    record = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    assert record["provenance"]["vocabulary_sha256"] == text_sha256(VOCABULARY.characters)
    Vocabulary(VOCABULARY.characters[::-1]).save(run_dir / "vocabulary.json")
    with pytest.raises(ValueError, match="vocabulary.json is not the vocabulary that the run was saved with"):
        load_run("tiny", run_dir.parent)
    del record["provenance"]["vocabulary_sha256"]  # as in runs of the first version
    (run_dir / "run.json").write_text(json.dumps(record))
    assert load_run("tiny", run_dir.parent).vocabulary.characters == VOCABULARY.characters[::-1]


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("settings", [{"num_layers": 3, "dropout": 0.5}, {"embedding_dim": None}])
def test_the_shapes_of_the_weights_are_known_before_a_model_is_built(cell, settings):
    settings = {"cell": cell, "units": 4, "fast": cell != "rnn"} | settings
    model = build_model(7, **settings)
    assert weight_shapes(7, **settings) == [tuple(weight.shape) for weight in model.weights]


def test_the_defaults_of_the_shapes_are_those_of_the_models():
    assert inspect.signature(weight_shapes).parameters == inspect.signature(build_model).parameters


def test_a_cell_of_ones_own_is_known_to_its_layer_only(monkeypatch):
    monkeypatch.setitem(CELLS, "own", Cell(keras.layers.LSTM))
    assert weight_shapes(7, cell="own", units=4) is None
    with pytest.raises(ValueError, match="must make at most 100,000,000 weights, got "):
        weight_shapes(7, cell="own", units=10_000)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"units": 4100, "cell": "lstm", "embedding_dim": 2500},
            "must make at most 100,000,000 weights, got 108,302,607",
        ),
        ({"num_layers": 101}, "num_layers must be at most 100, got 101"),
        ({"units": 0}, "units must be an integer of at least 1, got 0"),
        ({"dropout": 1}, "dropout must be a number of at least 0 and below 1, got 1"),
        ({"cell": "tree"}, "cell must be one of"),
    ],
)
def test_settings_that_no_run_can_have_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        weight_shapes(7, **settings)


def test_a_run_of_more_than_a_hundred_arrays_keeps_their_order(tmp_path):
    shape = {"cell": "rnn", "units": 1, "num_layers": 34, "embedding_dim": 1}
    model = build_model(len(VOCABULARY), **shape)
    model.set_weights([np.full(w.shape, i / 8) for i, w in enumerate(model.get_weights())])
    assert len(model.get_weights()) > 100
    save_run(tmp_path / "deep", model, VOCABULARY, {"model": shape})
    for loaded, saved in zip(load_run("deep", tmp_path).model.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(loaded, saved)


@pytest.mark.parametrize("name", ["../tiny", "a/tiny", "/etc", "", ".", ".."])
def test_a_name_that_is_a_path_is_refused(run_dir, name):
    with pytest.raises(ValueError, match="name must be that of a run, without folders, got .*; runs_dir says where"):
        load_run(name, run_dir / "..")


def test_list_runs_names_complete_runs_in_order(tmp_path):
    for name in ("b", "a", "unfinished"):
        (tmp_path / name).mkdir()
    for name in ("b", "a"):
        (tmp_path / name / "run.json").write_text("{}")
    (tmp_path / "run.json").write_text("{}")
    assert list_runs(tmp_path) == list_runs(str(tmp_path)) == ["a", "b"]


def test_a_folder_without_runs_has_none(tmp_path):
    assert list_runs(tmp_path) == list_runs(tmp_path / "missing") == []


def test_list_runs_looks_among_those_of_the_book_by_default():
    folder = bundled_data_dir() / "runs"
    expected = sorted(path.name for path in folder.iterdir() if (path / "run.json").exists()) if folder.exists() else []
    assert list_runs() == expected


def test_a_missing_run_lists_the_known_ones(run_dir):
    with pytest.raises(ValueError, match="no run 'huge' in .*; there are: tiny") as caught:
        load_run("huge", run_dir.parent)
    assert str(run_dir.parent) in str(caught.value)


def test_a_missing_run_in_an_empty_folder_says_that_there_are_none(tmp_path):
    with pytest.raises(ValueError, match="there are: none"):
        load_run("huge", tmp_path)


def rot(data):
    """Turn one byte around in the middle of the largest array of an archive, as a bad disk would."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entry = max(archive.infolist(), key=lambda entry: entry.compress_size)
    place = data.index(entry.filename.encode(), entry.header_offset) + entry.compress_size // 2 + 40
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("run.json", lambda data: b""),
        ("run.json", lambda data: data[:-20]),
        ("run.json", lambda data: b"[]"),
        ("run.json", lambda data: b"{}"),
        ("run.json", lambda data: b'{"model": null}'),
        ("run.json", lambda data: b'{"model": {"cell": "transformer"}}'),
        ("run.json", lambda data: b'{"model": {"unit": 5}}'),
        ("run.json", lambda data: data.replace(b'"units": 5', b'"units": 6')),
        ("run.json", lambda data: data.replace(b'"units": 5', b'"units": 1000000000')),
        ("run.json", lambda data: data.replace(b'"units": 5', b'"units": "5"')),
        ("run.json", lambda data: data.replace(b'"units": 5', b'"units": NaN')),
        ("run.json", lambda data: data.replace(b'"num_layers": 2', b'"num_layers": 1000000')),
        ("run.json", lambda data: data.replace(b'"num_layers": 2', b'"num_layers": 1')),
        ("run.json", lambda data: b"\xff" + data),
        ("vocabulary.json", lambda data: b""),
        ("vocabulary.json", lambda data: b'{"characters": 5}'),
        ("vocabulary.json", lambda data: b'{"characters": "ab"}'),
        ("weights.npz", lambda data: b""),
        ("weights.npz", lambda data: b"not an archive"),
        ("weights.npz", lambda data: data[: len(data) // 2]),
        ("weights.npz", rot),
    ],
)
def test_a_damaged_run_is_refused_with_its_folder(run_dir, file, damage):
    data = (run_dir / file).read_bytes()
    assert damage(data) != data
    (run_dir / file).write_bytes(damage(data))
    with pytest.raises(ValueError, match="cannot be read: .") as caught:
        load_run("tiny", run_dir.parent)
    assert str(run_dir) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", ["vocabulary.json", "weights.npz"])
def test_an_incomplete_run_is_refused_and_the_missing_file_named(run_dir, file):
    (run_dir / file).unlink()
    with pytest.raises(ValueError, match=f"cannot be read: .*{file}"):
        load_run("tiny", run_dir.parent)


def test_weights_are_never_unpickled(run_dir):
    np.savez(run_dir / "weights.npz", **{"00": np.array([{"an": "object"}], dtype=object)})
    with pytest.raises(ValueError, match="cannot be read: weights.npz: "):
        load_run("tiny", run_dir.parent)


# the folder of a training that is under way


def save_training(path, epoch=0, batch=0):
    save_checkpoint(path, [], Progress([], epoch=epoch, batch=batch), {})


def test_a_folder_is_held_with_its_settings_until_the_training_ends(tmp_path):
    folder = tmp_path / "run"
    with unfinished_run(folder, {"epochs": 2}) as run:
        assert (run.folder, run.checkpoint) == (folder, folder / "checkpoint.npz")
        assert json.loads((folder / "unfinished.json").read_text()) == {"unfinished_training": {"epochs": 2}}
        assert not is_unfinished(folder)
        save_training(run.checkpoint, 1, 5)
        assert (stopped_at(folder).epoch, stopped_at(folder).batch) == (1, 5)
        with pytest.raises(ValueError, match=f"the training in {folder} is not finished"):
            load_run("run", tmp_path)
        (folder / "notes.txt").write_bytes(b"mine")
        run.save(small_model(), VOCABULARY, RECORD)
        assert not is_unfinished(folder)
    assert files(folder) == ["notes.txt", "run.json", "vocabulary.json", "weights.npz"]
    assert load_run("run", tmp_path).vocabulary == VOCABULARY


def test_what_was_saved_stays_when_the_training_is_stopped_and_is_found_again(tmp_path):
    with pytest.raises(KeyboardInterrupt), unfinished_run(tmp_path, {"model": {"units": 2}}) as run:
        save_training(run.checkpoint)
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match="model.units=2, and now it is 3"):
        unfinished_run(tmp_path, {"model": {"units": 3}}).__enter__()
    with unfinished_run(tmp_path, {"model": {"units": 2}}) as run:
        assert run.checkpoint.exists()
        assert is_unfinished(tmp_path)


def test_settings_of_a_training_that_saved_nothing_may_be_replaced(tmp_path):
    (tmp_path / "unfinished.json").write_text('{"unfinished_training": {}}')  # of a process killed in its first seconds
    with unfinished_run(tmp_path, {"epochs": 2}):
        assert json.loads((tmp_path / "unfinished.json").read_text()) == {"unfinished_training": {"epochs": 2}}


def test_a_stop_before_the_first_save_leaves_the_folder_as_it_was(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for folder in (tmp_path, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt), unfinished_run(folder, {}):
            raise KeyboardInterrupt
    assert files(tmp_path) == ["notes.txt"]


def test_a_folder_that_cannot_be_written_to_is_refused(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("mine")
    for place in (tmp_path / "file" / "run", "/proc/run"):
        with pytest.raises(ValueError, match=f"cannot write to {place}: "):
            unfinished_run(place, {}).__enter__()

    def refuse(*_):
        raise PermissionError("read-only")

    monkeypatch.setattr("charlm_utils.folders.write_atomically", refuse)
    with pytest.raises(ValueError, match="cannot write to .*: read-only"), unfinished_run(tmp_path / "new", {}):
        pass
    assert files(tmp_path) == ["file"]


def test_a_file_or_a_finished_run_in_the_way_is_refused(run_dir, tmp_path):
    check_free(tmp_path / "new")
    for place in (run_dir, str(run_dir / "run.json")):
        with pytest.raises(ValueError, match=f"{place} already holds a run or is a file; choose another folder"):
            check_free(place)
        with pytest.raises(ValueError, match=f"{place} already holds a run or is a file; choose another folder"):
            unfinished_run(place, {}).__enter__()
    assert files(tmp_path) == ["tiny"]


def test_the_second_training_in_a_folder_is_refused_and_so_is_a_run(tmp_path):
    with unfinished_run(tmp_path / "run", {}):
        for refused in (
            lambda: unfinished_run(tmp_path / "run", {}).__enter__(),
            lambda: check_free(tmp_path / "run"),
            lambda: save_run(tmp_path / "run", small_model(), VOCABULARY, RECORD),
        ):
            with pytest.raises(ValueError, match=f"another training is under way in {tmp_path / 'run'}; wait"):
                refused()
        assert files(tmp_path / "run") == ["unfinished.json"]


def test_a_run_is_not_saved_over_an_unfinished_training(tmp_path):
    with pytest.raises(KeyboardInterrupt), unfinished_run(tmp_path, {}) as run:
        save_training(run.checkpoint)
        raise KeyboardInterrupt
    with pytest.raises(ValueError, match=f"{tmp_path} holds an unfinished training; choose another folder"):
        save_run(tmp_path, small_model(), VOCABULARY, RECORD)
    assert is_unfinished(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", "{}"),
        ("run.json", "not even JSON"),
        ("weights.npz", ""),
        ("vocabulary.json", "{}"),
        ("unfinished.json", "{}"),
        ("unfinished.json", "[]"),
        ("checkpoint.npz", "not ours"),
        (".charlm-new", "a file"),
    ],
)
def test_a_file_in_the_place_of_ours_that_is_not_ours_is_named_and_kept(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    message = f"{tmp_path} holds a {name} that is not of this program; choose another folder"
    for refused in (
        lambda: save_run(tmp_path, small_model(), VOCABULARY, RECORD),
        lambda: check_free(tmp_path),
        lambda: unfinished_run(tmp_path, {}).__enter__(),
    ):
        with pytest.raises(ValueError, match=message):
            refused()
    assert not is_unfinished(tmp_path)
    assert files(tmp_path) == [name]
    assert (tmp_path / name).read_text() == content
