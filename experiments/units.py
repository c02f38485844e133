"""Do single units follow something nameable, more closely than chance and than random directions, and do they cause it?

    python experiments/units.py [--seeds 0 1 ...]

GRU networks of 256 units learn tiny Shakespeare, and as many characters of Anna Karenina. Their states are read on the
last tenth, which they have not learned. A unit is scored by the size of its correlation with a label: the place in the
line, whether a quotation is open, whether the character belongs to a speaker's name, and so on. The unit is chosen on
the first 40,000 characters and scored on the 20,000 after them. Beside it stand the best unit for labels that are moved
along the text, the best of as many random directions of the standardized state, the linear probe on the whole state,
and the same probe on nothing but the character that was read. A unit counts as following a label if its score is above
that of the best random direction of three draws.

Then the unit of the line (Shakespeare) or of the quotation (Anna Karenina) is held at its mean value early or late in
the line, or inside or outside a quotation: what does the text cost, by kind of character, and what does the network
write? For comparison every unit, one at a time, is held at its mean, and ten other units are held at their own values
while the network writes. The last arms score recorded runs and Kneser-Ney counts by kind of character, and compare
them character by character, with errors from the spread of blocks of the text.

Each network is kept in a folder for temporary files until it is measured.
"""

import tempfile
from functools import partial
from pathlib import Path

import keras
import numpy as np
from common import ROWS, Experiment, load_parts, mean_and_error, seeds_from_command_line

from charlm_utils.evaluation import evaluate, nats_in_windows, nats_per_position
from charlm_utils.models import build_model
from charlm_utils.ngrams import NgramModel
from charlm_utils.probing import (
    KINDS,
    character_kinds,
    correlate,
    find_column,
    hold_unit,
    label_text,
    probe,
    project_at_random,
    read_states,
    shift_labels,
)
from charlm_utils.runs import load_run
from charlm_utils.sampling import generate
from charlm_utils.training import cosine_decay, set_seed, train

CHARACTERS = {"shakespeare": 1_115_394, "anna": 1_115_394}
MODEL = {"cell": "gru", "units": 256, "embedding_dim": 64, "fast": True}
SHAPE = {"batch_size": 32, "time": 64, "epochs": 5}
RATE = 0.004
READ = 60_000  # characters of the last tenth
CHOSEN_ON = 40_000  # of them
DRAWS = 3  # of random directions, and of moved labels
COSTED = 8_000  # characters on which every unit is held once
TEXTS = 200
LENGTH = 300  # characters of each
TEMPERATURE = 0.8
OTHERS = 10  # units that are held for comparison while the network writes
EARLY = (1, 5)  # places in the line
LATE = (46, 60)
LINE_PRIME = "\n\nROMEO:\n"
QUOTE_PRIMES = {"inside": 'He looked at her.\n\n"I do not know', "outside": "He looked at her and said nothing. They"}
ORDERS = (5, 6, 7, 8)  # of counts; the best on the validation text is shown
BLOCK = 2_000  # characters of a block, for the errors of differences
RUNS = ("shakespeare-gru", "shakespeare-best")
SETTINGS = {
    "characters": CHARACTERS,
    "model": MODEL,
    "shape": SHAPE,
    "rate": RATE,
    "read": READ,
    "chosen_on": CHOSEN_ON,
    "draws": DRAWS,
    "costed": COSTED,
    "texts": TEXTS,
    "length": LENGTH,
    "temperature": TEMPERATURE,
    "others": OTHERS,
    "early": EARLY,
    "late": LATE,
    "line_prime": LINE_PRIME,
    "quote_primes": QUOTE_PRIMES,
    "orders": ORDERS,
    "block": BLOCK,
    "kinds": KINDS,
}
CHAPTER = "13_inside_the_network"


def parts_of(corpus):
    """Return the parts of a text."""
    return load_parts(corpus, CHARACTERS[corpus])


def weights_file(corpus, seed):
    """Return where a trained network waits."""
    return Path(tempfile.gettempdir()) / "charlm-units" / f"{corpus}-{seed}.npz"


def build(corpus):
    """Return a new network."""
    return build_model(len(parts_of(corpus).vocabulary), **MODEL)


def fit_network(corpus, seed):
    """Train a network, keep its weights, and score the last tenth."""
    parts = parts_of(corpus)
    set_seed(seed)
    network = build(corpus)
    rate = cosine_decay(RATE, len(parts.train), **SHAPE)
    train(network, parts.train, optimizer=keras.optimizers.Adam(rate), progress=False, **SHAPE)
    path = weights_file(corpus, seed)
    path.parent.mkdir(exist_ok=True)
    weights = network.get_weights()
    np.savez(path, *weights)
    return {"corpus": corpus, "nats": evaluate(network, parts.test, ROWS)}


def load_network(corpus, seed):
    """Return a network that :func:`fit_network` has trained."""
    network = build(corpus)
    with np.load(weights_file(corpus, seed)) as kept:
        network.set_weights([kept[name] for name in kept.files])
    return network


def search(states, ids, text, vocab_size):
    """Return the scores of units, controls and probes for every label, and how many units follow one."""
    labels = {name: label for name, label in label_text(text).items() if label.std() > 0}
    count = states.shape[1]
    directions = [project_at_random(states, count, seed) for seed in range(DRAWS)]
    characters = np.eye(vocab_size, dtype=np.float32)[ids]
    by_state = probe(states, list(labels.values()), CHOSEN_ON)
    by_character = probe(characters, list(labels.values()), CHOSEN_ON)
    follows = np.zeros(count, bool)
    figures = {}
    for i, (name, label) in enumerate(labels.items()):
        found = find_column(states, label, CHOSEN_ON)
        at_random = [abs(find_column(columns, label, CHOSEN_ON).score) for columns in directions]
        shifted = [abs(find_column(states, shift_labels(label, seed), CHOSEN_ON).score) for seed in range(DRAWS)]
        scores = np.abs(correlate(states[CHOSEN_ON:], label[CHOSEN_ON:]))
        follows |= scores > max(at_random)
        figures |= {
            f"{name}, unit": abs(found.score),
            f"{name}, number": found.column,
            f"{name}, random": max(at_random),
            f"{name}, shifted": max(shifted),
            f"{name}, followers": int(np.sum(scores > max(at_random))),
            f"{name}, probe": float(by_state[i]),
            f"{name}, character": float(by_character[i]),
        }
    return figures | {"followers": int(follows.sum()), "units": count}


def cost_by_kind(network, held, ids, kinds):
    """Return how much more the characters of every kind cost a network in which a unit is held."""
    more = nats_per_position(held, ids) - nats_per_position(network, ids)
    return [float(more[kinds == number].mean()) for number in range(len(KINDS))]


def costs_of_all_units(network, states, ids, kinds, kind):
    """Return what it costs to hold every unit at its mean, at one kind of character, ``(units,)``."""
    scratch = keras.models.clone_model(network)
    scratch.set_weights(network.get_weights())
    wanted = kinds[: (len(ids) - 1) // 250 * 250] == KINDS.index(kind)

    def nats_there():
        return nats_in_windows(scratch, ids, 250).ravel()[wanted].mean()

    free = nats_there()
    costs = []
    for unit, value in enumerate(states.mean(axis=0)):
        scratch.set_weights(hold_unit(network, unit, float(value)).get_weights())
        costs.append(nats_there() - free)
    return np.array(costs)


def write(network, vocabulary, prime):
    """Return what a network writes after a prime, ``TEXTS`` times."""
    settings = {"temperature": TEMPERATURE, "seed": 0, "num_samples": TEXTS}
    return [text[len(prime) :] for text in generate(network, vocabulary, prime, LENGTH, **settings)]


def line_lengths(texts):
    """Return the lengths of all whole lines of verse: neither empty nor the name of a speaker."""
    lengths = []
    for text in texts:
        for line in text.split("\n")[:-1]:
            if line and not line.endswith(":"):
                lengths.append(len(line))
    return lengths


def first_mark(text):
    """Say whether the first quotation mark of a text opens or closes, by what stands around it; None if unclear."""
    place = text.find('"')
    if place < 0 or place + 1 == len(text):
        return None
    space_before = place > 0 and text[place - 1] in " \n"
    space_after = text[place + 1] in " \n"
    if space_before == space_after:
        return None
    return "opens" if space_before else "closes"


def mean_where(values, wanted):
    """Return the mean of a unit over some characters."""
    return float(values[wanted].mean())


def cause_lines(network, states, unit, ids, text, vocabulary):
    """Hold the unit of the line."""
    place = label_text(text)["place in the line"]
    kinds = character_kinds(text)[1 : COSTED + 1]
    short = ids[: COSTED + 1]
    moments = {"early": EARLY, "late": LATE}
    figures = {"lines, free": float(np.mean(line_lengths(write(network, vocabulary, LINE_PRIME))))}
    for name, (low, high) in moments.items():
        value = mean_where(states[:, unit], (place >= low) & (place <= high))
        held = hold_unit(network, unit, value)
        figures[f"lines, {name}"] = float(np.mean(line_lengths(write(held, vocabulary, LINE_PRIME))))
        figures[f"cost, {name}"] = cost_by_kind(network, held, short, kinds)
    others = []
    for other in np.random.default_rng(0).choice(np.delete(np.arange(states.shape[1]), unit), OTHERS, replace=False):
        for low, high in moments.values():
            value = mean_where(states[:, other], (place >= low) & (place <= high))
            held = hold_unit(network, int(other), value)
            others.append(float(np.mean(line_lengths(write(held, vocabulary, LINE_PRIME)))))
    costs = costs_of_all_units(network, states, short, kinds, "newline")
    return figures | {
        "lines, others": others,
        "cost at newlines": float(costs[unit]),
        "rank at newlines": int(np.sum(costs >= costs[unit])),
        "cost at newlines, median": float(np.median(costs)),
    }


def count_closing(network, vocabulary):
    """Return, per prime, the share of the texts whose first clear quotation mark closes."""
    shares = {}
    for name, prime in QUOTE_PRIMES.items():
        marks = [first_mark(text) for text in write(network, vocabulary, prime)]
        shares[name] = marks.count("closes") / max(1, marks.count("closes") + marks.count("opens"))
    return shares


def cause_quotes(network, states, unit, text, vocabulary):
    """Hold the unit of the quotation."""
    inside = label_text(text)["inside quotes"] > 0
    held = {
        "free": network,
        "held inside": hold_unit(network, unit, mean_where(states[:, unit], inside)),
        "held outside": hold_unit(network, unit, mean_where(states[:, unit], ~inside)),
    }
    figures = {}
    for name, model in held.items():
        for prime, share in count_closing(model, vocabulary).items():
            figures[f"closing {prime}, {name}"] = share
    return figures


def measure(corpus, seed):
    """Search the units of a network, then hold the one in question."""
    parts = parts_of(corpus)
    network = load_network(corpus, seed)
    text = parts.test_text[:READ]
    ids = parts.test[:READ]
    ((states,),) = read_states(network, ids, ROWS)
    figures = {"corpus": corpus} | search(states, ids, text, len(parts.vocabulary))
    if corpus == "shakespeare":
        unit = figures["place in the line, number"]
        return figures | cause_lines(network, states, unit, ids, text, parts.vocabulary)
    unit = figures["inside quotes, number"]
    return figures | cause_quotes(network, states, unit, text, parts.vocabulary)


def by_kind(nats, text):
    """Return the mean loss of every kind of character, and its share of the characters after the first."""
    kinds = character_kinds(text)[1:]
    means = [float(nats[kinds == number].mean()) for number in range(len(KINDS))]
    shares = [float(np.mean(kinds == number)) for number in range(len(KINDS))]
    return {"nats": float(nats.mean()), "by_kind": means, "shares": shares}


def run_nats(name):
    """Return a recorded run's loss of every character of the last tenth of tiny Shakespeare, after the first."""
    run = load_run(name)
    return nats_per_position(run.model, run.vocabulary.encode(parts_of("shakespeare").test_text))


def count_nats():
    """Return the order of the counts that is best on the validation text, and its loss of the same characters."""
    parts = parts_of("shakespeare")
    vocab_size = len(parts.vocabulary)
    tried = {
        order: NgramModel(order).fit(parts.learned, vocab_size).nats_per_char(parts.validation) for order in ORDERS
    }
    order = min(tried, key=tried.get)
    return order, -np.log(NgramModel(order).fit(parts.train, vocab_size).target_probabilities(parts.test))


def score_run(name):
    """Score a recorded run on the last tenth of tiny Shakespeare."""
    return by_kind(run_nats(name), parts_of("shakespeare").test_text)


def score_counts():
    """Score the counts of the order that is best on the validation text."""
    order, nats = count_nats()
    return {"order": order} | by_kind(nats, parts_of("shakespeare").test_text)


def ratio_error(values, wanted, block):
    """Return the standard error of the mean of the wanted values, from the spread of blocks.

    Blocks hold different numbers of wanted values. So each counts with its sum minus what the mean over all blocks
    would give for as many; a last, shorter block is left out.
    """
    count = len(values) // block
    used = count * block
    sums = np.reshape(np.where(wanted, values, 0)[:used], (count, block)).sum(axis=1)
    numbers = np.reshape(wanted[:used], (count, block)).sum(axis=1)
    left = sums - sums.sum() / numbers.sum() * numbers
    return float(np.sqrt(count) * left.std(ddof=1) / numbers.sum())


def compare_by_kind(name):
    """Return by how much a recorded run's loss differs from that of the counts, by kind, and the standard errors."""
    _, counted = count_nats()
    difference = run_nats(name) - counted
    kinds = character_kinds(parts_of("shakespeare").test_text)[1:]
    means = []
    errors = []
    for number in range(len(KINDS)):
        wanted = kinds == number
        means.append(float(difference[wanted].mean()))
        errors.append(ratio_error(difference, wanted, BLOCK))
    everywhere = np.full(len(kinds), True)
    return {
        "difference": float(difference.mean()),
        "error": ratio_error(difference, everywhere, BLOCK),
        "difference_by_kind": means,
        "error_by_kind": errors,
    }


def conclude(results):
    """Return the answer and the effect."""
    shakespeare = [row for row in results if row["arm"] == "units of shakespeare"]
    anna = [row for row in results if row["arm"] == "units of anna"]
    count = len(shakespeare)
    above = sum(row["place in the line, unit"] > row["place in the line, random"] for row in shakespeare)
    above += sum(row["inside quotes, unit"] > row["inside quotes, random"] for row in anna)
    lines = [mean_and_error(results, "units of shakespeare", f"lines, {name}")[0] for name in ("free", "early", "late")]
    closing = [
        mean_and_error(results, "units of anna", f"closing outside, {name}")[0] for name in ("free", "held inside")
    ]
    followers = [row["followers"] for row in shakespeare + anna]
    counting = sum(row["place in the line, unit"] > 0.5 for row in anna)
    answer = (
        f"In {above} of {count + len(anna)} networks the best unit follows the place in the line (Shakespeare) or the "
        f"open quotation (Anna Karenina) more closely than the best random direction. Held early or late in the line, "
        f"it makes lines of {lines[1]:.0f} or {lines[2]:.0f} characters instead of {lines[0]:.0f}; held inside a "
        f"quotation, it makes the first quotation mark close one in {closing[1]:.0%} instead of {closing[0]:.0%} of "
        f"the texts. The place in the line of Anna Karenina has a unit in {counting} of {len(anna)} networks. Between "
        f"{min(followers)} and {max(followers)} of 256 units follow any of the labels more closely than random "
        f"directions do."
    )
    scores = [f"{row['place in the line, unit']:.2f}" for row in shakespeare]
    quotes = [f"{row['inside quotes, unit']:.2f}" for row in anna]
    at_random = [row["place in the line, random"] for row in shakespeare]
    at_random += [row["inside quotes, random"] for row in anna]
    effect = (
        f"correlation of the best unit, by seed: line {', '.join(scores)}; quotation {', '.join(quotes)}; "
        f"the best random direction has at most {max(at_random):.2f}"
    )
    return answer, effect


def main():
    """Train and measure every network, then score what is recorded."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for seed in seeds:
        for corpus in CHARACTERS:
            experiment.measure(f"training on {corpus}", seed, partial(fit_network, corpus, seed))
            experiment.measure(f"units of {corpus}", seed, partial(measure, corpus, seed))
    for name in RUNS:
        experiment.measure(f"kinds: {name}", None, partial(score_run, name))
    experiment.measure("kinds: counts", None, score_counts)
    for name in RUNS:
        experiment.measure(f"difference: {name}", None, partial(compare_by_kind, name))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
