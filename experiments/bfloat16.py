"""Does training with bfloat16 recurrent products reach the held-out loss of float32?

    python experiments/bfloat16.py [SEED ...]

trains a GRU and an LSTM of the size of `shakespeare-gru` for three passes over tiny Shakespeare, once with float32
and once with bfloat16 products for each seed (0, 1 and 2 by default), and scores each on the last tenth with the state
carried. Results go to `data/experiments/bfloat16.json` as they come; arms that are there already are not run again.
"""

import datetime
import json
import platform
import sys
import time
from pathlib import Path
from statistics import mean

import keras
import tensorflow as tf

from charlm_utils.corpora import load_corpus, split_corpus
from charlm_utils.evaluation import evaluate
from charlm_utils.files import write_atomically
from charlm_utils.models import build_model
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import Vocabulary

RESULTS = Path(__file__).parents[1] / "data" / "experiments" / "bfloat16.json"
SEEDS = (0, 1, 2)
CELLS = ("gru", "lstm")
DTYPES = ("float32", "bfloat16")
MODEL = {"units": 512, "embedding_dim": 256, "dropout": 0.2, "fast": True}
TRAINING = {"batch_size": 64, "time": 64, "epochs": 3, "clip_norm": 5.0}
LEARNING_RATE = 0.003  # Adam's, falling to 0 along a cosine
LIMIT = 0.005  # nats per character


def run_arm(cell, dtype, seed, train_ids, held_out_ids, vocab_size):
    """Train one model and return its held-out loss in nats per character."""
    set_seed(seed)
    model = build_model(vocab_size, cell=cell, recurrent_dtype=dtype, **MODEL)
    steps = TRAINING["epochs"] * ((len(train_ids) - 1) // (TRAINING["batch_size"] * TRAINING["time"]))
    optimizer = keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps))
    train(model, train_ids, optimizer=optimizer, progress=False, **TRAINING)
    return evaluate(model, held_out_ids)


def answer(results):
    """Say for each cell how far the means over seeds lie apart, as far as both arms have run."""
    sentences = []
    for cell in CELLS:
        nats = {}
        for row in results:
            nats.setdefault(row["arm"], {})[row["seed"]] = row["nats"]
        exact, narrow = (nats.get(f"{cell} {dtype}", {}) for dtype in DTYPES)
        seeds = sorted(exact.keys() & narrow.keys())
        if seeds:
            differences = [narrow[seed] - exact[seed] for seed in seeds]
            verdict = "within" if abs(mean(differences)) < LIMIT else "not within"
            listed = ", ".join(f"{difference:+.4f}" for difference in differences)
            sentences.append(
                f"{cell}: bfloat16 minus float32 is {mean(differences):+.4f} nats per character on average "
                f"({listed}), {verdict} {LIMIT}."
            )
    return " ".join(sentences)


def provenance():
    """Return what the figures depend on besides the settings."""
    return {
        "date": datetime.date.today().isoformat(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "machine": platform.machine(),
    }


def keep(results):
    """Write all results so far."""
    content = {
        "question": __doc__.splitlines()[0],
        "answer": answer(results),
        "chapter": 12,
        "settings": {"corpus": "shakespeare", **MODEL, **TRAINING, "learning_rate": LEARNING_RATE},
        "results": results,
        "minutes": round(sum(row["minutes"] for row in results), 1),
        "provenance": provenance(),
    }
    write_atomically(RESULTS, json.dumps(content, indent=1) + "\n")


def main(seeds):
    """Run the arms that are not there yet."""
    results = json.loads(RESULTS.read_text(encoding="utf-8"))["results"] if RESULTS.exists() else []
    done = {(row["arm"], row["seed"]) for row in results}
    text = load_corpus("shakespeare")
    vocabulary = Vocabulary.from_text(text)
    train_ids, held_out_ids = split_corpus(vocabulary.encode(text))
    for cell in CELLS:
        for seed in seeds:
            for dtype in DTYPES:
                arm = f"{cell} {dtype}"
                if (arm, seed) in done:
                    continue
                start = time.perf_counter()
                nats = run_arm(cell, dtype, seed, train_ids, held_out_ids, len(vocabulary))
                minutes = (time.perf_counter() - start) / 60
                results.append({"arm": arm, "seed": seed, "nats": round(nats, 5), "minutes": round(minutes, 2)})
                print(results[-1], flush=True)
                keep(results)
    print(answer(results))


if __name__ == "__main__":
    main([int(seed) for seed in sys.argv[1:]] or SEEDS)
