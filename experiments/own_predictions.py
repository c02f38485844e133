"""Does feeding a network its own predictions in training make it guess, or write, better?

    python experiments/own_predictions.py [--seeds 0 1 ...]

In training a network reads the true text, which is called teacher forcing; when it writes, it reads what it wrote. With
scheduled sampling (Bengio et al. 2015) a share of the characters that it reads in training are its own, drawn from its
prediction at temperature 1, and the targets stay true. The share rises linearly from 0 to 0.1 or to 0.3. The inputs of
a window are written step by step, each true or drawn, from the state that the steps before it left; then an ordinary
training step reads them. No gradient goes through the draws, so this is scheduled sampling itself and not one of its
parallel approximations. Only the first character of a window is always true.

A GRU learns the text before the validation text. The rate of each arm is chosen on the validation text, by the
teacher-forced loss with the seed 0. Every seed is scored on the last tenth, teacher-forced. Then it writes 100 texts at
temperature 1, which are scored by a Kneser-Ney model that has counted the last tenth: no network has seen it, so a text
gains nothing by being copied from the training text. A low loss under counts is no merit by itself, since a network
that is too sure writes likelier text than Shakespeare. So the loss of true text, the validation text, stands beside it,
and so does the loss of the written text under the network that wrote it, which says how sure that is.
"""

from functools import cache, partial

import keras
import numpy as np
import tensorflow as tf
from common import (
    Experiment,
    choose_and_measure,
    in_words,
    load_parts,
    mean_and_error,
    paired_difference,
    seeds_from_command_line,
)

from charlm_utils.batching import contiguous_batches
from charlm_utils.evaluation import evaluate, nats_in_windows
from charlm_utils.models import build_model, prepare_steps, step, zero_states
from charlm_utils.ngrams import NgramModel
from charlm_utils.sampling import generate
from charlm_utils.training import compiled_step, cosine_decay, set_seed

PLAIN = "teacher forcing"
SHARES = {PLAIN: 0.0, "own share to 0.1": 0.1, "own share to 0.3": 0.3}
MODEL = {"cell": "gru", "units": 128, "embedding_dim": 64, "fast": True}
SHAPE = {"batch_size": 32, "time": 64, "epochs": 4}
LEARNED = 900_000  # characters, the first ones; the validation text comes after them
FIRST_RATE = 0.006
CLIP_NORM = 5.0
ROWS = 64  # side by side when a text is scored
TEXTS = 100
LENGTH = 1000  # characters of each
ORDER = 6  # of the counts: the one with which the last tenth guesses the validation text best
SETTINGS = {
    "corpus": "shakespeare",
    "shares": SHARES,
    "model": MODEL,
    "shape": SHAPE,
    "learned": LEARNED,
    "first_rate": FIRST_RATE,
    "clip_norm": CLIP_NORM,
    "rows": ROWS,
    "texts": TEXTS,
    "length": LENGTH,
    "order": ORDER,
}
CHAPTER = "10_gradient_tape"


def mix(network, inputs, states, share, seed):
    """Return the inputs of a window in which a share of the characters are drawn by the network itself.

    Parameters
    ----------
    network : keras.Model
        As ``build_model`` returns it.
    inputs : tf.Tensor
        True ids ``(batch, time)``.
    states : list
        Before the first of them.
    share : tf.Tensor
        Of the characters that are drawn, the first ones of the rows apart, which stay.
    seed : tf.Tensor
        Two integers.
    """
    rows, time = inputs.shape
    is_own = tf.random.stateless_uniform((time, rows), seed) < share
    uniform = tf.random.stateless_uniform((time, rows, network.output_shape[-1]), seed + 1, minval=1e-20)
    noise = -tf.math.log(-tf.math.log(uniform))  # the largest logit plus noise is drawn from the softmax
    prepared = prepare_steps(network)
    read = [inputs[:, 0]]
    for t in range(1, time):
        logits, states = step(network, read[-1], states, prepared)
        drawn = tf.argmax(logits + noise[t], axis=-1, output_type=tf.int32)
        read.append(tf.where(is_own[t], drawn, inputs[:, t]))
    return tf.stack(read, axis=1)


def fit_share(share, rate, seed):
    """Return a network that was trained with a share of its own characters, which rises linearly from 0."""
    parts = load_parts()
    ids = parts.train[:LEARNED]
    set_seed(seed)
    network = build_model(len(parts.vocabulary), **MODEL)
    optimizer = keras.optimizers.Adam(cosine_decay(rate, len(ids), **SHAPE))
    learn = compiled_step(network, optimizer, CLIP_NORM)
    mixed = tf.function(partial(mix, network))
    batches = list(contiguous_batches(ids, SHAPE["batch_size"], SHAPE["time"]))
    total = SHAPE["epochs"] * len(batches)
    done = 0
    for _ in range(SHAPE["epochs"]):
        states = zero_states(network, SHAPE["batch_size"])
        losses = []
        for inputs, targets in batches:
            inputs = tf.constant(inputs, tf.int32)
            if share:
                now = tf.constant(share * done / total, tf.float32)
                inputs = mixed(inputs, states, now, tf.constant([seed, 2 * done]))
            loss, states = learn(inputs, tf.constant(targets, tf.int32), states)
            losses.append(loss)
            done += 1
        if not np.isfinite(np.mean(losses)):
            raise ValueError("the loss is no number: lower the learning rate")
    return network


@cache
def counts():
    """Return the counts of the last tenth."""
    parts = load_parts()
    return NgramModel(ORDER).fit(parts.test, len(parts.vocabulary))


def counted(texts):
    """Return the loss under the counts of every character of texts but their first, ids ``(texts, length)``."""
    return np.array([-np.log(counts().target_probabilities(text)) for text in texts])


def write(network, seed):
    """Return texts that a network writes after a newline at temperature 1, ids ``(texts, 1 + length)``."""
    vocabulary = load_parts().vocabulary
    texts = generate(network, vocabulary, "\n", LENGTH, seed=seed, num_samples=TEXTS)
    return np.array([vocabulary.encode(text) for text in texts])


def try_rate(share, rate):
    """Score the validation text, teacher-forced."""
    return {"validation": evaluate(fit_share(share, rate, seed=0), load_parts().validation, ROWS)}


def train_and_score(share, rate, seed):
    """Train, score the last tenth teacher-forced, and score what the network writes."""
    network = fit_share(share, rate, seed)
    written = write(network, seed)
    nats = counted(written)
    own = [float(nats_in_windows(network, text, LENGTH).mean()) for text in written]
    return {
        "rate": rate,
        "nats": evaluate(network, load_parts().test, ROWS),
        "counted": float(nats.mean()),
        "counted_error": float(nats.mean(axis=1).std(ddof=1) / np.sqrt(TEXTS)),
        "counted_by_tenth": [float(part.mean()) for part in np.array_split(nats, 10, axis=1)],
        "own": float(np.mean(own)),
    }


def measure_text():
    """Return the loss of the validation text under the counts, and its error over stretches of equal length."""
    ids = load_parts().validation
    texts = ids[: len(ids) // (LENGTH + 1) * (LENGTH + 1)].reshape(-1, LENGTH + 1)
    nats = counted(texts)
    return {"counted": float(nats.mean()), "counted_error": float(nats.mean(axis=1).std(ddof=1) / np.sqrt(len(texts)))}


def conclude(results):
    """Return the answer and the effect."""
    (text,) = [row["counted"] for row in results if row["arm"] == "true text"]
    level, _, _ = mean_and_error(results, PLAIN, "nats")
    written, _, _ = mean_and_error(results, PLAIN, "counted")
    said = []
    effects = []
    for arm, share in SHARES.items():
        if arm == PLAIN:
            continue
        forced, forced_error, seeds = paired_difference(results, arm, PLAIN, "nats")
        judged, judged_error, _ = paired_difference(results, arm, PLAIN, "counted")
        said.append(
            f"with a share up to {share}, teacher-forced, {in_words(forced, forced_error, seeds)}, and for the written "
            f"text under counts {in_words(judged, judged_error, seeds)}"
        )
        effects.append(
            f"up to {share}: {forced:+.3f} ± {forced_error:.3f} forced, {judged:+.3f} ± {judged_error:.3f} written"
        )
    answer = (
        f"Against plain training ({level:.3f} nats on the last tenth; its text has {written:.3f} nats under counts, "
        f"true text {text:.3f}): {'; '.join(said)}."
    )
    return answer, f"minus plain: {'; '.join(effects)} nats (standard error over {seeds} paired seeds)"


def main():
    """Choose a rate for every share, then train and score every seed."""
    seeds = seeds_from_command_line(__doc__, [0, 1, 2, 3, 4])
    experiment = Experiment(__file__, __doc__, chapter=CHAPTER, settings=SETTINGS)
    experiment.measure("true text", None, measure_text)
    for arm, share in SHARES.items():
        attempt = partial(try_rate, share)
        call = partial(train_and_score, share)
        choose_and_measure(experiment, arm, FIRST_RATE, attempt, call, seeds)
    experiment.conclude(conclude)


if __name__ == "__main__":
    main()
