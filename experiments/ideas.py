"""Which single change makes a GRU of 512 units guess better within three passes?

    python experiments/ideas.py [--seeds 0 1 ...]

Every idea changes one setting of the base. It learns the first 81 % of tiny Shakespeare and is scored on the next 9 %,
the validation text; the last tenth stays unseen.
"""

from functools import partial

import numpy as np
from common import Experiment, fit, load_parts, seeds_from_command_line

from charlm_utils.evaluation import evaluate

MODEL = {"cell": "gru", "units": 512, "num_layers": 1, "embedding_dim": 256, "dropout": 0.2, "fast": True}
TRAINING = {"batch_size": 64, "time": 64, "epochs": 3, "learning_rate": 0.003, "use_ema": False}
IDEAS = {
    "base": {},
    "batch-32": {"batch_size": 32},
    "dropout-0.4": {"dropout": 0.4},
    "embedding-64": {"embedding_dim": 64},
    "lstm": {"cell": "lstm"},
    "rate-0.006": {"learning_rate": 0.006},
    "time-128": {"time": 128},
    "two-layers": {"num_layers": 2},
    "units-768": {"units": 768},
    "weight-average": {"use_ema": True},
}
SETTINGS = {"corpus": "shakespeare", "model": MODEL, "training": TRAINING, "ideas": IDEAS}
CHAPTER = "14_speed"


def settings_of(idea):
    """Return the arguments of ``build_model`` and the settings of the training of an idea."""
    model = {key: IDEAS[idea].get(key, value) for key, value in MODEL.items()}
    training = {key: IDEAS[idea].get(key, value) for key, value in TRAINING.items()}
    return model, training


def try_idea(idea, seed):
    """Train with an idea and score the validation text."""
    parts = load_parts()
    model, training = settings_of(idea)
    network, history = fit(parts.learned, model, training, seed)
    return {
        "parameters": network.count_params(),
        "train": history["train"],
        "validation": evaluate(network, parts.validation),
        "seconds": round(history["seconds"][-1]),
    }


def conclude(results):
    """Return the answer and the effect."""
    losses = {}
    for idea in IDEAS:
        losses[idea] = np.mean([row["validation"] for row in results if row["arm"] == idea])
    gains = {idea: losses[idea] - losses["base"] for idea in IDEAS if losses[idea] < losses["base"]}
    helped = [f"{idea} {gain:+.3f}" for idea, gain in sorted(gains.items(), key=lambda item: item[1])]
    seeds = len({row["seed"] for row in results})
    counted = "1 seed each: spread unknown" if seeds == 1 else f"means of {seeds} seeds"
    answer = (
        f"Of {len(IDEAS) - 1} ideas {len(helped)} beat the base, which has {losses['base']:.3f} nats on the validation "
        f"text: {', '.join(helped)}."
    )
    return answer, f"{', '.join(helped)} nats; {counted}"


def main():
    """Try them all."""
    seeds = seeds_from_command_line(__doc__, [0])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for idea in IDEAS:
        for seed in seeds:
            experiment.measure(idea, seed, partial(try_idea, idea, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
