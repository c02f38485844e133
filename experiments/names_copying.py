"""After how many epochs does a network of names guess unseen names best, and how many names does it copy then?

    python experiments/names_copying.py [--seeds 0 1 ...]

A GRU of 256 units and one of 1,024, the size of S003's, learn 81 % of the names of S003's list, each name from a zero
state and after a newline, the padding masked. The small one takes the rate with the lowest loss on the 9 % of the
names that are kept for this, the large one that of S003. After 1, 2, 3, 5, 8, 12, 20 and, for the small one, 30 epochs
the last 10 % of the names are scored, and names are drawn at the temperatures 0.5 and 1, first letters included. The
edit distance to the nearest learned name tells copies from new names; counts of real names that no network has seen
judge how much they are like names.
"""

from functools import partial

import numpy as np
from common import Experiment, choose_rate, mean_and_error, seeds_from_command_line
from common_names import (
    BATCH,
    JUDGE_ORDER,
    Way,
    build_names_network,
    describe_written,
    fit_names,
    load_names,
    score_names,
    write_from,
)

from charlm_utils.models import zero_states

WAY = Way(padded=False, carry=False, start=True)
SMALL, LARGE = "256 units", "1,024 units"
MODELS = {SMALL: {"units": 256, "embedding_dim": 64}, LARGE: {"units": 1024, "embedding_dim": 256}}
EPOCHS = {SMALL: [1, 2, 3, 5, 8, 12, 20, 30], LARGE: [1, 2, 3, 5, 8, 12, 20]}
FIRST_RATE = 0.004
LARGE_RATE = 0.001
LARGE_SEEDS = 2  # the first ones: each takes minutes
TEMPERATURES = [0.5, 1.0]
DRAWN = 300  # names for every epoch and temperature
SETTINGS = {
    "corpus": "dinos",
    "unlisted": "genera",
    "models": MODELS,
    "epochs": EPOCHS,
    "batch_size": BATCH,
    "first_rate": FIRST_RATE,
    "large_rate": LARGE_RATE,
    "temperatures": TEMPERATURES,
    "drawn": DRAWN,
    "judge_order": JUDGE_ORDER,
}
CHAPTER = "09_names"


def try_rate(rate):
    """Return the lowest loss of the small network on the validation names."""
    names = load_names()
    network = build_names_network(**MODELS[SMALL], seed=0)
    losses = []

    def score(epoch):
        losses.append(score_names(network, names.validation, WAY, leaked=False)["nats"])

    epochs = EPOCHS[SMALL][-1]
    fit_names(network, names.learned, WAY, rate=rate, epochs=epochs, seed=0, on_epoch_end=score)
    return {"validation": min(losses), "epoch": int(np.argmin(losses)) + 1}


def train_and_watch(arm, rate, seed):
    """Train a network, and return its figures as lists over the epochs."""
    network = build_names_network(**MODELS[arm], seed=seed)
    described = []

    def watch(epoch):
        if epoch in EPOCHS[arm]:
            described.append(describe_epoch(network, seed))

    epochs = EPOCHS[arm][-1]
    fit_names(network, load_names().learned, WAY, rate=rate, epochs=epochs, seed=seed, on_epoch_end=watch)
    curves = {key: [row[key] for row in described] for key in described[0]}
    best = int(np.argmin(curves["validation"]))
    return {"rate": rate, "epochs": EPOCHS[arm], "best_epoch": EPOCHS[arm][best], "nats": curves["test"][best]} | curves


def describe_epoch(network, seed):
    """Score learned, validation and test names, and describe what the network writes."""
    names = load_names()
    test = score_names(network, names.test, WAY, leaked=False)
    figures = {
        "learned": score_names(network, names.learned, WAY, leaked=False)["nats"],
        "validation": score_names(network, names.validation, WAY, leaked=False)["nats"],
        "test": test["nats"],
        "test_error": test["error"],
        "test_first": test["first"],
    }
    for temperature in TEMPERATURES:
        before = zero_states(network, DRAWN)
        written = write_from(network, ["\n"] * DRAWN, before, temperature=temperature, seed=seed)
        described = describe_written(written, names.learned)
        figures |= {f"{key} at {temperature:g}": value for key, value in described.items()}
    return figures


def describe_real():
    """Describe the test names, which are real and which no network learned."""
    names = load_names()
    return describe_written(names.test, names.learned)


def conclude(results):
    """Return the answer and the effect."""
    sayings = []
    effects = []
    bests = {}
    for arm in MODELS:
        validation = at_the_epochs(results, arm, "validation")
        curve = at_the_epochs(results, arm, "test")
        copied = at_the_epochs(results, arm, "copied at 1")
        epochs = EPOCHS[arm]
        best = bests[arm] = int(np.argmin(validation.mean(axis=0)))
        of_seeds = [row["best_epoch"] for row in results if row["arm"] == arm]
        each = f" (the seeds: {', '.join(map(str, of_seeds))})" if len(set(of_seeds)) > 1 else ""
        sayings.append(
            f"with {arm} after {epochs[best]} epochs{each}, when {copied[:, best].mean():.0%} of the names drawn at "
            f"temperature 1 are copies, and after {epochs[-1]} {copied[:, -1].mean():.0%}"
        )
        loss = curve[:, -1] - curve[:, best]
        more = copied[:, -1] - copied[:, best]
        effects.append(
            f"{arm} {loss.mean():+.3f} ± {error_of(loss):.3f} nats and {more.mean():+.3f} ± {error_of(more):.3f} of "
            f"the names ({len(curve)} seeds)"
        )
    chosen = [row["test_error"][row["epochs"].index(row["best_epoch"])] for row in results if row["arm"] == SMALL]
    over_names = np.mean(chosen)
    nats, error, _ = mean_and_error(results, SMALL, "nats")
    answer = (
        f"Of the epochs looked at, the validation names are guessed best {'; '.join(sayings)}; the epoch chosen on the "
        f"validation names gives {SMALL} {nats:.3f} ± {error:.3f} nats over the seeds, and ±{over_names:.3f} over the "
        "test names."
    )
    judged = []
    for temperature in TEMPERATURES:
        curve = at_the_epochs(results, SMALL, f"judge_stem at {temperature:g}")
        change = curve[:, -1] - curve[:, bests[SMALL]]
        judged.append(f"{change.mean():+.3f} ± {error_of(change):.3f} at {temperature:g}")
    return answer, (
        f"last minus best epoch, test loss and copies at temperature 1: {'; '.join(effects)}; loss of the judge on "
        f"what {SMALL} writes, saurus taken off: {', '.join(judged)}"
    )


def at_the_epochs(results, arm, figure):
    """Return a figure of an arm as an array ``(seeds, epochs)``."""
    return np.array([row[figure] for row in results if row["arm"] == arm])


def error_of(values):
    """Return the standard error of a mean."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def main():
    """Choose the rate of the small network, then train and watch every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    experiment.measure("real names", None, describe_real)
    rates = {SMALL: choose_rate(experiment, SMALL, FIRST_RATE, try_rate), LARGE: LARGE_RATE}
    for arm in MODELS:
        for seed in seeds if arm == SMALL else seeds[:LARGE_SEEDS]:
            experiment.measure(arm, seed, partial(train_and_watch, arm, rates[arm], seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
