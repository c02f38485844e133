"""How sure is the order of neighboring models in a table of losses?

    python experiments/ranking.py

Two models that are scored on the same characters share the text's easy and hard passages, so the difference of their
losses is far surer than either loss. Here the models of the results chapter stand in the order of their losses on the
last tenth of tiny Shakespeare: counts of growing order, the two recorded networks, the best recipe's seeds averaged,
and their mixtures with counts. Every model is compared with the next better one, character by character, once with the
state carried and once in windows of 256 characters from an empty context. The standard errors come from blocks of 4,000
characters. Nothing is trained here; the networks are those of ``best.py``.
"""

from functools import cache, partial
from itertools import pairwise

import numpy as np
from best import (
    ORDER,
    SEEDS,
    average,
    carried,
    choose_weights,
    counted_in_windows,
    counts,
    in_windows,
    known_lengths,
    mix,
)
from common import DETECTED, WINDOW, Experiment, load_parts

from charlm_utils.evaluation import nats_in_windows, nats_per_position
from charlm_utils.metrics import block_error
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import load_run

ORDERS = [1, 2, 3, 4, 5, 6, 7]
BLOCK = 4000  # characters, from how_sure.py
SURE = DETECTED[5]  # standard errors that a difference must have; there are about 27 blocks
SETTINGS = {"corpus": "shakespeare", "orders": ORDERS, "seeds": SEEDS, "window": WINDOW, "block": BLOCK}
CHAPTER = "15_results"
PROTOCOLS = ["carried", "windows"]


@cache
def cut_test():
    """Return the test text in windows, each with the character after it: ``(windows, WINDOW + 1)``."""
    ids = load_parts().test
    starts = range(0, len(ids) - WINDOW, WINDOW)
    return np.array([ids[start : start + WINDOW + 1] for start in starts])


def score_counts(order):
    """Return -ln p of counts of one order: carried, and in windows."""
    parts = load_parts()
    model = NgramModel(order).fit(parts.train, len(parts.vocabulary))
    in_windows_of = np.array([model.target_probabilities(window) for window in cut_test()])
    return -np.log(model.target_probabilities(parts.test)), -np.log(in_windows_of)


def score_run(name):
    """Return the same of a recorded run."""
    network = load_run(name).model
    ids = load_parts().test
    return nats_per_position(network, ids), nats_in_windows(network, ids, WINDOW)


def score_ensemble():
    """Return the same of the best recipe's seeds, averaged."""
    both = [average([score("last", seed) for seed in SEEDS]) for score in (carried, in_windows)]
    return tuple(both)


def score_mixture():
    """Return the same of the averaged seeds mixed with counts, a weight for every length of known context."""
    parts = load_parts()
    weights = np.array(choose_weights(SEEDS)[1])
    nats, windows = score_ensemble()
    counted = -np.log(counts("last").target_probabilities(parts.test))
    counted_windows, lengths = counted_in_windows("last")
    mixed = mix(nats, counted, weights[known_lengths("last", parts.test)])
    return mixed, mix(windows, counted_windows, weights[lengths])


MODELS = {f"counts of order {order}": partial(score_counts, order) for order in ORDERS} | {
    "one layer of 512 units": partial(score_run, "shakespeare-gru"),
    "best recipe, seed 0": lambda: (carried("last", 0), in_windows("last", 0)),
    f"best recipe, {len(SEEDS)} seeds": score_ensemble,
    f"best recipe, {len(SEEDS)} seeds, and counts of order {ORDER}": score_mixture,
}


@cache
def nats_of(model):
    """Return -ln p of every character under the two protocols, each in the order of the text."""
    return {name: np.ravel(nats) for name, nats in zip(PROTOCOLS, MODELS[model](), strict=True)}


def score(model, protocol):
    """Return the mean loss of a model and its standard error."""
    nats = nats_of(model)[protocol]
    return {"model": model, "protocol": protocol, "nats": float(nats.mean()), "error": block_error(nats, BLOCK)}


def compare(worse, better, protocol):
    """Return the mean difference of two models and its standard error."""
    gap = nats_of(worse)[protocol] - nats_of(better)[protocol]
    return {
        "worse": worse,
        "better": better,
        "protocol": protocol,
        "difference": float(gap.mean()),
        "difference_error": block_error(gap, BLOCK),
    }


def conclude(results):
    """Return the answer and the effect."""
    pairs = [row for row in results if "worse" in row]
    unsure = [row for row in pairs if abs(row["difference"]) < SURE * row["difference_error"]]
    errors = [row["error"] for row in results if "error" in row]
    paired = [row["difference_error"] for row in pairs]
    named = "; ".join(f"{row['worse']} and {row['better']} ({row['protocol']})" for row in unsure) or "none"
    answer = (
        f"Of {len(pairs)} pairs of neighbors {len(pairs) - len(unsure)} differ by more than {SURE} standard errors of "
        f"their difference; not told apart: {named}."
    )
    effect = (
        f"standard error of a loss {min(errors):.3f} to {max(errors):.3f} nats, of a difference of neighbors "
        f"{min(paired):.4f} to {max(paired):.4f} (blocks of {BLOCK:,} characters)"
    )
    return answer, effect


def main():
    """Score every model, then compare neighbors."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for protocol in PROTOCOLS:
        rows = [experiment.measure(f"{name}, {protocol}", None, partial(score, name, protocol)) for name in MODELS]
        rows.sort(key=lambda row: -row["nats"])
        for worse, better in pairwise(row["model"] for row in rows):
            arm = f"{worse} and {better}, {protocol}"
            experiment.measure(arm, None, partial(compare, worse, better, protocol))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
