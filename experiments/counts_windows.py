"""Beside which counts does the recorded network of windows stand, if they see the whole text, and if no more than it?

    python experiments/counts_windows.py

The run ``shakespeare36-window`` learned 200,000 windows of tiny Shakespeare in 36 symbols, which cover the first
200,016 characters. Counts of all orders, with the smoothing of Kneser and Ney, are made of all nine tenths of the text,
and of this beginning alone. They and the network are scored on the last tenth from its seventeenth character on, as
windows of sixteen are, by the loss and, at two orders, by the accuracy: the share of characters that were the likeliest
ones. The order that is called best is chosen on the validation text, by counts of what precedes it (of the beginning
itself, which does not reach it). Nothing is drawn, so there are no seeds.
"""

from functools import partial

import numpy as np
from common import Experiment, load_parts, load_run
from windows_order import PREPARATION, TIME, WINDOWS, score_windows, windows_of

from charlm_utils.metrics import block_error
from charlm_utils.ngrams import NgramModel

RUN = "shakespeare36-window"
PARTS = {"all of it": None, "the beginning": WINDOWS + TIME}  # characters that are counted
ORDERS = [1, 2, 3, 4, 5, 6, 7, 8]
HITS_AT = [2, 7]  # orders whose hits are counted
SETTINGS = {
    "corpus": "shakespeare",
    "preparation": PREPARATION,
    "run": RUN,
    "parts": PARTS,
    "orders": ORDERS,
    "hits_at": HITS_AT,
    "time": TIME,
}
CHAPTER = "07_keras_windows"


def share_of_hits(model, ids, first):
    """Return the share of the characters after the first ones that a counting model finds likeliest."""
    likeliest = {}
    hits = 0
    for place in range(first, len(ids)):
        context = tuple(ids[place - model.order + 1 : place].tolist())
        if context not in likeliest:
            likeliest[context] = int(np.argmax(model.probabilities(np.array(context, np.int64))))
        hits += likeliest[context] == ids[place]
    return float(hits / (len(ids) - first))


def count(part, order):
    """Score counts of a part of the text and an order on the last tenth and on the validation text."""
    parts = load_parts(preparation=PREPARATION)
    vocab_size = len(parts.vocabulary)
    model = NgramModel(order).fit(parts.train[: PARTS[part]], vocab_size)
    nats = -np.log(model.target_probabilities(parts.test))[TIME - 1 :]
    tried = NgramModel(order).fit(parts.learned[: PARTS[part]], vocab_size)
    figures = {"part": part, "order": order, "nats": float(nats.mean()), "error": block_error(nats)}
    figures["validation"] = tried.nats_per_char(parts.validation)
    if order in HITS_AT:
        figures["accuracy"] = share_of_hits(model, parts.test, TIME)
    return figures


def score_network():
    """Score the recorded network on the last tenth."""
    parts = load_parts(preparation=PREPARATION)
    nats, accuracy = score_windows(load_run(RUN).model, *windows_of(parts.test))
    return {"nats": nats, "accuracy": accuracy}


def conclude(results):
    """Return the answer and the effect."""
    (network,) = [row for row in results if "order" not in row]
    said = []
    best = {}
    for part in PARTS:
        counts = [row for row in results if row.get("part") == part]
        best[part] = min(counts, key=lambda row: row["validation"])
        worse = [row["order"] for row in counts if row["nats"] > network["nats"]]
        said.append(
            f"of the counts of {part}, those of order {', '.join(map(str, worse)) or 'none'} lose more, and order "
            f"{best[part]['order']}, chosen on the validation text, has {best[part]['nats']:.3f}"
        )
    answer = f"The network has {network['nats']:.3f} nats on the last tenth; {'; '.join(said)}."
    gaps = [f"{network['nats'] - row['nats']:+.3f} nats ({part})" for part, row in best.items()]
    error = best["all of it"]["error"]
    return answer, f"network minus best counts {', '.join(gaps)}; ±{error:.3f} on each (blocks of 1,000 characters)"


def main():
    """Count every part with every order, and score the network."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    experiment.measure("network", None, score_network)
    for part in PARTS:
        for order in ORDERS:
            experiment.measure(f"{part}, order {order}", None, partial(count, part, order))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
