"""The folder of a run: one process has it at a time, and nobody ever finds half a run in it.

A folder holds a finished run (``run.json``, ``vocabulary.json`` and ``weights.npz``) or a training that can go on
(``checkpoint.npz`` and ``unfinished.json``). A run is written to a folder inside of it first and moved into its place
once it is whole; :func:`run_file` finds its files at every moment between.
"""

import contextlib
import json
import os
from pathlib import Path

from charlm_utils.checkpoints import read_place
from charlm_utils.checks import AnyPath, checked
from charlm_utils.files import claimed, read_json, remove_leftovers, write_atomically

RECORD = "run.json"
VOCABULARY = "vocabulary.json"
WEIGHTS = "weights.npz"
CHECKPOINT = "checkpoint.npz"  # of a training that is under way, with the settings it was begun with:
UNFINISHED = "unfinished.json"
LARGEST_JSON = 2**24  # bytes of a record or of settings

_NEW = ".charlm-new"  # where a run is written to
_RUN_FILES = (WEIGHTS, VOCABULARY, RECORD)  # the last makes it a run
_SETTINGS = "unfinished_training"  # the one key of unfinished.json


def run_file(folder, name):
    """Return the path of one of the three files of the run in a folder, whether it is there or not."""
    new = Path(folder) / _NEW
    if (new / RECORD).is_file() and (new / name).is_file():
        return new / name
    return Path(folder) / name


def holds_run(folder):
    """Whether a finished run is in a folder."""
    return run_file(folder, RECORD).is_file()


@checked
def is_unfinished(folder: AnyPath):
    """Whether a training was stopped in a folder and can go on there."""
    return stopped_at(folder) is not None


def stopped_at(folder):
    """Return where the training stands that was stopped in a folder.

    Returns
    -------
    charlm_utils.checkpoints.Progress or None
        ``epoch`` and ``batch`` are those that are done; None if there is no training that can go on, for example
        because the checkpoint in the folder is not one of ours.
    """
    folder = Path(folder)
    if holds_run(folder) or _read_settings(folder) is None:
        return None
    try:
        return read_place(folder / CHECKPOINT)[1]
    except ValueError:
        return None


@contextlib.contextmanager
def own_folder(folder):
    """Have a folder to oneself while the block runs, with what killed processes left in it put in order.

    Parameters
    ----------
    folder : str or Path
        Made when it is absent, and then removed at the end if it is empty.

    Yields
    ------
    Path
        The folder.

    Raises
    ------
    ValueError
        If it cannot be written to, another training is under way there, or it holds a file in the place of one of ours
        that is not ours.
    """
    folder = Path(folder)
    was_there = folder.exists()
    with contextlib.ExitStack() as stack:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(claimed(folder))
            stack.callback(_remove_empty, folder, was_there)
            _put_in_order(folder)
        except BlockingIOError as error:
            raise ValueError(
                f"another training is under way in {folder}; wait for its end or choose another folder"
            ) from error
        except OSError as error:
            raise ValueError(f"cannot write to {folder}: {error}") from error
        _check_files(folder)
        yield folder


@contextlib.contextmanager
def new_run(folder):
    """Write a run: all of it takes the place of an older one when the block ends well, and else none.

    Parameters
    ----------
    folder : Path
        One's own.

    Yields
    ------
    Path
        Where to write the three files, ``run.json`` as the last.
    """
    new = folder / _NEW
    new.mkdir(exist_ok=True)
    try:
        yield new
    except BaseException:
        _discard(new)
        raise
    _settle(folder)


@contextlib.contextmanager
def unfinished_training(folder, settings):
    """Note in a folder of one's own which training is under way there, until the block ends.

    When it is stopped before a checkpoint was saved, the folder is left as it was found; when it is stopped later,
    checkpoint and settings stay; when it ends well, both go.

    Parameters
    ----------
    folder : Path
        One's own.
    settings : dict
        What a later training must have in common with this one to go on from its checkpoint; JSON values.

    Yields
    ------
    Path
        Where the checkpoint is to be saved; it exists when there is something to go on from.

    Raises
    ------
    ValueError
        If the folder cannot be written to, or holds a checkpoint of other settings.
    """
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists():
        _check_settings(folder, settings)
    try:
        try:
            write_atomically(folder / UNFINISHED, json.dumps({_SETTINGS: settings}, indent=1) + "\n")
        except OSError as error:
            raise ValueError(f"cannot write to {folder}: {error}") from error
        yield checkpoint
    except BaseException:
        if not checkpoint.exists():
            (folder / UNFINISHED).unlink(missing_ok=True)
        raise
    _forget_training(folder)


def _put_in_order(folder):
    """Finish what killed processes had begun, and remove what they had not."""
    remove_leftovers(folder)
    if (folder / _NEW).is_dir() and not (folder / _NEW).is_symlink():
        _settle(folder)
    if holds_run(folder) and _read_settings(folder) is not None:
        _forget_training(folder)


def _settle(folder):
    """Move a new run into its place, if it is whole, and remove its folder."""
    new = folder / _NEW
    if (new / RECORD).is_file():
        for name in _RUN_FILES:
            if (new / name).is_file():
                os.replace(new / name, folder / name)
    _discard(new)


def _discard(new):
    """Remove what was written of a new run, and its folder unless there is more in it."""
    for name in reversed(_RUN_FILES):
        (new / name).unlink(missing_ok=True)
    remove_leftovers(new)
    with contextlib.suppress(OSError):
        new.rmdir()


def _forget_training(folder):
    """Remove checkpoint and settings; the first without the second would be nobody's."""
    (folder / CHECKPOINT).unlink(missing_ok=True)
    (folder / UNFINISHED).unlink(missing_ok=True)


def _remove_empty(folder, was_there):
    """Remove a folder that was made for a training and in which nothing is."""
    if not was_there and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _check_files(folder):
    """Raise if a file that we would replace or remove is not ours."""
    foreign = _foreign_file(folder)
    if foreign:
        raise ValueError(f"{folder} holds a {foreign} that is not of this program; choose another folder")


def _foreign_file(folder):
    """Return the name of a file that lies where ours would, but is not ours, or None."""
    if os.path.lexists(folder / RECORD):
        if not _is_record(folder / RECORD):
            return RECORD
    else:
        for name in (WEIGHTS, VOCABULARY):
            if os.path.lexists(folder / name):
                return name
    if _read_settings(folder) is None:
        for name in (UNFINISHED, CHECKPOINT):
            if os.path.lexists(folder / name):
                return name
    if os.path.lexists(folder / _NEW):
        return _NEW
    return None


def _is_record(path):
    try:
        record = read_json(path, LARGEST_JSON)
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and {"model", "provenance"} <= set(record)


def _read_settings(folder):
    """Return the settings of the training that was begun in a folder; None if that is not known."""
    try:
        saved = read_json(folder / UNFINISHED, LARGEST_JSON)
    except (OSError, ValueError):
        return None
    if isinstance(saved, dict) and set(saved) == {_SETTINGS} and isinstance(saved[_SETTINGS], dict):
        return saved[_SETTINGS]
    return None


def _check_settings(folder, settings):
    """Raise a ``ValueError`` that names the first setting in which a stopped training differs."""
    saved = _flat(_read_settings(folder))
    settings = _flat(json.loads(json.dumps(settings)))
    for name in saved | settings:
        before, now = saved.get(name), settings.get(name)
        if before != now:
            difference = "another text" if name == "text_sha256" else f"{name}={before!r}, and now it is {now!r}"
            raise ValueError(
                f"{folder} holds an unfinished training with {difference}; "
                "go on with the settings it was begun with, or choose another folder"
            )


def _flat(settings):
    """Return settings without dictionaries inside: those become ``outer.inner``."""
    flat = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            for inner, part in value.items():
                flat[f"{name}.{inner}"] = part
        else:
            flat[name] = value
    return flat
