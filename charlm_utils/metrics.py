"""How good a model is, and how new its text."""

import numpy as np


def bits_per_char(nats):
    """Turn nats per character into bits per character: divide by ln 2."""
    return nats / np.log(2)


def perplexity(nats):
    """Turn nats per character into perplexity, e to that power: the number of equally likely choices."""
    return np.exp(nats)


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
