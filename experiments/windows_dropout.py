"""What do dropout of the inputs and of the state do to the loss of S002's network, and what do they cost in time?

    python experiments/windows_dropout.py [--seeds 0 1 ...]

S002's appendix offers two kinds of dropout for its LSTM, at 0.2: of the inputs (``dropout_W``, today ``dropout``) and
of the output that is handed to the next step (``dropout_U``, today ``recurrent_dropout``). Both hide the same numbers
in all sixteen steps of a window. On one-hot rows a hidden input is a hidden symbol. The network is trained with
neither, with each and with both, as in ``windows_order.py`` but on the first 32,000 windows, shuffled, so that it
over-fits within the time there is. The rate of each arm is chosen on the validation text with the seed 0, by the lowest
loss after any epoch. The last tenth is scored with the last weights, and with those of the epoch that had the lowest
validation loss, since stopping early is the rival of dropout.

The losses come from a loop written here, whose masks are drawn as Keras does: where the state is dropped, all four
gates have masks of their own, for the inputs too; where only inputs are, the gates share one. The times are those of
Keras's own layers, for a forward and a backward pass over a batch, as ratios to the layer without dropout.
"""

import time as clock
from functools import partial

import keras
import numpy as np
import tensorflow as tf
from common import (
    Experiment,
    choose_and_measure,
    in_words,
    load_parts,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)
from windows_order import BATCH_SIZE, CLIP_VALUE, MODEL, PREPARATION, TIME, VALIDATED, score_windows, windows_of

from charlm_utils.models import build_model, chain_of_layers
from charlm_utils.training import set_seed

SHARE = 0.2
KINDS = {"none": (0.0, 0.0), "inputs": (SHARE, 0.0), "state": (0.0, SHARE), "both": (SHARE, SHARE)}
WINDOWS = 32_000
EPOCHS = 6
FIRST_RATE = 0.002
PASSES = 200  # that are timed
SYMBOLS = 36
SETTINGS = {
    "corpus": "shakespeare",
    "preparation": PREPARATION,
    "model": MODEL,
    "time": TIME,
    "windows": WINDOWS,
    "batch_size": BATCH_SIZE,
    "epochs": EPOCHS,
    "first_rate": FIRST_RATE,
    "clip_value": CLIP_VALUE,
    "validated": VALIDATED,
    "kinds": KINDS,
    "passes": PASSES,
}
CHAPTER = "07_keras_windows"


def masks(number, rows, width, share):
    """Return masks ``(rows, width)`` for the four gates: 0 at the hidden numbers, above 1 at the others.

    Either one that all four share, or four.
    """
    drawn = tf.nn.dropout(tf.ones((number, rows, width)), share)
    return tf.unstack(tf.repeat(drawn, 4 // number, axis=0))


def last_logits(network, windows, input_share, state_share):
    """Return the logits after windows ``(batch, time)``, read with dropout: ``(batch, vocab)``."""
    _, layer, dense = chain_of_layers(network)
    one_hot = tf.one_hot(windows, layer.cell.kernel.shape[0])
    number = 4 if state_share else 1
    input_masks = masks(number, windows.shape[0], one_hot.shape[-1], input_share)
    state_masks = masks(number, windows.shape[0], layer.units, state_share)
    kernels = tf.split(layer.cell.kernel, 4, axis=1)
    recurrent_kernels = tf.split(layer.cell.recurrent_kernel, 4, axis=1)
    added = []
    for mask, kernel in zip(input_masks, kernels, strict=True):
        added.append(tf.tensordot(one_hot * mask[:, None], kernel, 1))  # (batch, time, units)
    steps = tf.unstack(tf.concat(added, axis=-1) + layer.cell.bias, axis=1)
    state = tf.zeros((windows.shape[0], layer.units))
    memory = tf.zeros_like(state)
    for row in steps:
        sums = [tf.matmul(state * mask, kernel) for mask, kernel in zip(state_masks, recurrent_kernels, strict=True)]
        write, keep, candidate, give = tf.split(row + tf.concat(sums, axis=1), 4, axis=1)
        memory = tf.sigmoid(keep) * memory + tf.sigmoid(write) * tf.tanh(candidate)
        state = tf.sigmoid(give) * tf.tanh(memory)
    return dense(state)


def compiled_step(network, optimizer, input_share, state_share):
    """Return a step on windows and targets, which returns the loss before it."""
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(windows, targets):
        with tf.GradientTape() as tape:
            logits = last_logits(network, windows, input_share, state_share)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        optimizer.apply(tape.gradient(loss, network.trainable_variables))
        return loss

    return step


def fit_kind(kind, rate, seed):
    """Return a network trained with a kind of dropout, its losses after every epoch, and the best epoch's weights."""
    parts = load_parts(preparation=PREPARATION)
    windows, targets = windows_of(parts.train[: WINDOWS + TIME])
    validation = windows_of(parts.validation, VALIDATED)
    set_seed(seed)
    network = build_model(len(parts.vocabulary), **MODEL)
    step = compiled_step(network, keras.optimizers.Adam(rate, clipvalue=CLIP_VALUE), *KINDS[kind])
    draw = np.random.default_rng(seed)
    curves = {"train": [], "validation_by_epoch": []}
    best = None
    for _ in range(EPOCHS):
        losses = []
        for rows in draw.permutation(WINDOWS).reshape(-1, BATCH_SIZE):
            losses.append(step(tf.constant(windows[rows], tf.int32), tf.constant(targets[rows], tf.int32)))
        curves["train"].append(float(np.mean(losses)))
        if not np.isfinite(curves["train"][-1]):
            raise ValueError("the loss is no number: lower the learning rate")
        curves["validation_by_epoch"].append(score_windows(network, *validation)[0])
        if curves["validation_by_epoch"][-1] == min(curves["validation_by_epoch"]):
            best = network.get_weights()
    return network, curves, best


def try_rate(kind, rate):
    """Return the lowest validation loss after any epoch."""
    _, curves, _ = fit_kind(kind, rate, seed=0)
    return {"kind": kind, "validation": min(curves["validation_by_epoch"])}


def train_and_score(kind, rate, seed):
    """Train, and score the last tenth with the last weights and with the best ones."""
    network, curves, best = fit_kind(kind, rate, seed)
    test = windows_of(load_parts(preparation=PREPARATION).test)
    nats, accuracy = score_windows(network, *test)
    network.set_weights(best)
    nats_best, accuracy_best = score_windows(network, *test)
    figures = {"nats": nats, "accuracy": accuracy, "nats_best": nats_best, "accuracy_best": accuracy_best}
    return {"kind": kind, "rate": rate} | figures | curves


def compiled_gradients(kind):
    """Return a compiled forward and backward pass of Keras's layer over one batch."""
    input_share, state_share = KINDS[kind]
    layer = keras.layers.LSTM(MODEL["units"], dropout=input_share, recurrent_dropout=state_share)
    windows = np.random.default_rng(0).integers(SYMBOLS, size=(BATCH_SIZE, TIME))
    inputs = keras.ops.one_hot(windows, SYMBOLS)
    layer.build(inputs.shape)

    @tf.function
    def gradients():
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(layer(inputs, training=True))
        return tape.gradient(total, layer.trainable_variables)

    return gradients


def time_layers():
    """Return the processor time of every kind of Keras layer, as a ratio to the layer without dropout.

    The kinds take turns; a ratio is that of the medians of all passes.
    """
    passes = {kind: compiled_gradients(kind) for kind in KINDS}
    spent = {kind: [] for kind in KINDS}
    for number in range(PASSES + 5):
        for kind in KINDS:
            start = clock.process_time()
            passes[kind]()
            if number >= 5:  # the first ones trace and warm up
                spent[kind].append(clock.process_time() - start)
    medians = {kind: float(np.median(spent[kind])) for kind in KINDS}
    ratios = {f"ratio_{kind}": medians[kind] / medians["none"] for kind in KINDS}
    return {"milliseconds_none": 1000 * medians["none"]} | ratios


def conclude(results):
    """Return the answer and the effect."""
    (times,) = [row for row in results if row["arm"] == "time"]
    at_best = []
    at_last = []
    effects = []
    for kind, name in (("inputs", "of the inputs"), ("state", "of the state"), ("both", "of both")):
        last, last_error, seeds = paired_difference(results, kind, "none", "nats")
        best, best_error, _ = paired_difference(results, kind, "none", "nats_best")
        at_best.append(f"{name} {in_words(best, best_error, seeds)}")
        at_last.append(f"{name} {in_words(last, last_error, seeds)}")
        effects.append(f"{kind} {best:+.3f} ± {best_error:.3f} ({last:+.3f} ± {last_error:.3f} after the last epoch)")
    level, _, _ = mean_and_error(results, "none", "nats_best")
    answer = (
        f"Against {level:.3f} nats without dropout, at the best epoch: {'; '.join(at_best)}. After the last epoch: "
        f"{'; '.join(at_last)}. Keras's layers take {times['ratio_inputs']:.2f}, {times['ratio_state']:.2f} and "
        f"{times['ratio_both']:.2f} times the processor time."
    )
    return answer, f"minus no dropout: {'; '.join(effects)} nats (standard error over {seeds} paired seeds)"


def main():
    """Time the layers, choose a rate for every kind, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    experiment.measure("time", None, time_layers)
    for kind in KINDS:
        attempt = partial(try_rate, kind)
        call = partial(train_and_score, kind)
        choose_and_measure(experiment, kind, FIRST_RATE, attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
