"""Beside which order of counts do the networks of Anna Karenina stand, each on the text that it learned?

    python experiments/counts_anna.py

Counts of all orders, with the smoothing of Kneser and Ney, learn the same text as the networks of three experiments and
are scored on the same test text: the run ``anna-lstm``, which learns nine tenths of the book and is scored here with
its state carried; ``wrapped``, which learns nine tenths of the first 400,000 characters; and ``size``, which learns
60,000 and 240,000 characters of these. The order that is called best is chosen on the validation text of the same
networks. The recorded run is also scored on the end of what it learned, with its last weights and dropout off, on as
many characters as the test text has. Nothing is drawn, so there are no seeds.
"""

from functools import partial

from common import Experiment, count_order, load_parts, place_among_counts, score_beside_counts

from charlm_utils.evaluation import evaluate
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import load_run

RUN = "anna-lstm"
CHARACTERS = 400_000  # of the book, the first, as ``size`` and ``wrapped`` use them
BEGINNING = "first 400,000 characters"
TEXTS = {"short text": 60_000, "long text": 240_000}  # as ``size`` calls them, the last of what it may learn from
SCORED = 20_000  # characters of the validation text, the first, by which ``size`` chooses
SETTINGS = {
    "corpus": "anna",
    "run": RUN,
    "characters": CHARACTERS,
    "texts": TEXTS,
    "scored": SCORED,
    "orders": [1, 2, 3, 4, 5, 6, 7, 8],
}
CHAPTER = "11_deep_lstm"
ROWS = 64  # side by side when the learned text is scored


def count_stretch(parts, characters, order):
    """Count the last characters that may be learned, and score the validation and the test text of ``size``."""
    counts = NgramModel(order).fit(parts.learned[-characters:], len(parts.vocabulary))
    return {
        "order": order,
        "nats": counts.nats_per_char(parts.test),
        "validation": counts.nats_per_char(parts.validation[:SCORED]),
    }


def score_learned(parts):
    """Score the recorded run on the end of its training text."""
    run = load_run(RUN)
    learned = parts.train_text[-len(parts.test_text) :]
    return {"nats": evaluate(run.model, run.vocabulary.encode(learned), ROWS)}


def arms_of(results, text):
    """Return the results of the counts of one text."""
    return [row for row in results if row["arm"].startswith(f"{text}, order")]


def conclude(results):
    """Return the answer and the effect."""
    network = [row for row in results if row["arm"] == RUN]
    answer, effect = place_among_counts(arms_of(results, "whole book") + network)
    others = []
    for text in (BEGINNING, *TEXTS):
        best = min(arms_of(results, text), key=lambda row: row["validation"])
        others.append(f"{text} order {best['order']} {best['nats']:.3f}")
    return f"Whole book: {answer[0].lower()}{answer[1:]} Best counts of the others: {'; '.join(others)}.", effect


def main():
    """Count with every order, and score the recorded network."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    book = load_parts(SETTINGS["corpus"])
    beginning = load_parts(SETTINGS["corpus"], CHARACTERS)
    for order in SETTINGS["orders"]:
        experiment.measure(f"whole book, order {order}", None, partial(count_order, book, order))
        experiment.measure(f"{BEGINNING}, order {order}", None, partial(count_order, beginning, order))
        for text, characters in TEXTS.items():
            call = partial(count_stretch, beginning, characters, order)
            experiment.measure(f"{text}, order {order}", None, call)
    experiment.measure(RUN, None, partial(score_beside_counts, RUN, book))
    experiment.measure(f"{RUN}, learned text", None, partial(score_learned, book))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
