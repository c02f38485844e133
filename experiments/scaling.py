"""How does the loss fall with parameters, with training text and with minutes, and what do compressors reach?

    python experiments/scaling.py [--seeds 0 1 ...]

Networks of one GRU layer of 32, 128 or 512 units learn the last 30,000, 150,000 or 750,000 characters of tiny
Shakespeare before its validation text, and keep the weights of the pass with the lowest loss there. For every size and
length of text, learning rate and number of passes are chosen on the validation text with the seed 0; the rate falls
to zero along a cosine. The last tenth is then scored once, carried and in windows. Counts and compressors get the same
characters: gzip, bz2 and xz are scored by how many bits the last tenth adds to the compressed text. What a step of
training takes is measured for each size with TensorFlow, on the machine that the result names.
"""

import bz2
import gzip
import lzma
import time as clock
from functools import partial

import keras
import numpy as np
from common import ROWS, WINDOW, Experiment, load_parts, mean_and_error, seeds_from_command_line
from trainings import new_network, outcome_of, plan, provenance, scoring

from charlm_utils.batching import contiguous_batches
from charlm_utils.models import zero_states
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import describe_machine
from charlm_utils.training import compiled_step

RATES = {  # by units
    32: [0.004, 0.008, 0.016, 0.032, 0.064],
    128: [0.002, 0.004, 0.008, 0.016, 0.032, 0.064],
    512: [0.0005, 0.001, 0.002, 0.004, 0.008, 0.016],
}
PASSES = {30_000: [10, 40], 150_000: [8, 32], 750_000: [5, 20]}  # by characters
MODEL = {"cell": "gru", "num_layers": 1, "embedding_dim": 64, "dropout": 0.2}
SHAPE = {"batch_size": 32, "time": 64}
CLIP_NORM = 5.0
VALIDATED = 20_000  # characters of the validation text that are scored after every pass
TIMED_STEPS = 40
ORDERS = [2, 3, 4, 5, 6, 7, 8]
COMPRESSORS = {
    "gzip": partial(gzip.compress, compresslevel=9, mtime=0),
    "bz2": partial(bz2.compress, compresslevel=9),
    "xz": partial(lzma.compress, preset=9 | lzma.PRESET_EXTREME),
}
COMPRESSED = [0, *PASSES]  # characters; with none a compressor learns from the last tenth alone
SETTINGS = {
    "corpus": "shakespeare",
    "units": list(RATES),
    "rates": RATES,
    "characters": list(PASSES),
    "passes": PASSES,
    "model": MODEL,
    "shape": SHAPE,
    "validated": VALIDATED,
    "timed_steps": TIMED_STEPS,
    "orders": ORDERS,
    "compressors": list(COMPRESSORS),
    "compressed": COMPRESSED,
}
CHAPTER = "15_results"
SEEDS = [0, 1, 2, 3, 4]


def plan_of(units, characters, passes, rate, seed):
    """Return the plan of a training."""
    return plan(
        learn=["learned", -characters, None],
        model=MODEL | {"units": units},
        shape=SHAPE,
        epochs=passes,
        rate=rate,
        seed=seed,
        watch={"validation": scoring("validation", 0, VALIDATED, rows=ROWS)},
        score={"carried": scoring("test"), "windows": scoring("test", way="windows", time=WINDOW)},
        keep_best=True,
    )


def tries(units, characters):
    """Return the passes and rates that are tried for a size and a length of text."""
    return [(passes, rate) for passes in PASSES[characters] for rate in RATES[units]]


def plans():
    """Return all trainings that this experiment may ask for, by group."""
    groups = {}
    for units in RATES:
        for characters in PASSES:
            tried = tries(units, characters)
            groups[f"scaling-{units}-{characters}"] = [plan_of(units, characters, *each, 0) for each in tried]
            for passes, rate in tried:
                others = [plan_of(units, characters, passes, rate, seed) for seed in SEEDS[1:]]
                groups[f"scaling-{units}-{characters}-{passes}-{rate}"] = others
    return groups


def try_settings(units, characters, passes, rate):
    """Score the validation text, with the weights of the best pass."""
    outcome = outcome_of(plan_of(units, characters, passes, rate, seed=0))
    figures = {"passes": passes, "rate": rate, "validation": min(outcome["watched"]["validation"])}
    return figures | provenance(outcome)


def choose(experiment, units, characters):
    """Return the passes and the rate with the lowest validation loss.

    Raises
    ------
    ValueError
        If that rate is the lowest or the highest of those that were tried.
    """
    arm = arm_of(units, characters)
    losses = {}
    for passes, rate in tries(units, characters):
        call = partial(try_settings, units, characters, passes, rate)
        losses[passes, rate] = experiment.measure(f"{arm}, {passes} passes at {rate:g}", 0, call)["validation"]
    passes, rate = min(losses, key=losses.get)
    if rate in (RATES[units][0], RATES[units][-1]):
        raise ValueError(f"{arm}: the best rate, {rate:g}, is the outermost of {RATES[units]}")
    return passes, rate


def arm_of(units, characters):
    """Return the name of an arm, such as ``"32 units, 30000 characters"``."""
    return f"{units} units, {characters} characters"


def train_and_score(units, characters, passes, rate, seed):
    """Train on so many characters and score the last tenth with the weights of the best pass."""
    outcome = outcome_of(plan_of(units, characters, passes, rate, seed))
    return {
        "units": units,
        "characters": characters,
        "passes": passes,
        "rate": rate,
        "parameters": outcome["parameters"],
        "nats": outcome["scores_best"]["carried"],
        "nats_windows": outcome["scores_best"]["windows"],
        "best_pass": outcome["best_pass"],
        "validation_by_pass": np.round(outcome["watched"]["validation"], 4).tolist(),
    } | provenance(outcome)


def time_step(units):
    """Measure what a training step takes on this machine, the first ones left out."""
    characters = min(PASSES)
    planned = plan_of(units, characters, PASSES[characters][0], RATES[units][0], seed=0)
    network = new_network(planned)
    batches = list(contiguous_batches(load_parts().learned[-characters:], **SHAPE))
    step = compiled_step(network, keras.optimizers.Adam(RATES[units][0]), CLIP_NORM)
    states = zero_states(network, SHAPE["batch_size"])
    seconds = []
    for number in range(TIMED_STEPS):
        inputs, targets = batches[number % len(batches)]
        begun = clock.perf_counter()
        loss, states = step(inputs, targets, states)
        float(loss)
        seconds.append(clock.perf_counter() - begun)
    return {"seconds_per_step": float(np.median(seconds[TIMED_STEPS // 4 :])), "machine": describe_machine()}


def count(characters):
    """Score counts of the order that is best on the validation text.

    ``nats_next_to`` is what counts of that order and of as many characters lose that end where the last tenth begins.
    """
    parts = load_parts()
    vocab_size = len(parts.vocabulary)
    models = [NgramModel(order).fit(parts.learned[-characters:], vocab_size) for order in ORDERS]
    losses = [model.nats_per_char(parts.validation) for model in models]
    best = int(np.argmin(losses))
    next_to = NgramModel(ORDERS[best]).fit(parts.train[-characters:], vocab_size)
    return {
        "characters": characters,
        "order": ORDERS[best],
        "validation": losses[best],
        "nats": models[best].nats_per_char(parts.test),
        "nats_next_to": next_to.nats_per_char(parts.test),
    }


def compress(name, characters):
    """Score a compressor: what the last tenth adds to the compressed text, in nats per character."""
    parts = load_parts()
    learned_text = parts.vocabulary.decode(parts.learned[len(parts.learned) - characters :])
    before = len(COMPRESSORS[name](learned_text.encode()))
    together = len(COMPRESSORS[name]((learned_text + parts.test_text).encode()))
    return {"characters": characters, "nats": (together - before) * 8 * float(np.log(2)) / len(parts.test_text)}


def conclude(results):
    """Return the answer and the effect."""
    least = min(PASSES)
    most = max(PASSES)
    described = []
    for units in RATES:
        few, _, _ = mean_and_error(results, arm_of(units, least), "nats")
        many, _, _ = mean_and_error(results, arm_of(units, most), "nats")
        described.append(f"{units} units {few:.2f} and {many:.2f}")
    single = {row["arm"]: row["nats"] for row in results if "nats" in row}
    for name in ("counts", *COMPRESSORS):
        few, many = (single[f"{name}, {characters} characters"] for characters in (least, most))
        described.append(f"{name} {few:.2f} and {many:.2f}")
    answer = f"With {least:,} and with {most:,} characters to learn from: {', '.join(described)} nats."
    largest, error, seeds = mean_and_error(results, arm_of(max(RATES), most), "nats")
    gain = largest - single[f"counts, {most} characters"]
    return answer, f"the largest network against counts of as much text {gain:+.3f} ± {error:.3f} nats ({seeds} seeds)"


def main():
    """Count and compress; choose passes and rate for each size and text, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, SEEDS)
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for characters in PASSES:
        experiment.measure(f"counts, {characters} characters", None, partial(count, characters))
    for name in COMPRESSORS:
        for characters in COMPRESSED:
            experiment.measure(f"{name}, {characters} characters", None, partial(compress, name, characters))
    for units in RATES:
        experiment.measure(f"a step of {units} units", None, partial(time_step, units))
        for characters in PASSES:
            passes, rate = choose(experiment, units, characters)
            for seed in seeds:
                call = partial(train_and_score, units, characters, passes, rate, seed)
                experiment.measure(arm_of(units, characters), seed, call)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
