"""How large is the error of a loss on the last tenth of tiny Shakespeare, and how large that of a difference?

    python experiments/how_sure.py

Neighboring losses are not independent, so a standard error is taken from the means of blocks of the text. If the blocks
are too short, neighboring blocks are alike and the error comes out too small. This measures both for blocks of 100 to
8,000 characters, for counts and for the recorded network of one GRU layer, and for the differences of two models on the
same characters. A block is long enough if no longer one gives an error that is more than a tenth larger; for the last
one that cannot be said. Nothing is trained.
"""

from functools import cache, partial

import numpy as np
from common import Experiment, load_parts

from charlm_utils.evaluation import nats_per_position
from charlm_utils.metrics import block_error
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import load_run

BLOCKS = [100, 250, 500, 1000, 2000, 4000, 8000]  # characters
ORDERS = [5, 6, 7]
RUN = "shakespeare-gru"
LARGER = 1.1  # times
SETTINGS = {"corpus": "shakespeare", "blocks": BLOCKS, "orders": ORDERS, "run": RUN, "larger": LARGER}
CHAPTER = "15_results"


@cache
def losses_of(name):
    """Return -ln p of every character of the last tenth after the first: float ``(n - 1,)``."""
    parts = load_parts()
    if name == RUN:
        return nats_per_position(load_run(RUN).model, parts.test)
    order = int(name.removeprefix("order "))
    return -np.log(NgramModel(order).fit(parts.train, len(parts.vocabulary)).target_probabilities(parts.test))


def neighbors_alike(nats, block):
    """Return the correlation of the means of neighboring blocks."""
    count = len(nats) // block
    means = np.reshape(nats[: count * block], (count, block)).mean(axis=1)
    return float(np.corrcoef(means[:-1], means[1:])[0, 1])


def measure_errors(nats):
    """Return the mean, and per length of block its error and the correlation of neighbors."""
    errors = [block_error(nats, block) for block in BLOCKS]
    return {
        "mean": float(np.mean(nats)),
        "errors": errors,
        "correlations": [neighbors_alike(nats, block) for block in BLOCKS],
        "recommended": recommended(errors),
    }


def measure_model(name):
    """Return what :func:`measure_errors` does of one model."""
    return measure_errors(losses_of(name))


def measure_difference(first, second):
    """Return what :func:`measure_errors` does of the paired differences of two models."""
    return measure_errors(losses_of(first) - losses_of(second))


def recommended(errors):
    """Return the shortest block that is long enough, or None if that cannot be said of any."""
    for block, error in zip(BLOCKS[:-1], errors, strict=False):
        if max(errors[BLOCKS.index(block) :]) <= LARGER * error:
            return block
    return None


def conclude(results):
    """Return the answer and the effect."""
    rows = {row["arm"]: row for row in results}
    network = rows[RUN]
    paired = rows[f"order 7 minus {RUN}"]
    at = BLOCKS.index(1000)
    if network["recommended"] is None:
        single = "For a single loss no block is long enough: blocks of 1,000 characters give the network's an error of "
        single += f"{network['errors'][at]:.3f} nats, {BLOCKS[-1]:,} give {network['errors'][-1]:.3f}"
    else:
        single = f"For a single loss blocks of {network['recommended']:,} characters are long enough"
    blocks = [row["recommended"] for row in results if " minus " in row["arm"]]
    if None in blocks:
        differences = "and for differences none is either"
    else:
        differences = f"for differences blocks of {max(blocks):,} are"
        at = BLOCKS.index(max(blocks))
    alike = rows["order 7"]["correlations"][BLOCKS.index(1000)]
    effect = (
        f"counts of order 7 minus the network: {paired['mean']:.3f} ± {paired['errors'][at]:.3f} nats; means of "
        f"neighboring blocks of 1,000 characters have a correlation of {alike:.2f}"
    )
    return f"{single}; {differences}.", effect


def main():
    """Measure every model, and the differences of neighbors."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    names = [*(f"order {order}" for order in ORDERS), RUN]
    for name in names:
        experiment.measure(name, None, partial(measure_model, name))
    for first, second in zip(names, names[1:], strict=False):
        arm = f"{first} minus {second}"
        experiment.measure(arm, None, partial(measure_difference, first, second))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
