"""How well a model predicts a text, in nats per character."""

import numpy as np
import tensorflow as tf

from charlm_utils.models import forward, zero_states

_EVALUATION_TIME = 1000  # characters of the one stream that a step of `evaluate` takes


def evaluate(model, ids):
    """Score a text in one stream: every character after the first, with the state carried and none dropped.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``.
    ids : numpy.ndarray
        Integers ``(n,)``.

    Returns
    -------
    float
        Mean over ``n - 1`` characters, in nats per character.

    Raises
    ------
    ValueError
        If there are fewer than 2 ids, or one is not below the model's number of logits.
    """
    ids = check_ids(model, ids)
    total, states = 0.0, zero_states(model, 1)
    score = _score(model)
    for start in range(0, len(ids) - 1, _EVALUATION_TIME):
        window = tf.constant(ids[None, start : start + _EVALUATION_TIME + 1], tf.int32)
        nats, states = score(window, states)
        total += float(nats)
    return total / (len(ids) - 1)


def check_ids(model, ids):
    """Return ``ids`` as an array if the model can score them.

    Raises
    ------
    ValueError
        If there are fewer than 2, or one is not below the model's number of logits.
    """
    ids, vocab_size = np.asarray(ids), model.output_shape[-1]
    if len(ids) < 2:
        raise ValueError(f"a text to score needs at least 2 characters, got {len(ids)}")
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(f"ids must be between 0 and {vocab_size - 1}, got {ids.min()} to {ids.max()}")
    return ids


def _score(model):
    """Return the compiled scoring of a window ``(1, time + 1)``: total nats and new states. Kept with the model."""
    if not hasattr(model, "_charlm_score"):

        @tf.function(reduce_retracing=True)
        def score(window, states):
            logits, states = forward(model, window[:, :-1], states)
            return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(window[:, 1:], logits)), states

        model._charlm_score = score
    return model._charlm_score
