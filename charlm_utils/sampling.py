"""Logits to the next character, and characters to text."""

import numpy as np
import tensorflow as tf

from charlm_utils.models import forward, prepare_steps, state_specs, step, zero_states

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
        See :func:`~charlm_utils.sampling.apply_temperature`, :func:`~charlm_utils.filters.keep_top_k` and
        :func:`~charlm_utils.sampling.keep_top_p`; applied in this order.
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
    prepared = prepare_steps(model)

    def narrow(logits):
        return keep_nucleus(keep_largest(logits, top_k), top_p)

    def body(i, logits, states, drawn, alive):
        logits = temper(logits, temperature)
        logits = tf.cond((top_k < logits.shape[-1]) | (top_p < 1), lambda: narrow(logits), lambda: logits)
        seeds = tf.stack([seed, tf.cast(i, tf.int64)])
        ids = tf.random.stateless_categorical(logits, 1, seeds, dtype=tf.int32)[:, 0]  # (num_samples,)
        drawn = drawn.write(i - places[0], ids)
        logits, states = step(model, ids, states, prepared)
        return i + 1, logits, states, drawn, alive & ~tf.gather(ends, ids)

    drawn = tf.TensorArray(tf.int32, size=0, dynamic_size=True, element_shape=(None,))
    alive = tf.ones(tf.shape(logits)[:1], tf.bool)
    state = (places[0], logits, states, drawn, alive)
    _, logits, states, drawn, _ = tf.while_loop(lambda i, *rest: (i < places[1]) & tf.reduce_any(rest[-1]), body, state)
    return tf.transpose(drawn.stack()), logits, states


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
        See :func:`charlm_utils.sampling.apply_temperature`; 0 is greedy.
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
