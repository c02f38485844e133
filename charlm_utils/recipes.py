"""How each recorded run of the book is made: corpus, preparation, model, training."""

from collections.abc import Callable
from dataclasses import dataclass

from charlm_utils.corpora import clean_lines, load_corpus, reduce_alphabet

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


def recipe_text(recipe):
    """Return the prepared text of a recipe; errors are those of :func:`charlm_utils.corpora.load_corpus`."""
    return PREPARATIONS[recipe.preparation](load_corpus(recipe.corpus))
