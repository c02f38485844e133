"""Training speed of the fast layers against Keras and PyTorch: whole training steps, in one process, in turns.

    python benchmarks/training.py

A step is: embedding, recurrent layer, logits, cross-entropy, gradients, clipping by global norm, Adam. The share of
the peak counts only the products that no method can do without: those of state and recurrent kernel and of output and
logits, forward and twice backward.
"""

import keras
import numpy as np
import rivals
import tensorflow as tf

from charlm_utils.models import build_model, zero_states
from charlm_utils.training import compiled_step

BATCH, TIME, UNITS, EMBEDDING, VOCAB = 64, 100, 512, 256, 65
CHARACTERS = BATCH * TIME
GATES = {"gru": 3, "lstm": 4}


def keras_step(cell, **settings):
    """Return one training step of the book's model, as `train` takes it."""
    keras.utils.set_random_seed(0)
    model = build_model(VOCAB, cell=cell, units=UNITS, embedding_dim=EMBEDDING, **settings)
    step, states = compiled_step(model, keras.optimizers.Adam(0.001), 5.0), zero_states(model, BATCH)
    inputs, targets = (tf.constant(np.random.default_rng(i).integers(VOCAB, size=(BATCH, TIME))) for i in (0, 1))
    inputs, targets = tf.cast(inputs, tf.int32), tf.cast(targets, tf.int32)
    return lambda: float(step(inputs, targets, states)[0])


def torch_step(torch, cell, autocast=False):
    """Return the same step in PyTorch, with bfloat16 autocast or without."""
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(VOCAB, EMBEDDING)
    recurrent = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell](EMBEDDING, UNITS, batch_first=True)
    dense = torch.nn.Linear(UNITS, VOCAB)
    parameters = [p for part in (embedding, recurrent, dense) for p in part.parameters()]
    optimizer = torch.optim.Adam(parameters, 0.001)
    inputs, targets = (torch.from_numpy(np.random.default_rng(i).integers(VOCAB, size=(BATCH, TIME))) for i in (0, 1))

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = dense(recurrent(embedding(inputs))[0])
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        return loss.item()

    return step


def bfloat16_of_torch(torch, cell):
    """Return PyTorch's step with autocast under its name, or nothing where this processor cannot run it."""
    name, step = f"pytorch {cell}, bfloat16", torch_step(torch, cell, autocast=True)
    try:
        step()
    except RuntimeError as error:
        print(f"{name} does not run here: {error}")
        return {}
    return {name: step}


def main():
    """Measure, print and keep."""
    torch, rows = rivals.import_torch(), []
    peak = rivals.matrix_peak("float32")
    print(f"matrix product peak, float32: {peak / 1e9:.0f} GFLOP/s")
    for cell, gates in GATES.items():
        steps = {
            f"fast {cell}": keras_step(cell, fast=True),
            f"fast {cell}, bfloat16": keras_step(cell, fast=True, recurrent_dtype="bfloat16"),
            f"keras {cell}": keras_step(cell),
        }
        if torch:
            steps[f"pytorch {cell}"] = torch_step(torch, cell)
            steps |= bfloat16_of_torch(torch, cell)
        speeds = rivals.in_turns({name: (step, CHARACTERS) for name, step in steps.items()})
        operations = 3 * 2 * UNITS * (gates * UNITS + VOCAB)
        rows += rivals.table(speeds, f"fast {cell}", operations, peak)
    rivals.keep("training", {"peak_gflops": round(peak / 1e9, 1), "rows": rows})


if __name__ == "__main__":
    main()
