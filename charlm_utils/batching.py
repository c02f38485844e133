"""Ids to windows, five ways, and the one check of ids. Every target is the true next character."""

import numpy as np

from charlm_utils.checks import AVocabulary, Character, Flag, Ids, Rows, Seed, Size, Texts, check, checked
from charlm_utils.files import iterate_pieces, release_pages

_RELEASE_EVERY = 500  # batches between two releases of a memory-mapped text


@checked
def cursor_batches(ids: Ids, batch_size: Size, time: Size):
    """One pass of a cursor over the text: row ``i + 1`` of a batch goes on where row ``i`` ends.

    State cannot be carried from one batch to the next in this layout. (*War and Peace in TF1*.)

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
    ids = check_ids(ids, least=batch_size * time + 1, purpose=f" for batch_size={batch_size} and time={time}")
    per_batch = batch_size * time
    for start in range(0, len(ids) - per_batch, per_batch):
        window = ids[start : start + per_batch + 1]
        yield window[:-1].reshape(batch_size, time), window[1:].reshape(batch_size, time)


@checked
def contiguous_batches(ids: Ids, batch_size: Size, time: Size):
    """One pass over ``batch_size`` stretches of text side by side: row ``i`` goes on in row ``i`` of the next batch.

    This is the layout in which state can be carried from batch to batch. (*Anna KaRNNa*, with its
    wrapped last target put right.) Of a memory-mapped text (see :func:`charlm_utils.vocabulary.encode_file`) little is
    ever in memory.

    Parameters, yields and errors are those of :func:`cursor_batches`.
    """
    ids = check_ids(ids, least=batch_size * time + 1, purpose=f" for batch_size={batch_size} and time={time}")
    stretch = (len(ids) - 1) // (batch_size * time) * time
    rows = ids[: batch_size * stretch].reshape(batch_size, stretch)
    shifted = ids[1 : batch_size * stretch + 1].reshape(batch_size, stretch)
    for number, start in enumerate(range(0, stretch, time)):
        if number % _RELEASE_EVERY == 0:
            release_pages(ids)
        yield rows[:, start : start + time], shifted[:, start : start + time]


@checked
def unrolled_batches(ids: Ids, batch_size: Size, num_unrollings: Size):
    """One pass of ``batch_size`` cursors, each in its own segment, time first. (*LSTM from gates*.)

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
    needed = batch_size * (num_unrollings + 1)
    ids = check_ids(ids, least=needed, purpose=f" for batch_size={batch_size} and num_unrollings={num_unrollings}")
    segment = len(ids) // batch_size
    segments = ids[: batch_size * segment].reshape(batch_size, segment).T
    for start in range(0, segment - num_unrollings, num_unrollings):
        yield segments[start : start + num_unrollings + 1]


@checked
def context_target_pairs(ids: Ids, time: Size):
    """Every window of ``time`` ids with the id that follows it, without copying the text (*Keras windows*).

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
    ids = check_ids(ids, least=time + 1, purpose=f" for time={time}")
    targets = ids[time:].view()
    targets.flags.writeable = False
    return np.lib.stride_tricks.sliding_window_view(ids, time)[:-1], targets


@checked
def pad_names(names: Texts, vocabulary: AVocabulary, length: Size | None = None, pad: Character = "\n"):
    """Encode names as rows of one length, filled up with ``pad`` on the right. (*Dinosaur names*.)

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
        raise ValueError("names must hold at least one name, got none")
    longest = max(names, key=len)
    length = len(longest) + 1 if length is None else length
    if len(longest) >= length:
        raise ValueError(f"length must be at least {len(longest) + 1} for {longest!r}, got {length}")
    for name in names:
        if pad in name:
            raise ValueError(f"the name {name!r} holds the padding character {pad!r}")
    return vocabulary.encode("".join(name.ljust(length, pad) for name in names)).reshape(len(names), length)


@checked
def make_dataset(inputs: Rows, targets: Rows, batch_size: Size, *, shuffle: Flag = False, seed: Seed | None = None):
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
    if batch_size > len(inputs):
        raise ValueError(f"batch_size must be between 1 and the number of rows, {len(inputs)}, got {batch_size}")
    import tensorflow as tf  # only here, so that counting and batching start at once

    dataset = tf.data.Dataset.from_tensor_slices((inputs, targets)).cache()
    if shuffle:
        dataset = dataset.shuffle(len(inputs), seed=seed)
    return dataset.batch(batch_size, drop_remainder=True).prefetch(tf.data.AUTOTUNE)


def check_ids(ids, *, least=0, vocab_size=None, purpose="", name="ids"):
    """Return ids as an array, or say what is wrong with them.

    Parameters
    ----------
    ids : array
        Integers ``(n,)``; they may be memory-mapped.
    least : int
        How many there must be.
    vocab_size : int, optional
        What they must all be below.
    purpose : str
        What they are needed for; it ends the message.
    name : str
        What the caller calls them.

    Returns
    -------
    numpy.ndarray
        The ids, of the type they had.

    Raises
    ------
    ValueError
        If they are not a 1-D array of integers, too few, or one is not between 0 and ``vocab_size - 1``; it is named
        with its position.
    """
    check(name, ids, Ids)
    ids = np.asarray(ids)
    if len(ids) < least:
        raise ValueError(f"need at least {least} {name}{purpose}, got {len(ids)}")
    if vocab_size is None:
        return ids
    start = 0
    for piece in iterate_pieces(ids):
        for position in (piece.argmin(), piece.argmax()):
            if not 0 <= piece[position] < vocab_size:
                wrong = f"{piece[position]} at position {start + position}"
                raise ValueError(f"{name} must be between 0 and {vocab_size - 1}, got {wrong}")
        start += len(piece)
    return ids
