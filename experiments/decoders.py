"""Which way of choosing characters gives text that costs, repeats and copies as much as what the author wrote?

    python experiments/decoders.py

The run ``shakespeare-gru`` reads 200 characters of the held-out tenth of tiny Shakespeare, up to the end of a line, and
goes on for 600, at eight places for every seed. What changes is the decoder alone: greedy choice, with and without
the rule that no piece of 8 or of 20 characters may be written twice, beam search, drawing at several temperatures, and
drawing from the likeliest characters only, by top-k, top-p and min-p. Equal seeds have equal places and equal noise.
Counts of order 7, smoothed as by Kneser and Ney, draw too, and the yardstick is what the author wrote at these places.

Every text is measured in six ways: its loss under the network, and under the counts; the share of its pieces of eight
characters that it had before; the share of such pieces that the training text lacks; the longest piece that stands in
the training text; and the share of its words that do.
"""

import re
from functools import cache, partial

import numpy as np
import tensorflow as tf
from common import Experiment, load_parts, load_run, mean_and_error, paired_difference, seeds_from_command_line

from charlm_utils.metrics import distinct_fraction
from charlm_utils.models import forward, prepare_steps, state_specs, step, zero_states
from charlm_utils.ngrams import NgramModel
from charlm_utils.sampling import apply_temperature, keep_min_p, keep_top_k, keep_top_p

RUN = "shakespeare-gru"
DECODERS = {
    "greedy": {"temperature": 0.0},
    "greedy, nothing of 8 twice": {"temperature": 0.0, "once": 8},
    "greedy, nothing of 20 twice": {"temperature": 0.0, "once": 20},
    "beam of 8": {"width": 8},
    "temperature 0.3": {"temperature": 0.3},
    "temperature 0.5": {"temperature": 0.5},
    "temperature 0.7": {"temperature": 0.7},
    "temperature 0.8": {"temperature": 0.8},
    "temperature 1": {"temperature": 1.0},
    "temperature 1.2": {"temperature": 1.2},
    "top-k 5": {"top_k": 5},
    "top-k 10": {"top_k": 10},
    "top-p 0.7": {"top_p": 0.7},
    "top-p 0.9": {"top_p": 0.9},
    "min-p 0.2": {"min_p": 0.2},
    "min-p 0.1": {"min_p": 0.1},
}
AUTHOR = "the author"
COUNTS = "counts of order 7"
SEEDS = [0, 1, 2, 3, 4]
PLACES = 8
PRIME = 200
LENGTH = 600
PIECE = 8
SHOWN = 200  # characters of the first text that are kept
SETTINGS = {
    "corpus": "shakespeare",
    "run": RUN,
    "decoders": DECODERS,
    "places": PLACES,
    "prime": PRIME,
    "length": LENGTH,
    "piece": PIECE,
}
CHAPTER = "12_sampling"
NAMED = ["greedy", "beam of 8", "temperature 0.5", "temperature 1", "top-k 5", "top-p 0.9", "min-p 0.1"]


def pieces_of(text, size=PIECE):
    """Return all pieces of a text that have so many characters."""
    return [text[start : start + size] for start in range(len(text) - size + 1)]


@cache
def known_pieces():
    """Return the pieces of the training text, a set."""
    return set(pieces_of(load_parts().train_text))


@cache
def known_words():
    """Return the words of the training text, a set."""
    return set(words_of(load_parts().train_text))


@cache
def counts():
    """Return counts of the training text."""
    parts = load_parts()
    return NgramModel(7).fit(parts.train, len(parts.vocabulary))


def words_of(text):
    """Return the words of a text, without what is cut at its end."""
    return re.findall(r"[A-Za-z']+(?=[^A-Za-z'])", text)


def longest_known(text, known):
    """Return the length of the longest piece of a text that stands in a known one, as ``longest_copy`` finds it."""
    longest = 0
    for start in range(len(text)):
        while start + longest < len(text) and text[start : start + longest + 1] in known:
            longest += 1
    return longest


def primes_and_truth(seed):
    """Return ids ``(places, prime)`` that end with a line, and ``(places, length)``, what the author wrote then."""
    parts = load_parts()
    text = parts.test_text
    ends = [place for place in range(PRIME, len(text) - LENGTH) if text[place - 1] == "\n"]
    chosen = np.random.default_rng(seed).choice(ends, PLACES, replace=False)
    primes = np.stack([parts.test[end - PRIME : end] for end in chosen])
    truth = np.stack([parts.test[end : end + LENGTH] for end in chosen])
    return primes, truth


def filtered(logits, settings):
    """Return logits after the temperature and the filters of a decoder."""
    logits = apply_temperature(logits, settings.get("temperature", 1.0))
    for name, keep in (("top_k", keep_top_k), ("top_p", keep_top_p), ("min_p", keep_min_p)):
        if name in settings:
            logits = keep(logits, settings[name])
    return logits.numpy()


def forbidden(written, size):
    """Return the ids that would complete a piece of ``size`` ids which was written before."""
    if len(written) < size:
        return []
    last = written[len(written) - size + 1 :]
    places = range(len(written) - size + 1)
    return [written[start + size - 1] for start in places if written[start : start + size - 1] == last]


@cache
def network():
    """Return the recorded network."""
    return load_run(RUN).model


@cache
def compiled_step():
    """Return the compiled step of the network: ids and states to logits and states."""
    model = network()
    prepared = prepare_steps(model)
    return tf.function(
        lambda ids, states: step(model, ids, states, prepared),
        input_signature=[tf.TensorSpec((None,), tf.int32), state_specs(model)],
    )


@cache
def compiled_forward():
    """Return the compiled network: ids ``(rows, time)`` and states to all logits and the last states."""
    model = network()
    return tf.function(
        lambda ids, states: forward(model, ids, states),
        input_signature=[tf.TensorSpec((None, None), tf.int32), state_specs(model)],
    )


def read(ids):
    """Return logits ``(rows, time, vocab)`` and states after reading ids from zeros."""
    return compiled_forward()(tf.constant(ids, tf.int32), zero_states(network(), len(ids)))


def draw(primes, settings, seeds):
    """Go on from primes, equally many for every seed: ids ``(rows, length)``. A temperature of 0 is greedy."""
    generators = [np.random.default_rng(seed) for seed in seeds]
    shape = (len(primes) // len(seeds), len(load_parts().vocabulary))
    logits, states = read(primes)
    logits = logits[:, -1]
    written = [[] for _ in primes]
    for _ in range(LENGTH):
        if settings.get("temperature") == 0:
            scores = np.array(logits)
        else:
            noise = [generator.gumbel(size=shape) for generator in generators]
            scores = filtered(logits, settings) + np.concatenate(noise)
        if "once" in settings:
            for row, before in zip(scores, written, strict=True):
                row[forbidden(before, settings["once"])] = -np.inf
        ids = np.argmax(scores, axis=1).astype(np.int32)
        for row, number in zip(written, ids, strict=True):
            row.append(int(number))
        logits, states = compiled_step()(tf.constant(ids), states)
    return np.array(written)


def search(primes, width):
    """Go on from primes with the likeliest texts that a beam of this width finds: ids ``(rows, length)``."""
    logits, states = read(np.repeat(primes, width, axis=0))
    logits = logits[:, -1]
    totals = np.full((len(primes), width), -np.inf)
    totals[:, 0] = 0  # in the beginning all of a beam are the same
    texts = np.zeros((len(primes), width, 0), np.int64)
    vocab_size = logits.shape[-1]
    for _ in range(LENGTH):
        steps = tf.nn.log_softmax(logits).numpy().reshape(len(primes), width, vocab_size)
        sums = (totals[..., None] + steps).reshape(len(primes), width * vocab_size)
        best = np.argsort(-sums, axis=1)[:, :width]
        totals = np.take_along_axis(sums, best, axis=1)
        parents = best // vocab_size
        ids = best % vocab_size
        texts = np.concatenate([np.take_along_axis(texts, parents[..., None], axis=1), ids[..., None]], axis=2)
        rows = (parents + width * np.arange(len(primes))[:, None]).ravel()
        states = tf.nest.map_structure(lambda state, rows=rows: tf.gather(state, rows), states)
        logits, states = compiled_step()(tf.constant(ids.ravel(), tf.int32), states)
    return texts[:, 0]


def measure(primes, written):
    """Return the means of all figures over texts that go on from primes."""
    parts = load_parts()
    whole = np.concatenate([primes, written], axis=1)
    logits, _ = read(whole[:, :-1])
    nats = tf.nn.sparse_softmax_cross_entropy_with_logits(whole[:, 1:], logits).numpy()[:, PRIME - 1 :]
    rows = []
    for row, ids in zip(whole, written, strict=True):
        text = parts.vocabulary.decode(ids)
        pieces = pieces_of(text)
        words = words_of(text)
        rows.append(
            [
                -np.log(counts().target_probabilities(row))[PRIME - 1 :].mean(),
                1 - distinct_fraction(pieces),
                np.mean([piece not in known_pieces() for piece in pieces]),
                longest_known(text, parts.train_text),
                np.mean([word in known_words() for word in words]),
            ]
        )
    names = ["counted", "repeated", "new", "copied", "words"]
    means = dict(zip(names, np.mean(rows, axis=0).tolist(), strict=True))
    return {"nats": float(nats.mean())} | means | {"sample": parts.vocabulary.decode(written[0])[:SHOWN]}


@cache
def written_by(arm, seeds):
    """Return what a decoder or the counts wrote at the places of all seeds together: ids ``(rows, length)``."""
    primes = np.concatenate([primes_and_truth(seed)[0] for seed in seeds])
    if arm == COUNTS:
        drawn = [counts().sample(LENGTH, prime, seed=number) for number, prime in enumerate(primes)]
        return np.stack(drawn)[:, -LENGTH:]
    if "width" in DECODERS[arm]:
        return search(primes, DECODERS[arm]["width"])
    return draw(primes, DECODERS[arm], seeds)


def decode(arm, seed, seeds):
    """Measure what a decoder, the counts or the author wrote at the places of one of the seeds."""
    primes, truth = primes_and_truth(seed)
    if arm == AUTHOR:
        return measure(primes, truth)
    start = PLACES * seeds.index(seed)
    return measure(primes, written_by(arm, seeds)[start : start + PLACES])


def conclude(results):
    """Return the answer and the effect."""
    nats, _, _ = mean_and_error(results, AUTHOR, "nats")
    repeated, _, _ = mean_and_error(results, AUTHOR, "repeated")
    costs = {arm: mean_and_error(results, arm, "nats")[0] for arm in DECODERS}
    nearest = min(costs, key=lambda arm: abs(costs[arm] - nats))
    said = []
    effects = []
    for arm in NAMED:
        again, _, _ = mean_and_error(results, arm, "repeated")
        said.append(f"{arm} {costs[arm]:.2f} and {100 * again:.0f} %")
        cost, cost_error, seeds = paired_difference(results, arm, AUTHOR, "nats")
        more, more_error, _ = paired_difference(results, arm, AUTHOR, "repeated")
        effects.append(
            f"{arm} {cost:+.3f} ± {cost_error:.3f} nats, repeated {100 * more:+.1f} ± {100 * more_error:.1f} points"
        )
    answer = (
        f"The author's text costs {nats:.2f} nats and repeats {100 * repeated:.0f} % of its pieces of {PIECE}; "
        f"{'; '.join(said)}. Nearest in cost is {nearest}, with {costs[nearest]:.2f}."
    )
    return answer, f"minus the author: {'; '.join(effects)} (standard error over {seeds} paired seeds)"


def main():
    """Measure the author, the counts and every decoder with every seed."""
    seeds = tuple(seeds_from_command_line(__doc__, SEEDS))
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for arm in [AUTHOR, COUNTS, *DECODERS]:
        for seed in seeds:
            experiment.measure(arm, seed, partial(decode, arm, seed, seeds))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
