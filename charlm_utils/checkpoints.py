"""Exact resume: everything that a training needs to go on as if it had never been stopped, in one file.

TensorFlow is imported by what needs it, so that it can be said without where a training stands.
"""

import json
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from charlm_utils.archives import OtherArrays, read_arrays, read_string
from charlm_utils.checks import AnyPath, Ids, List, Mapping, SomeProgress, Variables, checked
from charlm_utils.files import check_space, iterate_pieces, one_line, open_atomically

_LONGEST_PLACE = 2**24  # characters of JSON in a checkpoint


@dataclass
class Progress:
    """Where a training stands, besides the variables: carried state, place in the data, losses so far.

    Attributes
    ----------
    states : list
        As :func:`charlm_utils.models.zero_states` returns them, after the last step taken.
    epoch, batch : int
        Epochs that are done, and batches of the next one that are done.
    nats : float
        Sum of the losses of these batches, each in nats per character.
    history : dict of str to list
        Of the epochs that are done.
    seconds : float
        Wall time of training so far.
    """

    states: list
    epoch: int = 0
    batch: int = 0
    nats: float = 0.0
    history: dict = field(default_factory=dict)
    seconds: float = 0.0


@checked
def checksum(ids: Ids):
    """Return the CRC-32 of a text's ids ``(n,)`` as 32-bit integers; a memory-mapped text is read piece by piece."""
    crc = 0
    for piece in iterate_pieces(np.asarray(ids)):
        crc = zlib.crc32(np.ascontiguousarray(piece, np.int32), crc)
    return crc


@checked
def save_checkpoint(path: AnyPath, variables: Variables, progress: SomeProgress, settings: Mapping):
    """Write a checkpoint atomically: a reader finds the old file or the new one, never half of one.

    Parameters
    ----------
    path : str or Path
        The file; an older one is replaced.
    variables : list of variables
        All that the training changes: ``model.variables`` (the seeds of its dropout are among them) and
        ``optimizer.variables``.
    progress : Progress
        Where the training stands.
    settings : dict
        What a resumed run must have in common with this one; JSON values.

    Raises
    ------
    OSError
        If it cannot be written, or if it is the first one and the disk has no room for the next, which is written
        beside it before it takes its place. The folder is then left as it was.
    """
    import tensorflow as tf

    path = Path(path)
    is_first = not path.exists()
    arrays = {f"variable_{i:05d}": _stored(variable) for i, variable in enumerate(variables)}
    arrays |= {f"state_{i:05d}": _stored(state) for i, state in enumerate(tf.nest.flatten(progress.states))}
    place = {key: value for key, value in asdict(progress).items() if key != "states"}
    place = np.array(json.dumps({"settings": settings, "progress": place}))
    with open_atomically(path) as file:
        np.savez(file, place=place, **arrays)
        if is_first:
            check_space(path.parent, file.tell())


@checked
def load_checkpoint(path: AnyPath, variables: Variables, states: List, settings: Mapping):
    """Put the variables back to what they were and return where the training stood.

    Nothing is assigned unless everything fits.

    Parameters
    ----------
    path : str or Path
        Written by :func:`save_checkpoint`.
    variables : list of variables
        Of the same kinds, shapes and types as those saved.
    states : list
        The structure, shapes and types of the carried state, for example ``zero_states(model, batch_size)``.
    settings : dict
        Must equal the saved ones.

    Returns
    -------
    Progress

    Raises
    ------
    ValueError
        If the file is damaged, or belongs to other settings or to a model of another shape or type.
    """
    import tensorflow as tf

    saved_settings, progress = read_place(path)
    settings = json.loads(json.dumps(settings))
    for name in settings | saved_settings:
        before, now = saved_settings.get(name), settings.get(name)
        if before != now:
            raise ValueError(f"the checkpoint {path} was made with {_difference(name, before, now)}")
    tensors = [*variables, *tf.nest.flatten(states)]
    wanted = {}
    for i, variable in enumerate(variables):
        wanted[f"variable_{i:05d}"] = (variable.shape, _stored_dtype(variable))
    for i, state in enumerate(tensors[len(variables) :]):
        wanted[f"state_{i:05d}"] = (state.shape, _stored_dtype(state))
    try:
        arrays = read_arrays(path, wanted, besides=["place"])
    except OtherArrays as error:
        raise ValueError(f"the checkpoint {path} belongs to a model of another shape or type: {error}") from error
    except ValueError as error:
        raise ValueError(f"the checkpoint {path} cannot be read: {error}") from error
    saved = [tf.cast(tf.constant(array), tensor.dtype) for array, tensor in zip(arrays, tensors, strict=True)]
    for variable, value in zip(variables, saved, strict=False):
        variable.assign(value)
    progress.states = tf.nest.pack_sequence_as(states, saved[len(variables) :])
    return progress


def read_place(path):
    """Return the settings of a checkpoint and where its training stood, but for the states.

    Returns
    -------
    tuple of dict and Progress

    Raises
    ------
    ValueError
        If the file is not a checkpoint.
    """
    try:
        place = json.loads(read_string(path, "place", _LONGEST_PLACE))
        settings = dict(place["settings"])
        progress = Progress(states=[], **place["progress"])
        _check_progress(progress)
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"the checkpoint {path} cannot be read: {one_line(error)}") from error
    return settings, progress


def _check_progress(progress):
    for name in ("epoch", "batch"):
        value = getattr(progress, name)
        if type(value) is not int or value < 0:
            raise ValueError(f"{name} must be an integer of at least 0, got {value!r}")
    for name in ("nats", "seconds"):
        value = getattr(progress, name)
        if type(value) not in (int, float):
            raise ValueError(f"{name} must be a number, got {value!r}")
    if not isinstance(progress.history, dict) or not all(isinstance(part, list) for part in progress.history.values()):
        raise ValueError("history must hold lists")


def _difference(name, before, now):
    """Say in what a checkpoint and a training differ; texts are known by checksums, which say nothing to anyone."""
    if not name.endswith("text"):
        return one_line(f"{name}={before}, this run has {now}")
    text = name.replace("_", " ")
    if before is None:
        return f"no {text}, this run has one"
    if now is None:
        return f"a {text}, this run has none"
    return f"another {text}"


def _stored(tensor):
    """Return the values of a variable or tensor as an array of the type that the file holds."""
    return np.asarray(tensor.numpy(), _stored_dtype(tensor))


def _stored_dtype(tensor):
    """Return the type that the file holds: NumPy has no bfloat16, and float32 has room for every value of it."""
    import tensorflow as tf

    dtype = tf.as_dtype(tensor.dtype)
    return np.dtype("float32") if dtype == tf.bfloat16 else np.dtype(dtype.as_numpy_dtype)
