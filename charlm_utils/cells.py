"""One step of each recurrent cell in NumPy, with the weight layout of Keras: to read, and to test Keras against."""

from typing import Annotated

import numpy as np

from charlm_utils.checks import Kind, Numbers, checked, is_array


def _is_pair(states):
    return isinstance(states, list | tuple) and len(states) == 2 and all(is_array(state, "iuf") for state in states)


_Pair = Annotated[tuple, Kind("a pair (h, c) of arrays of finite numbers", _is_pair)]


@checked
def rnn_step(inputs: Numbers, state: Numbers, kernel: Numbers, recurrent_kernel: Numbers, bias: Numbers):
    """Take one step of a plain recurrent cell, as ``keras.layers.SimpleRNNCell`` does (Elman 1990).

    ``state`` becomes ``tanh(inputs @ kernel + state @ recurrent_kernel + bias)``.

    Parameters
    ----------
    inputs : numpy.ndarray
        Floats ``(batch, features)``: embeddings or one-hot rows.
    state : numpy.ndarray
        Floats ``(batch, units)``: what the step before returned, zeros at the start.
    kernel, recurrent_kernel, bias : numpy.ndarray
        Floats ``(features, units)``, ``(units, units)`` and ``(units,)``, as ``cell.get_weights()`` gives them.

    Returns
    -------
    numpy.ndarray
        The new state ``(batch, units)``, which is also the output.

    Raises
    ------
    ValueError
        If an argument is no array of finite numbers, or its shape does not fit the others; the message names the
        argument, the shape it needs and the shape it has.
    """
    inputs, (state,), *weights = _checked(1, inputs, {"state": state}, kernel, recurrent_kernel, bias)
    kernel, recurrent_kernel, bias = weights
    return np.tanh(inputs @ kernel + state @ recurrent_kernel + bias)


@checked
def gru_step(inputs: Numbers, state: Numbers, kernel: Numbers, recurrent_kernel: Numbers, bias: Numbers):
    """Take one step of a gated recurrent unit, as ``keras.layers.GRUCell`` does (Cho et al. 2014).

    The update gate z, the reset gate r and the candidate stand side by side, in this order, in the columns of the
    weights. The reset gate multiplies the *product* with the recurrent kernel (``reset_after=True``, the default).

    Parameters
    ----------
    inputs : numpy.ndarray
        Floats ``(batch, features)``.
    state : numpy.ndarray
        Floats ``(batch, units)``.
    kernel, recurrent_kernel, bias : numpy.ndarray
        Floats ``(features, 3 * units)``, ``(units, 3 * units)`` and ``(2, 3 * units)``: the first row of the bias
        belongs to the inputs, the second to the state.

    Returns
    -------
    numpy.ndarray
        The new state ``(batch, units)``, which is also the output.

    Raises
    ------
    ValueError
        As :func:`rnn_step`.
    """
    inputs, (state,), *weights = _checked(3, inputs, {"state": state}, kernel, recurrent_kernel, bias, bias_rows=2)
    kernel, recurrent_kernel, bias = weights
    from_inputs = np.split(inputs @ kernel + bias[0], 3, axis=-1)
    from_state = np.split(state @ recurrent_kernel + bias[1], 3, axis=-1)
    update = _sigmoid(from_inputs[0] + from_state[0])
    reset = _sigmoid(from_inputs[1] + from_state[1])
    candidate = np.tanh(from_inputs[2] + reset * from_state[2])
    return update * state + (1 - update) * candidate


@checked
def lstm_step(inputs: Numbers, states: _Pair, kernel: Numbers, recurrent_kernel: Numbers, bias: Numbers):
    """Take one step of a long short-term memory, as ``keras.layers.LSTMCell`` does (Hochreiter and Schmidhuber 1997).

    The input gate i, the forget gate f, the candidate and the output gate o stand side by side, in this order, in the
    columns of the weights. Nothing is added to the forget gate: Keras keeps its forget bias of 1 in ``bias``.

    Parameters
    ----------
    inputs : numpy.ndarray
        Floats ``(batch, features)``.
    states : tuple of numpy.ndarray
        Output and memory, ``(h, c)``, each ``(batch, units)``.
    kernel, recurrent_kernel, bias : numpy.ndarray
        Floats ``(features, 4 * units)``, ``(units, 4 * units)`` and ``(4 * units,)``.

    Returns
    -------
    tuple of numpy.ndarray
        The new ``(h, c)``, each ``(batch, units)``; the output is ``h``.

    Raises
    ------
    ValueError
        As :func:`rnn_step`, and if ``states`` is not a pair.
    """
    named = {"h of the states": states[0], "c of the states": states[1]}
    inputs, (h, c), kernel, recurrent_kernel, bias = _checked(4, inputs, named, kernel, recurrent_kernel, bias)
    gates = np.split(inputs @ kernel + h @ recurrent_kernel + bias, 4, axis=-1)
    input_gate, forget_gate, output_gate = (_sigmoid(gates[i]) for i in (0, 1, 3))
    c = forget_gate * c + input_gate * np.tanh(gates[2])
    return output_gate * np.tanh(c), c


def _sigmoid(x):
    """Return ``1 / (1 + exp(-x))``, written so that no exponential overflows."""
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _checked(blocks, inputs, states, kernel, recurrent_kernel, bias, bias_rows=None):
    """Return everything as arrays, with the states in a list, or name the first shape that does not fit."""
    inputs, kernel, recurrent_kernel, bias = map(np.asarray, (inputs, kernel, recurrent_kernel, bias))
    names, states = list(states), [np.asarray(state) for state in states.values()]
    for name, array in zip(["inputs", *names], [inputs, *states], strict=True):
        if array.ndim != 2:
            raise ValueError(f"{name} must have two axes, (batch, ...), got shape {array.shape}")
    (batch_size, features), units = inputs.shape, states[0].shape[1]
    width = blocks * units
    needed = [
        *((name, state, (batch_size, units)) for name, state in zip(names, states, strict=True)),
        ("kernel", kernel, (features, width)),
        ("recurrent_kernel", recurrent_kernel, (units, width)),
        ("bias", bias, (width,) if bias_rows is None else (bias_rows, width)),
    ]
    for name, array, shape in needed:
        if array.shape != shape:
            raise ValueError(
                f"{name} must have shape {shape} for inputs {inputs.shape} and {units} units, got {array.shape}"
            )
    return inputs, states, kernel, recurrent_kernel, bias
