"""How far back does the gradient reach in a plain RNN, a GRU and an LSTM, before and after training?

    python experiments/reach.py [--seeds 0 1 ...]

The loss of the last character of a window of 64 is differentiated with respect to the embedding of every character of
the window. The norm at distance k, divided by that at distance 0 and averaged over windows of unseen text, says how
much a character k steps back still counts. The LSTM starts with a forget bias of 0, S004's, or of 1, today's. The
networks learn a third of tiny Shakespeare; rates are chosen on the validation text with the seed 0.
"""

from functools import partial

import keras
import numpy as np
import tensorflow as tf
from common import ROWS, Experiment, choose_and_measure, load_parts, seeds_from_command_line

from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model, recurrent_layers
from charlm_utils.training import cosine_decay, set_seed, train

KINDS = {"RNN": ("rnn", None), "GRU": ("gru", None), "LSTM, bias 0": ("lstm", 0.0), "LSTM, bias 1": ("lstm", 1.0)}
UNITS = 128
RATE = 0.004  # the first one that is tried
SHAPE = {"batch_size": 32, "time": 64, "epochs": 3}
LEARNED = 330_000  # characters
WINDOWS = 512  # of the validation text
SMALL = 0.01  # the reach is the first distance at which the relative norm is below this
SETTINGS = {
    "corpus": "shakespeare",
    "kinds": KINDS,
    "units": UNITS,
    "first_rate": RATE,
    "shape": SHAPE,
    "learned": LEARNED,
    "windows": WINDOWS,
    "small": SMALL,
}
CHAPTER = "05_lstm_from_gates"


def build(kind, seed):
    """Return a new network; an LSTM with its forget bias."""
    set_seed(seed)
    cell, forget_bias = KINDS[kind]
    network = build_model(len(load_parts().vocabulary), cell=cell, units=UNITS, embedding_dim=64)
    if forget_bias is not None:
        (layer,) = recurrent_layers(network)
        kernel, recurrent_kernel, bias = layer.get_weights()
        bias[UNITS : 2 * UNITS] = forget_bias  # Keras's order: input, forget, candidate, output
        layer.set_weights([kernel, recurrent_kernel, bias])
    return network


def fit_kind(kind, rate, seed):
    """Return a trained network."""
    network = build(kind, seed)
    ids = load_parts().train[:LEARNED]
    optimizer = keras.optimizers.Adam(cosine_decay(rate, len(ids), **SHAPE))
    train(network, ids, optimizer=optimizer, progress=False, **SHAPE)
    return network


def measure_reach(network):
    """Return the relative norms at every distance, the nearest first, averaged over windows."""
    time = SHAPE["time"]
    embedding = network.layers[1]
    rest = keras.Model(embedding.output, network.output)
    ids = load_parts().validation[: WINDOWS * time + 1]
    inputs = tf.constant(ids[:-1].reshape(WINDOWS, time), tf.int32)
    targets = tf.constant(ids[time::time], tf.int32)
    embedded = embedding(inputs)  # (windows, time, embedding_dim)
    with tf.GradientTape() as tape:
        tape.watch(embedded)
        logits = rest(embedded)[:, -1]
        loss = tf.reduce_sum(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
    norms = tf.norm(tape.gradient(loss, embedded), axis=-1).numpy()  # (windows, time)
    means = norms.mean(axis=0)[::-1]
    return (means / means[0]).tolist()


def reach_of(norms):
    """Return the first distance at which the relative norm is below ``SMALL``; their number, if it is nowhere."""
    below = np.flatnonzero(np.array(norms) < SMALL)
    return int(below[0]) if len(below) else len(norms)


def try_rate(kind, rate):
    """Score the validation text."""
    network = fit_kind(kind, rate, seed=0)
    return {"validation": evaluate(network, load_parts().validation, ROWS)}


def train_and_measure(kind, rate, seed):
    """Measure the reach before and after training, and score the last tenth."""
    before = measure_reach(build(kind, seed))
    network = fit_kind(kind, rate, seed)
    after = measure_reach(network)
    return {
        "kind": kind,
        "rate": rate,
        "nats": evaluate(network, load_parts().test, ROWS),
        "before": before,
        "after": after,
        "reach_before": reach_of(before),
        "reach_after": reach_of(after),
    }


def conclude(results):
    """Return the answer and the effect."""
    described = []
    spreads = []
    for kind in KINDS:
        rows = [row for row in results if row["arm"] == kind]
        before = np.array([row["reach_before"] for row in rows])
        after = np.array([row["reach_after"] for row in rows])
        described.append(f"{kind} {before.mean():.0f} before and {after.mean():.0f} after training")
        spreads.append(f"{kind} {before.min()} to {before.max()} and {after.min()} to {after.max()}")
    answer = f"Steps until less than {SMALL:.0%} of the nearest gradient is left: {'; '.join(described)}."
    return answer, f"range over {len(rows)} seeds: {'; '.join(spreads)}"


def main():
    """Choose a rate for every kind, then measure every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for kind in KINDS:
        attempt = partial(try_rate, kind)
        call = partial(train_and_measure, kind)
        choose_and_measure(experiment, kind, RATE, attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
