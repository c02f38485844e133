"""How long a context, and which smoothing, lets counts guess tiny Shakespeare best?

    python experiments/counts.py

The order is chosen on the validation text, by counts of what precedes it; the last tenth is scored by counts of the
whole training text. Nothing is drawn, so there are no seeds.
"""

import numpy as np
from common import Experiment, load_parts

from charlm_utils.metrics import block_error
from charlm_utils.ngrams import NgramModel

SETTINGS = {"corpus": "shakespeare", "orders": [1, 2, 3, 4, 5, 6, 7, 8], "smoothings": ["kneser-ney", "witten-bell"]}
CHAPTER = "15_results"


def count(order, smoothing):
    """Score counts of one order on the last tenth and on the validation text."""
    parts = load_parts()
    vocab_size = len(parts.vocabulary)
    nats = -np.log(NgramModel(order, smoothing).fit(parts.train, vocab_size).target_probabilities(parts.test))
    tried = NgramModel(order, smoothing).fit(parts.learned, vocab_size)
    return {
        "order": order,
        "smoothing": smoothing,
        "nats": float(nats.mean()),
        "error": block_error(nats),
        "validation": tried.nats_per_char(parts.validation),
    }


def conclude(results):
    """Return the answer and the effect."""
    best = {}
    for smoothing in SETTINGS["smoothings"]:
        rows = [row for row in results if row["smoothing"] == smoothing]
        best[smoothing] = min(rows, key=lambda row: row["validation"])
    ours, other = best["kneser-ney"], best["witten-bell"]
    answer = (
        f"Order {ours['order']} with Kneser-Ney smoothing, chosen on the validation text, has {ours['nats']:.3f} nats "
        f"on the last tenth; Witten-Bell is best at order {other['order']} with {other['nats']:.3f}."
    )
    gap = other["nats"] - ours["nats"]
    return answer, f"{gap:.3f} nats between the smoothings; ±{ours['error']:.3f} on each (blocks of 1,000 characters)"


def main():
    """Count with every smoothing and order."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for smoothing in SETTINGS["smoothings"]:
        for order in SETTINGS["orders"]:
            experiment.measure(f"{smoothing}, order {order}", None, lambda o=order, s=smoothing: count(o, s))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
