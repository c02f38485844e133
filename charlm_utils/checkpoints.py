"""Exact resume: everything that a training needs to go on as if it had never been stopped, in one file."""

import io
import json
import zipfile
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import tensorflow as tf

from charlm_utils.files import write_atomically

# What NumPy and zipfile raise on damaged and foreign files; a flipped flag reads as encryption: RuntimeError.
_UNREADABLE = (
    *(OSError, EOFError, AttributeError, KeyError, RuntimeError, TypeError, ValueError),
    *(zipfile.BadZipFile, zlib.error),
)


@dataclass
class Progress:
    """Where a training stands, besides the weights: carried state, place in the data, losses so far.

    Attributes
    ----------
    states : list
        As :func:`charlm_utils.models.zero_states` returns them, after the last step taken.
    epoch, batch : int
        Epochs that are done, and batches of the next one that are done.
    losses : list of float
        Of these batches, in nats per character.
    history : dict of str to list
        Of the epochs that are done.
    seconds : float
        Wall time of training so far.
    """

    states: list
    epoch: int = 0
    batch: int = 0
    losses: list = field(default_factory=list)
    history: dict = field(default_factory=dict)
    seconds: float = 0.0


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
    arrays = {f"variable_{i:05d}": variable.numpy() for i, variable in enumerate(variables)}
    arrays |= {f"state_{i:05d}": state.numpy() for i, state in enumerate(tf.nest.flatten(progress.states))}
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
        Of the same kinds and shapes as those saved.
    states : list
        The structure and shapes of the carried state, for example ``zero_states(model, batch_size)``.
    settings : dict
        Must equal the saved ones.

    Returns
    -------
    Progress

    Raises
    ------
    ValueError
        If the file is damaged, or belongs to other settings or to a model of another shape.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        place = json.loads(str(arrays.pop("place")))
        saved_settings, progress = dict(place["settings"]), Progress(states=[], **place["progress"])
    except _UNREADABLE as error:
        raise ValueError(f"the checkpoint {path} cannot be read: {error}") from error
    settings = json.loads(json.dumps(settings))
    for name in settings | saved_settings:
        if settings.get(name) != saved_settings.get(name):
            raise ValueError(
                f"the checkpoint {Path(path)} was made with {name}={saved_settings.get(name)}, "
                f"this run has {settings.get(name)}"
            )
    saved = [[arrays[key] for key in sorted(arrays) if key.startswith(kind)] for kind in ("variable_", "state_")]
    for new, old in zip(([*variables], tf.nest.flatten(states)), saved, strict=True):
        if [tuple(array.shape) for array in new] != [array.shape for array in old]:
            raise ValueError(f"the checkpoint {path} belongs to a model of another shape")
    for variable, array in zip(variables, saved[0], strict=True):
        variable.assign(array)
    progress.states = tf.nest.pack_sequence_as(states, [tf.constant(array) for array in saved[1]])
    return progress
