"""How well a model predicts a text, in nats per character: carried, in windows, learning on the way."""

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.batching import check_ids, context_target_pairs
from charlm_utils.checks import Ids, KerasModel, NotNegative, Positive, Size, check, checked, integer
from charlm_utils.models import PerModel, count_logits, forward, state_specs, warn_without_cudnn, zero_states

_STREAM_TIME = 1000  # characters of a stream that a step takes
_WINDOW_ROWS = 64  # windows that a step of `nats_in_windows` takes
_EVALUATION_ROWS = 2000  # windows that a step of `evaluate_windows` takes
_WARM_UP = 500  # characters that each of several streams reads before it is scored


@checked
def evaluate(model: KerasModel, ids: Ids, rows: Size = 1):
    """Score a text: every character after the first, with the state carried and none dropped.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``.
    ids : numpy.ndarray
        Integers ``(n,)``.
    rows : int
        Into how many stretches the text is cut. 1 reads it in one stream: the exact figure. With more, they are
        scored side by side, which is many times as fast; each first reads the 500 characters before it, unscored, and
        so starts from nearly the state that the one stream has there. A text that is too short for stretches of 500
        characters is cut into fewer.

    Returns
    -------
    float
        Mean over the ``n - 1`` characters after the first, in nats per character.

    Raises
    ------
    ValueError
        As :func:`nats_per_position`, or if ``rows`` is not an integer between 1 and ``n - 1``.
    """
    if rows == 1:
        return float(np.mean(nats_per_position(model, ids), dtype=np.float64))
    ids = check_text(model, ids)
    check("rows", rows, integer(1, len(ids) - 1))
    return _evaluate_in_rows(model, ids, min(rows, max(1, (len(ids) - 1) // _WARM_UP)))


def _evaluate_in_rows(model, ids, rows):
    """Score ``rows`` stretches of a text side by side, each after a warm-up on what stands before it."""
    stretch = -(-(len(ids) - 1) // rows)  # rounded up: the last one may be shorter
    before = np.full(_WARM_UP, ids[0])  # what the first one reads; its state is zero again afterwards
    after = np.full(stretch * rows + 1 - len(ids), ids[0])
    padded = np.concatenate([before, ids, after])
    starts = np.arange(rows)[:, None] * stretch  # (rows, 1)
    warm_up = padded[starts + np.arange(_WARM_UP + 1)]
    windows = padded[starts + _WARM_UP + np.arange(stretch + 1)]
    scored = starts + np.arange(stretch) < len(ids) - 1  # (rows, stretch)
    score = _score(model)
    _, states = score(tf.constant(warm_up, tf.int32), zero_states(model, rows))
    states = tf.nest.map_structure(lambda x: tf.concat([tf.zeros_like(x[:1]), x[1:]], axis=0), states)
    total = 0.0
    for start in range(0, stretch, _STREAM_TIME):
        window = windows[:, start : start + _STREAM_TIME + 1]
        nats, states = score(tf.constant(window, tf.int32), states)
        total += np.sum(nats.numpy() * scored[:, start : start + _STREAM_TIME], dtype=np.float64)
    return float(total / (len(ids) - 1))


@checked
def nats_per_position(model: KerasModel, ids: Ids):
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
        If the ids are not a 1-D array of integers, fewer than 2, or one is not below the model's number of logits.
    """
    ids, states, parts = check_text(model, ids), zero_states(model, 1), []
    score = _score(model)
    for start in range(0, len(ids) - 1, _STREAM_TIME):
        nats, states = score(tf.constant(ids[None, start : start + _STREAM_TIME + 1], tf.int32), states)
        parts.append(nats.numpy()[0])
    return np.concatenate(parts)


@checked
def nats_in_windows(model: KerasModel, ids: Ids, time: Size):
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
    ids = check_text(model, ids)
    check("time", time, integer(1, len(ids) - 1))
    starts = np.arange((len(ids) - 1) // time) * time
    windows, score = ids[starts[:, None] + np.arange(time + 1)], _score(model)  # (windows, time + 1)
    parts = np.split(windows, range(_WINDOW_ROWS, len(windows), _WINDOW_ROWS))
    return np.concatenate([score(tf.constant(part, tf.int32), zero_states(model, len(part)))[0] for part in parts])


@checked
def evaluate_windows(model: KerasModel, ids: Ids, time: Size):
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
    windows, targets = context_target_pairs(check_text(model, ids), time)
    warn_without_cudnn(model)
    total = 0.0
    for start in range(0, len(windows), _EVALUATION_ROWS):
        rows = slice(start, start + _EVALUATION_ROWS)
        logits = model(tf.constant(windows[rows], tf.int32))[:, -1]  # (rows, vocab)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(targets[rows], tf.int32), logits)
        total += float(tf.reduce_sum(nats))
    return total / len(targets)


@checked
def nats_while_learning(
    model: KerasModel, ids: Ids, *, learning_rate: NotNegative, time: Size = 64, clip_norm: Positive = 1.0
):
    """Score a text segment by segment and take a step of gradient descent on each segment after it was scored.

    No character is predicted with weights that have seen it, but the later ones profit from the earlier ones
    (Mikolov et al. 2010; Krause et al. 2018): the figure does not compare with that of fixed weights. Afterwards the
    model has its old weights again.

    Ids, result and errors are those of :func:`charlm_utils.evaluation.nats_per_position`.

    Parameters
    ----------
    learning_rate : float
        Of plain gradient descent, on the mean loss of a segment; 0 leaves the weights alone.
    time : int
        Characters of a segment.
    clip_norm : float
        Gradients whose global norm is larger are scaled down to it.

    Raises
    ------
    ValueError
        Besides, if the rate is negative, ``time`` is not an integer of at least 1, the clip norm is not above 0, or a
        loss is no longer a number.
    """
    ids = check_text(model, ids)
    weights, states, parts = model.get_weights(), zero_states(model, 1), []
    score_and_learn = _compiled_learning(model, keras.optimizers.SGD(float(learning_rate), global_clipnorm=clip_norm))
    try:
        for start in range(0, len(ids) - 1, time):
            nats, states = score_and_learn(tf.constant(ids[None, start : start + time + 1], tf.int32), states)
            parts.append(nats.numpy()[0])
    finally:
        model.set_weights(weights)
    nats = np.concatenate(parts)
    if not np.all(np.isfinite(nats)):
        raise ValueError(f"the loss is no longer a number with learning_rate={learning_rate}: lower the learning rate")
    return nats


def _compiled_learning(model, optimizer):
    """Return the compiled step: a window ``(1, time + 1)`` and states in, nats and new states out."""
    optimizer.build(model.trainable_variables)

    @tf.function(input_signature=[tf.TensorSpec((1, None), tf.int32), state_specs(model)])
    def score_and_learn(window, states):
        with tf.GradientTape() as tape:
            logits, states = forward(model, window[:, :-1], states)
            nats = tf.nn.sparse_softmax_cross_entropy_with_logits(window[:, 1:], logits)  # (1, time)
            loss = tf.reduce_mean(nats)
        gradients = tape.gradient(loss, model.trainable_variables)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]  # see `training.compiled_step`
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return nats, states

    return score_and_learn


def check_text(model, ids, name="ids"):
    """Return the ids of a text if the model can score them; errors are those of ``batching.check_ids``."""
    return check_ids(ids, least=2, vocab_size=count_logits(model), purpose=" to score a text", name=name)


@PerModel
def _score(reference):
    """Return the compiled scoring of windows ``(batch, time + 1)``: nats and new states."""

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32), state_specs(reference())])
    def score(windows, states):
        logits, states = forward(reference(), windows[:, :-1], states)
        return tf.nn.sparse_softmax_cross_entropy_with_logits(windows[:, 1:], logits), states

    return score
