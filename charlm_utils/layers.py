"""Recurrent Keras layers with hand-written loops, and the protocol they share.

Keras multiplies the inputs step by step and lets automatic differentiation unwind the loop, which forms the gradient
of the weights once per step. Here the inputs of all steps are multiplied at once, the forward loop keeps its gates,
the backward loop is left with one product per step, and the gradient of the recurrent kernel is a single product at
the end (back-propagation through time: Werbos 1990). Chapter 12 derives it.
"""

import keras
import tensorflow as tf


class _Fast:
    """What :class:`FastGRU` and :class:`FastLSTM` share; it stands before a Keras layer."""

    def __init__(self, *args, recurrent_dtype="float32", **kwargs):
        if recurrent_dtype not in ("float32", "bfloat16"):
            raise ValueError(f"recurrent_dtype must be 'float32' or 'bfloat16', got {recurrent_dtype!r}")
        super().__init__(*args, **kwargs)
        self.recurrent_dtype = recurrent_dtype

    def get_config(self):
        """Return the arguments that make the layer again."""
        return super().get_config() | {"recurrent_dtype": self.recurrent_dtype}

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Run over time; Keras calls this from ``call``."""
        if not self.is_fast or mask is not None:
            return super().inner_loop(sequences, initial_state, mask, training)
        outputs, *states = self.scan(self.project(sequences), initial_state)
        return outputs[:, -1], outputs, states

    @property
    def is_fast(self):
        """Whether the hand-written loops apply: a CPU, and nothing unusual about the layer."""
        usual = self.activation is keras.activations.tanh and self.recurrent_activation is keras.activations.sigmoid
        usual = usual and self.use_bias and getattr(self, "reset_after", True) and self.compute_dtype == "float32"
        unusual = self.dropout or self.recurrent_dropout or self.go_backwards
        return usual and not unusual and not tf.config.list_logical_devices("GPU")

    def project(self, inputs):
        """Multiply inputs ``(..., features)`` by the kernel and add the bias: ``(..., gates * units)``.

        The table of an embedding can be projected too, once for all characters of a text.
        """
        width = self.cell.kernel.shape[1]
        return tf.tensordot(inputs, self.cell.kernel, 1) + tf.reshape(self.cell.bias, (-1, width))[0]

    def scan(self, projected, states):
        """Run over time on projected inputs.

        Parameters
        ----------
        projected : tf.Tensor
            Float32 ``(batch, time, gates * units)``, as :meth:`project` gives them.
        states : list of tf.Tensor
            One for a GRU, two for an LSTM, float32 ``(batch, units)``.

        Returns
        -------
        list of tf.Tensor
            The outputs ``(batch, time, units)`` and the states after the last step.
        """
        rows = tf.transpose(projected, (1, 0, 2))  # (time, batch, gates * units)
        outputs, *states = self._run(rows, *states)
        return [tf.transpose(outputs, (1, 0, 2)), *states]


@keras.saving.register_keras_serializable("charlm_utils")
class FastGRU(_Fast, keras.layers.GRU):
    """A drop-in for ``keras.layers.GRU`` (Cho et al. 2014), ``reset_after`` included.

    On a GPU, with a mask, in another type than float32, with the layer's own dropouts or with other activations, it
    is Keras's layer.

    Parameters
    ----------
    *args, **kwargs
        As for ``keras.layers.GRU``.
    recurrent_dtype : {"float32", "bfloat16"}
        Type of the factors and results of the recurrent products; gates, states and weights stay float32.

    Raises
    ------
    ValueError
        If ``recurrent_dtype`` is another.
    """

    def loop_weights(self):
        """Return what every step needs: recurrent kernel and its bias."""
        return [tf.convert_to_tensor(self.cell.recurrent_kernel), tf.convert_to_tensor(self.cell.bias)[1]]

    def step(self, row, states, weights):
        """Take one step on projected inputs ``(batch, 3 * units)``; returns the output and the new states."""
        state, *_ = gru_gates(self.recurrent_dtype, row, *states, *weights)
        return state, [state]

    def _run(self, rows, state):
        kernel, bias = map(tf.convert_to_tensor, (self.cell.recurrent_kernel, self.cell.bias))
        scan = tf.custom_gradient(lambda *x: gru_scan(self.recurrent_dtype, *x))
        outputs = scan(rows, state, kernel, bias[1])
        return outputs, outputs[-1]


@keras.saving.register_keras_serializable("charlm_utils")
class FastLSTM(_Fast, keras.layers.LSTM):
    """A drop-in for ``keras.layers.LSTM`` (Hochreiter and Schmidhuber 1997); all else as :class:`FastGRU`."""

    def loop_weights(self):
        """Return what every step needs: the recurrent kernel."""
        return [tf.convert_to_tensor(self.cell.recurrent_kernel)]

    def step(self, row, states, weights):
        """Take one step on projected inputs ``(batch, 4 * units)``; returns the output and the new states."""
        state, memory, _ = lstm_gates(self.recurrent_dtype, row, *states, *weights)
        return state, [state, memory]

    def _run(self, rows, state, memory):
        kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        scan = tf.custom_gradient(lambda *x: lstm_scan(self.recurrent_dtype, *x))
        outputs, memory = scan(rows, state, memory, kernel)
        return outputs, outputs[-1], memory


def gru_gates(dtype, row, state, kernel, bias):
    """Return the new state of a GRU, its two gates, its candidate, and the state's share in it before the reset."""
    units = state.shape[-1]
    sums = _product(state, kernel, dtype) + bias
    gates = tf.sigmoid(row[:, : 2 * units] + sums[:, : 2 * units])
    update, reset = tf.split(gates, 2, axis=1)
    candidate = tf.tanh(row[:, 2 * units :] + reset * sums[:, 2 * units :])
    return candidate + update * (state - candidate), gates, candidate, sums[:, 2 * units :]


def lstm_gates(dtype, row, state, memory, kernel):
    """Return the new state and memory of an LSTM, and its input gate, forget gate, candidate and output gate."""
    sums = tf.split(row + _product(state, kernel, dtype), 4, axis=1)
    keep, forget, give = (tf.sigmoid(sums[i]) for i in (0, 1, 3))
    candidate = tf.tanh(sums[2])
    memory = forget * memory + keep * candidate
    return give * tf.tanh(memory), memory, tf.concat([keep, forget, candidate, give], axis=1)


def gru_scan(dtype, rows, state, kernel, bias):
    """Return the outputs of a GRU and their backward pass, in the form that ``tf.custom_gradient`` asks for.

    Parameters
    ----------
    dtype : str
        Type of the recurrent products.
    rows, state, kernel, bias : tf.Tensor
        Float32 ``(time, batch, 3 * units)``, ``(batch, units)``, ``(units, 3 * units)``, ``(3 * units,)``.

    Returns
    -------
    tuple
        Outputs ``(time, batch, units)``, and the function from their gradient to those of the four tensors.
    """
    units = state.shape[-1]

    def step(t, state):
        return gru_gates(dtype, rows[t], state, kernel, bias)

    outputs, gates, candidates, sums = _loop(step, rows, [state], (units, 2 * units, units, units))

    def backward(d_outputs):
        before = tf.concat([state[None], outputs[:-1]], axis=0)  # (time, batch, units)
        transposed = tf.transpose(kernel)  # once: a transposed product per step takes twice as long

        def step_back(t, d_state):
            d_state += d_outputs[t]
            update, reset = tf.split(gates[t], 2, axis=1)
            d_candidate = d_state * (1 - update) * (1 - tf.square(candidates[t]))
            d_update = d_state * (before[t] - candidates[t]) * update * (1 - update)
            d_reset = d_candidate * sums[t] * reset * (1 - reset)
            d_sums = tf.concat([d_update, d_reset, d_candidate * reset], axis=1)
            d_row = tf.concat([d_update, d_reset, d_candidate], axis=1)
            return d_state * update + _product(d_sums, transposed, dtype), d_sums, d_row

        d_state, d_sums, d_rows = _loop(
            step_back, rows, [tf.zeros_like(state)], (units, 3 * units, 3 * units), back=True
        )
        d_kernel, d_bias = _kernel_gradients(before, d_sums, dtype)
        return d_rows, d_state[0], d_kernel, d_bias

    return outputs, backward


def lstm_scan(dtype, rows, state, memory, kernel):
    """Return outputs and last memory of an LSTM, and their backward pass; as :func:`gru_scan`, four gates wide."""
    units = state.shape[-1]

    def step(t, state, memory):
        return lstm_gates(dtype, rows[t], state, memory, kernel)

    outputs, memories, gates = _loop(step, rows, [state, memory], (units, units, 4 * units))

    def backward(d_outputs, d_memory):
        before = tf.concat([state[None], outputs[:-1]], axis=0)  # (time, batch, units)
        memory_before = tf.concat([memory[None], memories[:-1]], axis=0)
        transposed = tf.transpose(kernel)

        def step_back(t, d_state, d_memory):
            d_state += d_outputs[t]
            keep, forget, candidate, give = tf.split(gates[t], 4, axis=1)
            squashed = tf.tanh(memories[t])
            d_memory += d_state * give * (1 - tf.square(squashed))
            d_keep = d_memory * candidate * keep * (1 - keep)
            d_forget = d_memory * memory_before[t] * forget * (1 - forget)
            d_candidate = d_memory * keep * (1 - tf.square(candidate))
            d_give = d_state * squashed * give * (1 - give)
            d_sums = tf.concat([d_keep, d_forget, d_candidate, d_give], axis=1)
            return _product(d_sums, transposed, dtype), d_memory * forget, d_sums

        d_state, d_memory, d_rows = _loop(
            step_back, rows, [tf.zeros_like(state), d_memory], (units, units, 4 * units), back=True
        )
        return d_rows, d_state[0], d_memory[0], _kernel_gradients(before, d_rows, dtype)[0]

    return (outputs, memories[-1]), backward


def _loop(step, rows, states, sizes, back=False):
    """Run ``step(t, *states)`` over time, or back, and stack what it returns: the new states, and more.

    ``sizes`` are the widths of the results; each comes back as a tensor ``(time, batch, width)``.
    """
    time = tf.shape(rows)[0]
    arrays = [tf.TensorArray(tf.float32, time, element_shape=(None, size)) for size in sizes]

    def body(i, states, arrays):
        t = time - 1 - i if back else i
        results = step(t, *states)
        arrays = [array.write(t, result) for array, result in zip(arrays, results, strict=True)]
        return i + 1, list(results[: len(states)]), arrays

    *_, arrays = tf.while_loop(lambda i, *_: i < time, body, (0, states, arrays))
    return [array.stack() for array in arrays]


def _product(left, right, dtype):
    """Return a matrix product in a type of its own, as float32."""
    return tf.cast(tf.matmul(tf.cast(left, dtype), tf.cast(right, dtype)), tf.float32)


def _kernel_gradients(before, d_sums, dtype):
    """Return the gradients of the recurrent kernel and its bias: one product over all steps."""
    rows, d_rows = (tf.reshape(x, (-1, x.shape[-1])) for x in (before, d_sums))
    return _product(tf.transpose(rows), d_rows, dtype), tf.reduce_sum(d_rows, axis=0)
