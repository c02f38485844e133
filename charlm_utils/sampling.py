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
from charlm_utils.models import forward, projected_table, state_specs, step, zero_states

__all__ = ["apply_temperature", "generate", "keep_top_k", "keep_top_p"]

STREAM_CHUNK = 40  # characters that appear at once on the screen


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
    stop="",
    stream=False,
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
    stop : str
        A text ends with the first drawn character that is one of these.
    stream : bool
        Whether to print one text while it is drawn, chunk by chunk; the text is the same.

    Returns
    -------
    str or list of str
        One text that begins with the prime, or ``num_samples`` of them.

    Raises
    ------
    ValueError
        If an argument is out of its range, the prime is empty, prime or stop holds an unknown character, the
        vocabulary is not as large as the model's, or several texts are to be streamed.
    """
    primed = vocabulary.encode(prime, unknown)
    if not len(primed):
        raise ValueError(f"the prime must hold at least one character of the vocabulary, got {prime!r}")
    check_vocabulary(model, vocabulary)
    for name, value in (("length", length), ("num_samples", 1 if num_samples is None else num_samples)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if stream and num_samples is not None:
        raise ValueError(f"stream=True shows one text; num_samples must be None, got {num_samples}")
    top_k = len(vocabulary) if top_k is None else top_k
    top_p = 1.0 if top_p is None else top_p
    check_filters(temperature=temperature, top_k=top_k, top_p=top_p, vocab_size=len(vocabulary))
    seed = np.random.default_rng().integers(2**31) if seed is None else seed
    ends = np.isin(np.arange(len(vocabulary)), vocabulary.encode(stop))  # (vocab,)
    settings = [ends, np.float32(temperature), np.int32(top_k), np.float32(top_p), np.int64(seed)]
    chunks = _chunks(model, primed, num_samples or 1, length, STREAM_CHUNK if stream else length, settings)
    texts = _follow(chunks, vocabulary, primed, ends, stream)
    return texts[0] if num_samples is None else texts


def check_vocabulary(model, vocabulary):
    """Raise a ``ValueError`` if a model has not as many logits as the vocabulary has characters."""
    if model.output_shape[-1] != len(vocabulary):
        raise ValueError(
            f"the model gives {model.output_shape[-1]} logits, but the vocabulary has {len(vocabulary)} characters"
        )


def _chunks(model, primed, num_samples, length, chunk, settings):
    """Yield drawn ids ``(num_samples, at most chunk)`` until there are ``length``."""
    prime, draw = _compiled(model)
    logits, states = prime(tf.constant(primed[None, :]), tf.constant(int(num_samples)))
    for start in range(0, length, chunk):
        places = tf.constant([start, min(start + chunk, length)], tf.int32)
        drawn, logits, states = draw(logits, states, places, *map(tf.constant, settings))
        yield drawn.numpy()


def _follow(chunks, vocabulary, primed, ends, stream):
    """Return the texts, each up to its first end; with ``stream``, print the only one on the way."""
    rows = primed[None, :]
    if stream:
        print(vocabulary.decode(primed), end="", flush=True)
    for drawn in chunks:
        rows = np.concatenate([np.repeat(rows, len(drawn) // len(rows), axis=0), drawn], axis=1)
        stopped = ends[drawn].any(axis=1)
        if stream:
            print(vocabulary.decode(_up_to_end(drawn[0], ends)), end="", flush=True)
        if stopped.all():
            break
    if stream:
        print()
    return [vocabulary.decode(np.concatenate([primed, _up_to_end(row[len(primed) :], ends)])) for row in rows]


def _up_to_end(ids, ends):
    """Cut ids after the first that is an end."""
    found = np.flatnonzero(ends[ids])
    return ids[: found[0] + 1] if len(found) else ids


def _compiled(model):
    """Return the two compiled halves, reading the prime and drawing; traced once and kept with the model."""
    if not hasattr(model, "_charlm_loop"):
        logits = tf.TensorSpec((None, model.output_shape[-1]))
        settings = [tf.TensorSpec((model.output_shape[-1],), tf.bool)]
        settings += [tf.TensorSpec((), kind) for kind in (tf.float32, tf.int32, tf.float32, tf.int64)]
        read = [tf.TensorSpec((1, None), tf.int32), tf.TensorSpec((), tf.int32)]
        model._charlm_loop = (
            tf.function(lambda *arguments: _read(model, *arguments), input_signature=read),
            tf.function(
                lambda *arguments: _draw(model, *arguments),
                input_signature=[logits, state_specs(model), tf.TensorSpec((2,), tf.int32), *settings],
            ),
        )
    return model._charlm_loop


def _read(model, prime, num_samples):
    """Return logits and states after ``prime`` ``(1, time)``, once per sample."""
    logits, states = forward(model, prime, zero_states(model, 1))
    return tf.nest.map_structure(lambda x: tf.repeat(x, num_samples, axis=0), (logits[:, -1], states))


def _draw(model, logits, states, places, ends, temperature, top_k, top_p, seed):
    """Draw the characters from one place to another: ids ``(num_samples, time)``, new logits and new states.

    It stops early when every row has drawn an end.
    """
    table = projected_table(model)

    def narrow(logits):
        return keep_nucleus(keep_largest(logits, top_k), top_p)

    def body(i, logits, states, drawn, alive):
        logits = temper(logits, temperature)
        logits = tf.cond((top_k < logits.shape[-1]) | (top_p < 1), lambda: narrow(logits), lambda: logits)
        seeds = tf.stack([seed, tf.cast(i, tf.int64)])
        ids = tf.random.stateless_categorical(logits, 1, seeds, dtype=tf.int32)[:, 0]  # (num_samples,)
        drawn = drawn.write(i - places[0], ids)
        logits, states = step(model, ids, states, table)
        return i + 1, logits, states, drawn, alive & ~tf.gather(ends, ids)

    drawn = tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=(None,))
    alive = tf.ones(tf.shape(logits)[:1], tf.bool)
    state = (places[0], logits, states, drawn, alive)
    _, logits, states, drawn, _ = tf.while_loop(lambda i, *rest: (i < places[1]) & tf.reduce_any(rest[-1]), body, state)
    return tf.transpose(drawn.stack()), logits, states
