"""What the switches of Keras's `compile` and `fit` are worth: XLA, several steps per call, mixed precision; in turns.

    python benchmarks/fit.py

One model with Keras's GRU is trained by `fit` on the same random characters with one switch changed at a time: once
at the sizes of ``training.py``, and once so small that handing the operations over is most of the work.
"""

from dataclasses import dataclass

import keras
import numpy as np
import training
import turns

SEVERAL = 10  # steps per call
SWITCHES = {  # settings of `compile`; the precision is set beside it
    "as it is": {},
    "XLA": {"jit_compile": True},
    f"{SEVERAL} steps per call": {"steps_per_execution": SEVERAL},
    "mixed precision": {},
    "eager": {"run_eagerly": True},
}
SIZES = {
    "large": training.Sizes(steps=SEVERAL),
    "small": training.Sizes(batch_size=8, length=8, units=16, embedding_dim=8, steps=10 * SEVERAL),
}
EAGER_STEPS = SEVERAL  # a round of the others would take the slowest one too long


@dataclass(frozen=True)
class Data:
    """Random characters and their targets ``(steps * batch_size, length)``."""

    inputs: np.ndarray
    targets: np.ndarray


def data_of(sizes, steps):
    """Return the data of so many steps."""
    draw = np.random.default_rng(0)
    shape = (steps * sizes.batch_size, sizes.length)
    inputs = draw.integers(sizes.vocab_size, size=shape)
    targets = draw.integers(sizes.vocab_size, size=shape)
    return Data(inputs, targets)


def model_of(sizes, precision, settings):
    """Return a compiled model of embedding, GRU and logits; weights of the same sizes are the same."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((sizes.length,), dtype="int32"),
            keras.layers.Embedding(sizes.vocab_size, sizes.embedding_dim, dtype=precision),
            keras.layers.GRU(sizes.units, return_sequences=True, dtype=precision),
            keras.layers.Dense(sizes.vocab_size, dtype="float32"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.Adam(0.001, global_clipnorm=5.0)
    options = {"jit_compile": False} | settings
    model.compile(optimizer, loss, **options)
    return model


def rival_of(name, size, sizes):
    """Return a rival that trains with one switch changed."""
    precision = "mixed_bfloat16" if name == "mixed precision" else "float32"
    steps = min(EAGER_STEPS, sizes.steps) if name == "eager" else sizes.steps
    model = model_of(sizes, precision, SWITCHES[name])
    data = data_of(sizes, steps)

    def train():
        model.fit(data.inputs, data.targets, batch_size=sizes.batch_size, shuffle=False, verbose=0)

    return turns.Rival(f"fit, {size}: {name}", f"fit, {size}", turns.here(train), data.inputs.size)


def measure(all_sizes, rounds=turns.ROUNDS):
    """Let those of one size take turns, and return their rows."""
    rows = []
    for size, sizes in all_sizes.items():
        rivals = [rival_of(name, size, sizes) for name in SWITCHES]
        rows += turns.to_rows(rivals, turns.in_turns(rivals, rounds))
    return rows


def main():
    """Measure, print and keep."""
    rows = measure(SIZES)
    turns.show(rows)
    turns.keep("fit", rows)


if __name__ == "__main__":
    main()
