"""Beside which order of counts does the recorded network of 27 letters stand, on the same text?

    python experiments/counts_letters.py

The text is tiny Shakespeare in 27 characters, small letters and the space, as the run ``letters-lstm`` reads it, with
the same split. Counts of all orders, with the smoothing of Kneser and Ney, are scored on the last tenth, and so is the
network, with its state carried. The order that is called best is chosen on the validation text, by counts of what
precedes it. Nothing is drawn, so there are no seeds.
"""

from functools import partial

from common import Experiment, count_order, load_parts, place_among_counts, score_beside_counts

SETTINGS = {"corpus": "shakespeare", "preparation": "letters", "orders": [1, 2, 3, 4, 5, 6, 7, 8]}
SETTINGS |= {"run": "letters-lstm"}
CHAPTER = "05_lstm_from_gates"
conclude = place_among_counts


def main():
    """Count with every order, and score the network."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    parts = load_parts(SETTINGS["corpus"], preparation=SETTINGS["preparation"])
    for order in SETTINGS["orders"]:
        experiment.measure(f"order {order}", None, partial(count_order, parts, order))
    experiment.measure(SETTINGS["run"], None, partial(score_beside_counts, SETTINGS["run"], parts))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
