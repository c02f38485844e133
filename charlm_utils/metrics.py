"""How good a model is, and how new its text."""

import numpy as np

from charlm_utils.checks import ManyTexts, NumberList, Numbers, Share, Size, Text, Texts, check, checked


@checked
def bits_per_char(nats: Numbers):
    """Turn nats per character into bits per character: divide by ln 2."""
    return np.asarray(nats) / np.log(2)


@checked
def perplexity(nats: Numbers):
    """Turn nats per character into perplexity, e to that power: the number of equally likely choices."""
    return np.exp(nats)


@checked
def mix_nats(first: Numbers, second: Numbers, weight: Share):
    """Return -ln of the weighted mean of two models' probabilities, from their own -ln p.

    Parameters
    ----------
    first, second : array of float
        Nats of the same characters under two models, of one shape.
    weight : float
        Of the first model, between 0 and 1; the second has the rest.

    Raises
    ------
    ValueError
        If the weight is out of that range or the shapes differ.
    """
    if np.shape(first) != np.shape(second):
        raise ValueError(f"first and second must have one shape, got {np.shape(first)} and {np.shape(second)}")
    return -np.log(weight * np.exp(-np.asarray(first, float)) + (1 - weight) * np.exp(-np.asarray(second, float)))


@checked
def block_error(nats: NumberList, block: Size = 1000):
    """Return the standard error of a mean loss, from the spread of the means of blocks of neighboring characters.

    Neighbors are not independent, and even blocks are not quite: of a single loss this is a lower bound, while paired
    differences of two models suffer less (``experiments/how_sure.py``). A last, shorter block is left out.

    Parameters
    ----------
    nats : array of float
        Of every character, in the order of the text, ``(n,)``.
    block : int
        Characters of a block; at least two must fit.

    Raises
    ------
    ValueError
        If fewer than two blocks fit.
    """
    count = len(nats) // block
    if count < 2:
        raise ValueError(f"nats must hold at least 2 blocks of {block} characters, got {len(nats)} characters")
    means = np.reshape(nats[: count * block], (count, block)).mean(axis=1)
    return float(means.std(ddof=1) / np.sqrt(count))


@checked
def novel_fraction(samples: Texts, known: ManyTexts):
    """Return the share of ``samples`` that do not occur in ``known``, between 0 and 1.

    Parameters
    ----------
    samples : list of str
        What a model wrote, names for example.
    known : iterable of str
        What it was trained on.

    Raises
    ------
    ValueError
        If there are no samples.
    """
    if not samples:
        raise ValueError("samples must hold at least one sample, got none")
    known = list(known)
    check("known", known, Texts)
    known = set(known)
    return sum(sample not in known for sample in samples) / len(samples)


@checked
def distinct_fraction(samples: Texts):
    """Return the number of different ``samples`` divided by the number of all, above 0 and at most 1.

    Raises
    ------
    ValueError
        If there are no samples.
    """
    if not samples:
        raise ValueError("samples must hold at least one sample, got none")
    return len(set(samples)) / len(samples)


@checked
def longest_copy(sample: Text, known: Text):
    """Return the longest piece of ``sample`` that stands word for word in ``known``, the first of equals.

    Parameters
    ----------
    sample, known : str
        What a model wrote, and what it was trained on.
    """
    best = ""
    for start in range(len(sample)):
        while start + len(best) < len(sample) and sample[start : start + len(best) + 1] in known:
            best = sample[start : start + len(best) + 1]
    return best


@checked
def novel_ngram_fraction(sample: Text, known: Text, n: Size):
    """Return the share of the pieces of ``n`` characters in ``sample`` that do not occur in ``known``.

    Parameters
    ----------
    sample, known : str
        What a model wrote, and what it was trained on.
    n : int
        Between 1 and ``len(sample)``.

    Raises
    ------
    ValueError
        If ``n`` is out of that range.
    """
    if n > len(sample):
        raise ValueError(f"n must be between 1 and {len(sample)}, the length of the sample, got {n}")
    seen = {known[i : i + n] for i in range(len(known) - n + 1)}
    return novel_fraction([sample[i : i + n] for i in range(len(sample) - n + 1)], seen)


@checked
def nearest_distances(samples: Texts, known: Texts):
    """Return for every sample how many characters must be put in, taken out or changed to get a known text, at least.

    This is the edit distance of Levenshtein to the nearest of them, by the table of Wagner and Fischer: row by row for
    all known texts at once.

    Parameters
    ----------
    samples : list of str
        What a model wrote, names for example.
    known : list of str
        What it was trained on.

    Returns
    -------
    numpy.ndarray
        int ``(len(samples),)``; 0 is a copy.

    Raises
    ------
    ValueError
        If there are no samples, or nothing is known.

    Examples
    --------
    >>> nearest_distances(["Mei", "Moi", "Yimi"], ["Mei", "Minmi", "Yi"]).tolist()
    [0, 1, 2]
    """
    if not samples:
        raise ValueError("samples must hold at least one sample, got none")
    if not known:
        raise ValueError("known must hold at least one text, got none")
    width = max(map(len, known))
    filled = np.array([[ord(character) for character in text.ljust(width)] for text in known]).reshape(
        len(known), width
    )
    lengths = np.array([len(text) for text in known])
    places = np.arange(width + 1, dtype=np.int32)
    found = {}
    for sample in set(samples):
        row = np.tile(places, (len(known), 1))  # from none of the sample to the first 0, 1, ... of every known text
        for number, character in enumerate(sample, start=1):
            change = row[:, :-1] + (filled != ord(character))
            take_out = row[:, 1:] + 1
            row = np.column_stack([np.full(len(known), number, np.int32), np.minimum(change, take_out)])
            row = np.minimum.accumulate(row - places, axis=1) + places  # or put characters in, one after another
        found[sample] = int(row[np.arange(len(known)), lengths].min())
    return np.array([found[sample] for sample in samples])
