"""How good a model is, and how new its text."""

import numpy as np


def bits_per_char(nats):
    """Turn nats per character into bits per character: divide by ln 2."""
    return nats / np.log(2)


def perplexity(nats):
    """Turn nats per character into perplexity, e to that power: the number of equally likely choices."""
    return np.exp(nats)


def mix_nats(first, second, weight):
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
    if not 0 <= weight <= 1:
        raise ValueError(f"weight must be between 0 and 1, got {weight}")
    if np.shape(first) != np.shape(second):
        raise ValueError(f"first and second must have one shape, got {np.shape(first)} and {np.shape(second)}")
    return -np.log(weight * np.exp(-np.asarray(first, float)) + (1 - weight) * np.exp(-np.asarray(second, float)))


def block_error(nats, block=1000):
    """Return the standard error of a mean loss, from the spread of the means of blocks of neighboring characters.

    Neighbors are not independent, blocks nearly are. A last, shorter block is left out.

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
        raise ValueError(f"at least 2 blocks of {block} characters are needed, got {len(nats)} characters")
    means = np.reshape(nats[: count * block], (count, block)).mean(axis=1)
    return float(means.std(ddof=1) / np.sqrt(count))


def novel_fraction(samples, known):
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
        raise ValueError("novel_fraction needs at least one sample, got none")
    known = set(known)
    return sum(sample not in known for sample in samples) / len(samples)


def distinct_fraction(samples):
    """Return the number of different ``samples`` divided by the number of all, above 0 and at most 1.

    Raises
    ------
    ValueError
        If there are no samples.
    """
    if not samples:
        raise ValueError("distinct_fraction needs at least one sample, got none")
    return len(set(samples)) / len(samples)


def longest_copy(sample, known):
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


def novel_ngram_fraction(sample, known, n):
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
    if not 1 <= n <= len(sample):
        raise ValueError(f"n must be between 1 and {len(sample)}, the length of the sample, got {n}")
    seen = {known[i : i + n] for i in range(len(known) - n + 1)}
    return novel_fraction([sample[i : i + n] for i in range(len(sample) - n + 1)], seen)
