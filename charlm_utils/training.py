"""Reproducible fitting with carried state, clipping by global norm and validation."""

import time as clock

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.batching import contiguous_batches
from charlm_utils.models import forward, zero_states

_EVALUATION_TIME = 1000  # characters of the one stream that a step of `evaluate` takes


def set_seed(seed):
    """Seed Python, NumPy and TensorFlow; the same seed and settings then give the same weights on one machine.

    Raises
    ------
    ValueError
        If the seed is not between 0 and 2**32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be between 0 and {2**32 - 1}, got {seed}")
    keras.utils.set_random_seed(int(seed))


def train(
    model,
    ids,
    *,
    batch_size,
    time,
    epochs,
    validation_ids=None,
    optimizer=None,
    clip_norm=5.0,
    progress=True,
):
    """Fit a model to a text by truncated back-propagation through time, with the state carried along.

    The state passes from each contiguous batch to the next and is zero again at the start of every epoch.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``; see :func:`charlm_utils.models.build_model`.
    ids : numpy.ndarray
        The text to learn, integers ``(n,)``.
    batch_size, time, epochs : int
        Rows and columns of a batch, and passes over the text.
    validation_ids : numpy.ndarray, optional
        A text to evaluate after each epoch, integers ``(m,)``.
    optimizer : keras.optimizers.Optimizer, optional
        By default Adam at 0.002.
    clip_norm : float
        Gradients whose global norm is larger are scaled down to it (Pascanu et al. 2013).
    progress : bool
        Whether to show a progress bar.

    Returns
    -------
    dict of str to list of float
        Per epoch ``"train"`` and, with validation ids, ``"validation"``, in nats per character (the first a
        mean over the epoch, while the weights were changing), and ``"seconds"`` of wall time since the start.

    Raises
    ------
    ValueError
        If a size is below 1, the clip norm is not positive, a text is too short or holds an id that is not
        below the model's number of logits, or the loss is no longer a number.
    """
    for name, value in (("epochs", epochs), ("clip_norm", clip_norm)):
        if not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")
    for part in (ids,) if validation_ids is None else (ids, validation_ids):
        _check_ids(model, part)
    batches = list(contiguous_batches(ids, batch_size, time))
    train_step = _train_step(model, optimizer or keras.optimizers.Adam(0.002), clip_norm)
    history = {"train": [], "validation": [], "seconds": []}
    start = clock.perf_counter()
    for epoch in range(epochs):
        history["train"].append(_epoch(model, train_step, batches, f"epoch {epoch + 1}/{epochs}", progress))
        if validation_ids is not None:
            history["validation"].append(evaluate(model, validation_ids))
        history["seconds"].append(clock.perf_counter() - start)
    return history


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
    ids = _check_ids(model, ids)
    total, states = 0.0, zero_states(model, 1)
    score = _score(model)
    for start in range(0, len(ids) - 1, _EVALUATION_TIME):
        window = tf.constant(ids[None, start : start + _EVALUATION_TIME + 1], tf.int32)
        nats, states = score(window, states)
        total += float(nats)
    return total / (len(ids) - 1)


def _check_ids(model, ids):
    """Return ``ids`` as an array if the model can score them."""
    ids, vocab_size = np.asarray(ids), model.output_shape[-1]
    if len(ids) < 2:
        raise ValueError(f"a text to score needs at least 2 characters, got {len(ids)}")
    if ids.min() < 0 or ids.max() >= vocab_size:
        raise ValueError(f"ids must be between 0 and {vocab_size - 1}, got {ids.min()} to {ids.max()}")
    return ids


def _epoch(model, train_step, batches, title, progress):
    """Take one step per batch from a zero state and return the mean loss in nats per character."""
    states, losses = zero_states(model, len(batches[0][0])), []
    bar = keras.utils.Progbar(len(batches), verbose=int(progress), stateful_metrics=["nats"])
    if progress:
        print(title)
    for number, (inputs, targets) in enumerate(batches, start=1):
        loss, states = train_step(tf.constant(inputs, tf.int32), tf.constant(targets, tf.int32), states)
        losses.append(float(loss))
        if not np.isfinite(losses[-1]):
            raise ValueError(f"the loss became {losses[-1]} at batch {number} ({title}): lower the learning rate")
        bar.update(number, [("nats", np.mean(losses))])
    return float(np.mean(losses))


def _train_step(model, optimizer, clip_norm):
    """Return a compiled step: inputs, targets and states in; loss and new states out; weights updated."""
    optimizer.build(model.trainable_variables)

    @tf.function
    def train_step(inputs, targets, states):
        with tf.GradientTape() as tape:
            logits, states = forward(model, inputs, states, training=True)  # (batch, time, vocab)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        # The embedding's gradient comes as one slice per character read; its norm is that of their sum.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss, states

    return train_step


def _score(model):
    """Return the compiled scoring of a window ``(1, time + 1)``: total nats and new states. Kept with the model."""
    if not hasattr(model, "_charlm_score"):

        @tf.function(reduce_retracing=True)
        def score(window, states):
            logits, states = forward(model, window[:, :-1], states)
            return tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(window[:, 1:], logits)), states

        model._charlm_score = score
    return model._charlm_score
