"""The fast layers give what Keras's layers give: outputs, states, gradients, and whole models."""

import os
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils import layers
from charlm_utils.layers import FastGRU, FastLSTM, FastRNN
from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.sampling import generate
from charlm_utils.training import train
from charlm_utils.vocabulary import Vocabulary

BATCH, TIME, FEATURES, UNITS, VOCAB = 3, 7, 4, 5, 11
PAIRS = {"gru": (keras.layers.GRU, FastGRU, 1), "lstm": (keras.layers.LSTM, FastLSTM, 2)}
LONG = 2 * layers.BLOCK + 3  # two whole blocks of the backward loop and a rest


def pair(cell, ours=None, **settings):
    """Return a Keras layer and a fast one with the same random weights, biases included."""
    settings = {"return_sequences": True, "return_state": True} | settings
    plain = PAIRS[cell][0](UNITS, **settings)
    fast = PAIRS[cell][1](UNITS, **settings, **(ours or {}))
    plain.build((BATCH, TIME, FEATURES))
    fast.build((BATCH, TIME, FEATURES))
    draw = np.random.default_rng(0)
    plain.set_weights([draw.normal(0, 0.5, weight.shape) for weight in plain.get_weights()])
    fast.set_weights(plain.get_weights())
    return plain, fast


def normal(*shape, seed=1):
    return tf.constant(np.random.default_rng(seed).normal(size=shape), tf.float32)


def some_states(cell, batch=BATCH):
    return [normal(batch, UNITS, seed=i) for i in range(PAIRS[cell][2])]


def run(layer, cell, batch=BATCH, time=TIME):
    """Return outputs and states, and the gradients of a loss that touches all of them."""
    inputs = normal(batch, time, FEATURES)
    states = some_states(cell, batch)
    with tf.GradientTape() as tape:
        tape.watch([inputs, *states])
        outputs, *after = layer(inputs, initial_state=states)
        loss = loss_of(outputs, after)
    return [outputs, *after], tape.gradient(loss, [inputs, *states, *layer.trainable_variables])


def loss_of(outputs, states):
    loss = tf.reduce_sum(tf.sin(outputs) * normal(*outputs.shape, seed=2))
    for i, state in enumerate(states):
        loss += tf.reduce_sum(tf.square(state)) * (i + 2)
    return loss


def assert_all_close(left, right, tolerance=1e-5):
    """Compare lists of tensors, each relative to the size of its largest element, or to 1 if that is smaller."""
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        size = max(1, np.abs(other).max())
        np.testing.assert_allclose(one, other, rtol=0, atol=tolerance * size)


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize(("batch", "time"), [(3, 7), (1, 1), (5, 1), (1, 6), (2, LONG), (3, layers.BLOCK)])
def test_outputs_states_and_gradients_are_those_of_keras(cell, batch, time):
    plain, fast = pair(cell)
    values, gradients = run(fast, cell, batch, time)
    expected, expected_gradients = run(plain, cell, batch, time)
    assert_all_close(values, expected)
    assert_all_close(gradients, expected_gradients)
    assert all(np.abs(gradient).max() > 1e-3 for gradient in gradients)


@pytest.mark.parametrize("cell", PAIRS)
def test_a_layer_can_return_its_last_output_alone(cell):
    plain, fast = pair(cell, return_sequences=False)
    results, expected = run(fast, cell), run(plain, cell)
    assert_all_close(results[0], expected[0])
    assert_all_close(results[1], expected[1])


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize("largest", ["DEFAULT", "AVX2"])  # with AVX2, in float32 and rounded
def test_bfloat16_comes_near_and_is_not_float32(cell, largest, monkeypatch):
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", largest)
    plain, fast = pair(cell, ours={"recurrent_dtype": "bfloat16"})
    (values, gradients), (expected, expected_gradients) = run(fast, cell), run(plain, cell)
    assert_all_close(values, expected, 0.03)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        assert np.linalg.norm(gradient - other) < 0.02 * np.linalg.norm(other)
    assert np.abs(values[0] - expected[0]).max() > 1e-5
    assert all(value.dtype == tf.float32 for value in [*values, *gradients])


@pytest.mark.slow
def test_bfloat16_does_not_end_the_process_where_onednn_has_none():
    code = (
        "import numpy as np; from charlm_utils.models import build_model;"
        "model = build_model(9, units=16, fast=True, recurrent_dtype='bfloat16');"
        "print(model(np.array([[1, 2]])).shape)"
    )
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    printed = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert printed == "(1, 2, 9)\n"


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize("vocab", [VOCAB, layers.LARGEST_TABLE + 1])
def test_rows_of_a_table_can_be_looked_up_in_the_loop(cell, vocab):
    _, fast = pair(cell)
    ids = np.random.default_rng(3).integers(vocab, size=(BATCH, LONG))
    table = normal(vocab, FEATURES)
    results = []
    for scan in (
        lambda table, states: fast.scan(fast.project(table), states, ids),
        lambda table, states: fast.scan(fast.project(tf.gather(table, ids)), states),
    ):
        with tf.GradientTape() as tape:
            tape.watch(table)
            outputs, *after = scan(table, some_states(cell))
            loss = loss_of(outputs, after)
        gradients = tape.gradient(loss, [table, *fast.trainable_variables])
        results.append([outputs, *after, *map(tf.convert_to_tensor, gradients)])
    assert_all_close(*results)


@pytest.mark.parametrize("cell", PAIRS)
def test_time_may_come_before_batch(cell):
    _, fast = pair(cell)
    ids = np.random.default_rng(3).integers(VOCAB, size=(BATCH, TIME))
    table = fast.project(normal(VOCAB, FEATURES))
    expected = fast.scan(table, some_states(cell), ids)
    for projected, columns in ((table, ids.T), (tf.gather(table, ids.T), None)):
        outputs, *after = fast.scan(projected, some_states(cell), columns, time_major=True)
        assert_all_close([tf.transpose(outputs, (1, 0, 2)), *after], expected)


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize("compiled", [False, True])
def test_steps_one_by_one_are_a_scan(cell, compiled):
    _, fast = pair(cell)
    rows = fast.project(normal(BATCH, TIME, FEATURES))
    outputs, *after = fast.scan(rows, some_states(cell))
    step = tf.function(fast.step, jit_compile=True) if compiled else fast.step
    states, weights = some_states(cell), fast.loop_weights()
    for t in range(TIME):
        output, states = step(rows[:, t], states, weights)
        np.testing.assert_allclose(output, outputs[:, t], atol=1e-5)
    assert_all_close(states, after)


@pytest.mark.parametrize("cell", PAIRS)
def test_sizes_may_be_unknown_while_a_function_is_traced(cell):
    _, fast = pair(cell)
    expected = run(fast, cell)
    unknown = [tf.TensorSpec((None, None, FEATURES)), [tf.TensorSpec((None, UNITS)) for _ in some_states(cell)]]

    @tf.function(input_signature=unknown)
    def traced(inputs, states):
        with tf.GradientTape() as tape:
            outputs, *after = fast(inputs, initial_state=states)
            loss = tf.reduce_sum(tf.sin(outputs) * normal(BATCH, TIME, UNITS, seed=2))
            for i, state in enumerate(after):
                loss += tf.reduce_sum(tf.square(state)) * (i + 2)
        return [outputs, *after], tape.gradient(loss, fast.trainable_variables)

    values, gradients = traced(normal(BATCH, TIME, FEATURES), some_states(cell))
    assert_all_close(values, expected[0])
    assert_all_close(gradients, expected[1][-len(gradients) :])


@pytest.mark.parametrize("cell", PAIRS)
def test_a_stateful_layer_goes_on_where_it_stopped(cell):
    models = [
        keras.Sequential([keras.Input(batch_shape=(BATCH, TIME, FEATURES)), layer(UNITS, stateful=True)])
        for layer in PAIRS[cell][:2]
    ]
    plain, fast = models
    fast.set_weights(plain.get_weights())
    inputs = normal(BATCH, TIME, FEATURES)
    first, second = fast(inputs), fast(inputs)
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(first, plain(inputs), atol=1e-6)
    np.testing.assert_allclose(second, plain(inputs), atol=1e-6)
    fast.layers[0].reset_states()
    np.testing.assert_allclose(fast(inputs), first, atol=1e-6)


@pytest.mark.parametrize("cell", PAIRS)
def test_fit_reaches_the_layer(cell):
    fits = []
    for layer in pair(cell, return_sequences=False, return_state=False):
        model = keras.Sequential([keras.Input((TIME, FEATURES)), layer])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        model.fit(normal(8, TIME, FEATURES), normal(8, UNITS), batch_size=3, shuffle=False, verbose=0)
        fits.append(model.get_weights())
    assert_all_close(*fits)


REFUSED = {
    "activation": ("relu", "activation of a Fast.* must be tanh, got relu"),
    "recurrent_activation": ("hard_sigmoid", "recurrent_activation of a Fast.* must be sigmoid, got hard_sigmoid"),
    "recurrent_dropout": (0.3, "recurrent_dropout of a Fast.* must be 0, got 0.3"),
    "dropout": (0.2, "dropout of a Fast.* must be 0, got 0.2"),
    "go_backwards": (True, "go_backwards of a Fast.* must be False, got True"),
    "use_bias": (False, "use_bias of a Fast.* must be True, got False"),
    "recurrent_dtype": ("float16", "recurrent_dtype must be one of float32, bfloat16, got 'float16'"),
}


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_that_the_loops_are_not_written_for_is_refused(cell, name):
    value, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        PAIRS[cell][1](UNITS, **{name: value})


def test_a_gru_without_reset_after_is_refused():
    with pytest.raises(ValueError, match="reset_after of a FastGRU must be True, got False"):
        FastGRU(UNITS, reset_after=False)


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize(("dtype", "computes"), [("float64", "float64"), ("mixed_bfloat16", "bfloat16")])
def test_another_type_is_left_to_keras_with_one_warning(cell, dtype, computes):
    plain, fast = pair(cell, dtype=dtype)
    assert not fast.is_fast
    inputs = normal(BATCH, TIME, FEATURES)
    with pytest.warns(UserWarning, match=f"runs Keras's loop, not its own: it computes in {computes}"):
        outputs = fast(inputs)[0]
    np.testing.assert_array_equal(tf.cast(outputs, "float64"), tf.cast(plain(inputs)[0], "float64"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fast(inputs)


@pytest.mark.parametrize("cell", PAIRS)
def test_on_a_gpu_the_layer_steps_aside_with_a_warning(cell, monkeypatch):
    plain, fast = pair(cell)
    assert fast.is_fast
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: [kind])
    monkeypatch.setattr(fast, "scan", None)  # would fail if it were called
    assert not fast.is_fast
    with pytest.warns(UserWarning, match=f"the layer {fast.name!r} runs Keras's loop, not its own: there is a GPU"):
        values = run(fast, cell)[0]
    monkeypatch.undo()
    assert_all_close(values, run(plain, cell)[0])


@pytest.mark.parametrize("cell", PAIRS)
def test_a_mask_is_left_to_keras(cell):
    plain, fast = pair(cell)
    inputs = normal(BATCH, TIME, FEATURES)
    mask = np.arange(TIME) < np.array([[2], [7], [4]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masked = fast(inputs, mask=mask)[0]
    np.testing.assert_allclose(masked, plain(inputs, mask=mask)[0], atol=1e-6)
    assert np.abs(fast(inputs)[0] - masked).max() > 1e-3


@pytest.mark.parametrize("cell", PAIRS)
def test_a_layer_is_made_again_from_its_configuration(cell):
    layer = PAIRS[cell][1](UNITS, recurrent_dtype="bfloat16", return_sequences=True)
    again = type(layer).from_config(layer.get_config())
    assert (again.recurrent_dtype, again.units, again.return_sequences) == ("bfloat16", UNITS, True)


@pytest.mark.parametrize("cell", PAIRS)
def test_a_model_is_saved_and_loaded_as_any_other(cell, tmp_path):
    model = build_model(VOCAB, cell=cell, units=UNITS, embedding_dim=FEATURES, fast=True, recurrent_dtype="bfloat16")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[2].is_fast and again.layers[2].recurrent_dtype == "bfloat16"
    ids = np.random.default_rng(2).integers(VOCAB, size=(BATCH, TIME))
    np.testing.assert_array_equal(again(ids), model(ids))


class MinGRUCell(keras.layers.Layer):
    """One step of a minGRU (Feng et al. 2024), for Keras's loop."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = self.state_size = units

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 2 * self.units), name="kernel")

    def call(self, inputs, states, training=False):
        gate, candidate = tf.split(tf.matmul(inputs, self.kernel), 2, axis=1)
        state = states[0] + tf.sigmoid(gate) * (candidate - states[0])
        return state, [state]


class MinGRU(FastRNN):
    """All that the protocol asks of a layer."""

    def __init__(self, units, **kwargs):
        super().__init__(MinGRUCell(units), **kwargs)

    def project(self, inputs):
        return tf.tensordot(inputs, self.cell.kernel, 1)

    def step(self, row, states, weights):
        gate, candidate = tf.split(row, 2, axis=1)
        state = states[0] + tf.sigmoid(gate) * (candidate - states[0])
        return state, [state]


def test_a_small_layer_joins_by_project_and_step():
    fast = MinGRU(UNITS, return_sequences=True, return_state=True)
    plain = keras.layers.RNN(fast.cell, return_sequences=True, return_state=True)
    results, expected = run(fast, "gru"), run(plain, "gru")
    assert fast.is_fast
    assert_all_close(results[0], expected[0])
    assert_all_close(results[1], expected[1])
    ids = np.random.default_rng(3).integers(VOCAB, size=(BATCH, TIME))
    table = fast.project(normal(VOCAB, FEATURES))
    looked_up = fast.scan(table, some_states("gru"), ids)
    assert_all_close(looked_up, fast.scan(tf.gather(table, ids), some_states("gru")))
    backwards = MinGRU(UNITS, go_backwards=True)
    assert not backwards.is_fast


@pytest.fixture(params=[("gru", 2), ("lstm", 1)], ids=lambda p: f"{p[0]}-{p[1]}")
def models(request):
    """Two models of equal weights, the first with Keras's layers."""
    cell, num_layers = request.param
    settings = {"cell": cell, "units": UNITS, "num_layers": num_layers, "embedding_dim": FEATURES}
    plain, fast = (build_model(VOCAB, fast=fast, **settings) for fast in (False, True))
    draw = np.random.default_rng(0)
    plain.set_weights([draw.normal(0, 0.5, weight.shape) for weight in plain.get_weights()])
    fast.set_weights(plain.get_weights())
    return plain, fast


def test_a_model_of_fast_layers_gives_what_keras_gives(models):
    plain, fast = models
    ids = np.random.default_rng(2).integers(VOCAB, size=(BATCH, TIME))
    states = tf.nest.map_structure(lambda x: normal(*x.shape, seed=3), zero_states(plain, BATCH))
    expected, expected_states = forward(plain, ids, states)
    logits, new_states = forward(fast, ids, states)
    assert_all_close([logits, fast(ids)], [expected, plain(ids)])
    assert_all_close(tf.nest.flatten(new_states), tf.nest.flatten(expected_states))


def test_training_goes_the_way_of_keras_and_samples_are_the_same(models):
    ids = np.random.default_rng(4).integers(VOCAB, size=400)
    histories = [train(model, ids, batch_size=4, time=9, epochs=2, progress=False) for model in models]
    np.testing.assert_allclose(*(history["train"] for history in histories), rtol=1e-5)
    for one, other in zip(models[0].get_weights(), models[1].get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-4)
    vocabulary = Vocabulary("abcdefghijk")
    one, other = (generate(model, vocabulary, "bad", 30, seed=0, temperature=2) for model in models)
    assert one == other


def test_what_fast_cannot_do_is_refused():
    with pytest.raises(ValueError, match="cell must be one of gru, lstm, got 'rnn' with fast=True"):
        build_model(VOCAB, cell="rnn", fast=True)
    with pytest.raises(ValueError, match="recurrent_dtype='bfloat16' needs fast=True"):
        build_model(VOCAB, recurrent_dtype="bfloat16")
