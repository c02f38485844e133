"""What are depth, width and dropout worth to an LSTM, on a short text and on one four times as long?

    python experiments/size.py [--seeds 0 1 ...]

Networks of three sizes learn *Anna Karenina*: about 22,000, 59,000 and 190,000 parameters. The smallest and the largest
size come with one, two and three layers, whose width is such that the parameters stay the same; so a difference between
them is one of depth. Each learns a short text of 60,000 characters, which the largest can learn by heart, with dropout
0, 0.25 and 0.5, and a long one of 240,000 with dropout 0 and 0.25. Both texts end where the validation text begins, so
that all are scored on the same characters.

The learning rate stays as it is for the whole training. It is chosen for every network and text at dropout 0.25. After
each pass the network is scored on validation text and on a part of the text that it learns, both with dropout off: a
network that is too small stays high on both, however long it is trained, and one that over-fits goes on falling on its
own text only. *Longer* arms train three times as many passes, to tell a network that is too small, or held back by
dropout, from one that needed more time. The test text is scored twice: with the weights of the last pass, and with
those of the pass with the lowest validation loss, which is early stopping.
"""

from functools import partial

import numpy as np
from common import Experiment, choose_rate, in_words, mean_and_error, paired_difference, seeds_from_command_line
from trainings import outcome_of, plan, provenance, scoring

SIZES = {  # layers and units; as many parameters in each, within 2 %
    "small": [[1, 48], [2, 32], [3, 26]],
    "medium": [[1, 96]],
    "large": [[1, 192], [2, 116], [3, 92]],
}
TEXTS = {
    "short": {
        "characters": 60_000,
        "passes": 30,
        "dropouts": [0, 0.25, 0.5],
        "networks": [*SIZES["small"], *SIZES["medium"], *SIZES["large"]],
        "first_rate": 0.008,
    },
    "long": {
        "characters": 240_000,
        "passes": 10,
        "dropouts": [0, 0.25],
        "networks": [[1, 48], *SIZES["medium"], *SIZES["large"]],
        "first_rate": 0.008,
    },
}
LONGER = [[1, 48, 0], [1, 192, 0.5]]  # layers, units and dropout; on the short text
TIMES_LONGER = 3
DROPOUT_OF_RATES = 0.25
MODEL = {"cell": "lstm", "embedding_dim": 32}
SHAPE = {"batch_size": 32, "time": 32}
CHARACTERS = 400_000  # of the book, the first: 324,000 to learn from, 36,000 for choices, 40,000 for the test
SCORED = 20_000  # characters of the validation text, the first, and of the learned text, the last
ROWS = 32  # side by side when a text is scored; each has more characters than it reads to warm up
SETTINGS = {
    "corpus": "anna",
    "characters": CHARACTERS,
    "scored": SCORED,
    "rows": ROWS,
    "model": MODEL,
    "shape": SHAPE,
    "sizes": SIZES,
    "texts": TEXTS,
    "longer": LONGER,
    "times_longer": TIMES_LONGER,
    "dropout_of_rates": DROPOUT_OF_RATES,
}
CHAPTER = "11_deep_lstm"
SEEDS = [0, 1, 2]
PLANNED_RATES = [0.002, 0.004, 0.008, 0.016, 0.032, 0.064]  # of which ``choose_rate`` asks for some


def arm_of(text, layers, units, dropout):
    """Return the name of an arm, such as ``"short text, 2 x 32, dropout 0.5"``."""
    return f"{text} text, {layers} x {units}, dropout {dropout:g}"


def longer_arm_of(layers, units, dropout):
    """Return the name of the arm with more passes."""
    return f"{arm_of('short', layers, units, dropout)}, longer"


def plan_of(text, layers, units, dropout, rate, seed, times=1):
    """Return the plan of a training.

    Parameters
    ----------
    text : str
        A key of ``TEXTS``.
    layers, units, dropout
        As ``build_model`` takes them.
    rate : float
        Of Adam, the same for the whole training.
    seed : int
        Of the initial weights and of dropout.
    times : int
        How many times as many passes are made; then every so-many-th one is scored.
    """
    return plan(
        corpus="anna",
        characters=CHARACTERS,
        learn=["learned", -TEXTS[text]["characters"], None],
        model=MODEL | {"num_layers": layers, "units": units, "dropout": dropout},
        shape=SHAPE,
        epochs=times * TEXTS[text]["passes"],
        rate=rate,
        decay="none",
        seed=seed,
        watch={
            "training": scoring("learned", -SCORED, None, rows=ROWS),
            "validation": scoring("validation", 0, SCORED, rows=ROWS),
        },
        every=times,
        score={"test": scoring("test", rows=ROWS)},
        keep_best=True,
    )


def plans():
    """Return all trainings that this experiment may ask for, by group."""
    groups = {}
    for text, settings in TEXTS.items():
        for layers, units in settings["networks"]:
            groups[f"size-{text}-{layers}x{units}"] = [
                plan_of(text, layers, units, dropout, rate, seed)
                for dropout in settings["dropouts"]
                for rate in PLANNED_RATES
                for seed in SEEDS
            ]
    for layers, units, dropout in LONGER:
        groups[f"size-longer-{layers}x{units}"] = [
            plan_of("short", layers, units, dropout, rate, seed, TIMES_LONGER)
            for rate in PLANNED_RATES
            for seed in SEEDS
        ]
    return groups


def train_and_score(text, layers, units, dropout, rate, seed, times=1):
    """Return the figures of a training; the lowest validation loss of all passes is ``validation``."""
    planned = plan_of(text, layers, units, dropout, rate, seed, times)
    outcome = outcome_of(planned)
    return {
        "text": text,
        "layers": layers,
        "units": units,
        "dropout": dropout,
        "rate": rate,
        "passes": planned["epochs"],
        "parameters": outcome["parameters"],
        "training_curve": np.round(outcome["watched"]["training"], 4).tolist(),
        "validation_curve": np.round(outcome["watched"]["validation"], 4).tolist(),
        "validation": min(outcome["watched"]["validation"]),
        "best_pass": outcome["best_pass"],
        "nats": outcome["scores"]["test"],
        "nats_best": outcome["scores_best"]["test"],
    } | provenance(outcome)


def try_rate(text, layers, units, rate):
    """Train at a rate with the seed 0; the lowest validation loss of all passes counts."""
    return train_and_score(text, layers, units, DROPOUT_OF_RATES, rate, seed=0)


def last_change(curve):
    """Return the mean of the last fifth of a curve minus that of the fifth before; below 0 it is still falling."""
    fifth = max(1, len(curve) // 5)
    return float(np.mean(curve[-fifth:]) - np.mean(curve[-2 * fifth : -fifth]))


def best_arm(results, text, layers, units, dropouts=None):
    """Return the arm of a network whose dropout has the lowest mean validation loss."""
    arms = [arm_of(text, layers, units, dropout) for dropout in dropouts or TEXTS[text]["dropouts"]]
    return min(arms, key=lambda arm: mean_and_error(results, arm, "validation")[0])


def compare(results, first, second):
    """Say in words how the test loss of an arm differs from that of another, both with early stopping."""
    difference, error, seeds = paired_difference(results, first, second, "nats_best")
    return in_words(difference, error, seeds)


def what_stopping_wins(results, arm):
    """Say in words how the test loss with the weights of the best pass differs from that with those of the last."""
    rows = [row | {"difference": row["nats_best"] - row["nats"]} for row in results if row["arm"] == arm]
    difference, error, seeds = mean_and_error(rows, arm, "difference")
    return in_words(difference, error, seeds)


def conclude(results):
    """Return the answer and the effect."""
    winners = []
    effects = []
    for text, settings in TEXTS.items():
        arms = [best_arm(results, text, *network) for network in settings["networks"]]
        best = min(arms, key=lambda arm: mean_and_error(results, arm, "validation")[0])
        mean, error, seeds = mean_and_error(results, best, "nats_best")
        parameters = next(row["parameters"] for row in results if row["arm"] == best)
        characters = settings["characters"]
        winners.append(
            f"{best} ({parameters:,} parameters for {characters:,} characters, {mean:.3f} ± {error:.3f} nats)"
        )
        single = []
        for networks in SIZES.values():
            layers, units = networks[0]
            single.append(best_arm(results, text, layers, units))
        small, medium, large = single
        effects.append(f"{text} text: large minus medium, one layer, {compare(results, large, medium)}")
        effects.append(f"medium minus small {compare(results, medium, small)}")
        for deeper in SIZES["large"][1:]:
            deep = best_arm(results, text, *deeper)
            effects.append(f"{deeper[0]} large layers minus 1 {compare(results, deep, large)}")
    answer = f"Chosen on validation text, with early stopping: {'; '.join(winners)}"
    effects.append(too_small_or_too_short(results))
    effect = f"{'; '.join(effects)} (nats on the test text, standard errors over {seeds} paired seeds)"
    return f"{answer}; {dropout_or_stopping(results)}.", effect


def dropout_or_stopping(results):
    """Say what early stopping and dropout win for the large single layer on the short text."""
    layers, units = SIZES["large"][0]
    without = arm_of("short", layers, units, 0)
    dropped = best_arm(results, "short", layers, units, TEXTS["short"]["dropouts"][1:])
    stopped = what_stopping_wins(results, without)
    rival = compare(results, dropped, without)
    rate = dropped.rsplit(" ", 1)[1]
    return (
        f"one large layer on the short text: early stopping, against making all passes, {stopped}; dropout {rate} "
        f"with early stopping, against early stopping alone, {rival}"
    )


def too_small_or_too_short(results):
    """Say whether the small single layer wins by more passes, and the large one with much dropout."""
    sentences = []
    for layers, units, dropout in LONGER:
        arm = arm_of("short", layers, units, dropout)
        longer = longer_arm_of(layers, units, dropout)
        curves = [row["training_curve"] for row in results if row["arm"] == longer]
        change = np.mean([last_change(curve) for curve in curves])
        sentences.append(
            f"{TIMES_LONGER} times the passes with {layers} x {units} and dropout {dropout:g}: "
            f"{compare(results, longer, arm)}, its training loss at the end {np.mean([c[-1] for c in curves]):.3f}, "
            f"changing by {change:+.3f}"
        )
    return "; ".join(sentences)


def main():
    """Choose a rate for every network and text, then train and score every dropout and seed."""
    seeds = seeds_from_command_line(__doc__, SEEDS)
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    rates = {}
    for text, settings in TEXTS.items():
        for layers, units in settings["networks"]:
            arm = f"{text} text, {layers} x {units}"
            call = partial(try_rate, text, layers, units)
            rate = choose_rate(experiment, arm, settings["first_rate"], call)
            rates[text, layers, units] = rate
            for dropout in settings["dropouts"]:
                name = arm_of(text, layers, units, dropout)
                for seed in seeds:
                    call = partial(train_and_score, text, layers, units, dropout, rate, seed)
                    experiment.measure(name, seed, call)
    for layers, units, dropout in LONGER:
        rate = rates["short", layers, units]
        for seed in seeds:
            call = partial(train_and_score, "short", layers, units, dropout, rate, seed, TIMES_LONGER)
            experiment.measure(longer_arm_of(layers, units, dropout), seed, call)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
