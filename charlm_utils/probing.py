"""What the units of a network follow, scored against controls, and what happens when one of them is held."""

import re
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.batching import check_ids
from charlm_utils.checks import (
    Count,
    Ids,
    KerasModel,
    List,
    NotNegative,
    NumberList,
    Numbers,
    Rows,
    Seed,
    Size,
    Text,
    check,
    checked,
    integer,
    number,
)
from charlm_utils.models import (
    PerModel,
    chain_of_layers,
    count_logits,
    prepare_steps,
    recurrent_layers,
    state_specs,
    step,
    zero_states,
)

WARM_UP = 200  # characters that each of several streams reads before its states are kept
KINDS = ("inside a word", "first letter", "space", "newline", "punctuation", "speaker's name")
_Finite = number("a finite number", lambda value: True)
_SPEAKER = re.compile(r"(?:\A|(?<=\n\n))[A-Z][^\n:]{0,40}:(?=\n)")


# What stands in a text


@checked
def label_text(text: Text):
    """Say of every character of a text where it stands and what it is, in numbers.

    Parameters
    ----------
    text : str
        At least one character. A speaker's name is a line that ends in a colon, after an empty line; a quotation lasts
        from one ``"`` to the next, and never longer than its paragraph.

    Returns
    -------
    dict
        Six arrays, float ``(n,)``: ``"place in the line"`` (0 at a newline), ``"inside quotes"``, ``"speaker's name"``,
        ``"capital"``, ``"place in the word"`` (0 outside of words) and ``"vowel"``; four of them hold 0 and 1.

    Examples
    --------
    >>> label_text("a Be")["place in the word"].tolist()
    [1.0, 0.0, 1.0, 2.0]
    """
    labels = {
        "place in the line": _places(text, lambda character: character != "\n"),
        "inside quotes": _inside_quotes(text),
        "speaker's name": _speakers(text),
        "capital": [character.isupper() for character in text],
        "place in the word": _places(text, str.isalpha),
        "vowel": [character in "aeiouAEIOU" for character in text],
    }
    return {name: np.array(values, float) for name, values in labels.items()}


@checked
def character_kinds(text: Text):
    """Sort the characters of a text into six kinds.

    Returns
    -------
    numpy.ndarray
        int ``(n,)``: places in ``KINDS``. The newline that ends a speaker's name belongs to the newlines.
    """
    in_word = _places(text, lambda character: character.isalpha() or character == "'")
    kinds = np.full(len(text), KINDS.index("punctuation"))
    for i, character in enumerate(text):
        if in_word[i] > 1:
            kinds[i] = KINDS.index("inside a word")
        elif character.isalpha():
            kinds[i] = KINDS.index("first letter")
        elif character == " ":
            kinds[i] = KINDS.index("space")
        elif character == "\n":
            kinds[i] = KINDS.index("newline")
    kinds[np.array(_speakers(text), bool)] = KINDS.index("speaker's name")
    return kinds


def _places(text, counts):
    """Number the characters of every run of characters that count, from 1; the others have 0."""
    places = []
    place = 0
    for character in text:
        place = place + 1 if counts(character) else 0
        places.append(place)
    return places


def _inside_quotes(text):
    """Say of every character whether a quotation is open after it."""
    inside = []
    is_open = False
    for i, character in enumerate(text):
        if character == '"':
            is_open = not is_open
        if text[i - 1 : i + 1] == "\n\n":
            is_open = False
        inside.append(is_open)
    return inside


def _speakers(text):
    """Say of every character whether it belongs to a speaker's name or the colon after it."""
    inside = np.zeros(len(text), bool)
    for found in _SPEAKER.finditer(text):
        inside[found.start() : found.end()] = True
    return inside


# What the network makes of it


@checked
def read_states(model: KerasModel, ids: Ids, rows: Size = 1):
    """Read a text and keep the states after every character.

    Parameters
    ----------
    model : keras.Model
        As :func:`charlm_utils.models.forward` takes it.
    ids : numpy.ndarray
        Integers ``(n,)``.
    rows : int
        Into how many stretches the text is cut. They are read side by side, each after a warm-up on the ``WARM_UP``
        characters before it; 1 reads the text in one stream.

    Returns
    -------
    list of list of numpy.ndarray
        Per recurrent layer its states, float32 ``(n, units)``: h, and c of an LSTM.

    Raises
    ------
    ValueError
        If the ids are not integers below the model's number of logits, or there are more rows than ids.
    """
    ids = check_ids(ids, least=1, vocab_size=count_logits(model), purpose=" to be read")
    check("rows", rows, integer(1, len(ids)))
    stretch = -(-len(ids) // rows)  # rounded up: the last one may be shorter
    warm_up = WARM_UP if rows > 1 else 0
    after = np.full(stretch * rows - len(ids), ids[0])
    padded = np.concatenate([np.full(warm_up, ids[0]), ids, after])
    windows = padded[np.arange(rows)[:, None] * stretch + np.arange(warm_up + stretch)]  # (rows, time)
    columns = tf.constant(windows.T, tf.int32)
    states = zero_states(model, rows)
    read = _read(model)
    if warm_up:
        _, states = read(columns[:warm_up], states)
        states = tf.nest.map_structure(lambda x: tf.concat([tf.zeros_like(x[:1]), x[1:]], axis=0), states)
    kept, _ = read(columns[warm_up:], states)
    return tf.nest.map_structure(lambda x: _in_order(x.numpy())[: len(ids)], kept)


@PerModel
def _read(reference):
    """Return the compiled reading of ids ``(time, rows)``: states after every step, and the last ones."""
    model = reference()

    @tf.function(input_signature=[tf.TensorSpec((None, None), tf.int32), state_specs(model)])
    def read(columns, states):
        prepared = prepare_steps(reference())

        def one(before, ids):
            _, after = step(reference(), ids, before, prepared)
            return after

        kept = tf.scan(one, columns, states)
        return kept, tf.nest.map_structure(lambda x: x[-1], kept)

    return read


def _in_order(kept):
    """Put ``(time, rows, units)`` into the order of the text: ``(rows * time, units)``."""
    return kept.transpose(1, 0, 2).reshape(-1, kept.shape[-1])


@checked
def read_gates(model: KerasModel, ids: Ids, states: List, layer: Count = 0):
    """Return the gates of a layer at every character.

    Parameters
    ----------
    model, ids
        As for :func:`read_states`.
    states : list
        What it returned, read in one stream or several.
    layer : int
        Number of the recurrent layer, from 0.

    Returns
    -------
    dict
        float32 ``(n, units)``: ``"update"`` and ``"reset"`` of a GRU, ``"input"``, ``"forget"`` and ``"output"`` of an
        LSTM. The first of them is that of a state of zeros before it.

    Raises
    ------
    ValueError
        If there is no such layer, or it is neither GRU nor LSTM, or the ids are not those that were read.
    """
    ids = check_ids(ids, least=1, vocab_size=count_logits(model), purpose=" as were read")
    cell_layer = _layer(model, layer)
    if not isinstance(cell_layer, (keras.layers.GRU, keras.layers.LSTM)):
        raise ValueError(f"layer must be a GRU or an LSTM, got {type(cell_layer).__name__}")
    kernel, recurrent_kernel, bias = cell_layer.get_weights()
    h = states[layer][0]
    if len(ids) != len(h):
        raise ValueError(f"ids must be the {len(h)} that were read, got {len(ids)}")
    inputs = chain_of_layers(model)[0].get_weights()[0][ids] if layer == 0 else states[layer - 1][0]
    before = np.concatenate([np.zeros_like(h[:1]), h[:-1]])
    sums = inputs @ kernel + before @ recurrent_kernel + bias.reshape(-1, kernel.shape[1]).sum(axis=0)
    parts = np.split(tf.sigmoid(sums).numpy(), kernel.shape[1] // h.shape[1], axis=1)
    if isinstance(cell_layer, keras.layers.GRU):
        return {"update": parts[0], "reset": parts[1]}
    return {"input": parts[0], "forget": parts[1], "output": parts[3]}


@checked
def half_lives(gates: Numbers):
    """Return after how many steps half of what a unit held is left, if its gate stays as it is on average.

    Parameters
    ----------
    gates : numpy.ndarray
        ``(n, units)``, between 0 and 1: update gates of a GRU, forget gates of an LSTM.

    Returns
    -------
    numpy.ndarray
        float ``(units,)``, in characters.

    Raises
    ------
    ValueError
        If a gate is not between 0 and 1.
    """
    gates = np.asarray(gates, float)
    if gates.min() < 0 or gates.max() > 1:
        raise ValueError(f"gates must be between 0 and 1, got {gates.min():g} to {gates.max():g}")
    kept = np.log(np.clip(gates, 1e-12, 1 - 1e-12)).mean(axis=0)
    return np.log(0.5) / kept


@checked
def connectivity(model: KerasModel, windows: Rows):
    """Return how strongly the logit of the last character of a window depends on each character before it.

    Parameters
    ----------
    model : keras.Model
        As ``build_model`` returns it.
    windows : numpy.ndarray
        Integers ``(windows, time)``, each read from a state of zeros; the last character of each is predicted.

    Returns
    -------
    numpy.ndarray
        float32 ``(windows, time - 1)``, rows of sum 1: the length of the gradient of that logit by what the network
        reads at each character, its embedding.

    Raises
    ------
    ValueError
        If the windows are not two-dimensional with at least 2 characters each, or an id is not below the model's
        number of logits.
    """
    windows = np.asarray(windows)
    if windows.ndim != 2 or windows.shape[1] < 2:
        raise ValueError(f"windows must be (windows, time) with a time of at least 2, got shape {windows.shape}")
    check_ids(windows.ravel(), vocab_size=count_logits(model), name="windows")
    embedding = chain_of_layers(model)[0]
    rest = keras.Model(embedding.output, model.output)
    read = tf.convert_to_tensor(embedding(tf.constant(windows[:, :-1], tf.int32)))
    with tf.GradientTape() as tape:
        tape.watch(read)
        logits = tf.gather(rest(read)[:, -1], windows[:, -1], batch_dims=1)  # (windows,)
    lengths = tf.norm(tape.gradient(logits, read), axis=-1).numpy()  # (windows, time - 1)
    return lengths / lengths.sum(axis=1, keepdims=True)


# What follows what


class Found(NamedTuple):
    """A column that follows a label: its number, and its correlation where it was not chosen, with its sign."""

    column: int
    score: float


@checked
def correlate(columns: Numbers, labels: NumberList):
    """Return the correlation of every column with a label.

    Parameters
    ----------
    columns : numpy.ndarray
        ``(n, units)``, the states after every character for example.
    labels : numpy.ndarray
        ``(n,)``.

    Returns
    -------
    numpy.ndarray
        float ``(units,)``, between -1 and 1; 0 where a column or the label never changes.

    Examples
    --------
    >>> correlate(np.array([[0.0, 3.0], [1.0, 3.0], [2.0, 0.0]]), [1, 2, 3]).round(2).tolist()
    [1.0, -0.87]
    """
    columns = np.asarray(columns)
    labels = np.asarray(labels, np.float64)
    if columns.ndim != 2 or len(columns) != len(labels):
        raise ValueError(f"columns must be ({len(labels)}, units), as there are labels, got {columns.shape}")
    centered = (labels - labels.mean()).astype(columns.dtype if columns.dtype.kind == "f" else np.float64)
    lengths = np.sqrt(len(labels)) * columns.std(axis=0) * np.sqrt(np.sum(centered**2))
    largest = max(float(columns.max(initial=0)), -float(columns.min(initial=0)))  # abs would make a copy
    changes = lengths > 1e-6 * (1 + largest)
    return np.divide(centered @ columns, lengths, out=np.zeros(columns.shape[1]), where=changes)


@checked
def find_column(columns: Numbers, labels: NumberList, chosen_on: Size):
    """Choose the column that follows a label best on the first part of a text, and score it on the rest.

    Parameters
    ----------
    columns, labels
        As for :func:`correlate`.
    chosen_on : int
        Length of the first part.

    Returns
    -------
    Found
        Number and score of the column whose correlation is the largest in size on the first part.

    Raises
    ------
    ValueError
        If ``chosen_on`` is not below the number of labels, or the shapes do not fit.
    """
    check("chosen_on", chosen_on, integer(1, len(labels) - 1))
    first = correlate(columns[:chosen_on], labels[:chosen_on])
    column = int(np.argmax(np.abs(first)))
    (score,) = correlate(columns[chosen_on:, [column]], labels[chosen_on:])
    return Found(column, float(score))


@checked
def project_at_random(states: Numbers, count: Size, seed: Seed):
    """Return random directions in the space of the states: what units are compared with.

    Every state is first divided by its standard deviation, so that all units have a say.

    Parameters
    ----------
    states : numpy.ndarray
        ``(n, units)``.
    count, seed : int
        How many directions, and which.

    Returns
    -------
    numpy.ndarray
        float32 ``(n, count)``.
    """
    states = np.asarray(states, np.float32)
    spread = np.maximum(states.std(axis=0), 1e-6)
    directions = np.random.default_rng(seed).standard_normal((states.shape[1], count), np.float32)
    return states @ (directions / spread[:, None])


@checked
def shift_labels(labels: NumberList, seed: Seed):
    """Move the labels along the text by a random number of places, those at the end to the beginning.

    They no longer belong to their characters, but they are as long together as before, which a shuffle of single labels
    would destroy.

    Parameters
    ----------
    labels : numpy.ndarray
        ``(n,)``; they move by at least a tenth of n, either way.
    seed : int
        Of the number of places.
    """
    margin = len(labels) // 10
    places = np.random.default_rng(seed).integers(margin, len(labels) - margin)
    return np.roll(labels, places)


@checked
def probe(columns: Numbers, labels: Rows, chosen_on: Size, penalty: NotNegative = 1e-3):
    """Fit linear probes, the weighted sums of all columns that come nearest to each label, and score them.

    Parameters
    ----------
    columns, chosen_on
        As for :func:`find_column`: the weights are fitted to the first part of the text.
    labels : numpy.ndarray
        ``(labels, n)``: several at once.
    penalty : float
        Times the number of characters and the sum of the squared weights of the standardized columns, it is added to
        the sum of squared errors.

    Returns
    -------
    numpy.ndarray
        float ``(labels,)``: correlation of each sum with its label on the rest of the text.

    Raises
    ------
    ValueError
        If ``chosen_on`` is not below the number of characters, or the shapes do not fit.
    """
    columns = np.asarray(columns, np.float32)
    labels = np.asarray(labels, np.float32)
    if labels.ndim != 2 or labels.shape[1] != len(columns):
        raise ValueError(f"labels must be (labels, {len(columns)}), as there are characters, got {labels.shape}")
    check("chosen_on", chosen_on, integer(1, len(columns) - 1))
    center = columns[:chosen_on].mean(axis=0)
    scaled = (columns - center) / np.maximum(columns[:chosen_on].std(axis=0), 1e-6)
    first = scaled[:chosen_on]
    squares = first.T @ first / chosen_on + penalty * np.eye(columns.shape[1], dtype=np.float32)
    centered = labels[:, :chosen_on] - labels[:, :chosen_on].mean(axis=1, keepdims=True)
    weights = np.linalg.solve(squares, first.T @ centered.T / chosen_on)  # (units, labels)
    sums = scaled[chosen_on:] @ weights  # (rest, labels)
    return np.array([correlate(sums[:, [i]], label[chosen_on:])[0] for i, label in enumerate(labels)])


# Cause


@checked
def hold_unit(model: KerasModel, unit: Count, value: _Finite, layer: Count = 0):
    """Return a copy of a model in which one unit has a fixed value at every step, whatever is read.

    Nothing but the weights is changed: what reads the unit gets the value in its bias, and zeros in the place of the
    unit's weights. So the copy writes, is scored and is exported like any other model.

    Parameters
    ----------
    model : keras.Model
        As ``build_model`` returns it, of GRU or LSTM layers.
    unit : int
        Number of the unit, from 0.
    value : float
        Of its h; 0 removes the unit.
    layer : int
        Number of the recurrent layer, from 0.

    Returns
    -------
    keras.Model

    Raises
    ------
    ValueError
        If there is no such layer or unit.
    """
    held = keras.models.clone_model(model)
    held.set_weights(model.get_weights())
    own = _layer(held, layer)
    check("unit", unit, integer(0, own.units - 1))
    kernel, recurrent_kernel, bias = own.get_weights()
    bias[-1 if bias.ndim == 2 else slice(None)] += value * recurrent_kernel[unit]
    recurrent_kernel[unit] = 0
    own.set_weights([kernel, recurrent_kernel, bias])
    layers = chain_of_layers(held)
    reader = next(part for part in layers[layers.index(own) + 1 :] if part.get_weights())
    kernel, *others, bias = reader.get_weights()
    bias[0 if bias.ndim == 2 else slice(None)] += value * kernel[unit]
    kernel[unit] = 0
    reader.set_weights([kernel, *others, bias])
    return held


def _layer(model, number):
    """Return a recurrent layer by its number."""
    layers = recurrent_layers(model)
    check("layer", number, integer(0, len(layers) - 1))
    return layers[number]
