"""Score the models of the book on one text: the last tenth of tiny Shakespeare. Chapter 13 shows the results.

    python benchmarks/quality.py SECTION [FOLDER]

A section is one of those below; each replaces its part of ``data/results.json``. Choices (learning rates, the weight
of a mixture) are made on a validation tenth cut from the training part; the last tenth is scored once per row.
The sections ``best`` and ``ideas`` need the folder that ``ideas.py`` wrote to.
"""

import json
import sys
import time as clock
from functools import cache

import keras
import numpy as np
import rivals
from charlm_utils.dynamic import nats_while_learning
from charlm_utils.windows import evaluate_windows

from charlm_utils.batching import context_target_pairs
from charlm_utils.corpora import load_corpus, split_corpus
from charlm_utils.evaluation import evaluate, nats_in_windows, nats_per_position
from charlm_utils.files import bundled_data_dir, write_atomically
from charlm_utils.metrics import block_error, longest_copy, mix_nats, novel_ngram_fraction
from charlm_utils.models import build_model
from charlm_utils.names import names_loss
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import list_runs, load_run
from charlm_utils.sampling import generate
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import Vocabulary

RESULTS = bundled_data_dir() / "results.json"
TEXT = load_corpus("shakespeare")
VOCABULARY = Vocabulary.from_text(TEXT)
PARTS = split_corpus(TEXT)
TRAIN, TEST = map(VOCABULARY.encode, PARTS)
LEARNED, VALIDATION = split_corpus(TRAIN)
WINDOW = 256  # characters, as nanoGPT samples them

# The networks of the chapters, with the sizes of their sources, on this text; two passes each.
CHAPTERS = {
    "LSTM of chapter 5": ({"cell": "lstm", "units": 64, "embedding_dim": None}, (64, 10, 0.002)),
    "LSTM of chapter 8": ({"cell": "lstm", "units": 256, "num_layers": 2, "embedding_dim": 256}, (64, 100, 0.002)),
    "LSTM of chapter 9": ({"cell": "lstm", "units": 128, "num_layers": 2, "embedding_dim": None}, (64, 50, 0.002)),
}
EPOCHS = 2
EQUAL = {"rnn": 453, "gru": 256, "lstm": 219}  # units at which the three have as many parameters, within 1 %
RATES = (0.001, 0.003, 0.01)
DYNAMIC_RATES = (0.03, 0.1, 0.3, 1.0)


def fit(settings, ids, batch_size, time, rate, seed=0):
    """Train a network with Adam and a cosine schedule; returns it and its training speed in characters per second."""
    set_seed(seed)
    model = build_model(len(VOCABULARY), fast=settings["cell"] != "rnn", **settings)
    steps = EPOCHS * ((len(ids) - 1) // (batch_size * time))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(rate, steps))
    shape = {"batch_size": batch_size, "time": time, "epochs": EPOCHS}
    history = train(model, ids, optimizer=optimizer, progress=False, **shape)
    return model, EPOCHS * len(ids) / history["seconds"][-1]


def row(name, model, speed, **more):
    """Score one network: state carried, in windows, novelty of what it writes."""
    nats = nats_per_position(model, TEST)
    texts = generate(model, VOCABULARY, "\n", 500, seed=0, num_samples=20)
    known = PARTS[0]
    result = {
        "name": name,
        "parameters": model.count_params(),
        "characters_per_second": round(speed),
        "nats": float(nats.mean()),
        "error": block_error(nats),
        "nats_reset_64": float(nats_in_windows(model, TEST, 64).mean()),
        "nats_windows": float(nats_in_windows(model, TEST, WINDOW).mean()),
        "new_8grams": float(np.mean([novel_ngram_fraction(text, known, 8) for text in texts])),
        "longest_copy": max(len(longest_copy(text, known)) for text in texts),
    }
    print(result, flush=True)
    return result | more


def recorded(name):
    """Score a recorded run."""
    run = load_run(name)
    training = run.record["training"]
    speed = training["epochs"] * len(TRAIN) / run.record["seconds"]
    return row(name, run.model, speed, epochs=training["epochs"])


def windows_model():
    """Train and score the network of chapter 6: 16 characters by themselves, of which the last output counts."""
    set_seed(0)
    model = build_model(len(VOCABULARY), cell="lstm", units=128, embedding_dim=None, fast=True)
    inputs, targets = context_target_pairs(TRAIN, 16)
    order = np.random.default_rng(0).permutation(len(inputs))[:200_000]
    trained = keras.Model(model.input, model.output[:, -1])
    trained.compile(keras.optimizers.Adam(0.002), names_loss())
    start = clock.perf_counter()
    trained.fit(inputs[order], targets[order], batch_size=64, epochs=EPOCHS, verbose=0)
    speed = EPOCHS * len(order) / (clock.perf_counter() - start)
    texts = generate(model, VOCABULARY, PARTS[1][:16], 500, seed=0, num_samples=20)
    return {
        "name": "windows of chapter 6",
        "parameters": model.count_params(),
        "characters_per_second": round(speed),
        "nats": evaluate_windows(model, TEST, 16),
        "new_8grams": float(np.mean([novel_ngram_fraction(text[16:], PARTS[0], 8) for text in texts])),
        "longest_copy": max(len(longest_copy(text[16:], PARTS[0])) for text in texts),
        "epochs": EPOCHS,
    }


def chapters():
    """Score the networks of the chapters under one budget, and the recorded run of chapter 7."""
    rows = [windows_model()]
    for name, (settings, (batch_size, time, rate)) in CHAPTERS.items():
        rows.append(row(name, *fit(settings, TRAIN, batch_size, time, rate), epochs=EPOCHS))
    return [*rows, recorded("shakespeare-gru")]


def equal():
    """Compare cells at equal size under one budget; the rate is chosen on the validation tenth, for each cell."""
    rows = []
    for cell, units in EQUAL.items():
        settings, losses = {"cell": cell, "units": units, "embedding_dim": 64}, {}
        for rate in RATES:
            losses[rate] = evaluate(fit(settings, LEARNED, 64, 64, rate)[0], VALIDATION)
            print(cell, rate, losses[rate], flush=True)
        best = min(losses, key=losses.get)
        runs = [row(cell, *fit(settings, TRAIN, 64, 64, best, seed), seed=seed) for seed in (0, 1)]
        rows.append({"cell": cell, "units": units, "rate": best, "validation": list(losses.values()), "runs": runs})
    return rows


def ngrams():
    """Score Kneser-Ney models of order 1 to 8; their validation loss is of models that saw less of the text."""
    rows = []
    for order in range(1, 9):
        nats = -np.log(counts(order).target_probabilities(TEST))
        row = {"order": order, "nats": float(nats.mean()), "error": block_error(nats)}
        rows.append(row | {"validation": counts(order, all_of_it=False).nats_per_char(VALIDATION)})
    return rows


@cache
def counts(order, all_of_it=True):
    """Return the Kneser-Ney model of the whole training part, or of what the validation tenth leaves of it."""
    return NgramModel(order).fit(TRAIN if all_of_it else LEARNED, len(VOCABULARY))


def counts_in_windows(model, ids):
    """Return -ln p of a counting model in windows, each from an empty context: ``(windows, WINDOW)``."""
    starts = range(0, len(ids) - WINDOW, WINDOW)
    return np.array([-np.log(model.target_probabilities(ids[i : i + WINDOW + 1])) for i in starts])


def mixture_weight(networks):
    """Return the weight of networks, averaged, against the order-7 counts, and the losses on the validation tenth.

    Neither networks nor counts have seen that tenth.
    """
    first = average([nats_per_position(network, VALIDATION) for network in networks])
    second = -np.log(counts(7, all_of_it=False).target_probabilities(VALIDATION))
    weights = np.linspace(0, 1, 21)
    losses = [float(mix_nats(first, second, weight).mean()) for weight in weights]
    return float(weights[np.argmin(losses)]), losses


def average(nats):
    """Return -ln of the mean probability of one model, or of two."""
    return nats[0] if len(nats) == 1 else mix_nats(*nats, 0.5)


def mixtures(name, networks, tried):
    """Score networks, averaged, alone and with counts; the weight comes from ``tried``, which saw less of the text."""
    weight, losses = mixture_weight(tried)
    stream = average([nats_per_position(network, TEST) for network in networks])
    windows = average([nats_in_windows(network, TEST, WINDOW) for network in networks])
    mixed = mix_nats(stream, -np.log(counts(7).target_probabilities(TEST)), weight)
    mixed_windows = mix_nats(windows, counts_in_windows(counts(7), TEST), weight)
    rows = [{"name": name, "positions": [round(float(nats), 4) for nats in windows.mean(axis=0)]}]
    rows[0] |= {"nats": float(stream.mean()), "error": block_error(stream), "nats_windows": float(windows.mean())}
    rows.append({"name": f"{name}, and counts", "weight": weight, "validation": losses})
    rows[1] |= {"nats": float(mixed.mean()), "error": block_error(mixed), "nats_windows": float(mixed_windows.mean())}
    print(rows, flush=True)
    return rows


def dynamic(network, tried):
    """Score a network that learns from what it has been scored on; its rate is chosen on validation text."""
    losses = [
        float(nats_while_learning(tried, VALIDATION[:20_000], learning_rate=rate).mean()) for rate in DYNAMIC_RATES
    ]
    rate = DYNAMIC_RATES[int(np.argmin(losses))]
    nats = nats_while_learning(network, TEST, learning_rate=rate)
    result = {"name": "dynamic evaluation", "rate": rate, "validation": losses}
    print(result, flush=True)
    return result | {"nats": float(nats.mean()), "error": block_error(nats)}


def best(ideas_folder):
    """Score the best model; what ``ideas.py`` made in a folder serves for the choices."""
    best, gru = (load_run(name).model for name in ("shakespeare-best", "shakespeare-gru"))
    two_layers, base = (load_run(name, ideas_folder).model for name in ("two-layers", "base"))
    rows = [recorded("shakespeare-best"), *mixtures("best network", [best], [two_layers])]
    rows += mixtures("two networks", [best, gru], [two_layers, base])
    return [*rows, dynamic(best, two_layers)]


def ideas(ideas_folder):
    """Collect what ``ideas.py`` found."""
    records = {name: load_run(name, ideas_folder) for name in list_runs(ideas_folder)}
    return [
        {
            "name": name,
            "parameters": run.model.count_params(),
            "train": run.record["history"]["train"],
            "nats": run.record["validation_nats"],
            "seconds": round(run.record["history"]["seconds"][-1]),
        }
        for name, run in records.items()
    ]


SECTIONS = {"chapters": chapters, "equal": equal, "ngrams": ngrams, "best": best, "ideas": ideas}

if __name__ == "__main__":
    section, *folder = sys.argv[1:]
    made = {"machine": rivals.machine(), "rows": SECTIONS[section](*folder)}
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    write_atomically(RESULTS, json.dumps(results | {section: made}, indent=1) + "\n")
