"""Does a network guess better when its training windows grow from short to long?

    python experiments/short_to_long.py [--seeds 0 1 ...]

A GRU passes three times over the first 800,000 characters, the state carried from window to window. *Short to long*: in
windows of 16 characters in the first pass, of 64 in the second and of 128 in the third. *Long to short*: the same
passes in the opposite order; beside the order the rate may differ, which every arm has of its own. Three arms keep one
length. A batch always has 2,048 characters, so that every arm takes as many steps and reads as many characters; shorter
windows come in more rows, 128, 32 or 16 of them. What grows is thus how far the gradient reaches back, while the rows
become fewer; the arms of one length show what length and rows do together. The learning rate falls along a cosine, in
all arms alike. The first rate of each arm is chosen on the validation text with the seed 0; then every seed is scored
on the last tenth, with the state carried and in windows of 256 from a zero state.
"""

from functools import partial

import keras
from common import (
    WINDOW,
    Experiment,
    choose_and_measure,
    fit_batches,
    in_words,
    load_parts,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)

from charlm_utils.batching import contiguous_batches
from charlm_utils.evaluation import evaluate, nats_in_windows
from charlm_utils.models import build_model
from charlm_utils.training import cosine_decay, set_seed

GROWING = "short to long"
PLANS = {  # characters of a window in each pass
    "16": (16, 16, 16),
    "64": (64, 64, 64),
    "128": (128, 128, 128),
    GROWING: (16, 64, 128),
    "long to short": (128, 64, 16),
}
MODEL = {"cell": "gru", "units": 128, "embedding_dim": 64, "fast": True}
PER_BATCH = 2048  # characters
LEARNED = 800_000  # characters, the first ones
FIRST_RATE = 0.006
ROWS = 64  # side by side when a text is scored
SETTINGS = {
    "corpus": "shakespeare",
    "plans": PLANS,
    "model": MODEL,
    "per_batch": PER_BATCH,
    "learned": LEARNED,
    "first_rate": FIRST_RATE,
    "rows": ROWS,
    "window": WINDOW,
}
CHAPTER = "10_gradient_tape"


def fit_plan(plan, rate, seed):
    """Return a network trained in windows of the lengths of a plan."""
    parts = load_parts()
    ids = parts.train[:LEARNED]
    set_seed(seed)
    network = build_model(len(parts.vocabulary), **MODEL)
    decay = cosine_decay(rate, len(ids), batch_size=1, time=PER_BATCH, epochs=len(plan))
    passes = [contiguous_batches(ids, PER_BATCH // time, time) for time in plan]
    fit_batches(network, passes, keras.optimizers.Adam(decay), carry=True)
    return network


def try_rate(plan, rate):
    """Score the validation text."""
    return {"validation": evaluate(fit_plan(plan, rate, seed=0), load_parts().validation, ROWS)}


def train_and_score(plan, rate, seed):
    """Score the last tenth, with the state carried and in windows."""
    network = fit_plan(plan, rate, seed)
    test = load_parts().test
    return {
        "rate": rate,
        "nats": evaluate(network, test, ROWS),
        "nats_windows": float(nats_in_windows(network, test, WINDOW).mean()),
    }


def conclude(results):
    """Return the answer and the effect."""
    level, _, _ = mean_and_error(results, GROWING, "nats")
    said = []
    effects = []
    for arm in PLANS:
        if arm == GROWING:
            continue
        difference, error, seeds = paired_difference(results, GROWING, arm, "nats")
        name = arm if arm == "long to short" else f"windows of {arm}"
        said.append(f"{name} {in_words(difference, error, seeds)}")
        effects.append(f"{name} {difference:+.4f} ± {error:.4f}")
    answer = (
        f"Growing windows end at {level:.3f} nats on the last tenth with the state carried; compared with: "
        f"{'; '.join(said)}."
    )
    return answer, f"short to long minus: {'; '.join(effects)} nats (standard error over {seeds} paired seeds)"


def main():
    """Choose a rate for every plan, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for arm, plan in PLANS.items():
        attempt = partial(try_rate, plan)
        call = partial(train_and_score, plan)
        choose_and_measure(experiment, arm, FIRST_RATE, attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
