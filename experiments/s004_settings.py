"""What is each of S004's settings worth, changed by itself and all together?

    python experiments/s004_settings.py [--seeds 0 1 ...]

The network of S004, an LSTM of 64 units over 27 symbols, learns tiny Shakespeare in lower-case letters and blanks from
windows of ten characters, in 64 rows that go on through the text from step to step and begin again at its start when
they reach its end, as S004's cursors do. S004 draws every matrix from a normal distribution of mean -0.1 and deviation
0.1 that is cut off two deviations from the mean; takes plain gradient descent, at a rate of 10 that falls to a tenth
after 5,000 of its 7,001 steps; clips the gradients to a global norm of 1.25; starts with a forget bias of 0; and never
resets the state. Each arm changes one of these: the mean to 0, which was probably meant, or to what one would take
today. The last two arms change all of them, once with the state kept and once with a state of zeros in every window.
Here a training has half as many steps, and the stair stands at the same share of them.

The rate of every arm is chosen on the validation text, that of S004 included; if it is not 10, S004 with its own rate
is one more arm. A text is scored in two ways, with the state carried and in windows of ten from a zero state, and the
better one counts: a network that was trained from zeros need not read long texts well.
"""

import math
from functools import partial

import keras
import numpy as np
from common import (
    ROWS,
    Experiment,
    choose_and_measure,
    fit_batches,
    in_words,
    load_parts,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)

from charlm_utils.evaluation import evaluate, nats_in_windows
from charlm_utils.models import build_model, recurrent_layers
from charlm_utils.training import set_seed

UNITS = 64
TIME = 10
STEPS = 3500  # S004: 7,001
STAIR = 2500  # S004: 5,000
S004 = {"mean": -0.1, "optimizer": "SGD", "clip": 1.25, "decay": "stair", "forget_bias": 0.0, "carry": True}
TODAY = {"mean": None, "optimizer": "Adam", "clip": 5.0, "decay": "cosine", "forget_bias": 1.0, "carry": True}
ARMS = {
    "S004": S004,
    "mean 0": S004 | {"mean": 0.0},
    "Keras's initial weights": S004 | {"mean": TODAY["mean"]},
    "Adam": S004 | {"optimizer": TODAY["optimizer"]},
    "clip at 5": S004 | {"clip": TODAY["clip"]},
    "no clip": S004 | {"clip": None},
    "cosine": S004 | {"decay": TODAY["decay"]},
    "constant rate": S004 | {"decay": None},
    "forget bias 1": S004 | {"forget_bias": TODAY["forget_bias"]},
    "state reset": S004 | {"carry": False},
    "all": TODAY,
    "all, state reset": TODAY | {"carry": False},
}
OWN_RATE = 10.0
FIRST_RATES = {"SGD": OWN_RATE, "Adam": 0.01}
SETTINGS = {
    "corpus": "shakespeare",
    "preparation": "letters",
    "units": UNITS,
    "batch_size": ROWS,
    "time": TIME,
    "steps": STEPS,
    "stair": STAIR,
    "arms": ARMS,
    "first_rates": FIRST_RATES,
}
CHAPTER = "05_lstm_from_gates"


def load_letters():
    """Return the parts of the text in its 27 symbols."""
    return load_parts(SETTINGS["corpus"], preparation=SETTINGS["preparation"])


def build_network(setting, seed):
    """Return a network with the initial weights and the forget bias of an arm."""
    set_seed(seed)
    network = build_model(len(load_letters().vocabulary), cell="lstm", units=UNITS, embedding_dim=None, fast=True)
    if setting["mean"] is not None:
        for variable in network.trainable_variables:
            if len(variable.shape) == 2:
                draw = keras.initializers.TruncatedNormal(setting["mean"], 0.1)
                variable.assign(draw(variable.shape))
    bias = np.zeros(4 * UNITS)
    bias[UNITS : 2 * UNITS] = setting["forget_bias"]  # the order of the gates is i, f, c, o
    recurrent_layers(network)[0].cell.bias.assign(bias)
    return network


def schedule(setting, rate):
    """Return a rate that falls as an arm says."""
    schedules = keras.optimizers.schedules
    if setting["decay"] == "stair":
        return schedules.ExponentialDecay(rate, STAIR, 0.1, staircase=True)
    if setting["decay"] == "cosine":
        return schedules.CosineDecay(rate, STEPS)
    return rate


def cursor_windows(ids):
    """Yield the batches of a training: every row goes on where it stopped, and from the text's end to its start."""
    places = np.arange(ROWS)[:, None] * (len(ids) // ROWS) + np.arange(TIME + 1)
    for step in range(STEPS):
        window = ids[(places + step * TIME) % len(ids)]
        yield window[:, :-1], window[:, 1:]


def fit_arm(setting, ids, rate, seed):
    """Return a network trained as an arm says, and its mean loss over the training."""
    network = build_network(setting, seed)
    optimizer = getattr(keras.optimizers, setting["optimizer"])(schedule(setting, rate))
    windows = cursor_windows(ids)
    means = fit_batches(network, [windows], optimizer, carry=setting["carry"], clip_norm=setting["clip"])
    return network, means[0]


def score_both(network, ids):
    """Return the loss of a text with the state carried, and in windows from a zero state."""
    return evaluate(network, ids, ROWS), float(nats_in_windows(network, ids, TIME).mean())


def try_rate(setting, rate):
    """Train on the text before the validation text, and score that."""
    parts = load_letters()
    network, _ = fit_arm(setting, parts.learned, rate, seed=0)
    validation = min(score_both(network, parts.validation))
    if not math.isfinite(validation):
        raise ValueError(f"the validation loss became {validation}: lower the learning rate")
    return {"validation": validation}


def train_and_score(setting, rate, seed):
    """Train on the whole training text and score the last tenth."""
    parts = load_letters()
    network, train = fit_arm(setting, parts.train, rate, seed)
    carried, reset = score_both(network, parts.test)
    return {"rate": rate, "train": train, "nats": min(carried, reset), "nats_carried": carried, "nats_reset": reset}


def conclude(results):
    """Return the answer and the effect."""
    own = mean_and_error(results, "S004", "nats")[0]
    today = mean_and_error(results, "all", "nats")[0]
    found = {"lower": [], "higher": [], "no difference detected": [], "the same to the last digit": []}
    effects = []
    measured = [arm for arm in [*ARMS, "S004 at its own rate"] if any(row["arm"] == arm for row in results)]
    for arm in measured[1:]:
        difference, error, seeds = paired_difference(results, arm, "S004", "nats")
        words = in_words(difference, error, seeds) if error else "the same to the last digit"
        verdict = next(start for start in found if words.startswith(start))
        found[verdict].append(arm)
        effects.append(f"{arm} {difference:+.3f} ± {error:.3f}")
    rate = next(row["rate"] for row in results if row["arm"] == "S004")
    said = [f"{verdict} with {', '.join(arms)}" for verdict, arms in found.items() if arms]
    answer = (
        f"After {STEPS:,} steps S004 with the best rate, {rate:g}, has {own:.3f} nats on the last tenth, and with all "
        f"of today's settings {today:.3f}; against S004 the loss is {'; '.join(said)}."
    )
    return answer, f"minus S004: {'; '.join(effects)} nats (standard error over {seeds} paired seeds)"


def main():
    """Choose a rate for every arm, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for arm, setting in ARMS.items():
        attempt = partial(try_rate, setting)
        call = partial(train_and_score, setting)
        best = choose_and_measure(experiment, arm, FIRST_RATES[setting["optimizer"]], attempt, call, seeds)
        if arm == "S004" and best != OWN_RATE:
            for seed in seeds:
                experiment.measure("S004 at its own rate", seed, partial(train_and_score, setting, OWN_RATE, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
