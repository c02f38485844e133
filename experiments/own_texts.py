"""How large a network guesses short texts in three scripts best, and do networks guess them better than counts?

    python experiments/own_texts.py [--seeds 0 1 ...]

The texts are those that were written for the book's last chapter: a lighthouse keeper's log in Greek, a diary of a tea
house in Chinese, and tunes in ABC notation. Seven tenths are learned, a tenth is validation text, and the last fifth is
the test text. A GRU of 32 units has about as many parameters as the log or the tunes have characters; one of 128 units
has several times as many. Both keep the weights of the pass with the lowest validation loss. The counts of the same
characters, of the order that is best on the validation text, stand beside them.

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
from charlm_utils.models import build_model
from charlm_utils.ngrams import NgramModel
from charlm_utils.training import cosine_decay, set_seed, train
from charlm_utils.vocabulary import Vocabulary

TEXTS = ["lighthouse", "teahouse", "tunes"]
MODEL = {"cell": "gru", "dropout": 0.2, "fast": True}
KINDS = {
    "32 units": {"units": 32, "embedding_dim": 64, "passes": 60, "first_rate": 0.01},
    "128 units": {"units": 128, "embedding_dim": 64, "passes": 40, "first_rate": 0.005},
}
SHAPE = {"batch_size": 16, "time": 32}
PARTS = (0.7, 0.1, 0.2)
ORDERS = [2, 3, 4, 5, 6, 7]
SETTINGS = {
    "texts": TEXTS,
    "model": MODEL,
    "kinds": KINDS,
    "shape": SHAPE,
    "parts": PARTS,
    "orders": ORDERS,
}
CHAPTER = "16_your_own_corpus"


def arm_of(text, kind):
    """Return the name of an arm, such as ``"tunes, 32 units"``."""
    return f"{text}, {kind}"


@cache
def load_parts(text):
    """Return the vocabulary of a text and its three parts as ids."""
    characters = load_corpus(text)
    vocabulary = Vocabulary.from_text(characters)
    parts = split_corpus(vocabulary.encode(characters), PARTS, **SHAPE)
    return vocabulary, *parts


def fit_network(text, kind, rate, seed):
    """Return a network with the weights of its best pass, and its history."""
    settings = KINDS[kind]
    vocabulary, learned, validation, _ = load_parts(text)
    set_seed(seed)
    sizes = {"units": settings["units"], "embedding_dim": settings["embedding_dim"]}
    network = build_model(len(vocabulary), **sizes, **MODEL)
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
    return network, history


def try_rate(text, kind, rate):
    """Return the lowest validation loss."""
    _, history = fit_network(text, kind, rate, seed=0)
    return {"validation": min(history["validation"])}


def train_and_score(text, kind, rate, seed):
    """Train, and score the test text."""
    network, history = fit_network(text, kind, rate, seed)
    _, _, _, test = load_parts(text)
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
        for kind in KINDS:
            level, error, _ = mean_and_error(results, arm_of(text, kind), "nats")
            levels.append(f"{kind} {level:.3f}")
            effects.append(f"{text}, {kind} {level - counted:+.3f} ± {error:.3f}")
        difference, error, seeds = paired_difference(
            results, arm_of(text, "128 units"), arm_of(text, "32 units"), "nats"
        )
        wide = in_words(difference, error, seeds)
        said.append(f"{text}: counts {counted:.3f} nats, {', '.join(levels)}; 128 against 32 units {wide}")
    return f"On the test texts, {'; '.join(said)}.", f"minus counts: {'; '.join(effects)} nats (over {seeds} seeds)"


def main():
    """Count, choose rates, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for text in TEXTS:
        experiment.measure(arm_of(text, "counts"), None, partial(count, text))
        for kind in KINDS:
            arm = arm_of(text, kind)
            attempt = partial(try_rate, text, kind)
            call = partial(train_and_score, text, kind)
            choose_and_measure(experiment, arm, KINDS[kind]["first_rate"], attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
