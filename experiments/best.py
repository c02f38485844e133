"""How far does the best recipe get alone, averaged over seeds, with counts, and learning while it is scored?

    python experiments/best.py [--seeds 0 1 ...]

The recipe is that of the run ``shakespeare-best``, chosen by ``recipe.py`` on the validation text. It is trained with
several seeds on the first nine tenths of tiny Shakespeare and scored on the last; and, since earlier versions of this
book had looked at that tenth, once more on the last nine tenths and scored on the first. Three protocols stand side by
side: the state carried through the text; all of the text in windows of 256 from an empty context; and nanoGPT's, 200
batches of 64 such windows at random places. The weights of the mixtures with counts and the rate of dynamic evaluation
are chosen on the validation text with stand-ins that have not seen it: the networks of ``recipe.py`` and counts of what
precedes it.
"""

from functools import cache, partial

import numpy as np
from common import WINDOW, Experiment, load_parts, mean_and_error, seeds_from_command_line
from recipe import plan_of, settings_of
from trainings import array_of, network_of, outcome_of, provenance, scoring

from charlm_utils.evaluation import nats_while_learning
from charlm_utils.metrics import block_error, mix_nats
from charlm_utils.ngrams import NgramModel

ARM = "weight decay 0.1"  # of recipe.py, with the lowest validation loss there
HELD_OUT = ["last", "first"]
ORDER = 7  # of the counts, chosen in counts.py
STEPS = 20  # the weights that are tried are 0, 1/20, ... 1
RATES = [0.03, 0.1, 0.3, 1.0]  # of dynamic evaluation
LEARNED_FROM = 20_000  # characters of the validation text on which these rates are tried
DRAWS = 200  # batches of random windows
ROWS = 64  # windows of such a batch
BLOCK = 4000  # characters, from how_sure.py
SETTINGS = {
    "arm": ARM,
    "recipe": [str(settings) for settings in settings_of(ARM)],
    "order": ORDER,
    "steps": STEPS,
    "rates": RATES,
    "learned_from": LEARNED_FROM,
    "window": WINDOW,
    "draws": DRAWS,
    "rows": ROWS,
    "block": BLOCK,
}
CHAPTER = "15_results"
SEEDS = (0, 1, 2, 3, 4)


def plan_final(held_out, seed, arm=ARM):
    """Return the plan of a training on all but a tenth, which is scored under the three protocols."""
    score = {
        "carried": scoring("test"),
        "windows": scoring("test", way="windows", time=WINDOW),
        "random": scoring("test", way="random", time=WINDOW, rows=ROWS, draws=DRAWS),
    }
    kept = (*score, "weights")
    return plan_of(arm, seed, learn=("train", None, None), held_out=held_out, score=score, kept=kept)


def plans(arm=ARM):
    """Return all trainings of this experiment beside those of ``recipe.py``, by group."""
    return {f"best-{held_out}": [plan_final(held_out, seed, arm) for seed in SEEDS] for held_out in HELD_OUT}


def carried(held_out, seed):
    """Return -ln p of every character of the test text, the state carried."""
    return array_of(plan_final(held_out, seed), "carried")


def in_windows(held_out, seed):
    """Return the same in windows, each from a zero state: ``(windows, WINDOW)``."""
    return array_of(plan_final(held_out, seed), "windows")


def average(nats):
    """Return -ln of the mean of several models' probabilities, from their own -ln p."""
    return -np.log(np.mean([np.exp(-np.asarray(each, float)) for each in nats], axis=0))


def alone(held_out, seed):
    """Train and score one network under the three protocols."""
    planned = plan_final(held_out, seed)
    outcome = outcome_of(planned)
    at_random = array_of(planned, "random")
    return {
        "parameters": outcome["parameters"],
        "train": outcome["train"],
        "nats": outcome["scores"]["carried"],
        "error": block_error(carried(held_out, seed), BLOCK),
        "nats_windows": outcome["scores"]["windows"],
        "error_windows": block_error(in_windows(held_out, seed).ravel(), BLOCK),
        "nats_random": outcome["scores"]["random"],
        "error_random": float(at_random.std(ddof=1) / np.sqrt(DRAWS)),
    } | provenance(outcome)


def together(held_out, seeds):
    """Score the mean of the seeds' probabilities."""
    nats = average([carried(held_out, seed) for seed in seeds])
    windows = average([in_windows(held_out, seed) for seed in seeds])
    return {
        "members": len(seeds),
        "nats": float(nats.mean()),
        "error": block_error(nats, BLOCK),
        "nats_windows": float(windows.mean()),
        "error_windows": block_error(windows.ravel(), BLOCK),
    }


@cache
def counts(held_out):
    """Return the counts of the training part; with None those of what precedes the validation text."""
    if held_out is None:
        return NgramModel(ORDER).fit(load_parts().learned, len(load_parts().vocabulary))
    parts = load_parts(held_out=held_out)
    return NgramModel(ORDER).fit(parts.train, len(parts.vocabulary))


def known_lengths(held_out, ids):
    """Return for every character after the first how long a context before it, up to ``ORDER - 1``, was seen before.

    Parameters
    ----------
    held_out : {"last", "first", None}
        Whose training part was counted, as in :func:`counts`.
    ids : numpy.ndarray
        The text that is scored.

    Returns
    -------
    numpy.ndarray
        Integers ``(len(ids) - 1,)``, 0 to ``ORDER - 1``.
    """
    lengths = np.zeros(len(ids) - 1, int)
    for length in range(1, ORDER):
        is_known = np.isin(contexts(ids, length)[:-1], seen_contexts(held_out, length))  # none comes after the last one
        lengths[length - 1 :][is_known] = length
    return lengths


@cache
def seen_contexts(held_out, length):
    """Return the different contexts of a length in what was counted."""
    learned = load_parts().learned if held_out is None else load_parts(held_out=held_out).train
    return np.unique(contexts(learned, length))


def contexts(ids, length):
    """Return every stretch of ``length`` ids as one number, in the order in which they end."""
    base = len(load_parts().vocabulary)
    windows = np.lib.stride_tricks.sliding_window_view(ids.astype(np.int64), length)
    return windows @ base ** np.arange(length)


def losses_by_weight(networks, counted):
    """Return the mean loss of the mixture for every weight of the networks that is tried."""
    return [float(mix_nats(networks, counted, weight).mean()) for weight in np.linspace(0, 1, STEPS + 1)]


def best_weight(networks, counted):
    """Return the weight of the networks with which the mixture has the lowest mean loss."""
    return float(np.linspace(0, 1, STEPS + 1)[np.argmin(losses_by_weight(networks, counted))])


def tried_weights(seeds):
    """Return the losses of the stand-ins' mixture on the validation text, by the weight of the networks."""
    networks, counted = stand_ins(seeds)
    return {"members": len(seeds), "validation": losses_by_weight(networks, counted)}


@cache
def stand_ins(seeds):
    """Return -ln p of the validation text under networks that have not seen it, averaged, and under counts."""
    validation = load_parts().validation
    networks = average([array_of(plan_of(ARM, seed), "validation") for seed in seeds])
    return networks, -np.log(counts(None).target_probabilities(validation))


@cache
def choose_weights(seeds):
    """Return the weight of networks against counts, and one for every length of known context."""
    parts = load_parts()
    networks, counted = stand_ins(seeds)
    lengths = known_lengths(None, parts.validation)
    by_length = []
    for length in range(ORDER):
        chosen = lengths == length
        enough = chosen.sum() >= 100
        by_length.append(best_weight(networks[chosen], counted[chosen]) if enough else 1.0)
    return best_weight(networks, counted), by_length


def counted_in_windows(held_out):
    """Return -ln p of the counts in windows, each from an empty context, and the known lengths there."""
    parts = load_parts(held_out=held_out)
    starts = range(0, len(parts.test) - WINDOW, WINDOW)
    cut = [parts.test[start : start + WINDOW + 1] for start in starts]
    nats = -np.log([counts(held_out).target_probabilities(ids) for ids in cut])
    return nats, np.array([known_lengths(held_out, ids) for ids in cut])


def with_counts(held_out, seeds, by_length):
    """Score the mean of some seeds mixed with counts, by one weight or by one per length of known context."""
    parts = load_parts(held_out=held_out)
    weight, weights = choose_weights(seeds)
    counted = -np.log(counts(held_out).target_probabilities(parts.test))
    counted_windows, lengths_windows = counted_in_windows(held_out)
    shares = weight
    shares_windows = weight
    if by_length:
        shares = np.array(weights)[known_lengths(held_out, parts.test)]
        shares_windows = np.array(weights)[lengths_windows]
    nats = mix(average([carried(held_out, seed) for seed in seeds]), counted, shares)
    windows = mix(average([in_windows(held_out, seed) for seed in seeds]), counted_windows, shares_windows)
    return {
        "members": len(seeds),
        "weights": weights if by_length else [weight],
        "nats": float(nats.mean()),
        "error": block_error(nats, BLOCK),
        "nats_windows": float(windows.mean()),
        "error_windows": block_error(windows.ravel(), BLOCK),
    }


def mix(first, second, share):
    """Return -ln of a mean of two models' probabilities; ``share`` is the first one's weight, for each character."""
    return -np.log(share * np.exp(-first.astype(float)) + (1 - share) * np.exp(-second))


def dynamic(held_out, seed):
    """Score a network that learns from what it has been scored on."""
    part = load_parts().validation[:LEARNED_FROM]
    network = network_of(plan_of(ARM, seed))
    losses = [float(nats_while_learning(network, part, learning_rate=rate).mean()) for rate in RATES]
    rate = RATES[int(np.argmin(losses))]
    test = load_parts(held_out=held_out).test
    nats = nats_while_learning(network_of(plan_final(held_out, seed)), test, learning_rate=rate)
    return {"rate": rate, "validation": losses, "nats": float(nats.mean()), "error": block_error(nats, BLOCK)}


def conclude(results):
    """Return the answer and the effect."""
    rows = {row["arm"]: row for row in results}
    nats, error, seeds = mean_and_error(results, "alone, last", "nats")
    windows, error_windows, _ = mean_and_error(results, "alone, last", "nats_windows")
    first, _, _ = mean_and_error(results, "alone, first", "nats")
    mixed = rows["ensemble and counts by length, last"]
    answer = (
        f"Alone it has {nats:.3f} nats with its state carried and {windows:.3f} in windows of {WINDOW} (means of "
        f"{seeds} seeds); {mixed['members']} seeds averaged and mixed with counts {mixed['nats']:.3f} and "
        f"{mixed['nats_windows']:.3f}; with the first tenth held out instead of the last, alone {first:.3f}; learning "
        f"on the way, which compares with no other, {rows['dynamic evaluation, last']['nats']:.3f}."
    )
    effect = (
        f"seeds ±{error:.4f} carried and ±{error_windows:.4f} in windows (standard error of the mean); the text "
        f"±{rows['ensemble, last']['error']:.3f} (blocks of {BLOCK:,} characters)"
    )
    return answer, effect


def main():
    """Train and score every seed with either tenth held out, then what is made of them together."""
    seeds = tuple(seeds_from_command_line(__doc__, SEEDS))
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for members in (seeds[:1], seeds):
        experiment.measure(f"weights for {len(members)}, on stand-ins", None, partial(tried_weights, members))
    for held_out in HELD_OUT:
        for seed in seeds:
            experiment.measure(f"alone, {held_out}", seed, partial(alone, held_out, seed))
        experiment.measure(f"alone and counts, {held_out}", 0, partial(with_counts, held_out, seeds[:1], False))
        experiment.measure(f"ensemble, {held_out}", None, partial(together, held_out, seeds))
        for name, by_length in (("counts", False), ("counts by length", True)):
            arm = f"ensemble and {name}, {held_out}"
            experiment.measure(arm, None, partial(with_counts, held_out, seeds, by_length))
        experiment.measure(f"dynamic evaluation, {held_out}", 0, partial(dynamic, held_out, 0))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
