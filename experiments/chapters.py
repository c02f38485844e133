"""How well do the networks of the chapters guess tiny Shakespeare after two passes each?

    python experiments/chapters.py [--seeds 0 1 ...]

The networks have the sizes of their sources. That of chapter 7 reads 200,000 windows of 16 characters, each by itself,
of which the last output counts. Besides them the recorded run of chapter 8 is scored, which had ten passes.
"""

import time as clock
from functools import partial

import keras
import numpy as np
from common import Experiment, fit, load_parts, novelty, score, score_recorded, seeds_from_command_line

from charlm_utils.batching import context_target_pairs
from charlm_utils.evaluation import evaluate_windows
from charlm_utils.models import build_model
from charlm_utils.names import names_loss
from charlm_utils.sampling import generate
from charlm_utils.training import set_seed

EPOCHS = 2
RATE = 0.002
NETWORKS = {
    "LSTM of chapter 5": {"units": 64, "num_layers": 1, "embedding_dim": None, "time": 10},
    "LSTM of chapter 10": {"units": 256, "num_layers": 2, "embedding_dim": 256, "time": 100},
    "LSTM of chapter 11": {"units": 128, "num_layers": 2, "embedding_dim": None, "time": 50},
}
WINDOWS = {"units": 128, "time": 16, "windows": 200_000}
SETTINGS = {
    "corpus": "shakespeare",
    "epochs": EPOCHS,
    "batch_size": 64,
    "learning_rate": RATE,
    "networks": NETWORKS,
    "windows of chapter 7": WINDOWS,
}
CHAPTER = "15_results"


def stream(name, seed):
    """Train a network on the stream of the text and score it."""
    sizes = {key: NETWORKS[name][key] for key in ("units", "num_layers", "embedding_dim")}
    training = {"batch_size": 64, "time": NETWORKS[name]["time"], "epochs": EPOCHS, "learning_rate": RATE}
    ids = load_parts().train
    network, history = fit(ids, {"cell": "lstm", "fast": True} | sizes, training | {"use_ema": False}, seed)
    speed = EPOCHS * len(ids) / history["seconds"][-1]
    return {"epochs": EPOCHS, "characters_per_second": round(speed)} | score(network)


def windows(seed):
    """Train the network of chapter 7 on windows in a drawn order and score it in such windows."""
    parts = load_parts()
    time, count = WINDOWS["time"], WINDOWS["windows"]
    set_seed(seed)
    model = build_model(len(parts.vocabulary), cell="lstm", units=WINDOWS["units"], embedding_dim=None, fast=True)
    inputs, targets = context_target_pairs(parts.train, time)
    order = np.random.default_rng(seed).permutation(len(inputs))[:count]
    trained = keras.Model(model.input, model.output[:, -1])
    trained.compile(keras.optimizers.Adam(RATE), names_loss())
    start = clock.perf_counter()
    trained.fit(inputs[order], targets[order], batch_size=64, epochs=EPOCHS, verbose=2)
    speed = EPOCHS * count / (clock.perf_counter() - start)
    texts = generate(model, parts.vocabulary, parts.test_text[:time], 500, seed=0, num_samples=20)
    return {
        "epochs": EPOCHS,
        "characters_per_second": round(speed),
        "parameters": model.count_params(),
        "nats": evaluate_windows(model, parts.test, time),
    } | novelty([text[time:] for text in texts])


def conclude(results):
    """Return the answer and the effect."""
    two_passes = [row for row in results if row["epochs"] == EPOCHS]
    losses = [row["nats"] for row in two_passes]
    seeds = len({row["seed"] for row in two_passes})
    run = next(row for row in results if row["arm"] == "shakespeare-gru")
    answer = (
        f"After {EPOCHS} passes they lose between {min(losses):.3f} and {max(losses):.3f} nats, the recorded GRU of "
        f"chapter 8 {run['nats']:.3f} after {run['epochs']}; passes are equal and updates are not, so this says "
        "nothing of the cells."
    )
    errors = [row["error"] for row in results if "error" in row]
    counted = "1 seed: spread unknown" if seeds == 1 else f"{seeds} seeds"
    return answer, f"±{min(errors):.3f} to {max(errors):.3f} on each (blocks of 1,000 characters); {counted}"


def main():
    """Train and score them all, and score the recorded run of chapter 7."""
    seeds = seeds_from_command_line(__doc__, [0])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for seed in seeds:
        experiment.measure("windows of chapter 7", seed, partial(windows, seed))
        for name in NETWORKS:
            experiment.measure(name, seed, partial(stream, name, seed))
    experiment.measure("shakespeare-gru", 0, partial(score_recorded, "shakespeare-gru"))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
