"""Beside which order of counts does the recorded network of 27 letters stand, on the same text?

    python experiments/counts_letters.py

The text is tiny Shakespeare in 27 characters, small letters and the space, as the run ``letters-lstm`` reads it, with
the same split. Counts of all orders, with the smoothing of Kneser and Ney, are scored on the last tenth, and so is the
network, with its state carried. The order that is called best is chosen on the validation text, by counts of what
precedes it. Nothing is drawn, so there are no seeds.
"""

import numpy as np
from common import Experiment, load_parts, load_run, nats_per_position

from charlm_utils.metrics import block_error
from charlm_utils.ngrams import NgramModel

SETTINGS = {"corpus": "shakespeare", "preparation": "letters", "orders": [1, 2, 3, 4, 5, 6, 7, 8]}
SETTINGS |= {"run": "letters-lstm"}
CHAPTER = "05_lstm_from_gates"


def parts_of_text():
    """Return the parts of the text in 27 characters."""
    return load_parts(SETTINGS["corpus"], preparation=SETTINGS["preparation"])


def count(order):
    """Score counts of one order on the last tenth and on the validation text."""
    parts = parts_of_text()
    vocab_size = len(parts.vocabulary)
    nats = -np.log(NgramModel(order).fit(parts.train, vocab_size).target_probabilities(parts.test))
    tried = NgramModel(order).fit(parts.learned, vocab_size)
    return {
        "order": order,
        "nats": float(nats.mean()),
        "error": block_error(nats),
        "validation": tried.nats_per_char(parts.validation),
    }


def score_network():
    """Score the recorded network on the last tenth."""
    run = load_run(SETTINGS["run"])
    nats = nats_per_position(run.model, run.vocabulary.encode(parts_of_text().test_text))
    return {"nats": float(nats.mean()), "error": block_error(nats)}


def conclude(results):
    """Return the answer and the effect."""
    counts = [row for row in results if "order" in row]
    (network,) = [row for row in results if "order" not in row]
    worse = [row["order"] for row in counts if row["nats"] > network["nats"]]
    better = [row["order"] for row in counts if row["nats"] < network["nats"]]
    best = min(counts, key=lambda row: row["validation"])
    answer = (
        f"The network has {network['nats']:.3f} nats on the last tenth; the counts of order "
        f"{', '.join(map(str, worse)) or 'none'} lose more, those of order {', '.join(map(str, better)) or 'none'} "
        f"less; order {best['order']}, chosen on the validation text, has {best['nats']:.3f}."
    )
    gap = network["nats"] - best["nats"]
    effect = f"network minus order {best['order']}: {gap:+.3f} nats; ±{network['error']:.3f} and ±{best['error']:.3f} "
    return answer, effect + "on the two (blocks of 1,000 characters)"


def main():
    """Count with every order, and score the network."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for order in SETTINGS["orders"]:
        experiment.measure(f"order {order}", None, lambda o=order: count(o))
    experiment.measure(SETTINGS["run"], None, score_network)
    experiment.conclude(*conclude(experiment.results))


if __name__ == "__main__":
    main()
