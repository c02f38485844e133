"""Recurrent Keras layers with hand-written loops, and the protocol they share.

Keras multiplies the inputs step by step and lets automatic differentiation unwind the loop, which forms the gradient
of the weights once per step. Here the inputs of all steps are multiplied at once, the forward loop keeps its gates,
the backward loop is left with one product per step, and the gradient of the recurrent kernel is a large product over
many steps (back-propagation through time: Werbos 1990). ``chapters/14_speed.ipynb`` derives it.

The protocol. A layer with a loop of its own is a :class:`FastRNN`, and thereby a ``keras.layers.RNN``. It offers

- ``is_fast``: whether its loop applies here and now; where it does not, the layer is what Keras makes of it;
- ``project(inputs)``: what the inputs add to the gates, for all steps at once, or for the table of an embedding;
- ``loop_weights()``: what every step needs of the weights, prepared once before a loop;
- ``step(row, states, weights)``: one step on a projected input, which XLA can compile;
- ``scan(projected, states, ids=None, time_major=False)``: all steps, on projected inputs or on a projected table
  and ids.

To add a cell, derive one class from :class:`FastRNN`, write ``project`` and ``step``, and enter it in
``charlm_utils.settings.CELLS``. Its ``scan`` is then a plain loop over ``step``; :class:`FastGRU` and :class:`FastLSTM`
replace it by one with a backward pass written by hand.
"""

import os
import warnings

import keras
import tensorflow as tf

from charlm_utils.checks import Size, checked, choice

LARGEST_TABLE = 256  # rows; the gradient of a lookup in the loop takes time in proportion to them
BLOCK = 20  # steps of the backward loop whose gradients are added to those of the weights in one product
# TensorFlow asks the processor whether oneDNN can multiply in bfloat16. Where the variable ONEDNN_MAX_CPU_ISA keeps
# oneDNN from it, the process ends with a segmentation fault; so these products are then made in float32 and rounded,
# which is what TensorFlow itself does on a processor without such instructions.
WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2")
PADDING = 16  # columns of zeros; without them the rows of a float32 kernel can lie a power of two apart in memory


class FastRNN(keras.layers.RNN):
    """A recurrent layer with a loop of its own; Keras's loop takes over where that does not apply.

    In the shapes below ``gates`` is the number of parts of a projected input: 3 in a GRU, 4 in an LSTM.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.supports_jit = False  # XLA cannot compile the backward loop, whose blocks may differ in length
        self._has_warned = False

    @property
    def is_fast(self):
        """Whether the loop applies: in float32, and not beside a GPU, for which Keras has cuDNN.

        A call with a mask is left to Keras all the same.
        """
        return self._obstacle() is None

    def project(self, inputs):
        """Return what the inputs ``(..., features)`` add to the gates: ``(..., gates * units)``."""
        raise NotImplementedError(f"{type(self).__name__} has no project")

    def loop_weights(self):
        """Return a list of the tensors that every step needs."""
        return []

    def step(self, row, states, weights):
        """Take one step.

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
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def scan(self, projected, states, ids=None, time_major=False):
        """Run over time.

        Parameters
        ----------
        projected : tf.Tensor
            Projected inputs, float32 ``(batch, time, gates * units)``; with ids a projected table
            ``(vocab, gates * units)``, whose rows are then the inputs.
        states : list of tf.Tensor
            Float32 ``(batch, units)``.
        ids : tf.Tensor, optional
            Integers ``(batch, time)``.
        time_major : bool
            Whether time comes before batch in inputs, ids and outputs, which spares transposing them.

        Returns
        -------
        list of tf.Tensor
            The outputs ``(batch, time, units)`` and the states after the last step.
        """
        if not time_major:
            return self._scan_batch_major(projected, states, ids)
        weights = self.loop_weights()

        def step(before, row):
            output, after = self.step(row, before[1:], weights)
            return [output, *after]

        rows = projected if ids is None else tf.gather(projected, ids)
        outputs, *after = tf.scan(step, rows, [tf.zeros_like(states[0]), *states])
        return [outputs, *[state[-1] for state in after]]

    def inner_loop(self, sequences, initial_state, mask, training=False):
        """Run over time; Keras calls this from ``call``."""
        obstacle = self._obstacle()
        if obstacle is not None and not self._has_warned:
            self._has_warned = True
            warnings.warn(f"the layer {self.name!r} runs Keras's loop, not its own: {obstacle}", stacklevel=2)
        if obstacle is not None or mask is not None:
            return super().inner_loop(sequences, initial_state, mask, training)
        outputs, *states = self.scan(self.project(sequences), initial_state)
        return outputs[:, -1], outputs, states

    def _scan_batch_major(self, projected, states, ids):
        if ids is None:
            projected = tf.transpose(projected, (1, 0, 2))
        else:
            ids = tf.transpose(ids)
        outputs, *states = self.scan(projected, states, ids, time_major=True)
        return [tf.transpose(outputs, (1, 0, 2)), *states]

    def _obstacle(self):
        """Return why the layer's own loop does not apply, or None."""
        if tf.config.list_logical_devices("GPU"):
            return "there is a GPU"
        if self.compute_dtype != "float32":
            return f"it computes in {self.compute_dtype}"
        if self.go_backwards:
            return "it goes backwards"
        return None


class _FastGated(FastRNN):
    """What :class:`FastGRU` and :class:`FastLSTM` share; it stands before a layer of Keras."""

    @checked
    def __init__(self, units: Size, *args, recurrent_dtype: choice("float32", "bfloat16") = "float32", **kwargs):
        super().__init__(units, *args, **kwargs)
        self.recurrent_dtype = recurrent_dtype
        self._require("activation", keras.activations.tanh)
        self._require("recurrent_activation", keras.activations.sigmoid)
        self._require("use_bias", True)
        self._require("dropout", 0)
        self._require("recurrent_dropout", 0)
        self._require("go_backwards", False)

    def get_config(self):
        """Return the arguments that make the layer again."""
        return super().get_config() | {"recurrent_dtype": self.recurrent_dtype}

    def scan(self, projected, states, ids=None, time_major=False):
        """Run over time; as :meth:`FastRNN.scan`, with a backward pass written by hand."""
        if not time_major:
            return self._scan_batch_major(projected, states, ids)
        if ids is None:
            return self._run(Rows, projected, None, states)
        if projected.shape[0] > LARGEST_TABLE:
            return self._run(Rows, tf.gather(projected, ids), None, states)
        return self._run(Lookup, projected, ids, states)

    def _require(self, name, value):
        """Raise a ValueError if a setting is another than the loops are written for."""
        given = getattr(self, name)
        if given != value:
            value, given = (getattr(x, "__name__", x) for x in (value, given))
            raise ValueError(
                f"{name} of a {type(self).__name__} must be {value}, got {given}: "
                f"the layer of Keras takes it (fast=False in build_model)"
            )


@keras.saving.register_keras_serializable("charlm_utils")
class FastGRU(_FastGated, keras.layers.GRU):
    """A drop-in for ``keras.layers.GRU`` (Cho et al. 2014) with ``reset_after``, its default.

    Beside a GPU and in another type than float32 it warns and is Keras's layer; with a mask it is Keras's layer too.

    Parameters
    ----------
    *args, **kwargs
        As for ``keras.layers.GRU``.
    recurrent_dtype : {"float32", "bfloat16"}
        Type of the factors and results of the recurrent products; gates, states and weights stay float32.

    Raises
    ------
    ValueError
        If ``recurrent_dtype`` is another, or for settings that the loops are not written for: other activations, no
        bias, the reset before the product, the layer's own dropouts, going backwards.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._require("reset_after", True)

    def project(self, inputs):
        """Return inputs times kernel, plus all biases but the one that the reset gate multiplies."""
        input_bias, recurrent_bias = tf.unstack(tf.convert_to_tensor(self.cell.bias))
        before_gates = tf.concat([recurrent_bias[: 2 * self.units], tf.zeros(self.units)], axis=0)
        return tf.tensordot(inputs, self.cell.kernel, 1) + (input_bias + before_gates)

    def loop_weights(self):
        """Return the recurrent kernel in the type of the products, and the bias ``(units,)`` behind the reset gate."""
        kernel = tf.cast(self.cell.recurrent_kernel, self.recurrent_dtype)
        return [kernel, tf.convert_to_tensor(self.cell.bias)[1, 2 * self.units :]]

    def step(self, row, states, weights):
        """Take one step on a projected input ``(batch, 3 * units)``; as :meth:`FastRNN.step`."""
        state, *_ = gru_gates(row, *states, *weights)
        return state, [state]

    def _run(self, kind, source, ids, states):
        @tf.custom_gradient
        def run(source, *tensors):
            return gru_scan(kind(source, ids), *tensors)

        outputs = run(source, *states, *self.loop_weights())
        return [outputs, outputs[-1]]


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

    def _run(self, kind, source, ids, states):
        @tf.custom_gradient
        def run(source, *tensors):
            return lstm_scan(kind(source, ids), *tensors)

        outputs, memory = run(source, *states, *self.loop_weights())
        return [outputs, outputs[-1], memory]


def gru_gates(row, state, kernel, bias):
    """Return the new state of a GRU, its two gates, its candidate, and the state's share in it before the reset."""
    row_update, row_reset, row_candidate = tf.split(row, 3, axis=1)
    sum_update, sum_reset, share = _sums(state, kernel, 3)
    update = tf.sigmoid(row_update + sum_update)
    reset = tf.sigmoid(row_reset + sum_reset)
    share += bias
    candidate = tf.tanh(row_candidate + reset * share)
    return candidate + update * (state - candidate), update, reset, candidate, share


def lstm_gates(row, state, memory, kernel):
    """Return the new state and memory of an LSTM, its gates i, f, candidate, o, and tanh of the new memory."""
    row_write, row_keep, row_candidate, row_give = tf.split(row, 4, axis=1)
    sum_write, sum_keep, sum_candidate, sum_give = _sums(state, kernel, 4)
    write = tf.sigmoid(row_write + sum_write)
    keep = tf.sigmoid(row_keep + sum_keep)
    candidate = tf.tanh(row_candidate + sum_candidate)
    give = tf.sigmoid(row_give + sum_give)
    memory = keep * memory + write * candidate
    squashed = tf.tanh(memory)
    return give * squashed, memory, write, keep, candidate, give, squashed


def gru_scan(inputs, state, kernel, bias):
    """Return the outputs of a GRU and their backward pass, in the form that ``tf.custom_gradient`` asks for.

    Parameters
    ----------
    inputs : Rows or Lookup
        The projected inputs.
    state, kernel, bias : tf.Tensor
        ``(batch, units)``, ``(units, 3 * units)``, ``(units,)``, float32 but for the kernel, whose type is that of
        the recurrent products.

    Returns
    -------
    tuple
        Outputs ``(time, batch, units)``, and the function from their gradient to those of the inputs' source and of
        the three tensors.
    """
    units = state.shape[-1]
    padded = _padded(kernel)

    def step(t, state):
        state, *gates = gru_gates(inputs.row(t), state, padded, bias)
        return [state], [state, *gates]

    _, (states, *gates) = _loop(step, 0, inputs.time, [state], 5 * [units], tf.float32)
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
            d_sums = tf.cast(tf.concat([d_update, d_reset, d_candidate * reset], axis=1), kernel.dtype)
            d_candidate = tf.cast(d_candidate, kernel.dtype)
            return [kept + _product(d_sums, transposed)], [d_sums, d_candidate]

        def add(totals, start, stop, d_sums, d_candidates):
            # The gradient of a row is that of the sums, but for its last part, the candidate's.
            d_rows, d_last_parts, d_kernel, d_bias = totals
            return [
                inputs.add(d_rows, start, stop, d_sums),
                inputs.add(d_last_parts, start, stop, d_candidates),
                d_kernel + _product_over_steps(before[start:stop], d_sums),
                d_bias + tf.reduce_sum(tf.cast(d_sums[:, :, 2 * units :], tf.float32), axis=(0, 1)),
            ]

        zeros = [inputs.zero(3 * units), inputs.zero(units), tf.zeros(kernel.shape), tf.zeros_like(bias)]
        kinds = [3 * units, units], kernel.dtype
        (d_state,), totals = _loop_back(step_back, inputs.time, [tf.zeros_like(state)], *kinds, add, zeros)
        d_rows, d_last_parts, d_kernel, d_bias = totals
        first_parts = inputs.gradient(d_rows)[..., : 2 * units]
        d_source = tf.concat([first_parts, inputs.gradient(d_last_parts)], axis=-1)
        return d_source, d_state, tf.cast(d_kernel, kernel.dtype), d_bias

    return outputs, backward


def lstm_scan(inputs, state, memory, kernel):
    """Return outputs and last memory of an LSTM, and their backward pass; as :func:`gru_scan`, four gates wide."""
    units = state.shape[-1]
    padded = _padded(kernel)

    def step(t, state, memory_before):
        state, memory, *gates = lstm_gates(inputs.row(t), state, memory_before, padded)
        return [state, memory], [state, memory_before, *gates]

    (_, last_memory), (states, *gates) = _loop(step, 0, inputs.time, [state, memory], 7 * [units], tf.float32)
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
            d_row = tf.cast(tf.concat([d_write, d_keep, d_candidate, d_give], axis=1), kernel.dtype)
            return [_product(d_row, transposed), d_memory * keep], [d_row]

        def add(totals, start, stop, d_rows):
            d_source, d_kernel = totals
            return [
                inputs.add(d_source, start, stop, d_rows),
                d_kernel + _product_over_steps(before[start:stop], d_rows),
            ]

        zeros = [inputs.zero(4 * units), tf.zeros(kernel.shape)]
        d_states = [tf.zeros_like(state), d_memory]
        kinds = [4 * units], kernel.dtype
        (d_state, d_memory), totals = _loop_back(step_back, inputs.time, d_states, *kinds, add, zeros)
        d_source, d_kernel = totals
        return inputs.gradient(d_source), d_state, d_memory, tf.cast(d_kernel, kernel.dtype)

    return (outputs, last_memory), backward


class Rows:
    """Projected inputs ``(time, batch, gates * units)`` as the loops read them, and the sum of their gradient."""

    def __init__(self, source, ids=None):
        self.source = source
        self.time = tf.shape(source)[0]

    def row(self, t):
        """Return the inputs of one step ``(batch, gates * units)``."""
        return self.source[t]

    def zero(self, width):
        """Return a total of gradients to start from."""
        return tf.TensorArray(tf.float32, self.time, element_shape=(self.source.shape[1], width))

    def add(self, total, start, stop, d_rows):
        """Return the total with the gradients of some steps ``(stop - start, batch, width)``."""
        return total.scatter(tf.range(start, stop), tf.cast(d_rows, tf.float32))

    def gradient(self, total):
        """Return a total as the gradient for the source."""
        return total.stack()


class Lookup:
    """Rows of a projected table ``(vocab, gates * units)`` at ids ``(time, batch)``; the methods are those of Rows.

    The rows of a batch of 6,400 characters, with 512 units, take 40 MB, and so does their gradient. Looked up and
    summed as the loops go, neither is ever written out.
    """

    def __init__(self, source, ids):
        self.source = source
        self.ids = ids
        self.time = tf.shape(ids)[0]

    def row(self, t):
        """Return the inputs of one step ``(batch, gates * units)``."""
        return tf.gather(self.source, self.ids[t])

    def zero(self, width):
        """Return a total of gradients to start from."""
        return tf.zeros((self.source.shape[0], width))

    def add(self, total, start, stop, d_rows):
        """Return the total with the gradients of some steps: a product with one-hot rows sums them by character."""
        return total + _product_over_steps(tf.one_hot(self.ids[start:stop], self.source.shape[0]), d_rows)

    def gradient(self, total):
        """Return a total as the gradient for the source."""
        return total


def _loop(step, start, stop, states, widths, dtype, back=False):
    """Run ``step(t, *states)``, which returns new states and what to keep, for t from start to stop, or back.

    What is kept has the given widths and one type. Returns the last states, and a ``tf.TensorArray`` of each thing.
    """
    shapes = [(states[0].shape[0], width) for width in widths]
    arrays = [tf.TensorArray(dtype, stop - start, element_shape=shape) for shape in shapes]

    def body(i, states, arrays):
        t = stop - 1 - i if back else start + i
        states, values = step(t, *states)
        arrays = [array.write(t - start, value) for array, value in zip(arrays, values, strict=True)]
        return i + 1, states, arrays

    _, states, arrays = tf.while_loop(lambda i, *_: i < stop - start, body, (0, states, arrays))
    return states, arrays


def _loop_back(step, time, states, widths, dtype, add, totals):
    """Run ``step`` from the last step to the first, and ``add`` what it keeps to the totals block by block.

    What a block keeps is used while it is still in the processor's cache.
    """

    def body(stop, states, totals):
        start = tf.maximum(stop - BLOCK, 0)
        states, arrays = _loop(step, start, stop, states, widths, dtype, back=True)
        totals = add(totals, start, stop, *[array.stack() for array in arrays])
        return start, states, totals

    _, states, totals = tf.while_loop(lambda stop, *_: stop > 0, body, (time, states, totals))
    return states, totals


def _padded(kernel):
    """Return a float32 kernel with more columns, whose products are faster; one of another type as it is."""
    return tf.pad(kernel, [[0, 0], [0, PADDING]]) if kernel.dtype == tf.float32 else kernel


def _sums(state, kernel, gates):
    """Return what the state adds to each gate, a list of float32 ``(batch, units)``; the kernel may be padded."""
    product = _multiply(tf.cast(state, kernel.dtype), kernel)
    units = state.shape[1]
    padding = kernel.shape[1] - gates * units
    parts = tf.split(product, gates * [units] + [padding], axis=1)
    return [tf.cast(part, tf.float32) for part in parts[:gates]]


def _product(left, right):
    """Return a matrix product in the type of its right factor, as float32."""
    return tf.cast(_multiply(tf.cast(left, right.dtype), right), tf.float32)


def _product_over_steps(left, right):
    """Return the sum of left times right over steps and batch, in the type of the right factor, as float32."""
    rows, others = (tf.reshape(x, (-1, x.shape[-1])) for x in (left, right))
    return tf.cast(_multiply(tf.cast(rows, right.dtype), others, transpose_a=True), tf.float32)


def _multiply(left, right, transpose_a=False):
    """Return a matrix product of two matrices of one type, in that type."""
    if right.dtype == tf.bfloat16 and os.environ.get("ONEDNN_MAX_CPU_ISA", "").upper() in WITHOUT_BFLOAT16:
        left = tf.cast(left, tf.float32)
        right = tf.cast(right, tf.float32)
        return tf.cast(tf.matmul(left, right, transpose_a=transpose_a), tf.bfloat16)
    return tf.matmul(left, right, transpose_a=transpose_a)


def _behind_sigmoid(value, d_value):
    """Return the gradient for the argument of a sigmoid, from its value and the gradient for that."""
    return tf.raw_ops.SigmoidGrad(y=value, dy=d_value)


def _behind_tanh(value, d_value):
    """Return the gradient for the argument of tanh, from its value and the gradient for that."""
    return tf.raw_ops.TanhGrad(y=value, dy=d_value)
