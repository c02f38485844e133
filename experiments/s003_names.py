"""What do S003's padding and leaking state cost, and do the names that its network writes show it?

    python experiments/s003_names.py [--seeds 0 1 ...]

S003 learns names that are padded with newlines, counts the padding in the loss, shuffles the names and yet lets every
row of a batch begin with the state in which the row before it ended: the state leaks from name to name. No newline
stands before a name, so that no first letter is ever asked for. Then it draws names from a zero state, at temperature
0.2, after a prime such as *Ram*.

A GRU of 256 units learns 81 % of the names as S003 did, with the padding masked, with a zero state before every name,
with both, and with both and a newline before every name. Rate and epoch are those with the lowest loss on 9 % of the
names; then the last 10 % are scored, from a zero state and, where the state leaked in training, from one that two
other names left. First letters are left out, since only the last arm knows them. Besides, S003's own network, a GRU of
1,024 units on the whole list, is trained for its 20 epochs at its rate; it is scored on real names that the list lacks.

Beside the networks stand counts of the names that they learn, of the order that guesses the 9 % best; they, too, leave
out first letters.

Every network writes names after *Ram* and after single letters, drawn as the list has them, at the temperatures 0.2,
0.5 and 1. The edit distance to the nearest name of the list says how new they are. Counts of real names that no
network has seen judge how much they are like names, whole and without the suffix *saurus*.
"""

import math
from functools import partial

import keras
import numpy as np
from common import Experiment, choose_and_measure, in_words, mean_and_error, paired_difference, seeds_from_command_line
from common_names import (
    BATCH,
    JUDGE_ORDER,
    Way,
    build_names_network,
    describe_written,
    fit_judge,
    fit_names,
    joined,
    leaked_states,
    load_names,
    ratio_and_error,
    score_names,
    write_from,
)

from charlm_utils.models import recurrent_layers, zero_states

WAYS = {
    "S003's way": Way(padded=True, carry=True, start=False),
    "padding masked": Way(padded=False, carry=True, start=False),
    "zero state": Way(padded=True, carry=False, start=False),
    "both": Way(padded=False, carry=False, start=False),
    "both and a start symbol": Way(padded=False, carry=False, start=True),
}
MODEL = {"units": 256, "embedding_dim": 64}
FIRST_RATE = 0.004
EPOCHS = 20
OWN = "S003 itself"
OWN_MODEL = {"units": 1024, "embedding_dim": 256}
OWN_RATE = 0.001
OWN_SEEDS = 3  # the first ones: each takes minutes
PRINTED = 0.6993  # nats in S003's last epoch
COUNTS, OWN_COUNTS = "counts", "counts of the whole list"
COUNTED_ORDERS = [2, 3, 4, 5, 6, 7, 8]
TEMPERATURES = [0.2, 0.5, 1.0]
PRIMES = ["Ram", "letters"]
DRAWN = 200  # names for every prime, state and temperature
SHOWN = 8  # of them in the results, drawn at the lowest temperature
SETTINGS = {
    "corpus": "dinos",
    "unlisted": "genera",
    "ways": {arm: vars(way) for arm, way in WAYS.items()},
    "model": MODEL,
    "batch_size": BATCH,
    "first_rate": FIRST_RATE,
    "epochs": EPOCHS,
    "own_model": OWN_MODEL,
    "own_rate": OWN_RATE,
    "temperatures": TEMPERATURES,
    "primes": PRIMES,
    "drawn": DRAWN,
    "judge_order": JUDGE_ORDER,
}
CHAPTER = "09_names"


def fit_best(way, rate, seed):
    """Train on the learned names, and return the network as it was after its best epoch, with the epoch's figures."""
    names = load_names()
    network = build_names_network(**MODEL, seed=seed)
    best = {"validation": math.inf, "epoch": 0}
    weights = network.get_weights()

    def keep_best(epoch):
        nats = score_names(network, names.validation, way, leaked=way.carry)["nats"]
        if nats < best["validation"]:
            best.update(validation=nats, epoch=epoch)
            weights[:] = network.get_weights()

    fit_names(network, names.learned, way, rate=rate, epochs=EPOCHS, seed=seed, on_epoch_end=keep_best)
    network.set_weights(weights)
    return network, best


def try_rate(way, rate):
    """Return the lowest loss on the validation names, and its epoch."""
    return fit_best(way, rate, seed=0)[1]


def train_and_score(way, rate, seed):
    """Train one of the small networks; score the test names, and what it writes."""
    network, best = fit_best(way, rate, seed)
    names = load_names()
    figures = score_states(network, names.test, way) | describe_drawn(network, names.learned, way, seed)
    return {"rate": rate, "epoch": best["epoch"]} | figures


def train_own(seed):
    """Train S003's network as S003 did; score the names that its list lacks, and what it writes."""
    way = WAYS["S003's way"]
    names = load_names()
    network = build_names_network(**OWN_MODEL, seed=seed)
    recurrent = recurrent_layers(network)[0].cell.recurrent_kernel
    recurrent.assign(keras.initializers.GlorotUniform()(recurrent.shape))
    train = fit_names(network, names.lines, way, rate=OWN_RATE, epochs=EPOCHS, seed=seed)
    figures = score_states(network, names.unlisted, way) | describe_drawn(network, names.lines, way, seed)
    return {"rate": OWN_RATE, "epoch": EPOCHS, "train": train, "train_last": train[-1]} | figures


def score_states(network, held_out, way):
    """Score names in the state that the network is used to; if that is a leaked one, from zeros as well."""
    used_to = score_names(network, held_out, way, leaked=way.carry)
    figures = {key: used_to[key] for key in ("nats", "error", "first", "padded")}
    zero = score_names(network, held_out, way, leaked=False)
    figures["nats_zero"] = zero["nats"]
    if way.carry:
        excess = zero["per_name"] - used_to["per_name"] * [1, 0]  # nats more than from a leaked state, and characters
        figures["zero_costs"], figures["zero_costs_error"] = ratio_and_error(excess)
    return figures


def describe_drawn(network, known, way, seed):
    """Describe what a network writes after each prime, from a zero state, and from a leaked one if it is used to it.

    The figures are lists over the temperatures.
    """
    figures = {}
    for prime in PRIMES:
        for state in ("zero", "leaked") if way.carry else ("zero",):
            written = [draw_names(network, known, way, prime, state, warmth, seed) for warmth in TEMPERATURES]
            described = [describe_written(some, known) for some in written]
            for key in described[0]:
                figures[f"{prime}, {state}: {key}"] = [row[key] for row in described]
            figures[f"{prime}, {state}: names"] = " ".join(written[0][:SHOWN])
    return figures


def draw_names(network, known, way, prime, state, temperature, seed):
    """Return drawn names; single letters are first letters of known names, and leaked states those before them."""
    places = np.random.default_rng(seed).integers(len(known), size=DRAWN)
    chosen = [known[place] for place in places]
    before = leaked_states(network, chosen, way) if state == "leaked" else zero_states(network, DRAWN)
    start = "\n" if way.start else ""
    primes = [start + (name[0] if prime == "letters" else prime) for name in chosen]
    return write_from(network, primes, before, temperature=temperature, seed=seed)


def score_counts():
    """Count the learned names with every order, and score the test names with the one that is best on the others."""
    names = load_names()
    counted = [fit_judge(names.learned, order) for order in COUNTED_ORDERS]
    validation = [score_counted(model, names.validation)["nats"] for model in counted]
    best = int(np.argmin(validation))
    return {"order": COUNTED_ORDERS[best], "validation": validation[best]} | score_counted(counted[best], names.test)


def score_own_counts(order):
    """Count the whole list, as S003's own network learns it, and score the names that it lacks."""
    names = load_names()
    return {"order": order} | score_counted(fit_judge(names.lines, order), names.unlisted)


def score_counted(model, names):
    """Score names with counts, all but their first letters, as :func:`common_names.score_names` does."""
    nats = -np.log(model.target_probabilities(joined(names)))
    ends = np.cumsum([len(name) + 1 for name in names])
    rows = np.split(nats, ends[:-1])
    per_name = np.array([[row[1:].sum(), len(row) - 1] for row in rows])
    mean, error = ratio_and_error(per_name)
    return {"nats": mean, "error": error, "first": float(np.mean([row[0] for row in rows]))}


def describe_real():
    """Describe the test names, which are real and none of which the small networks learned."""
    names = load_names()
    return describe_written(names.test, names.learned)


def conclude(results):
    """Return the answer and the effect."""
    arms = []
    effects = []
    for arm in list(WAYS)[1:]:
        difference, error, seeds = paired_difference(results, arm, "S003's way", "nats")
        arms.append(f"{arm} {in_words(difference, error, seeds)}")
        effects.append(f"{arm} {difference:+.3f} ± {error:.3f}")
    train, train_error, own_seeds = mean_and_error(results, OWN, "train_last")
    costs, costs_error, _ = mean_and_error(results, OWN, "zero_costs")
    judged = {prime: zero_minus_leaked(results, prime, "judge_stem") for prime in PRIMES}
    after = {"Ram": 'after "Ram"', "letters": "after single letters"}
    sayings = [f"{in_words(*judged[prime], own_seeds)} {after[prime]}" for prime in PRIMES]
    error_of_names = mean_and_error(results, "S003's way", "error")[0]
    way_nats = mean_and_error(results, "S003's way", "nats")[0]
    counted = next(row for row in results if row["arm"] == COUNTS)
    best_epochs = [row["epoch"] for row in results if row["arm"] == "S003's way"]
    least, most = min(best_epochs), max(best_epochs)
    answer = (
        f"On held-out names, within {EPOCHS} epochs and against S003's way, which is best after {least} to {most} of "
        f"them: {'; '.join(arms)}; S003's way has "
        f"{way_nats:.3f} nats, and counts of the same names, of order "
        f"{counted['order']}, {counted['nats']:.3f}; S003's own network ends with a training loss of "
        f"{train:.3f} (S003 prints {PRINTED}); the zero state, from which S003 draws, costs it {costs:+.3f} ± "
        f"{costs_error:.3f} nats on names it has not seen; the loss of counts of real names on what it writes at "
        f"{TEMPERATURES[0]}, saurus taken off, from the zero state against a leaked one: {', '.join(sayings)}."
    )
    drawn = [f"{after[prime]} {judged[prime][0]:+.3f} ± {judged[prime][1]:.3f}" for prime in PRIMES]
    effect = (
        f"minus S003's way: {'; '.join(effects)} nats (standard error over {seeds} paired seeds; over the test names "
        f"±{error_of_names:.3f} on each); judged names, zero minus leaked state: {'; '.join(drawn)} nats "
        f"(standard error over {own_seeds} seeds)"
    )
    return answer, effect


def zero_minus_leaked(results, prime, figure):
    """Return the mean over the seeds of S003's own network, at the lowest temperature, and its standard error."""
    rows = [row for row in results if row["arm"] == OWN]
    differences = [row[f"{prime}, zero: {figure}"][0] - row[f"{prime}, leaked: {figure}"][0] for row in rows]
    return float(np.mean(differences)), float(np.std(differences, ddof=1) / np.sqrt(len(differences)))


def main():
    """Describe the real names, train S003's own network, then choose a rate for every way and train every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    experiment.measure("real names", None, describe_real)
    order = experiment.measure(COUNTS, None, score_counts)["order"]
    experiment.measure(OWN_COUNTS, None, partial(score_own_counts, order))
    for arm, way in WAYS.items():
        attempt = partial(try_rate, way)
        call = partial(train_and_score, way)
        choose_and_measure(experiment, arm, FIRST_RATE, attempt, call, seeds)
    for seed in seeds[:OWN_SEEDS]:
        experiment.measure(OWN, seed, partial(train_own, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
