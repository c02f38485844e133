"""Does S002's network guess better when its windows are shuffled, and on which text does it hit 60 %?

    python experiments/windows_order.py [--seeds 0 1 ...]

S002 trains an LSTM of 128 units on the first 200,000 windows of a text in 36 symbols, sixteen characters in and one
out, in batches of 32 for ten epochs, which makes 62,500 steps. It advises against shuffling, so that the 32 windows of
a batch overlap and are nearly the same text. Here the windows come in that order, or in a new random order in every
epoch. Keras's ``fit`` repeats the order of the first epoch if a seed was set; with the seed 0, this is tried as well.
Everything else is S002's, its learning rate of 0.001 too, since the question is about its advice; no rate is chosen.
S002 reports an accuracy of about 0.6 and holds nothing back. So after every epoch the loss and the accuracy are those
that Keras prints, means over the epoch while the weights change, and besides those of the validation text, which is no
part of the windows. In the end a quarter of the learned windows and the last tenth of the text are scored; the last
tenth also with the weights of the epoch that had the lowest validation loss.
"""

from functools import partial

import keras
import numpy as np
import tensorflow as tf
from common import Experiment, in_words, load_parts, mean_and_error, paired_difference, seeds_from_command_line

from charlm_utils.batching import context_target_pairs
from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.training import set_seed

PREPARATION = "reduce_alphabet"
MODEL = {"cell": "lstm", "units": 128, "embedding_dim": None, "fast": True}
TIME = 16  # characters of a window
WINDOWS = 200_000  # the first ones of the text
BATCH_SIZE = 32
EPOCHS = 10
RATE = 0.001
CLIP_VALUE = 1.0
VALIDATED = 10  # every so many windows of the validation text are scored after an epoch
LEARNED = 4  # and of the learned ones in the end
ROWS = 2000  # windows that are scored at once
SETTINGS = {
    "corpus": "shakespeare",
    "preparation": PREPARATION,
    "model": MODEL,
    "time": TIME,
    "windows": WINDOWS,
    "batch_size": BATCH_SIZE,
    "epochs": EPOCHS,
    "learning_rate": RATE,
    "clip_value": CLIP_VALUE,
    "validated": VALIDATED,
    "learned": LEARNED,
}
CHAPTER = "07_keras_windows"


def windows_of(ids, every=1):
    """Return every so many windows of a text, and the characters after them."""
    windows, targets = context_target_pairs(ids, TIME)
    return windows[::every], targets[::every]


def score_windows(network, windows, targets):
    """Return the loss in nats per character and the accuracy of the last logits of windows."""
    nats = 0.0
    hits = 0
    for start in range(0, len(windows), ROWS):
        rows = slice(start, start + ROWS)
        logits = network(tf.constant(windows[rows], tf.int32))[:, -1]
        wanted = tf.constant(targets[rows], tf.int32)
        nats += float(tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(wanted, logits)))
        hits += int(tf.reduce_sum(tf.cast(is_hit(logits, wanted), tf.int32)))
    return nats / len(windows), hits / len(windows)


def is_hit(logits, targets):
    """Return for every row whether the likeliest character is the true one."""
    return tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), targets)


def compiled_step(network, optimizer):
    """Return a step on windows and targets, which returns the loss and the accuracy before it."""
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(windows, targets):
        with tf.GradientTape() as tape:
            logits, _ = forward(network, windows, zero_states(network, windows.shape[0]), training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits[:, -1]))
        optimizer.apply(tape.gradient(loss, network.trainable_variables))
        return loss, tf.reduce_mean(tf.cast(is_hit(logits[:, -1], targets), tf.float32))

    return step


def order_of(way, seed, epoch):
    """Return the numbers of the windows ``(batches, batch_size)`` in the order in which an epoch reads them."""
    numbers = np.arange(WINDOWS)
    if way == "one order":
        epoch = 0
    if way != "in order":
        numbers = np.random.default_rng([seed, epoch]).permutation(numbers)
    return numbers.reshape(-1, BATCH_SIZE)


def train_and_score(way, seed):
    """Train on the windows in one of the orders, and score."""
    parts = load_parts(preparation=PREPARATION)
    windows, targets = windows_of(parts.train[: WINDOWS + TIME])
    validation = windows_of(parts.validation, VALIDATED)
    set_seed(seed)
    network = build_model(len(parts.vocabulary), **MODEL)
    step = compiled_step(network, keras.optimizers.Adam(RATE, clipvalue=CLIP_VALUE))
    curves = {"train": [], "train_accuracy": [], "validation": [], "validation_accuracy": []}
    best = None
    for epoch in range(EPOCHS):
        seen = []
        for rows in order_of(way, seed, epoch):
            seen.append(step(tf.constant(windows[rows], tf.int32), tf.constant(targets[rows], tf.int32)))
        loss, accuracy = np.mean(seen, axis=0)
        curves["train"].append(float(loss))
        curves["train_accuracy"].append(float(accuracy))
        loss, accuracy = score_windows(network, *validation)
        curves["validation"].append(loss)
        curves["validation_accuracy"].append(accuracy)
        print(f"  epoch {epoch + 1}: {curves['train'][-1]:.4f}, validation {loss:.4f}", flush=True)
        if loss == min(curves["validation"]):
            best = network.get_weights()
    return curves | final_figures(network, best)


def final_figures(network, best):
    """Score the learned windows and the last tenth with the last weights, and the last tenth with the best ones."""
    parts = load_parts(preparation=PREPARATION)
    nats_learned, accuracy_learned = score_windows(network, *windows_of(parts.train[: WINDOWS + TIME], LEARNED))
    nats, accuracy = score_windows(network, *windows_of(parts.test))
    network.set_weights(best)
    nats_best, accuracy_best = score_windows(network, *windows_of(parts.test))
    return {
        "nats_learned": nats_learned,
        "accuracy_learned": accuracy_learned,
        "nats": nats,
        "accuracy": accuracy,
        "nats_best": nats_best,
        "accuracy_best": accuracy_best,
    }


def conclude(results):
    """Return the answer and the effect."""
    last, last_error, seeds = paired_difference(results, "in order", "shuffled", "nats")
    best, best_error, _ = paired_difference(results, "in order", "shuffled", "nats_best")
    known, known_error, _ = paired_difference(results, "in order", "shuffled", "nats_learned")
    accuracies = []
    for way in ("shuffled", "in order"):
        learned, _, _ = mean_and_error(results, way, "accuracy_learned")
        held_out, _, _ = mean_and_error(results, way, "accuracy")
        printed = np.mean([row["train_accuracy"][-1] for row in results if row["arm"] == way])
        accuracies.append(
            f"{way} {learned:.3f} of the learned windows, {printed:.3f} as the last epoch prints it, and "
            f"{held_out:.3f} of the last tenth"
        )
    (once,) = [row for row in results if row["arm"] == "one order"]
    (anew,) = [row for row in results if row["arm"] == "shuffled" and row["seed"] == once["seed"]]
    answer = (
        f"In order against shuffled: on the learned windows {in_words(known, known_error, seeds)}; on the last tenth "
        f"{in_words(last, last_error, seeds)} after {EPOCHS} epochs, and {in_words(best, best_error, seeds)} with the "
        f"best epoch's weights. They hit: {'; '.join(accuracies)}."
    )
    answer += (
        f" Shuffled once, with the seed {once['seed']}: {once['nats_learned']:.3f} nats on the learned windows and "
        f"{once['nats']:.3f} on the last tenth, against {anew['nats_learned']:.3f} and {anew['nats']:.3f} if anew."
    )
    effect = (
        f"in order minus shuffled {last:+.3f} ± {last_error:.3f} nats, at the best epoch {best:+.3f} ± "
        f"{best_error:.3f}, on the learned windows {known:+.3f} ± {known_error:.3f} "
        f"(standard error over {seeds} paired seeds)"
    )
    return answer, effect


def main():
    """Train every seed in both orders, and the seed 0 in one shuffled order for all epochs."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for seed in seeds:
        for way in ("shuffled", "in order"):
            experiment.measure(way, seed, partial(train_and_score, way, seed))
    experiment.measure("one order", 0, partial(train_and_score, "one order", 0))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
