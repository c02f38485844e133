"""Does training with bfloat16 recurrent products reach the held-out loss of float32?

    python experiments/bfloat16.py [--seeds 0 1 ...]

Every seed trains the same network twice, once with either type of the products, for three passes over the training
text, and scores the last tenth. Nothing is chosen, so no validation text is needed.
"""

from functools import partial

from common import Experiment, fit, load_parts, paired_difference, seeds_from_command_line

from charlm_utils.evaluation import evaluate

CELLS = ["gru", "lstm"]
DTYPES = ["float32", "bfloat16"]
MODEL = {"units": 512, "embedding_dim": 256, "dropout": 0.2, "fast": True}
TRAINING = {"batch_size": 64, "time": 64, "epochs": 3, "learning_rate": 0.003, "use_ema": False}
LIMIT = 0.005  # nats per character
SETTINGS = {"corpus": "shakespeare", "cells": CELLS, "types": DTYPES, "model": MODEL, "training": TRAINING}
CHAPTER = "14_speed"


def train_and_score(cell, dtype, seed):
    """Train on the whole training text and score the last tenth."""
    parts = load_parts()
    network, _ = fit(parts.train, MODEL | {"cell": cell, "recurrent_dtype": dtype}, TRAINING, seed)
    return {"nats": evaluate(network, parts.test)}


def conclude(results):
    """Return the answer and the effect: bfloat16 reaches float32 where it is surely not worse by the limit."""
    verdicts = []
    effects = []
    for cell in CELLS:
        difference, error, seeds = paired_difference(results, f"{cell} bfloat16", f"{cell} float32", "nats")
        reached = difference + 2 * error < LIMIT
        verdicts.append(f"{cell.upper()} {'yes' if reached else 'not shown, the seeds differ too much'}")
        effects.append(f"{cell.upper()} {difference:+.4f} ± {error:.4f} nats")
    answer = f"Within {LIMIT} nats after {TRAINING['epochs']} passes: {', '.join(verdicts)}."
    return answer, f"bfloat16 minus float32: {', '.join(effects)} (standard error over {seeds} paired seeds)"


def main():
    """Train and score every cell and seed with both types."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for cell in CELLS:
        for seed in seeds:
            for dtype in DTYPES:
                experiment.measure(f"{cell} {dtype}", seed, partial(train_and_score, cell, dtype, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
