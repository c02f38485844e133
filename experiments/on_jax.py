"""Make the trainings of the experiments in JAX: many networks of one shape side by side, in minutes on a GPU.

    python experiments/on_jax.py FOLDER [--groups GROUP ...]

``FOLDER`` holds ``plans.json`` and ``texts.npz``, as ``trainings.py`` writes them. The plans of a group differ only in
what a number can say - rate, dropout, weight decay, seed, passes, whether the state is carried - and are trained
together; their outcomes are written to ``FOLDER/made`` when the last of them is done. Weights are those of
``build_model``, in the order of ``get_weights()``, drawn from the distributions that Keras draws from, unless
``FOLDER/initial.npz`` holds those of a plan; a GRU's recurrent product comes before the reset gate, as in Keras.

It needs JAX and optax and nothing of this project, which runs on TensorFlow. Float32 products may be rounded to
TF32 on a GPU.
"""

import argparse
import json
import time as clock
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

GATES = {"rnn": 1, "gru": 3, "lstm": 4}
CLIP_NORM = 5.0
EPSILON = 1e-7  # Keras's
WARM_UP = 500  # characters that each of several rows reads before it is scored, as in ``evaluate``
UNROLL = 8  # steps through time that are compiled into one piece
BETA_1 = 0.9
BETA_2 = 0.999
CLIP = optax.clip_by_global_norm(CLIP_NORM)


def draw_weights(key, vocab_size, model):
    """Return new weights in the order of ``get_weights()``, drawn as Keras draws them."""
    cell, units, num_layers, embedding_dim = (model[name] for name in ("cell", "units", "num_layers", "embedding_dim"))
    keys = iter(jax.random.split(key, 2 * num_layers + 2))
    glorot = jax.nn.initializers.glorot_uniform()
    weights = [jax.random.uniform(next(keys), (vocab_size, embedding_dim), minval=-0.05, maxval=0.05)]
    width = embedding_dim
    for _ in range(num_layers):
        columns = GATES[cell] * units
        weights.append(glorot(next(keys), (width, columns)))
        weights.append(jax.nn.initializers.orthogonal()(next(keys), (units, columns)))
        bias = jnp.zeros((2, columns) if cell == "gru" else columns)
        if cell == "lstm":
            bias = bias.at[units : 2 * units].set(1.0)  # of the forget gate
        weights.append(bias)
        width = units
    weights.append(glorot(next(keys), (units, vocab_size)))
    weights.append(jnp.zeros(vocab_size))
    return weights


def step(cell, x, a, state):
    """Return the new state from the parts of the sums that come from the input and from the state, both with biases."""
    if cell == "rnn":
        return (jnp.tanh(x + a),)
    if cell == "gru":
        xz, xr, xh = jnp.split(x, 3, -1)
        az, ar, ah = jnp.split(a, 3, -1)
        z = jax.nn.sigmoid(xz + az)
        candidate = jnp.tanh(xh + jax.nn.sigmoid(xr + ar) * ah)
        return (z * state[0] + (1 - z) * candidate,)
    i, f, candidate, o = jnp.split(x + a, 4, -1)
    memory = jax.nn.sigmoid(f) * state[1] + jax.nn.sigmoid(i) * jnp.tanh(candidate)
    return (jax.nn.sigmoid(o) * jnp.tanh(memory), memory)


def product(dtype, left, right):
    """Return a matrix product whose factors are rounded to ``dtype``, summed in float32."""
    return jnp.matmul(left.astype(dtype), right.astype(dtype), preferred_element_type=jnp.float32)


@partial(jax.custom_vjp, nondiff_argnums=(0, 1))
def scan_layer(cell, dtype, xs, kernel, bias, state):
    """Return the states before every step, and the last one.

    Parameters
    ----------
    cell : str
    dtype : str
        Of the factors of the recurrent product.
    xs : jax.Array
        What comes from the input, ``(time, batch, gates * units)``.
    kernel, bias : jax.Array
        Of the recurrent product.
    state : tuple of jax.Array
        ``(batch, units)`` each.
    """

    rounded = kernel.astype(dtype)

    def advance(state, x):
        return step(cell, x, product(dtype, state[0], rounded) + bias, state), state

    last, before = jax.lax.scan(advance, state, xs, unroll=UNROLL)
    return before, last


def _scan_forward(cell, dtype, xs, kernel, bias, state):
    before, last = scan_layer(cell, dtype, xs, kernel, bias, state)
    return (before, last), (xs, kernel, bias, before)


def _scan_backward(cell, dtype, kept, gradients):
    xs, kernel, bias, before = kept
    of_before, of_last = gradients
    sums = product(dtype, before[0], kernel) + bias
    turned = kernel.T.astype(dtype)

    def go_back(of_state, inputs):
        x, a, state, also = inputs
        _, pull = jax.vjp(partial(step, cell), x, a, state)
        of_x, of_a, of_previous = pull(of_state)
        of_h = of_previous[0] + product(dtype, of_a, turned)
        of_previous = (of_h, *of_previous[1:])
        return jax.tree.map(jnp.add, of_previous, also), (of_x, of_a)

    of_state, (of_xs, of_sums) = jax.lax.scan(
        go_back, of_last, (xs, sums, before, of_before), reverse=True, unroll=UNROLL
    )
    read_before = before[0].reshape(-1, before[0].shape[-1])
    of_kernel = product(dtype, read_before.T, of_sums.reshape(-1, of_sums.shape[-1]))
    return of_xs, of_kernel, of_sums.sum((0, 1)), of_state


scan_layer.defvjp(_scan_forward, _scan_backward)


def read(model, weights, ids, states, dropout=None, key=None):
    """Return the logits ``(time, batch, vocab)`` after every id of ``ids`` ``(time, batch)``, and the new states."""
    vocab_size = weights[0].shape[0]
    cell = model["cell"]
    dtype = model["recurrent_dtype"]
    x = jax.nn.one_hot(ids, vocab_size) @ weights[0]
    new_states = []
    for number, state in enumerate(states):
        kernel, recurrent_kernel, bias = weights[1 + 3 * number : 4 + 3 * number]
        of_input, of_state = bias if cell == "gru" else (bias, jnp.zeros_like(bias))
        xs = product(dtype, x, kernel) + of_input
        before, last = scan_layer(cell, dtype, xs, recurrent_kernel, of_state, state)
        x = jnp.concatenate([before[0][1:], last[0][None]])
        new_states.append(last)
        if dropout is not None:
            kept = jax.random.uniform(jax.random.fold_in(key, number), x.shape) >= dropout
            x = jnp.where(kept, x / (1 - dropout), 0)
    return x @ weights[-2] + weights[-1], new_states


def nats_of(logits, targets):
    """Return -ln p of the targets."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets)


def zeros(model, rows):
    """Return the state before the first character."""
    parts = 2 if model["cell"] == "lstm" else 1
    return [tuple(jnp.zeros((rows, model["units"])) for _ in range(parts)) for _ in range(model["num_layers"])]


def make_pass(shared):
    """Return a function that trains one network for one pass, and is to be mapped over many."""
    model = shared["model"]
    time = shared["shape"]["time"]
    empty = zeros(model, shared["shape"]["batch_size"])

    def loss_of(weights, inputs, targets, states, dropout, key):
        logits, states = read(model, weights, inputs, states, dropout, key)
        return nats_of(logits, targets).mean(), states

    def train_pass(learner, ids, settings):
        """Take a learner and its ids ``(batch, characters of a row + 1)``; return it with the mean loss."""

        def train_step(carried, number):
            weights, moments, states, done = carried
            window = jax.lax.dynamic_slice_in_dim(ids, number * time, time + 1, 1).T
            states = jax.tree.map(lambda x: jnp.where(settings["carry"], x, 0), states)
            key = jax.random.fold_in(settings["key"], done)
            values = jax.value_and_grad(loss_of, has_aux=True)
            (loss, states), gradients = values(weights, window[:-1], window[1:], states, settings["dropout"], key)
            gradients, _ = CLIP.update(gradients, CLIP.init(weights))
            updates, moments = adam(gradients, moments, done + 1)
            share = jnp.minimum(done / settings["steps"], 1)
            rate = settings["rate"] * jnp.where(settings["cosine"], (1 + jnp.cos(jnp.pi * share)) / 2, 1)
            rate = jnp.where(done < settings["steps"], rate, 0)
            decays = [0 if is_bias(model, place) else settings["weight_decay"] for place in range(len(weights))]
            weights = [w - rate * (u + d * w) for w, u, d in zip(weights, updates, decays, strict=True)]
            return (weights, moments, states, done + 1), loss

        weights, moments, done = learner
        steps = (ids.shape[1] - 1) // time
        start = (weights, moments, empty, done)
        (weights, moments, _, done), losses = jax.lax.scan(train_step, start, jnp.arange(steps))
        return (weights, moments, done), losses.mean()

    return train_pass


def is_bias(model, place):
    """Whether the weights at a place of ``get_weights()`` are biases, which do not decay."""
    layers = 3 * model["num_layers"]
    return place == layers + 2 or (1 <= place <= layers and place % 3 == 0)


def adam(gradients, moments, steps):
    """Return Adam's updates for a rate of 1 after so many steps, epsilon where Keras has it, and the new means."""
    means = [BETA_1 * mean + (1 - BETA_1) * g for (mean, _), g in zip(moments, gradients, strict=True)]
    squares = [BETA_2 * square + (1 - BETA_2) * g**2 for (_, square), g in zip(moments, gradients, strict=True)]
    scale = jnp.sqrt(1 - BETA_2**steps) / (1 - BETA_1**steps)
    updates = [scale * mean / (jnp.sqrt(square) + EPSILON) for mean, square in zip(means, squares, strict=True)]
    return updates, list(zip(means, squares, strict=True))


def cut_rows(ids, batch_size, time):
    """Return the ids of contiguous batches, ``(batch_size, characters of a row + 1)``; the last is only a target."""
    stretch = (len(ids) - 1) // (batch_size * time) * time
    starts = np.arange(batch_size)[:, None] * stretch
    return ids[starts + np.arange(stretch + 1)]


class Reader:
    """Scores the texts of a group with the weights of all its networks at once."""

    def __init__(self, model):
        self.model = model
        self.calls = {}

    def nats(self, weights, windows, states):
        """Return -ln p ``(networks, rows, time)`` of windows ``(networks, rows, time + 1)``, and the new states."""

        def score(weights, window, states):
            logits, states = read(self.model, weights, window[:, :-1].T, states)
            return nats_of(logits, window[:, 1:].T).T, states

        shape = windows.shape[1:]
        if shape not in self.calls:
            self.calls[shape] = jax.jit(jax.vmap(score))
        return self.calls[shape](weights, jnp.asarray(windows), states)

    def zeros(self, networks, rows):
        """Return states of many networks."""
        one = zeros(self.model, rows)
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (networks, *x.shape)), one)

    def score(self, weights, texts, scoring):
        """Return what ``score_text`` of ``trainings.py`` returns, for every network."""
        if scoring["way"] == "carried":
            return self.carried(weights, texts, scoring["rows"])
        if scoring["way"] == "windows":
            return self.windows(weights, texts, scoring["time"])
        return self.random(weights, texts, scoring)

    def carried(self, weights, texts, rows):
        """Return -ln p ``(networks, n - 1)`` with the state carried, several rows after a warm-up each."""
        number = texts.shape[0]
        length = texts.shape[1] - 1
        rows = min(rows, max(1, length // WARM_UP))
        stretch = -(-length // rows)
        chunks = -(-stretch // WARM_UP)
        padded = np.pad(texts, ((0, 0), (WARM_UP, rows * stretch + WARM_UP * chunks - length)), mode="edge")
        starts = np.arange(rows)[:, None] * stretch
        states = self.zeros(number, rows)
        parts = []
        for chunk in range(chunks + 1):
            windows = padded[:, starts + chunk * WARM_UP + np.arange(WARM_UP + 1)]
            nats, states = self.nats(weights, windows, states)
            if chunk == 0:
                states = jax.tree.map(lambda x: x.at[:, 0].set(0), states)
            else:
                parts.append(np.asarray(nats))
        return np.concatenate(parts, 2)[:, :, :stretch].reshape(number, -1)[:, :length]

    def windows(self, weights, texts, time):
        """Return -ln p ``(networks, windows, time)``, each window read from a zero state."""
        number = (texts.shape[1] - 1) // time
        return self.from_zeros(weights, texts, np.arange(number) * time, time)

    def from_zeros(self, weights, texts, starts, time, rows=128):
        """Return -ln p of windows that begin at ``starts``."""
        padded = np.pad(starts, (0, -len(starts) % rows), mode="edge")
        states = self.zeros(len(texts), rows)
        parts = []
        for some in padded.reshape(-1, rows):
            nats, _ = self.nats(weights, texts[:, some[:, None] + np.arange(time + 1)], states)
            parts.append(np.asarray(nats))
        return np.concatenate(parts, 1)[:, : len(starts)]

    def random(self, weights, texts, scoring):
        """Return the mean loss of batches of windows at random places, ``(networks, draws)``."""
        rows = scoring["rows"]
        time = scoring["time"]
        draw = np.random.default_rng(0)
        starts = [draw.integers(0, texts.shape[1] - time, rows) for _ in range(scoring["draws"])]
        nats = self.from_zeros(weights, texts, np.concatenate(starts), time)
        return nats.reshape(len(texts), scoring["draws"], -1).mean(2)


def text_of(texts, plan, part, start, stop):
    """Return a stretch of a text as ids."""
    name = "-".join(str(plan[key]) for key in ("corpus", "characters", "held_out"))
    return texts[f"{name}-{part}"][start:stop].astype(np.int32)


def train_together(plans, texts, initial):
    """Train plans that share a shape, and return for each what ``make`` of ``trainings.py`` returns."""
    begun = clock.monotonic()
    shared = plans[0]
    learned = []
    for plan in plans:
        part, start, stop = plan["learn"]
        learned.append(text_of(texts, plan, part, start, stop))
    ids = jnp.asarray(np.stack([cut_rows(each, **shared["shape"]) for each in learned]))
    steps = (ids.shape[2] - 1) // shared["shape"]["time"]
    learner, settings = begin(plans, size_of(texts, shared), steps, initial)
    train_pass = jax.jit(jax.vmap(make_pass(shared)), donate_argnums=0)
    watch = Watch(plans, texts)
    losses = []
    for done in range(1, max(plan["epochs"] for plan in plans) + 1):
        learner, loss = train_pass(learner, ids, settings)
        losses.append(np.asarray(loss))
        watch.notice(done, learner[0])
        print(done, f"{clock.monotonic() - begun:.0f} s", losses[-1].round(3), flush=True)
    scores, kept = watch.score_all(learner[0])
    scores_best = watch.score_all(watch.best)[0] if shared["keep_best"] else [{} for _ in plans]
    minutes = (clock.monotonic() - begun) / 60 / len(plans)
    outcomes = []
    for place, plan in enumerate(plans):
        outcome = {
            "parameters": int(sum(np.prod(each.shape[1:]) for each in learner[0])),
            "train": [round(float(each[place]), 4) for each in losses[: plan["epochs"]]],
            "watched": watch.losses_of(place),
            "best_pass": int(watch.best_pass[place]),
            "scores": scores[place],
            "scores_best": scores_best[place],
            "minutes": round(minutes, 3),
            "machine": {
                "processor": jax.devices()[0].device_kind,
                "jax": jax.__version__,
                "networks_at_a_time": len(plans),
            },
        }
        arrays = {name: nats for name, nats in kept[place].items() if name in plan["kept"]}
        if "weights" in plan["kept"]:
            arrays |= {f"weights-{index}": np.asarray(each[place]) for index, each in enumerate(learner[0])}
        outcomes.append((outcome, arrays))
    return outcomes


def size_of(texts, plan):
    """Return the number of characters of a plan's vocabulary."""
    return max(int(text_of(texts, plan, part, None, None).max()) for part in ("train", "test")) + 1


def begin(plans, vocab_size, steps, initial):
    """Return what learns - weights, Adam's means, steps done - and the settings in which the plans differ."""
    settings = {
        "rate": [plan["rate"] for plan in plans],
        "dropout": [plan["model"]["dropout"] for plan in plans],
        "weight_decay": [plan["weight_decay"] for plan in plans],
        "cosine": [plan["decay"] == "cosine" for plan in plans],
        "carry": [plan["carry"] for plan in plans],
        "steps": [float(plan["epochs"] * steps) for plan in plans],
    }
    settings = {key: jnp.asarray(values) for key, values in settings.items()}
    keys = jax.vmap(jax.random.key)(jnp.asarray([plan["seed"] for plan in plans]))
    settings["key"] = jax.vmap(partial(jax.random.fold_in, data=1))(keys)
    weights = jax.jit(jax.vmap(partial(draw_weights, vocab_size=vocab_size, model=plans[0]["model"])))(keys)
    if f"{plans[0]['name']}/0" in initial:
        places = range(len(weights))
        weights = [jnp.stack([initial[f"{plan['name']}/{place}"] for plan in plans]) for place in places]
    moments = [(jnp.zeros_like(each), jnp.zeros_like(each)) for each in weights]
    return (weights, moments, jnp.zeros(len(plans), jnp.int32)), settings


class Watch:
    """Scores the texts of plans after passes and at the end, and keeps the weights of each one's best pass."""

    def __init__(self, plans, texts):
        self.plans = plans
        self.texts = texts
        self.reader = Reader(plans[0]["model"])
        self.losses = {name: [] for name in plans[0]["watch"]}
        self.passes = np.array([plan["epochs"] for plan in plans])
        self.best = None
        self.best_pass = np.zeros(len(plans), int)
        self.least = np.full(len(plans), np.inf)

    def losses_of(self, place):
        """Return the losses of a plan by name, for as long as it was trained."""
        plan = self.plans[place]
        number = plan["epochs"] // plan["every"]
        return {name: [float(each[place]) for each in losses[:number]] for name, losses in self.losses.items()}

    def notice(self, done, weights):
        """Score after a pass."""
        if done % self.plans[0]["every"]:
            return
        for name, how in self.plans[0]["watch"].items():
            nats = self.reader.score(weights, self.stack(how), how)
            self.losses[name].append(nats.reshape(len(nats), -1).mean(1, dtype=np.float64))
        if not self.plans[0]["keep_best"]:
            return
        seen = self.losses["validation"][-1]
        better = (seen < self.least) & (done <= self.passes)
        self.least = np.where(better, seen, self.least)
        self.best_pass = np.where(better, done, self.best_pass)
        older = weights if self.best is None else self.best
        self.best = jax.tree.map(jnp.copy, choose(better, weights, older))

    def stack(self, how):
        """Return the text that is scored, for every plan: ``(plans, characters)``."""
        return np.stack([text_of(self.texts, plan, how["part"], how["start"], how["stop"]) for plan in self.plans])

    def score_all(self, weights):
        """Return the mean losses by name, and those of every character, for every plan."""
        means = [{} for _ in self.plans]
        kept = [{} for _ in self.plans]
        for name, how in self.plans[0]["score"].items():
            for place, nats in enumerate(self.reader.score(weights, self.stack(how), how)):
                means[place][name] = float(nats.mean(dtype=np.float64))
                kept[place][name] = nats
        return means, kept


def choose(better, new, old):
    """Return the new weights of those networks that got better, the old ones of the others."""

    def pick(one, other):
        of_every_weight = jnp.expand_dims(better, tuple(range(1, one.ndim)))
        return jnp.where(of_every_weight, one, other)

    return jax.tree.map(pick, new, old)


def main():
    """Train one group of plans after another."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--groups", nargs="+", metavar="GROUP", help="by default all")
    options = parser.parse_args()
    texts = dict(np.load(options.folder / "texts.npz"))
    initial = options.folder / "initial.npz"
    initial = dict(np.load(initial)) if initial.exists() else {}
    groups = json.loads((options.folder / "plans.json").read_text())
    made = options.folder / "made"
    made.mkdir(exist_ok=True)
    for group in options.groups or groups:
        print(group, flush=True)
        outcomes = train_together(groups[group], texts, initial)
        for plan, (outcome, arrays) in zip(groups[group], outcomes, strict=True):
            if arrays:
                np.savez(made / f"{plan['name']}.npz", **arrays)
            (made / f"{plan['name']}.json").write_text(json.dumps({"plan": plan, "outcome": outcome}))


if __name__ == "__main__":
    main()
