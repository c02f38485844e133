"""PyTorch's layers give what ours give. PyTorch runs in a process of its own; without it these tests are skipped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.layers import FastGRU, FastLSTM

pytestmark = pytest.mark.slow

BATCH, TIME, FEATURES, UNITS = 3, 7, 4, 5


@pytest.mark.parametrize("layer_type", [FastGRU, FastLSTM, keras.layers.GRU, keras.layers.LSTM])
def test_outputs_and_gradients_are_those_of_pytorch(torch, layer_type, tmp_path):
    draw = np.random.default_rng(0)
    layer = layer_type(UNITS, return_sequences=True)
    layer.build((BATCH, TIME, FEATURES))
    layer.set_weights([draw.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    inputs = draw.normal(size=(BATCH, TIME, FEATURES)).astype("float32")
    kernel, recurrent_kernel, bias = layer.get_weights()
    arrays = {"inputs": inputs, "kernel": kernel, "recurrent_kernel": recurrent_kernel, "bias": bias}
    np.savez(tmp_path / "arrays.npz", **arrays)
    files = {"arrays": str(tmp_path / "arrays.npz"), "results": str(tmp_path / "results.npz")}
    torch.prepare("parity", "parity", **files)
    theirs = np.load(tmp_path / "results.npz")
    with tf.GradientTape() as tape:
        ours = tf.constant(inputs)
        tape.watch(ours)
        outputs = layer(ours)
        loss = tf.reduce_sum(tf.sin(outputs))
    np.testing.assert_allclose(outputs, theirs["outputs"], atol=1e-6)
    d_inputs, d_kernel = tape.gradient(loss, [ours, layer.cell.kernel])
    np.testing.assert_allclose(d_inputs, theirs["d_inputs"], atol=1e-5)
    np.testing.assert_allclose(d_kernel, theirs["d_kernel"], atol=1e-5)
