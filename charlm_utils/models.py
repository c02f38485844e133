"""Networks from ids ``(batch, time)`` to logits ``(batch, time, vocab)``, with the state as an argument."""

import contextlib
import inspect
import warnings
import weakref
from dataclasses import dataclass
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.batching import check_ids
from charlm_utils.checks import (
    Flag,
    Function,
    KerasLayer,
    KerasModel,
    Kind,
    Size,
    checked,
    instance,
    is_array,
    shown,
)
from charlm_utils.settings import CELLS, weight_shapes

# Of what is traced into other functions: it needs nothing of AutoGraph, whose translation takes half a second.
_untranslated = tf.autograph.experimental.do_not_convert


def _are_ids(value, axes):
    """Whether a tensor, symbolic or not, or an array holds integers and has so many axes."""
    if tf.is_tensor(value):
        return value.dtype.is_integer and value.shape.rank in (None, axes)
    return is_array(value, "iu", axes)


_Windows = Annotated[tf.Tensor, Kind("integers (batch, time)", lambda value: _are_ids(value, 2))]
_Row = Annotated[tf.Tensor, Kind("integers (batch,)", lambda value: _are_ids(value, 1))]
_PreparedSteps = instance("charlm_utils.models", "Prepared", "what prepare_steps returns")


def build_model(
    vocab_size,
    *,
    cell="gru",
    units=256,
    num_layers=1,
    embedding_dim=64,
    dropout=0.0,
    fast=False,
    recurrent_dtype="float32",
):
    """Build embedding -> recurrent layers (each with dropout on its outputs) -> logits.

    Parameters
    ----------
    vocab_size : int
        Number of characters.
    cell : str
        Kind of recurrent layer: ``"gru"``, ``"lstm"``, ``"rnn"``, or another key of ``charlm_utils.settings.CELLS``.
    units, num_layers : int
        Width and number of the recurrent layers.
    embedding_dim : int or None
        Width of the embedding; None: one-hot rows, that is, the unit matrix, which is not trained.
    dropout : float
        Share of each recurrent layer's outputs that is dropped in training.
    fast : bool
        Whether to use the layers of :mod:`charlm_utils.layers`: same weights and results, faster on a CPU.
    recurrent_dtype : {"float32", "bfloat16"}
        With ``fast``, the type of the recurrent products.

    Returns
    -------
    keras.Model
        Float32 logits ``(batch, time, vocab_size)`` from integers ``(batch, time)``. It starts every call
        from a zero state; :func:`forward` carries the state.

    Raises
    ------
    ValueError
        If the cell is unknown, a size is not an integer of at least 1, the dropout is outside ``0 <= dropout < 1``,
        ``recurrent_dtype`` is unknown or given without ``fast``, or the model would be larger than a run may be.
    """
    weight_shapes(  # which checks the arguments
        vocab_size,
        cell=cell,
        units=units,
        num_layers=num_layers,
        embedding_dim=embedding_dim,
        dropout=dropout,
        fast=fast,
        recurrent_dtype=recurrent_dtype,
    )
    options = {"return_sequences": True, "return_state": True}
    if fast:
        options["recurrent_dtype"] = recurrent_dtype
    layer = CELLS[cell].fast if fast else CELLS[cell].layer
    inputs = keras.Input((None,), dtype="int32", name="ids")  # (batch, time)
    x = _embedding(vocab_size, embedding_dim)(inputs)  # (batch, time, embedding_dim or vocab_size)
    for _ in range(num_layers):
        x, *_ = layer(units, **options)(x)  # (batch, time, units)
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(vocab_size, name="logits")(x))


@checked
def take_weights(model: KerasModel, older: KerasModel):
    """Give a model the weights of an older one of the same layers whose vocabulary is the beginning of its own.

    What belongs to the older one's characters is copied; rows and columns of new characters stay as they are.

    Raises
    ------
    ValueError
        If the models differ in more than the number of characters.
    """
    if len(model.weights) != len(older.weights):
        raise ValueError(f"older must have {len(model.weights)} weights, as the model has, got {len(older.weights)}")
    weights = []
    for own, other in zip(model.get_weights(), older.get_weights(), strict=True):
        if own.ndim != other.ndim or any(a < b for a, b in zip(own.shape, other.shape, strict=True)):
            raise ValueError(f"weights of shape {other.shape} do not go into {own.shape}")
        own[tuple(slice(size) for size in other.shape)] = other
        weights.append(own)
    model.set_weights(weights)


@_untranslated
@checked
def zero_states(model: KerasModel, batch_size: Size):
    """Return the state before the first character: per recurrent layer a list of zeros ``(batch_size, units)``.

    They have the type that the layer computes in: float32, unless the model was built for mixed precision.
    """
    states = []
    for layer in recurrent_layers(model):
        sizes = tf.nest.flatten(layer.cell.state_size)
        states.append([tf.zeros((batch_size, size), layer.compute_dtype) for size in sizes])
    return states


def state_specs(model):
    """Return the types of a state of any batch size, in the form that ``tf.function`` takes as signature."""
    return tf.nest.map_structure(lambda x: tf.TensorSpec((None, x.shape[-1]), x.dtype), zero_states(model, 1))


@_untranslated
@checked
def forward(model: KerasModel, inputs: _Windows, states, training: Flag = False):
    """Run a model over a window, from given states to new ones.

    Works for any chain of Keras layers of which the recurrent ones return sequences, whether built by
    :func:`build_model` or by hand, ``stateful`` or not: the layers' own hidden states stay untouched. Every recurrent
    layer runs through its own engine, on a GPU through cuDNN where its settings allow it; where they do not, a
    warning says which.

    Parameters
    ----------
    model : keras.Model
        One layer after another.
    inputs : tf.Tensor
        Integers ``(batch, time)``.
    states : list
        As :func:`zero_states` returns them.
    training : bool
        Passed to every layer that takes it: whether dropout is at work, for example.

    Returns
    -------
    tuple
        Logits, float32 ``(batch, time, vocab)``, and the states after the last step.

    Raises
    ------
    ValueError
        If the model is no chain, masks characters, reads backwards or has no recurrent layer that returns sequences,
        or inputs or states are not of the shape and kind that it takes.
    """
    layers = chain_of_layers(model)
    _check_inputs(layers, "inputs", inputs, states)
    x, new_states, states = inputs, [], iter(states)
    if _takes_table(layers):
        table = layers[1].project(layers[0].embeddings)
        x, *state = layers[1].scan(table, next(states), ids=inputs)
        new_states.append(state)
        layers = layers[2:]
    for layer in layers:
        if isinstance(layer, keras.layers.RNN):
            x, state = _run_recurrent(layer, x, next(states), training)
            new_states.append(state)
        else:
            x = _call(layer, x, training)
    return tf.cast(x, tf.float32), new_states


@_untranslated
@checked
def step(model: KerasModel, ids: _Row, states, prepared: _PreparedSteps | None = None):
    """Run a model over one character per row: ids ``(batch,)`` to float32 logits ``(batch, vocab)`` and new states.

    In a loop, :func:`prepare_steps` called before it saves every step work that is always the same. Errors are those
    of :func:`forward`.
    """
    layers = chain_of_layers(model)
    _check_inputs(layers, "ids", ids, states)
    prepared = prepared or prepare_steps(model)
    x, rows, new_states, states = ids, None, [], iter(states)
    if prepared.table is not None:
        rows = tf.gather(prepared.table, ids)  # (batch, gates * units): what the first fast layer would project
    for layer, weights in list(zip(layers, prepared.weights, strict=True))[0 if rows is None else 1 :]:
        if weights is not None:
            rows = layer.project(x) if rows is None else rows
            x, state = layer.step(rows, next(states), weights)
            rows = None
            new_states.append(state)
        elif isinstance(layer, keras.layers.RNN):
            x = tf.cast(x, layer.compute_dtype)
            state = _packed(layer, next(states))
            with _dropout_drawn(layer, x, state):
                x, state = _call(layer.cell, x, False, state)
            new_states.append(tf.nest.flatten(state))
        elif isinstance(layer, (keras.layers.Embedding, keras.layers.Dense)):
            x = layer(x)
        else:
            x = _call(layer, x[:, None], False)[:, 0]  # a layer over time sees a window of one step
    return tf.cast(x, tf.float32), new_states


def _check_inputs(layers, name, ids, states):
    """Raise a ``ValueError`` if an id has no row in the embedding, or the states are not those of the layers."""
    rows = np.shape(ids)[0] if not tf.is_tensor(ids) else ids.shape[0]
    if tf.executing_eagerly() and isinstance(layers[0], keras.layers.Embedding):
        check_ids(np.ravel(ids), vocab_size=layers[0].input_dim, name=name)
    wanted = []
    for layer in layers:
        if isinstance(layer, keras.layers.RNN):
            wanted.append([tf.TensorShape((rows, size)) for size in tf.nest.flatten(layer.cell.state_size)])
    try:
        given = [[tf.TensorShape(part.shape) for part in state] for state in states]
    except (AttributeError, TypeError, ValueError):
        given = None
    if given is None or not _are_compatible(given, wanted):
        raise ValueError(f"states must be as zero_states gives them, of shapes {wanted}, got {shown(given or states)}")


def _are_compatible(given, wanted):
    """Whether lists of lists of shapes agree, where both are known."""
    if [len(state) for state in given] != [len(state) for state in wanted]:
        return False
    pairs = zip(tf.nest.flatten(given), tf.nest.flatten(wanted), strict=True)
    return all(one.is_compatible_with(other) for one, other in pairs)


@dataclass(frozen=True)
class Prepared:
    """What :func:`step` needs at every character and :func:`prepare_steps` computed once.

    Attributes
    ----------
    table : tf.Tensor or None
        The embedding's rows times the kernel of the fast layer after it, ``(vocab, gates * units)``; None where
        there is no such pair.
    weights : list
        Per layer of the chain: a fast layer's ``loop_weights()``, None for any other.
    """

    table: "tf.Tensor | None"
    weights: list


@_untranslated
@checked
def prepare_steps(model: KerasModel):
    """Return the :class:`Prepared` of a model, for the weights that it has now."""
    layers = chain_of_layers(model)
    weights = [layer.loop_weights() if getattr(layer, "is_fast", False) else None for layer in layers]
    table = layers[1].project(layers[0].embeddings) if _takes_table(layers) else None
    return Prepared(table, weights)


@checked
def recurrent_layers(model: KerasModel):
    """Return the recurrent layers of a model, in order.

    Raises
    ------
    ValueError
        As :func:`chain_of_layers`.
    """
    return [layer for layer in chain_of_layers(model) if isinstance(layer, keras.layers.RNN)]


@checked
def chain_of_layers(model: KerasModel):
    """Return the layers of a model without its input, in order, those of a model inside of it included.

    Raises
    ------
    ValueError
        If they are not one chain from ids to logits, a layer masks characters or reads backwards, or there is no
        recurrent layer that returns its output for every character.
    """
    layers = _flatten(model)
    for layer in layers:
        problem = _problem(layer)
        if problem:
            raise ValueError(f"the layer {layer.name!r} {problem}")
    if not any(isinstance(layer, keras.layers.RNN) for layer in layers):
        raise ValueError(f"the model {model.name!r} has no recurrent layer")
    if not model.built:
        raise ValueError(f"the model {model.name!r} has no weights yet: give it an Input, or call it once")
    return layers


@checked
def count_logits(model: KerasModel):
    """Return for how many characters a model gives logits.

    Raises
    ------
    ValueError
        If its output is not one array with a fixed number of columns.
    """
    try:
        shape = model.output_shape
    except AttributeError as error:  # not built, or a class of its own
        raise ValueError(f"the model {model.name!r} has no output yet: give it an Input") from error
    if not isinstance(shape, tuple) or len(shape) < 2 or not isinstance(shape[-1], int):
        raise ValueError(f"the model {model.name!r} must give logits (batch, time, vocab), got shape {shape}")
    return shape[-1]


@checked
def describe_layers(model: KerasModel):
    """Return a value that changes when a layer of a model or one of its settings changes, and not with the weights.

    What was compiled for a model is good for as long as this stays equal.
    """
    described = []
    for layer in chain_of_layers(model):
        try:
            settings = repr(layer.get_config())
        except NotImplementedError:  # a layer of one's own that cannot be saved
            settings = ""
        variables = tuple(id(variable) for variable in layer.variables)
        described.append((id(layer), settings, variables))
    return tuple(described)


class PerModel:
    """What is made once for every model, compiled functions for example, and kept without touching the model.

    It is made anew when the model's layers change, and forgotten when nobody else holds the model.

    Parameters
    ----------
    make : callable
        From a weak reference to the model, ``reference()``, to what is kept. Whatever is kept must hold the reference
        and not the model, or the model would live for ever.
    """

    @checked
    def __init__(self, make: Function):
        self._make = make
        self._kept = weakref.WeakKeyDictionary()

    def __call__(self, model):
        """Return what belongs to a model."""
        description = describe_layers(model)
        kept = self._kept.get(model)
        if kept is None or kept[0] != description:
            kept = (description, self._make(weakref.ref(model)))
            self._kept[model] = kept
        return kept[1]


@checked
def why_no_cudnn(layer: KerasLayer):
    """Say which setting keeps a recurrent layer from running through cuDNN on a GPU; None if nothing does.

    The conditions are those that Keras checks (``keras.layers.GRU`` and ``keras.layers.LSTM``).
    """
    if not isinstance(layer, (keras.layers.GRU, keras.layers.LSTM)):
        return f"it is a {type(layer).__name__}, neither GRU nor LSTM"
    tanh = [keras.activations.tanh, keras.ops.tanh, tf.tanh]
    sigmoid = [keras.activations.sigmoid, keras.ops.sigmoid, tf.sigmoid]
    needed = {
        "activation": (layer.activation, tanh),
        "recurrent_activation": (layer.recurrent_activation, sigmoid),
        "use_bias": (layer.use_bias, [True]),
        "unroll": (layer.unroll, [False]),
        "recurrent_dropout": (layer.recurrent_dropout, [0]),
        "reset_after": (getattr(layer, "reset_after", True), [True]),
    }
    for name, (value, wanted) in needed.items():
        if value not in wanted:
            return f"{name}={getattr(value, '__name__', value)}, not {getattr(wanted[0], '__name__', wanted[0])}"
    if layer.use_cudnn is False:
        return "use_cudnn=False"
    return None


@checked
def warn_without_cudnn(model: KerasModel):
    """Warn where there is a GPU and a recurrent layer of a model cannot run through cuDNN, and say which setting it is.

    :func:`forward` does so by itself; this is for what calls a model or its ``fit`` directly.
    """
    for layer in model.layers:
        if isinstance(layer, keras.layers.RNN):
            _warn_without_cudnn(layer)


def _warn_without_cudnn(layer):
    if tf.config.list_logical_devices("GPU"):
        reason = why_no_cudnn(layer)
        if reason:
            warnings.warn(f"the layer {layer.name!r} runs without cuDNN: {reason}", stacklevel=4)


def _takes_table(layers):
    """Whether the embedding can be projected once for all characters: a fast layer comes right after it."""
    return isinstance(layers[0], keras.layers.Embedding) and getattr(layers[1], "is_fast", False)


def _run_recurrent(layer, x, state, training):
    """Run a recurrent layer's own engine from a given state; what the layer remembers by itself stays untouched."""
    _warn_without_cudnn(layer)
    if layer.return_state and not layer.stateful:
        outputs, *state = layer(x, initial_state=_packed(layer, state), training=training)
        return outputs, tf.nest.flatten(state)
    engine = _Engine(name="engine", dtype=layer.dtype_policy)
    outputs, state = engine(x, _packed(layer, state), layer=layer, training=training)
    return outputs, tf.nest.flatten(state)


class _Engine(keras.layers.Layer):
    """Runs a recurrent layer's own loop and returns its outputs and states.

    Keras casts inputs, states and weights to the type that a layer computes in when it calls a layer, so this is one.
    """

    def call(self, x, state, *, layer, training):
        """Run the loop over time."""
        with _dropout_drawn(layer, x[:, 0], state):
            _, outputs, state = layer.inner_loop(x, state, None, training)
        return outputs, state


@contextlib.contextmanager
def _dropout_drawn(layer, x, state):
    """Draw the dropout masks of a layer's cells before its loop and drop them after it, as a call of the layer does.

    A mask drawn inside a compiled loop is of no use outside of it, but the cell would keep it for its next call.
    """
    stacked = isinstance(layer.cell, keras.layers.StackedRNNCells)
    cells = layer.cell.cells if stacked else [layer.cell]
    parts = state if stacked else [state]
    droppers = [cell for cell in cells if hasattr(cell, "get_dropout_mask")]
    for cell, part in zip(cells, parts, strict=True):
        if cell in droppers:
            cell.get_dropout_mask(x)
            cell.get_recurrent_dropout_mask(tf.nest.flatten(part)[0])
        x = tf.nest.flatten(part)[0]  # as wide as what the next cell of a stack reads
    try:
        yield
    finally:
        for cell in droppers:
            cell.reset_dropout_mask()
            cell.reset_recurrent_dropout_mask()


def _packed(layer, state):
    """Return a flat list of states in the structure that the layer's cell takes."""
    if isinstance(layer.cell, keras.layers.StackedRNNCells):
        return tf.nest.pack_sequence_as(layer.cell.state_size, state)
    return list(state)


def _call(layer, x, training, *states):
    """Call a layer or a cell, with ``training``: a layer of Keras hands it on to the layers inside of it."""
    if isinstance(layer, keras.Layer) or "training" in inspect.signature(layer.call).parameters:
        return layer(x, *states, training=training)
    return layer(x, *states)


def _flatten(model):
    """Return the layers of a model, with those of the models inside of it in their place."""
    if not isinstance(model, keras.Sequential):  # that is a chain by itself
        outputs = getattr(model, "outputs", None) or []
        others = {part.name for part in getattr(model, "operations", []) if not isinstance(part, keras.Layer)}
        others |= _not_in_chain(model)
        if others or len(outputs) != 1:
            raise ValueError(
                f"the model {model.name!r} must be one chain of layers from ids to logits, sequential or functional; "
                f"it has {len(outputs)} outputs, and not in a chain: {', '.join(sorted(others)) or 'nothing'}"
            )
    layers = []
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            layers += _flatten(layer)
        elif not isinstance(layer, keras.layers.InputLayer):
            layers.append(layer)
    return layers


def _not_in_chain(model):
    """Return the names of the layers of a functional model that were called more than once, or on several tensors."""
    try:
        config = model.get_config()
    except NotImplementedError:  # a layer of one's own that cannot be saved
        return set()
    names = set()
    for layer in config.get("layers", []):
        nodes = layer["inbound_nodes"]  # one for each call; an input has none
        if nodes and (len(nodes) > 1 or repr(nodes).count("'__keras_tensor__'") != 1):
            names.add(layer["name"])
    return names


def _problem(layer):
    """Say what keeps a layer from being run with the state as an argument; None if nothing does."""
    if isinstance(layer, keras.layers.Masking) or getattr(layer, "mask_zero", False):
        return "masks characters, and id 0 is a character like any other: build the model without a mask"
    if isinstance(layer, keras.layers.Bidirectional) or getattr(layer, "go_backwards", False):
        return "reads backwards, and a language model must not see what it is to predict"
    if getattr(layer, "kernel_size", (1,)) != (1,) or hasattr(layer, "pool_size"):
        return "looks at several characters at once, and step by step it sees one: use recurrent layers"
    if isinstance(layer, keras.layers.RNN) and not layer.return_sequences:
        return "must return sequences: one output for every character"
    return None


def _embedding(vocab_size, embedding_dim):
    if embedding_dim is None:
        return keras.layers.Embedding(vocab_size, vocab_size, embeddings_initializer="identity", trainable=False)
    return keras.layers.Embedding(vocab_size, embedding_dim)
