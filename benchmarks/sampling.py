"""Sampling speed of `generate` against the older tutorials' loops and PyTorch's: two processes, in turns.

    python benchmarks/sampling.py --torch-python PATH

PATH is the Python of an environment with PyTorch, which must not share a process with TensorFlow; without it its rows
are left out. All draw from a GRU of one size with random weights, which costs what a trained one costs.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

UNITS, EMBEDDING, VOCAB = 512, 256, 65
ROUNDS = 11  # after one that only warms up
TENSORFLOW = {  # row: texts at once, characters of each
    "generate, fast model": (1, 2000),
    "generate, fast model, bfloat16": (1, 2000),
    "generate, Keras's layers": (1, 2000),
    "generate, fast model, top-p": (1, 2000),
    "generate, fast model, short": (1, 200),
    "one-step function of the tutorial": (1, 300),
    "eager loop of S003": (1, 30),
    "generate, fast model, 64 texts": (64, 200),
    "generate, fast model, bfloat16, 64 texts": (64, 200),
    "generate, Keras's layers, 64 texts": (64, 200),
}
TORCH = {
    "PyTorch loop": (1, 500),
    "PyTorch loop, 64 texts": (64, 100),
}


def tensorflow_calls():
    """Return the rows that TensorFlow draws, as functions without arguments."""
    import keras

    from charlm_utils.models import build_model
    from charlm_utils.sampling import Sampler
    from charlm_utils.vocabulary import Vocabulary

    vocabulary = Vocabulary([chr(48 + i) for i in range(VOCAB)])
    keras.utils.set_random_seed(0)
    shape = {"units": UNITS, "embedding_dim": EMBEDDING}
    plain = build_model(VOCAB, **shape)
    models = {
        "fast model": build_model(VOCAB, fast=True, **shape),
        "fast model, bfloat16": build_model(VOCAB, fast=True, recurrent_dtype="bfloat16", **shape),
        "Keras's layers": plain,
    }
    calls = {
        "one-step function of the tutorial": one_step_function(plain, vocabulary),
        "eager loop of S003": eager_loop(plain.get_weights()),
    }
    for name, model in models.items():
        model.set_weights(plain.get_weights())
        sampler = Sampler(model, vocabulary)
        calls[f"generate, {name}"] = by_sampler(sampler, 2000)
        calls[f"generate, {name}, top-p"] = by_sampler(sampler, 2000, top_p=0.9)
        calls[f"generate, {name}, short"] = by_sampler(sampler, 200)
        calls[f"generate, {name}, 64 texts"] = by_sampler(sampler, 200, num_samples=64)
    return calls


def by_sampler(sampler, length, **settings):
    """Draw with the book's loops."""
    return lambda: sampler.generate("0", length, temperature=0.8, seed=0, **settings)


def eager_loop(weights, length=TENSORFLOW["eager loop of S003"][1]):
    """Draw as S003 does: one call of a stateful model per character, not compiled."""
    import keras
    import tensorflow as tf

    model = keras.Sequential(
        [
            keras.Input(batch_shape=(1, None)),
            keras.layers.Embedding(VOCAB, EMBEDDING),
            keras.layers.GRU(UNITS, return_sequences=True, stateful=True),
            keras.layers.Dense(VOCAB),
        ]
    )
    model.set_weights(weights)

    def draw():
        ids = tf.zeros((1, 1), tf.int32)
        model.layers[1].reset_states()
        for _ in range(length):
            logits = model(ids)[0] / 0.8
            ids = tf.reshape(int(tf.random.categorical(logits, 1)[-1, 0].numpy()), (1, 1))

    return draw


def one_step_function(model, vocabulary, length=TENSORFLOW["one-step function of the tutorial"][1]):
    """Draw as TensorFlow's tutorial on text generation does: one call of a compiled step per character.

    Its step takes a string and gives one: it looks the characters up, forbids the unknown one by a mask, and joins.
    """
    import keras
    import numpy as np
    import tensorflow as tf

    from charlm_utils.models import forward, zero_states

    characters = list(vocabulary.characters)
    to_ids = keras.layers.StringLookup(vocabulary=characters, mask_token=None)
    to_characters = keras.layers.StringLookup(vocabulary=characters, mask_token=None, invert=True)
    mask = tf.constant([-np.inf] + [0.0] * VOCAB)

    @tf.function
    def one_step(characters, states):
        ids = to_ids(tf.strings.unicode_split(characters, "UTF-8")).to_tensor() - 1
        logits, states = forward(model, ids, states)
        logits = tf.pad(logits[:, -1] / 0.8, [[0, 0], [1, 0]]) + mask  # a column for the unknown character
        return to_characters(tf.squeeze(tf.random.categorical(logits, 1), -1)), states

    def draw():
        last, states = tf.constant([characters[0]]), zero_states(model, 1)
        drawn = [last]
        for _ in range(length):
            last, states = one_step(last, states)
            drawn.append(last)
        tf.strings.join(drawn)[0].numpy()

    return draw


def torch_calls():
    """Return the rows that PyTorch draws: `nn.GRU`, one step per character, no gradients."""
    import torch

    embedding = torch.nn.Embedding(VOCAB, EMBEDDING)
    recurrent = torch.nn.GRU(EMBEDDING, UNITS, batch_first=True)
    logits = torch.nn.Linear(UNITS, VOCAB)

    @torch.inference_mode()
    def draw(num_samples, length):
        ids, state = torch.zeros((num_samples, 1), dtype=torch.long), None
        for _ in range(length):
            outputs, state = recurrent(embedding(ids), state)
            ids = torch.multinomial(torch.softmax(logits(outputs[:, -1]) / 0.8, dim=-1), 1)

    return {name: lambda sizes=sizes: draw(*sizes) for name, sizes in TORCH.items()}


def work(calls):
    """Serve a driver: for every line that names a row, draw it and answer with the seconds that it took."""
    print("ready", flush=True)
    for line in sys.stdin:
        call = calls[line.strip()]
        start = time.perf_counter()
        call()
        print(time.perf_counter() - start, flush=True)


class Worker:
    """A long-living process that draws rows when asked."""

    def __init__(self, python, kind):
        command = [python, __file__, "--worker", kind]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline().strip() != "ready":
            raise RuntimeError(f"the process for {kind} did not start: {' '.join(command)}")

    def seconds(self, name):
        """Draw a row once."""
        self.process.stdin.write(name + "\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def measure(workers):
    """Return the speeds of every row in characters per second, one for each round; ``workers`` maps rows to theirs."""
    sizes = TENSORFLOW | TORCH
    speeds = {name: [] for name in workers}
    for _ in range(1 + ROUNDS):
        for name, worker in workers.items():
            texts, length = sizes[name]
            speeds[name].append(texts * length / worker.seconds(name))
    return {name: values[1:] for name, values in speeds.items()}


def table(speeds, peak):
    """Return the rows to keep: median, range, ratio of the book's loop to it, share of the peak."""
    operations = 2 * UNITS * (3 * UNITS + VOCAB)  # state by recurrent kernel, output by logits
    medians = {name: statistics.median(values) for name, values in speeds.items()}
    rows = []
    for name, values in speeds.items():
        ours = "generate, fast model, 64 texts" if name.endswith("64 texts") else "generate, fast model"
        rows.append(
            {
                "name": name,
                "characters_per_second": round(medians[name], 1),
                "ratio": round(medians[ours] / medians[name], 2),
                "share_of_peak": round(medians[name] * operations / peak, 4),
                "range": [round(min(values), 1), round(max(values), 1)],
            }
        )
    return rows


def main():
    """Measure one text and 64, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--torch-python", help="the Python of an environment with PyTorch")
    parser.add_argument("--worker", choices=("tensorflow", "torch"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(tensorflow_calls() if options.worker == "tensorflow" else torch_calls())
        return
    workers = dict.fromkeys(TENSORFLOW, Worker(sys.executable, "tensorflow"))
    version = None
    if options.torch_python:
        workers |= dict.fromkeys(TORCH, Worker(options.torch_python, "torch"))
        asked = subprocess.run(
            [options.torch_python, "-c", "import torch; print(torch.__version__)"],
            capture_output=True,
            text=True,
            check=True,
        )
        version = asked.stdout.strip()
    before = os.getloadavg()[0]
    speeds = measure(workers)
    after = os.getloadavg()[0]
    for worker in set(workers.values()):
        worker.close()
    import rivals  # it imports TensorFlow, whose threads are not wanted here before

    peak = rivals.matrix_peak("float32")
    rows = table(speeds, peak)
    for row in rows:
        low, high = row["range"]
        print(f"{row['name']:44}{row['characters_per_second']:>12,.0f} ({low:,.0f} to {high:,.0f}){row['ratio']:>9}")
    print(f"load before and after: {before:.2f}, {after:.2f}; rounds: {ROUNDS}")
    content = {"peak_gflops": round(peak / 1e9, 1), "load": [round(before, 2), round(after, 2)], "rows": rows}
    rivals.keep("sampling", {"machine": rivals.machine() | {"pytorch": version}} | content)


if __name__ == "__main__":
    main()
