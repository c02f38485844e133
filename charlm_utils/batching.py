"""Ids to windows, five ways. Every target is the true next character, the last column included."""

import numpy as np
import tensorflow as tf

from charlm_utils.files import release_pages

_RELEASE_EVERY = 500  # batches between two releases of a memory-mapped text


def cursor_batches(ids, batch_size, time):
    """One pass of a cursor over the text: row ``i + 1`` of a batch goes on where row ``i`` ends.

    State cannot be carried from one batch to the next in this layout. (S000: the War & Peace tutorial.)

    Parameters
    ----------
    ids : numpy.ndarray
        Integers ``(n,)``.
    batch_size, time : int
        Rows and columns of a batch.

    Yields
    ------
    tuple of numpy.ndarray
        ``(inputs, targets)``, both ``(batch_size, time)``. Fewer than ``batch_size * time`` characters at
        the end of the text are left out.

    Raises
    ------
    ValueError
        If the ids are not a 1-D array of integers, a size is below 1, or the text does not fill one batch.
    """
    ids = _checked(ids, batch_size * time + 1, batch_size=batch_size, time=time)
    per_batch = batch_size * time
    for start in range(0, len(ids) - per_batch, per_batch):
        window = ids[start : start + per_batch + 1]
        yield window[:-1].reshape(batch_size, time), window[1:].reshape(batch_size, time)


def contiguous_batches(ids, batch_size, time):
    """One pass over ``batch_size`` stretches of text side by side: row ``i`` goes on in row ``i`` of the next batch.

    This is the layout in which state can be carried from batch to batch. (S001: Anna KaRNNa, with its
    wrapped last target put right.) Little of a memory-mapped text (see :mod:`charlm_utils.large`) is ever in memory.

    Parameters, yields and errors are those of :func:`cursor_batches`.
    """
    ids = _checked(ids, batch_size * time + 1, batch_size=batch_size, time=time)
    stretch = (len(ids) - 1) // (batch_size * time) * time
    rows = ids[: batch_size * stretch].reshape(batch_size, stretch)
    shifted = ids[1 : batch_size * stretch + 1].reshape(batch_size, stretch)
    for number, start in enumerate(range(0, stretch, time)):
        if number % _RELEASE_EVERY == 0:
            release_pages(ids)
        yield rows[:, start : start + time], shifted[:, start : start + time]


def unrolled_batches(ids, batch_size, num_unrollings):
    """One pass of ``batch_size`` cursors, each in its own segment, time first. (S004: LSTM from gates.)

    Parameters
    ----------
    ids : numpy.ndarray
        Integers ``(n,)``.
    batch_size, num_unrollings : int
        Number of cursors, and of steps that one item feeds to the network.

    Yields
    ------
    numpy.ndarray
        ``(num_unrollings + 1, batch_size)``: the first ``num_unrollings`` rows are inputs, the last
        ``num_unrollings`` their targets. The last row is the first of the next item.

    Raises
    ------
    ValueError
        As :func:`cursor_batches`, and if a segment is shorter than ``num_unrollings + 1``.
    """
    ids = _checked(ids, batch_size * (num_unrollings + 1), batch_size=batch_size, num_unrollings=num_unrollings)
    segment = len(ids) // batch_size
    segments = ids[: batch_size * segment].reshape(batch_size, segment).T
    for start in range(0, segment - num_unrollings, num_unrollings):
        yield segments[start : start + num_unrollings + 1]


def context_target_pairs(ids, time):
    """Every window of ``time`` ids with the id that follows it, without copying the text ``time`` times. (S002.)

    Parameters
    ----------
    ids : numpy.ndarray
        Integers ``(n,)``.
    time : int
        Length of a window.

    Returns
    -------
    tuple of numpy.ndarray
        Contexts ``(n - time, time)`` and targets ``(n - time,)``: read-only views of ``ids``.

    Raises
    ------
    ValueError
        If the ids are not a 1-D array of integers, ``time`` is below 1, or ``n`` is not above ``time``.
    """
    ids = _checked(ids, time + 1, time=time)
    targets = ids[time:].view()
    targets.flags.writeable = False
    return np.lib.stride_tricks.sliding_window_view(ids, time)[:-1], targets


def pad_names(names, vocabulary, length=None, pad="\n"):
    """Encode names as rows of one length, filled up with ``pad`` on the right. (S003: dinosaurs.)

    Parameters
    ----------
    names : list of str
        The names; none holds ``pad``.
    vocabulary : Vocabulary
        Holds every character of the names, and ``pad``.
    length : int, optional
        Length of a row; by default one more than the longest name, so that every row ends in ``pad``.

    Returns
    -------
    numpy.ndarray
        int32 ``(len(names), length)``.

    Raises
    ------
    ValueError
        If there are no names, one holds ``pad``, one is not shorter than ``length``, or a character is unknown.
    """
    if not names:
        raise ValueError("pad_names needs at least one name, got none")
    longest = max(names, key=len)
    length = len(longest) + 1 if length is None else length
    if len(longest) >= length:
        raise ValueError(f"length must be at least {len(longest) + 1} for {longest!r}, got {length}")
    for name in names:
        if pad in name:
            raise ValueError(f"the name {name!r} holds the padding character {pad!r}")
    return vocabulary.encode("".join(name.ljust(length, pad) for name in names)).reshape(len(names), length)


def make_dataset(inputs, targets, batch_size, *, shuffle=False, seed=None):
    """Wrap windows in a ``tf.data`` pipeline: cache, then shuffle (anew in every epoch), then batch.

    Parameters
    ----------
    inputs, targets : numpy.ndarray
        As many rows each; cut along the first axis.
    batch_size : int
        Rows of a batch; the last, incomplete batch is dropped.
    shuffle : bool
        Whether to visit the rows in a new random order in every epoch.
    seed : int, optional
        Makes that order repeatable.

    Returns
    -------
    tf.data.Dataset
        Of pairs ``(batch_size, ...)``.

    Raises
    ------
    ValueError
        If ``batch_size`` is not between 1 and the number of rows, or there are not as many targets as inputs.
    """
    if len(inputs) != len(targets):
        raise ValueError(f"inputs and targets must have as many rows, got {len(inputs)} and {len(targets)}")
    if not 1 <= batch_size <= len(inputs):
        raise ValueError(f"batch_size must be between 1 and the number of rows, {len(inputs)}, got {batch_size}")
    dataset = tf.data.Dataset.from_tensor_slices((inputs, targets)).cache()
    if shuffle:
        dataset = dataset.shuffle(len(inputs), seed=seed)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def _checked(ids, needed, **sizes):
    """Return ``ids`` as an array of at least ``needed`` integers, or say what is wrong or missing."""
    ids = np.asarray(ids)
    if ids.ndim != 1 or not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"ids must be a 1-D array of integers, got shape {ids.shape} of {ids.dtype}")
    for name, size in sizes.items():
        if size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    if len(ids) < needed:
        given = " and ".join(f"{name}={size}" for name, size in sizes.items())
        raise ValueError(f"{given} need{'s' * (len(sizes) == 1)} at least {needed} characters, got {len(ids)}")
    return ids
