"""Recorded runs: a folder with configuration, vocabulary, weights, loss history and samples of one training.

TensorFlow is imported by what needs it, so that a folder can be looked at without.
"""

import contextlib
import datetime
import hashlib
import io
import json
import os
import platform
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charlm_utils.corpora import CORPORA
from charlm_utils.files import bundled_data_dir, write_atomically
from charlm_utils.vocabulary import Vocabulary

if TYPE_CHECKING:
    import keras

CHECKPOINT = "checkpoint.npz"  # of a training that is under way, with the settings it was begun with:
UNFINISHED = "unfinished.json"
_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")  # that speeds depend on
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Run:
    """One recorded run, loaded."""

    name: str
    model: "keras.Model"
    vocabulary: Vocabulary
    record: dict  # configuration, history, held-out loss, sample, provenance


def list_runs(runs_dir=None):
    """Return the names of the recorded runs, sorted; by default those that come with the book."""
    folder = _runs_dir(runs_dir)
    return sorted(path.parent.name for path in folder.glob("*/run.json"))


def save_run(folder, model, vocabulary, record):
    """Write a run: ``run.json``, ``vocabulary.json`` and ``weights.npz`` (half precision, in the model's order).

    Everything is made ready and checked before the first file is written. ``run.json`` is written last: until it is
    there, the folder is no run. That of an older run is removed first.

    Parameters
    ----------
    folder : str or Path
        Made when it is absent; its last part is the name of the run.
    model : keras.Model
        Of the architecture that ``record["model"]`` gives as arguments of ``build_model``.
    vocabulary : Vocabulary
        The one it was trained with.
    record : dict
        What can be said in JSON: at least ``"model"``; the hash of ``"corpus"``, versions, machine and date are added.

    Raises
    ------
    ValueError
        If a value of the record cannot be said in JSON, the record does not describe the model, or a weight is not
        finite or larger than half precision can hold.
    """
    folder = Path(folder)
    weights = _packed_weights(model)
    text = _record_text(record | {"provenance": _provenance(record)})
    _check_architecture(model, vocabulary, record)
    (folder / "run.json").unlink(missing_ok=True)
    write_atomically(folder / "weights.npz", weights)
    vocabulary.save(folder / "vocabulary.json")
    write_atomically(folder / "run.json", text)


def _packed_weights(model):
    """Return the bytes of ``weights.npz``."""
    arrays = {}
    for i, (variable, weight) in enumerate(zip(model.weights, model.get_weights(), strict=True)):
        largest = np.abs(weight).max(initial=0)
        if not largest <= _LARGEST:  # nor if it is no number
            raise ValueError(f"weights must be finite and at most {_LARGEST:.0f}, got {largest} in {variable.path}")
        arrays[f"{i:02d}"] = weight.astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _record_text(record):
    """Return the text of ``run.json``."""
    for name, value in record.items():
        try:
            json.dumps(value, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise ValueError(f"the record cannot be said in JSON: {name!r}: {error}") from error
    return json.dumps(record, indent=1) + "\n"


def _check_architecture(model, vocabulary, record):
    """Raise a ``ValueError`` if ``load_run`` could not put the weights into what it builds."""
    from charlm_utils.models import build_model

    if "model" not in record:
        raise ValueError('the record must hold "model", the arguments of build_model')
    try:
        rebuilt = build_model(len(vocabulary), **record["model"])
    except TypeError as error:
        raise ValueError(f'record["model"] must hold arguments of build_model: {error}') from error
    needed = [tuple(weight.shape) for weight in rebuilt.weights]
    given = [tuple(weight.shape) for weight in model.weights]
    if given != needed:
        raise ValueError(f"the record's model has weights of shapes {needed}, the model to be saved {given}")


def load_run(name, runs_dir=None):
    """Load a recorded run: its model is rebuilt and holds the recorded weights.

    Parameters
    ----------
    name : str
        One of ``list_runs()``.
    runs_dir : str or Path, optional
        Folder that holds the run's folder; by default that of the book.

    Returns
    -------
    Run

    Raises
    ------
    ValueError
        If there is no run of that name, or its folder is not complete.
    """
    record, vocabulary = read_run(name, runs_dir)
    from charlm_utils.models import build_model

    folder = _runs_dir(runs_dir) / name
    try:
        model = build_model(len(vocabulary), **record["model"])
        with np.load(folder / "weights.npz", allow_pickle=False) as weights:
            model.set_weights([weights[key].astype(np.float32) for key in sorted(weights.files, key=int)])
    except (OSError, EOFError, KeyError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the run in {folder} cannot be read: {error}") from error
    return Run(name, model, vocabulary, record)


def read_run(name, runs_dir=None):
    """Read what a recorded run says of itself, without its model and so without TensorFlow.

    Parameters and errors are those of :func:`load_run`.

    Returns
    -------
    tuple
        The record, a dictionary, and the vocabulary.
    """
    folder = _runs_dir(runs_dir) / name
    if not (folder / "run.json").is_file():
        if is_unfinished(folder):
            raise ValueError(f"the training in {folder} is not finished: the command that began it goes on with it")
        raise ValueError(f"no run {name!r} in {folder.parent}; there are: {', '.join(list_runs(runs_dir)) or 'none'}")
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        vocabulary = Vocabulary.load(folder / "vocabulary.json")
        if not isinstance(record, dict) or not isinstance(record.get("model"), dict):
            raise ValueError('run.json must hold "model", the arguments of build_model')
    except (OSError, ValueError) as error:
        raise ValueError(f"the run in {folder} cannot be read: {error}") from error
    return record, vocabulary


def name_and_place(folder):
    """Return the name of the run in a folder, and the folder that it lies in, as :func:`load_run` takes them."""
    folder = Path(folder)
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.name, folder.parent


def weights_sha256(folder):
    """Return the SHA-256 of the file of a run's weights, as hexadecimal digits."""
    return hashlib.sha256((Path(folder) / "weights.npz").read_bytes()).hexdigest()


def check_free(folder):
    """Raise a ``ValueError`` if a file or a finished run is where a new run should go."""
    folder = Path(folder)
    if folder.is_file() or (folder / "run.json").exists():
        raise ValueError(f"{folder} already holds a run or is a file; choose another folder")


def is_unfinished(folder):
    """Whether a training was stopped in a folder and can go on there."""
    return (Path(folder) / UNFINISHED).is_file() and (Path(folder) / CHECKPOINT).is_file()


@contextlib.contextmanager
def unfinished_run(folder, settings):
    """Hold a folder for a training that will end in a run there.

    The folder is tried, by writing the settings to it. When the training is stopped before it was saved, the folder
    is left as it was found; when it is stopped later, checkpoint and settings stay; when it ends well, both go.

    Parameters
    ----------
    folder : str or Path
        Made when it is absent.
    settings : dict
        What a later training must have in common with this one to go on from its checkpoint; JSON values.

    Yields
    ------
    Path
        Where the checkpoint is to be saved; it exists when there is something to go on from.

    Raises
    ------
    ValueError
        If the folder cannot be written to, holds a finished run, or a checkpoint of other settings.
    """
    check_free(folder)
    folder = Path(folder)
    checkpoint = folder / CHECKPOINT
    if checkpoint.exists():
        _check_settings(folder, settings)
    was_there = folder.exists()
    try:
        _write_settings(folder, settings)
        yield checkpoint
    except BaseException:
        if folder.is_dir() and not checkpoint.exists():
            _remove(folder, UNFINISHED)
            if not was_there and not any(folder.iterdir()):
                folder.rmdir()
        raise
    _remove(folder, CHECKPOINT)
    _remove(folder, UNFINISHED)


def load_results(name):
    """Load what an experiment of the folder ``experiments/`` found.

    Parameters
    ----------
    name : str
        Of the script and of its file, ``data/experiments/NAME.json``.

    Returns
    -------
    dict
        ``question``, ``answer``, ``effect``, ``chapter``, ``settings``, ``minutes``, ``provenance``, and ``results``: a
        list of single results, each with its ``arm``, its ``seed`` (None where nothing is drawn) and its figures.

    Raises
    ------
    ValueError
        If there is no experiment of that name.
    """
    folder = bundled_data_dir() / "experiments"
    known = sorted(path.stem for path in folder.glob("*.json"))
    if name not in known:
        raise ValueError(f"no experiment {name!r}; there are: {', '.join(known)}")
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def load_speeds():
    """Load what ``make bench`` measured, as a dictionary.

    Returns
    -------
    dict
        ``"machines"`` describes each processor; every other key is a benchmark with a list of rows. A row has ``name``,
        ``group``, ``machine`` (a key of ``machines``), ``characters_per_second`` (the median of the rounds) with
        ``slowest`` and ``fastest``, and ``ratio``: how many times as fast as this one the first of its group is.
    """
    return json.loads((bundled_data_dir() / "speeds.json").read_text(encoding="utf-8"))


def describe_machine():
    """Return what timings and the last digits of results depend on: processor, its instructions, cores, versions."""
    import keras
    import tensorflow as tf

    return {
        "processor": _processor().get("model name", platform.processor()),
        "instructions": [name for name in _INSTRUCTIONS if name in _processor().get("flags", "").split()],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


def _write_settings(folder, settings):
    """Say in a folder what training is under way there."""
    try:
        write_atomically(folder / UNFINISHED, json.dumps(settings, indent=1) + "\n")
    except OSError as error:
        raise ValueError(f"cannot write to {folder}: {error}") from error


def _check_settings(folder, settings):
    """Raise a ``ValueError`` that names the first setting in which a stopped training differs."""
    try:
        saved = json.loads((folder / UNFINISHED).read_text(encoding="utf-8"))
        saved = _flat(saved)
    except (AttributeError, OSError, ValueError) as error:
        raise ValueError(
            f"{folder / CHECKPOINT} belongs to a training whose settings are unknown ({error}); choose another folder"
        ) from error
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


def _remove(folder, name):
    """Remove a file, with what a killed process was writing of it."""
    (folder / name).unlink(missing_ok=True)
    for path in folder.glob(f"{name}*.part"):
        path.unlink()


def _runs_dir(runs_dir):
    return bundled_data_dir() / "runs" if runs_dir is None else Path(runs_dir)


def _provenance(record):
    import tensorflow as tf

    corpus = CORPORA.get(record.get("corpus"))
    made = {
        "corpus_sha256": corpus and corpus.sha256,
        "date": datetime.date.today().isoformat(),
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
    }
    return made | describe_machine()


def _processor():
    """Return what Linux says of the first processor, empty elsewhere."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return {}
    fields = {}
    for line in info.read_text().split("\n\n")[0].splitlines():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    return fields
