"""Dynamic evaluation: a model that goes on learning from the text it has been scored on."""

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.evaluation import check_ids
from charlm_utils.models import forward, state_specs, zero_states


def nats_while_learning(model, ids, *, learning_rate, time=64, clip_norm=1.0):
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
        Besides, if the rate is negative, or ``time`` or the clip norm is not above 0.
    """
    ids = check_ids(model, ids)
    if learning_rate < 0:
        raise ValueError(f"learning_rate must be at least 0, got {learning_rate}")
    for name, value in (("time", time), ("clip_norm", clip_norm)):
        if value <= 0:
            raise ValueError(f"{name} must be above 0, got {value}")
    weights, states, parts = model.get_weights(), zero_states(model, 1), []
    score_and_learn = _compiled(model, keras.optimizers.SGD(float(learning_rate), global_clipnorm=clip_norm))
    try:
        for start in range(0, len(ids) - 1, time):
            nats, states = score_and_learn(tf.constant(ids[None, start : start + time + 1], tf.int32), states)
            parts.append(nats.numpy()[0])
    finally:
        model.set_weights(weights)
    return np.concatenate(parts)


def _compiled(model, optimizer):
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
