"""A small noise on initial weights, by which one sees what hangs on rounding: the variable ``CHARLM_JITTER``."""

import math
import os

import numpy as np
import tensorflow as tf

LARGEST = 1e-3  # more than this moves the training itself, and not only its last digits
_WAVE = np.random.default_rng().uniform(1e6, 2e6)  # no seed repeats it
_scopes = {}  # per graph, the entered scope; it ends with the process


def jitter_size():
    """Return the largest relative noise that the environment variable ``CHARLM_JITTER`` asks for.

    Returns
    -------
    float
        At least 0; 0 (the default) means no noise.

    Raises
    ------
    ValueError
        If ``CHARLM_JITTER`` is not a number between 0 and 0.001.
    """
    text = os.environ.get("CHARLM_JITTER") or "0"
    try:
        size = float(text)
    except ValueError:
        size = math.nan
    if not 0 <= size <= LARGEST:
        raise ValueError(f"CHARLM_JITTER must be a number between 0 and {LARGEST}, got {text!r}")
    return size


def start_jitter():
    """From now on, move the weights that initializers draw by the noise that ``CHARLM_JITTER`` asks for, if any.

    It reaches every ``tf.Variable`` made later in this thread and graph, those of Keras layers among them, if it is
    trained and its first value comes from an initializer: a function or a tensor. Values given as arrays or lists,
    and whole numbers such as the zeros of a bias, stay. A weight :math:`w` becomes :math:`w (1 + s \\sin(k w))` with
    the size :math:`s` and a large number :math:`k` that each process draws anew: within a process, equal weights stay
    equal.
    """
    graph = tf.compat.v1.get_default_graph()
    if jitter_size() and graph not in _scopes:
        _scopes[graph] = tf.variable_creator_scope(_create_moved)
        _scopes[graph].__enter__()


def _create_moved(next_creator, **options):
    given = options["initial_value"]
    drawn = callable(given) or tf.is_tensor(given)
    if jitter_size() and drawn and options.get("trainable") is not False:
        options["initial_value"] = lambda: _moved(given() if callable(given) else given)
    return next_creator(**options)


def _moved(value):
    if not value.dtype.is_floating:
        return value
    exact = tf.cast(value, tf.float64)
    moved = exact * (1 + jitter_size() * tf.sin(_WAVE * exact))
    return tf.where(value == tf.round(value), value, tf.cast(moved, value.dtype))
