"""Try ideas for the best model under one small budget, on a validation tenth cut from the training part.

    python benchmarks/ideas.py FOLDER [NAME ...]

trains every idea, or those named, for three passes over the first 81 % of tiny Shakespeare, scores it on the next
9 %, and writes it as a recorded run to ``FOLDER/NAME``. The last tenth of the text stays unseen.
"""

import sys
from pathlib import Path

import keras

from charlm_utils.corpora import load_corpus, split_corpus
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model
from charlm_utils.runs import save_run
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import Vocabulary

EPOCHS = 3
BASE = {"cell": "gru", "units": 512, "num_layers": 1, "embedding_dim": 256, "dropout": 0.2, "fast": True}
BASE |= {"batch_size": 64, "time": 64, "learning_rate": 0.003, "use_ema": False}
IDEAS = {
    "base": {},
    "dropout-0.4": {"dropout": 0.4},
    "two-layers": {"num_layers": 2},
    "lstm": {"cell": "lstm"},
    "units-768": {"units": 768},
    "embedding-64": {"embedding_dim": 64},
    "batch-32": {"batch_size": 32},
    "time-128": {"time": 128},
    "rate-0.006": {"learning_rate": 0.006},
    "weight-average": {"use_ema": True},
}
TRAINING = ("batch_size", "time", "learning_rate", "use_ema")


def try_idea(name, folder):
    """Train one idea, save it and return its validation loss in nats per character."""
    settings = BASE | IDEAS[name]
    batch_size, time, rate, use_ema = (settings.pop(key) for key in TRAINING)
    text = load_corpus("shakespeare")
    vocabulary = Vocabulary.from_text(text)
    learned, held_back = map(vocabulary.encode, split_corpus(split_corpus(text)[0]))
    set_seed(0)
    model = build_model(len(vocabulary), **settings)
    steps = EPOCHS * ((len(learned) - 1) // (batch_size * time))
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    optimizer = keras.optimizers.Adam(schedule, use_ema=use_ema, ema_momentum=0.995)
    shape = {"batch_size": batch_size, "time": time}
    history = train(model, learned, epochs=EPOCHS, optimizer=optimizer, progress=False, **shape)
    if use_ema:
        optimizer.finalize_variable_values(model.trainable_variables)
    record = {"corpus": "shakespeare", "model": settings, "training": BASE | IDEAS[name], "history": history}
    record["validation_nats"] = evaluate(model, held_back)
    save_run(Path(folder) / name, model, vocabulary, record)
    return record["validation_nats"]


if __name__ == "__main__":
    for idea in sys.argv[2:] or IDEAS:
        print(f"{idea:16} {try_idea(idea, sys.argv[1]):.4f}", flush=True)
