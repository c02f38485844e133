"""What is each ingredient of the best recipe for tiny Shakespeare worth?

    python experiments/leaving_out.py [--seeds 0 1 ...] [--arms "no dropout" ...]

The whole recipe is the arm of ``recipe.py`` that was chosen there. Every arm leaves one of its ingredients out, or goes
one step further. It learns the first 81 % of the text and is scored on the next 9 %, the validation text; the last
tenth stays unseen. No arm of this experiment was a candidate for the recipe, which had been settled before.
"""

import argparse
from functools import partial

import numpy as np
from common import ROWS, Experiment, in_words, mean_and_error, paired_difference
from recipe import ARMS as RECIPES
from recipe import changed
from trainings import group_of, outcome_of, plan, provenance, scoring

WHOLE = "weight decay 0.1"  # of recipe.py
LEFT_OUT = {
    "no weight decay": {"weight_decay": 0.0},
    "no dropout": {"dropout": 0.0},
    "one layer": {"num_layers": 1},
    "256 units": {"units": 256},
    "embedding of 64": {"embedding_dim": 64},
    "rate that stays": {"decay": "none"},
    "state reset": {"carry": False},
}
FURTHER = {
    "weight decay 0.2": {"weight_decay": 0.2},
    "weight decay 0.4": {"weight_decay": 0.4},
    "dropout 0.6": {"dropout": 0.6},
    "three layers": {"num_layers": 3},
    "768 units": {"units": 768},
}
ARMS = {"whole recipe": {}} | LEFT_OUT | FURTHER
SETTINGS = {"corpus": "shakespeare", "recipe": list(changed(RECIPES[WHOLE])), "arms": ARMS}
CHAPTER = "15_results"
SEEDS = [0, 1, 2]
CLOSE = ["whole recipe", "embedding of 64", "state reset", "weight decay 0.2", "weight decay 0.4", "three layers"]
MORE_SEEDS = [3, 4]  # of the arms that are close to one another


def plan_of(arm, seed):
    """Return the plan of a training on what precedes the validation text."""
    model, training = changed(RECIPES[WHOLE] | ARMS[arm])
    shape = {key: training.pop(key) for key in ("batch_size", "time")}
    how = {key: value for key, value in ARMS[arm].items() if key in ("decay", "carry")}
    return plan(
        learn=["learned", None, None],
        model=model,
        shape=shape,
        seed=seed,
        watch={"validation": scoring("validation", rows=ROWS)},
        score={"validation": scoring("validation")},
        **training,
        **how,
    )


def seeds_of(arm):
    """Return the seeds of an arm."""
    return [*SEEDS, *MORE_SEEDS] if arm in CLOSE else SEEDS


def plans():
    """Return all trainings of this experiment, by group."""
    groups = {}
    for arm, changes in ARMS.items():
        name = group_of("leaving", changes, ("num_layers", "units", "embedding_dim"))
        groups.setdefault(name, []).extend(plan_of(arm, seed) for seed in SEEDS)
        if arm in CLOSE:
            groups.setdefault(f"{name}-more", []).extend(plan_of(arm, seed) for seed in MORE_SEEDS)
    return groups


def try_arm(arm, seed):
    """Train as an arm says and score the validation text after the last pass; ``best`` is the lowest loss of all."""
    outcome = outcome_of(plan_of(arm, seed))
    curve = outcome["watched"]["validation"]
    return {
        "parameters": outcome["parameters"],
        "train": outcome["train"],
        "validation_by_pass": np.round(curve, 4).tolist(),
        "validation": outcome["scores"]["validation"],
        "best": min(curve),
    } | provenance(outcome)


def conclude(results):
    """Return the answer and the effect."""
    mean, error, _ = mean_and_error(results, "whole recipe", "validation")
    differences = {arm: paired_difference(results, arm, "whole recipe", "validation") for arm in LEFT_OUT | FURTHER}
    worth = sorted(LEFT_OUT, key=lambda arm: -differences[arm][0])
    answer = (
        f"The whole recipe has {mean:.3f} ± {error:.3f} nats on the validation text; leaving out costs, "
        f"{', '.join(f'{arm} {differences[arm][0]:+.3f}' for arm in worth)}."
    )
    described = [f"{arm} {in_words(*differences[arm])}, {differences[arm][2]} seeds" for arm in differences]
    return answer, f"against the whole recipe: {'; '.join(described)} (nats, standard errors over paired seeds)"


def main():
    """Try the arms that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", help="by default three, and five for arms that are close")
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS, metavar="ARM")
    options = parser.parse_args()
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for arm in options.arms:
        for seed in options.seeds or seeds_of(arm):
            experiment.measure(arm, seed, partial(try_arm, arm, seed))
    if set(options.arms) == set(ARMS):
        experiment.conclude(conclude)


if __name__ == "__main__":
    main()
