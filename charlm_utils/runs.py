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
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from charlm_utils import folders
from charlm_utils.archives import read_arrays
from charlm_utils.checks import AnyPath, AVocabulary, KerasModel, Mapping, Text, checked
from charlm_utils.corpora import CORPORA, text_sha256
from charlm_utils.files import bundled_data_dir, one_line, open_regular, read_json, write_atomically
from charlm_utils.folders import is_unfinished
from charlm_utils.settings import weight_shapes
from charlm_utils.vocabulary import Vocabulary

if TYPE_CHECKING:
    import keras

_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")  # that speeds depend on
_LARGEST = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Run:
    """One recorded run, loaded."""

    name: str
    model: "keras.Model"
    vocabulary: Vocabulary
    record: dict  # configuration, history, held-out loss, sample, provenance


@dataclass(frozen=True)
class UnfinishedRun:
    """A training that is under way in a folder of its own.

    Attributes
    ----------
    folder : Path
        Where the run will be.
    checkpoint : Path
        Where the training is to be saved; the file exists when there is something to go on from.
    """

    folder: Path
    checkpoint: Path

    def save(self, model, vocabulary, record):
        """Write the run as :func:`save_run` does; the training is then over."""
        _write_run(self.folder, model, vocabulary, record)


@checked
def list_runs(runs_dir: AnyPath | None = None):
    """Return the names of the recorded runs, sorted; by default those that come with the book."""
    folder = _runs_dir(runs_dir)
    return sorted(path.name for path in folder.glob("*") if folders.holds_run(path))


@checked
def save_run(folder: AnyPath, model: KerasModel, vocabulary: AVocabulary, record: Mapping):
    """Write a run: ``run.json``, ``vocabulary.json`` and ``weights.npz`` (half precision, in the model's order).

    Everything is made ready and checked before the first file is written. Whenever the process is stopped, the folder
    holds the whole run or, as before, an older one or none. Other files in it stay.

    Parameters
    ----------
    folder : str or Path
        Made when it is absent; its last part is the name of the run.
    model : keras.Model
        Of the architecture that ``record["model"]`` gives as arguments of ``build_model``.
    vocabulary : Vocabulary
        The one it was trained with.
    record : dict
        What can be said in JSON: at least ``"model"``; the hashes of vocabulary and ``"corpus"``, versions, machine and
        date are added.

    Raises
    ------
    ValueError
        If a value of the record cannot be said in JSON, the record does not describe the model, a weight is not
        finite or larger than half precision can hold, or the folder cannot be written to, is in use, or holds an
        unfinished training or files in the place of these that are not of a run.
    """
    with folders.own_folder(folder) as own:
        if is_unfinished(own):
            raise ValueError(f"{own} holds an unfinished training; choose another folder")
        _write_run(own, model, vocabulary, record)


def _write_run(folder, model, vocabulary, record):
    """Write a run to a folder of one's own."""
    weights = _packed_weights(model)
    text = _record_text(record | {"provenance": _provenance(vocabulary, record)})
    _check_architecture(model, vocabulary, record)
    with folders.new_run(folder) as new:
        write_atomically(new / folders.WEIGHTS, weights)
        vocabulary.save(new / folders.VOCABULARY)
        write_atomically(new / folders.RECORD, text)


@checked
def check_weights(model: KerasModel):
    """Raise a ``ValueError`` if a weight is not finite or larger than half precision can hold."""
    for variable, weight in zip(model.weights, model.get_weights(), strict=True):
        largest = np.abs(weight).max(initial=0)
        if not largest <= _LARGEST:  # nor if it is no number
            raise ValueError(f"weights must be finite and at most {_LARGEST:.0f}, got {largest} in {variable.path}")


def _packed_weights(model):
    """Return the bytes of ``weights.npz``."""
    check_weights(model)
    arrays = {}
    for i, weight in enumerate(model.get_weights()):
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
    text = json.dumps(record, indent=1) + "\n"
    if len(text) > folders.LARGEST_JSON:
        raise ValueError(f"the record must be at most {folders.LARGEST_JSON:,} characters of JSON, got {len(text):,}")
    return text


def _check_architecture(model, vocabulary, record):
    """Raise a ``ValueError`` if ``load_run`` could not put the weights into what it builds."""
    if "model" not in record:
        raise ValueError('the record must hold "model", the arguments of build_model')
    needed = _needed_shapes(len(vocabulary), record["model"])
    given = [tuple(weight.shape) for weight in model.weights]
    if given != needed:
        raise ValueError(f"the record's model has weights of shapes {needed}, the model to be saved {given}")


def _needed_shapes(vocab_size, settings):
    """Return the shapes of the weights of a model that is built with some settings."""
    try:
        shapes = weight_shapes(vocab_size, **settings)
    except TypeError as error:
        raise ValueError(f'record["model"] must hold arguments of build_model: {one_line(error)}') from error
    if shapes is None:
        from charlm_utils.models import build_model

        return [tuple(weight.shape) for weight in build_model(vocab_size, **settings).weights]
    return shapes


@checked
def load_run(name: Text, runs_dir: AnyPath | None = None):
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
        If the name is a path, there is no run of that name, or its folder does not hold what a run must. All that is
        read is checked before TensorFlow is imported, and no more memory is taken than a run of its settings needs.
    """
    record, vocabulary = read_run(name, runs_dir)
    folder = _runs_dir(runs_dir) / name
    try:
        weights = _read_weights(folder, len(vocabulary), record)
    except (OSError, ValueError) as error:
        raise ValueError(f"the run in {folder} cannot be read: {one_line(error)}") from error

    from charlm_utils.models import build_model

    model = build_model(len(vocabulary), **record["model"])
    model.set_weights(weights)
    return Run(name, model, vocabulary, record)


@checked
def read_run(name: Text, runs_dir: AnyPath | None = None):
    """Read what a recorded run says of itself, without its weights and so without TensorFlow.

    Parameters and errors are those of :func:`load_run`.

    Returns
    -------
    tuple
        The record, a dictionary, and the vocabulary.
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise ValueError(f"name must be that of a run, without folders, got {name!r}; runs_dir says where it lies")
    folder = _runs_dir(runs_dir) / name
    if not folders.holds_run(folder):
        if is_unfinished(folder):
            raise ValueError(f"the training in {folder} is not finished: the command that began it goes on with it")
        raise ValueError(f"no run {name!r} in {folder.parent}; there are: {', '.join(list_runs(runs_dir)) or 'none'}")
    try:
        record = read_json(folders.run_file(folder, folders.RECORD), folders.LARGEST_JSON)
        if not isinstance(record, dict) or not isinstance(record.get("model"), dict):
            raise ValueError(f'{folders.RECORD} must hold "model", the arguments of build_model')
        vocabulary = Vocabulary.load(folders.run_file(folder, folders.VOCABULARY))
        _check_vocabulary(vocabulary, record)
    except (OSError, ValueError) as error:
        raise ValueError(f"the run in {folder} cannot be read: {one_line(error)}") from error
    return record, vocabulary


@checked
def name_and_place(folder: AnyPath):
    """Return the name of the run in a folder, and the folder that it lies in, as :func:`load_run` takes them."""
    folder = Path(folder)
    if folder.name in ("", ".."):
        folder = folder.resolve()
    return folder.name, folder.parent


@checked
def weights_sha256(folder: AnyPath):
    """Return the SHA-256 of the file of a run's weights, as hexadecimal digits."""
    with open_regular(folders.run_file(folder, folders.WEIGHTS)) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_weights(folder, vocab_size, record):
    """Return the weights of a run in the model's order, float32."""
    wanted = {}
    for i, shape in enumerate(_needed_shapes(vocab_size, record["model"])):
        wanted[f"{i:02d}"] = (shape, np.float16)
    try:
        arrays = read_arrays(folders.run_file(folder, folders.WEIGHTS), wanted)
    except ValueError as error:
        raise ValueError(f"{folders.WEIGHTS}: {error}") from error
    for name, array in zip(wanted, arrays, strict=True):
        if not np.all(np.isfinite(array)):
            raise ValueError(f"{folders.WEIGHTS}: {name!r} holds numbers that are not finite")
    return [array.astype(np.float32) for array in arrays]


def _check_vocabulary(vocabulary, record):
    """Raise if a vocabulary is not the one that a run was saved with; the oldest runs do not say which that was."""
    provenance = record.get("provenance")
    expected = provenance.get("vocabulary_sha256") if isinstance(provenance, dict) else None
    if expected is not None and expected != text_sha256(vocabulary.characters):
        raise ValueError(f"{folders.VOCABULARY} is not the vocabulary that the run was saved with")


@checked
def check_free(folder: AnyPath):
    """Raise a ``ValueError`` if a training cannot begin or go on in a folder, as :func:`unfinished_run` does."""
    if Path(folder).exists():
        with _free_folder(folder):
            pass


@contextlib.contextmanager
def _free_folder(folder):
    """Have a folder to oneself in which there is no run."""
    occupied = ValueError(f"{folder} already holds a run or is a file; choose another folder")
    if Path(folder).is_file():
        raise occupied
    with folders.own_folder(folder) as own:
        if folders.holds_run(own):
            raise occupied
        yield own


@checked
@contextlib.contextmanager
def unfinished_run(folder: AnyPath, settings: Mapping):
    """Hold a folder for a training that will end in a run there.

    No other training gets the folder until the block ends or the process dies. When the training is stopped before it
    was saved, the folder is left as it was found; when it is stopped later, checkpoint and settings stay and the next
    training of the same settings goes on from them; when it ends well, only the run is left. Other files stay.

    Parameters
    ----------
    folder : str or Path
        Made when it is absent.
    settings : dict
        What a later training must have in common with this one to go on from its checkpoint; JSON values.

    Yields
    ------
    UnfinishedRun
        Where to save the training, and how to save the run.

    Raises
    ------
    ValueError
        If the folder cannot be written to, another training is under way there, or it holds a finished run, a
        checkpoint of other settings, or a file in the place of one of these that is not ours.
    """
    with _free_folder(folder) as own, folders.unfinished_training(own, settings) as checkpoint:
        yield UnfinishedRun(own, checkpoint)


@checked
def load_results(name: Text):
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
        ``slowest`` and ``fastest``, and ``ratio``: how many times as fast as this one the first of its group is. Rows
        of ``"ingredients"`` also have ``milliseconds`` of a step in every round, ``steps_per_second``, and ``factor``:
        how many times as fast as the first of its group this one was in the same round, the median of the rounds with
        ``factor_lowest`` and ``factor_highest``.
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


def _runs_dir(runs_dir):
    return bundled_data_dir() / "runs" if runs_dir is None else Path(runs_dir)


def _provenance(vocabulary, record):
    import tensorflow as tf

    corpus = CORPORA.get(record.get("corpus"))
    made = {
        "corpus_sha256": corpus and corpus.sha256,
        "vocabulary_sha256": text_sha256(vocabulary.characters),
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
