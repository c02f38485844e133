"""Recurrent Keras layers with hand-written loops, and the protocol they share.

Keras multiplies the inputs step by step and lets automatic differentiation unwind the loop, which forms the gradient
of the weights once per step. Here the inputs of all steps are multiplied at once, the forward loop keeps its gates,
the backward loop is left with one product per step, and the gradient of the recurrent kernel is a single product at
the end (back-propagation through time: Werbos 1990). Chapter 12 derives it.

The protocol: a layer with a fast path is a ``keras.layers.RNN`` that also offers the methods of :class:`FastRNN`.
With them a model can multiply the table of an embedding by the kernel once instead of every character, carry the
state from call to call, and take single steps. To add a cell, derive one class from :class:`FastRNN` and write
``project`` and ``step`` (and ``loop_weights`` where something can be prepared before a loop); ``scan`` is then a loop
over ``step``. Enter the class in ``charlm_utils.models.CELLS``.
"""

import warnings

import keras
import tensorflow as tf


class FastRNN(keras.layers.RNN):
    """A recurrent layer whose loop over time is written by hand; Keras's own loop stands in where it does not apply.

    Shapes: ``gates`` is the number of parts that a projected input has, 3 for a GRU and 4 for an LSTM.
    """

    _warned = False

    @property
    def is_fast(self):
        """Whether the hand-written loop applies: not beside a GPU, where Keras has cuDNN, and in float32 only.

        A call with a mask takes Keras's loop all the same.
        """
        return self._obstacle() is None

    def project(self, inputs):
        """Return what the inputs add to the gates: ``(..., features)`` to ``(..., gates * units)``.

        The table of an embedding can be projected too, once for all characters of a text.
        """
        raise NotImplementedError

    def loop_weights(self):
        """Return a list of the tensors that every step uses, prepared once before a loop."""
        return []

    def step(self, row, states, weights):
        """Take one step; it can be compiled by XLA.

        Parameters
        ----------
        row : tf.Tensor
            A projected input, float32 ``(batch, gates * units)``.
        states : list of tf.Tensor
            Float32 ``(batch, units)``.
        weights : list of tf.Tensor
            As :meth:`loop_weights` gives them.

        Returns
        -------
        tuple
            The output ``(batch, units)`` and the list of new states.
        """
        raise NotImplementedError

    def scan(self, projected, states):
        """Run over time on projected inputs.

        Parameters
        ----------
        projected : tf.Tensor
            Float32 ``(batch, time, gates * units)``, as :meth:`project` gives them.
        states : list of tf.Tensor
            Float32 ``(batch, units)``.

        Returns
        -------
        list of tf.Tensor
            The outputs ``(batch, time, units)`` and the states after the last step.
        """
        weights = self.loop_weights()
        rows = tf.transpose(projected, (1, 0, 2))  # (time, batch, gates * units)

        def step(before, row):
            output, after = self.step(row, before[1:], weights)
            return [output, *after]

        results = tf.scan(step, rows, [tf.zeros_like(states[0]), *states])
        outputs, *states = results
        return [tf.transpose(outputs, (1, 0, 2)), *[state[-1] for state in states]]

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Run over time; Keras calls this from ``call``."""
        obstacle = self._obstacle()
        if obstacle is not None and not self._warned:
            self._warned = True
            warnings.warn(f"{self.name}: {obstacle}, so this layer runs Keras's loop, not its own", stacklevel=2)
        if obstacle is not None or mask is not None:
            return super().inner_loop(sequences, initial_state, mask, training)
        outputs, *states = self.scan(self.project(sequences), initial_state)
        return outputs[:, -1], outputs, states

    def _obstacle(self):
        if tf.config.list_logical_devices("GPU"):
            return "there is a GPU"
        if self.compute_dtype != "float32":
            return f"it computes in {self.compute_dtype}"
        return None


class _FastGated(FastRNN):
    """What :class:`FastGRU` and :class:`FastLSTM` share; it stands before a Keras layer."""

    def __init__(self, *args, recurrent_dtype="float32", **kwargs):
        if recurrent_dtype not in ("float32", "bfloat16"):
            raise ValueError(f"recurrent_dtype must be 'float32' or 'bfloat16', got {recurrent_dtype!r}")
        super().__init__(*args, **kwargs)
        self.recurrent_dtype = recurrent_dtype
        self._check_settings()

    def _check_settings(self):
        """Raise a ValueError that names the first setting for which the loops are not written."""
        required = {
            "activation": keras.activations.tanh,
            "recurrent_activation": keras.activations.sigmoid,
            "use_bias": True,
            "reset_after": True,
            "dropout": 0.0,
            "recurrent_dropout": 0.0,
            "go_backwards": False,
        }
        for name, value in required.items():
            given = getattr(self, name, value)  # an LSTM has no reset_after
            if given != value:
                given, value = (getattr(x, "__name__", x) for x in (given, value))
                raise ValueError(
                    f"{name} must be {value} in a {type(self).__name__}, got {given}: "
                    "use Keras's own layer, or leave fast=True out"
                )

    def get_config(self):
        """Return the arguments that make the layer again."""
        return super().get_config() | {"recurrent_dtype": self.recurrent_dtype}

    def scan(self, projected, states, ids=None):
        """Run over time on projected inputs; as :meth:`FastRNN.scan`, with the backward pass written by hand."""
        if ids is None:
            inputs = tf.transpose(projected, (1, 0, 2))  # (time, batch, gates * units)
        else:
            inputs, ids = projected, tf.transpose(ids)
        outputs, *states = self._run(inputs, ids, *states, *self.loop_weights())
        return [tf.transpose(outputs, (1, 0, 2)), *states]

    @staticmethod
    def _rows(inputs, ids):
        return Rows(inputs) if ids is None else Lookup(inputs, ids)


@keras.saving.register_keras_serializable("charlm_utils")
class FastGRU(_FastGated, keras.layers.GRU):
    """A drop-in for ``keras.layers.GRU`` (Cho et al. 2014), ``reset_after`` included.

    On a GPU, with a mask or in another type than float32 it is Keras's layer; in the first and the last case it
    warns.

    Parameters
    ----------
    *args, **kwargs
        As for ``keras.layers.GRU``.
    recurrent_dtype : {"float32", "bfloat16"}
        Type of the factors and results of the recurrent products; gates, states and weights stay float32.

    Raises
    ------
    ValueError
        If ``recurrent_dtype`` is another, or the loops are not written for a setting: other activations, no bias,
        the reset before the product, the layer's own dropouts, going backwards.
    """

    def project(self, inputs):
        """Return inputs times kernel, plus all biases but the one that the reset gate multiplies."""
        input_bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(self.cell.bias))
        units = self.units
        outside = tf.concat([recurrent_bias[: 2 * units], tf.zeros_like(recurrent_bias[2 * units :])], axis=0)
        return tf.tensordot(inputs, self.cell.kernel, 1) + (input_bias + outside)

    def loop_weights(self):
        """Return the recurrent kernel in the type of the products, and the bias ``(units,)`` behind the reset gate."""
        kernel = tf.cast(self.cell.recurrent_kernel, self.recurrent_dtype)
        return [kernel, tf.convert_to_tensor(self.cell.bias)[1, 2 * self.units :]]

    def step(self, row, states, weights):
        """Take one step on a projected input ``(batch, 3 * units)``; as :meth:`FastRNN.step`."""
        state, *_ = gru_gates(row, *states, *weights)
        return state, [state]

    def _run(self, inputs, ids, *tensors):
        outputs = tf.custom_gradient(lambda inputs, *x: gru_scan(self._rows(inputs, ids), *x))(inputs, *tensors)
        return outputs, outputs[-1]


@keras.saving.register_keras_serializable("charlm_utils")
class FastLSTM(_FastGated, keras.layers.LSTM):
    """A drop-in for ``keras.layers.LSTM`` (Hochreiter and Schmidhuber 1997); all else as :class:`FastGRU`."""

    def project(self, inputs):
        """Return inputs times kernel, plus the bias."""
        return tf.tensordot(inputs, self.cell.kernel, 1) + self.cell.bias

    def loop_weights(self):
        """Return the recurrent kernel in the type of the products."""
        return [tf.cast(self.cell.recurrent_kernel, self.recurrent_dtype)]

    def step(self, row, states, weights):
        """Take one step on a projected input ``(batch, 4 * units)``; as :meth:`FastRNN.step`."""
        state, memory, *_ = lstm_gates(row, *states, *weights)
        return state, [state, memory]

    def _run(self, inputs, ids, *tensors):
        run = tf.custom_gradient(lambda inputs, *x: lstm_scan(self._rows(inputs, ids), *x))
        outputs, memory = run(inputs, *tensors)
        return outputs, outputs[-1], memory


def gru_gates(row, state, kernel, bias):
    """Return the new state of a GRU, its two gates, its candidate, and the state's share in it before the reset."""
    row_update, row_reset, row_candidate = tf.split(row, 3, axis=1)
    sum_update, sum_reset, share = tf.split(_product(state, kernel), 3, axis=1)
    update = tf.sigmoid(row_update + sum_update)
    reset = tf.sigmoid(row_reset + sum_reset)
    share += bias
    candidate = tf.tanh(row_candidate + reset * share)
    return candidate + update * (state - candidate), update, reset, candidate, share


def gru_scan(rows, state, kernel, bias):
    """Return the outputs of a GRU and their backward pass, in the form that ``tf.custom_gradient`` asks for.

    Parameters
    ----------
    rows : Rows or Lookup
        The projected inputs.
    state, kernel, bias : tf.Tensor
        ``(batch, units)``, ``(units, 3 * units)``, ``(units,)``, all float32 but the kernel: its type is that of the
        recurrent products.

    Returns
    -------
    tuple
        Outputs ``(time, batch, units)``, and the function from their gradient to those of rows, state, kernel, bias.
    """
    units = state.shape[-1]

    def step(t, state):
        state, *gates = gru_gates(rows.at(t), state, kernel, bias)
        return [state], [state, *gates]

    _, (states, *gates) = _loop(step, 0, rows.time, [state], 5 * [units])
    outputs = states.stack()

    def backward(d_outputs):
        before = tf.concat([state[None], outputs[:-1]], axis=0)  # (time, batch, units)
        transposed = tf.transpose(kernel)  # once: a transposed product per step takes twice as long

        def step_back(t, d_state):
            update, reset, candidate, share = (gate.read(t) for gate in gates)
            d_state += d_outputs[t]
            kept = d_state * update
            d_update = _behind_sigmoid(update, d_state * (before[t] - candidate))
            d_candidate = _behind_tanh(candidate, d_state - kept)
            d_reset = _behind_sigmoid(reset, d_candidate * share)
            d_sums = tf.concat([d_update, d_reset, d_candidate * reset], axis=1)
            return [kept + _product(d_sums, transposed)], [d_sums, d_candidate]

        def add(start, stop, d_sums, d_candidates, totals):
            d_input, d_last_input, d_kernel, d_bias = totals
            d_input = rows.add(d_input, start, stop, d_sums)
            d_last_input = rows.add(d_last_input, start, stop, d_candidates)
            d_kernel += _kernel_gradient(before[start:stop], d_sums, kernel.dtype)
            d_bias += tf.reduce_sum(d_sums[:, :, 2 * units :], axis=(0, 1))
            return [d_input, d_last_input, d_kernel, d_bias]

        totals = [rows.no_gradient(3 * units), rows.no_gradient(units), tf.zeros(kernel.shape), tf.zeros_like(bias)]
        widths = [3 * units, units]
        (d_state,), totals = _loop_back(step_back, add, rows.time, [tf.zeros_like(state)], widths, totals)
        d_input, d_last_input, d_kernel, d_bias = totals
        d_input = tf.concat([rows.gradient(d_input)[..., : 2 * units], rows.gradient(d_last_input)], axis=-1)
        return d_input, d_state, tf.cast(d_kernel, kernel.dtype), d_bias

    return outputs, backward


def lstm_gates(row, state, memory, kernel):
    """Return the new state and memory of an LSTM, its input gate, forget gate, candidate, output gate, tanh(memory)."""
    sums = tf.split(row + _product(state, kernel), 4, axis=1)
    write, keep, give = (tf.sigmoid(sums[i]) for i in (0, 1, 3))
    candidate = tf.tanh(sums[2])
    memory = keep * memory + write * candidate
    squashed = tf.tanh(memory)
    return give * squashed, memory, write, keep, candidate, give, squashed


def lstm_scan(rows, state, memory, kernel):
    """Return outputs and last memory of an LSTM, and their backward pass; as :func:`gru_scan`, four gates wide."""
    units = state.shape[-1]

    def step(t, state, memory):
        state, memory_after, *gates = lstm_gates(rows.at(t), state, memory, kernel)
        return [state, memory_after], [state, memory, *gates]

    (_, last_memory), (states, *gates) = _loop(step, 0, rows.time, [state, memory], 7 * [units])
    outputs = states.stack()

    def backward(d_outputs, d_memory):
        before = tf.concat([state[None], outputs[:-1]], axis=0)  # (time, batch, units)
        transposed = tf.transpose(kernel)

        def step_back(t, d_state, d_memory):
            memory_before, write, keep, candidate, give, squashed = (gate.read(t) for gate in gates)
            d_state += d_outputs[t]
            d_memory += _behind_tanh(squashed, d_state * give)
            d_write = _behind_sigmoid(write, d_memory * candidate)
            d_keep = _behind_sigmoid(keep, d_memory * memory_before)
            d_candidate = _behind_tanh(candidate, d_memory * write)
            d_give = _behind_sigmoid(give, d_state * squashed)
            d_row = tf.concat([d_write, d_keep, d_candidate, d_give], axis=1)
            return [_product(d_row, transposed), d_memory * keep], [d_row]

        def add(start, stop, d_rows, totals):
            d_input, d_kernel = totals
            d_input = rows.add(d_input, start, stop, d_rows)
            return [d_input, d_kernel + _kernel_gradient(before[start:stop], d_rows, kernel.dtype)]

        totals = [rows.no_gradient(4 * units), tf.zeros(kernel.shape)]
        d_states = [tf.zeros_like(state), d_memory]
        (d_state, d_memory), totals = _loop_back(step_back, add, rows.time, d_states, [4 * units], totals)
        d_input, d_kernel = totals
        return rows.gradient(d_input), d_state, d_memory, tf.cast(d_kernel, kernel.dtype)

    return (outputs, last_memory), backward


class Rows:
    """Projected inputs ``(time, batch, gates * units)`` as the loops read them, and how their gradient is gathered."""

    def __init__(self, rows):
        self.rows = rows
        self.time = tf.shape(rows)[0]

    def at(self, t):
        """Return the inputs of one step ``(batch, gates * units)``."""
        return self.rows[t]

    def no_gradient(self, width):
        """Return what :meth:`add` starts from."""
        return tf.TensorArray(tf.float32, self.time, element_shape=(self.rows.shape[1], width))

    def add(self, total, start, stop, d_rows):
        """Return the total with the gradients of some steps ``(stop - start, batch, width)``."""
        return total.scatter(tf.range(start, stop), d_rows)

    def gradient(self, total):
        """Return the gradient for what the object was made from."""
        return total.stack()


class Lookup:
    """Rows of a projected table ``(vocab, gates * units)`` at ids ``(time, batch)``, looked up step by step.

    Written out, the rows of a batch of 6,400 characters are some 40 MB, and so is their gradient.
    """

    def __init__(self, table, ids):
        self.table = table
        self.ids = ids
        self.time = tf.shape(ids)[0]

    def at(self, t):
        """Return the inputs of one step ``(batch, gates * units)``."""
        return tf.gather(self.table, self.ids[t])

    def no_gradient(self, width):
        """Return what :meth:`add` starts from."""
        return tf.zeros((self.table.shape[0], width))

    def add(self, total, start, stop, d_rows):
        """Return the total with the gradients of some steps: a product with one-hot rows sums them by character."""
        hot = tf.one_hot(tf.reshape(self.ids[start:stop], (-1,)), self.table.shape[0])
        return total + tf.matmul(hot, tf.reshape(d_rows, (-1, d_rows.shape[-1])), transpose_a=True)

    def gradient(self, total):
        """Return the gradient for the table."""
        return total


BLOCK = 20  # steps
PI = 10


def _loop(step, start, stop, states, widths, back=False):
    """Run ``step(t, *states)``, which returns new states and what is to be kept, from start to stop or back.

    ``widths`` are those of what is kept. Returns the last states, and a ``tf.TensorArray`` of each thing kept.
    """
    batch = states[0].shape[0]
    arrays = [tf.TensorArray(tf.float32, stop - start, element_shape=(batch, width)) for width in widths]

    def body(i, states, arrays):
        t = stop - 1 - (i - start) if back else i
        states, values = step(t, *states)
        arrays = [array.write(t - start, value) for array, value in zip(arrays, values, strict=True)]
        return i + 1, states, arrays

    _, states, arrays = tf.while_loop(lambda i, *_: i < stop, body, (start, states, arrays), parallel_iterations=PI)
    return states, arrays


def _loop_back(step, add, time, states, widths, totals):
    """Run ``step`` from the last step to the first and let ``add`` put what it keeps into totals, block by block.

    A block is short enough for what it keeps to stay in the processor's cache until it is used.
    """

    def body(stop, states, totals):
        start = tf.maximum(stop - BLOCK, 0)
        states, arrays = _loop(step, start, stop, states, widths, back=True)
        totals = add(start, stop, *[array.stack() for array in arrays], totals)
        return start, states, totals

    _, states, totals = tf.while_loop(lambda stop, *_: stop > 0, body, (time, states, totals), parallel_iterations=PI)
    return states, totals


def _product(left, right):
    """Return a matrix product in the type of its right factor, as float32."""
    return tf.cast(tf.matmul(tf.cast(left, right.dtype), right), tf.float32)


def _kernel_gradient(before, d_sums, dtype):
    """Return the recurrent kernel's gradient over some steps: one product in a type of its own, as float32."""
    rows, d_rows = (tf.cast(tf.reshape(x, (-1, x.shape[-1])), dtype) for x in (before, d_sums))
    return tf.cast(tf.matmul(rows, d_rows, transpose_a=True), tf.float32)


def _behind_sigmoid(value, gradient):
    """Return the gradient for the argument of a sigmoid from its value and the gradient for it."""
    return tf.raw_ops.SigmoidGrad(y=value, dy=gradient)


def _behind_tanh(value, gradient):
    """Return the gradient for the argument of tanh from its value and the gradient for it."""
    return tf.raw_ops.TanhGrad(y=value, dy=gradient)
