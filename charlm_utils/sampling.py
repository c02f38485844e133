"""From logits to the next character, and from characters to text: filters, noise, compiled loops, windows.

A character is drawn by the Gumbel-max trick (Gumbel 1954; Maddison et al. 2014): the argmax of
``logits + temperature * noise`` with independent standard Gumbel noise is distributed as
``softmax(logits / temperature)``. All randomness is in the noise, which is drawn apart from the loops over the
characters, so that a seed means the same text whichever loop runs.
"""

import inspect
from dataclasses import fields
from typing import Annotated

import numpy as np
import tensorflow as tf

from charlm_utils.checks import (
    AVocabulary,
    Count,
    Flag,
    HowUnknown,
    KerasModel,
    Kind,
    Size,
    Text,
    VocabSize,
    checked,
    instance,
    is_array,
)
from charlm_utils.models import (
    PerModel,
    Prepared,
    count_logits,
    forward,
    prepare_steps,
    step,
    warn_without_cudnn,
    zero_states,
)
from charlm_utils.settings import DrawSeed, DrawSettings, Request

__all__ = [
    "Sampler",
    "apply_temperature",
    "block_length",
    "check_vocabulary",
    "filter_settings",
    "generate",
    "generate_windows",
    "gumbel_noise",
    "keep_min_p",
    "keep_top_k",
    "keep_top_p",
]

CHUNK = 100  # characters drawn in one go, and shown at once on the screen
BLOCK = 1000  # characters for which noise is drawn in one go
_BLOCK_NUMBERS = 2**19  # of noise at most, or one character's: 2 MiB, drawn in a few milliseconds
COMPILED_ROWS = 16  # texts at once up to which a loop compiled by XLA is clearly the faster one
COMPILED_LENGTH = 1000  # characters from which on it is used: compiling takes as long as drawing some thousands
_HOTTEST = 1e30  # a temperature above it would make the noise overflow; all characters are alike long before


# the settings of a draw, for the loops


def filter_settings():
    """Return the ``Setting`` of every filter, by the name of its field, in the order in which they apply."""
    settings = {place.name: place.metadata["setting"] for place in fields(DrawSettings)}
    return {name: setting for name, setting in settings.items() if setting.keeps is not None}


def _tensors(settings):
    """Return what the loops take of settings: the temperature, and a value per filter or, if all are off, None."""
    lowest = float(np.finfo(np.float32).tiny)
    temperature = min(settings.temperature, _HOTTEST) if settings.temperature >= lowest else 0.0
    values = []
    on = False
    for name, setting in filter_settings().items():
        value = getattr(settings, name)
        if value is None:
            value = setting.off
        on = on or value != setting.off
        values.append(setting.tensor(value))
    return tf.constant(temperature, tf.float32), values if on else None


@checked
def check_vocabulary(model: KerasModel, vocabulary: AVocabulary):
    """Raise a ``ValueError`` if a model has not as many logits as the vocabulary has characters."""
    logits = count_logits(model)
    if logits != len(vocabulary):
        raise ValueError(f"the model gives {logits} logits, but the vocabulary has {len(vocabulary)} characters")


# filters as functions from logits to logits


def _are_logits(value):
    """Whether a tensor, symbolic or not, or an array holds logits ``(..., vocab)``; some may be minus infinity."""
    if tf.is_tensor(value) and not tf.executing_eagerly():
        return value.dtype.is_floating and value.shape.rank != 0
    return is_array(value, "iuf", minus_infinity=True) and np.ndim(value) > 0


_Logits = Annotated[tf.Tensor, Kind("logits (..., vocab)", _are_logits)]
_KeptLoops = instance("charlm_utils.models", "PerModel", "a PerModel")


@checked
def apply_temperature(logits: _Logits, temperature):
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
        float32 logits of the same shape. Where a temperature is so low that the quotients would overflow, the largest
        logit is subtracted first, which changes no probability.

    Raises
    ------
    ValueError
        If the temperature is negative or not finite, or a logit is no number.
    """
    logits = tf.convert_to_tensor(logits, tf.float32)
    DrawSettings(temperature=temperature).check(logits.shape[-1])
    if temperature < np.finfo(np.float32).tiny:
        return keep_top_k(logits, 1)
    largest = tf.reduce_max(logits, axis=-1, keepdims=True)
    overflows = tf.math.is_inf(largest / temperature)
    return (logits - tf.where(overflows, largest, 0.0)) / temperature


@checked
def keep_top_k(logits: _Logits, k):
    """Keep the ``k`` largest logits (the first of equals) and set the others to minus infinity.

    Parameters and result are those of :func:`apply_temperature`, with ``k`` between 1 and ``vocab``.

    Raises
    ------
    ValueError
        If ``k`` is not a whole number between 1 and ``vocab``.
    """
    return _filter_logits(logits, "top_k", k)


@checked
def keep_top_p(logits: _Logits, p):
    """Keep the smallest set of largest logits whose probabilities reach ``p``; the rest become minus infinity.

    Nucleus sampling (Holtzman et al. 2020). The most likely character always stays, and ``p = 1`` keeps all.
    Parameters and result are those of :func:`apply_temperature`, with ``0 < p <= 1``.

    Raises
    ------
    ValueError
        If ``p`` is not above 0 and at most 1.
    """
    return _filter_logits(logits, "top_p", p)


@checked
def keep_min_p(logits: _Logits, p):
    """Keep the logits whose probability is at least ``p`` times the largest; the rest become minus infinity.

    Min-p sampling (Nguyen et al. 2024): few characters stay where the model is sure, many where it is not. ``p = 0``
    keeps all, and ``p = 1`` the likeliest and its equals.
    Parameters and result are those of :func:`apply_temperature`, with ``0 <= p <= 1``.

    Raises
    ------
    ValueError
        If ``p`` is not between 0 and 1.
    """
    return _filter_logits(logits, "min_p", p)


def _filter_logits(logits, name, value):
    """Apply one filter: sort, see what stays, and bring that back into the order of the ids."""
    logits = tf.convert_to_tensor(logits, tf.float32)
    setting = filter_settings()[name]
    setting.check(name, value, logits.shape[-1])
    ordered, ids = tf.math.top_k(logits, logits.shape[-1])
    kept = setting.keeps(ordered, setting.tensor(value))
    ranks = tf.argsort(ids)  # of every logit: the inverse of the order
    return tf.where(tf.gather(kept, ranks, batch_dims=len(logits.shape) - 1), logits, -np.inf)


# the noise, and one draw


@checked
def block_length(num_samples: Size, vocab_size: VocabSize):
    """Return for how many characters noise is drawn at once: ``BLOCK``, or fewer where that would be too many numbers.

    It is a multiple of ``CHUNK`` or smaller than ``CHUNK``.
    """
    length = min(BLOCK, max(1, _BLOCK_NUMBERS // (num_samples * vocab_size)))
    return length - length % CHUNK if length > CHUNK else length


@checked
def gumbel_noise(seed: DrawSeed, block: Count, num_samples: Size, vocab_size: VocabSize):
    """Return the noise that decides the characters of one block of a text.

    Block ``b`` holds the characters from place ``b * length`` on, with ``length = block_length(num_samples,
    vocab_size)``.

    Parameters
    ----------
    seed, block : int
        The same two give the same noise, on every device.
    num_samples, vocab_size : int
        Texts drawn at once, and characters to choose from.

    Returns
    -------
    tf.Tensor
        Standard Gumbel noise, float32 ``(length, num_samples, vocab_size)``, between -4.5 and 16: a character of a
        probability below one in ten million is practically never drawn.
    """
    shape = (block_length(num_samples, vocab_size), num_samples, vocab_size)
    return _gumbel(tf.constant([seed, block], tf.int64), tf.constant(shape, tf.int32))


@tf.function(input_signature=[tf.TensorSpec((2,), tf.int64), tf.TensorSpec((3,), tf.int32)])
def _gumbel(seeds, shape):
    uniform = tf.random.stateless_uniform(shape, seeds, minval=np.finfo(np.float32).tiny)
    return -tf.math.log(-tf.math.log(uniform))


def _choose(logits, noise, temperature, filters):
    """Return the drawn ids ``(num_samples,)`` from logits and noise times temperature, both ``(num_samples, vocab)``.

    The largest logit is subtracted first: rounding is then finest where it counts, at a low temperature.
    """
    logits -= tf.reduce_max(logits, axis=-1, keepdims=True)
    if filters is None:
        return tf.argmax(logits + noise, axis=-1, output_type=tf.int32)
    ordered, ids = tf.math.top_k(logits, logits.shape[-1])  # the first of equals first
    tempered = tf.math.divide_no_nan(ordered, temperature)
    for setting, value in zip(filter_settings().values(), filters, strict=True):
        tempered = tf.where(setting.keeps(tempered, value), tempered, -np.inf)
    scores = tf.where(tempered > -np.inf, ordered + tf.gather(noise, ids, batch_dims=1), -np.inf)
    place = tf.argmax(scores, axis=-1, output_type=tf.int32)
    return tf.gather(ids, place, batch_dims=1)


# the loops over characters


class _Loops:
    """The compiled parts of sampling from one model: reading the prime, and drawing chunks of characters.

    There are two loops over the same step. TensorFlow's takes any shape. XLA's is several times faster with few rows,
    but is compiled for each number of rows, which takes a quarter of a second, and always draws a whole chunk. The
    two round differently, so that a character may differ where two are level to the sixth digit: one in 190,000 for
    the book's largest GRU, but one in 850 with bfloat16 products, which XLA rounds less often. The choice therefore
    hangs on the size of the text alone, and never on what was drawn before it: equal calls write equal texts. Where
    anything is kept in a coarser type than float32, it does not hang on the length either, so that a longer text
    still begins with the shorter one.
    """

    def __init__(self, reference):
        self._reference = reference
        self._can_compile = True
        specs = [tf.TensorSpec((1, None), tf.int32), tf.TensorSpec((), tf.int32)]
        self._read = tf.function(lambda *arguments: _read(reference(), *arguments)).get_concrete_function(*specs)
        self._draws = {}

    @property
    def traces(self):
        return 1 + len(self._draws)

    def read(self, prime, num_samples):
        """Return logits, states and prepared weights after ids ``(time,)``, logits and states once per sample."""
        return self._read(tf.constant(prime[None, :]), tf.constant(num_samples))

    def compiles(self, num_samples, length, carried):
        """Whether a text goes through the loop of XLA."""
        kinds = {x.dtype for x in tf.nest.flatten(carried) if x is not None}
        long_enough = length >= COMPILED_LENGTH or kinds != {tf.float32}
        return self._can_compile and num_samples <= COMPILED_ROWS and long_enough

    def draw(self, compiled, length, noise, temperature, filters, carried):
        """Draw at least ``length`` characters: ids ``(time, num_samples)``, and what is carried to the next chunk."""
        if compiled and self._can_compile:
            try:
                return self._run(True, noise, temperature, filters, carried)
            except tf.errors.OpError:  # an operation that XLA does not know
                self._can_compile = False
        return self._run(False, noise[:length], temperature, filters, carried)

    def _run(self, compiled, noise, temperature, filters, carried):
        draw = self._draws.get((compiled, filters is None))
        if draw is None:
            draw = trace_loop(self._reference, compiled, filters, noise, self._read.structured_outputs)
        drawn, logits, states = draw(noise, temperature, filters, *carried)
        self._draws[compiled, filters is None] = draw
        return drawn, (logits, states, carried[2])


def trace_loop(reference, compiled, filters, noise, read):
    """Trace one of the loops over characters, for any number of rows.

    Parameters
    ----------
    reference : weakref.ref
        To the model.
    compiled : bool
        Whether XLA compiles it.
    filters, noise, read
        As the loop takes them; ``read`` are types of logits, states, and prepared weights.
    """
    number = tf.TensorSpec((), tf.float32)
    if filters is not None:
        filters = [tf.TensorSpec((), value.dtype) for value in filters]
    loop = tf.function(lambda *arguments: _draw(reference(), *arguments), jit_compile=compiled)
    return loop.get_concrete_function(tf.TensorSpec((None, None, noise.shape[-1])), number, filters, *read)


def _read(model, prime, num_samples):
    """Return logits and states after ``prime`` ``(1, time)``, once per sample, and the parts of ``Prepared``."""
    logits, states = forward(model, prime, zero_states(model, 1))
    logits, states = tf.nest.map_structure(lambda x: tf.repeat(x, num_samples, axis=0), (logits[:, -1], states))
    prepared = prepare_steps(model)
    return logits, states, (prepared.table, prepared.weights)


def _draw(model, noise, temperature, filters, logits, states, prepared):
    """Draw a character for every row of noise ``(time, num_samples, vocab)``: ids ``(time, num_samples)``."""
    length = tf.shape(noise)[0]
    noise *= temperature
    prepared = Prepared(*prepared)

    def body(i, logits, states, drawn):
        ids = _choose(logits, noise[i], temperature, filters)
        logits, states = step(model, ids, states, prepared)
        return i + 1, logits, states, drawn.write(i, ids)

    drawn = tf.TensorArray(tf.int32, length, element_shape=(None,))
    _, logits, states, drawn = tf.while_loop(lambda i, *_: i < length, body, (0, logits, states, drawn))
    return drawn.stack(), logits, states


# texts


def _with_settings(function):
    """Show the fields of ``DrawSettings`` in the signature, in the place of ``**settings``."""
    signature = inspect.signature(function)
    parameters = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    first = [p.kind for p in parameters].index(inspect.Parameter.KEYWORD_ONLY)
    shown = [
        inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=field.default)
        for field in fields(DrawSettings)
    ]
    function.__signature__ = signature.replace(parameters=parameters[:first] + shown + parameters[first:])
    return function


class Sampler:
    """Writes texts with one model, in loops that are compiled once and kept here.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``. It is not touched; new weights count at the next
        call, and changed layers are compiled anew.
    vocabulary : Vocabulary
        The one that the model was trained with.
    loops : PerModel, optional
        Where to keep the loops, to share them with other samplers.

    Raises
    ------
    ValueError
        If the vocabulary is not as large as the model's.
    """

    @checked
    def __init__(self, model: KerasModel, vocabulary: AVocabulary, *, loops: _KeptLoops | None = None):
        check_vocabulary(model, vocabulary)
        self._model = model
        self._vocabulary = vocabulary
        self._loops = PerModel(_Loops) if loops is None else loops

    @property
    def traces(self):
        """How often a loop was traced since the model's layers changed; at most 5: one reads, two or four draw."""
        return self._loops(self._model).traces

    @_with_settings
    @checked
    def generate(
        self,
        prime: Text,
        length: Size,
        *,
        seed: DrawSeed | None = None,
        num_samples: Size | None = None,
        unknown: HowUnknown = "error",
        stop="",
        stream: Flag = False,
        **settings,
    ):
        """Continue a text with characters drawn from the model: :func:`generate` without its first two arguments."""
        settings = DrawSettings(**settings)
        request = Request(prime=prime, length=length, settings=settings, seed=seed, unknown=unknown, stop=stop)
        if num_samples is None:
            pieces = self.serve(request)
            return _shown(pieces) if stream else "".join(pieces)
        request.check(self._vocabulary)
        if stream:
            raise ValueError(f"stream=True shows one text; num_samples must be None, got {num_samples}")
        return self._texts(request, int(num_samples))

    @checked
    def serve(self, request: instance("charlm_utils.settings", "Request", "a Request")):
        """Return an iterator over the pieces of one text as they are drawn, the prime first.

        Parameters
        ----------
        request : charlm_utils.settings.Request
            What text is asked for.

        Raises
        ------
        ValueError
            If a field of the request is out of its range: at the call, and not when the first piece is asked for.
        """
        request.check(self._vocabulary)
        return self._pieces(request)

    def _pieces(self, request):
        """Yield the prime, and what is drawn, chunk by chunk."""
        primed = request.primed(self._vocabulary)
        yield self._vocabulary.decode(primed)
        end = _End(request.stops)
        for drawn in self._draw_chunks(primed, request, 1):
            yield end.cut(self._vocabulary.decode(drawn[0]))
            if end.is_reached:
                break

    def _texts(self, request, num_samples):
        """Return several texts that are drawn at once."""
        primed = request.primed(self._vocabulary)
        ends = [_End(request.stops) for _ in range(num_samples)]
        texts = [[self._vocabulary.decode(primed)] for _ in range(num_samples)]
        for drawn in self._draw_chunks(primed, request, num_samples):
            for text, end, ids in zip(texts, ends, drawn, strict=True):
                if not end.is_reached:
                    text.append(end.cut(self._vocabulary.decode(ids)))
            if all(end.is_reached for end in ends):
                break
        return ["".join(text) for text in texts]

    def _draw_chunks(self, primed, request, num_samples):
        """Yield drawn ids ``(num_samples, time)`` until there are as many as a request asks for."""
        length = request.length
        seed = _drawn_seed(request.seed)
        loops = self._loops(self._model)
        carried = loops.read(primed, num_samples)
        temperature, filters = _tensors(request.settings)
        vocab_size = len(self._vocabulary)
        compiled = loops.compiles(num_samples, length, carried)
        block = block_length(num_samples, vocab_size)
        chunk = min(CHUNK, block)
        for start in range(0, length, chunk):
            if start % block == 0:
                noise = gumbel_noise(seed, start // block, num_samples, vocab_size).numpy()
            place = start % block
            wanted = min(chunk, length - start)
            part = tf.constant(noise[place : place + chunk])
            drawn, carried = loops.draw(compiled, wanted, part, temperature, filters, carried)
            yield drawn.numpy()[:wanted].T


def _drawn_seed(seed):
    """Return a seed as it is, or a new one for None."""
    return np.random.default_rng().integers(2**31) if seed is None else seed


class _End:
    """Finds the end of a text that comes in pieces: the first place after which one of several strings stands."""

    def __init__(self, stops):
        self._stops = stops
        self._reach = max((len(stop) for stop in stops), default=1) - 1
        self._before = ""  # the last characters, which an end may begin with
        self.is_reached = False

    def cut(self, piece):
        """Return a piece, or as much of it as the text has before it ends."""
        text = self._before + piece
        ends = [text.index(stop) + len(stop) for stop in self._stops if stop in text]
        if ends:
            self.is_reached = True
            return piece[: min(ends) - len(self._before)]
        self._before = text[len(text) - self._reach :]
        return piece


def _shown(pieces):
    """Print the pieces of a text as they come, and return the text."""
    parts = []
    try:
        for piece in pieces:
            print(piece, end="", flush=True)
            parts.append(piece)
    finally:  # also after Ctrl-C: what was shown stays, and the prompt begins a line
        print()
    return "".join(parts)


_SHARED_LOOPS = PerModel(_Loops)  # of all models that `generate` has met and that are still alive


@_with_settings
@checked
def generate(
    model: KerasModel,
    vocabulary: AVocabulary,
    prime: Text,
    length: Size,
    *,
    seed: DrawSeed | None = None,
    num_samples: Size | None = None,
    unknown: HowUnknown = "error",
    stop="",
    stream: Flag = False,
    **settings,
):
    """Continue a text with characters drawn from a model, in compiled loops that are kept as long as the model lives.

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
    temperature, top_k, top_p, min_p : float, int, float, float
        The fields of :class:`charlm_utils.settings.DrawSettings`, applied in this order.
    seed : int, optional
        The same seed gives the same text, streamed or not, and a longer text begins with the shorter one; without a
        seed, every call gives another.
    num_samples : int, optional
        Draw so many texts at once.
    unknown : {"error", "skip", "replace"}
        What to do with characters of the prime that the vocabulary does not hold; see
        :meth:`charlm_utils.vocabulary.Vocabulary.encode`.
    stop : str or sequence of str
        A string of any length, or several: a text ends with the first place where one of them was drawn. The prime
        does not count, and ``""`` stands for none.
    stream : bool
        Whether to print one text while it is drawn, up to ``CHUNK`` characters at a time.

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
    sampler = Sampler(model, vocabulary, loops=_SHARED_LOOPS)
    options = {"seed": seed, "num_samples": num_samples, "unknown": unknown, "stop": stop, "stream": stream}
    return sampler.generate(prime, length, **options, **settings)


@checked
def generate_windows(
    model: KerasModel,
    vocabulary: AVocabulary,
    prime: Text,
    length: Size,
    *,
    time: Size,
    temperature=1.0,
    seed: DrawSeed | None = None,
):
    """Continue a text, each character drawn after reading the last ``time`` characters from a zero state.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``; the last ones count. Any layers will do.
    vocabulary : Vocabulary
        The one that the model was trained with.
    prime : str
        At least ``time`` characters.
    length, time : int
        Characters to draw, and to read for each.
    temperature : float
        See :func:`apply_temperature`; 0 is greedy.
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
    settings = DrawSettings(temperature=temperature)
    settings.check(len(vocabulary))
    check_vocabulary(model, vocabulary)
    ids = vocabulary.encode(prime)
    if len(ids) < time:
        raise ValueError(f"the prime must hold at least {time} characters, got {len(ids)}: {prime!r}")
    seed = _drawn_seed(seed)
    warn_without_cudnn(model)
    temperature, _ = _tensors(settings)

    @tf.function
    def draw(window, noise):
        logits = tf.cast(model(window)[:, -1], tf.float32)  # (1, vocab)
        return _choose(logits, noise * temperature, temperature, None)  # (1,)

    steps = block_length(1, len(vocabulary))
    for i in range(length):
        if i % steps == 0:
            noise = gumbel_noise(seed, i // steps, 1, len(vocabulary))
        ids = np.append(ids, draw(tf.constant(ids[None, -time:], tf.int32), noise[i % steps]))
    return prime + vocabulary.decode(ids[-length:])
