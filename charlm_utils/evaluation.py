"""How well a model predicts a text, in nats per character."""

import numpy as np
import tensorflow as tf

from charlm_utils.files import iterate_pieces
from charlm_utils.models import forward, state_specs, zero_states

_STREAM_TIME = 1000  # characters of the one stream that a step of `nats_per_position` takes
_WINDOW_ROWS = 64  # windows that a step of `nats_in_windows` takes


def evaluate(model, ids):
    """Score a text in one stream: every character after the first, with the state carried and none dropped.

    Returns
    -------
    float
        Mean of :func:`nats_per_position`, whose parameters and errors it shares, in nats per character.
    """
    return float(np.mean(nats_per_position(model, ids), dtype=np.float64))


def nats_per_position(model, ids):
    """Return -ln p of every character after the first, given all before it, with the state carried.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``.
    ids : numpy.ndarray
        Integers ``(n,)``.

    Returns
    -------
    numpy.ndarray
        float32 ``(n - 1,)``, in nats.

    Raises
    ------
    ValueError
        If there are fewer than 2 ids, or one is not below the model's number of logits.
    """
    ids, states, parts = check_ids(model, ids), zero_states(model, 1), []
    score = _score(model)
    for start in range(0, len(ids) - 1, _STREAM_TIME):
        nats, states = score(tf.constant(ids[None, start : start + _STREAM_TIME + 1], tf.int32), states)
        parts.append(nats.numpy()[0])
    return np.concatenate(parts)


def nats_in_windows(model, ids, time):
    """Return -ln p of every character of windows of ``time``, each read from a zero state.

    Parameters
    ----------
    model, ids
        As for :func:`nats_per_position`.
    time : int
        Characters to predict in a window; the one before them is read and not predicted. A last window that would
        be shorter is left out.

    Returns
    -------
    numpy.ndarray
        float32 ``((n - 1) // time, time)``, in nats.

    Raises
    ------
    ValueError
        As :func:`nats_per_position`, or if ``time`` is not between 1 and ``n - 1``.
    """
    ids = check_ids(model, ids)
    if not 1 <= time <= len(ids) - 1:
        raise ValueError(f"time must be between 1 and {len(ids) - 1}, got {time}")
    starts = np.arange((len(ids) - 1) // time) * time
    windows, score = ids[starts[:, None] + np.arange(time + 1)], _score(model)  # (windows, time + 1)
    parts = np.split(windows, range(_WINDOW_ROWS, len(windows), _WINDOW_ROWS))
    return np.concatenate([score(tf.constant(part, tf.int32), zero_states(model, len(part)))[0] for part in parts])


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
    ends = [(piece.min(), piece.max()) for piece in iterate_pieces(ids)]
    smallest, largest = min(low for low, _ in ends), max(high for _, high in ends)
    if smallest < 0 or largest >= vocab_size:
        raise ValueError(f"ids must be between 0 and {vocab_size - 1}, got {smallest} to {largest}")
    return ids


def _score(model):
    """Return the compiled scoring of windows ``(batch, time + 1)``: nats and new states. Kept with the model."""
    if not hasattr(model, "_charlm_score"):

        @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32), state_specs(model)])
        def score(windows, states):
            logits, states = forward(model, windows[:, :-1], states)
            return tf.nn.sparse_softmax_cross_entropy_with_logits(windows[:, 1:], logits), states

        model._charlm_score = score
    return model._charlm_score
