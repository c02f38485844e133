"""Train a recorded run again from its recipe, and score one again from its weights."""

import time as clock
from dataclasses import asdict, fields
from pathlib import Path

import keras

from charlm_utils.batching import context_target_pairs
from charlm_utils.corpora import split_corpus
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model
from charlm_utils.names import evaluate_names, name_windows, names_loss, split_names, write_names
from charlm_utils.recipes import RECIPES, Recipe, recipe_text
from charlm_utils.runs import save_run
from charlm_utils.sampling import generate
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import Vocabulary
from charlm_utils.windows import evaluate_windows, generate_windows

_SAMPLE_LENGTH = 400  # characters of the sample after each epoch
_SAMPLE_NAMES = 30  # or names


def reproduce(name, folder, *, progress=True):
    """Train the run ``name`` again and save it.

    With the method ``stream``, a training that was stopped goes on from its checkpoint in the folder.

    Parameters
    ----------
    name : str
        A key of ``charlm_utils.recipes.RECIPES``.
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
