"""How each recorded run of the book is made, and how to train and to score it again."""

import time as clock
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import keras

from charlm_utils.batching import context_target_pairs
from charlm_utils.corpora import clean_lines, load_corpus, reduce_alphabet, split_corpus
from charlm_utils.evaluation import evaluate, evaluate_windows
from charlm_utils.models import build_model
from charlm_utils.names import evaluate_names, name_windows, names_loss, split_names, write_names
from charlm_utils.runs import save_run
from charlm_utils.sampling import generate, generate_windows
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import Vocabulary

PREPARATIONS: dict[str, Callable[[str], str]] = {
    "none": lambda text: text,
    "clean_lines": clean_lines,
    "reduce_alphabet": reduce_alphabet,
    "letters": lambda text: " ".join(reduce_alphabet(text, keep=" ").split()),
}


@dataclass(frozen=True)
class Recipe:
    """One recorded run before it is run; sizes and rates are those of the source it belongs to.

    Attributes
    ----------
    corpus : str
        One of ``list_corpora()``.
    model : dict
        Arguments of :func:`charlm_utils.models.build_model`.
    training : dict
        ``batch_size``, ``time``, ``epochs``, ``learning_rate``, ``optimizer`` and what else the method takes;
        with ``validate=False`` the held-out text is scored once, after the last epoch.
    method : {"stream", "windows", "names"}
        Stream: state carried through the text. Windows: every window by itself. Names: every name by itself.
    preparation : str
        A key of ``PREPARATIONS``: what is done to the text first.
    prime : str
        What the samples begin with.
    temperature : float
        Of the samples.
    """

    corpus: str
    model: dict
    training: dict
    method: str = "stream"
    preparation: str = "none"
    prime: str = "\n"
    temperature: float = 0.8


RECIPES = {
    # Chapter 7.
    "shakespeare-gru": Recipe(
        corpus="shakespeare",
        model={"cell": "gru", "units": 512, "embedding_dim": 256, "dropout": 0.2},
        training={
            **{"batch_size": 64, "time": 64, "epochs": 10, "clip_norm": 5.0},
            **{"optimizer": "Adam", "learning_rate": 0.003, "schedule": "cosine"},
        },
    ),
    # Chapter 13: chosen without the last tenth, which is scored once, at the end.
    "shakespeare-best": Recipe(
        corpus="shakespeare",
        model={"cell": "gru", "units": 512, "num_layers": 2, "embedding_dim": 256, "dropout": 0.4, "fast": True},
        training={
            **{"batch_size": 32, "time": 64, "epochs": 12, "clip_norm": 5.0, "validate": False},
            **{"optimizer": "Adam", "learning_rate": 0.003, "schedule": "cosine"},
        },
    ),
    # S000, chapter 8: without an end there; five passes here.
    "warpeace-lstm": Recipe(
        corpus="warpeace",
        preparation="clean_lines",
        model={"cell": "lstm", "units": 256, "num_layers": 2, "embedding_dim": 256},
        training={
            **{"batch_size": 100, "time": 100, "epochs": 5, "clip_norm": None, "clip_value": 5.0},
            **{"optimizer": "Adam", "learning_rate": 0.001},
        },
    ),
    # S001, chapter 9: ten passes, where it speaks of twenty and runs two.
    "anna-lstm": Recipe(
        corpus="anna",
        model={"cell": "lstm", "units": 128, "num_layers": 2, "embedding_dim": None, "dropout": 0.5},
        training={
            **{"batch_size": 10, "time": 50, "epochs": 10, "clip_norm": 5.0},
            **{"optimizer": "Adam", "learning_rate": 0.01},
        },
        prime="Far",
    ),
    # S002, chapter 6: the first 200,000 windows, every 16 characters by themselves.
    "shakespeare36-window": Recipe(
        corpus="shakespeare",
        preparation="reduce_alphabet",
        method="windows",
        model={"cell": "lstm", "units": 128, "embedding_dim": None},
        training={
            **{"batch_size": 32, "time": 16, "epochs": 10, "windows": 200_000, "clip_value": 1.0},
            **{"optimizer": "Adam", "learning_rate": 0.001},
        },
        prime="first citizen:\nb",
    ),
    # S003, chapter 7, second part.
    "dinos-gru": Recipe(
        corpus="dinos",
        method="names",
        model={"cell": "gru", "units": 1024, "embedding_dim": 256},
        training={"batch_size": 64, "epochs": 20, "optimizer": "Adam", "learning_rate": 0.001},
    ),
    # S004, chapter 5: 7,001 steps there, five passes here.
    "letters-lstm": Recipe(
        corpus="shakespeare",
        preparation="letters",
        model={"cell": "lstm", "units": 64, "embedding_dim": None},
        training={
            **{"batch_size": 64, "time": 10, "epochs": 5, "clip_norm": 1.25},
            **{"optimizer": "SGD", "learning_rate": 10.0, "schedule": "staircase", "stair": 5000},
        },
        prime=" ",
        temperature=1.0,
    ),
}

_SAMPLE_LENGTH = 400  # characters of the sample after each epoch
_SAMPLE_NAMES = 30  # or names


def reproduce(name, folder, *, progress=True):
    """Train the run ``name`` again and save it.

    With the method ``stream``, a training that was stopped goes on from its checkpoint in the folder.

    Parameters
    ----------
    name : str
        A key of ``charlm_utils.reproduce.RECIPES``.
    folder : str or Path
        Where the run goes; its last part becomes the run's name.
    progress : bool
        Whether to show progress bars.

    Returns
    -------
    dict
        The record, as :func:`charlm_utils.runs.save_run` keeps it: per epoch the losses in nats per character and a
        sample, the held-out loss, the wall time in seconds.

    Raises
    ------
    ValueError
        If there is no recipe of that name, or the folder holds a finished run.
    """
    if name not in RECIPES:
        raise ValueError(f"no recipe {name!r}; there are: {', '.join(RECIPES)}")
    recipe, folder = RECIPES[name], Path(folder)
    if folder.is_file() or (folder / "run.json").exists():
        raise ValueError(f"{folder} already holds a run or is a file; choose another folder")
    text = recipe_text(recipe)
    vocabulary = Vocabulary.from_text(text)
    set_seed(0)
    model = build_model(len(vocabulary), **recipe.model)
    checkpoint = folder / "checkpoint.npz"
    fit = _fit_stream if recipe.method == "stream" else _fit_rows
    parts = _split(recipe, text)
    history = fit(recipe, model, vocabulary, parts, checkpoint, progress)
    samples = history.pop("samples")
    validated = history["validation"]
    record = asdict(recipe) | {
        "history": history,
        "held_out_nats": validated[-1] if validated else _score(recipe, model, vocabulary, parts[1]),
        "seconds": round(history["seconds"][-1]),
        "samples": samples,
        "sample": samples[-1],
    }
    save_run(folder, model, vocabulary, record)
    for left in folder.glob("checkpoint.npz*"):  # with what a killed process was writing
        left.unlink()
    return record


def score_again(run):
    """Return the held-out loss of a recorded run, in nats per character, computed from its weights and its corpus.

    Errors are those of :func:`charlm_utils.corpora.load_corpus`.
    """
    recipe = Recipe(**{field.name: run.record[field.name] for field in fields(Recipe) if field.name in run.record})
    _, held_out = _split(recipe, recipe_text(recipe))
    return _score(recipe, run.model, run.vocabulary, held_out)


def _fit_stream(recipe, model, vocabulary, parts, checkpoint, progress):
    """Train with the state carried through the text."""
    ids, held_out_ids = map(vocabulary.encode, parts)
    settings = {key: recipe.training[key] for key in ("batch_size", "time", "epochs", "clip_norm")}

    def keep_sample(epoch, history):
        history.setdefault("samples", []).append(_sample(recipe, model, vocabulary, epoch))

    steps = (len(ids) - 1) // (settings["batch_size"] * settings["time"]) * settings["epochs"]
    return train(
        model,
        ids,
        validation_ids=held_out_ids if recipe.training.get("validate", True) else None,
        optimizer=_optimizer(recipe.training, steps),
        checkpoint=checkpoint,
        on_epoch_end=keep_sample,
        progress=progress,
        **settings,
    )


def _fit_rows(recipe, model, vocabulary, parts, checkpoint, progress):
    """Train with ``fit`` on rows that know nothing of each other: windows or names, in a new order every epoch."""
    training, (learned, held_out) = recipe.training, parts
    if recipe.method == "names":
        inputs, targets = name_windows(learned, vocabulary)
        trained = model
    else:
        inputs, targets = context_target_pairs(vocabulary.encode(learned), training["time"])
        inputs, targets = inputs[: training["windows"]], targets[: training["windows"]]
        trained = keras.Model(model.input, model.output[:, -1])
    history, start = {"validation": [], "seconds": [], "samples": []}, clock.perf_counter()

    def keep(epoch, logs):
        history["validation"].append(_score(recipe, model, vocabulary, held_out))
        history["seconds"].append(clock.perf_counter() - start)
        history["samples"].append(_sample(recipe, model, vocabulary, epoch))

    trained.compile(_optimizer(training), names_loss())
    options = {"batch_size": training["batch_size"], "epochs": training["epochs"], "verbose": int(progress)}
    fitted = trained.fit(inputs, targets, callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=keep)], **options)
    return {"train": fitted.history["loss"]} | history


def _split(recipe, text):
    """Return what is learned and what is held out: two texts, or two lists of names."""
    return split_names(text) if recipe.method == "names" else split_corpus(text)


def _score(recipe, model, vocabulary, held_out):
    """Return the held-out loss in nats per character."""
    if recipe.method == "names":
        return evaluate_names(model, held_out, vocabulary)
    ids = vocabulary.encode(held_out)
    return evaluate(model, ids) if recipe.method == "stream" else evaluate_windows(model, ids, recipe.training["time"])


def _sample(recipe, model, vocabulary, seed):
    """Return a text, or names one per line."""
    settings = {"temperature": recipe.temperature, "seed": seed}
    if recipe.method == "names":
        return "\n".join(write_names(model, vocabulary, _SAMPLE_NAMES, **settings))
    if recipe.method == "windows":
        settings["time"] = recipe.training["time"]
    write = generate if recipe.method == "stream" else generate_windows
    return write(model, vocabulary, recipe.prime, _SAMPLE_LENGTH, **settings)


def _optimizer(training, steps=None):
    """Return the optimizer of a recipe; a schedule runs over ``steps``."""
    rate, schedules = training["learning_rate"], keras.optimizers.schedules
    if training.get("schedule") == "cosine":
        rate = schedules.CosineDecay(rate, steps)
    if training.get("schedule") == "staircase":
        rate = schedules.ExponentialDecay(rate, training["stair"], 0.1, staircase=True)
    return getattr(keras.optimizers, training["optimizer"])(rate, clipvalue=training.get("clip_value"))


def recipe_text(recipe):
    """Return the prepared text of a recipe; errors are those of :func:`charlm_utils.corpora.load_corpus`."""
    return PREPARATIONS[recipe.preparation](load_corpus(recipe.corpus))
