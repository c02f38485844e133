"""From the logits of a model to those that the next character is drawn from."""

import numpy as np
import tensorflow as tf


def apply_temperature(logits, temperature):
    """Divide logits by a temperature: below 1 sharpens the distribution, above 1 flattens it.

    Parameters
    ----------
    logits : array
        ``(..., vocab)``.
    temperature : float
        At least 0. At 0 only the largest logit survives (the first of equals): greedy choice.

    Returns
    -------
    tf.Tensor
        float32 logits of the same shape.

    Raises
    ------
    ValueError
        If the temperature is negative or not finite.
    """
    check_filters(temperature=temperature)
    return temper(tf.convert_to_tensor(logits, tf.float32), tf.constant(temperature, tf.float32))


def keep_top_k(logits, k):
    """Keep the ``k`` largest logits (the first of equals) and set the others to minus infinity.

    Parameters and result are those of :func:`apply_temperature`, with ``k`` between 1 and ``vocab``.

    Raises
    ------
    ValueError
        If ``k`` is not between 1 and ``vocab``.
    """
    logits = tf.convert_to_tensor(logits, tf.float32)
    check_filters(top_k=k, vocab_size=logits.shape[-1])
    return keep_largest(logits, k)


def keep_top_p(logits, p):
    """Keep the smallest set of largest logits whose probabilities reach ``p``; the rest become minus infinity.

    Nucleus sampling (Holtzman et al. 2020). The most likely character always stays, and ``p = 1`` keeps all.
    Parameters and result are those of :func:`apply_temperature`, with ``0 < p <= 1``.

    Raises
    ------
    ValueError
        If ``p`` is not above 0 and at most 1.
    """
    check_filters(top_p=p)
    return keep_nucleus(tf.convert_to_tensor(logits, tf.float32), tf.constant(p, tf.float32))


def check_filters(*, temperature=1.0, top_k=1, top_p=1.0, vocab_size=1):
    """Raise a ``ValueError`` that names the first setting out of its range, and the range."""
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature must be at least 0 and finite, got {temperature}")
    if not 1 <= top_k <= vocab_size:
        raise ValueError(f"top_k must be between 1 and {vocab_size}, got {top_k}")
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must be above 0 and at most 1, got {top_p}")


def temper(logits, temperature):
    """Do the work of :func:`apply_temperature` on tensors, inside a compiled loop."""
    divided = logits / tf.where(temperature > 0, temperature, 1.0)
    largest = tf.one_hot(tf.argmax(logits, axis=-1), logits.shape[-1], on_value=True, off_value=False, dtype=tf.bool)
    return tf.where((temperature > 0) | largest, divided, -np.inf)


def keep_largest(logits, k):
    """Do the work of :func:`keep_top_k` on tensors, inside a compiled loop."""
    return tf.where(_ranks(logits) < k, logits, -np.inf)


def keep_nucleus(logits, p):
    """Do the work of :func:`keep_top_p` on tensors: a character stays while the likelier ones fall short of ``p``."""
    ranks = _ranks(logits)
    ordered = tf.sort(tf.nn.softmax(logits), direction="DESCENDING")
    likelier = tf.cumsum(ordered, axis=-1, exclusive=True)  # probability of all characters of lower rank
    likelier = tf.gather(likelier, ranks, batch_dims=len(logits.shape) - 1)
    return tf.where((likelier < p) | (ranks < 1) | (p >= 1), logits, -np.inf)


def _ranks(logits):
    """Return the place of every logit in descending order, 0 for the largest; the first of equals comes first."""
    return tf.argsort(tf.argsort(logits, direction="DESCENDING", stable=True), stable=True)
