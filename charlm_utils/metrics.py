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
