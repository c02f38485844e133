"""One of the processes that ``workers.py`` times: it trains a pass whenever a line comes, and prints its seconds.

    python worker_strategy.py UNITS ROWS TIME STEPS PASSES

With ``TF_CONFIG`` in the environment it trains with the other workers that are named there, else alone. A pass is STEPS
steps of ROWS rows of TIME characters, as ``train`` takes them: all workers together have so many rows.
"""

import contextlib
import os
import sys
import time

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.models import build_model
from charlm_utils.training import set_seed, train

VOCAB_SIZE = 65
EMBEDDING_DIM = 64


def main(units, rows, length, steps, passes):
    """Train, and print a line of seconds after every pass."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy() if "TF_CONFIG" in os.environ else None
    ids = np.random.default_rng(0).integers(0, VOCAB_SIZE, rows * length * steps + 1)
    with contextlib.nullcontext() if strategy is None else strategy.scope():
        set_seed(0)
        model = build_model(VOCAB_SIZE, units=units, embedding_dim=EMBEDDING_DIM, fast=True)
        optimizer = keras.optimizers.Adam(0.001)
    started = 0.0

    def wait_for_go():
        nonlocal started
        sys.stdin.readline()
        started = time.perf_counter()

    def report(epoch, history):
        print(time.perf_counter() - started, flush=True)
        if epoch < passes:
            wait_for_go()

    print(model.count_params(), flush=True)
    wait_for_go()
    shape = {"batch_size": rows, "time": length, "epochs": passes}
    train(model, ids, optimizer=optimizer, strategy=strategy, on_epoch_end=report, progress=False, **shape)


if __name__ == "__main__":
    numbers = [int(argument) for argument in sys.argv[1:]]
    main(*numbers)
