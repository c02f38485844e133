"""What arguments must be: kinds to annotate parameters with, and one decorator that checks them.

A kind says in words what a value must be, and tells whether one is. It stands in the annotation of a parameter::

    @checked
    def contiguous_batches(ids: Ids, batch_size: Size, time: Size): ...

    contiguous_batches(ids, "x", 5)  # ValueError: batch_size must be an integer of at least 1, got 'x'

``Size | None`` takes None as well. What hangs on several arguments at once is checked in the functions themselves.
"""

import functools
import inspect
import os
import reprlib
import sys
import typing
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np

LARGEST = 2**31 - 1  # of sizes: what TensorFlow counts with
_LARGEST_FLOAT = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Kind:
    """What a value must be.

    Attributes
    ----------
    words : str
        What follows "must be" in the message.
    allows : callable
        From a value of any type to whether it is of this kind.
    """

    words: str
    allows: Callable


# numbers


def is_integer(value):
    """Whether a value is an integer, Python's or NumPy's; a bool is none, and neither is 2.0."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def is_finite(value):
    """Whether a value is a number, Python's or NumPy's, that float32 can hold: not nan, not infinite, and no bool."""
    if isinstance(value, np.floating):
        value = float(value)
    return (is_integer(value) or isinstance(value, float)) and abs(value) <= _LARGEST_FLOAT  # nan compares false


def at_least(low):
    """Return the kind of integers from ``low`` on."""
    return Kind(f"an integer of at least {low}", lambda value: is_integer(value) and value >= low)


def at_most(high):
    """Return the kind of integers up to ``high``."""
    return Kind(f"an integer of at most {high}", lambda value: is_integer(value) and value <= high)


def integer(low, high):
    """Return the annotation of an integer between two limits, both included."""
    words = f"an integer between {low} and {high}"
    return Annotated[int, Kind(words, lambda value: is_integer(value) and low <= value <= high)]


def number(words, allows):
    """Return the annotation of a finite number for which ``allows``, which the words describe, is true."""
    return Annotated[float, Kind(words, lambda value: is_finite(value) and allows(value))]


Length = Annotated[int, at_least(1)]
Size = Annotated[int, at_least(1), at_most(LARGEST)]
Count = Annotated[int, at_least(0), at_most(LARGEST)]
VocabSize = Annotated[int, at_least(1), at_most(sys.maxunicode + 1)]
Seed = integer(0, 2**32 - 1)
Positive = number("a finite number above 0", lambda value: value > 0)
NotNegative = number("a finite number of at least 0", lambda value: value >= 0)
Share = number("a number between 0 and 1", lambda value: 0 <= value <= 1)
ShareBelowOne = number("a number of at least 0 and below 1", lambda value: 0 <= value < 1)


# arrays


def is_array(value, types, axes=None, minus_infinity=False):
    """Whether NumPy makes of a value an array of one of the types, finite, with so many axes or any number.

    Parameters
    ----------
    value : object
        Anything, lists among it.
    types : str
        Letters of NumPy's kinds: ``i`` signed, ``u`` unsigned, ``f`` floating.
    axes : int, optional
        Their number.
    minus_infinity : bool
        Whether minus infinity will do, as a logit for example.
    """
    try:
        array = np.asarray(value)
    except Exception:  # what a list of uneven rows raises, or whatever a foreign object does
        return False
    if axes is not None and array.ndim != axes:
        return False
    if array.size == 0 and isinstance(value, list | tuple):  # NumPy takes an empty list to be one of floats
        return True
    if array.dtype.kind not in types:
        return False
    if array.dtype.kind != "f":
        return True
    allowed = np.isfinite(array)
    if minus_infinity:
        allowed = allowed | (array == -np.inf)
    return bool(allowed.all())


Ids = Annotated[np.ndarray, Kind("a 1-D array of integers", lambda value: is_array(value, "iu", axes=1))]
Numbers = Annotated[np.ndarray, Kind("finite numbers", lambda value: is_array(value, "iuf"))]
NumberList = Annotated[np.ndarray, Kind("a 1-D array of finite numbers", lambda value: is_array(value, "iuf", axes=1))]
Rows = Annotated[np.ndarray, Kind("rows of finite numbers", lambda value: is_array(value, "iuf") and np.ndim(value))]


# texts and others


def is_path(value):
    """Whether a value can name a file or folder: a string or a ``Path`` without NUL."""
    if not isinstance(value, str | os.PathLike):
        return False
    name = os.fspath(value)
    return isinstance(name, str) and name != "" and "\0" not in name


def is_text_list(value):
    """Whether a value is a list or tuple of strings."""
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def is_iterable(value):
    """Whether a value can be gone through, and is not one string."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes)


def are_variables(value):
    """Whether a value is a list of variables, of Keras or TensorFlow."""
    return isinstance(value, list | tuple) and all(hasattr(item, "assign") and hasattr(item, "shape") for item in value)


def are_characters(value):
    """Whether a value is a string, or a list or array of strings."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return isinstance(value, str) or is_text_list(value)


def is_text_or_ids(value):
    """Whether a value is a string or a row of integers."""
    return isinstance(value, str) or is_array(value, "iu", axes=1)


def choice(*values):
    """Return the annotation of one of a few values."""
    words = "one of " + ", ".join(str(value) for value in values)
    return Annotated[object, Kind(words, lambda value: any(_equals(value, one) for one in values))]


def instance(module, name, words):
    """Return the annotation of an object of a class; its module need not be imported, since then there is none."""

    def allows(value):
        return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))

    return Annotated[object, Kind(words, allows)]


def _equals(value, one):
    return isinstance(value, type(one)) and value == one


TextOrIds = Annotated[object, Kind("a string or a 1-D array of integers", is_text_or_ids)]
HowUnknown = choice("error", "skip", "replace")
Flag = Annotated[bool, Kind("True or False", lambda value: isinstance(value, bool | np.bool_))]
Text = Annotated[str, Kind("a string", lambda value: isinstance(value, str))]
Character = Annotated[str, Kind("one character", lambda value: isinstance(value, str) and len(value) == 1)]
Characters = Annotated[str, Kind("a string or a list of characters", are_characters)]
Texts = Annotated[list, Kind("a list of strings", is_text_list)]
ManyTexts = Annotated[Iterable, Kind("strings, and not one string", is_iterable)]
AnyPath = Annotated[str, Kind("the path of a file or folder", is_path)]
Variables = Annotated[list, Kind("a list of variables", are_variables)]
List = Annotated[list, Kind("a list", lambda value: isinstance(value, list | tuple | np.ndarray))]
Mapping = Annotated[dict, Kind("a dictionary", lambda value: isinstance(value, dict))]
Function = Annotated[Callable, Kind("a function", callable)]
KerasModel = instance("keras", "Model", "a Keras model")
KerasLayer = instance("keras", "Layer", "a Keras layer")
MatplotlibAxes = instance("matplotlib.axes", "Axes", "Matplotlib axes")
ARun = instance("charlm_utils.runs", "Run", "a Run, which load_run gives")
AnOperation = instance("charlm_utils.traces", "Operation", "an Operation, which record_operations gives")
ARecipe = instance("charlm_utils.reproduce", "Recipe", "a Recipe")
SomeProgress = instance("charlm_utils.checkpoints", "Progress", "a Progress")
AVocabulary = instance("charlm_utils.vocabulary", "Vocabulary", "a Vocabulary")


# checking


def check(name, value, annotation):
    """Raise a ``ValueError`` of one line if a value is not what an annotation asks for.

    Parameters
    ----------
    name : str
        Of the parameter, or of the option on the command line.
    value : object
        What was given.
    annotation : type
        One of this module, or a union of it with None; any other is not checked.
    """
    parts = typing.get_args(annotation) if _is_optional(annotation) else [annotation]
    if value is None and _is_optional(annotation):
        return
    for part in parts:
        for kind in getattr(part, "__metadata__", ()):
            if not kind.allows(value):
                or_none = " or None" if _is_optional(annotation) else ""
                raise ValueError(f"{name} must be {kind.words}{or_none}, got {shown(value)}")


def _is_optional(annotation):
    return type(None) in typing.get_args(annotation)


def checked(function):
    """Check the annotated arguments of a function, or those that make an object of a dataclass, before it runs.

    What it shows of itself (signature, help) has no annotations: docstrings give the types in words.
    """
    if isinstance(function, type):
        function.__init__ = checked(function.__init__)
        return function
    signature = inspect.signature(function)
    kinds = {name: p.annotation for name, p in signature.parameters.items() if p.annotation is not p.empty}

    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        try:
            given = signature.bind(*args, **kwargs).arguments
        except TypeError:  # an argument is missing or unknown: Python's own message names the function too
            return function(*args, **kwargs)
        for name, annotation in kinds.items():
            if name in given:
                check(name, given[name], annotation)
        return function(*args, **kwargs)

    parameters = [p.replace(annotation=p.empty) for p in signature.parameters.values()]
    wrapper.__signature__ = signature.replace(parameters=parameters, return_annotation=signature.empty)
    wrapper.__annotations__ = {}
    return wrapper


# messages

_SHORT = reprlib.Repr()
_SHORT.maxstring = 60
_SHORT.maxother = 60
_SHORT.maxlist = 4
_SHORT.maxtuple = 4


def shown(value):
    """Return how a value stands in a message: in one line, shortened, arrays by shape and type."""
    if hasattr(value, "shape") and hasattr(value, "dtype") and np.ndim(value):
        return f"shape {tuple(value.shape)} of {value.dtype}"
    try:
        return " ".join(_SHORT.repr(value).split())
    except ValueError:  # Python does not write out an integer of thousands of digits
        return f"one of type {type(value).__name__} and thousands of digits"
