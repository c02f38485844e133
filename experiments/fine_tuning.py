"""What does a network gain from having read another text before, and how long may the new text be?

    python experiments/fine_tuning.py [--seeds 0 1 ...]

The new text is the beginning of *Anna Karenina*, of which 4,000, 16,000 or 64,000 characters are learned. *Fine-tuned*:
the network is the recorded run `shakespeare-gru`, which has read the plays; its vocabulary is extended by the
characters that are new to it, and everything is trained on. *From nothing*: the same network with new weights. *Small,
from nothing*: a narrower one, as somebody would choose it who has only the short text. All keep the weights of the pass
with the lowest validation loss, which is early stopping. *Untouched*: the run after the vocabulary was extended, before
it has learned anything of the new text. The counts of the same characters, of the order that is best on the validation
text, stand beside them.

The learning rate of each kind of network is chosen on the validation text, at the length in the middle and with the
seed 0. The test text is scored once, with the state carried.
"""

from functools import cache, partial

import keras
import numpy as np
from common import (
    Experiment,
    choose_rate,
    in_words,
    load_parts,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)

from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model, take_weights
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import load_run
from charlm_utils.training import cosine_decay, set_seed, train

RUN = "shakespeare-gru"
CHARACTERS = {4_000: 40, 16_000: 20, 64_000: 10}  # and passes over them
MIDDLE = 16_000  # characters on which the rates are tried
MODEL = {"cell": "gru", "dropout": 0.2, "fast": True}
KINDS = {
    "fine-tuned": {"units": 512, "embedding_dim": 256, "begins_with": RUN, "first_rate": 0.001},
    "from nothing": {"units": 512, "embedding_dim": 256, "begins_with": None, "first_rate": 0.002},
    "small, from nothing": {"units": 128, "embedding_dim": 64, "begins_with": None, "first_rate": 0.004},
}
SHAPE = {"batch_size": 16, "time": 32}
USED = 400_000  # characters of the book, the first: its last tenth is the test text
VALIDATED = 2_000  # characters of the validation text, the first
ROWS = 32  # side by side when the test text is scored
ORDERS = [2, 3, 4, 5, 6]
SETTINGS = {
    "corpus": "anna",
    "characters": CHARACTERS,
    "middle": MIDDLE,
    "model": MODEL,
    "kinds": KINDS,
    "shape": SHAPE,
    "used": USED,
    "validated": VALIDATED,
    "rows": ROWS,
    "orders": ORDERS,
}
CHAPTER = "16_your_own_corpus"


def arm_of(kind, characters):
    """Return the name of an arm, such as ``"fine-tuned, 4,000 characters"``."""
    return f"{kind}, {characters:,} characters"


@cache
def load_text():
    """Return the vocabulary of the run, extended, and ids: what may be learned, validation text, test text."""
    parts = load_parts("anna", USED)
    vocabulary = load_run(RUN).vocabulary.extended(parts.train_text + parts.test_text)
    learned = vocabulary.encode(parts.vocabulary.decode(parts.learned))
    validation = vocabulary.encode(parts.vocabulary.decode(parts.validation))
    return vocabulary, learned, validation[:VALIDATED], vocabulary.encode(parts.test_text)


def new_network(kind, seed):
    """Return a network before its first step on the new text."""
    vocabulary, _, _, _ = load_text()
    settings = KINDS[kind]
    set_seed(seed)
    sizes = {"units": settings["units"], "embedding_dim": settings["embedding_dim"]}
    network = build_model(len(vocabulary), **sizes, **MODEL)
    if settings["begins_with"] is not None:
        take_weights(network, load_run(settings["begins_with"]).model)
    return network


def fit_network(kind, characters, rate, seed):
    """Return a network with the weights of its best pass, and its history."""
    _, learned, validation, _ = load_text()
    ids = learned[-characters:]  # they end where the validation text begins
    passes = CHARACTERS[characters]
    network = new_network(kind, seed)
    optimizer = keras.optimizers.Adam(cosine_decay(rate, len(ids), epochs=passes, **SHAPE))
    history = train(
        network,
        ids,
        epochs=passes,
        optimizer=optimizer,
        validation_ids=validation,
        keep_best=True,
        progress=False,
        **SHAPE,
    )
    return network, history


def try_rate(kind, rate):
    """Return the lowest validation loss of a training on the text of middle length."""
    _, history = fit_network(kind, MIDDLE, rate, seed=0)
    return {"validation": min(history["validation"])}


def train_and_score(kind, characters, rate, seed):
    """Train on so many characters and score the test text."""
    network, history = fit_network(kind, characters, rate, seed)
    _, _, _, test = load_text()
    return {
        "characters": characters,
        "rate": rate,
        "parameters": network.count_params(),
        "best_pass": int(np.argmin(history["validation"])) + 1,
        "nats": evaluate(network, test, ROWS),
        "train_by_pass": np.round(history["train"], 4).tolist(),
        "validation_by_pass": np.round(history["validation"], 4).tolist(),
    }


def score_untouched(seed):
    """Score the run with an extended vocabulary, before it learns anything new."""
    _, _, _, test = load_text()
    return {"nats": evaluate(new_network("fine-tuned", seed), test, ROWS)}


def count(characters):
    """Score counts of the order that is best on the validation text."""
    vocabulary, learned, validation, test = load_text()
    models = [NgramModel(order).fit(learned[-characters:], len(vocabulary)) for order in ORDERS]
    losses = [model.nats_per_char(validation) for model in models]
    best = int(np.argmin(losses))
    return {"characters": characters, "order": ORDERS[best], "nats": models[best].nats_per_char(test)}


def conclude(results):
    """Return the answer and the effect."""
    said = []
    effects = []
    for characters in CHARACTERS:
        tuned = arm_of("fine-tuned", characters)
        level, _, _ = mean_and_error(results, tuned, "nats")
        compared = []
        for kind in ("from nothing", "small, from nothing"):
            difference, error, seeds = paired_difference(results, tuned, arm_of(kind, characters), "nats")
            name = "the same" if kind == "from nothing" else "a small one"
            compared.append(f"against {name} {in_words(difference, error, seeds)}")
            effects.append(f"{characters:,} characters, {kind} {difference:+.3f} ± {error:.3f}")
        (counted,) = [row["nats"] for row in results if row["arm"] == arm_of("counts", characters)]
        said.append(f"with {characters:,} characters {level:.3f} nats, {' and '.join(compared)}; counts {counted:.3f}")
    untouched, _, _ = mean_and_error(results, "untouched", "nats")
    answer = (
        f"Before it learns anything new the run has {untouched:.3f} nats; fine-tuned and set against networks that "
        f"begin from nothing it has, {'; '.join(said)}."
    )
    return answer, f"fine-tuned minus: {'; '.join(effects)} nats (standard error over {seeds} paired seeds)"


def main():
    """Count, choose a rate for every kind of network, then train and score every seed at every length."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for characters in CHARACTERS:
        experiment.measure(arm_of("counts", characters), None, partial(count, characters))
    rates = {}
    for kind in KINDS:
        rates[kind] = choose_rate(experiment, kind, KINDS[kind]["first_rate"], partial(try_rate, kind))
    for seed in seeds:
        experiment.measure("untouched", seed, partial(score_untouched, seed))
        for kind in KINDS:
            for characters in CHARACTERS:
                call = partial(train_and_score, kind, characters, rates[kind], seed)
                experiment.measure(arm_of(kind, characters), seed, call)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
