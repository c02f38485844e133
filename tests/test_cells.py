import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm_utils.cells import gru_step, lstm_step, rnn_step

BATCH, FEATURES, UNITS = 2, 3, 5
STEPS = {"rnn": rnn_step, "gru": gru_step, "lstm": lstm_step}
KERAS = {"rnn": keras.layers.SimpleRNNCell, "gru": keras.layers.GRUCell, "lstm": keras.layers.LSTMCell}
BLOCKS = {"rnn": 1, "gru": 3, "lstm": 4}

every_kind = pytest.mark.parametrize("kind", STEPS)
size = st.integers(1, 9)


def random_state(kind, draw, batch=BATCH, units=UNITS):
    arrays = [draw.normal(size=(batch, units)) for _ in range(2 if kind == "lstm" else 1)]
    return tuple(arrays) if kind == "lstm" else arrays[0]


def random_weights(kind, draw, features=FEATURES, units=UNITS):
    width = BLOCKS[kind] * units
    bias = (2, width) if kind == "gru" else (width,)
    return [draw.normal(size=shape) for shape in ((features, width), (units, width), bias)]


def arguments(kind, seed=0):
    draw = np.random.default_rng(seed)
    return [draw.normal(size=(BATCH, FEATURES)), random_state(kind, draw), *random_weights(kind, draw)]


def keras_cell(kind, weights, dtype="float64"):
    """A Keras cell that holds ``weights``; it refuses them if their layout is not its own."""
    cell = KERAS[kind](weights[1].shape[0], dtype=dtype)
    cell.build((None, weights[0].shape[0]))
    cell.set_weights(weights)
    return cell


def step_of_keras(cell, inputs, state):
    states = list(state) if isinstance(state, tuple) else [state]
    output, new = cell(keras.ops.convert_to_tensor(inputs), [keras.ops.convert_to_tensor(s) for s in states])
    new = [np.asarray(s) for s in (new if isinstance(new, list | tuple) else [new])]
    np.testing.assert_array_equal(output, new[0])  # what we return first is the output too
    return new


def as_list(state):
    return list(state) if isinstance(state, tuple) else [state]


@every_kind
@given(batch=size, features=size, units=size, seed=st.integers(0, 2**32 - 1))
def test_step_equals_keras_for_any_shape(kind, batch, features, units, seed):
    draw = np.random.default_rng(seed)
    inputs, state = draw.normal(size=(batch, features)), random_state(kind, draw, batch, units)
    weights = random_weights(kind, draw, features, units)
    new = as_list(STEPS[kind](inputs, state, *weights))
    expected = step_of_keras(keras_cell(kind, weights), inputs, state)
    assert [array.shape for array in new] == [(batch, units)] * len(expected)
    np.testing.assert_allclose(new, expected, atol=1e-12)


@every_kind
def test_step_equals_keras_in_single_precision_with_its_own_first_weights(kind):
    keras.utils.set_random_seed(0)
    cell = KERAS[kind](UNITS)
    cell.build((None, FEATURES))
    inputs, state, *_ = arguments(kind)
    inputs, state = np.float32(inputs), tuple(np.float32(s) for s in as_list(state))
    state = state if kind == "lstm" else state[0]
    new = as_list(STEPS[kind](inputs, state, *cell.get_weights()))
    assert {array.dtype for array in new} == {np.dtype("float32")}
    np.testing.assert_allclose(new, step_of_keras(cell, inputs, state), atol=1e-6)


@every_kind
def test_many_steps_equal_the_layer_of_keras(kind):
    time = 7
    layers = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
    _, state, *weights = arguments(kind)
    sequence = np.random.default_rng(1).normal(size=(BATCH, time, FEATURES))
    layer = layers[kind](UNITS, return_sequences=True, dtype="float64")
    layer.build((BATCH, time, FEATURES))
    layer.set_weights(weights)
    expected = layer(sequence, initial_state=as_list(state))  # (batch, time, units)
    for t in range(time):
        state = STEPS[kind](sequence[:, t], state, *weights)
        np.testing.assert_allclose(as_list(state)[0], expected[:, t], atol=1e-6)


@every_kind
def test_arguments_are_left_as_they_were(kind):
    given_arguments, same = arguments(kind), arguments(kind)
    STEPS[kind](*given_arguments)
    for one, other in zip(given_arguments, same, strict=True):
        np.testing.assert_array_equal(one, other)


@every_kind
def test_lists_and_one_hot_integers_will_do(kind):
    inputs, state, *weights = arguments(kind)
    one_hot = np.eye(FEATURES, dtype=int)[[2, 0]]
    new = STEPS[kind](one_hot.tolist(), state, *(w.tolist() for w in weights))
    np.testing.assert_array_equal(new, STEPS[kind](one_hot.astype(float), state, *weights))


@every_kind
def test_large_numbers_give_no_overflow(kind):
    inputs, state, *weights = arguments(kind)
    with np.errstate(all="raise", under="ignore"):
        new = as_list(STEPS[kind](1e4 * inputs, state, *weights))
    assert np.isfinite(new).all()


def test_plain_rnn_by_hand():
    new = rnn_step([[1.0]], [[0.5]], [[2.0]], [[-1.0]], [0.25])
    np.testing.assert_allclose(new, [[np.tanh(2.0 - 0.5 + 0.25)]])


def test_open_update_gate_keeps_the_state_of_a_gru():
    inputs, state, *weights = arguments("gru")
    weights[2][0, :UNITS] = 1e3  # the biases of z
    np.testing.assert_allclose(gru_step(inputs, state, *weights), state)


def test_open_forget_gate_and_shut_input_gate_keep_the_memory_of_an_lstm():
    inputs, (h, c), *weights = arguments("lstm")
    weights[2][:UNITS], weights[2][UNITS : 2 * UNITS] = -1e3, 1e3  # the biases of i and f
    new_h, new_c = lstm_step(inputs, (h, c), *weights)
    np.testing.assert_allclose(new_c, c)
    assert np.abs(new_h - h).max() > 0.01


def test_lstm_adds_nothing_to_the_forget_gate():
    """The forget bias of 1 that Keras starts with is in its bias."""
    zeros = [np.zeros(shape) for shape in ((FEATURES, 4 * UNITS), (UNITS, 4 * UNITS), (4 * UNITS,))]
    ones = np.ones((BATCH, UNITS))
    np.testing.assert_allclose(lstm_step(np.zeros((BATCH, FEATURES)), (ones, ones), *zeros)[1], 0.5)


WIDTH = {kind: BLOCKS[kind] * UNITS for kind in STEPS}
MISFITS = [  # position of the argument, a shape that does not fit, and what the message must say
    (0, (BATCH, FEATURES + 1), lambda kind: rf"kernel must have shape \({FEATURES + 1}, {WIDTH[kind]}\)"),
    (0, (FEATURES,), lambda kind: r"inputs must have two axes.*got shape \(3,\)"),
    (0, (BATCH, 4, FEATURES), lambda kind: r"inputs must have two axes.*got shape \(2, 4, 3\)"),
    (2, (FEATURES, 7), lambda kind: rf"kernel must have shape \({FEATURES}, {WIDTH[kind]}\).*got \({FEATURES}, 7\)"),
    (3, (UNITS, 7), lambda kind: rf"recurrent_kernel must have shape \({UNITS}, {WIDTH[kind]}\).*got \({UNITS}, 7\)"),
    (4, (1, 7), lambda kind: r"bias must have shape .*5 units, got \(1, 7\)"),
]


@every_kind
@pytest.mark.parametrize(("position", "shape", "message"), MISFITS)
def test_a_shape_that_does_not_fit_is_named(kind, position, shape, message):
    misfit = arguments(kind)
    misfit[position] = np.zeros(shape)
    with pytest.raises(ValueError, match=message(kind)):
        STEPS[kind](*misfit)


@pytest.mark.parametrize("kind", ["rnn", "gru"])
def test_a_state_of_another_batch_is_named(kind):
    inputs, _, *weights = arguments(kind)
    with pytest.raises(ValueError, match=r"^state must have shape \(2, 5\) for inputs \(2, 3\).*got \(4, 5\)"):
        STEPS[kind](inputs, np.zeros((4, UNITS)), *weights)
    with pytest.raises(ValueError, match=r"^state must have two axes.*got shape \(5,\)"):
        STEPS[kind](inputs, np.zeros(UNITS), *weights)


def test_h_and_c_of_an_lstm_are_told_apart():
    inputs, (h, c), *weights = arguments("lstm")
    with pytest.raises(ValueError, match=r"^c of the states must have shape \(2, 5\).*got \(2, 6\)"):
        lstm_step(inputs, (h, np.zeros((BATCH, 6))), *weights)
    with pytest.raises(ValueError, match=r"^h of the states must have shape \(2, 5\).*got \(4, 5\)"):
        lstm_step(inputs, (np.zeros((4, UNITS)), c), *weights)


@pytest.mark.parametrize("states", [np.zeros((BATCH, UNITS)), [np.zeros((BATCH, UNITS))], 3 * [np.zeros(1)]])
def test_states_of_an_lstm_are_a_pair(states):
    inputs, _, *weights = arguments("lstm")
    with pytest.raises(ValueError, match=r"states must be a pair \(h, c\)"):
        lstm_step(inputs, states, *weights)


def test_one_row_of_biases_is_refused_by_the_gru():
    """That is the layout of ``reset_after=False``, which multiplies the reset gate in elsewhere."""
    inputs, state, kernel, recurrent_kernel, bias = arguments("gru")
    with pytest.raises(ValueError, match=r"bias must have shape \(2, 15\).*got \(15,\)"):
        gru_step(inputs, state, kernel, recurrent_kernel, bias[0])
