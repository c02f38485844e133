"""What does the wrapped target of the Anna KaRNNa tutorial cost?

    python experiments/wrapped.py [--seeds 0 1 ...]

S001 shifts every window by itself, so that the last target of each row is the row's own first character, and not the
next one of the text. An LSTM learns the beginning of Anna Karenina with these targets and with the true ones, in the
two shapes that S001 names, 10 rows of 50 characters and 100 rows of 100. Both are scored on the same held-out text with
true targets. What the fault does to the loss that one watches is measured apart: the trained network reads training
text without learning, once against the wrapped targets and once against the true ones. Rates are chosen on the
validation text with the seed 0.
"""

from functools import partial

import keras
import numpy as np
import tensorflow as tf
from common import (
    ROWS,
    Experiment,
    choose_and_measure,
    fit_batches,
    in_words,
    load_parts,
    paired_difference,
    seeds_from_command_line,
)

from charlm_utils.batching import contiguous_batches
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.training import cosine_decay, set_seed

SHAPES = {"10x50": (10, 50), "100x100": (100, 100)}
PASSES = {"10x50": 2, "100x100": 8}
MODEL = {"cell": "lstm", "units": 128, "embedding_dim": 64, "fast": True}
RATE = 0.008  # the first one that is tried
CHARACTERS = 400_000  # of Anna Karenina; the last tenth of them is held out
WATCHED = 20  # batches against which the two losses of the training text are measured
SETTINGS = {
    "corpus": "anna",
    "characters": CHARACTERS,
    "model": MODEL,
    "passes": PASSES,
    "first_rate": RATE,
    "watched": WATCHED,
}
CHAPTER = "11_deep_lstm"


def load_text():
    """Return the :class:`Parts` of the beginning of Anna Karenina."""
    return load_parts("anna", CHARACTERS)


def wrapped(inputs):
    """Return the targets of S001: the inputs moved by one, and the first one at the end."""
    return np.roll(inputs, -1, axis=1)


def batches_of(ids, shape, wrap):
    """Return the batches of a pass, with true or with wrapped targets."""
    batches = contiguous_batches(ids, *SHAPES[shape])
    return [(inputs, wrapped(inputs) if wrap else targets) for inputs, targets in batches]


def watched_loss(network, ids, shape, wrap):
    """Return the loss of the first batches of a text, the state carried and nothing learned."""
    states = zero_states(network, SHAPES[shape][0])
    losses = []
    for inputs, targets in batches_of(ids, shape, wrap)[:WATCHED]:
        logits, states = forward(network, tf.constant(inputs, tf.int32), states)
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(targets, tf.int32), logits)
        losses.append(float(tf.reduce_mean(loss)))
    return float(np.mean(losses))


def fit_shape(ids, shape, wrap, rate, seed):
    """Return a network trained with one kind of targets, and the mean loss of every pass."""
    set_seed(seed)
    network = build_model(len(load_text().vocabulary), **MODEL)
    batch_size, time = SHAPES[shape]
    decay = cosine_decay(rate, len(ids), batch_size=batch_size, time=time, epochs=PASSES[shape])
    batches = batches_of(ids, shape, wrap)
    means = fit_batches(network, [batches] * PASSES[shape], keras.optimizers.Adam(decay), carry=True)
    return network, means


def try_rate(shape, wrap, rate):
    """Score the validation text, with true targets."""
    parts = load_text()
    network, _ = fit_shape(parts.learned, shape, wrap, rate, seed=0)
    return {"validation": evaluate(network, parts.validation, ROWS)}


def train_and_score(shape, wrap, rate, seed):
    """Train with one kind of targets and score the last tenth with true ones."""
    parts = load_text()
    network, means = fit_shape(parts.train, shape, wrap, rate, seed)
    true = watched_loss(network, parts.train, shape, wrap=False)
    return {
        "shape": shape,
        "rate": rate,
        "nats": evaluate(network, parts.test, ROWS),
        "train": means,
        "watched_true": true,
        "inflation": watched_loss(network, parts.train, shape, wrap=True) - true,
    }


def conclude(results):
    """Return the answer and the effect."""
    costs = []
    said = []
    inflations = []
    for shape in SHAPES:
        cost, error, seeds = paired_difference(results, f"wrapped, {shape}", f"true, {shape}", "nats")
        costs.append(f"{shape} {cost:+.4f} ± {error:.4f}")
        said.append(f"at {shape} {in_words(cost, error, seeds)}")
        rows = [row["inflation"] for row in results if row["arm"] == f"wrapped, {shape}"]
        inflations.append(f"{np.mean(rows):.3f} at {shape}")
    answer = (
        f"The loss on held-out text, with it: {'; '.join(said)}; the loss that one watches in training is too high by "
        f"{' and '.join(inflations)} nats."
    )
    return answer, f"wrapped minus true: {', '.join(costs)} nats (standard error over {seeds} paired seeds)"


def main():
    """Choose a rate for every shape and kind of targets, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for shape in SHAPES:
        for name, wrap in (("true", False), ("wrapped", True)):
            arm = f"{name}, {shape}"
            attempt = partial(try_rate, shape, wrap)
            call = partial(train_and_score, shape, wrap)
            choose_and_measure(experiment, arm, RATE, attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
