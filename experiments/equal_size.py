"""Which cell guesses best when all three have as many parameters and take as many steps?

    python experiments/equal_size.py [--seeds 0 1 ...]

A plain RNN, a GRU and an LSTM of about 113,000 parameters learn 450,000 characters of tiny Shakespeare: those that end
where the test text, its last tenth, begins. Each is trained in two ways. *Carried*: every window of 64 characters
begins with the state in which the one before it ended. *Reset*: every window begins with zeros. The rate falls to zero
along a cosine, so that each training comes to an end; whether twice as many passes would win more is measured on the
validation text.

The learning rate of every cell and way is chosen with the seed 0: nine tenths of that text are learned, and the
validation text is scored as the network was trained, with its state carried or in windows of 64. Then every seed is
trained on all 450,000 characters and scored on the test text in three ways: with the state carried through all of it,
in windows of 256, and with a reset every 64 characters.
"""

from functools import partial

import numpy as np
from common import (
    ROWS,
    WINDOW,
    Experiment,
    choose_rate,
    in_words,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)
from trainings import outcome_of, plan, provenance, scoring

UNITS = {"rnn": 272, "gru": 152, "lstm": 130}  # as many parameters, within 1 %
NAMES = {"rnn": "plain RNN", "gru": "GRU", "lstm": "LSTM"}
WAYS = ["carried", "reset"]
EMBEDDING_DIM = 64
FIRST_RATES = {"rnn": 0.002, "gru": 0.008, "lstm": 0.008}
LEARNED = 405_000  # characters: the last ones before the validation text
TRAINED = 450_000  # characters: the last ones before the test text, a part of which is validation text in the choices
VALIDATION = 45_000  # characters of the validation text, the first
SHAPE = {"batch_size": 32, "time": 64}
PASSES = 16
SETTINGS = {
    "corpus": "shakespeare",
    "embedding_dim": EMBEDDING_DIM,
    "units": UNITS,
    "ways": WAYS,
    "first_rates": FIRST_RATES,
    "learned": LEARNED,
    "trained": TRAINED,
    "validation": VALIDATION,
    "shape": SHAPE,
    "passes": PASSES,
}
CHAPTER = "15_results"
SEEDS = [0, 1, 2, 3, 4]
PLANNED_RATES = {  # of which ``choose_rate`` asks for some
    "rnn": [0.0005, 0.001, 0.002, 0.004, 0.008],
    "gru": [0.002, 0.004, 0.008, 0.016, 0.032],
    "lstm": [0.002, 0.004, 0.008, 0.016, 0.032],
}


def arm_of(cell, way):
    """Return the name of an arm, such as ``"gru, carried"``."""
    return f"{cell}, {way}"


def plan_of(cell, way, rate, seed, passes, **told):
    """Return the plan of a training; ``told`` says what is learned, watched and scored."""
    return plan(
        model={"cell": cell, "units": UNITS[cell], "num_layers": 1, "embedding_dim": EMBEDDING_DIM},
        shape=SHAPE,
        epochs=passes,
        rate=rate,
        seed=seed,
        carry=way == "carried",
        **told,
    )


def plan_choice(cell, way, rate, passes=PASSES):
    """Return the plan of a training on the text before the validation text, which is scored after every pass."""
    ways = {
        "carried": scoring("validation", 0, VALIDATION, rows=ROWS),
        "reset": scoring("validation", 0, VALIDATION, way="windows", time=SHAPE["time"]),
    }
    return plan_of(cell, way, rate, 0, passes, learn=["learned", -LEARNED, None], watch=ways, score={})


def plan_seed(cell, way, rate, seed):
    """Return the plan of a training on the text before the test text, which is scored in three ways."""
    score = {
        "carried": scoring("test"),
        "reset": scoring("test", way="windows", time=SHAPE["time"]),
        "windows": scoring("test", way="windows", time=WINDOW),
    }
    told = {"learn": ["train", -TRAINED, None], "watch": {}, "score": score}
    return plan_of(cell, way, rate, seed, PASSES, **told)


def plans():
    """Return all trainings that this experiment may ask for, by group."""
    groups = {}
    for cell in UNITS:
        both = [(way, rate) for way in WAYS for rate in PLANNED_RATES[cell]]
        choices = [plan_choice(cell, way, rate, passes) for way, rate in both for passes in (PASSES, 2 * PASSES)]
        groups[f"equal-choice-{cell}"] = choices
        groups[f"equal-seeds-{cell}"] = [plan_seed(cell, way, rate, seed) for way, rate in both for seed in SEEDS]
    return groups


def try_rate(cell, way, rate, passes=PASSES):
    """Return the figures of a choice; the validation text is scored as the network was trained."""
    outcome = outcome_of(plan_choice(cell, way, rate, passes))
    curve = outcome["watched"][way]
    return {
        "cell": cell,
        "way": way,
        "units": UNITS[cell],
        "rate": rate,
        "passes": passes,
        "train": outcome["train"],
        "validation_curve": np.round(curve, 4).tolist(),
        "validation": curve[-1],
    } | provenance(outcome)


def train_and_score(cell, way, rate, seed):
    """Return the figures of a seed."""
    outcome = outcome_of(plan_seed(cell, way, rate, seed))
    return {
        "cell": cell,
        "way": way,
        "units": UNITS[cell],
        "rate": rate,
        "passes": PASSES,
        "parameters": outcome["parameters"],
        "train": outcome["train"],
        "nats": outcome["scores"]["carried"],
        "nats_reset_64": outcome["scores"]["reset"],
        "nats_windows": outcome["scores"]["windows"],
    } | provenance(outcome)


def gain_of_twice(results, arm):
    """Return how much lower the validation loss of an arm is after twice as many passes; below 0 it is higher."""
    twice = next(row for row in results if row["arm"] == f"{arm}, twice as long")
    once = next(row for row in results if row["arm"] == f"{arm} at {twice['rate']:g}")
    return once["validation"] - twice["validation"]


def conclude(results):
    """Return the answer and the effect."""
    means = {cell: mean_and_error(results, arm_of(cell, "carried"), "nats_windows")[0] for cell in UNITS}
    first, second, third = sorted(means, key=means.get)
    gain = max(gain_of_twice(results, arm_of(cell, way)) for cell in UNITS for way in WAYS)
    answer = (
        f"The {NAMES[first]}: {means[first]:.3f} nats in windows of {WINDOW} after {PASSES} passes with the state "
        f"carried, {NAMES[second]} {means[second]:.3f}, {NAMES[third]} {means[third]:.3f}; twice as many passes "
        f"win at most {max(gain, 0):.3f} on the validation text (seed 0)"
    )
    effects = []
    for better, worse in [(first, second), (second, third)]:
        arms = arm_of(better, "carried"), arm_of(worse, "carried")
        difference, error, seeds = paired_difference(results, *arms, "nats_windows")
        effects.append(f"{NAMES[better]} against {NAMES[worse]} {in_words(difference, error, seeds)}")
    for cell in UNITS:
        arms = arm_of(cell, "carried"), arm_of(cell, "reset")
        for figure, scored in [("nats", "carried"), ("nats_reset_64", "reset")]:
            difference, error, seeds = paired_difference(results, *arms, figure)
            effects.append(
                f"{NAMES[cell]} trained carried against reset, scored {scored}, {in_words(difference, error, seeds)}"
            )
    return f"{answer}.", f"{'; '.join(effects)} (standard error over {seeds} paired seeds)"


def main():
    """Choose a rate for each cell and way, see what twice the passes win, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, SEEDS)
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for cell in UNITS:
        for way in WAYS:
            arm = arm_of(cell, way)
            rate = choose_rate(experiment, arm, FIRST_RATES[cell], partial(try_rate, cell, way))
            experiment.measure(f"{arm}, twice as long", 0, partial(try_rate, cell, way, rate, 2 * PASSES))
            for seed in seeds:
                experiment.measure(arm, seed, partial(train_and_score, cell, way, rate, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
