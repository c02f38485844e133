"""What the experiments share: the text and its parts, training, scoring, and a file of results that grows."""

import argparse
import json
import math
import time as clock
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.corpora import load_corpus, split_corpus
from charlm_utils.evaluation import nats_per_position
from charlm_utils.files import bundled_data_dir, write_atomically
from charlm_utils.metrics import block_error
from charlm_utils.models import build_model, zero_states
from charlm_utils.ngrams import NgramModel
from charlm_utils.reproduce import PREPARATIONS
from charlm_utils.runs import describe_machine, load_run
from charlm_utils.training import compiled_step, cosine_decay, set_seed, train
from charlm_utils.vocabulary import Vocabulary

WINDOW = 256  # characters, as nanoGPT samples them
ROWS = 64  # side by side when a text is scored with the state carried
MOST_RATES = 9  # learning rates that are tried before an experiment gives up
DETECTED = {2: 12.7, 3: 4.3, 4: 3.2, 5: 2.8}  # seeds, and the standard errors that a two-sided t-test at 5 % asks for


@dataclass(frozen=True)
class Parts:
    """A text as the experiments cut it; choices are made on ``validation``, and ``test`` is scored last.

    Attributes
    ----------
    vocabulary : Vocabulary
        Of the whole text.
    train_text, test_text : str
        Nine tenths, and the tenth that is held out.
    train, test : numpy.ndarray
        The same as ids.
    learned, validation : numpy.ndarray
        The first nine tenths of ``train`` and its last.
    """

    vocabulary: Vocabulary
    train_text: str
    test_text: str
    train: np.ndarray
    test: np.ndarray
    learned: np.ndarray
    validation: np.ndarray


@cache
def load_parts(corpus="shakespeare", characters=None, *, preparation="none", held_out="last"):
    """Return the :class:`Parts` of a text.

    Parameters
    ----------
    corpus : str
        A name of ``list_corpora()``.
    characters : int, optional
        How many are used, the first ones; by default all.
    preparation : str
        A key of ``PREPARATIONS``: what is done to the text first.
    held_out : {"last", "first"}
        The tenth that is the test text.

    Raises
    ------
    ValueError
        As ``load_corpus`` does.
    """
    text = PREPARATIONS[preparation](load_corpus(corpus))[:characters]
    vocabulary = Vocabulary.from_text(text)
    if held_out == "last":
        train_text, test_text = split_corpus(text)
    else:
        test_text, train_text = split_corpus(text, (0.1, 0.9))
    train_ids = vocabulary.encode(train_text)
    learned, validation = split_corpus(train_ids)
    return Parts(vocabulary, train_text, test_text, train_ids, vocabulary.encode(test_text), learned, validation)


def choose_rate(experiment, arm, rate, call, factor=2.0):
    """Return the learning rate with the lowest validation loss, between two worse ones.

    The first rate and its two neighbors are tried with the seed 0, and further ones on the better side for as long as
    the best is the outermost.

    Parameters
    ----------
    experiment : Experiment
        Where the losses are kept, as arms ``"<arm> at <rate>"``.
    arm : str
        What the rate is for.
    rate : float
        The first one.
    call : callable
        Takes a rate and returns a dict with ``validation``, nats per character. If the training diverges, ``train``
        raises a ``ValueError``, which counts as the worst rate.
    factor : float
        Between two rates.

    Raises
    ------
    ValueError
        If the best of ``MOST_RATES`` rates is still the outermost.
    """
    losses = {}

    def attempt(rate):
        try:
            return call(rate)
        except ValueError as error:
            if "lower the learning rate" not in str(error):
                raise
            return {"validation": None}

    def loss_at(step):
        if step not in losses:
            tried = float(f"{rate * factor**step:.2g}")
            result = experiment.measure(f"{arm} at {tried:g}", 0, lambda: {"rate": tried} | attempt(tried))
            losses[step] = (math.inf if result["validation"] is None else result["validation"], tried)
        return losses[step]

    best = 0
    while len(losses) <= MOST_RATES:
        around = sorted((best - 1, best, best + 1), key=loss_at)
        if around[0] == best:
            return losses[best][1]
        best = around[0]
    raise ValueError(f"{arm}: the best of {len(losses)} rates is the outermost, {losses[best][1]:g}")


def choose_and_measure(experiment, arm, rate, attempt, call, seeds):
    """Choose the learning rate of an arm, then measure every seed with it.

    Parameters
    ----------
    experiment, arm, rate
        As in :func:`choose_rate`.
    attempt : callable
        Takes a rate and returns a dict with ``validation``.
    call : callable
        Takes the chosen rate and a seed, and returns the figures of that training.
    seeds : iterable of int
        The seeds.

    Returns
    -------
    float
        The chosen rate.
    """
    chosen = choose_rate(experiment, arm, rate, attempt)
    for seed in seeds:
        experiment.measure(arm, seed, partial(call, chosen, seed))
    return chosen


def fit(ids, model, training, seed):
    """Train a network with Adam, whose rate falls along a cosine, and print its loss after every epoch.

    Parameters
    ----------
    ids : numpy.ndarray
        What it learns, ids of :func:`load_parts`.
    model : dict
        Arguments of ``build_model``.
    training : dict
        ``batch_size``, ``time``, ``epochs``, ``learning_rate``, and ``use_ema``: whether the network gets the moving
        mean of its weights (momentum 0.995) in the end.
    seed : int
        Of the initial weights and of dropout.

    Returns
    -------
    tuple
        The network and the history of ``train``.
    """
    set_seed(seed)
    network = build_model(len(load_parts().vocabulary), **model)
    shape = {key: training[key] for key in ("batch_size", "time", "epochs")}
    rate = cosine_decay(training["learning_rate"], len(ids), **shape)
    optimizer = keras.optimizers.Adam(rate, use_ema=training["use_ema"], ema_momentum=0.995)

    def report(epoch, history):
        print(f"  epoch {epoch}: {history['train'][-1]:.4f} nats, {history['seconds'][-1]:.0f} s", flush=True)

    history = train(network, ids, optimizer=optimizer, on_epoch_end=report, progress=False, **shape)
    if training["use_ema"]:
        optimizer.finalize_variable_values(network.trainable_variables)
    return network, history


def fit_batches(network, passes, optimizer, *, carry, clip_norm=5.0, on_pass_end=None):
    """Train a network on any batches, and not only on the contiguous ones of ``train``.

    Parameters
    ----------
    network : keras.Model
        As ``build_model`` returns it.
    passes : iterable of iterables
        For every pass its batches, pairs of ids ``(batch, time)``: inputs and targets.
    optimizer : keras.optimizers.Optimizer
        New.
    carry : bool
        Whether a batch begins with the state in which the one before it ended; if not, with zeros, as every pass does.
    clip_norm : float or None
        Largest global norm of the gradients.
    on_pass_end : callable, optional
        Called without arguments after every pass.

    Returns
    -------
    list of float
        The mean loss of every pass, while the weights were changing, in nats per character.

    Raises
    ------
    ValueError
        If a mean is no number.
    """
    step = compiled_step(network, optimizer, clip_norm)
    means = []
    for batches in passes:
        losses = []
        states = None
        for inputs, targets in batches:
            if states is None or not carry:
                states = zero_states(network, len(inputs))
            loss, states = step(tf.constant(inputs, tf.int32), tf.constant(targets, tf.int32), states)
            losses.append(loss)
        means.append(float(np.mean([loss.numpy() for loss in losses])))
        if not math.isfinite(means[-1]):
            raise ValueError(f"the mean loss of pass {len(means)} became {means[-1]}: lower the learning rate")
        if on_pass_end is not None:
            on_pass_end()
    return means


def count_order(parts, order):
    """Score counts of one order on the test text, and counts of what precedes it on the validation text."""
    vocab_size = len(parts.vocabulary)
    nats = -np.log(NgramModel(order).fit(parts.train, vocab_size).target_probabilities(parts.test))
    tried = NgramModel(order).fit(parts.learned, vocab_size)
    return {
        "order": order,
        "nats": float(nats.mean()),
        "error": block_error(nats),
        "validation": tried.nats_per_char(parts.validation),
    }


def score_beside_counts(name, parts):
    """Score a recorded run on the same test text, with its state carried."""
    run = load_run(name)
    nats = nats_per_position(run.model, run.vocabulary.encode(parts.test_text))
    return {"nats": float(nats.mean()), "error": block_error(nats)}


def place_among_counts(results):
    """Return the answer and the effect of an experiment that puts one recorded network beside counts."""
    counts = [row for row in results if "order" in row]
    (network,) = [row for row in results if "order" not in row]
    worse = [row["order"] for row in counts if row["nats"] > network["nats"]]
    better = [row["order"] for row in counts if row["nats"] < network["nats"]]
    best = min(counts, key=lambda row: row["validation"])
    answer = (
        f"The network has {network['nats']:.3f} nats on the last tenth; the counts of order "
        f"{', '.join(map(str, worse)) or 'none'} lose more, those of order {', '.join(map(str, better)) or 'none'} "
        f"less; order {best['order']}, chosen on the validation text, has {best['nats']:.3f}."
    )
    gap = network["nats"] - best["nats"]
    effect = f"network minus order {best['order']}: {gap:+.3f} nats; ±{network['error']:.3f} and ±{best['error']:.3f} "
    return answer, effect + "on the two (blocks of 1,000 characters)"


class Experiment:
    """The results of one question, in ``data/experiments/NAME.json``; what is there is not measured again.

    Parameters
    ----------
    script : str or Path
        The script that asks, ``__file__``: its stem is the name.
    doc : str
        Its docstring; the first line is the question.
    chapter : str
        The chapter that shows the results: its file without the ending.
    settings : dict
        All that the results hang on beside arm and seed, in JSON values.
    folder : Path, optional
        Where the file lies; by default that of the book.

    Raises
    ------
    ValueError
        If the file holds results of other settings.
    """

    def __init__(self, script, doc, *, chapter, settings, folder=None):
        name = Path(script).stem
        self.path = (folder or bundled_data_dir() / "experiments") / f"{name}.json"
        self.record = {
            "question": doc.splitlines()[0],
            "answer": None,
            "effect": None,
            "chapter": chapter,
            "settings": json.loads(json.dumps(settings)),
            "results": [],
            "minutes": None,
            "provenance": {"machines": [], "remark": ""},
        }
        if self.path.exists():
            found = json.loads(self.path.read_text(encoding="utf-8"))
            if found["settings"] != self.record["settings"]:
                raise ValueError(f"{self.path} holds results of other settings; move it away to start anew")
            self.record["results"] = found["results"]
            self.record["provenance"] = found["provenance"]

    @property
    def results(self):
        """The single results so far, a list of dict."""
        return self.record["results"]

    def measure(self, arm, seed, call):
        """Return the result of an arm and a seed: what ``call()`` returns, a dict, unless it is recorded already.

        The dict may name the ``machine`` and the ``minutes`` of a training that was made elsewhere.
        """
        title = arm if seed is None else f"{arm}, seed {seed}"
        for result in self.results:
            if result["arm"] == arm and result["seed"] == seed:
                print(f"{title}: recorded", flush=True)
                return result
        print(f"{title} ...", flush=True)
        start = clock.process_time()
        figures = call()
        minutes = round((clock.process_time() - start) / 60, 2)  # of processor time: others may use the machine too
        machine = figures.pop("machine", None) or describe_machine()
        result = {"arm": arm, "seed": seed} | figures | {"minutes": figures.get("minutes", minutes)}
        print(result, flush=True)
        self.results.append(result)
        if machine not in self.record["provenance"]["machines"]:
            self.record["provenance"]["machines"].append(machine)
        self._write()
        return result

    def conclude(self, call):
        """Write what ``call(results)`` returns: the answer in a sentence, and the effect with its uncertainty."""
        self.record["answer"], self.record["effect"] = call(self.results)
        self._write()
        print(self.record["answer"], flush=True)

    def _write(self):
        minutes = [result.get("minutes") for result in self.results]
        self.record["minutes"] = None if None in minutes else round(sum(minutes), 1)
        write_atomically(self.path, json.dumps(self.record, indent=1, ensure_ascii=False) + "\n")


def seeds_from_command_line(doc, seeds):
    """Return the seeds that ``--seeds`` names, by default ``seeds``; ``--help`` prints ``doc``."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds, metavar="SEED")
    return parser.parse_args().seeds


def mean_and_error(results, arm, figure):
    """Return the mean of a figure over the seeds of an arm, its standard error, and the seeds' number."""
    values = [row[figure] for row in results if row["arm"] == arm]
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else np.nan
    return float(np.mean(values)), float(error), len(values)


def paired_difference(results, first, second, figure):
    """Return the mean difference of a figure between two arms, seed by seed, its standard error, and the seeds' number.

    The error is nan where the arms have only one seed in common.
    """
    by_seed = {arm: {row["seed"]: row[figure] for row in results if row["arm"] == arm} for arm in (first, second)}
    seeds = sorted(by_seed[first].keys() & by_seed[second].keys())
    differences = [by_seed[first][seed] - by_seed[second][seed] for seed in seeds]
    error = np.std(differences, ddof=1) / np.sqrt(len(seeds)) if len(seeds) > 1 else np.nan
    return float(np.mean(differences)), float(error), len(seeds)


def in_words(difference, error, seeds, *, low="lower", high="higher"):
    """Say what a mean difference and its standard error show: which way it goes, or that none was detected.

    Parameters
    ----------
    difference, error, seeds
        In nats, as :func:`paired_difference` gives them; of more than five seeds it asks as much as of five.
    low, high : str
        What to call a difference below and above 0.
    """
    least = DETECTED[min(seeds, 5)] * error
    if abs(difference) > least:
        return f"{low if difference < 0 else high} by {abs(difference):.3f} ± {error:.3f} nats"
    return f"no difference detected ({difference:+.3f} ± {error:.3f}; one above {least:.3f} nats would have been)"
