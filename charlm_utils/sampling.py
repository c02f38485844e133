"""Logits to the next character, and characters to text."""

import numpy as np
import tensorflow as tf

from charlm_utils.filters import (
    apply_temperature,
    check_filters,
    keep_largest,
    keep_nucleus,
    keep_top_k,
    keep_top_p,
    temper,
)
from charlm_utils.models import forward, step, zero_states

__all__ = ["apply_temperature", "generate", "keep_top_k", "keep_top_p"]


def generate(
    model,
    vocabulary,
    prime,
    length,
    *,
    temperature=1.0,
    top_k=None,
    top_p=None,
    seed=None,
    num_samples=None,
    unknown="error",
):
    """Continue a text with characters drawn from a model, in one compiled loop over the steps.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``.
    vocabulary : Vocabulary
        The one that the model was trained with.
    prime : str
        At least one character; the state it leaves is where the text goes on.
    length : int
        How many characters to draw, at least 1.
    temperature, top_k, top_p : float, int, float
        See :func:`~charlm_utils.filters.apply_temperature`, :func:`~charlm_utils.filters.keep_top_k` and
        :func:`~charlm_utils.filters.keep_top_p`; applied in this order.
    seed : int, optional
        The same seed gives the same text; without one, every call gives another.
    num_samples : int, optional
        Draw so many texts at once.
    unknown : {"error", "skip"}
        What to do with characters of the prime that the vocabulary does not hold.

    Returns
    -------
    str or list of str
        One text that begins with the prime, or ``num_samples`` of them.

    Raises
    ------
    ValueError
        If an argument is out of its range, the prime is empty or holds an unknown character, or the
        vocabulary is not as large as the model's.
    """
    primed = vocabulary.encode(prime, unknown)
    if not len(primed):
        raise ValueError(f"the prime must hold at least one character of the vocabulary, got {prime!r}")
    check_vocabulary(model, vocabulary)
    for name, value in (("length", length), ("num_samples", 1 if num_samples is None else num_samples)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    top_k = len(vocabulary) if top_k is None else top_k
    top_p = 1.0 if top_p is None else top_p
    check_filters(temperature=temperature, top_k=top_k, top_p=top_p, vocab_size=len(vocabulary))
    seed = np.random.default_rng().integers(2**31) if seed is None else seed
    drawn = _compiled_loop(model)(
        tf.constant(primed[None, :]),
        tf.constant(int(num_samples or 1)),
        tf.constant(int(length)),
        tf.constant(temperature, tf.float32),
        tf.constant(int(top_k)),
        tf.constant(top_p, tf.float32),
        tf.constant(seed, tf.int64),
    ).numpy()  # (num_samples, length)
    texts = [vocabulary.decode(np.concatenate([primed, row])) for row in drawn]
    return texts[0] if num_samples is None else texts


def check_vocabulary(model, vocabulary):
    """Raise a ``ValueError`` if a model has not as many logits as the vocabulary has characters."""
    if model.output_shape[-1] != len(vocabulary):
        raise ValueError(
            f"the model gives {model.output_shape[-1]} logits, but the vocabulary has {len(vocabulary)} characters"
        )


def _compiled_loop(model):
    """Return the compiled loop of a model; it is traced once and kept with the model."""
    if not hasattr(model, "_charlm_loop"):
        model._charlm_loop = tf.function(
            lambda *arguments: _loop(model, *arguments),
            input_signature=[tf.TensorSpec((1, None), tf.int32)]
            + [tf.TensorSpec((), kind) for kind in (tf.int32, tf.int32, tf.float32, tf.int32, tf.float32, tf.int64)],
        )
    return model._charlm_loop


def _loop(model, prime, num_samples, length, temperature, top_k, top_p, seed):
    """Draw ids ``(num_samples, length)`` after ``prime`` ``(1, time)``."""

    def draw(i, logits):
        logits = temper(logits, temperature)
        logits = keep_largest(logits, top_k)
        logits = keep_nucleus(logits, top_p)
        seeds = tf.stack([seed, tf.cast(i, tf.int64)])
        return tf.random.stateless_categorical(logits, 1, seeds, dtype=tf.int32)[:, 0]  # (num_samples,)

    def body(i, logits, states, drawn):
        ids = draw(i, logits)
        logits, states = step(model, ids, states)
        return i + 1, logits, states, drawn.write(i, ids)

    logits, states = forward(model, prime, zero_states(model, 1))
    logits, states = tf.nest.map_structure(lambda x: tf.repeat(x, num_samples, axis=0), (logits[:, -1], states))
    drawn = tf.TensorArray(tf.int32, size=length)
    shapes = tf.nest.map_structure(lambda x: tf.TensorShape([None, x.shape[-1]]), (logits, states))
    *_, drawn = tf.while_loop(
        lambda i, *_: i < length,
        body,
        (0, logits, states, drawn),
        shape_invariants=(tf.TensorShape([]), *shapes, tf.TensorShape(None)),
    )
    return tf.transpose(drawn.stack())  # (num_samples, length)
