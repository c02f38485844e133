"""Where does it pay to carry the state from window to window, and how much?

    python experiments/carrying.py [--seeds 0 1 ...]

A GRU learns windows of 8, 16, 64 or 256 characters in five ways. *Carried*: contiguous batches, each with the state in
which the one before it ended. *Reset*: the same batches, but every window begins with zeros. *Shuffled*: the windows
come in random order and begin with zeros. *Leaked*: random order, and yet each begins with the state of the window that
stood in its row before, a passage that has nothing to do with it. *Cursor*: S000's layout, in which the rows of a batch
follow each other in the text and every window begins with zeros. A batch always has 2,048 characters, so every arm
takes as many steps and reads as many characters. The rate of each arm is chosen on the validation text with the seed 0,
then each seed is trained with it and scored on the last tenth: with the state carried, with zeros at the head of every
window as long as those of the training, and in windows of 256 from a zero state.
"""

from functools import partial

import keras
import numpy as np
from common import (
    ROWS,
    WINDOW,
    Experiment,
    choose_and_measure,
    fit_batches,
    in_words,
    load_parts,
    paired_difference,
    seeds_from_command_line,
)

from charlm_utils.batching import contiguous_batches, cursor_batches
from charlm_utils.evaluation import evaluate, nats_in_windows
from charlm_utils.models import build_model
from charlm_utils.training import cosine_decay, set_seed

WAYS = ["carried", "reset", "shuffled", "leaked", "cursor"]
TIMES = [8, 16, 64, 256]
PER_BATCH = 2048  # characters
RATE = 0.008  # the first one that is tried
MODEL = {"cell": "gru", "units": 128, "embedding_dim": 64, "fast": True}
LEARNED = 300_000  # characters, the first of the training text
PASSES = 3
SETTINGS = {
    "corpus": "shakespeare",
    "model": MODEL,
    "ways": WAYS,
    "times": TIMES,
    "per_batch": PER_BATCH,
    "first_rate": RATE,
    "learned": LEARNED,
    "passes": PASSES,
}
CHAPTER = "08_keras_stateful_gru"


def batches_of(way, time, seed):
    """Yield the passes, each a list of batches."""
    ids = load_parts().train[:LEARNED]
    cut = cursor_batches if way == "cursor" else contiguous_batches
    batches = list(cut(ids, PER_BATCH // time, time))
    draw = np.random.default_rng(seed)
    for _ in range(PASSES):
        yield shuffled(batches, draw) if way in ("shuffled", "leaked") else batches


def shuffled(batches, draw):
    """Return the windows of all batches in random order, in batches of the same shape."""
    inputs = np.concatenate([batch[0] for batch in batches])
    targets = np.concatenate([batch[1] for batch in batches])
    order = draw.permutation(len(inputs))
    rows = np.split(order, len(batches))
    return [(inputs[some], targets[some]) for some in rows]


def fit_way(way, time, rate, seed):
    """Return a network trained in one of the ways."""
    set_seed(seed)
    network = build_model(len(load_parts().vocabulary), **MODEL)
    decay = cosine_decay(rate, LEARNED, batch_size=PER_BATCH // time, time=time, epochs=PASSES)
    carry = way in ("carried", "leaked")
    fit_batches(network, batches_of(way, time, seed), keras.optimizers.Adam(decay), carry=carry)
    return network


def try_rate(way, time, rate):
    """Score the validation text in the way that is better: with the state carried, or with zeros as in training."""
    network = fit_way(way, time, rate, seed=0)
    validation = load_parts().validation
    carried = evaluate(network, validation, ROWS)
    reset = float(nats_in_windows(network, validation, time).mean())
    return {"validation": min(carried, reset), "validation_carried": carried, "validation_reset": reset}


def train_and_score(way, time, rate, seed):
    """Score the last tenth: carried, reset as often as in training, and in windows of 256 from a zero state."""
    network = fit_way(way, time, rate, seed)
    test = load_parts().test
    return {
        "way": way,
        "time": time,
        "rate": rate,
        "nats": evaluate(network, test, ROWS),
        "nats_reset": float(nats_in_windows(network, test, time).mean()),
        "nats_windows": float(nats_in_windows(network, test, WINDOW).mean()),
    }


def conclude(results):
    """Return the answer and the effect."""
    found = []
    gains = []
    prices = []
    leaks = []
    for time in TIMES:
        gain = paired_difference(results, f"reset, T={time}", f"carried, T={time}", "nats")
        price = paired_difference(results, f"carried, T={time}", f"reset, T={time}", "nats_reset")
        leak = paired_difference(results, f"leaked, T={time}", f"shuffled, T={time}", "nats_reset")
        found.append(f"with T={time} {in_words(*gain)}")
        for texts, (mean, error, _) in ((gains, gain), (prices, price), (leaks, leak)):
            texts.append(f"T={time} {mean:+.3f} ± {error:.3f}")
    answer = (
        "Scored with the state carried, the loss of a network that was trained from zeros, against one trained with "
        f"its state carried, is: {'; '.join(found)}."
    )
    effect = (
        f"reset minus carried: {'; '.join(gains)} nats; carried minus reset, scored from zeros in windows of T: "
        f"{'; '.join(prices)} nats; a leaked state instead of zeros, scored from zeros: {'; '.join(leaks)} nats "
        f"(standard error over {gain[2]} paired seeds)"
    )
    return answer, effect


def main():
    """Choose a rate for every arm, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for time in TIMES:
        for way in WAYS:
            arm = f"{way}, T={time}"
            attempt = partial(try_rate, way, time)
            call = partial(train_and_score, way, time)
            choose_and_measure(experiment, arm, RATE, attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
