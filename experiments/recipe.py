"""Which recipe lets a network of recurrent layers guess the validation text of tiny Shakespeare best?

    python experiments/recipe.py [--seeds 0 1 ...] [--arms "12 passes" ...]

Every arm changes one or two things of the base, a network of two GRU layers of 512 units. It learns the first 81 % of
the text and is scored on the next 9 %, the validation text, after every pass; the last tenth stays unseen.
"""

import argparse
from functools import partial

import numpy as np
from common import ROWS, Experiment, mean_and_error, paired_difference
from trainings import group_of, outcome_of, plan, provenance, scoring

MODEL = {
    "cell": "gru",
    "units": 512,
    "num_layers": 2,
    "embedding_dim": 256,
    "dropout": 0.5,
    "recurrent_dtype": "bfloat16",
}
TRAINING = {"batch_size": 32, "time": 64, "epochs": 20, "rate": 0.003, "weight_decay": 0.0}
ARMS = {
    "base": {},
    "12 passes, dropout 0.4": {"epochs": 12, "dropout": 0.4},
    "dropout 0.4": {"dropout": 0.4},
    "dropout 0.6": {"dropout": 0.6},
    "rate 0.002": {"rate": 0.002},
    "rate 0.0045": {"rate": 0.0045},
    "weight decay 0.1": {"weight_decay": 0.1},
    "windows of 128": {"time": 128},
    "LSTM": {"cell": "lstm"},
    "LSTM, dropout 0.6": {"cell": "lstm", "dropout": 0.6},
    "one layer": {"num_layers": 1},
    "one layer, dropout 0.3": {"num_layers": 1, "dropout": 0.3},
}
SETTINGS = {"corpus": "shakespeare", "model": MODEL, "training": TRAINING, "arms": ARMS}
CHAPTER = "15_results"
SEEDS = [0, 1, 2]


def settings_of(arm):
    """Return the arguments of ``build_model`` and the settings of the training of an arm."""
    return changed(ARMS[arm])


def changed(changes):
    """Return the same for the base with some changes."""
    model = {key: changes.get(key, value) for key, value in MODEL.items()}
    training = {key: changes.get(key, value) for key, value in TRAINING.items()}
    return model, training


def plan_of(arm, seed, *, learn=("learned", None, None), held_out="last", score=None, kept=("validation", "weights")):
    """Return the plan of a training: by default of one that learns what precedes the validation text."""
    model, training = settings_of(arm)
    shape = {key: training.pop(key) for key in ("batch_size", "time")}
    watch = {"validation": scoring("validation", rows=ROWS)} if score is None else {}
    score = score or {"validation": scoring("validation")}
    told = {"watch": watch, "score": score, "kept": kept if seed == 0 else kept[:-1]}
    return plan(held_out=held_out, learn=list(learn), model=model, shape=shape, seed=seed, **training, **told)


def plans():
    """Return all trainings of this experiment, by group."""
    groups = {}
    for arm, changes in ARMS.items():
        name = group_of("recipe", changes, ("cell", "num_layers", "units", "time"))
        groups.setdefault(name, []).extend(plan_of(arm, seed) for seed in SEEDS)
    return groups


def try_arm(arm, seed):
    """Train as an arm says and score the validation text."""
    outcome = outcome_of(plan_of(arm, seed))
    return {
        "parameters": outcome["parameters"],
        "train": outcome["train"],
        "validation_by_pass": np.round(outcome["watched"]["validation"], 4).tolist(),
        "validation": outcome["scores"]["validation"],
    } | provenance(outcome)


def conclude(results):
    """Return the answer and the effect."""
    means = {arm: mean_and_error(results, arm, "validation")[0] for arm in ARMS}
    best = min(means, key=means.get)
    described = []
    for arm in sorted(set(ARMS) - {"base"}, key=means.get):
        difference, error, seeds = paired_difference(results, arm, "base", "validation")
        described.append(f"{arm} {difference:+.3f} ± {error:.3f}")
    answer = (
        f"Of {len(means)} recipes '{best}' has the lowest loss on the validation text, {means[best]:.3f} nats; the "
        f"base has {means['base']:.3f}."
    )
    return answer, f"against the base: {', '.join(described)} nats (standard errors over {seeds} seeds)"


def main():
    """Try the arms that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=ARMS, metavar="ARM")
    options = parser.parse_args()
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for arm in options.arms:
        for seed in options.seeds:
            experiment.measure(arm, seed, partial(try_arm, arm, seed))
    if set(options.arms) == set(ARMS):
        experiment.conclude(conclude)


if __name__ == "__main__":
    main()
