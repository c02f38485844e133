"""Counts of n-grams in NumPy, and what smoothing makes of them; ``ngrams`` builds its models from these parts."""

import numpy as np


def count_ngrams(ids, vocab_size, order, continuation=False):
    """Count what follows every context of 0, 1, ... ``order - 1`` characters, by sorting integers.

    Contexts of one length are numbered. A context one character longer is a pair of numbers: that of the shorter
    context, and the id of the character to the left of it. ``shorter * vocab_size + character`` is its key.

    Parameters
    ----------
    ids : numpy.ndarray
        int64 ``(n,)``, from 0 to ``vocab_size - 1``, with ``n >= order``.
    vocab_size, order : int
        Both at least 1.
    continuation : bool
        Kneser-Ney's counts: all but those of the longest contexts say before how *many different* characters
        context and next character were seen, and not how often. The start of the text counts as one of them.

    Returns
    -------
    list of tuple of numpy.ndarray
        For every length ``(context_keys, entry_keys, counts)``, all int64: sorted keys ``(contexts,)``; sorted keys
        ``(entries,)`` of the pairs seen, ``context * vocab_size + next``; and how often, at least once.
    """
    levels = []
    numbers = np.zeros(len(ids), np.int64)  # of the context before each character
    context_keys, first = np.zeros(1, np.int64), 0
    for length in range(order):
        if length:
            keys = numbers[1:] * vocab_size + ids[:-length]
            context_keys, numbers = np.unique(keys, return_inverse=True)  # numbers (n - length,)
        followed = numbers * vocab_size + ids[length:]
        entry_keys, counts = np.unique(followed, return_counts=True)
        if continuation and length:
            shorter = context_keys[entry_keys // vocab_size] // vocab_size
            extended = shorter * vocab_size + entry_keys % vocab_size  # keys of entries with one character less
            levels[-1][2][:] = np.bincount(np.searchsorted(levels[-1][1], extended), minlength=len(levels[-1][1]))
            levels[-1][2][first] += 1
        levels.append((context_keys, entry_keys, counts))
        first = np.searchsorted(entry_keys, followed[0])  # the entry that the text begins with
    return levels


def estimate_discounts(counts):
    """Estimate how much modified Kneser-Ney takes off counts of 1, of 2, and of 3 and more.

    With n_i the number of counts equal to i and Y = n_1 / (n_1 + 2 n_2), the discounts are
    D_i = i - (i + 1) Y n_{i+1} / n_i, i = 1, 2, 3 (Chen and Goodman 1998). In small texts one can come
    out undefined, 0 or less, or more than i; it is then set to i / 2.

    Parameters
    ----------
    counts : numpy.ndarray
        int64 ``(entries,)``, all at least 1.

    Returns
    -------
    numpy.ndarray
        float64 ``(3,)``, with 0 < D_i <= i.
    """
    ones, twos, threes, fours = (np.sum(counts == i) for i in (1, 2, 3, 4))
    with np.errstate(divide="ignore", invalid="ignore"):
        y = ones / (ones + 2 * twos)
        found = np.array([1, 2, 3]) - np.array([2, 3, 4]) * y * np.divide([twos, threes, fours], [ones, twos, threes])
    limits = np.array([1.0, 2.0, 3.0])
    return np.where((found > 0) & (found <= limits), found, limits / 2)  # a comparison with nan is false


def discount_counts(contexts, counts, discounts):
    """Take ``discounts`` ``(3,)`` off the counts and give what is taken to the shorter context (Kneser-Ney).

    Parameters
    ----------
    contexts, counts : numpy.ndarray
        int64 ``(entries,)``: the number of the context of each entry, and how often it was seen. Every context
        from 0 on has an entry.
    discounts : numpy.ndarray
        float64 ``(3,)``: for counts of 1, of 2, and of 3 and more.

    Returns
    -------
    tuple of numpy.ndarray
        ``share`` ``(entries,)`` and ``backoff`` ``(contexts,)``, float64. For every context its shares and its
        backoff weight sum to 1.
    """
    totals = np.bincount(contexts, counts)
    taken = discounts[np.minimum(counts, 3) - 1]
    return (counts - taken) / totals[contexts], np.bincount(contexts, taken) / totals


def add_to_counts(contexts, counts, added):
    """Add events to every context and give them to the shorter context (Witten-Bell) or to all characters (add-k).

    Parameters and result are those of :func:`discount_counts`, with ``added`` in place of the discounts: events added
    to each context, one number or ``(contexts,)``.
    """
    totals = np.bincount(contexts, counts) + added  # (contexts,)
    return counts / totals[contexts], added / totals


def find_keys(keys, numbers, characters, vocab_size):
    """Find the pairs ``numbers * vocab_size + characters`` in sorted ``keys``.

    Returns
    -------
    numpy.ndarray
        int64, of the shape of ``numbers``: the place of each pair, -1 where it is absent or its number is -1.
    """
    wanted = numbers * vocab_size + characters
    places = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.where((numbers >= 0) & (keys[places] == wanted), places, -1)


def check_ids(ids, vocab_size, least, purpose):
    """Return ``ids`` as int64 if they are a 1-D array of at least ``least`` ids of the vocabulary."""
    ids = np.asarray(ids)
    if ids.ndim != 1:
        raise ValueError(f"ids must have one axis, got shape {ids.shape}")
    if len(ids) < least:
        raise ValueError(f"need at least {least} ids {purpose}, got {len(ids)}")
    if len(ids) and not np.issubdtype(ids.dtype, np.integer):
        raise ValueError(f"ids must be integers, got {ids.dtype}")
    for position in (ids.argmin(), ids.argmax()) if len(ids) else ():
        if not 0 <= ids[position] < vocab_size:
            raise ValueError(f"ids must be between 0 and {vocab_size - 1}, got {ids[position]} at position {position}")
    return ids.astype(np.int64)


def check_integer(name, value, least):
    """Raise a ``ValueError`` that names value and limit unless ``value`` is an integer of at least ``least``."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}")
