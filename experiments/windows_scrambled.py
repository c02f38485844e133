"""How far does a scrambled prime reach into the text that S002's network writes, and what if all of it is scrambled?

    python experiments/windows_scrambled.py [--seeds 0 1 ...]

S002 saves the dictionary from ids to characters, and encodes the prime of its text with a new dictionary in the
opposite direction, whose order differs. So the network reads a prime in which every character stands for another, and
then writes on from its own output, decoded rightly. The recorded run ``shakespeare36-window`` is S002's network. The
seed draws the new order of the 36 symbols, and the characters that the network writes.

Scrambled inputs and targets: the loss on the last tenth if both are encoded in the new order. Only the prime scrambled:
the loss of the true continuation of a prime of the last tenth, by the number of true characters that have followed the
prime; after sixteen the prime has left the window. And, since S002 lets the network write, the text that it writes at
temperature 1 after a scrambled prime and after the true one, from the same random numbers. A counting model that has
seen only text that the network has not scores it, by the distance from the prime. It reads the written text alone,
without the prime, and so judges text for itself. Beside it stands the loss of true text in the same places.
"""

from functools import cache, partial

import numpy as np
import tensorflow as tf
from common import (
    DETECTED,
    Experiment,
    in_words,
    load_parts,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)
from windows_order import PREPARATION, TIME, WINDOWS, score_windows, windows_of

from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import load_run

RUN = "shakespeare36-window"
PRIMES = 2000  # from places spread evenly over the last tenth
LENGTH = 64  # characters that are written after each
ORDER = 7  # of the counts: the best one on the validation text
EVERY = 5  # windows of the last tenth, where all of it is scrambled
BANDS = [1, 4, 8, 16, 32, 64]  # distances from the prime between which the counts' losses are averaged
SETTINGS = {
    "corpus": "shakespeare",
    "preparation": PREPARATION,
    "run": RUN,
    "time": TIME,
    "windows": WINDOWS,
    "primes": PRIMES,
    "length": LENGTH,
    "order": ORDER,
    "every": EVERY,
    "bands": BANDS,
}
CHAPTER = "07_keras_windows"


@cache
def network():
    """Return the network of the recorded run."""
    return load_run(RUN).model


@cache
def counts():
    """Return counts of the part of the training text that holds none of the network's windows."""
    parts = load_parts(preparation=PREPARATION)
    return NgramModel(ORDER).fit(parts.train[WINDOWS + TIME :], len(parts.vocabulary))


def new_order(seed):
    """Return for every id the one that the new dictionary has for its character."""
    return np.random.default_rng(seed).permutation(len(load_parts(preparation=PREPARATION).vocabulary))


def passages():
    """Return primes and the characters after them, ids ``(primes, time + length)``."""
    test = load_parts(preparation=PREPARATION).test
    starts = np.linspace(0, len(test) - TIME - LENGTH, PRIMES).astype(int)
    return test[starts[:, None] + np.arange(TIME + LENGTH)]


def loss_by_distance(rows):
    """Return the mean loss of the first ``time + 1`` characters after the primes, when true ones follow the primes."""
    losses = []
    for distance in range(TIME + 1):
        nats, _ = score_windows(network(), rows[:, distance : distance + TIME], rows[:, distance + TIME])
        losses.append(nats)
    return losses


def write(primes, seed):
    """Return what the network writes after primes at temperature 1, ids ``(primes, length)``.

    The noise of a place and a prime is the same whatever the prime holds: the largest logit plus noise is drawn from
    the softmax.
    """
    draw = np.random.default_rng(seed)
    rows = np.array(primes)
    predict = tf.function(lambda windows: network()(windows)[:, -1])
    for _ in range(LENGTH):
        logits = predict(tf.constant(rows[:, -TIME:], tf.int32)).numpy()
        drawn = np.argmax(logits + draw.gumbel(size=logits.shape), axis=1)
        rows = np.concatenate([rows, drawn[:, None]], axis=1)
    return rows[:, TIME:]


def counted_losses(texts):
    """Return the loss of the counts in each band of distances, for texts ``(texts, length)`` read by themselves."""
    nats = np.array([-np.log(counts().target_probabilities(text)) for text in texts])  # (texts, length - 1)
    by_place = nats.mean(axis=0)  # the first one is that of the second character
    return [float(by_place[start - 1 : stop - 1].mean()) for start, stop in zip(BANDS[:-1], BANDS[1:], strict=True)]


def figures_of(rows, seed):
    """Return the figures of primes, true or scrambled, and their true continuations."""
    counted = counted_losses(write(rows[:, :TIME], seed))
    by_distance = loss_by_distance(rows)
    return {"first": by_distance[0], "by_distance": by_distance, "counted": counted}


def measure_true(seed):
    """Measure what the network does after true primes."""
    return figures_of(passages(), seed)


def measure_scrambled(seed):
    """Measure what the network does after scrambled primes."""
    rows = passages()
    rows[:, :TIME] = new_order(seed)[rows[:, :TIME]]
    return figures_of(rows, seed)


def measure_all(seed):
    """Measure the loss on the last tenth with inputs and targets in the new order; the seed None keeps the old one."""
    test = load_parts(preparation=PREPARATION).test
    if seed is not None:
        test = new_order(seed)[test]
    nats, accuracy = score_windows(network(), *windows_of(test, EVERY))
    return {"nats": nats, "accuracy": accuracy}


def measure_text():
    """Return the losses of the counts on the true text after the primes."""
    return {"counted": counted_losses(passages()[:, TIME:])}


def conclude(results):
    """Return the answer and the effect."""
    (old,) = [row["nats"] for row in results if row["arm"] == "nothing scrambled"]
    all_of_it, error, seeds = mean_and_error(results, "inputs and targets scrambled", "nats")
    first, first_error, _ = paired_difference(results, "prime scrambled", "true prime", "first")
    answer = (
        f"With inputs and targets scrambled the loss is {all_of_it:.2f} ± {error:.2f} nats instead of {old:.2f}; with "
        f"the prime alone scrambled the true next character costs {first:.2f} ± {first_error:.2f} nats more; in the "
        f"text that the network writes after such a prime, counts see {written_in_words(results, seeds)}."
    )
    early, early_error = paired_bands(results, 0)
    late, late_error = paired_bands(results, len(BANDS) - 2)
    effect = (
        f"all scrambled {all_of_it - old:+.2f} ± {error:.2f} nats; written characters {BANDS[0] + 1} to {BANDS[1]} "
        f"{early:+.3f} ± {early_error:.3f}, {BANDS[-2] + 1} to {BANDS[-1]} {late:+.3f} ± {late_error:.3f} nats "
        f"(standard error over {seeds} orders of the symbols, one network)"
    )
    return answer, effect


def written_in_words(results, seeds):
    """Say at which distances from the prime the written text differs from that after a true prime."""
    said = []
    least = []
    for number, (start, stop) in enumerate(zip(BANDS[:-1], BANDS[1:], strict=True)):
        difference, error = paired_bands(results, number)
        least.append(DETECTED[min(seeds, 5)] * error)
        if abs(difference) > least[-1]:
            said.append(f"characters {start + 1} to {stop} {in_words(difference, error, seeds)}")
    if said:
        return f"a loss that is, of {'; of '.join(said)}"
    return f"no difference at any distance (one above {max(least):.3f} nats would have been detected)"


def paired_bands(results, number):
    """Return the mean difference of the counts' loss in a band, scrambled minus true, and its error over the seeds."""
    arms = ("prime scrambled", "true prime")
    flat = [row | {"band": row["counted"][number]} for row in results if row["arm"] in arms]
    difference, error, _ = paired_difference(flat, *arms, "band")
    return difference, error


def main():
    """Measure every order of the symbols."""
    seeds = seeds_from_command_line(__doc__, list(range(10)))
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    experiment.measure("nothing scrambled", None, partial(measure_all, None))
    experiment.measure("true text", None, measure_text)
    for seed in seeds:
        experiment.measure("inputs and targets scrambled", seed, partial(measure_all, seed))
        experiment.measure("true prime", seed, partial(measure_true, seed))
        experiment.measure("prime scrambled", seed, partial(measure_scrambled, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
