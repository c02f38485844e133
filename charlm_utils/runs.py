"""Recorded runs: a folder with configuration, vocabulary, weights, loss history and samples of one training."""

import datetime
import json
import os
import platform
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.corpora import CORPORA
from charlm_utils.files import bundled_data_dir, write_atomically
from charlm_utils.models import build_model
from charlm_utils.vocabulary import Vocabulary


@dataclass(frozen=True)
class Run:
    """One recorded run, loaded."""

    name: str
    model: keras.Model
    vocabulary: Vocabulary
    record: dict  # configuration, history, held-out loss, sample, provenance


def list_runs(runs_dir=None):
    """Return the names of the recorded runs, sorted; by default those that come with the book."""
    folder = _runs_dir(runs_dir)
    return sorted(path.parent.name for path in folder.glob("*/run.json"))


def save_run(folder, model, vocabulary, record):
    """Write a run: ``run.json``, ``vocabulary.json`` and ``weights.npz`` (half precision, in the model's order).

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
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {f"{i:02d}": np.asarray(w, dtype=np.float16) for i, w in enumerate(model.get_weights())}
    with open(folder / "weights.npz.part", "wb") as file:
        np.savez_compressed(file, **weights)
    (folder / "weights.npz.part").replace(folder / "weights.npz")
    vocabulary.save(folder / "vocabulary.json")
    write_atomically(folder / "run.json", json.dumps(record | {"provenance": _provenance(record)}, indent=1) + "\n")


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
    folder = _runs_dir(runs_dir) / name
    if not (folder / "run.json").is_file():
        raise ValueError(f"no run {name!r} in {folder.parent}; there are: {', '.join(list_runs(runs_dir)) or 'none'}")
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        vocabulary = Vocabulary.load(folder / "vocabulary.json")
        model = build_model(len(vocabulary), **record["model"])
        with np.load(folder / "weights.npz", allow_pickle=False) as weights:
            model.set_weights([weights[key].astype(np.float32) for key in sorted(weights.files, key=int)])
    except (OSError, EOFError, KeyError, RuntimeError, TypeError, ValueError, zipfile.BadZipFile, zlib.error) as error:
        raise ValueError(f"the run in {folder} cannot be read: {error}") from error
    return Run(name, model, vocabulary, record)


def _runs_dir(runs_dir):
    return bundled_data_dir() / "runs" if runs_dir is None else Path(runs_dir)


def _provenance(record):
    corpus = CORPORA.get(record.get("corpus"))
    return {
        "corpus_sha256": corpus and corpus.sha256,
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "machine": platform.machine(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "devices": [device.device_type for device in tf.config.list_physical_devices()],
    }


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
    return {
        "processor": _processor().get("model name", platform.processor()),
        "instructions": [name for name in _INSTRUCTIONS if name in _processor().get("flags", "").split()],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
    }


_INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")


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
