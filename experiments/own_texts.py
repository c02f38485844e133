"""What do networks reach on short texts in three scripts, and does it help to have read English before?

    python experiments/own_texts.py [--seeds 0 1 ...]

The texts are those that were written for the book's last chapter: a lighthouse keeper's log in Greek, a diary of a tea
house in Chinese, and tunes in ABC notation. Seven tenths are learned, a tenth is validation text, and the last fifth is
the test text. *32 units* and *128 units* begin from nothing. On the log alone, two larger ones are trained: *512
units*, from nothing, and *fine-tuned*, which is the recorded run `shakespeare-gru` with its vocabulary extended. They
have the same width and as many passes. All keep the weights of the pass with the lowest validation loss. The counts of
the same characters, of the order that is best on the validation text, stand beside them.

The learning rate of each network is chosen for each text on its validation text with the seed 0. The test text is
scored once, with the state carried.
"""

from functools import cache, partial

import keras
import numpy as np
from common import (
    Experiment,
    choose_and_measure,
    in_words,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)

from charlm_utils.corpora import load_corpus, split_corpus
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model, take_weights
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import load_run
from charlm_utils.training import cosine_decay, set_seed, train
from charlm_utils.vocabulary import Vocabulary

TEXTS = ["lighthouse", "teahouse", "tunes"]
RUN = "shakespeare-gru"
MODEL = {"cell": "gru", "dropout": 0.2, "fast": True}
KINDS = {
    "32 units": {"units": 32, "embedding_dim": 64, "begins_with": None, "passes": 60, "first_rate": 0.01},
    "128 units": {"units": 128, "embedding_dim": 64, "begins_with": None, "passes": 40, "first_rate": 0.005},
    "512 units": {"units": 512, "embedding_dim": 256, "begins_with": None, "passes": 20, "first_rate": 0.002},
    "fine-tuned": {"units": 512, "embedding_dim": 256, "begins_with": RUN, "passes": 20, "first_rate": 0.002},
}
LARGE = {"lighthouse": ["512 units", "fine-tuned"]}  # the kinds that are trained on one text alone
SHAPE = {"batch_size": 16, "time": 32}
PARTS = (0.7, 0.1, 0.2)
ORDERS = [2, 3, 4, 5, 6, 7]
SETTINGS = {
    "texts": TEXTS,
    "model": MODEL,
    "kinds": KINDS,
    "large": LARGE,
    "shape": SHAPE,
    "parts": PARTS,
    "orders": ORDERS,
}
CHAPTER = "16_your_own_corpus"


def kinds_of(text):
    """Return the kinds of networks that are trained on a text."""
    return ["32 units", "128 units", *LARGE.get(text, [])]


def arm_of(text, kind):
    """Return the name of an arm, such as ``"tunes, 32 units"``."""
    return f"{text}, {kind}"


@cache
def load_parts(text, known=""):
    """Return the vocabulary, which begins with the ``known`` characters, and the three parts of a text as ids."""
    characters = load_corpus(text)
    vocabulary = Vocabulary(known).extended(characters) if known else Vocabulary.from_text(characters)
    return vocabulary, *split_corpus(vocabulary.encode(characters), PARTS, **SHAPE)


def fit_network(text, kind, rate, seed):
    """Return a network with the weights of its best pass, its history, and the ids of the test text."""
    settings = KINDS[kind]
    older = None if settings["begins_with"] is None else load_run(settings["begins_with"])
    vocabulary, learned, validation, test = load_parts(text, "" if older is None else older.vocabulary.characters)
    set_seed(seed)
    sizes = {"units": settings["units"], "embedding_dim": settings["embedding_dim"]}
    network = build_model(len(vocabulary), **sizes, **MODEL)
    if older is not None:
        take_weights(network, older.model)
    passes = settings["passes"]
    optimizer = keras.optimizers.Adam(cosine_decay(rate, len(learned), epochs=passes, **SHAPE))
    history = train(
        network,
        learned,
        epochs=passes,
        optimizer=optimizer,
        validation_ids=validation,
        keep_best=True,
        progress=False,
        **SHAPE,
    )
    return network, history, test


def try_rate(text, kind, rate):
    """Return the lowest validation loss."""
    _, history, _ = fit_network(text, kind, rate, seed=0)
    return {"validation": min(history["validation"])}


def train_and_score(text, kind, rate, seed):
    """Train, and score the test text."""
    network, history, test = fit_network(text, kind, rate, seed)
    return {
        "rate": rate,
        "parameters": network.count_params(),
        "best_pass": int(np.argmin(history["validation"])) + 1,
        "nats": evaluate(network, test),
        "train_by_pass": np.round(history["train"], 4).tolist(),
        "validation_by_pass": np.round(history["validation"], 4).tolist(),
    }


def count(text):
    """Score counts of the order that is best on the validation text."""
    vocabulary, learned, validation, test = load_parts(text)
    models = [NgramModel(order).fit(learned, len(vocabulary)) for order in ORDERS]
    losses = [model.nats_per_char(validation) for model in models]
    best = int(np.argmin(losses))
    return {
        "characters": len(learned),
        "vocabulary": len(vocabulary),
        "order": ORDERS[best],
        "nats": models[best].nats_per_char(test),
    }


def conclude(results):
    """Return the answer and the effect."""
    said = []
    effects = []
    for text in TEXTS:
        (counted,) = [row["nats"] for row in results if row["arm"] == arm_of(text, "counts")]
        levels = []
        for kind in kinds_of(text):
            level, error, _ = mean_and_error(results, arm_of(text, kind), "nats")
            levels.append(f"{kind} {level:.3f}")
            effects.append(f"{text}, {kind} {level - counted:+.3f} ± {error:.3f}")
        wide = in_words(*paired_difference(results, arm_of(text, "128 units"), arm_of(text, "32 units"), "nats"))
        said.append(f"{text}: counts {counted:.3f} nats, {', '.join(levels)}; 128 against 32 units {wide}")
    for text in LARGE:
        difference, error, seeds = paired_difference(
            results, arm_of(text, "fine-tuned"), arm_of(text, "512 units"), "nats"
        )
        said.append(f"on {text}, fine-tuned against as wide a network {in_words(difference, error, seeds)}")
    return f"On the test texts, {'; '.join(said)}.", f"minus counts: {'; '.join(effects)} nats (over {seeds} seeds)"


def main():
    """Count, choose rates, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for text in TEXTS:
        experiment.measure(arm_of(text, "counts"), None, partial(count, text))
        for kind in kinds_of(text):
            arm = arm_of(text, kind)
            attempt = partial(try_rate, text, kind)
            call = partial(train_and_score, text, kind)
            choose_and_measure(experiment, arm, KINDS[kind]["first_rate"], attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
