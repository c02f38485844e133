"""Write networks for the book's pages: one script each, which works from a disk and from a server.

    python tools/export_weights.py --out FOLDER                   # every recorded run, one byte per weight
    python tools/export_weights.py --out FOLDER shakespeare-gru   # one
    python tools/export_weights.py --out FOLDER --measure NAME    # and say what rounding does to its held-out loss

The script FOLDER/NAME.js calls `charlm.register(NAME, exported)`, where `exported` holds

    characters  the vocabulary, in the order of the ids
    cell        "gru" (with Keras's reset_after) or "lstm"
    units       width of every layer
    layers      how many there are
    precision   "int8" or "float32": the type of the weights
    weights     bytes in base64

The bytes are the matrices, one after the other: for each layer that of its inputs and that of its state, then that of
the logits. A matrix is

    bias     float32, one per row
    scale    float32, one per row
    weights  one row after the other, in the type that `precision` names

and its product with x is `bias + scale * (weights @ x)`. It has one row per output: Keras's kernels lie the other way.
The inputs of the first layer are the characters themselves, as one-hot rows: an embedding is multiplied into the matrix
that follows it, which changes no result and makes the file smaller. Numbers are little-endian.
"""

import argparse
import base64
import dataclasses
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from charlm_utils.files import bundled_data_dir
from charlm_utils.folders import WEIGHTS
from charlm_utils.pages import GATES, PRECISIONS, Matrix, export, write_script
from charlm_utils.runs import list_runs, read_run

_ROWS = 64  # stretches of the held-out text that are scored side by side, which is 30 times as fast as one stream


def export_run(name, folder, precision="int8"):
    """Write the script of a recorded run, without TensorFlow, and return its path."""
    record, vocabulary = read_run(name)
    with np.load(bundled_data_dir() / "runs" / name / WEIGHTS) as file:
        weights = [file[key].astype(np.float32) for key in sorted(file.files)]
    return write_script(folder, name, export(record["model"], weights, vocabulary, precision))


def read_script(path):
    """Return what a script hands to the page."""
    text = Path(path).read_text("utf-8")
    return json.loads(text[text.index(", {") + 2 : text.rindex(");")])


def unpack(exported):
    """Return the matrices of what :func:`export` returned, as the page computes with them."""
    vocab_size, units = len(exported["characters"]), exported["units"]
    width = GATES[exported["cell"]] * units
    shapes = []
    for layer in range(exported["layers"]):
        shapes.append((width, units if layer else vocab_size))
        shapes.append((width, units))
    shapes.append((vocab_size, units))
    kind = PRECISIONS[exported["precision"]]
    content = base64.b64decode(exported["weights"])
    parts, place = [], 0
    for rows, columns in shapes:
        bias, scale = np.frombuffer(content, "<f4", 2 * rows, place).reshape(2, rows)
        place += bias.nbytes + scale.nbytes
        weights = np.frombuffer(content, kind, rows * columns, place).reshape(rows, columns)
        place += weights.nbytes
        parts.append(Matrix(bias, scale[:, None] * weights.astype(np.float32)))
    return parts


def build_exported(exported):
    """Return the Keras model that computes what the page does: with one-hot rows, and with the rounded weights."""
    from charlm_utils.models import build_model

    vocab_size, cell = len(exported["characters"]), exported["cell"]
    sizes = {"units": exported["units"], "num_layers": exported["layers"], "embedding_dim": None}
    model = build_model(vocab_size, cell=cell, fast=True, **sizes)
    *layers, dense = unpack(exported)
    weights = [np.eye(vocab_size)]
    for from_inputs, from_state in zip(layers[::2], layers[1::2], strict=True):
        both = np.stack([from_inputs.bias, from_state.bias])
        weights += [from_inputs.weights.T, from_state.weights.T, both if cell == "gru" else both[0]]
    model.set_weights([*weights, dense.weights.T, dense.bias])
    return model


def measure(name, exported):
    """Return the held-out loss of a recorded run, nats per character: with its own weights, and with the page's."""
    from charlm_utils.evaluation import evaluate
    from charlm_utils.reproduce import Recipe, Stream, recipe_text, score_again
    from charlm_utils.runs import load_run

    run = load_run(name)
    recipe = Recipe.from_record(run.record)
    rounded = build_exported(exported)
    if not isinstance(recipe.method, Stream):
        return score_again(run), score_again(dataclasses.replace(run, model=rounded))
    _, held_out = recipe.method.split(recipe_text(recipe))
    ids = run.vocabulary.encode(held_out)
    return evaluate(run.model, ids, rows=_ROWS), evaluate(rounded, ids, rows=_ROWS)


def main():
    """Export what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", help="recorded runs; default: all")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--precision", choices=PRECISIONS, default="int8", help="type of the weights")
    parser.add_argument("--measure", action="store_true", help="score the held-out text before and after rounding")
    options = parser.parse_args()
    for name in options.names or list_runs():
        path = export_run(name, options.out, options.precision)
        line = f"{path}: {path.stat().st_size / 1e6:.2f} MB"
        if options.measure:
            before, after = measure(name, read_script(path))
            line += f", held-out loss {before:.4f}, after rounding {after:.4f}"
        print(line)


if __name__ == "__main__":
    main()
