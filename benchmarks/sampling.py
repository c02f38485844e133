"""Sampling speed of `generate` against the older tutorials' loops and PyTorch: one text and 64 texts, in turns.

    python benchmarks/sampling.py

All draw from one and the same GRU with random weights, which costs what a trained one costs.
"""

import tempfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
import turns

from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.sampling import generate
from charlm_utils.vocabulary import Vocabulary

VOCABULARY = Vocabulary([chr(48 + i) for i in range(65)])
PRIME = VOCABULARY.characters[0]
TEMPERATURE = 0.8


@dataclass(frozen=True)
class Sizes:
    """What is drawn from, and how many characters each draws in a round; the slow ones draw fewer."""

    units: int = 512
    embedding_dim: int = 256
    many: int = 64  # texts at once
    ours: int = 2000
    ours_many: int = 600
    pytorch: int = 600
    pytorch_many: int = 200
    tutorial: int = 300
    eager: int = 30


def models(sizes):
    """Return the fast model, the same with Keras's layers, and a stateful stack as S003 builds it, of equal weights."""
    keras.utils.set_random_seed(0)
    settings = {"units": sizes.units, "embedding_dim": sizes.embedding_dim}
    fast = build_model(len(VOCABULARY), fast=True, **settings)
    plain = build_model(len(VOCABULARY), **settings)
    stateful = keras.Sequential(
        [
            keras.Input(batch_shape=(1, None)),
            keras.layers.Embedding(len(VOCABULARY), sizes.embedding_dim),
            keras.layers.GRU(sizes.units, return_sequences=True, stateful=True),
            keras.layers.Dense(len(VOCABULARY)),
        ]
    )
    plain.set_weights(fast.get_weights())
    stateful.set_weights(fast.get_weights())
    return fast, plain, stateful


def eager_loop(model, length):
    """Draw as S003 does: one call of the model per character, not compiled."""

    def draw():
        ids = tf.zeros((1, 1), tf.int32)
        model.layers[1].reset_states()
        for _ in range(length):
            logits = model(ids)[0] / TEMPERATURE
            drawn = int(tf.random.categorical(logits, 1)[-1, 0].numpy())
            ids = tf.reshape(drawn, (1, 1))

    return draw


def one_step_function(model, length):
    """Draw as TensorFlow's tutorial on text generation does: one call of a compiled step per character.

    Its step takes a string and gives one: it looks the characters up, forbids the unknown one by a mask, and joins.
    """
    to_ids = keras.layers.StringLookup(vocabulary=list(VOCABULARY.characters), mask_token=None)
    to_characters = keras.layers.StringLookup(vocabulary=list(VOCABULARY.characters), mask_token=None, invert=True)
    mask = tf.constant([-np.inf] + [0.0] * len(VOCABULARY))

    @tf.function
    def one_step(characters, states):
        ids = to_ids(tf.strings.unicode_split(characters, "UTF-8")).to_tensor() - 1
        logits, states = forward(model, ids, states)
        logits = tf.pad(logits[:, -1] / TEMPERATURE, [[0, 0], [1, 0]]) + mask  # a column for the unknown character
        return to_characters(tf.squeeze(tf.random.categorical(logits, 1), -1)), states

    def draw():
        characters = tf.constant([PRIME])
        states = zero_states(model, 1)
        drawn = [characters]
        for _ in range(length):
            characters, states = one_step(characters, states)
            drawn.append(characters)
        tf.strings.join(drawn)[0].numpy()

    return draw


def compiled(model, length, num_samples=None):
    """Draw with the book's `generate`."""
    return lambda: generate(model, VOCABULARY, PRIME, length, temperature=TEMPERATURE, seed=0, num_samples=num_samples)


def rivals_of(sizes, torch, weights):
    """Return the rivals, ours first in both groups; ``weights`` is the file through which PyTorch gets the weights."""
    state = sizes.units * 3 * sizes.units
    logits = sizes.units * len(VOCABULARY)
    inputs = sizes.embedding_dim * 3 * sizes.units
    products = {"full": 2 * (inputs + state + logits), "minimal": 2 * (state + logits)}
    fast, plain, stateful = models(sizes)

    def one(name, seconds, length):
        return turns.Rival(name, "one text", seconds, length, products=products)

    def many(name, seconds, length):
        group = f"{sizes.many} texts"
        return turns.Rival(f"{name}, {group}", group, seconds, length * sizes.many, products=products)

    rivals = [
        one("generate, fast model", turns.here(compiled(fast, sizes.ours)), sizes.ours),
        one("generate, Keras's layers", turns.here(compiled(plain, sizes.ours)), sizes.ours),
        one("one-step function of the tutorial", turns.here(one_step_function(plain, sizes.tutorial)), sizes.tutorial),
        one("eager loop of S003", turns.here(eager_loop(stateful, sizes.eager)), sizes.eager),
        many("generate, fast model", turns.here(compiled(fast, sizes.ours_many, sizes.many)), sizes.ours_many),
        many("generate, Keras's layers", turns.here(compiled(plain, sizes.ours_many, sizes.many)), sizes.ours_many),
    ]
    if torch:
        np.savez(weights, *fast.get_weights())
        settings = {"weights": str(weights), "num_samples": 1, "length": sizes.pytorch}
        rivals.append(one("PyTorch loop", torch.prepare("one", "sampling", **settings), sizes.pytorch))
        settings = {"weights": str(weights), "num_samples": sizes.many, "length": sizes.pytorch_many}
        rivals.append(many("PyTorch loop", torch.prepare("many", "sampling", **settings), sizes.pytorch_many))
    return rivals


def measure(sizes, rounds=turns.ROUNDS, torch=None):
    """Let all take turns and return their rows; those of PyTorch are left out where ``torch`` is None."""
    with tempfile.TemporaryDirectory() as folder:
        rivals = [*rivals_of(sizes, torch, Path(folder) / "weights.npz"), *turns.peaks()]
    return turns.to_rows(rivals, turns.in_turns(rivals, rounds))


def main():
    """Measure, print and keep."""
    torch = turns.start_torch()
    rows = measure(Sizes(), torch=torch)
    turns.show(rows)
    turns.keep("sampling", rows, torch and torch.version)


if __name__ == "__main__":
    main()
