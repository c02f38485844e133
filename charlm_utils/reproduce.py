"""Recipes: what a run is made from, three methods of training, and the one way from a recipe to a recorded run.

TensorFlow is imported by what needs it, so that settings, texts and folders are checked without.
"""

import math
import os
import time as clock
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np

from charlm_utils.batching import context_target_pairs
from charlm_utils.checks import (
    AnyPath,
    ARecipe,
    ARun,
    Flag,
    Function,
    Mapping,
    NotNegative,
    Positive,
    Seed,
    ShareBelowOne,
    Size,
    Text,
    check,
    checked,
    choice,
    instance,
    integer,
    number,
)
from charlm_utils.corpora import clean_lines, load_corpus, reduce_alphabet, split_corpus, text_sha256
from charlm_utils.names import evaluate_names, name_windows, names_loss, split_names, write_names
from charlm_utils.runs import (
    check_free,
    check_weights,
    load_run,
    name_and_place,
    read_run,
    unfinished_run,
    weights_sha256,
)
from charlm_utils.settings import check_cell, weight_shapes
from charlm_utils.vocabulary import UNKNOWN, Vocabulary

_SAMPLE_LENGTH = 400  # characters of the sample after each epoch
_SAMPLE_NAMES = 30  # or names
_WINDOW = 256  # characters, as nanoGPT scores them
_BYTES_PER_WEIGHT = 16  # in training: the weight, its gradient and Adam's two averages, 4 bytes each
Layers = integer(1, 100)
ShareInside = number("a number above 0 and below 1", lambda value: 0 < value < 1)


def _keep_letters(text):
    """Leave lower-case words with one blank between them."""
    return " ".join(reduce_alphabet(text, keep=" ").split())


PREPARATIONS: dict[str, Callable[[str], str]] = {
    "none": str,
    "clean_lines": clean_lines,
    "reduce_alphabet": reduce_alphabet,
    "letters": _keep_letters,
}


@checked
@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """The arguments of :func:`charlm_utils.models.build_model`, except the size of the vocabulary.

    Raises
    ------
    ValueError
        If there is no such cell, a size is out of its range, or the dropout is outside ``0 <= dropout < 1``.
    """

    cell: Text = "gru"
    units: Size = 256
    num_layers: Layers = 1
    embedding_dim: Size | None = 64
    dropout: ShareBelowOne = 0.0
    fast: Flag = False
    recurrent_dtype: choice("float32", "bfloat16") = "float32"

    def __post_init__(self):
        check_cell(self.cell, self.fast, self.recurrent_dtype)

    def check_memory(self, vocab_size, batch_size, time):
        """Raise a ``ValueError`` if training takes more memory than the machine has.

        What it takes is estimated: 16 bytes per weight, and what the backward pass keeps of a window. Four gates are
        assumed, as an LSTM has them.
        """
        inputs = vocab_size if self.embedding_dim is None else self.embedding_dim
        weights = vocab_size * inputs + self.units * vocab_size
        weights += 4 * self.units * (inputs + self.units)
        weights += (self.num_layers - 1) * 8 * self.units**2
        kept = batch_size * time * (6 * self.units * self.num_layers + 2 * vocab_size)
        needed = _BYTES_PER_WEIGHT * weights + 4 * kept
        if needed > _memory():
            raise ValueError(
                f"units={self.units}, num_layers={self.num_layers}, embedding_dim={self.embedding_dim}, "
                f"batch_size={batch_size} and time={time} must together need at most the {_memory() / 1e9:.1f} GB of "
                f"this machine, got about {needed / 1e9:,.1f} GB for {vocab_size} characters"
            )

    def build(self, vocab_size):
        """Return a new model; errors are those of :func:`charlm_utils.models.build_model`."""
        from charlm_utils.models import build_model

        return build_model(vocab_size, **asdict(self))


def _memory():
    """Return the bytes of memory that the machine has; where it does not say, 16 GB."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return 16 * 10**9


@dataclass(frozen=True, kw_only=True)
class Method:
    """A way of training, with its settings: it splits a text, fits a model to it, scores and samples.

    A new one derives from this class, overrides ``split``, ``fit``, ``score`` and ``sample``, and is named in
    ``METHODS``.

    Attributes
    ----------
    name : str
        Of the class, as it stands in recorded runs.
    batch_size : int
        Rows of a batch.
    epochs : int
        Passes over the text.
    learning_rate : float
        Above 0; the first one where a schedule lets it fall.
    optimizer : str
        A class of ``keras.optimizers``.
    clip_value : float or None
        Entries of the gradients that are larger are cut to it.
    weight_decay : float or None
        Share of itself, times the learning rate, by which every weight but a bias shrinks at each step (Loshchilov and
        Hutter 2019).

    Raises
    ------
    ValueError
        If a size is not an integer of at least 1, or the learning rate, the clip value or the weight decay is not above
        0 and finite.
    """

    name: ClassVar[str]
    batch_size: Size
    epochs: Size
    learning_rate: Positive
    optimizer: Text = "Adam"
    clip_value: Positive | None = None
    weight_decay: Positive | None = None

    def split(self, text):
        """Return what is learned and what is held out."""
        raise NotImplementedError

    def check_prime(self, vocabulary, prime):
        """Raise a ``ValueError`` if no sample can begin with a prime: before the training, and not after an epoch."""
        if not prime:
            raise ValueError("the prime must hold at least one character, got ''")
        vocabulary.encode(prime)

    def fit(self, model, vocabulary, learned, held_out, *, seed, checkpoint, progress, on_epoch_end):
        """Train a model and return the history, as :func:`charlm_utils.training.train` does.

        Parameters
        ----------
        model : keras.Model
            New, or with any weights where the checkpoint exists.
        vocabulary : Vocabulary
            Of the text.
        learned, held_out
            The two parts that :meth:`split` returns.
        seed : int
            Of the order of the rows, where they are shuffled.
        checkpoint : Path
            Where the training is saved as it goes; where the file exists, the training goes on from it.
        progress : bool
            Whether to show progress bars.
        on_epoch_end : callable
            Called after each epoch, before it is saved, with the number of epochs done and the history.
        """
        raise NotImplementedError

    def score(self, model, vocabulary, held_out):
        """Return the held-out loss in nats per character."""
        raise NotImplementedError

    def score_in_windows(self, model, vocabulary, held_out):
        """Return the same where nothing is carried: here, as models do that read every row from a zero state."""
        return self.score(model, vocabulary, held_out)

    def sample(self, model, vocabulary, prime, temperature, seed):
        """Return a text, or names, one per line."""
        raise NotImplementedError

    def kept_epoch(self, history):
        """Return the number of the epoch whose weights the model has after :meth:`fit`."""
        return len(history["train"])

    def build_optimizer(self, rate):
        """Return the optimizer with a learning rate or a schedule of it.

        Raises
        ------
        ValueError
            If Keras has no optimizer of that name.
        """
        import keras

        kind = getattr(keras.optimizers, self.optimizer, None)
        if kind is None:
            raise ValueError(f"optimizer must be the name of one in keras.optimizers, got {self.optimizer!r}")
        optimizer = kind(rate, clipvalue=self.clip_value, weight_decay=self.weight_decay)
        if self.weight_decay is not None:
            optimizer.exclude_from_weight_decay(var_names=["bias"])
        return optimizer


@checked
@dataclass(frozen=True, kw_only=True)
class Stream(Method):
    """One text, read in order with the state carried: :func:`charlm_utils.training.train`.

    Attributes
    ----------
    time : int
        Columns of a batch.
    schedule : {None, "cosine", "staircase"}
        How the learning rate falls: not at all, along a cosine to 0 over all steps, or to a tenth at every stair.
    stair : int, optional
        Steps from one stair to the next.
    clip_norm : float or None
        Largest global norm of the gradients.
    validate : bool
        Whether the held-out text is scored after every epoch; if not, it is once, after the last.
    keep_best : bool
        Whether the weights of the epoch with the lowest held-out loss are kept, and not those of the last one.
    patience : int, optional
        Stop after so many epochs without a lower held-out loss; implies ``keep_best``.
    held_out : float
        Share of the text that is held out: its last part.
    """

    name: ClassVar[str] = "stream"
    time: Size
    schedule: choice("cosine", "staircase") | None = None
    stair: Size | None = None
    clip_norm: Positive | None = 5.0
    validate: Flag = True
    keep_best: Flag = False
    patience: Size | None = None
    held_out: ShareInside = 0.1

    def __post_init__(self):
        if self.schedule == "staircase":
            check("stair", self.stair, Size)

    def split(self, text):
        """Return the first part and the one that is held out."""
        try:
            return split_corpus(text, (1 - self.held_out, self.held_out), batch_size=self.batch_size, time=self.time)
        except ValueError as error:
            raise ValueError(f"held_out={self.held_out} does not cut the text: {error}") from error

    def fit(self, model, vocabulary, learned, held_out, *, seed, checkpoint, progress, on_epoch_end):
        """Train with the state carried through the text; there is no order to draw, so the seed is not used."""
        from charlm_utils.training import train

        ids = vocabulary.encode(learned)
        return train(
            model,
            ids,
            batch_size=self.batch_size,
            time=self.time,
            epochs=self.epochs,
            validation_ids=vocabulary.encode(held_out) if self.validate else None,
            optimizer=self.build_optimizer(self._rate(len(ids))),
            clip_norm=self.clip_norm,
            progress=progress,
            checkpoint=checkpoint,
            on_epoch_end=on_epoch_end,
            keep_best=self.keep_best,
            patience=self.patience,
        )

    def score(self, model, vocabulary, held_out):
        """Return the held-out loss in nats per character, from one stream."""
        from charlm_utils.evaluation import evaluate

        return evaluate(model, vocabulary.encode(held_out))

    def score_in_windows(self, model, vocabulary, held_out):
        """Return the held-out loss in windows of 256 characters, or one as long as a shorter text, from zero states."""
        from charlm_utils.evaluation import nats_in_windows

        ids = vocabulary.encode(held_out)
        return float(nats_in_windows(model, ids, min(_WINDOW, len(ids) - 1)).mean(dtype=float))

    def sample(self, model, vocabulary, prime, temperature, seed):
        """Return a text."""
        from charlm_utils.sampling import generate

        return generate(model, vocabulary, prime, _SAMPLE_LENGTH, temperature=temperature, seed=seed)

    def kept_epoch(self, history):
        """Return the number of the epoch whose weights the model has after :meth:`fit`."""
        if self.keep_best or self.patience is not None:
            return int(np.argmin(history["validation"])) + 1
        return super().kept_epoch(history)

    def _rate(self, num_ids):
        """Return the learning rate, or its schedule."""
        import keras

        from charlm_utils.training import cosine_decay

        if self.schedule == "cosine":
            return cosine_decay(
                self.learning_rate, num_ids, batch_size=self.batch_size, time=self.time, epochs=self.epochs
            )
        if self.schedule == "staircase":
            return keras.optimizers.schedules.ExponentialDecay(self.learning_rate, self.stair, 0.1, staircase=True)
        return self.learning_rate


@dataclass(frozen=True, kw_only=True)
class _Rows(Method):
    """Rows that know nothing of each other, each read from a zero state, in a new order every epoch."""

    def fit(self, model, vocabulary, learned, held_out, *, seed, checkpoint, progress, on_epoch_end):
        """Train with Keras's ``fit``, epoch by epoch; the order of the rows follows from the seed and the epoch."""
        from charlm_utils.checkpoints import Progress, load_checkpoint, save_checkpoint
        from charlm_utils.models import warn_without_cudnn

        inputs, targets = self.rows(learned, vocabulary)
        network = self.network(model)
        warn_without_cudnn(model)
        optimizer = self.build_optimizer(self.learning_rate)
        network.compile(optimizer, names_loss())
        optimizer.build(network.trainable_variables)
        variables = [*model.variables, *optimizer.variables]
        settings = asdict(self) | {"seed": seed}
        at = Progress(states=[], history={"train": [], "validation": [], "seconds": []})
        if checkpoint.exists():
            at = load_checkpoint(checkpoint, variables, [], settings)
        else:
            save_checkpoint(checkpoint, variables, at, settings)  # a full disk is noticed now
        start = clock.perf_counter() - at.seconds
        while at.epoch < self.epochs:
            if progress:
                print(f"epoch {at.epoch + 1}/{self.epochs}")
            order = np.random.default_rng([seed, at.epoch]).permutation(len(inputs))
            fitted = network.fit(
                inputs[order], targets[order], batch_size=self.batch_size, shuffle=False, verbose=int(progress)
            )
            at.epoch += 1
            at.history["train"].append(fitted.history["loss"][0])
            at.history["validation"].append(self.score(model, vocabulary, held_out))
            for kind in ("train", "validation"):
                loss = at.history[kind][-1]
                if not math.isfinite(loss):
                    raise ValueError(f"the {kind} loss became {loss} in epoch {at.epoch}: lower the learning rate")
            at.seconds = clock.perf_counter() - start
            at.history["seconds"].append(at.seconds)
            on_epoch_end(at.epoch, at.history)
            save_checkpoint(checkpoint, variables, at, settings)
        return at.history

    def rows(self, learned, vocabulary):
        """Return inputs and targets, one row each for a row of a batch."""
        raise NotImplementedError

    def network(self, model):
        """Return the model from the inputs of a row to the logits of its targets."""
        raise NotImplementedError


@checked
@dataclass(frozen=True, kw_only=True)
class Windows(_Rows):
    """Windows of one text, each with the character that follows it.

    Attributes
    ----------
    time : int
        Characters of a window.
    windows : int
        How many are learned: the first ones of the text.
    """

    name: ClassVar[str] = "windows"
    time: Size
    windows: Size

    def split(self, text):
        """Return the first nine tenths and the last."""
        return split_corpus(text, time=self.time)

    def check_prime(self, vocabulary, prime):
        """Raise a ``ValueError`` if a prime has not the characters of a window, or unknown ones."""
        if len(prime) < self.time:
            raise ValueError(f"the prime must hold at least {self.time} characters, got {len(prime)}: {prime!r}")
        vocabulary.encode(prime)

    def score(self, model, vocabulary, held_out):
        """Return the held-out loss in nats per character, each character from the window before it."""
        from charlm_utils.evaluation import evaluate_windows

        return evaluate_windows(model, vocabulary.encode(held_out), self.time)

    def sample(self, model, vocabulary, prime, temperature, seed):
        """Return a text, each character drawn from the window before it."""
        from charlm_utils.sampling import generate_windows

        return generate_windows(
            model, vocabulary, prime, _SAMPLE_LENGTH, time=self.time, temperature=temperature, seed=seed
        )

    def rows(self, learned, vocabulary):
        """Return windows ``(windows, time)`` and the ids after them ``(windows,)``."""
        inputs, targets = context_target_pairs(vocabulary.encode(learned), self.time)
        return inputs[: self.windows], targets[: self.windows]

    def network(self, model):
        """Return the model with its last logits only."""
        import keras

        return keras.Model(model.input, model.output[:, -1])


@checked
@dataclass(frozen=True, kw_only=True)
class Names(_Rows):
    """Names, one per line of the text, each read by itself: :mod:`charlm_utils.names`."""

    name: ClassVar[str] = "names"

    def split(self, text):
        """Return names to learn and names held out."""
        return split_names(text)

    def check_prime(self, vocabulary, prime):
        """Take any prime: it is not used."""

    def score(self, model, vocabulary, held_out):
        """Return the held-out loss in nats per character."""
        return evaluate_names(model, held_out, vocabulary)

    def sample(self, model, vocabulary, prime, temperature, seed):
        """Return names, one per line; the model draws their first letters too, so the prime is not used."""
        return "\n".join(write_names(model, vocabulary, _SAMPLE_NAMES, temperature=temperature, seed=seed))

    def rows(self, learned, vocabulary):
        """Return inputs and targets ``(names, longest name + 1)``."""
        return name_windows(learned, vocabulary)

    def network(self, model):
        """Return the model itself."""
        return model


METHODS = {kind.name: kind for kind in (Stream, Windows, Names)}  # to read recorded runs


@checked
@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A run before it is run; sizes and rates of those in ``RECIPES`` are of the source that each belongs to.

    Attributes
    ----------
    corpus : str
        One of ``list_corpora()``, or what another text is called.
    model : ModelSettings
        Of the network.
    method : Method
        How it is trained.
    preparation : str
        A key of ``PREPARATIONS``: what is done to the text first.
    prime : str
        What the samples begin with.
    temperature : float
        Of the samples.
    seed : int
        Of the first weights, of dropout and of the order of rows.
    min_count : int, optional
        Characters that stand less often in the part to learn become ``UNKNOWN`` in all of the text.
    init_from : str, optional
        Folder of a run whose weights are the first ones. The new model keeps its characters, in their order, and the
        new ones of the text come after them.
    """

    corpus: Text
    model: instance("charlm_utils.reproduce", "ModelSettings", "ModelSettings")
    method: instance("charlm_utils.reproduce", "Method", "a Method")
    preparation: Text = "none"
    prime: Text = "\n"
    temperature: NotNegative = 0.8
    seed: Seed = 0
    min_count: Size | None = None
    init_from: AnyPath | None = None

    def to_record(self):
        """Return the recipe as it stands at the head of a recorded run: JSON values."""
        return {
            "corpus": self.corpus,
            "model": asdict(self.model),
            "training": asdict(self.method),
            "method": self.method.name,
            "preparation": self.preparation,
            "prime": self.prime,
            "temperature": self.temperature,
            "seed": self.seed,
            "min_count": self.min_count,
            "init_from": self.init_from,
        }

    @classmethod
    @checked
    def from_record(cls, record: Mapping):
        """Return the recipe of a recorded run; what its record does not say is taken to be the default.

        Raises
        ------
        ValueError
            If the record is not that of a recipe.
        """
        others = {}
        for name in ("preparation", "prime", "temperature", "seed", "min_count", "init_from"):
            if name in record:
                others[name] = record[name]
        try:
            model = ModelSettings(**record["model"])
            method = METHODS[record.get("method", "stream")](**record["training"])
            return cls(corpus=record["corpus"], model=model, method=method, **others)
        except (KeyError, TypeError) as error:
            raise ValueError(f"the record is not that of a recipe: {error}") from error


RECIPES = {
    # For 08_keras_stateful_gru.
    "shakespeare-gru": Recipe(
        corpus="shakespeare",
        model=ModelSettings(cell="gru", units=512, embedding_dim=256, dropout=0.2),
        method=Stream(batch_size=64, time=64, epochs=10, learning_rate=0.003, schedule="cosine"),
    ),
    # For 15_results: chosen without the last tenth, which is scored once, at the end.
    "shakespeare-best": Recipe(
        corpus="shakespeare",
        model=ModelSettings(cell="gru", units=512, num_layers=2, embedding_dim=256, dropout=0.5, fast=True),
        method=Stream(
            batch_size=32,
            time=64,
            epochs=20,
            learning_rate=0.003,
            schedule="cosine",
            weight_decay=0.1,
            validate=False,
        ),
    ),
    # S000, for 10_gradient_tape: without an end there; five passes here.
    "warpeace-lstm": Recipe(
        corpus="warpeace",
        preparation="clean_lines",
        model=ModelSettings(cell="lstm", units=256, num_layers=2, embedding_dim=256),
        method=Stream(batch_size=100, time=100, epochs=5, learning_rate=0.001, clip_norm=None, clip_value=5.0),
    ),
    # S001, for 11_deep_lstm: ten passes, where it speaks of twenty and runs two.
    "anna-lstm": Recipe(
        corpus="anna",
        model=ModelSettings(cell="lstm", units=128, num_layers=2, embedding_dim=None, dropout=0.5),
        method=Stream(batch_size=10, time=50, epochs=10, learning_rate=0.01),
        prime="Far",
    ),
    # S002, for 07_keras_windows: the first 200,000 windows, every 16 characters by themselves.
    "shakespeare36-window": Recipe(
        corpus="shakespeare",
        preparation="reduce_alphabet",
        model=ModelSettings(cell="lstm", units=128, embedding_dim=None),
        method=Windows(batch_size=32, time=16, windows=200_000, epochs=10, learning_rate=0.001, clip_value=1.0),
        prime="first citizen:\nb",
    ),
    # S003, for 09_names.
    "dinos-gru": Recipe(
        corpus="dinos",
        model=ModelSettings(cell="gru", units=1024, embedding_dim=256),
        method=Names(batch_size=64, epochs=20, learning_rate=0.001),
    ),
    # For the page of 09_names, which may hold the book's own list, and not that of S003. Width and rate are those that
    # the experiment names_copying chose.
    "genera-gru": Recipe(
        corpus="genera",
        model=ModelSettings(cell="gru", units=256, embedding_dim=64),
        method=Names(batch_size=64, epochs=30, learning_rate=0.002),
    ),
    # S004, for 05_lstm_from_gates: 7,001 steps there, five passes here.
    "letters-lstm": Recipe(
        corpus="shakespeare",
        preparation="letters",
        model=ModelSettings(cell="lstm", units=64, embedding_dim=None),
        method=Stream(
            batch_size=64,
            time=10,
            epochs=5,
            optimizer="SGD",
            learning_rate=10.0,
            schedule="staircase",
            stair=5000,
            clip_norm=1.25,
        ),
        prime=" ",
        temperature=1.0,
    ),
}


@dataclass(frozen=True)
class Material:
    """What a recipe trains on.

    Attributes
    ----------
    learned, held_out
        The two parts that the recipe's method makes of the text.
    vocabulary : Vocabulary
        Of the text, or that of the run that the training begins with and what is new.
    prime : str
        What the samples begin with.
    replaced : dict of str to int
        Characters that became ``UNKNOWN``, and how often they stand in the text.
    sha256 : str
        Of the text as it was before.
    """

    learned: object
    held_out: object
    vocabulary: Vocabulary
    prime: str
    replaced: dict
    sha256: str


@checked
def gather_material(recipe: ARecipe, text: Text | None = None):
    """Return the :class:`Material` of a recipe, whose method can begin with it.

    Parameters
    ----------
    recipe : Recipe
        What is to be trained, and how.
    text : str, optional
        As for :func:`train_run`.

    Raises
    ------
    ValueError
        If the text is too short for the recipe, its prime will not do, the run that it begins with cannot be read, or
        training takes more memory than the machine has.
    """
    text = recipe_text(recipe, text)
    sha256 = text_sha256(text)
    learned, held_out = recipe.method.split(text)
    old_vocabulary = None
    if recipe.init_from is not None:
        _, old_vocabulary = read_run(*name_and_place(recipe.init_from))
    replaced = {}
    prime = recipe.prime
    if recipe.min_count is not None:
        replaced = _rare_characters(text, learned, recipe.min_count, old_vocabulary)
        table = str.maketrans(dict.fromkeys(replaced, UNKNOWN))
        text = text.translate(table)
        prime = prime.translate(table)
        learned, held_out = recipe.method.split(text)
    vocabulary = Vocabulary.from_text(text) if old_vocabulary is None else old_vocabulary.extended(text)
    recipe.method.check_prime(vocabulary, prime)
    window = getattr(recipe.method, "time", 1)  # names are short
    recipe.model.check_memory(len(vocabulary), recipe.method.batch_size, window)
    return Material(learned, held_out, vocabulary, prime, replaced, sha256)


def _rare_characters(text, learned, min_count, old_vocabulary):
    """Return the characters of a text that are too rare in what is learned, with how often they stand in the text."""
    counts = Counter()
    for part in learned:  # characters, or names
        counts.update(part)
    rare = {}
    for character, count in Counter(text).items():
        is_known = old_vocabulary is not None and character in old_vocabulary
        if counts[character] < min_count and not is_known:
            rare[character] = count
    return rare


@checked
def reproduce(
    name: Text,
    folder: AnyPath,
    *,
    progress: Flag = True,
    on_start: Function | None = None,
    on_epoch_end: Function | None = None,
):
    """Train the run ``name`` of the book again and save it, by :func:`train_run`.

    Parameters
    ----------
    name : str
        A key of ``charlm_utils.reproduce.RECIPES``.
    folder, progress, on_start, on_epoch_end
        As for :func:`train_run`, whose record is returned.

    Raises
    ------
    ValueError
        If there is no recipe of that name, or as :func:`train_run`.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}")
    return train_run(RECIPES[name], folder, progress=progress, on_start=on_start, on_epoch_end=on_epoch_end)


@checked
def train_run(
    recipe: ARecipe,
    folder: AnyPath,
    *,
    text: Text | None = None,
    progress: Flag = True,
    on_start: Function | None = None,
    on_epoch_end: Function | None = None,
):
    """Train a model as a recipe says and save it as a run.

    The training is saved in the folder as it goes. When it was stopped, the same call goes on from there and ends
    with the very weights of a training that was never stopped.

    Parameters
    ----------
    recipe : Recipe
        What is trained, and how.
    folder : str or Path
        Where the run goes; its last part becomes the run's name.
    text : str, optional
        What is learned from, before its preparation; by default the corpus that the recipe names.
    progress : bool
        Whether to show progress bars.
    on_start : callable, optional
        Called with the :class:`Material` when everything was checked and the folder is held, before the first step.
    on_epoch_end : callable, optional
        Called after each epoch, before it is saved, with the number of epochs done and the history.

    Returns
    -------
    dict
        The record, as :func:`charlm_utils.runs.save_run` keeps it: per epoch the losses in nats per character and a
        sample, the epoch whose weights are kept, the held-out loss, also in windows from a zero state, and the wall
        time in minutes.

    Raises
    ------
    ValueError
        If the folder cannot be written to, holds a finished run or an unfinished one of other settings, or a setting
        is out of its range: all before the first step. If the loss is no longer a number.
    """
    check_free(folder)
    material = gather_material(recipe, text)
    vocabulary = material.vocabulary
    settings = recipe.to_record()
    settings["text_sha256"] = material.sha256
    if recipe.init_from is not None:
        settings["init_sha256"] = weights_sha256(recipe.init_from)

    def end_epoch(epoch, history):
        try:
            check_weights(model)  # or the run could not be written in the end
        except ValueError as error:
            raise ValueError(f"{error} after epoch {epoch}: lower the learning rate") from error
        sample = recipe.method.sample(model, vocabulary, material.prime, recipe.temperature, epoch)
        history.setdefault("samples", []).append(sample)
        if on_epoch_end:
            on_epoch_end(epoch, history)

    weight_shapes(len(vocabulary), **asdict(recipe.model))  # a run of that size can be loaded again
    with unfinished_run(folder, settings) as run:
        if on_start:
            on_start(material)
        model = _first_model(recipe, vocabulary)
        history = recipe.method.fit(
            model,
            vocabulary,
            material.learned,
            material.held_out,
            seed=recipe.seed,
            checkpoint=run.checkpoint,
            progress=progress,
            on_epoch_end=end_epoch,
        )
        samples = history.pop("samples")
        epoch = recipe.method.kept_epoch(history)
        if history["validation"]:
            nats = history["validation"][epoch - 1]
        else:
            nats = recipe.method.score(model, vocabulary, material.held_out)
        record = recipe.to_record()
        record["history"] = history
        record["epoch"] = epoch
        record["held_out_nats"] = nats
        record["held_out_nats_in_windows"] = recipe.method.score_in_windows(model, vocabulary, material.held_out)
        record["minutes"] = round(history["seconds"][-1] / 60, 1)
        record["samples"] = samples
        record["sample"] = samples[epoch - 1]
        run.save(model, vocabulary, record)
    return record


def _first_model(recipe, vocabulary):
    """Return the model before the first step: new, or with the weights of an older run."""
    from charlm_utils.models import take_weights
    from charlm_utils.training import set_seed

    set_seed(recipe.seed)
    model = recipe.model.build(len(vocabulary))
    if recipe.init_from is not None:
        take_weights(model, load_run(*name_and_place(recipe.init_from)).model)
    return model


@checked
def score_again(run: ARun):
    """Return the held-out loss of a recorded run, in nats per character, computed from its weights and its corpus.

    Errors are those of :meth:`Recipe.from_record` and :func:`charlm_utils.corpora.load_corpus`.
    """
    recipe = Recipe.from_record(run.record)
    _, held_out = recipe.method.split(recipe_text(recipe))
    return recipe.method.score(run.model, run.vocabulary, held_out)


@checked
def recipe_text(recipe: ARecipe, text: Text | None = None):
    """Return the prepared text of a recipe: ``text``, or the corpus that it names.

    Raises
    ------
    ValueError
        If the preparation is unknown, or as :func:`charlm_utils.corpora.load_corpus`.
    """
    if recipe.preparation not in PREPARATIONS:
        raise ValueError(f"preparation must be one of {', '.join(PREPARATIONS)}, got {recipe.preparation!r}")
    if text is None:
        text = load_corpus(recipe.corpus)
    return PREPARATIONS[recipe.preparation](text)
