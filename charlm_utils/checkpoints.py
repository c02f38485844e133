"""Exact resume: everything that a training needs to go on as if it had never been stopped, in one file."""

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field

import numpy as np
import tensorflow as tf

from charlm_utils.files import iterate_pieces, write_atomically

# What NumPy and zipfile raise on damaged and foreign files; a flipped flag reads as encryption: RuntimeError.
_UNREADABLE = (
    *(OSError, EOFError, AttributeError, KeyError, MemoryError, RuntimeError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)


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


def checksum(ids):
    """Return the CRC-32 of a text's ids ``(n,)`` as 32-bit integers; a memory-mapped text is read piece by piece."""
    crc = 0
    for piece in iterate_pieces(np.asarray(ids)):
        crc = zlib.crc32(np.ascontiguousarray(piece, np.int32), crc)
    return crc


def save_checkpoint(path, variables, progress, settings):
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
    """
    arrays = {f"variable_{i:05d}": _stored(variable) for i, variable in enumerate(variables)}
    arrays |= {f"state_{i:05d}": _stored(state) for i, state in enumerate(tf.nest.flatten(progress.states))}
    place = {key: value for key, value in asdict(progress).items() if key != "states"}
    buffer = io.BytesIO()
    np.savez(buffer, place=np.array(json.dumps({"settings": settings, "progress": place})), **arrays)
    write_atomically(path, buffer.getvalue())


def load_checkpoint(path, variables, states, settings):
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
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        place = json.loads(str(arrays.pop("place")))
        saved_settings = dict(place["settings"])
        progress = Progress(states=[], **place["progress"])
    except _UNREADABLE as error:
        raise ValueError(f"the checkpoint {path} cannot be read: {error}") from error
    settings = json.loads(json.dumps(settings))
    for name in settings | saved_settings:
        if settings.get(name) != saved_settings.get(name):
            raise ValueError(
                f"the checkpoint {path} was made with {name}={saved_settings.get(name)}, "
                f"this run has {settings.get(name)}"
            )
    saved_variables = _fitting(path, arrays, "variable_", variables)
    saved_states = _fitting(path, arrays, "state_", tf.nest.flatten(states))
    for variable, array in zip(variables, saved_variables, strict=True):
        variable.assign(array)
    progress.states = tf.nest.pack_sequence_as(states, saved_states)
    return progress


def _stored(tensor):
    """Return the values of a variable or tensor as an array of the type that the file holds."""
    return np.asarray(tensor.numpy(), _stored_dtype(tensor))


def _stored_dtype(tensor):
    """Return the type that the file holds: NumPy has no bfloat16, and float32 has room for every value of it."""
    dtype = tf.as_dtype(tensor.dtype)
    return np.dtype("float32") if dtype == tf.bfloat16 else np.dtype(dtype.as_numpy_dtype)


def _fitting(path, arrays, kind, tensors):
    """Return the arrays of a kind, in order, as tensors like those given; raise if they are not like them."""
    found = [arrays[key] for key in sorted(arrays) if key.startswith(kind)]
    wanted = [(tuple(tensor.shape), _stored_dtype(tensor)) for tensor in tensors]
    if [(array.shape, array.dtype) for array in found] != wanted:
        raise ValueError(f"the checkpoint {path} belongs to a model of another shape or type")
    return [tf.cast(tf.constant(array), tensor.dtype) for array, tensor in zip(found, tensors, strict=True)]
