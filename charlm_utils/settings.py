"""What can be set of models and of sampling, known without TensorFlow, so that options are checked at once."""

import importlib
import math
import numbers
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Annotated

import numpy as np

from charlm_utils.checks import (
    Flag,
    Kind,
    ShareBelowOne,
    Size,
    Text,
    Texts,
    VocabSize,
    check,
    checked,
    choice,
    is_integer,
    shown,
)

# kinds of recurrent layers


class Cell:
    """A kind of recurrent layer that :func:`charlm_utils.models.build_model` knows.

    Parameters
    ----------
    layer : type or str
        A ``keras.layers.RNN`` that takes ``units``, ``return_sequences`` and ``return_state``; or its full name, by
        which it is imported when it is asked for.
    fast : type or str, optional
        The same layer with the fast path that :mod:`charlm_utils.layers` describes; it takes ``recurrent_dtype`` too.
    """

    def __init__(self, layer, fast=None):
        self._layer = layer
        self._fast = fast

    @property
    def layer(self):
        """The layer, a class."""
        return _imported(self._layer)

    @property
    def fast(self):
        """The layer with a fast path, a class, or None."""
        return _imported(self._fast)

    @property
    def has_fast(self):
        """Whether there is one with a fast path."""
        return self._fast is not None


def _imported(kind):
    """Return a class that is given by its full name; anything else as it is."""
    if not isinstance(kind, str):
        return kind
    module, _, name = kind.rpartition(".")
    return getattr(importlib.import_module(module), name)


CELLS = {
    "rnn": Cell("keras.layers.SimpleRNN"),
    "gru": Cell("keras.layers.GRU", "charlm_utils.layers.FastGRU"),
    "lstm": Cell("keras.layers.LSTM", "charlm_utils.layers.FastLSTM"),
}


def check_cell(cell, fast, recurrent_dtype):
    """Raise a ``ValueError`` if there is no such cell, or none with a fast path where one is asked for."""
    known = [name for name, kind in CELLS.items() if kind.has_fast or not fast]
    if cell not in known:
        raise ValueError(f"cell must be one of {', '.join(known)}, got {cell!r}{' with fast=True' if fast else ''}")
    if recurrent_dtype != "float32" and not fast:
        raise ValueError(f"recurrent_dtype={recurrent_dtype!r} needs fast=True")


MOST_LAYERS = 100  # of a run; more take minutes to build
MOST_WEIGHTS = 100_000_000  # of a run: 400 MB
_GATES = {"rnn": 1, "gru": 3, "lstm": 4}


@checked
def weight_shapes(
    vocab_size: Size,
    *,
    cell: Text = "gru",
    units: Size = 256,
    num_layers: Size = 1,
    embedding_dim: Size | None = 64,
    dropout: ShareBelowOne = 0.0,
    fast: Flag = False,
    recurrent_dtype: choice("float32", "bfloat16") = "float32",
):
    """Return the shapes of the weights of a model before it is built, in the model's order.

    Parameters are those of :func:`charlm_utils.models.build_model`.

    Returns
    -------
    list of tuple, or None
        None for a cell that is not one of the book's: only its layer knows.

    Raises
    ------
    ValueError
        As ``build_model``, and if the model is larger than a run may be.
    """
    check_cell(cell, fast, recurrent_dtype)
    if num_layers > MOST_LAYERS:
        raise ValueError(f"num_layers must be at most {MOST_LAYERS}, got {num_layers}")
    gates = _GATES.get(cell)
    inputs = vocab_size if embedding_dim is None else embedding_dim
    shapes = [(vocab_size, inputs)]
    for _ in range(num_layers):
        width = (gates or 1) * units
        shapes += [(inputs, width), (units, width), (2, width) if cell == "gru" else (width,)]
        inputs = units
    shapes += [(units, vocab_size), (vocab_size,)]
    total = sum(math.prod(shape) for shape in shapes)
    if total > MOST_WEIGHTS:
        raise ValueError(
            f"units={units}, num_layers={num_layers}, embedding_dim={embedding_dim} and vocab_size={vocab_size} must "
            f"make at most {MOST_WEIGHTS:,} weights, got {total:,}"
        )
    return shapes if gates else None


# how a character is drawn

DrawSeed = Annotated[
    int, Kind("a whole number of at most 64 bits", lambda value: is_integer(value) and -(2**63) <= value < 2**63)
]

# Filters see logits, the largest first, and say which of them stay.


def _largest(ordered, k):
    """Whether logits ``(..., vocab)``, the largest first, are among the ``k`` first."""
    import tensorflow as tf

    return tf.broadcast_to(tf.range(ordered.shape[-1]) < k, tf.shape(ordered))


def _nucleus(ordered, p):
    """Whether logits, the largest first, are in the smallest set of probability ``p``: the likelier ones fall short."""
    import tensorflow as tf

    likelier = tf.cumsum(tf.nn.softmax(ordered), axis=-1, exclusive=True)
    return (likelier < p) | (tf.range(ordered.shape[-1]) < 1) | (p >= 1)


def _near_the_likeliest(ordered, m):
    """Whether logits, the largest first, stand for at least ``m`` times the probability of the likeliest."""
    import tensorflow as tf

    return ordered >= ordered[..., :1] + tf.math.log(m)


@dataclass(frozen=True)
class Setting:
    """What a field of :class:`DrawSettings` says about itself, in ``field.metadata["setting"]``.

    Attributes
    ----------
    kind : type
        ``float`` or ``int``.
    help : str
        What it does, in a few words.
    range : str
        The allowed values in words, after "must be"; ``{vocab_size}`` stands for the number of characters.
    allows : callable
        From a value and the number of characters to whether the value is in the range.
    off : float or int, optional
        A filter's value that keeps all characters; it stands for None.
    keeps : callable, optional
        For a filter: from logits ``(..., vocab)``, the largest first, and the value to booleans of the same shape.
    """

    kind: type
    help: str
    range: str
    allows: Callable
    off: float | None = None
    keeps: Callable | None = None

    def check(self, name, value, vocab_size):
        """Raise a ``ValueError`` that names the value and the range if it is outside of it."""
        limits = self.range.format(vocab_size=vocab_size)
        wanted = numbers.Integral if self.kind is int else numbers.Real
        if not isinstance(value, wanted) or isinstance(value, bool):
            words = "a whole number" if self.kind is int else "a number"
            raise ValueError(f"{name} must be {words} {limits}, got {shown(value)}")
        if not self.allows(value, vocab_size):
            raise ValueError(f"{name} must be {limits}, got {shown(value)}")

    def tensor(self, value):
        """Return a value in the type in which the loops take it."""
        import tensorflow as tf

        return tf.constant(value, tf.int32 if self.kind is int else tf.float32)


def draw_setting(*, default, **facts):
    """Return a field of :class:`DrawSettings` with its default and the attributes of its :class:`Setting`."""
    return field(default=default, metadata={"setting": Setting(**facts)})


@dataclass(frozen=True)
class DrawSettings:
    """How a character is chosen from the logits. To add a filter, add a field here and the function that it names.

    They apply in the order of the fields, and each filter sees the probabilities that those before it have left,
    divided by their sum: ``top_p=0.9`` after ``top_k=5`` keeps 0.9 of what the five have together. What is left after
    the last one is again divided by its sum, and drawn from.

    Attributes
    ----------
    temperature : float
        At least 0; see :func:`charlm_utils.sampling.apply_temperature`.
    top_k : int, optional
        Between 1 and the number of characters; see :func:`charlm_utils.sampling.keep_top_k`.
    top_p : float, optional
        Above 0 and at most 1; see :func:`charlm_utils.sampling.keep_top_p`.
    min_p : float, optional
        Between 0 and 1; see :func:`charlm_utils.sampling.keep_min_p`.
    """

    temperature: float = draw_setting(
        default=1.0,
        kind=float,
        help="0 is greedy, 1 is the model's own",
        range="at least 0 and finite",
        allows=lambda value, vocab_size: 0 <= value < np.inf,
    )
    top_k: int | None = draw_setting(
        default=None,
        kind=int,
        help="draw from the k likeliest characters",
        range="between 1 and {vocab_size}",
        allows=lambda value, vocab_size: 1 <= value <= vocab_size,
        off=np.iinfo(np.int32).max,
        keeps=_largest,
    )
    top_p: float | None = draw_setting(
        default=None,
        kind=float,
        help="draw from the likeliest characters that make up p",
        range="above 0 and at most 1",
        allows=lambda value, vocab_size: 0 < value <= 1,
        off=1.0,
        keeps=_nucleus,
    )
    min_p: float | None = draw_setting(
        default=None,
        kind=float,
        help="draw from the characters at least p times as likely as the likeliest",
        range="between 0 and 1",
        allows=lambda value, vocab_size: 0 <= value <= 1,
        off=0.0,
        keeps=_near_the_likeliest,
    )

    @checked
    def check(self, vocab_size: VocabSize):
        """Raise a ``ValueError`` that names the first setting out of its range, and the range."""
        for place in fields(self):
            setting = place.metadata["setting"]
            value = getattr(self, place.name)
            if value is not None or setting.keeps is None:
                setting.check(place.name, value, vocab_size)


@dataclass(frozen=True, kw_only=True)
class Request:
    """What text is asked of a model; :func:`charlm_utils.sampling.generate` describes the fields."""

    prime: str
    length: int
    settings: DrawSettings
    seed: int | None = None
    unknown: str = "error"
    stop: object = ""

    @property
    def stops(self):
        """The strings that end a text, as a list."""
        return [stop for stop in _as_list(self.stop) if stop]

    def primed(self, vocabulary):
        """Return the ids of the prime ``(time,)``."""
        return vocabulary.encode(self.prime, self.unknown)

    def check(self, vocabulary):
        """Raise a ``ValueError`` that names the first field out of its range, given the model's vocabulary."""
        self.settings.check(len(vocabulary))
        check("prime", self.prime, Text)
        if not len(self.primed(vocabulary)):
            raise ValueError(f"the prime must hold at least one character of the vocabulary, got {self.prime!r}")
        check("length", self.length, Size)
        if self.seed is not None:
            check("seed", self.seed, DrawSeed)
        check("stop", _as_list(self.stop), Texts)
        for stop in self.stops:
            foreign = [character for character in stop if character not in vocabulary]
            if foreign:
                raise ValueError(
                    f"stop must hold only characters of the vocabulary, got {stop!r}: {foreign[0]!r} "
                    f"(U+{ord(foreign[0]):04X}) is none of the {len(vocabulary)}"
                )


def _as_list(stop):
    """Return one string, or a sequence of them, as a list; anything else as it is."""
    if isinstance(stop, str):
        return [stop]
    return list(stop) if isinstance(stop, list | tuple | set | frozenset) else stop
