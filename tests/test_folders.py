"""A run folder at every moment at which its process may die; what a training does with it is in the tests of runs."""

import os

import pytest

from charlm_utils.files import write_atomically
from charlm_utils.folders import holds_run, new_run, own_folder, run_file, unfinished_training

NAMES = ["weights.npz", "vocabulary.json", "run.json"]
OPERATIONS = ["open", "fsync", "replace", "unlink", "mkdir", "rmdir"]
RECORD = '{{"model": {{}}, "provenance": {{}}, "content": "{}"}}'


class Death(BaseException):
    """The process is gone: nothing that it would still have done is done."""


def die_at(monkeypatch, number):
    """Let the file operation ``number`` (from 1) and all later ones fail; return the list of those that were tried."""
    tried = []

    def dying(operation):
        def call(*arguments, **options):
            tried.append(operation.__name__)
            if len(tried) >= number:
                raise Death
            return operation(*arguments, **options)

        return call

    for name in OPERATIONS:
        monkeypatch.setattr(os, name, dying(getattr(os, name)))
    return tried


def save(folder, content):
    with own_folder(folder) as own, new_run(own) as new:
        for name in NAMES:
            write_atomically(new / name, RECORD.format(content))


def found(folder):
    """Return what the three files of a run say; None where there is no run."""
    if not holds_run(folder):
        return None
    return {run_file(folder, name).read_text() for name in NAMES}


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def count_operations(save_once):
    """Return how many file operations a save makes."""
    with pytest.MonkeyPatch.context() as patch:
        tried = die_at(patch, 10**6)
        save_once()
    return len(tried)


@pytest.mark.slow
@pytest.mark.parametrize("before", [None, "old"])
def test_whenever_a_process_dies_a_run_is_there_whole_or_as_it_was(tmp_path, before):
    def prepare(name):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "notes.txt").write_text("mine")
        if before:
            save(folder, before)
        return folder

    trial = prepare("trial")
    operations = count_operations(lambda: save(trial, "new"))
    assert operations > 15
    outcomes = []
    for number in range(1, operations + 1):
        folder = prepare(str(number))
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Death):
            die_at(patch, number)
            save(folder, "new")
        outcome = found(folder)
        assert outcome in (None, {RECORD.format("old")}, {RECORD.format("new")})
        assert outcome or not before, "an older run is never lost"
        with own_folder(folder):
            assert found(folder) == outcome
            assert files(folder) == ["notes.txt", *sorted(NAMES)] if outcome else ["notes.txt"]
        save(folder, "newer")
        assert found(folder) == {RECORD.format("newer")}
        assert files(folder) == ["notes.txt", *sorted(NAMES)]
        outcomes.append(outcome)
    assert len({str(outcome) for outcome in outcomes}) == 2, "some deaths come before and some after"


@pytest.mark.slow
def test_whenever_a_process_dies_at_the_end_of_a_training_the_run_or_the_checkpoint_is_there(tmp_path):
    def train(folder):
        with own_folder(folder) as own, unfinished_training(own, {"epochs": 2}) as checkpoint:
            if not checkpoint.exists():
                write_atomically(checkpoint, "saved")
            with new_run(own) as new:
                for name in NAMES:
                    write_atomically(new / name, RECORD.format("new"))

    for number in range(1, count_operations(lambda: train(tmp_path / "trial")) + 1):
        folder = tmp_path / str(number)
        with pytest.MonkeyPatch.context() as patch, pytest.raises(Death):
            tried = die_at(patch, number)
            train(folder)
        assert len(tried) >= number
        if holds_run(folder):
            with own_folder(folder):
                assert files(folder) == sorted(NAMES), "what was left of the training is removed"
        else:
            train(folder)
        assert files(folder) == sorted(NAMES)
        assert found(folder) == {RECORD.format("new")}


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_older_run_and_nothing_else(tmp_path, error):
    save(tmp_path, "old")
    with pytest.raises(type(error)), own_folder(tmp_path) as own, new_run(own) as new:
        for name in NAMES:
            write_atomically(new / name, "new")
        raise error
    assert found(tmp_path) == {RECORD.format("old")}
    assert files(tmp_path) == sorted(NAMES)


def test_links_in_the_place_of_a_new_run_are_not_followed(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / ".charlm-new").symlink_to("../elsewhere")
    with pytest.raises(ValueError, match="holds a .charlm-new that is not of this program"):
        save(tmp_path / "run", "new")
    assert files(tmp_path / "elsewhere") == []


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path):
    with own_folder(tmp_path / "run"):
        assert files(tmp_path) == ["run"]
    assert files(tmp_path) == []
