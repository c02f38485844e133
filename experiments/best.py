"""How far do the recorded networks get alone, averaged, with counts, and learning while they are scored?

    python experiments/best.py

The last tenth of tiny Shakespeare is scored once per arm. The weight of a mixture and the rate of dynamic evaluation
are chosen on the validation text with stand-ins that have not seen it: counts of what precedes it, and two networks of
``ideas.py``, trained here when they are needed. The recorded runs have the seed 0.
"""

from functools import cache, partial

import numpy as np
from common import WINDOW, Experiment, fit, load_parts, score_recorded
from ideas import settings_of

from charlm_utils.evaluation import nats_in_windows, nats_per_position, nats_while_learning
from charlm_utils.metrics import block_error, mix_nats
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import load_run

MEMBERS = {"best network": ["shakespeare-best"], "two networks": ["shakespeare-best", "shakespeare-gru"]}
STAND_INS = {"shakespeare-best": "two-layers", "shakespeare-gru": "base"}  # ideas
ORDER = 7  # of the counts, chosen in counts.py
STEPS = 20  # the weights that are tried are 0, 1/20, ... 1
RATES = [0.03, 0.1, 0.3, 1.0]
LEARNED_FROM = 20_000  # characters of the validation text on which these rates are tried
SETTINGS = {
    "corpus": "shakespeare",
    "members": MEMBERS,
    "stand_ins": STAND_INS,
    "order": ORDER,
    "steps": STEPS,
    "rates": RATES,
    "learned_from": LEARNED_FROM,
    "window": WINDOW,
}
CHAPTER = "15_results"


@cache
def network(run):
    """Return the network of a recorded run."""
    return load_run(run).model


@cache
def stand_in(run):
    """Return a network that has not seen the validation text, in the place of a recorded one."""
    model, training = settings_of(STAND_INS[run])
    return fit(load_parts().learned, model, training, seed=0)[0]


@cache
def counts(all_of_it):
    """Return the counts of the whole training part, or of what precedes the validation text."""
    parts = load_parts()
    return NgramModel(ORDER).fit(parts.train if all_of_it else parts.learned, len(parts.vocabulary))


def average(nats):
    """Return -ln of the mean of several models' probabilities, from their own -ln p."""
    return -np.log(np.mean([np.exp(-np.asarray(each, float)) for each in nats], axis=0))


@cache
def carried(name):
    """Return -ln p of every character of the last tenth under the mean of some networks, their states carried."""
    return average([nats_per_position(network(run), load_parts().test) for run in MEMBERS[name]])


@cache
def in_windows(name):
    """Return the same in windows, each from a zero state: ``(windows, WINDOW)``."""
    return average([nats_in_windows(network(run), load_parts().test, WINDOW) for run in MEMBERS[name]])


def alone(name):
    """Score the mean of some networks, and the loss at every place of a window."""
    return {
        "positions": [round(float(nats), 4) for nats in in_windows(name).mean(axis=0)],
        "nats": float(carried(name).mean()),
        "error": block_error(carried(name)),
        "nats_windows": float(in_windows(name).mean()),
    }


def with_counts(name):
    """Score the mean of some networks mixed with counts; the weight is that of the networks."""
    parts = load_parts()
    tried = average([nats_per_position(stand_in(run), parts.validation) for run in MEMBERS[name]])
    counted = -np.log(counts(all_of_it=False).target_probabilities(parts.validation))
    weights = np.linspace(0, 1, STEPS + 1)
    losses = [float(mix_nats(tried, counted, weight).mean()) for weight in weights]
    weight = float(weights[np.argmin(losses)])
    mixed = mix_nats(carried(name), -np.log(counts(all_of_it=True).target_probabilities(parts.test)), weight)
    return {
        "weight": weight,
        "validation": losses,
        "nats": float(mixed.mean()),
        "error": block_error(mixed),
        "nats_windows": float(mix_nats(in_windows(name), counts_in_windows(parts.test), weight).mean()),
    }


def counts_in_windows(ids):
    """Return -ln p of the counts in windows, each from an empty context: ``(windows, WINDOW)``."""
    starts = range(0, len(ids) - WINDOW, WINDOW)
    windows = [counts(all_of_it=True).target_probabilities(ids[start : start + WINDOW + 1]) for start in starts]
    return -np.log(windows)


def dynamic(run):
    """Score a network that learns from what it has been scored on."""
    parts = load_parts()
    part = parts.validation[:LEARNED_FROM]
    losses = [float(nats_while_learning(stand_in(run), part, learning_rate=rate).mean()) for rate in RATES]
    rate = RATES[int(np.argmin(losses))]
    nats = nats_while_learning(network(run), parts.test, learning_rate=rate)
    return {"rate": rate, "validation": losses, "nats": float(nats.mean()), "error": block_error(nats)}


def conclude(results):
    """Return the answer and the effect."""
    rows = {row["arm"]: row for row in results}
    best, mixed = rows["best network"], rows["best network, and counts"]
    answer = (
        f"The best network has {best['nats']:.3f} nats with its state carried and {best['nats_windows']:.3f} in "
        f"windows of {WINDOW}; mixed with counts {mixed['nats']:.3f} and {mixed['nats_windows']:.3f}; learning on "
        f"the way, which compares with no other, {rows['dynamic evaluation']['nats']:.3f}."
    )
    gain = mixed["nats"] - best["nats"]
    errors = f"±{best['error']:.3f} and ±{mixed['error']:.3f} on the two (blocks of 1,000 characters)"
    return answer, f"counts {gain:+.3f} nats; {errors}; 1 seed: spread unknown"


def main():
    """Score every arm."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    experiment.measure("shakespeare-best", 0, partial(score_recorded, "shakespeare-best"))
    for name in MEMBERS:
        experiment.measure(name, 0, partial(alone, name))
        experiment.measure(f"{name}, and counts", 0, partial(with_counts, name))
    experiment.measure("dynamic evaluation", 0, partial(dynamic, "shakespeare-best"))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
