"""Which cell guesses best when all three have as many parameters and take as many steps?

    python experiments/equal_size.py [--seeds 0 1 ...]

The learning rate of each cell is chosen on the validation text, with the seed 0; then every seed is trained on the
whole training text and scored on the last tenth.
"""

from functools import partial

import numpy as np
from common import WINDOW, Experiment, fit, load_parts, paired_difference, score, seeds_from_command_line

from charlm_utils.evaluation import evaluate

UNITS = {"rnn": 453, "gru": 256, "lstm": 219}  # as many parameters, within 1 %
NAMES = {"rnn": "plain RNN", "gru": "GRU", "lstm": "LSTM"}
RATES = [0.001, 0.003, 0.01]
TRAINING = {"batch_size": 64, "time": 64, "epochs": 2, "use_ema": False}
SETTINGS = {"corpus": "shakespeare", "embedding_dim": 64, "units": UNITS, "learning_rates": RATES, "training": TRAINING}
CHAPTER = "15_results"


def model_of(cell):
    """Return the arguments of ``build_model``."""
    return {"cell": cell, "units": UNITS[cell], "embedding_dim": SETTINGS["embedding_dim"], "fast": cell != "rnn"}


def try_rate(cell, rate):
    """Train on the text before the validation text, and score that."""
    parts = load_parts()
    network, _ = fit(parts.learned, model_of(cell), TRAINING | {"learning_rate": rate}, seed=0)
    return {"cell": cell, "units": UNITS[cell], "rate": rate, "validation": evaluate(network, parts.validation)}


def train_and_score(cell, rate, seed):
    """Train on the whole training text and score the last tenth."""
    ids = load_parts().train
    network, history = fit(ids, model_of(cell), TRAINING | {"learning_rate": rate}, seed)
    speed = TRAINING["epochs"] * len(ids) / history["seconds"][-1]
    made = {"cell": cell, "units": UNITS[cell], "rate": rate, "characters_per_second": round(speed)}
    return made | score(network)


def conclude(results):
    """Return the answer and the effect."""
    windows = {}
    at_the_edge = []
    for cell in UNITS:
        rows = [row for row in results if row["arm"] == cell]
        windows[cell] = np.mean([row["nats_windows"] for row in rows])
        if rows[0]["rate"] in (min(RATES), max(RATES)):
            at_the_edge.append(NAMES[cell])
    first, second, third = sorted(windows, key=windows.get)
    answer = (
        f"The {NAMES[first]}: {windows[first]:.3f} nats in windows of {WINDOW} after {TRAINING['epochs']} passes, "
        f"{NAMES[second]} {windows[second]:.3f}, {NAMES[third]} {windows[third]:.3f}"
    )
    if at_the_edge:
        answer += f"; the best rate lay at the edge of the grid for {' and '.join(at_the_edge)}"
    difference, error, seeds = paired_difference(results, first, second, "nats_windows")
    names = f"{NAMES[first]} minus {NAMES[second]}"
    return f"{answer}.", f"{names} {difference:+.3f} ± {error:.3f} nats (standard error over {seeds} paired seeds)"


def main():
    """Choose a rate for each cell, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for cell in UNITS:
        tried = [experiment.measure(f"{cell} at {rate}", 0, partial(try_rate, cell, rate)) for rate in RATES]
        best = min(tried, key=lambda row: row["validation"])["rate"]
        for seed in seeds:
            experiment.measure(cell, seed, partial(train_and_score, cell, best, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
