"""Training speed of the fast layers against Keras and PyTorch: whole training steps, in turns.

    python benchmarks/training.py

A step is: embedding, recurrent layer, logits, cross-entropy, gradients, clipping by global norm, Adam.
"""

from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
import turns

from charlm_utils.models import build_model, zero_states
from charlm_utils.training import compiled_step


@dataclass(frozen=True)
class Sizes:
    """What is trained."""

    batch_size: int = 64
    length: int = 100
    units: int = 512
    embedding_dim: int = 256
    vocab_size: int = 65
    steps: int = 3  # per round


GATES = {"gru": 3, "lstm": 4}


def step_of(model, sizes, optimizer):
    """Return a function that takes one training step on random characters, as ``train`` takes it, and returns the loss.

    Clipping is by the global norm of 5.
    """
    step = compiled_step(model, optimizer, 5.0)
    states = zero_states(model, sizes.batch_size)
    draw = np.random.default_rng(0)
    shape = (sizes.batch_size, sizes.length)
    inputs = tf.constant(draw.integers(sizes.vocab_size, size=shape), tf.int32)
    targets = tf.constant(draw.integers(sizes.vocab_size, size=shape), tf.int32)
    return lambda: float(step(inputs, targets, states)[0])


def repeated(step, times):
    """Return a function that takes a step so many times."""

    def take_steps():
        for _ in range(times):
            step()

    return take_steps


def our_steps(sizes, cell, **settings):
    """Return a function that takes training steps of the book's model."""
    keras.utils.set_random_seed(0)
    model = build_model(sizes.vocab_size, cell=cell, units=sizes.units, embedding_dim=sizes.embedding_dim, **settings)
    return repeated(step_of(model, sizes, keras.optimizers.Adam(0.001)), sizes.steps)


def operations(sizes, cell):
    """Return the operations per character in matrix products, forward and twice backward.

    Full: inputs and state by their kernels, output by that of the logits. Minimal: without the inputs, whose product
    with the kernel a table of all characters can hold.
    """
    gates = GATES[cell] * sizes.units
    recurrent = sizes.units * gates
    logits = sizes.units * sizes.vocab_size
    inputs = sizes.embedding_dim * gates
    return {"full": 3 * 2 * (inputs + recurrent + logits), "minimal": 3 * 2 * (recurrent + logits)}


def rivals_of(cell, sizes, torch):
    """Return the rivals for a cell, ours first in both groups."""
    products = operations(sizes, cell)
    characters = sizes.batch_size * sizes.length * sizes.steps

    def rival(name, seconds, dtype="float32"):
        return turns.Rival(name, f"{cell}, {dtype}", seconds, characters, dtype, products)

    fast = our_steps(sizes, cell, fast=True)
    fast_bfloat16 = our_steps(sizes, cell, fast=True, recurrent_dtype="bfloat16")
    rivals = [
        rival(f"fast {cell}", turns.here(fast)),
        rival(f"keras {cell}", turns.here(our_steps(sizes, cell))),
        rival(f"fast {cell}, bfloat16", turns.here(fast_bfloat16), "bfloat16"),
    ]
    for dtype in ("float32", "bfloat16") if torch else ():
        name = f"pytorch {cell}" if dtype == "float32" else f"pytorch {cell}, bfloat16"
        settings = vars(sizes) | {"cell": cell, "autocast": dtype == "bfloat16"}
        try:
            rivals.append(rival(name, torch.prepare(name, "training", **settings), dtype))
        except RuntimeError as error:
            print(f"{name} does not run here: {error}")
    return rivals


def measure(sizes, cells=tuple(GATES), rounds=turns.ROUNDS, torch=None):
    """Let all take turns and return their rows; those of PyTorch are left out where ``torch`` is None."""
    rows = []
    for cell in cells:
        rivals = [*rivals_of(cell, sizes, torch), *turns.peaks()]
        rows += turns.to_rows(rivals, turns.in_turns(rivals, rounds))
    return rows


def main():
    """Measure, print and keep."""
    torch = turns.start_torch()
    rows = measure(Sizes(), torch=torch)
    turns.show(rows)
    turns.keep("training", rows, torch and torch.version)


if __name__ == "__main__":
    main()
