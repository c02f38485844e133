"""Networks from ids ``(batch, time)`` to logits ``(batch, time, vocab)``, with the state as an argument."""

import keras
import tensorflow as tf

from charlm_utils.layers import FastGRU, FastLSTM

CELLS = {"rnn": keras.layers.SimpleRNN, "gru": keras.layers.GRU, "lstm": keras.layers.LSTM}
FAST_CELLS = {"gru": FastGRU, "lstm": FastLSTM}


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
    cell : {"gru", "lstm", "rnn"}
        Kind of recurrent layer.
    units, num_layers : int
        Width and number of the recurrent layers.
    embedding_dim : int or None
        Width of the embedding; None: one-hot rows, that is, the unit matrix, which is not trained.
    dropout : float
        Share of each recurrent layer's outputs that is dropped in training.
    fast : bool
        Whether to use the layers of :mod:`charlm_utils.fast`: same weights and results, faster on a CPU.
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
        If the cell is unknown, a size is below 1, the dropout is outside ``0 <= dropout < 1``, or
        ``recurrent_dtype`` is unknown or given without ``fast``.
    """
    cells = FAST_CELLS if fast else CELLS
    if cell not in cells:
        raise ValueError(f"cell must be one of {', '.join(cells)}, got {cell!r}{' with fast=True' if fast else ''}")
    if recurrent_dtype != "float32" and not fast:
        raise ValueError(f"recurrent_dtype={recurrent_dtype!r} needs fast=True")
    sizes = {
        "vocab_size": vocab_size,
        "units": units,
        "num_layers": num_layers,
        "embedding_dim": embedding_dim,
    }
    for name, size in sizes.items():
        if size is not None and size < 1:
            raise ValueError(f"{name} must be at least 1, got {size}")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be at least 0 and below 1, got {dropout}")
    inputs = keras.Input((None,), dtype="int32", name="ids")  # (batch, time)
    x = _embedding(vocab_size, embedding_dim)(inputs)  # (batch, time, embedding_dim or vocab_size)
    options = {"recurrent_dtype": recurrent_dtype} if fast else {}
    for _ in range(num_layers):
        x, *_ = cells[cell](units, return_sequences=True, return_state=True, **options)(x)  # (batch, time, units)
        if dropout:
            x = keras.layers.Dropout(dropout)(x)
    return keras.Model(inputs, keras.layers.Dense(vocab_size, name="logits")(x))


def zero_states(model, batch_size):
    """Return the state before the first character: per recurrent layer a list of zeros ``(batch_size, units)``."""
    return [
        [tf.zeros((batch_size, size)) for size in tf.nest.flatten(layer.cell.state_size)]
        for layer in recurrent_layers(model)
    ]


def state_specs(model):
    """Return the types of a state of any batch size, in the form that ``tf.function`` takes as signature."""
    return [[tf.TensorSpec((None, x.shape[-1])) for x in state] for state in zero_states(model, 1)]


def forward(model, inputs, states, training=False):
    """Run a model over a window, from given states to new ones.

    Works for any stack of Keras layers of which the recurrent ones return sequences, whether built by
    :func:`build_model` or by hand, ``stateful`` or not: the layers' own hidden states stay untouched.

    Parameters
    ----------
    model : keras.Model
        One layer after another.
    inputs : tf.Tensor
        Integers ``(batch, time)``.
    states : list
        As :func:`zero_states` returns them.
    training : bool
        Whether dropout is at work.

    Returns
    -------
    tuple
        Logits ``(batch, time, vocab)`` and the states after the last step.
    """
    x, new_states, states, layers = inputs, [], iter(states), _layers(model)
    table = projected_table(model)
    if table is not None:
        x, *state = layers[1].scan(tf.gather(table, inputs), next(states))
        new_states.append(state)
        layers = layers[2:]
    for layer in layers:
        if isinstance(layer, keras.layers.RNN):
            x, *state = _explicit(layer)(x, initial_state=next(states), training=training)
            new_states.append(state)
        elif isinstance(layer, keras.layers.Dropout):
            x = layer(x, training=training)
        else:
            x = layer(x)
    return x, new_states


def step(model, ids, states, table=None):
    """Run a model over one character per row: ids ``(batch,)`` to logits ``(batch, vocab)`` and new states.

    In a loop, :func:`projected_table` made before it saves every step a product.
    """
    x, new_states, states, layers = ids, [], iter(states), _layers(model)
    if table is not None:
        x, state = layers[1].step(tf.gather(table, ids), next(states))
        new_states.append(state)
        layers = layers[2:]
    for layer in layers:
        if isinstance(layer, keras.layers.RNN):
            x, state = layer.cell(x, next(states), training=False)
            new_states.append(list(state))
        elif not isinstance(layer, keras.layers.Dropout):
            x = layer(x)
    return x, new_states


def projected_table(model):
    """Return the embedding's rows times the kernel of the fast layer after it, or None where there is no such pair.

    The table ``(vocab, gates * units)`` takes the place of a product at every character of a text.
    """
    embedding, recurrent, *_ = [*_layers(model), None, None]
    if isinstance(embedding, keras.layers.Embedding) and getattr(recurrent, "is_fast", False):
        return recurrent.project(embedding.embeddings)
    return None


def recurrent_layers(model):
    """Return the recurrent layers of a model, in order.

    Raises
    ------
    ValueError
        If there is none, or if one returns only its last output.
    """
    layers = [layer for layer in _layers(model) if isinstance(layer, keras.layers.RNN)]
    if not layers:
        raise ValueError(f"the model {model.name!r} has no recurrent layer")
    for layer in layers:
        if not layer.return_sequences:
            raise ValueError(f"the layer {layer.name!r} must return sequences: one output for every character")
    return layers


def _embedding(vocab_size, embedding_dim):
    if embedding_dim is None:
        return keras.layers.Embedding(vocab_size, vocab_size, embeddings_initializer="identity", trainable=False)
    return keras.layers.Embedding(vocab_size, embedding_dim)


def _layers(model):
    return [layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)]


def _explicit(layer):
    """Return a layer over the same cell that takes its state and gives it back."""
    if layer.return_state and not layer.stateful:
        return layer
    return keras.layers.RNN(layer.cell, return_sequences=True, return_state=True)
