"""Trainings as plain data: planned by the experiments, made here by TensorFlow or, many at a time, by ``on_jax.py``.

    python experiments/trainings.py FOLDER NAME ...

writes the plans of the experiments ``NAME`` and the texts that they need into ``FOLDER``, for ``on_jax.py``. Every
training that was made, here or there, has a file in ``experiments/checkpoints``, so nothing is trained twice; what
``on_jax.py`` wrote into ``FOLDER/made`` only needs to be copied there.
"""

import argparse
import hashlib
import importlib
import json
import math
import time as clock
from functools import cache
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from common import fit_batches, load_parts

from charlm_utils.batching import contiguous_batches
from charlm_utils.evaluation import evaluate, nats_in_windows, nats_per_position
from charlm_utils.files import write_atomically
from charlm_utils.models import build_model
from charlm_utils.runs import describe_machine
from charlm_utils.training import cosine_decay, set_seed

MADE = Path(__file__).resolve().parent / "checkpoints"


def plan(
    *,
    learn,
    model,
    shape,
    epochs,
    rate,
    seed,
    watch,
    score,
    corpus="shakespeare",
    characters=None,
    held_out="last",
    decay="cosine",
    weight_decay=0.0,
    carry=True,
    every=1,
    keep_best=False,
    kept=(),
):
    """Return all that a training hangs on, a dict of JSON values.

    Parameters
    ----------
    learn : list
        The part that is learned, an attribute of ``Parts``, and where the stretch of it starts and stops.
    model : dict
        Arguments of ``build_model`` but for ``fast``; a dropout of any size and a dtype are among them.
    shape : dict
        ``batch_size`` and ``time``.
    epochs : int
        Passes.
    rate : float
        Of Adam, at the first step.
    seed : int
        Of the initial weights and of dropout.
    watch, score : dict
        What is scored after passes, and at the end: names and :func:`scoring`.
    corpus, characters, held_out
        As ``load_parts`` takes them.
    decay : {"cosine", "none"}
        How the rate falls.
    weight_decay : float
        Of AdamW, on all weights but biases.
    carry : bool
        Whether a window begins with the state in which the one before it ended; if not, with zeros.
    every : int
        Passes between two scorings of ``watch``.
    keep_best : bool
        Whether the texts of ``score`` are also scored with the weights of the pass with the lowest loss on
        ``watch["validation"]``.
    kept : list of str
        Names of ``score`` whose losses of every character are kept; ``"weights"``: the weights too.
    """
    planned = {
        "corpus": corpus,
        "characters": characters,
        "held_out": held_out,
        "learn": learn,
        "model": {"dropout": 0.0, "recurrent_dtype": "float32"} | model,
        "shape": shape,
        "epochs": epochs,
        "rate": rate,
        "decay": decay,
        "weight_decay": weight_decay,
        "carry": carry,
        "seed": seed,
        "watch": watch,
        "every": every,
        "score": score,
        "keep_best": keep_best,
        "kept": list(kept),
    }
    text = json.dumps(planned, sort_keys=True)
    return json.loads(text) | {"name": hashlib.sha256(text.encode()).hexdigest()[:16]}


def group_of(start, changes, keys):
    """Return the name of the group of an arm, of those of its changes that need networks of another shape."""
    parts = [start]
    for key, value in changes.items():
        if key in keys:
            parts.append(f"{key}-{value}")
    return "-".join(parts)


def scoring(part, start=None, stop=None, *, way="carried", rows=1, time=None, draws=None):
    """Return how a text is scored.

    Parameters
    ----------
    part, start, stop
        An attribute of ``Parts``, and a stretch of it.
    way : {"carried", "windows", "random"}
        With the state carried, as ``evaluate`` does; in windows from a zero state, as ``nats_in_windows`` does; or in
        batches of such windows at random places, as nanoGPT does.
    rows : int
        Side by side.
    time : int, optional
        Characters of a window.
    draws : int, optional
        Batches of random windows.
    """
    return {"part": part, "start": start, "stop": stop, "way": way, "rows": rows, "time": time, "draws": draws}


def score_text(network, ids, how):
    """Return -ln p of every character, of the shape that ``how["way"]`` has, or a mean where only that is known."""
    if how["way"] == "windows":
        return nats_in_windows(network, ids, how["time"])
    if how["way"] == "random":
        return nats_in_random_windows(network, ids, how["time"], how["rows"], how["draws"])
    if how["rows"] > 1:
        return evaluate(network, ids, how["rows"])
    return nats_per_position(network, ids)


def nats_in_random_windows(network, ids, time, rows, draws):
    """Return the mean loss of every batch of windows at random places, each from an empty context: ``(draws,)``."""
    draw = np.random.default_rng(0)
    means = []
    for _ in range(draws):
        starts = draw.integers(0, len(ids) - time, rows)
        windows = ids[starts[:, None] + np.arange(time + 1)]  # (rows, time + 1)
        logits = network(tf.constant(windows[:, :-1], tf.int32))
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.constant(windows[:, 1:], tf.int32), logits)
        means.append(float(tf.reduce_mean(nats)))
    return np.array(means)


def parts_of(planned):
    """Return the parts of the text of a plan."""
    return load_parts(planned["corpus"], planned["characters"], held_out=planned["held_out"])


def stretch_of(planned, part, start, stop):
    """Return a stretch of the text of a plan, as ids."""
    return getattr(parts_of(planned), part)[start:stop]


def new_network(planned):
    """Return the network of a plan before its training, which is the one of its seed."""
    set_seed(planned["seed"])
    return build_model(len(parts_of(planned).vocabulary), fast=planned["model"]["cell"] != "rnn", **planned["model"])


class Watch:
    """Scores texts after every so many passes, and keeps the weights of the best."""

    def __init__(self, planned, network):
        self.planned = planned
        self.network = network
        self.passes = 0
        self.losses = {name: [] for name in planned["watch"]}
        self.best_pass = 0
        self.best_weights = None

    def __call__(self):
        """Take notice of a pass."""
        self.passes += 1
        if self.passes % self.planned["every"]:
            return
        for name, how in self.planned["watch"].items():
            ids = stretch_of(self.planned, how["part"], how["start"], how["stop"])
            self.losses[name].append(float(np.mean(score_text(self.network, ids, how), dtype=np.float64)))
        seen = self.losses.get("validation", [])
        if self.planned["keep_best"] and seen[-1] == min(seen) and seen.count(seen[-1]) == 1:
            self.best_pass = self.passes
            self.best_weights = self.network.get_weights()
        print(f"  pass {self.passes}", {name: round(each[-1], 4) for name, each in self.losses.items()}, flush=True)


def make(planned):
    """Train with TensorFlow, and return the outcome and the arrays that are kept.

    Returns
    -------
    tuple
        A dict with ``parameters``; ``train``, the loss of every pass; ``watched``, losses by name; ``best_pass``;
        ``scores`` and ``scores_best`` by name; ``minutes`` of processor time; ``machine``; and a dict of arrays.

    Raises
    ------
    ValueError
        If the training diverges.
    """
    begun = clock.process_time()
    network = new_network(planned)
    part, start, stop = planned["learn"]
    ids = stretch_of(planned, part, start, stop)
    rate = planned["rate"]
    if planned["decay"] == "cosine":
        rate = cosine_decay(rate, len(ids), epochs=planned["epochs"], **planned["shape"])
    optimizer = keras.optimizers.AdamW(rate, weight_decay=planned["weight_decay"])
    optimizer.exclude_from_weight_decay(var_names=["bias"])
    batches = list(contiguous_batches(ids, **planned["shape"]))
    watch = Watch(planned, network)
    train = fit_batches(network, [batches] * planned["epochs"], optimizer, carry=planned["carry"], on_pass_end=watch)
    outcome = {
        "parameters": network.count_params(),
        "train": [round(loss, 4) for loss in train],
        "watched": watch.losses,
        "best_pass": watch.best_pass,
        "scores": {},
        "scores_best": {},
    }
    arrays = {}
    if "weights" in planned["kept"]:
        arrays = {f"weights-{place}": weights for place, weights in enumerate(network.get_weights())}
    for name, nats in score_all(planned, network).items():
        outcome["scores"][name] = float(np.mean(nats, dtype=np.float64))
        if name in planned["kept"]:
            arrays[name] = nats
    if planned["keep_best"]:
        network.set_weights(watch.best_weights)
        for name, nats in score_all(planned, network).items():
            outcome["scores_best"][name] = float(np.mean(nats, dtype=np.float64))
    outcome["minutes"] = round((clock.process_time() - begun) / 60, 2)
    outcome["machine"] = describe_machine()
    return outcome, arrays


def score_all(planned, network):
    """Return what :func:`score_text` returns for every text that is scored at the end."""
    return {
        name: score_text(network, stretch_of(planned, how["part"], how["start"], how["stop"]), how)
        for name, how in planned["score"].items()
    }


def outcome_of(planned):
    """Return the outcome of a plan, as :func:`make` does; it is trained now unless it was before.

    Raises
    ------
    ValueError
        If the training diverges.
    """
    path = MADE / f"{planned['name']}.json"
    if not path.exists():
        outcome, arrays = make(planned)
        MADE.mkdir(exist_ok=True)
        if arrays:
            np.savez_compressed(path.with_suffix(".npz"), **arrays)
        write_atomically(path, json.dumps({"plan": planned, "outcome": outcome}))
    outcome = json.loads(path.read_text(encoding="utf-8"))["outcome"]
    if not math.isfinite(outcome["train"][-1]):
        raise ValueError(f"the mean loss became {outcome['train'][-1]}: lower the learning rate")
    return outcome


@cache
def _arrays(name):
    with np.load(MADE / f"{name}.npz") as arrays:
        return dict(arrays)


def array_of(planned, name):
    """Return -ln p of every character of a text that a plan keeps."""
    outcome_of(planned)
    return _arrays(planned["name"])[name]


def network_of(planned):
    """Return the trained network of a plan that keeps its weights."""
    outcome_of(planned)
    network = new_network(planned)
    arrays = _arrays(planned["name"])
    network.set_weights([arrays[f"weights-{place}"] for place in range(len(network.weights))])
    return network


def provenance(outcome):
    """Return what every result says of its training: processor minutes, and the machine."""
    return {"minutes": outcome["minutes"], "machine": outcome["machine"]}


def main():
    """Write the plans of the named experiments, each with the name of its group, and the texts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", metavar="NAME", help="experiments with a function `plans`")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    groups = {}
    texts = {}
    for name in options.names:
        groups |= importlib.import_module(name).plans()
    for planned in (planned for group in groups.values() for planned in group):
        for part in ("learned", "validation", "train", "test"):
            key = f"{planned['corpus']}-{planned['characters']}-{planned['held_out']}-{part}"
            texts[key] = getattr(parts_of(planned), part).astype(np.uint8)
    np.savez_compressed(options.folder / "texts.npz", **texts)
    (options.folder / "plans.json").write_text(json.dumps(groups))


if __name__ == "__main__":
    main()
