"""How often does clipping act in the older tutorials' trainings, on which variables, and does it change the loss?

    python experiments/clipping.py [--seeds 0 1 ...]

S000 cuts every entry of a gradient to between -5 and 5; S001 scales all gradients down when their global norm is above
5. A network of two LSTM layers learns the beginning of Anna Karenina in four ways: without clipping, as S000 does, as
S001 does, and with a global norm of 0.5, which acts much more often. Learning rate, dropout and batches are those of
each source, but for S000's 100 rows, which are 20 here, so that a short text gives more steps. At every step the
largest entry of every variable's gradient and the global norm are kept, before clipping.
"""

from functools import partial

import keras
import numpy as np
import tensorflow as tf
from common import ROWS, Experiment, in_words, load_parts, paired_difference, seeds_from_command_line

from charlm_utils.batching import contiguous_batches
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.training import set_seed

WAYS = {
    "none": {},
    "value 5": {"clipvalue": 5.0},
    "global norm 5": {"global_clipnorm": 5.0},
    "global norm 0.5": {"global_clipnorm": 0.5},
}
RATES = {"S000": 0.001, "S001": 0.01}
SHAPES = {"S000": (20, 100), "S001": (10, 50)}  # rows and columns of a batch
DROPOUT = {"S000": 0.0, "S001": 0.5}
PASSES = {"S000": 6, "S001": 3}
MODEL = {"cell": "lstm", "units": 128, "num_layers": 2, "embedding_dim": 64, "fast": True}
CHARACTERS = 300_000  # of Anna Karenina; the last tenth of them is held out
SETTINGS = {
    "corpus": "anna",
    "characters": CHARACTERS,
    "model": MODEL,
    "shapes": SHAPES,
    "dropout": DROPOUT,
    "passes": PASSES,
    "ways": WAYS,
    "rates": RATES,
}
CHAPTER = "06_placeholders_vs_eager"


def load_text():
    """Return the :class:`Parts` of the beginning of Anna Karenina."""
    return load_parts("anna", CHARACTERS)


def compiled_step(network, optimizer):
    """Return a step: inputs, targets and states in; new states, the global norm and the largest entries out.

    A gradient's embedding is made dense first. What is returned is measured before the optimizer clips.
    """
    optimizer.build(network.trainable_variables)

    @tf.function
    def step(inputs, targets, states):
        with tf.GradientTape() as tape:
            logits, states = forward(network, inputs, states, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        gradients = [tf.convert_to_tensor(each) for each in tape.gradient(loss, network.trainable_variables)]
        optimizer.apply(gradients)
        largest = tf.stack([tf.reduce_max(tf.abs(each)) for each in gradients])
        return states, tf.linalg.global_norm(gradients), largest

    return step


def train_and_score(source, way, seed):
    """Train at the rate of one of the tutorials, and count how often each kind of clipping would act."""
    parts = load_text()
    set_seed(seed)
    network = build_model(len(parts.vocabulary), dropout=DROPOUT[source], **MODEL)
    step = compiled_step(network, keras.optimizers.Adam(RATES[source], **WAYS[way]))
    norms = []
    largest = []
    for _ in range(PASSES[source]):
        states = zero_states(network, SHAPES[source][0])
        for inputs, targets in contiguous_batches(parts.train, *SHAPES[source]):
            states, norm, entries = step(tf.constant(inputs, tf.int32), tf.constant(targets, tf.int32), states)
            norms.append(norm.numpy())
            largest.append(entries.numpy())
    highest = np.max(largest, axis=0)  # (variables,)
    return {
        "source": source,
        "way": way,
        "nats": evaluate(network, parts.test, ROWS),
        "steps": len(norms),
        "above_value_5": float(np.mean(np.max(largest, axis=1) > 5)),
        "above_norm_5": float(np.mean(np.array(norms) > 5)),
        "above_norm_0.5": float(np.mean(np.array(norms) > 0.5)),
        "norm_quantiles": [float(q) for q in np.quantile(norms, [0, 0.25, 0.5, 0.75, 0.99, 1])],
        "variables": ", ".join(variable.path for variable in network.trainable_variables),
        "largest_entries": [float(entry) for entry in highest],  # in the order of the variables
    }


def conclude(results):
    """Return the answer and the effect."""
    shares = []
    said = []
    effects = []
    for source in RATES:
        rows = [row for row in results if row["arm"] == f"none, rate of {source}"]
        value = np.mean([row["above_value_5"] for row in rows])
        norm = np.mean([row["above_norm_5"] for row in rows])
        shares.append(f"at {source}'s rate value clipping in {value:.1%} of the steps and the norm in {norm:.1%}")
        for way in ("value 5", "global norm 5", "global norm 0.5"):
            arms = (f"{way}, rate of {source}", f"none, rate of {source}")
            change, error, seeds = paired_difference(results, *arms, "nats")
            effects.append(f"{arms[0]} {change:+.4f} ± {error:.4f}")
            if way != "global norm 0.5" and max(value, norm) > 0:
                said.append(f"{arms[0]} {in_words(change, error, seeds)}")
    answer = f"It would act {' and '.join(shares)}; the loss against no clipping: {'; '.join(said) or 'the same'}."
    return answer, f"clipped minus not: {'; '.join(effects)} nats (standard error over {seeds} paired seeds)"


def main():
    """Train at both rates, in every way."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    for source in RATES:
        for seed in seeds:
            for way in WAYS:
                arm = f"{way}, rate of {source}"
                experiment.measure(arm, seed, partial(train_and_score, source, way, seed))
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
