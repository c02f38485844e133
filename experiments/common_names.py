"""What the experiments on names share: lists, training as S003 did or otherwise, drawing, and how new a name is."""

import math
from dataclasses import dataclass
from functools import cache

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.corpora import load_corpus
from charlm_utils.metrics import nearest_distances
from charlm_utils.models import build_model, forward, prepare_steps, step, zero_states
from charlm_utils.names import END, PADDING, name_windows, names_loss, split_names
from charlm_utils.ngrams import NgramModel
from charlm_utils.training import set_seed
from charlm_utils.vocabulary import Vocabulary

BATCH = 64  # names, as in S003
LONGEST = 23  # letters of the longest name of the list
MOST_LETTERS = 30  # that are drawn for a name
JUDGE_ORDER = 5  # of the counts that judge drawn names; longer contexts guess the list of S003 no better
SUFFIX = "saurus"


@dataclass(frozen=True)
class Way:
    """How names are laid out and learned.

    Attributes
    ----------
    padded : bool
        Whether the newlines after the end of a name are targets, as in S003.
    carry : bool
        Whether a row begins with the state in which the row at its place in the batch before ended, as in S003.
    start : bool
        Whether a newline stands before every name, so that its first letter is a target; in S003 none does.
    """

    padded: bool
    carry: bool
    start: bool


@dataclass(frozen=True)
class Names:
    """The list of S003 in three parts, and real names that it lacks.

    Attributes
    ----------
    vocabulary : Vocabulary
        Of the list.
    lines : list of str
        The whole list in its order, names that stand twice included.
    learned, validation, test : list of str
        81, 9 and 10 % of its different names.
    unlisted : list of str
        Genera of the book's own list that S003's lacks; no network learns them.
    """

    vocabulary: Vocabulary
    lines: list
    learned: list
    validation: list
    test: list
    unlisted: list


@cache
def load_names():
    """Return the :class:`Names`; errors are those of ``load_corpus``."""
    text = load_corpus("dinos")
    lines = text.strip(END).split(END)
    rest, test = split_names(text)
    learned, validation = split_names(END.join(rest))
    unlisted = sorted(set(load_corpus("genera").split()) - set(lines))
    return Names(Vocabulary.from_text(text), lines, learned, validation, test, unlisted)


def rows_of(names, way):
    """Return inputs and targets, int32 ``(names, LONGEST)``, and one column more with a start symbol."""
    vocabulary = load_names().vocabulary
    inputs, targets = name_windows(names, vocabulary, LONGEST + 1)
    if way.padded:
        targets = np.where(targets == PADDING, vocabulary.encode(END)[0], targets)
    if way.start:
        return inputs, targets
    return inputs[:, 1:], targets[:, 1:]


def build_names_network(units, embedding_dim, seed):
    """Return a new network of one GRU layer."""
    set_seed(seed)
    return build_model(len(load_names().vocabulary), cell="gru", units=units, embedding_dim=embedding_dim, fast=True)


def fit_names(network, names, way, *, rate, epochs, seed, on_epoch_end=None):
    """Train a network on full batches of names in a new order every epoch, with Adam at a constant rate.

    Parameters
    ----------
    network : keras.Model
        As :func:`build_names_network` returns it.
    names : list of str
        What it learns.
    way : Way
        How they are laid out, and whether the state leaks from name to name.
    rate : float
        Of Adam.
    epochs : int
        Passes over the names.
    seed : int
        Of the order.
    on_epoch_end : callable, optional
        Called with the number of epochs done.

    Returns
    -------
    list of float
        The mean loss of every epoch, while the weights were changing, over the targets that count.

    Raises
    ------
    ValueError
        If a mean is no number.
    """
    inputs, targets = rows_of(names, way)
    take_step = compiled_names_step(network, keras.optimizers.Adam(rate))
    draw = np.random.default_rng(seed)
    zeros = states = zero_states(network, BATCH)
    means = []
    for epoch in range(1, epochs + 1):
        order = draw.permutation(len(inputs))
        full = order[: len(order) // BATCH * BATCH]
        losses = []
        for rows in full.reshape(-1, BATCH):
            before = states if way.carry else zeros
            loss, states = take_step(tf.constant(inputs[rows]), tf.constant(targets[rows]), before)
            losses.append(loss)
        means.append(float(np.mean([loss.numpy() for loss in losses])))
        if not math.isfinite(means[-1]):
            raise ValueError(f"the mean loss of epoch {epoch} became {means[-1]}: lower the learning rate")
        if on_epoch_end:
            on_epoch_end(epoch)
    return means


def compiled_names_step(network, optimizer):
    """Return a compiled step: inputs, targets and states in; loss and new states out; weights updated."""
    optimizer.build(network.trainable_variables)
    mean_loss = names_loss()

    @tf.function
    def take_step(inputs, targets, states):
        with tf.GradientTape() as tape:
            logits, states = forward(network, inputs, states, training=True)
            loss = mean_loss(targets, logits)
        gradients = tape.gradient(loss, network.trainable_variables)
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        return loss, states

    return take_step


def leaked_states(network, names, way):
    """Return for every name the state that the two names before it in the list leave, their padding included."""
    inputs, _ = rows_of(names, way)
    states = zero_states(network, len(names))
    for places in (2, 1):
        _, states = forward(network, tf.constant(np.roll(inputs, places, axis=0)), states)
    return states


def score_names(network, names, way, *, leaked):
    """Score names, all but their first letters, which not every layout asks for.

    Parameters
    ----------
    network, names, way
        As for :func:`fit_names`.
    leaked : bool
        Whether a name begins with the state that two others left, and not with zeros.

    Returns
    -------
    dict
        ``nats`` per character, the newline after a name included; ``error``, its standard error over the names;
        ``first``, the nats of a first letter, None without a start symbol; ``padded``, the mean with the newlines
        that follow counted as well, as S003 prints it, None where these were not learned; and ``per_name``, of every
        name its nats and its characters, float64 ``(names, 2)``.
    """
    inputs, targets = rows_of(names, Way(padded=False, carry=way.carry, start=way.start))
    _, filled = rows_of(names, Way(padded=True, carry=way.carry, start=way.start))
    states = leaked_states(network, names, way) if leaked else zero_states(network, len(names))
    logits, _ = forward(network, tf.constant(inputs), states)
    nats = tf.nn.sparse_softmax_cross_entropy_with_logits(filled, logits).numpy().astype(np.float64)
    counts = targets != PADDING
    after_first = slice(1 if way.start else 0, None)
    per_name = np.stack([(nats * counts)[:, after_first].sum(axis=1), counts[:, after_first].sum(axis=1)], axis=1)
    mean, error = ratio_and_error(per_name)
    return {
        "nats": mean,
        "error": error,
        "first": float(nats[:, 0].mean()) if way.start else None,
        "padded": float(nats[:, after_first].mean()) if way.padded else None,
        "per_name": per_name,
    }


def ratio_and_error(per_name):
    """Return nats per character over all names, and its standard error: names are independent, letters are not.

    The error is that of a ratio of two sums: the spread of what each name has more than the ratio times its
    characters.
    """
    nats, characters = per_name.T
    ratio = nats.sum() / characters.sum()
    excess = nats - ratio * characters
    error = np.sqrt(len(per_name)) * excess.std(ddof=1) / characters.sum()
    return float(ratio), float(error)


def write_from(network, primes, states, *, temperature, seed):
    """Draw a name from every prime and its row of states, up to the first newline.

    Parameters
    ----------
    network : keras.Model
        As for :func:`fit_names`.
    primes : list of str
        All of one length: a newline and letters, or letters alone for a network without a start symbol.
    states : list
        Before the primes, of as many rows as there are primes.
    temperature : float
        Above 0.
    seed : int
        Of the draws.

    Returns
    -------
    list of str
        The names, primes included, without newlines.
    """
    vocabulary = load_names().vocabulary
    draw = np.random.default_rng(seed)
    read = np.stack([vocabulary.encode(prime) for prime in primes])
    logits, states = forward(network, tf.constant(read), states)
    logits = logits[:, -1]
    prepared = prepare_steps(network)
    end = vocabulary.encode(END)[0]
    ended = np.zeros(len(primes), bool)
    columns = []
    while not ended.all() and len(columns) < MOST_LETTERS:
        noise = draw.gumbel(size=logits.shape)
        ids = np.argmax(logits.numpy() / temperature + noise, axis=1).astype(np.int32)
        columns.append(ids)
        ended |= ids == end
        logits, states = step(network, tf.constant(ids), states, prepared)
    drawn = [vocabulary.decode(row) for row in np.stack(columns, axis=1)]
    return [prime.lstrip(END) + text.split(END)[0] for prime, text in zip(primes, drawn, strict=True)]


@cache
def judges():
    """Return two counting models of the unlisted names: whole, and without the suffix *saurus*."""
    return fit_judge(load_names().unlisted), fit_judge([stem(name) for name in load_names().unlisted])


def fit_judge(names, order=JUDGE_ORDER):
    """Return a counting model of names."""
    vocabulary = load_names().vocabulary
    return NgramModel(order).fit(joined(names), len(vocabulary))


def joined(names):
    """Return the ids of names with a newline before, between and after them."""
    return load_names().vocabulary.encode(END + END.join(names) + END)


def stem(name):
    """Return a name without the suffix."""
    return name.removesuffix(SUFFIX)


def describe_written(written, known):
    """Return how new names are, how many differ, and what counts of real names say of them.

    Parameters
    ----------
    written : list of str
        Drawn names.
    known : list of str
        What the network learned.

    Returns
    -------
    dict of float
        ``copied``, ``one``, ``two`` and ``far``: the share at an edit distance of 0, 1, 2 and more from the nearest
        known name; ``distinct``, the number of different ones divided by that of all; ``suffix``, the share that
        ends in *saurus*; ``letters``, their mean number; ``judge`` and ``judge_stem``, nats per character under the
        counts of real names that no network has seen, the second with the suffix taken off on both sides.
    """
    distances = nearest_distances(written, known)
    whole, stems = judges()
    return {
        "copied": float(np.mean(distances == 0)),
        "one": float(np.mean(distances == 1)),
        "two": float(np.mean(distances == 2)),
        "far": float(np.mean(distances > 2)),
        "distinct": len(set(written)) / len(written),
        "suffix": float(np.mean([name.endswith(SUFFIX) for name in written])),
        "letters": float(np.mean([len(name) for name in written])),
        "judge": whole.nats_per_char(joined(written)),
        "judge_stem": stems.nats_per_char(joined([stem(name) for name in written])),
    }
