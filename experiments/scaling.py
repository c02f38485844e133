"""How does the loss fall with parameters, with training text and with minutes, and what do compressors reach?

    python experiments/scaling.py [--seeds 0 1 ...]

Networks of one GRU layer of 32 or 128 units learn 30,000 to 900,000 characters of tiny Shakespeare, and keep the
weights of the pass with the lowest loss on a part of the validation text; the rate of each size is chosen there too.
The last tenth is then scored once. Counts of the same characters stand beside them. gzip, bz2 and xz are scored by how
many bits the last tenth adds to the compressed training text.
"""

import bz2
import gzip
import lzma
from functools import partial

import keras
import numpy as np
from common import ROWS, WINDOW, Experiment, choose_rate, load_parts, mean_and_error, seeds_from_command_line

from charlm_utils.evaluation import evaluate, nats_in_windows
from charlm_utils.models import build_model
from charlm_utils.ngrams import NgramModel
from charlm_utils.training import cosine_decay, set_seed, train

UNITS = [32, 128]
CHARACTERS = {30_000: 40, 150_000: 30, 900_000: 10}  # and passes over them
MODEL = {"cell": "gru", "embedding_dim": 64, "dropout": 0.2, "fast": True}
SHAPE = {"batch_size": 32, "time": 64}
RATE = 0.004  # the first one that is tried
VALIDATED = 10_000  # characters of the validation text that are scored after every pass
TRIED_ON = 150_000  # characters on which the rates are tried,
TRIED_PASSES = 6  # and passes over them
ORDERS = [2, 3, 4, 5, 6, 7]
COMPRESSORS = {
    "gzip": partial(gzip.compress, compresslevel=9, mtime=0),
    "bz2": partial(bz2.compress, compresslevel=9),
    "xz": partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME),
}
SETTINGS = {
    "corpus": "shakespeare",
    "units": UNITS,
    "characters": CHARACTERS,
    "model": MODEL,
    "shape": SHAPE,
    "first_rate": RATE,
    "validated": VALIDATED,
    "tried_on": TRIED_ON,
    "tried_passes": TRIED_PASSES,
    "orders": ORDERS,
    "compressors": list(COMPRESSORS),
}
CHAPTER = "15_results"


def fit_network(units, characters, passes, rate, seed):
    """Return a network with the weights of its best pass, and its history."""
    parts = load_parts()
    ids = parts.learned[:characters]
    set_seed(seed)
    network = build_model(len(parts.vocabulary), units=units, **MODEL)
    optimizer = keras.optimizers.Adam(cosine_decay(rate, len(ids), epochs=passes, **SHAPE))
    history = train(
        network,
        ids,
        epochs=passes,
        optimizer=optimizer,
        validation_ids=parts.validation[:VALIDATED],
        keep_best=True,
        progress=False,
        **SHAPE,
    )
    return network, history


def try_rate(units, rate):
    """Score the validation text after a short training."""
    _, history = fit_network(units, TRIED_ON, TRIED_PASSES, rate, seed=0)
    return {"validation": min(history["validation"])}


def train_and_score(units, characters, rate, seed):
    """Train on so many characters and score the last tenth."""
    network, history = fit_network(units, characters, CHARACTERS[characters], rate, seed)
    test = load_parts().test
    return {
        "units": units,
        "characters": characters,
        "rate": rate,
        "parameters": network.count_params(),
        "nats": evaluate(network, test, ROWS),
        "nats_windows": float(nats_in_windows(network, test, WINDOW).mean()),
        "validation_by_pass": history["validation"],
        "seconds_by_pass": history["seconds"],
    }


def count(characters):
    """Score counts of the order that is best on the validation text."""
    parts = load_parts()
    vocab_size = len(parts.vocabulary)
    models = [NgramModel(order).fit(parts.learned[:characters], vocab_size) for order in ORDERS]
    losses = [model.nats_per_char(parts.validation) for model in models]
    best = int(np.argmin(losses))
    return {"characters": characters, "order": ORDERS[best], "nats": models[best].nats_per_char(parts.test)}


def compress(name):
    """Score a compressor: what the last tenth adds to the compressed training text, in nats per character."""
    parts = load_parts()
    before = len(COMPRESSORS[name](parts.train_text.encode()))
    together = len(COMPRESSORS[name]((parts.train_text + parts.test_text).encode()))
    return {"nats": (together - before) * 8 * float(np.log(2)) / len(parts.test_text)}


def conclude(results):
    """Return the answer and the effect."""
    least = min(CHARACTERS)
    most = max(CHARACTERS)
    described = []
    for units in UNITS:
        few, _, _ = mean_and_error(results, f"{units} units, {least} characters", "nats")
        many, error, _ = mean_and_error(results, f"{units} units, {most} characters", "nats")
        described.append(f"{units} units {few:.2f} and {many:.2f}")
    counted = {row["arm"]: row["nats"] for row in results if "nats" in row}
    packed = [f"{name} {counted[name]:.2f}" for name in COMPRESSORS]
    answer = (
        f"With {least:,} and with {most:,} characters to learn from, {'; '.join(described)} nats; counts "
        f"{counted[f'counts, {least} characters']:.2f} and {counted[f'counts, {most} characters']:.2f}; "
        f"{', '.join(packed)}."
    )
    gain = counted[f"counts, {most} characters"] - many
    return answer, f"the largest network has {gain:+.3f} nats less than counts of as much text; ±{error:.3f} over seeds"


def main():
    """Choose a rate for each size, then train and score every seed, count and compress."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for name in COMPRESSORS:
        experiment.measure(name, None, partial(compress, name))
    for characters in CHARACTERS:
        experiment.measure(f"counts, {characters} characters", None, partial(count, characters))
    for units in UNITS:
        rate = choose_rate(experiment, f"{units} units", RATE, partial(try_rate, units))
        for characters in CHARACTERS:
            for seed in seeds:
                arm = f"{units} units, {characters} characters"
                experiment.measure(arm, seed, partial(train_and_score, units, characters, rate, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
