"""GRU and LSTM layers for the CPU: Keras's weights and results, with the loops of :mod:`charlm_utils.scans`."""

import keras
import tensorflow as tf

from charlm_utils.scans import gru_gates, gru_scan, lstm_gates, lstm_scan


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
        return usual and not unusual and not tf.config.list_physical_devices("GPU")

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

    def step(self, row, states):
        """Take one step on projected inputs ``(batch, 3 * units)``; returns the output and the new states."""
        kernel, bias = map(tf.convert_to_tensor, (self.cell.recurrent_kernel, self.cell.bias))
        state, *_ = gru_gates(self.recurrent_dtype, row, *states, kernel, bias[1])
        return state, [state]

    def _run(self, rows, state):
        kernel, bias = map(tf.convert_to_tensor, (self.cell.recurrent_kernel, self.cell.bias))
        scan = tf.custom_gradient(lambda *x: gru_scan(self.recurrent_dtype, *x))
        outputs = scan(rows, state, kernel, bias[1])
        return outputs, outputs[-1]


@keras.saving.register_keras_serializable("charlm_utils")
class FastLSTM(_Fast, keras.layers.LSTM):
    """A drop-in for ``keras.layers.LSTM`` (Hochreiter and Schmidhuber 1997); all else as :class:`FastGRU`."""

    def step(self, row, states):
        """Take one step on projected inputs ``(batch, 4 * units)``; returns the output and the new states."""
        kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        state, memory, _ = lstm_gates(self.recurrent_dtype, row, *states, kernel)
        return state, [state, memory]

    def _run(self, rows, state, memory):
        kernel = tf.convert_to_tensor(self.cell.recurrent_kernel)
        scan = tf.custom_gradient(lambda *x: lstm_scan(self.recurrent_dtype, *x))
        outputs, memory = scan(rows, state, memory, kernel)
        return outputs, outputs[-1], memory
