"""The fast layers give what Keras's layers give: outputs, states, gradients, and whole models."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.layers import FastGRU, FastLSTM
from charlm_utils.models import build_model, forward, prepare_steps, step, zero_states
from charlm_utils.sampling import generate
from charlm_utils.training import train
from charlm_utils.vocabulary import Vocabulary

BATCH, TIME, FEATURES, UNITS, VOCAB = 3, 7, 4, 5, 11
PAIRS = {"gru": (keras.layers.GRU, FastGRU, 1), "lstm": (keras.layers.LSTM, FastLSTM, 2)}


def pair(cell, **settings):
    """Return a Keras layer and a fast one with the same random weights, biases included."""
    ours = settings.pop("ours", {})
    plain, fast = (
        layer(UNITS, return_state=True, **({"return_sequences": True} | settings | more))
        for layer, more in zip(PAIRS[cell][:2], ({}, ours), strict=True)
    )
    plain.build((BATCH, TIME, FEATURES))
    fast.build((BATCH, TIME, FEATURES))
    draw = np.random.default_rng(0)
    plain.set_weights([draw.normal(0, 0.5, weight.shape) for weight in plain.get_weights()])
    fast.set_weights(plain.get_weights())
    return plain, fast


def run(layer, cell, seed=1):
    """Return outputs and states, and the gradients of a loss that touches all of them."""
    draw = np.random.default_rng(seed)
    inputs = tf.constant(draw.normal(size=(BATCH, TIME, FEATURES)), tf.float32)
    states = [tf.constant(draw.normal(size=(BATCH, UNITS)), tf.float32) for _ in range(PAIRS[cell][2])]
    weights = tf.constant(draw.normal(size=(BATCH, TIME, UNITS)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch([inputs, *states])
        outputs, *after = layer(inputs, initial_state=states)
        loss = tf.reduce_sum(tf.sin(outputs) * (weights if outputs.shape.rank == 3 else weights[:, 0]))
        loss += sum(tf.reduce_sum(tf.square(state)) * (i + 2) for i, state in enumerate(after))
    return [outputs, *after], tape.gradient(loss, [inputs, *states, *layer.trainable_variables])


def assert_all_close(left, right, **tolerance):
    assert len(left) == len(right)
    for one, other in zip(left, right, strict=True):
        np.testing.assert_allclose(one, other, **tolerance)


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize("return_sequences", [True, False])
def test_outputs_states_and_gradients_are_those_of_keras(cell, return_sequences):
    plain, fast = pair(cell, return_sequences=return_sequences)
    (values, gradients), (expected, expected_gradients) = run(fast, cell), run(plain, cell)
    assert_all_close(values, expected, rtol=1e-5, atol=1e-6)
    assert_all_close(gradients, expected_gradients, rtol=1e-5, atol=1e-5)
    assert all(np.abs(gradient).max() > 1e-3 for gradient in gradients)


@pytest.mark.parametrize("cell", PAIRS)
def test_bfloat16_comes_near_and_is_not_float32(cell):
    plain, fast = pair(cell, ours={"recurrent_dtype": "bfloat16"})
    (values, gradients), (expected, expected_gradients) = run(fast, cell), run(plain, cell)
    assert_all_close(values, expected, atol=0.03, rtol=0.03)
    for gradient, other in zip(gradients, expected_gradients, strict=True):
        assert np.linalg.norm(gradient - other) < 0.02 * np.linalg.norm(other)
    assert np.abs(values[0] - expected[0]).max() > 1e-5
    assert all(value.dtype == tf.float32 for value in [*values, *gradients])


@pytest.mark.parametrize("cell", PAIRS)
def test_a_stateful_layer_goes_on_where_it_stopped(cell):
    plain, fast = (
        keras.Sequential([keras.Input(batch_shape=(BATCH, TIME, FEATURES)), layer(UNITS, stateful=True)])
        for layer in PAIRS[cell][:2]
    )
    fast.set_weights(plain.get_weights())
    inputs = np.random.default_rng(0).normal(size=(BATCH, TIME, FEATURES)).astype("float32")
    first, second = fast(inputs), fast(inputs)
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(first, plain(inputs), atol=1e-6)
    np.testing.assert_allclose(second, plain(inputs), atol=1e-6)
    fast.layers[0].reset_states()
    np.testing.assert_allclose(fast(inputs), first, atol=1e-6)


UNUSUAL = {
    "activation": {"activation": "relu"},
    "recurrent_activation": {"recurrent_activation": "hard_sigmoid"},
    "recurrent_dropout": {"recurrent_dropout": 0.3},
    "dropout": {"dropout": 0.3},
    "go_backwards": {"go_backwards": True},
    "use_bias": {"use_bias": False},
}


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize("settings", UNUSUAL.values(), ids=UNUSUAL)
def test_an_unusual_layer_is_keras_own(cell, settings):
    plain, fast = pair(cell, **settings)
    assert pair(cell)[1].is_fast
    assert not fast.is_fast
    assert_all_close(run(fast, cell)[0], run(plain, cell)[0], rtol=1e-5, atol=1e-6)


def test_reset_before_the_product_is_keras_own():
    plain, fast = pair("gru", reset_after=False)
    assert not fast.is_fast
    assert_all_close(run(fast, "gru")[0], run(plain, "gru")[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("cell", PAIRS)
@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_another_type_is_left_to_keras(cell, dtype):
    plain, fast = pair(cell, dtype=dtype)
    assert not fast.is_fast
    inputs = np.random.default_rng(0).normal(size=(BATCH, TIME, FEATURES))
    np.testing.assert_array_equal(*(tf.cast(layer(inputs)[0], "float64") for layer in (fast, plain)))


@pytest.mark.parametrize("cell", PAIRS)
def test_a_model_is_saved_and_loaded_as_any_other(cell, tmp_path):
    model = build_model(VOCAB, cell=cell, units=UNITS, embedding_dim=FEATURES, fast=True, recurrent_dtype="bfloat16")
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    assert again.layers[2].is_fast and again.layers[2].recurrent_dtype == "bfloat16"
    ids = np.random.default_rng(2).integers(VOCAB, size=(BATCH, TIME))
    np.testing.assert_array_equal(again(ids), model(ids))


@pytest.mark.parametrize("layers", [[], [keras.layers.Embedding(VOCAB, 3)]])
def test_a_stack_too_short_for_a_table_has_none(layers):
    assert prepare_steps(keras.Sequential([keras.Input((None,)), *layers])).table is None


@pytest.mark.parametrize("cell", PAIRS)
def test_a_mask_is_left_to_keras(cell):
    plain, fast = pair(cell)
    inputs = np.random.default_rng(0).normal(size=(BATCH, TIME, FEATURES)).astype("float32")
    mask = np.arange(TIME) < np.array([[2], [7], [4]])
    np.testing.assert_allclose(fast(inputs, mask=mask)[0], plain(inputs, mask=mask)[0], atol=1e-6)
    assert np.abs(fast(inputs)[0] - fast(inputs, mask=mask)[0]).max() > 1e-3


@pytest.mark.parametrize("cell", PAIRS)
def test_on_a_gpu_the_layer_steps_aside(cell, monkeypatch):
    model = build_model(VOCAB, cell=cell, units=UNITS, embedding_dim=FEATURES, fast=True)
    assert prepare_steps(model).table is not None
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: [kind])
    assert not pair(cell)[1].is_fast
    assert prepare_steps(model).table is None


@pytest.mark.parametrize("cell", PAIRS)
def test_a_layer_is_made_again_from_its_configuration(cell):
    layer = PAIRS[cell][1](UNITS, recurrent_dtype="bfloat16", return_sequences=True)
    again = type(layer).from_config(layer.get_config())
    assert (again.recurrent_dtype, again.units, again.return_sequences) == ("bfloat16", UNITS, True)


@pytest.fixture(params=[("gru", 1), ("gru", 2), ("lstm", 1), ("lstm", 2)], ids=lambda p: f"{p[0]}-{p[1]}")
def models(request):
    """Two models of equal weights, the first with Keras's layers."""
    cell, num_layers = request.param
    settings = {"cell": cell, "units": UNITS, "num_layers": num_layers, "embedding_dim": FEATURES}
    plain, fast = (build_model(VOCAB, fast=fast, **settings) for fast in (False, True))
    draw = np.random.default_rng(0)
    plain.set_weights([draw.normal(0, 0.5, weight.shape) for weight in plain.get_weights()])
    fast.set_weights(plain.get_weights())
    return plain, fast


def random_states(model):
    draw = np.random.default_rng(3)
    return tf.nest.map_structure(
        lambda x: tf.constant(draw.normal(size=x.shape), tf.float32), zero_states(model, BATCH)
    )


def test_forward_step_and_call_agree_with_keras(models):
    plain, fast = models
    ids, states = np.random.default_rng(2).integers(VOCAB, size=(BATCH, TIME)), random_states(plain)
    expected, expected_states = forward(plain, ids, states)
    logits, new_states = forward(fast, ids, states)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-5)
    assert_all_close(tf.nest.flatten(new_states), tf.nest.flatten(expected_states), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(fast(ids), plain(ids), rtol=1e-5, atol=1e-5)
    for table in (None, prepare_steps(fast)):
        carried = states
        for t in range(TIME):
            logits, carried = step(fast, ids[:, t], carried, table)
        np.testing.assert_allclose(logits, expected[:, -1], rtol=1e-5, atol=1e-5)


def test_training_goes_the_way_of_keras_and_samples_are_the_same(models):
    ids = np.random.default_rng(4).integers(VOCAB, size=400)
    histories = [train(model, ids, batch_size=4, time=9, epochs=2, progress=False) for model in models]
    np.testing.assert_allclose(*(history["train"] for history in histories), rtol=1e-5)
    assert_all_close(*(model.get_weights() for model in models), rtol=2e-3, atol=2e-4)
    vocabulary = Vocabulary("abcdefghijk")
    one, other = (generate(model, vocabulary, "bad", 30, seed=0, temperature=2) for model in models)
    assert one == other


def test_what_fast_cannot_do_is_refused():
    with pytest.raises(ValueError, match="cell must be one of gru, lstm, got 'rnn' with fast=True"):
        build_model(VOCAB, cell="rnn", fast=True)
    with pytest.raises(ValueError, match="recurrent_dtype='bfloat16' needs fast=True"):
        build_model(VOCAB, recurrent_dtype="bfloat16")
    with pytest.raises(ValueError, match="recurrent_dtype must be 'float32' or 'bfloat16', got 'float16'"):
        build_model(VOCAB, fast=True, recurrent_dtype="float16")
