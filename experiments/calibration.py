"""Is the recorded network as sure as it may be, and how much of what it has read counts for its next guess?

    python experiments/calibration.py

The run ``shakespeare-gru`` reads the last tenth of tiny Shakespeare in one stream, and so do counts of order 7,
smoothed as by Kneser and Ney. A temperature is fitted on the first half: the one of a grid with the lowest loss. On the
second half the loss at this temperature stands against that at temperature 1, and the mean entropy of the predictions,
which is the loss that the model expects of itself, against the loss that it has, at both temperatures. Where the loss
of a text is lowest, loss and entropy are the same on this text; so both are kept of the first half, too.

For the second question the network guesses the next character at 400 places of the last tenth, from the 400
characters before it and from the last few of them alone, beginning with a state of zeros. The difference of the two
predictions is measured by the divergence of Kullback and Leibler, and by the loss. Nothing is drawn, so there are no
seeds.
"""

import numpy as np
import tensorflow as tf
from common import Experiment, load_parts
from decoders import COUNTS, compiled_forward, counts, network, read

from charlm_utils.metrics import block_error
from charlm_utils.models import zero_states

RUN = "shakespeare-gru"
TEMPERATURES = [round(0.8 + 0.02 * number, 2) for number in range(26)]
LAST = [1, 2, 5, 10, 20, 30, 40, 50, 100, 200]
WHOLE = 400
PLACES = 400
CHUNK = 1000
BLOCK = 4000  # characters; see how_sure.py
SETTINGS = {
    "corpus": "shakespeare",
    "run": RUN,
    "temperatures": TEMPERATURES,
    "last": LAST,
    "whole": WHOLE,
    "places": PLACES,
    "block": BLOCK,
}
CHAPTER = "12_sampling"


def log_softmax(logits):
    """Return the logarithms of the probabilities, float64."""
    shifted = np.asarray(logits, np.float64)
    shifted = shifted - shifted.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def logits_of_network(ids):
    """Return the logits of every character after the first, ``(n - 1, vocab)``, read in one stream."""
    states = zero_states(network(), 1)
    parts = []
    for start in range(0, len(ids) - 1, CHUNK):
        end = min(start + CHUNK, len(ids) - 1)
        logits, states = compiled_forward()(tf.constant(ids[None, start:end], tf.int32), states)
        parts.append(logits[0].numpy())
    return np.concatenate(parts)


def logits_of_counts(ids):
    """Return what stands for the logits of counts: the logarithms of their probabilities."""
    model = counts()
    rows = [model.probabilities(ids[max(0, place - model.order + 1) : place]) for place in range(1, len(ids))]
    return np.log(np.array(rows))


def losses(logits, targets, temperature):
    """Return -ln p of every target at a temperature."""
    return -np.take_along_axis(log_softmax(logits / temperature), targets[:, None], axis=1)[:, 0]


def entropies(logits, temperature):
    """Return the entropy of every prediction at a temperature, in nats."""
    logs = log_softmax(logits / temperature)
    return -(np.exp(logs) * logs).sum(axis=1)


def calibrate(logits, targets):
    """Fit a temperature on the first half, and measure it on the second."""
    half = len(targets) // 2
    curve = [float(losses(logits[:half], targets[:half], temperature).mean()) for temperature in TEMPERATURES]
    fitted = TEMPERATURES[int(np.argmin(curve))]
    before = losses(logits[half:], targets[half:], 1.0)
    after = losses(logits[half:], targets[half:], fitted)
    expected = entropies(logits[half:], 1.0)
    expected_fitted = entropies(logits[half:], fitted)
    return {
        "curve": curve,
        "fitted": fitted,
        "first_nats": curve[TEMPERATURES.index(1.0)],
        "first_nats_fitted": min(curve),
        "first_entropy": float(entropies(logits[:half], 1.0).mean()),
        "first_entropy_fitted": float(entropies(logits[:half], fitted).mean()),
        "nats": float(before.mean()),
        "nats_fitted": float(after.mean()),
        "gain_error": block_error(before - after, BLOCK),
        "entropy": float(expected.mean()),
        "entropy_fitted": float(expected_fitted.mean()),
        "gap_error": block_error(before - expected, BLOCK),
        "gap_fitted_error": block_error(after - expected_fitted, BLOCK),
    }


def remember(ids):
    """Measure how far predictions from the last characters alone are from those that have read more."""
    ends = np.linspace(WHOLE, len(ids) - 1, PLACES).astype(int)
    windows = np.stack([ids[end - WHOLE : end] for end in ends])
    targets = ids[ends]
    whole = log_softmax(read(windows)[0][:, -1])
    own = -np.take_along_axis(whole, targets[:, None], axis=1).mean()
    divergences = []
    nats = []
    for last in LAST:
        part = log_softmax(read(windows[:, -last:])[0][:, -1])
        divergences.append(float((np.exp(whole) * (whole - part)).sum(axis=1).mean()))
        nats.append(float(-np.take_along_axis(part, targets[:, None], axis=1).mean()))
    return {"nats_whole": float(own), "divergence": divergences, "nats_last": nats}


def conclude(results):
    """Return the answer and the effect."""
    found = {row["arm"]: row for row in results}
    said = []
    effects = []
    for arm in ("network", COUNTS):
        row = found[arm]
        gain = row["nats"] - row["nats_fitted"]
        said.append(
            f"the {arm}: fitted temperature {row['fitted']:.2f}, which changes the loss from {row['nats']:.3f} to "
            f"{row['nats_fitted']:.3f} nats; mean entropy of the predictions {row['entropy']:.3f}"
        )
        gap = row["nats"] - row["entropy"]
        left = row["nats_fitted"] - row["entropy_fitted"]
        effects.append(
            f"{arm}: gain {gain:+.4f} ± {row['gain_error']:.4f}, loss minus entropy {gap:+.3f} ± "
            f"{row['gap_error']:.3f}, with the fitted temperature {left:+.3f} ± {row['gap_fitted_error']:.3f}"
        )
    memory = found["memory"]
    shown = [f"{last}: {value:.3f}" for last, value in zip(LAST, memory["divergence"], strict=True)]
    answer = (
        f"{'; '.join(said)}; divergence from the prediction with {WHOLE} characters, by those read: {', '.join(shown)}."
    )
    return answer[0].upper() + answer[1:], f"{'; '.join(effects)} nats (blocks of {BLOCK:,} characters)"


def main():
    """Fit a temperature for the network and for the counts, and measure the network's memory."""
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    ids = load_parts().test
    experiment.measure("network", None, lambda: calibrate(logits_of_network(ids), ids[1:]))
    experiment.measure(COUNTS, None, lambda: calibrate(logits_of_counts(ids), ids[1:]))
    experiment.measure("memory", None, lambda: remember(ids))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
