"""Models that see a text through a window: the last characters and nothing before them."""

import numpy as np
import tensorflow as tf

from charlm_utils.batching import context_target_pairs
from charlm_utils.evaluation import check_ids
from charlm_utils.filters import check_filters, temper
from charlm_utils.sampling import check_vocabulary

_EVALUATION_ROWS = 2000  # windows that a step of `evaluate_windows` takes


def evaluate_windows(model, ids, time):
    """Score a text as a model of windows sees it: each character from the ``time`` before it and a zero state.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``; the last ones of each window count.
    ids : numpy.ndarray
        Integers ``(n,)``.
    time : int
        Length of a window.

    Returns
    -------
    float
        Mean over the ``n - time`` characters after the first ``time``, in nats per character.

    Raises
    ------
    ValueError
        As :func:`charlm_utils.evaluation.evaluate` and :func:`charlm_utils.batching.context_target_pairs`.
    """
    windows, targets = context_target_pairs(check_ids(model, ids), time)
    total = 0.0
    for start in range(0, len(windows), _EVALUATION_ROWS):
        rows = slice(start, start + _EVALUATION_ROWS)
        logits = model(tf.constant(windows[rows], tf.int32))[:, -1]  # (rows, vocab)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(targets[rows], tf.int32), logits)
        total += float(tf.reduce_sum(nats))
    return total / len(targets)


def generate_windows(model, vocabulary, prime, length, *, time, temperature=1.0, seed=None):
    """Continue a text, each character drawn after reading the last ``time`` characters from a zero state.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``; the last ones count.
    vocabulary : Vocabulary
        The one that the model was trained with.
    prime : str
        At least ``time`` characters.
    length, time : int
        Characters to draw, and to read for each.
    temperature : float
        See :func:`charlm_utils.filters.apply_temperature`; 0 is greedy.
    seed : int, optional
        The same seed gives the same text.

    Returns
    -------
    str
        The prime and ``length`` characters.

    Raises
    ------
    ValueError
        If a size is below 1, the temperature is negative, the prime is too short or holds an unknown character, or
        the vocabulary is not as large as the model's.
    """
    check_filters(temperature=temperature)
    check_vocabulary(model, vocabulary)
    ids = vocabulary.encode(prime)
    for name, value in (("length", length), ("time", time)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if len(ids) < time:
        raise ValueError(f"the prime must hold at least {time} characters, got {len(ids)}: {prime!r}")
    seed = np.random.default_rng().integers(2**31) if seed is None else seed

    @tf.function
    def draw(window, seeds):
        logits = temper(model(window)[:, -1], tf.constant(temperature, tf.float32))  # (1, vocab)
        return tf.random.stateless_categorical(logits, 1, seeds, dtype=tf.int32)[0]  # (1,)

    for i in range(length):
        ids = np.append(ids, draw(tf.constant(ids[None, -time:], tf.int32), tf.constant([seed, i], tf.int64)))
    return prime + vocabulary.decode(ids[-length:])
