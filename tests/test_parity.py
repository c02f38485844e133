"""PyTorch's layers give what ours give. PyTorch comes with the extra ``rivals``; without it these tests are skipped."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.layers import FastGRU, FastLSTM

torch = pytest.importorskip("torch")
BATCH, TIME, FEATURES, UNITS = 3, 7, 4, 5


@pytest.mark.parametrize("layer_type", [FastGRU, FastLSTM, keras.layers.GRU, keras.layers.LSTM])
def test_outputs_and_gradients_are_those_of_pytorch(rivals, layer_type):
    draw = np.random.default_rng(0)
    layer = layer_type(UNITS, return_sequences=True)
    layer.build((BATCH, TIME, FEATURES))
    layer.set_weights([draw.normal(0, 0.5, weight.shape) for weight in layer.get_weights()])
    inputs = draw.normal(size=(BATCH, TIME, FEATURES)).astype("float32")
    theirs, their_inputs = rivals.torch_layer(torch, *layer.get_weights()), torch.tensor(inputs, requires_grad=True)
    with tf.GradientTape() as tape:
        ours = tf.constant(inputs)
        tape.watch(ours)
        outputs = layer(ours)
        loss = tf.reduce_sum(tf.sin(outputs))
    their_outputs = theirs(their_inputs)[0]
    torch.sin(their_outputs).sum().backward()
    np.testing.assert_allclose(outputs, their_outputs.detach(), atol=1e-6)
    gradients = tape.gradient(loss, [ours, layer.cell.kernel])
    np.testing.assert_allclose(gradients[0], their_inputs.grad, atol=1e-5)
    order = [1, 0, 2] if len(theirs.bias_ih_l0) == 3 * UNITS else [0, 1, 2, 3]
    blocks = np.split(theirs.weight_ih_l0.grad.numpy().T, len(order), axis=1)
    np.testing.assert_allclose(gradients[1], np.concatenate([blocks[i] for i in order], axis=1), atol=1e-5)
