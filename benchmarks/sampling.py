"""Sampling speed of `generate` against the older tutorials' loops and PyTorch: in one process, in turns.

    python benchmarks/sampling.py

All draw from one and the same GRU with random weights, which costs what a trained one costs.
"""

import keras
import numpy as np
import rivals
import tensorflow as tf

from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.sampling import generate
from charlm_utils.vocabulary import Vocabulary

UNITS, EMBEDDING = 512, 256
VOCABULARY = Vocabulary([chr(48 + i) for i in range(65)])
PRIME = VOCABULARY.characters[0]


def models():
    """Return the fast model, the same with Keras's layers, and a stateful stack as S003 builds it, of equal weights."""
    keras.utils.set_random_seed(0)
    settings = {"units": UNITS, "embedding_dim": EMBEDDING}
    fast, plain = (build_model(len(VOCABULARY), fast=fast, **settings) for fast in (True, False))
    stateful = keras.Sequential(
        [
            keras.Input(batch_shape=(1, None)),
            keras.layers.Embedding(len(VOCABULARY), EMBEDDING),
            keras.layers.GRU(UNITS, return_sequences=True, stateful=True),
            keras.layers.Dense(len(VOCABULARY)),
        ]
    )
    for model in (plain, stateful):
        model.set_weights(fast.get_weights())
    return fast, plain, stateful


def eager_loop(model, length):
    """Draw as S003 does: one call of the model per character, not compiled."""

    def draw():
        ids = tf.zeros((1, 1), tf.int32)
        model.layers[1].reset_states()
        for _ in range(length):
            logits = model(ids)[0] / 0.8
            ids = tf.reshape(int(tf.random.categorical(logits, 1)[-1, 0].numpy()), (1, 1))

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
        logits = tf.pad(logits[:, -1] / 0.8, [[0, 0], [1, 0]]) + mask  # a column for the unknown character
        return to_characters(tf.squeeze(tf.random.categorical(logits, 1), -1)), states

    def draw():
        characters, states = tf.constant([PRIME]), zero_states(model, 1)
        drawn = [characters]
        for _ in range(length):
            characters, states = one_step(characters, states)
            drawn.append(characters)
        tf.strings.join(drawn)[0].numpy()

    return draw


def torch_loop(torch, fast, num_samples, length):
    """Draw with PyTorch: `nn.GRU` with the same weights, one step per character, no gradients."""
    table, kernel, recurrent_kernel, bias, dense, dense_bias = fast.get_weights()
    recurrent = rivals.torch_layer(torch, kernel, recurrent_kernel, bias)
    embedding, logits = torch.nn.Embedding(*table.shape), torch.nn.Linear(*dense.shape)
    with torch.no_grad():
        embedding.weight.copy_(torch.from_numpy(table))
        logits.weight.copy_(torch.from_numpy(dense.T.copy()))
        logits.bias.copy_(torch.from_numpy(dense_bias))

    @torch.inference_mode()
    def draw():
        ids, state = torch.zeros((num_samples, 1), dtype=torch.long), None
        for _ in range(length):
            outputs, state = recurrent(embedding(ids), state)
            ids = torch.multinomial(torch.softmax(logits(outputs[:, -1]) / 0.8, dim=-1), 1)

    return draw


def compiled(model, length, num_samples=None):
    """Draw with the book's `generate`."""
    return lambda: generate(model, VOCABULARY, PRIME, length, temperature=0.8, seed=0, num_samples=num_samples)


def main():
    """Measure one text and 64, print and keep."""
    torch = rivals.import_torch()
    fast, plain, stateful = models()
    one = {
        "generate, fast model": (compiled(fast, 2000), 2000),
        "generate, Keras's layers": (compiled(plain, 2000), 2000),
        "one-step function of the tutorial": (one_step_function(plain, 300), 300),
        "eager loop of S003": (eager_loop(stateful, 30), 30),
    }
    many = {"generate, fast model, 64 texts": (compiled(fast, 200, 64), 200 * 64)}
    many["generate, Keras's layers, 64 texts"] = (compiled(plain, 200, 64), 200 * 64)
    if torch:
        one["PyTorch loop"] = (torch_loop(torch, fast, 1, 500), 500)
        many["PyTorch loop, 64 texts"] = (torch_loop(torch, fast, 64, 100), 100 * 64)
    peak = rivals.matrix_peak("float32")
    operations = 2 * UNITS * (3 * UNITS + len(VOCABULARY))  # state by recurrent kernel, output by logits
    rows = rivals.table(rivals.in_turns(one), "generate, fast model", operations, peak)
    rows += rivals.table(rivals.in_turns(many), "generate, fast model, 64 texts", operations, peak)
    rivals.keep("sampling", {"peak_gflops": round(peak / 1e9, 1), "rows": rows})


if __name__ == "__main__":
    main()
