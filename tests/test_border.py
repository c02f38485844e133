"""Bad calls of all public functions: each is refused at once, in one clear line, and leaves no trace.

What a parameter takes is said here a second time, apart from the annotations of the package: ``CALLS`` gives every
function a good call, and the kind of every argument; ``BAD`` gives every kind its bad values.
"""

import dataclasses
import importlib
import inspect
import os
import random
import re
import signal
import types
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils import checkpoints, models, ngrams, probing, reproduce, runs, sampling, settings, training
from charlm_utils.traces import Operation
from charlm_utils.vocabulary import Vocabulary

PACKAGE = Path(models.__file__).parent
TIME_LIMIT = 20  # seconds for one call

# What is public but not called by readers: parts of loops, of the command line and of the writing of files.
INSIDE = {
    *("__main__", "archives", "checks", "commands", "files", "folders", "jitter", "texts"),
    *("layers.FastRNN", "layers.Lookup", "layers.Rows", "layers.gru_gates", "layers.lstm_gates"),
    *("layers.gru_scan", "layers.lstm_scan", "models.state_specs", "batching.check_ids", "evaluation.check_text"),
    *("sampling.trace_loop", "settings.Cell", "settings.Setting", "settings.DrawSettings"),
    *("settings.draw_setting", "settings.check_cell"),
    *("models.Prepared", "runs.Run", "checkpoints.Progress", "checkpoints.read_place", "corpora.Corpus"),
    *("downloads", "settings.Request", "runs.UnfinishedRun", "reproduce.Material", "corpora.decode_text"),
    *("pages.Matrix", "pages.matrices", "pages.round_rows", "pages.pack", "pages.export", "pages.write_script"),
    *("reproduce.Method", "vocabulary.visible", "plotting.visible", "traces.Operation", "probing.Found"),
}

# --- bad values ---


def kind(*others, without=(), **more):
    """Return bad values by name: those of other kinds, without some, and more."""
    values = {}
    for other in others:
        values.update(other)
    values.update(more)
    return {name: value for name, value in values.items() if name not in without}


JUNK = {
    "none": None,
    "true": True,
    "text": "x",
    "bytes": b"x",
    "list": [1],
    "dict": {"a": 1},
    "set": {1},
    "object": object(),
    "function": len,
    "type": int,
    "complex": 1j,
    "matrix": np.ones((2, 2)),
}
NUMBERS = {
    "minus one": -1,
    "zero": 0,
    "fraction": 2.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "minus inf": float("-inf"),
    "huge": 10**12,
    "enormous": 10**5000,
    "array of one": np.array([2]),
}
WHOLE = {"whole float": 2.0, "float32": np.float32(3)}
ARRAYS = {
    "words": ["a", "b", "c"],
    "objects": np.array([0, None, 1], dtype=object),
    "nans": np.array([0.0, np.nan, 1.0]),
    "infs": np.array([0.0, np.inf, 1.0]),
    "uneven": [[1], [1, 2]],
    "bools": np.array([True, False, True]),
}
BAD = {
    "size": kind(JUNK, NUMBERS, WHOLE),
    "length": kind(JUNK, NUMBERS, WHOLE, without=["huge", "enormous"]),
    "seed": kind(JUNK, NUMBERS, WHOLE, without=["zero"]),
    "draw seed": kind(JUNK, NUMBERS, WHOLE, without=["zero", "minus one", "huge"]),
    "positive": kind(JUNK, NUMBERS, without=["fraction", "huge"], large=1e39),
    "not negative": kind(JUNK, NUMBERS, without=["fraction", "huge", "zero"], large=1e39),
    "share": kind(JUNK, NUMBERS, without=["zero"]),
    "number": kind(JUNK, NUMBERS, without=["fraction", "huge", "zero", "minus one"]),
    "flag": kind(JUNK, NUMBERS, without=["true"]),
    "choice": kind(JUNK, NUMBERS),
    "string": kind(JUNK, NUMBERS, without=["text"]),
    "strings": kind(JUNK, mixed=["a", 1], nested=[["a"]], matrix_of_words=np.array([["a"]])),
    "any ids": kind(JUNK, ARRAYS, without=["list"], floats=[0.9, 1.9, 2.9], whole_floats=np.arange(9.0)),
    "numbers": kind(JUNK, ARRAYS, without=["list", "matrix"]),
    "path": kind(JUNK, without=["text"], number=10**6, nul="a\0b", empty=""),
    "model": kind(JUNK, layer=keras.layers.Dense(2)),
    "vocabulary": kind(JUNK),
    "function": kind(JUNK, without=["function", "type"]),
    "dict": kind(JUNK, without=["dict"]),
    "list": kind(JUNK, without=["list", "matrix"]),
    "object": kind(JUNK),
}
BAD["ids"] = kind(BAD["any ids"], negative=[0, -1, 2], too_large=[0, 1, 99], enormous=[0, 10**5000], short=[])
BAD["rows"] = kind(BAD["numbers"], matrix_of_words=np.array([["a"]]))
BAD["file"] = kind(BAD["path"], nowhere="no/such/file", folder="runs", pipe="pipe")


@dataclasses.dataclass
class Param:
    """An argument of a good call, and what would be bad in its place."""

    kind: str
    good: object
    optional: bool = False  # None will do
    legal: tuple = ()  # names of bad values of the kind that this one takes
    more: dict = dataclasses.field(default_factory=dict)  # further bad values
    alias: str = ""  # by which a message may name it too

    def bad(self):
        """Return the bad values by name."""
        values = kind(BAD.get(self.kind, {}), without=[*self.legal, *(["none"] if self.optional else [])])
        return values | self.more


def required(param, alias=""):
    """Return an argument like another, which may be left out there and must be given here."""
    return dataclasses.replace(param, optional=False, alias=alias)


def fixed(value):
    """Return an argument that is always good."""
    return Param("fixed", value)


# --- good calls ---

VOCABULARY = Vocabulary("\nabcd")
IDS = np.arange(60) % 5
TEXT = "abcd\ndcba\nabba\ncab\ndad\nbad\ncacad\nacda\nbabb\nddc\n" * 3


class World:
    """What the calls share: a tiny model, and a folder with files that must stay as they are."""

    def __init__(self, folder):
        training.set_seed(0)
        self.model = models.build_model(5, units=3, embedding_dim=2)
        self.larger = models.build_model(7, units=3, embedding_dim=2)
        self.largest = models.build_model(9, units=3, embedding_dim=2)
        two = keras.Model(self.model.inputs, [self.model.outputs[0], self.model.outputs[0]])
        self.models = {"larger": self.larger, "two outputs": two, "unbuilt": keras.Sequential([keras.layers.Dense(5)])}
        self.states = models.zero_states(self.model, 2)
        self.kept_states = probing.read_states(self.model, IDS)
        self.optimizer = keras.optimizers.Adam()
        self.ngram = ngrams.NgramModel(2).fit(IDS, 5)
        self.sampler = sampling.Sampler(self.model, VOCABULARY)
        self.recipe = reproduce.Recipe(
            corpus="genera",
            model=reproduce.ModelSettings(units=3, embedding_dim=2),
            method=reproduce.Stream(batch_size=2, time=3, epochs=1, learning_rate=0.01),
            prime="a",
        )
        self.record = self.recipe.to_record() | {"sample": "abcd"}
        self.progress = checkpoints.Progress(states=self.states)
        self.folder = folder
        (folder / "file").write_text("a file\n")
        (folder / "text.txt").write_text(TEXT)
        (folder / "script.py").write_text("")
        os.mkfifo(folder / "pipe")
        VOCABULARY.save(folder / "vocabulary.json")
        runs.save_run(folder / "runs" / "tiny", self.model, VOCABULARY, self.record)
        self.run = runs.load_run("tiny", folder / "runs")
        self.settings = {"depth": 1}
        checkpoints.save_checkpoint(folder / "checkpoint.npz", self.model.variables, self.progress, self.settings)
        self.weights = self.model.get_weights()

    def files(self):
        """Return what is in the folder."""
        found = {}
        for path in sorted(self.folder.rglob("*")):
            found[str(path)] = path.read_bytes() if path.is_file() else path.lstat().st_mode
        return found

    def is_harmed(self, files):
        """Whether a file or a weight is another than before."""
        same = all(np.array_equal(old, new) for old, new in zip(self.weights, self.model.get_weights(), strict=True))
        return not same or self.files() != files


def make_calls(w):
    """Return the good calls: by name of the function its arguments, as :class:`Param`."""
    size = Param("size", 2)
    optional_size = Param("size", 2, optional=True)
    flag = Param("flag", False)
    words = Param("string", "abc")
    any_ids = Param("any ids", IDS)
    ids = Param("ids", IDS, legal=["list"], more={"one id": [1]})
    numbers = Param("numbers", [0.5, 1.5])
    model = Param("model", w.model, more=w.models)
    recurrent = Param("model", w.model, more={"unbuilt": w.models["unbuilt"], "two outputs": w.models["two outputs"]})
    vocabulary = Param("vocabulary", VOCABULARY)
    fitting = Param("vocabulary", VOCABULARY, more={"smaller": Vocabulary("ab")}, alias="model")
    prime = Param("string", "ab", more={"empty": "", "unknown": "z"})
    names = Param("strings", ["ab", "cad"], more={"one string": "abc", "none at all": [], "unknown": ["z"]})
    seed = Param("seed", 1)
    optional_seed = Param("seed", 1, optional=True)
    draw_seed = Param("draw seed", 1, optional=True)
    axes = Param("object", None, optional=True)
    text_file = Param("file", "text.txt", legal=["pipe"])  # it waits for what is written
    shape = {"batch_size": Param("size", 2, more={"too large": 50}), "time": Param("size", 3, more={"too large": 80})}
    epochs = {"epochs": Param("size", 1)}
    draw = {
        "temperature": Param("not negative", 1.0, legal=["large", "enormous"]),
        "top_k": Param("size", 2, optional=True, more={"too large": 6}),
        "top_p": Param("share", 0.9, optional=True, more={"nothing": 0}),
        "min_p": Param("share", 0.1, optional=True),
    }
    generate = {
        "prime": prime,
        "length": Param("size", 3),
        "seed": draw_seed,
        "num_samples": optional_size,
        "unknown": Param("choice", "error"),
        "stop": Param("string", "", more={"unknown": "z"}),
        "stream": flag,
        **draw,
    }
    logits = Param("numbers", [[0.1, 0.2, 0.3]])
    method = {"batch_size": Param("size", 2), **epochs, "learning_rate": Param("positive", 0.1)}
    method["optimizer"] = Param("string", "Adam")  # Keras knows its names when the training begins
    method["clip_value"] = Param("positive", 1.0, optional=True)
    method["weight_decay"] = Param("positive", 0.1, optional=True)
    cell = {
        "inputs": Param("numbers", np.ones((2, 3)), more={"flat": [1.0, 2.0]}),
        "kernel": Param("numbers", np.ones((3, 4)), more={"small": np.ones((2, 2))}),
        "recurrent_kernel": Param("numbers", np.ones((4, 4)), more={"small": np.ones((2, 2))}),
        "bias": Param("numbers", np.ones(4), more={"small": np.ones(2)}),
    }
    state = Param("numbers", np.ones((2, 4)), more={"small": np.ones((3, 4))})
    wide = {
        "kernel": Param("numbers", np.ones((3, 12))),
        "recurrent_kernel": Param("numbers", np.ones((4, 12))),
        "bias": Param("numbers", np.ones((2, 12))),
    }
    wider = {
        "kernel": Param("numbers", np.ones((3, 16))),
        "recurrent_kernel": Param("numbers", np.ones((4, 16))),
        "bias": Param("numbers", np.ones(16)),
    }
    states = Param("object", w.states, more={"none": None, "of another batch": models.zero_states(w.model, 3)})
    train = {
        "model": recurrent,
        "ids": ids,
        **shape,
        **epochs,
        "validation_ids": Param("ids", IDS, optional=True, legal=["list"], more={"one id": [1]}),
        "optimizer": Param("object", w.optimizer, optional=True, more={"word": "Adam"}),
        "clip_norm": Param("positive", 5.0, optional=True),
        "progress": flag,
        "checkpoint": Param("path", "training.npz", optional=True, more={"folder": "runs", "under a file": "file/x"}),
        "save_every": Param("size", 5),
        "on_epoch_end": Param("function", None, optional=True),
        "keep_best": flag,
        "patience": Param("size", 1, optional=True),
        "log_dir": Param("path", None, optional=True),
        "strategy": Param("object", None, optional=True),
    }
    build = {
        "cell": Param("choice", "gru"),
        "units": Param("size", 2, more={"too large": 10**6}),
        "num_layers": Param("size", 1, more={"too large": 10**9}),
        "embedding_dim": Param("size", 2, optional=True),
        "dropout": Param("share", 0.1, more={"all": 1}),
        "fast": flag,
        "recurrent_dtype": Param("choice", "float32"),
    }
    columns = Param("numbers", np.linspace(0, 1, 120).reshape(60, 2), more={"fewer": np.ones((59, 2))})
    labels = Param("numbers", IDS.astype(float))
    chosen_on = Param("size", 30, more={"too large": 60})
    new_folder = Param("path", "new", more={"taken": "runs/tiny", "under a file": "file/x"})
    return {
        "batching.cursor_batches": {"ids": any_ids, **shape},
        "batching.contiguous_batches": {"ids": any_ids, **shape},
        "batching.unrolled_batches": {"ids": any_ids, "batch_size": shape["batch_size"], "num_unrollings": size},
        "batching.context_target_pairs": {"ids": any_ids, "time": shape["time"]},
        "batching.pad_names": {
            "names": names,
            "vocabulary": vocabulary,
            "length": Param("size", 5, optional=True, more={"too small": 2}),
            "pad": Param("string", "\n", more={"long": "ab", "empty": ""}),
        },
        "batching.make_dataset": {
            "inputs": Param("rows", np.ones((4, 2)), more={"fewer": np.ones((3, 2)), "number": 1.0}),
            "targets": Param("rows", np.ones(4), more={"fewer": np.ones(3)}),
            "batch_size": Param("size", 2, more={"too large": 5}),
            "shuffle": flag,
            "seed": optional_seed,
        },
        "cells.rnn_step": {"state": state, **cell},
        "cells.gru_step": {"state": state, **cell, **wide},
        "cells.lstm_step": {
            "states": Param("object", (np.ones((2, 4)), np.ones((2, 4))), more={"alone": [np.ones((2, 4))]}),
            **cell,
            **wider,
        },
        "checkpoints.checksum": {"ids": any_ids},
        "checkpoints.save_checkpoint": {
            "path": Param("path", "new.npz", more={"folder": "runs", "under a file": "file/x"}),
            "variables": Param("object", w.model.variables),
            "progress": Param("object", w.progress),
            "settings": Param("dict", w.settings, more={"no JSON": {"a": {1}}}),
        },
        "checkpoints.load_checkpoint": {
            "path": Param("file", "checkpoint.npz", more={"of another kind": "text.txt"}),
            "variables": Param("object", w.model.variables, more={"larger": w.larger.variables}),
            "states": states,
            "settings": Param("dict", w.settings, more={"others": {"depth": 2}}),
        },
        "corpora.list_corpora": {},
        "corpora.load_corpus": {
            "name": Param("choice", "play", alias="corpus"),
            "data_dir": Param("path", None, optional=True),
        },
        "corpora.read_text": {"path": text_file},
        "corpora.split_corpus": {
            "text": Param("string", TEXT, legal=["list"], more={"words": ["a", "b"], "floats": np.ones(90)}),
            "fractions": Param("numbers", (0.9, 0.1), more={"more than 1": (0.9, 0.2), "negative": (1.1, -0.1)}),
            "batch_size": Param("size", 2, more={"too large": 500}),
            "time": Param("size", 2, more={"too large": 500}),
        },
        "corpora.check_encoding": {"encoding": Param("choice", "utf-8")},
        "corpora.normalize_newlines": {"text": words},
        "corpora.clean_lines": {"text": words},
        "corpora.reduce_alphabet": {"text": words, "keep": words},
        "corpora.text_sha256": {"text": words},
        "evaluation.evaluate": {"model": recurrent, "ids": ids, "rows": Param("size", 2, more={"too many": 60})},
        "evaluation.nats_per_position": {"model": recurrent, "ids": ids},
        "evaluation.nats_in_windows": {"model": recurrent, "ids": ids, "time": shape["time"]},
        "evaluation.evaluate_windows": {"model": recurrent, "ids": ids, "time": shape["time"]},
        "evaluation.nats_while_learning": {
            "model": recurrent,
            "ids": ids,
            "learning_rate": Param("not negative", 0.1),
            "time": Param("size", 20),
            "clip_norm": Param("positive", 1.0),
        },
        "metrics.bits_per_char": {"nats": numbers},
        "metrics.perplexity": {"nats": numbers},
        "metrics.mix_nats": {"first": numbers, "second": numbers, "weight": Param("share", 0.5)},
        "metrics.block_error": {
            "nats": Param("numbers", np.arange(9.0), more={"matrix": np.ones((4, 4))}),
            "block": size,
        },
        "metrics.novel_fraction": {
            "samples": Param("strings", ["ab"], more={"none at all": []}),
            "known": Param("strings", ["ab"], legal=["dict"], more={"one string": "abc"}),
        },
        "metrics.nearest_distances": {
            "samples": Param("strings", ["ab"], more={"none at all": []}),
            "known": Param("strings", ["ab"], more={"none at all": []}),
        },
        "metrics.distinct_fraction": {"samples": Param("strings", ["ab"], more={"none at all": []})},
        "metrics.longest_copy": {"sample": words, "known": words},
        "metrics.novel_ngram_fraction": {
            "sample": words,
            "known": words,
            "n": Param("size", 2, more={"too large": 4}),
        },
        "models.build_model": {"vocab_size": Param("size", 5), **build},
        "models.zero_states": {"model": recurrent, "batch_size": size},
        "models.forward": {
            "model": recurrent,
            "inputs": Param("ids", np.ones((2, 3), int), more={"flat": [1, 2], "large": np.full((2, 3), 5)}),
            "states": states,
            "training": flag,
        },
        "models.step": {
            "model": recurrent,
            "ids": Param("ids", np.ones(2, int), more={"large": [1, 5], "matrix": np.ones((2, 3), int)}),
            "states": states,
            "prepared": Param("object", None, optional=True),
        },
        "models.take_weights": {
            "model": fixed(w.largest),
            "older": Param("model", w.larger, more={"unbuilt": w.models["unbuilt"]}),
        },
        "models.prepare_steps": {"model": recurrent},
        "models.recurrent_layers": {"model": recurrent},
        "models.chain_of_layers": {"model": recurrent},
        "models.count_logits": {"model": recurrent},
        "models.describe_layers": {"model": recurrent},
        "models.PerModel": {"make": Param("function", len)},
        "models.why_no_cudnn": {"layer": Param("object", w.model.layers[2])},
        "models.warn_without_cudnn": {"model": Param("model", w.model)},
        "names.split_names": {"text": Param("string", TEXT), "held_out": Param("share", 0.2), "seed": seed},
        "names.name_windows": {"names": names, "vocabulary": vocabulary, "length": Param("size", 5, optional=True)},
        "names.names_loss": {},
        "names.evaluate_names": {"model": model, "names": names, "vocabulary": fitting},
        "names.write_names": {
            "model": model,
            "vocabulary": fitting,
            "count": size,
            "prime": Param("string", "a", more={"unknown": "z"}),
            "temperature": draw["temperature"],
            "seed": draw_seed,
            "longest": size,
        },
        "ngrams.NgramModel": {
            "order": size,
            "smoothing": Param("choice", "add-k"),
            "k": Param("positive", 1.0),
        },
        "ngrams.NgramModel.fit": {
            "self": fixed(ngrams.NgramModel(2)),
            "ids": ids,
            "vocab_size": Param("size", 5),
        },
        "ngrams.NgramModel.target_probabilities": {"self": fixed(w.ngram), "ids": ids},
        "ngrams.NgramModel.nats_per_char": {"self": fixed(w.ngram), "ids": ids},
        "ngrams.NgramModel.probabilities": {
            "self": fixed(w.ngram),
            "context": Param("ids", [1], legal=["list", "short"]),
        },
        "ngrams.NgramModel.sample": {
            "self": fixed(w.ngram),
            "length": size,
            "prime": Param("ids", [1], legal=["list", "short"]),
            "seed": optional_seed,
        },
        "ngrams.count_ngrams": {
            "ids": ids,
            "vocab_size": Param("size", 5),
            "order": Param("size", 2, more={"too large": 61}),
            "continuation": flag,
        },
        "ngrams.estimate_discounts": {"counts": Param("any ids", [1, 2], more={"zeros": [1, 0]})},
        "player.Player": {"text": words, "steps": Param("list", [])},
        "player.play": {
            "model": model,
            "vocabulary": fitting,
            "most": size,
            "prime": generate["prime"],
            "length": generate["length"],
            "seed": generate["seed"],
            "unknown": generate["unknown"],
            "stop": generate["stop"],
            "temperature": generate["temperature"],
            "top_k": generate["top_k"],
            "num_samples": Param("object", None, optional=True, more={"two": 2}),
        },
        "plotting.use_book_style": {},
        "plotting.plot_history": {
            "history": Param("dict", {"train": [1.0]}, more={"words": {"train": ["a"]}, "number": {"train": 3}}),
            "ax": axes,
            "label": words,
        },
        "plotting.plot_next_character": {
            "probabilities": Param(
                "numbers", [0.2, 0.3, 0.5], more={"fewer": [0.5, 0.5], "negative": [-1.0, 1.0, 1.0]}
            ),
            "characters": Param("string", "abc", more={"fewer": "ab"}),
            "ax": axes,
            "most": size,
        },
        "plotting.plot_windows": {
            "rows": Param("strings", ["ab"], more={"none at all": [], "one string": "ab"}),
            "ax": axes,
            "colors": Param("list", [[0, 1]], optional=True, more={"fewer": [[0]], "none at all": []}),
        },
        "plotting.plot_ranking": {
            "names": Param("strings", ["a", "b"], more={"none at all": [], "one string": "ab", "fewer": ["a"]}),
            "nats": Param("numbers", [2.0, 1.0], more={"fewer": [2.0], "two axes": [[2.0], [1.0]]}),
            "groups": Param("ids", [0, 1], optional=True, more={"fewer": [0], "negative": [-1, 0]}),
            "ax": axes,
        },
        "plotting.spread_labels": {
            "places": Param("numbers", [[0.0, 1.0], [2.0, 3.0]], more={"three": [[0.0, 1.0, 2.0]], "flat": [0.0, 1.0]}),
            "width": Param("positive", 0.5),
            "height": Param("positive", 0.5),
        },
        "plotting.plot_waterfall": {
            "names": Param("strings", ["a", "b"], more={"none at all": [], "one string": "ab", "fewer": ["a"]}),
            "values": Param("numbers", [2.0, 1.0], more={"fewer": [2.0], "two axes": [[2.0], [1.0]]}),
            "ranges": Param("list", [[1, 3], [1, 1]], more={"fewer": [[1, 3]], "single": [[1], [1]], "number": [1, 1]}),
            "ax": axes,
        },
        "plotting.plot_operations": {
            "operations": Param("list", [Operation("MatMul", 0, 0.0, 1.0)], more={"none at all": [], "number": [1]}),
            "kinds": Param("strings", ["MatMul"], legal=["none at all"], more={"one string": "ab", "many": 7 * ["a"]}),
            "ax": axes,
        },
        "traces.record_operations": {"call": Param("function", dict)},
        "plotting.plot_boxes": {
            "places": Param(
                "dict", {"a": [0.1, 0.2], "b": [0.8, 0.9]}, more={"outside": {"a": [0, 2]}, "words": {"a": ["x", "y"]}}
            ),
            "arrows": Param("list", [["a", "b"]], more={"unknown": [["a", "c"]], "alone": ["a"], "number": [1]}),
            "ax": axes,
        },
        "plotting.plot_character_counts": {
            "text": Param("string", "abca", more={"empty": ""}),
            "ax": axes,
            "label": words,
        },
        "plotting.plot_batches": {
            "text": Param("string", "abcd", more={"shorter": "ab"}),
            "batches": Param(
                "list",
                [[[1, 2]], [[3, 4]]],
                more={"one": [[[1, 2]]], "flat": [[1, 2], [3, 4]], "place 0": [[[0]], [[1]]]},
            ),
            "width": size,
            "colors": Param("any ids", [0, 0, 1, 1], optional=True, more={"fewer": [0, 1]}),
        },
        "plotting.show_colored_text": {
            "text": Param("string", "abc"),
            "values": Param("numbers", [0.1, 0.2, 0.3], more={"fewer": [0.1]}),
            "most": Param("positive", 1.0),
            "caption": words,
        },
        "plotting.show_table": {
            "rows": Param("list", [["a", 1]], more={"short": [["a"]], "number": [1]}),
            "columns": Param("strings", ["x", "y"], more={"none at all": [], "one string": "ab"}),
            "formats": Param("strings", ["", "d"], optional=True, more={"fewer": [""], "unknown": ["", "y"]}),
            "caption": words,
        },
        "probing.label_text": {"text": words},
        "probing.character_kinds": {"text": words},
        "probing.read_states": {"model": recurrent, "ids": ids, "rows": Param("size", 2, more={"too many": 61})},
        "probing.read_gates": {
            "model": recurrent,
            "ids": ids,
            "states": Param("list", w.kept_states),
            "layer": Param("seed", 0, more={"too large": 1}),
        },
        "probing.half_lives": {"gates": Param("numbers", [[0.1, 0.9], [0.2, 0.8]], more={"above 1": [[2.0]]})},
        "probing.connectivity": {
            "model": recurrent,
            "windows": Param("rows", IDS.reshape(6, 10), more={"flat": IDS, "one column": IDS.reshape(60, 1)}),
        },
        "probing.correlate": {"columns": columns, "labels": labels},
        "probing.find_column": {"columns": columns, "labels": labels, "chosen_on": chosen_on},
        "probing.project_at_random": {"states": Param("numbers", np.eye(3)), "count": size, "seed": seed},
        "probing.shift_labels": {"labels": labels, "seed": seed},
        "probing.probe": {
            "columns": columns,
            "labels": Param("rows", np.ones((2, 60)), more={"flat": np.ones(60), "fewer": np.ones((2, 59))}),
            "chosen_on": chosen_on,
            "penalty": Param("not negative", 0.1),
        },
        "probing.hold_unit": {
            "model": recurrent,
            "unit": Param("seed", 1, more={"too large": 3}),
            "value": Param("number", 0.5),
            "layer": Param("seed", 0, more={"too large": 1}),
        },
        "reproduce.ModelSettings": build | {"units": size, "num_layers": size},  # its limits hang on the vocabulary
        "reproduce.Stream": {
            **method,
            "time": size,
            "schedule": Param("choice", "staircase", optional=True),
            "stair": size,
            "clip_norm": Param("positive", 5.0, optional=True),
            "validate": flag,
            "keep_best": flag,
            "patience": optional_size,
        },
        "reproduce.Windows": {**method, "time": size, "windows": size},
        "reproduce.Names": method,
        "reproduce.Recipe": {
            "corpus": words,
            "model": Param("object", w.recipe.model),
            "method": Param("object", w.recipe.method),
            "preparation": words,  # others may be entered before the text is prepared
            "prime": words,
            "temperature": draw["temperature"],
            "seed": seed,
        },
        "reproduce.Recipe.from_record": {"record": Param("dict", w.recipe.to_record(), more={"empty": {}})},
        "reproduce.reproduce": {
            "name": Param("choice", "tiny", alias="recipe"),
            "folder": new_folder,
            "progress": flag,
        },
        "reproduce.train_run": {
            "recipe": Param("object", w.recipe),
            "folder": new_folder,
            "text": Param("string", TEXT, optional=True, more={"short": "ab", "empty": ""}),
            "progress": flag,
        },
        "reproduce.gather_material": {
            "recipe": Param("object", w.recipe),
            "text": Param("string", TEXT, optional=True, more={"short": "ab", "empty": ""}),
        },
        "reproduce.score_again": {"run": Param("object", w.run)},
        "reproduce.recipe_text": {"recipe": Param("object", w.recipe), "text": Param("string", TEXT, optional=True)},
        "runs.list_runs": {"runs_dir": Param("path", None, optional=True)},
        "runs.save_run": {
            "folder": Param("path", "saved", more={"under a file": "file/x", "a file": "file"}),
            "model": Param("model", w.model, more={"larger": w.larger}),
            "vocabulary": Param("vocabulary", VOCABULARY, more={"smaller": Vocabulary("ab")}),
            "record": Param("dict", w.record, legal=["none"], more={"empty": {}, "no JSON": w.record | {"a": {1}}}),
        },
        "runs.load_run": {
            "name": Param(
                "choice", "tiny", more={"upwards": "../runs/tiny", "absolute": f"{w.folder}/runs/tiny"}, alias="run"
            ),
            "runs_dir": Param("path", "runs", optional=True),
        },
        "runs.read_run": {
            "name": Param("choice", "tiny", alias="run"),
            "runs_dir": Param("path", "runs", optional=True),
        },
        "runs.name_and_place": {"folder": Param("path", "runs/tiny")},
        "runs.check_weights": {"model": Param("model", w.model)},
        "runs.weights_sha256": {"folder": Param("path", "runs/tiny", more={"nowhere": "no/such/folder"})},
        "runs.check_free": {"folder": Param("path", "new", more={"taken": "runs/tiny"})},  # it only looks
        "runs.is_unfinished": {"folder": Param("path", "new")},
        "runs.unfinished_run": {"folder": new_folder, "settings": Param("dict", {"a": 1})},
        "runs.load_results": {"name": Param("choice", "best", alias="experiment")},
        "runs.load_speeds": {},
        "runs.describe_machine": {},
        "sampling.filter_settings": {},
        "settings.DrawSettings.check": {"self": fixed(settings.DrawSettings()), "vocab_size": Param("size", 5)},
        "settings.weight_shapes": {"vocab_size": Param("size", 5), **build},
        "sampling.check_vocabulary": {"model": recurrent, "vocabulary": fitting},
        "sampling.apply_temperature": {"logits": logits, "temperature": draw["temperature"]},
        "sampling.keep_top_k": {
            "logits": logits,
            "k": dataclasses.replace(draw["top_k"], optional=False, alias="top_k"),
        },
        "sampling.keep_top_p": {
            "logits": logits,
            "p": dataclasses.replace(draw["top_p"], optional=False, alias="top_p"),
        },
        "sampling.keep_min_p": {
            "logits": logits,
            "p": dataclasses.replace(draw["min_p"], optional=False, alias="min_p"),
        },
        "sampling.block_length": {"num_samples": size, "vocab_size": size},
        "sampling.gumbel_noise": {
            "seed": required(draw_seed),
            "block": Param("seed", 0),
            "num_samples": size,
            "vocab_size": size,
        },
        "sampling.Sampler": {"model": model, "vocabulary": fitting, "loops": Param("object", None, optional=True)},
        "sampling.Sampler.generate": {"self": fixed(w.sampler), **generate},
        "sampling.generate": {"model": model, "vocabulary": fitting, **generate},
        "sampling.generate_windows": {
            "model": model,
            "vocabulary": fitting,
            "prime": prime,
            "length": size,
            "time": Param("size", 2, more={"too large": 3}),
            "temperature": draw["temperature"],
            "seed": draw_seed,
        },
        "scale.current_scale": {},
        "scale.pick": {"reduced": fixed(1), "full": fixed(2)},
        "scale.describe_session": {},
        "scale.tolerance": {"least": Param("not negative", 1e-6)},
        "training.set_seed": {"seed": seed},
        "training.count_steps": {"num_ids": Param("length", 60), **shape, **epochs},
        "training.cosine_decay": {
            "learning_rate": Param("positive", 0.1),
            "num_ids": Param("length", 60),
            **shape,
            **epochs,
        },
        "training.train": train,
        "training.compiled_step": {
            "model": recurrent,
            "optimizer": Param("object", keras.optimizers.SGD()),
            "clip_norm": Param("positive", 5.0, optional=True),
        },
        "vocabulary.Vocabulary": {
            "characters": Param("strings", "ab", legal=["text"], more={"twice": "aa", "empty": ""}, alias="character")
        },
        "vocabulary.Vocabulary.from_text": {"text": Param("string", "ab", more={"empty": ""})},
        "vocabulary.Vocabulary.encode": {
            "self": fixed(VOCABULARY),
            "text": Param("string", "ab", more={"unknown": "az"}),
            "unknown": Param("choice", "error"),
        },
        "vocabulary.Vocabulary.decode": {"self": fixed(VOCABULARY), "ids": Param("ids", [1], legal=["list", "short"])},
        "vocabulary.Vocabulary.save": {
            "self": fixed(VOCABULARY),
            "path": Param("path", "new.json", more={"under a file": "file/x", "folder": "runs"}),
        },
        "vocabulary.Vocabulary.load": {"path": Param("file", "vocabulary.json", more={"of another kind": "text.txt"})},
        "vocabulary.file_vocabulary": {"path": text_file},
        "vocabulary.encode_file": {
            "path": text_file,
            "vocabulary": Param("vocabulary", VOCABULARY, more={"smaller": Vocabulary("ab")}),
            "ids_path": Param("path", "ids.npy", more={"under a file": "file/x", "folder": "runs"}),
        },
        "pages.write_page": {
            "folder": Param("path", "new", more={"under a file": "file/x"}),
            "run": Param("object", w.run),
        },
        "workers.cluster_settings": {"count": size},
        "workers.run_workers": {
            "script": Param("file", "script.py", more={"folder": "runs"}),
            "count": Param("size", 1),
            "seconds": Param("positive", 20.0),
        },
        "layers.FastGRU": {"units": size, "recurrent_dtype": build["recurrent_dtype"]},
        "layers.FastLSTM": {"units": size, "recurrent_dtype": build["recurrent_dtype"]},
    }


def public_names():
    """Return the names of all public functions and classes of the package, ``module.name``."""
    names = []
    for path in PACKAGE.glob("*.py"):
        module = importlib.import_module(f"charlm_utils.{path.stem}") if path.stem != "__init__" else None
        for name, value in vars(module).items() if module else ():
            is_own = getattr(value, "__module__", None) == module.__name__
            if is_own and not name.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value)):
                names.append(f"{path.stem}.{name}")
    return names


def find(name):
    """Return a function or class of the package by its name, ``module.name`` or ``module.class.method``."""
    module, *parts = name.split(".")
    found = importlib.import_module(f"charlm_utils.{module}")
    for part in parts:
        found = getattr(found, part)
    return found


# --- one call, and what comes of it ---


class Hung(BaseException):
    """A call took too long."""


def interrupt(*_):
    raise Hung


def outcome(world, name, params, parameter, value):
    """Make a good call with one bad value; return what came of it, in one word, and the message."""
    arguments = {key: param.good for key, param in params.items()}
    arguments[parameter] = value
    positional = [arguments.pop("self")] if "self" in arguments else []
    files = world.files()
    signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT)
    try:
        result = find(name)(*positional, **arguments)
        if isinstance(result, types.GeneratorType):
            list(result)
        if hasattr(result, "__enter__") and not isinstance(result, tf.Tensor):
            with result:
                pass
        found = "accepted", repr(result)[:200]
    except Hung:
        found = "hung", ""
    except Exception as error:
        is_ours = isinstance(error, ValueError | OSError)
        clear = is_ours and is_clear(str(error), parameter, params[parameter], value)
        found = "clear" if clear else "unclear", f"{type(error).__name__}: {error}"
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return ("harmed", found[1]) if world.is_harmed(files) else found


LIMITS = "must|need|needs|at least|no|not|unknown|already|belongs|but|is a directory"


def is_clear(message, name, param, value):
    """Whether a message is one line that names the parameter, or the path, and says the value and the limit."""
    names = [re.escape(word) for word in (name, param.alias) if word]
    named = re.search(rf"\b({'|'.join(names)})\b", message)
    if param.kind in ("path", "file") and isinstance(value, str) and value:
        named = named or value in message
    shown = re.search(r"\b(got|has|holds|there are)\b", message) or (isinstance(value, str) and value in message)
    limit = re.search(rf"\b({LIMITS})\b", message, re.IGNORECASE)
    return bool(named and shown and limit) and "\n" not in message and len(message) < 500


def all_bad_calls(calls):
    """Return every bad call as ``(function, parameter, name of the bad value)``."""
    found = []
    for name, params in calls.items():
        for parameter, param in params.items():
            found += [(name, parameter, bad) for bad in param.bad()]
    return found


def count_outcomes(world, number, seed):
    """Make so many bad calls, drawn with a seed, and return how many came to what, and those that were not clear."""
    calls = make_calls(world)
    everything = all_bad_calls(calls)
    chosen = random.Random(seed).sample(everything, min(number, len(everything)))
    counts, others = {}, []
    for name, parameter, bad in chosen:
        value = calls[name][parameter].bad()[bad]
        word, message = outcome(world, name, calls[name], parameter, value)
        counts[word] = counts.get(word, 0) + 1
        if word != "clear":
            others.append(f"{word}: {name}({parameter}={bad}): {message}")
    return counts, others


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        world = World(folder)
        shape = reproduce.Stream(batch_size=40, time=40, epochs=1, learning_rate=0.01)
        patch.setitem(reproduce.RECIPES, "tiny", dataclasses.replace(world.recipe, method=shape))
        yield world


def test_every_public_function_is_tried(world):
    calls = make_calls(world)
    known = {*calls, *INSIDE}
    assert not [name for name in public_names() if name not in known and name.split(".")[0] not in known]
    for name, params in calls.items():
        taken = inspect.signature(find(name)).parameters
        assert set(params) <= set(taken) or {"settings", "kwargs"} & set(taken), name


@pytest.mark.parametrize(
    ("number", "seed"),
    [
        (100, 0),
        pytest.param(1000, 1, marks=pytest.mark.slow),
        pytest.param(100_000, 2, marks=[pytest.mark.slow, pytest.mark.weekly], id="all"),
    ],
)
def test_bad_calls_are_refused_clearly_and_leave_no_trace(world, number, seed):
    counts, others = count_outcomes(world, number, seed)
    assert not {"accepted", "hung", "harmed"} & set(counts), "\n".join(others)
    assert counts["clear"] >= 0.95 * sum(counts.values()), "\n".join(others)


@pytest.mark.slow
def test_the_good_calls_are_good(world):
    for name, params in make_calls(world).items():
        arguments = {key: param.good for key, param in params.items()}
        if name == "reproduce.score_again":
            continue  # the corpus has other characters than the run
        if arguments.get("folder") == "new":
            arguments["folder"] = f"new {name}"
        positional = [arguments.pop("self")] if "self" in arguments else []
        find(name)(*positional, **arguments)
