"""A page in which a network writes: its weights in the form that the scripts of the book's pages read.

``tools/export_weights.py`` describes the form.
"""

import base64
import html
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from charlm_utils.checks import AnyPath, ARun, checked
from charlm_utils.files import bundled_scripts_dir, write_atomically

PRECISIONS = {"int8": np.dtype("i1"), "float32": np.dtype("<f4")}
_LARGEST = 127  # of a byte with a sign; -128 stays unused, so that a row and its negative round alike
GATES = {"gru": 3, "lstm": 4}
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name}</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="book.css">
{scripts}
</head>
<body>
<div class="charlm-writer" data-networks="{networks}"><pre>
{sample}</pre></div>
</body>
</html>
"""


@dataclass
class Matrix:
    """What maps ``columns`` inputs to ``rows`` outputs: ``bias (rows,)`` and ``weights (rows, columns)``, floats."""

    bias: np.ndarray
    weights: np.ndarray


def matrices(settings, weights):
    """Return the matrices of a model, in the order of the file.

    Parameters
    ----------
    settings : dict
        Arguments of ``build_model``.
    weights : list of numpy.ndarray
        As ``model.get_weights()`` returns them.

    Raises
    ------
    ValueError
        If the cell is not one that the page knows.
    """
    cell = settings.get("cell", "gru")
    if cell not in GATES:
        raise ValueError(f"cell must be one of {', '.join(GATES)}, got {cell!r}")
    embedding, *layers, kernel, bias = weights
    parts = []
    for start in range(0, len(layers), 3):
        from_inputs, from_state, biases = layers[start : start + 3]
        if start == 0:
            from_inputs = embedding @ from_inputs
        if cell == "lstm":
            biases = np.stack([biases, np.zeros_like(biases)])  # it has one, which the inputs take
        parts.append(Matrix(biases[0], from_inputs.T))
        parts.append(Matrix(biases[1], from_state.T))
    parts.append(Matrix(bias, kernel.T))
    return parts


def round_rows(weights):
    """Return scales ``(rows,)`` and whole numbers ``(rows, columns)`` whose product is nearly ``weights``."""
    largest = np.abs(weights).max(axis=1)
    scale = np.where(largest > 0, largest / _LARGEST, 1).astype(np.float32)
    return scale, np.round(weights / scale[:, None])


def pack(matrix, precision):
    """Return the bytes of a matrix."""
    scale = np.ones(len(matrix.bias))
    weights = matrix.weights
    if precision == "int8":
        scale, weights = round_rows(matrix.weights)
    return (
        matrix.bias.astype("<f4").tobytes()
        + scale.astype("<f4").tobytes()
        + weights.astype(PRECISIONS[precision]).tobytes()
    )


def export(settings, weights, vocabulary, precision="int8"):
    """Return what the page gets to know of a model, a dictionary; parameters are those of :func:`matrices`."""
    parts = [pack(matrix, precision) for matrix in matrices(settings, weights)]
    return {
        "characters": vocabulary.characters,
        "cell": settings.get("cell", "gru"),
        "units": settings.get("units", 256),
        "layers": settings.get("num_layers", 1),
        "precision": precision,
        "weights": base64.b64encode(b"".join(parts)).decode("ascii"),
    }


def write_script(folder, name, exported):
    """Write the script that hands a model to the page, and return its path."""
    text = json.dumps(exported, ensure_ascii=True, separators=(",", ":"))
    path = Path(folder) / f"{name}.js"
    write_atomically(path, f"charlm.register({json.dumps(name)}, {text});\n")
    return path


@checked
def write_page(folder: AnyPath, run: ARun):
    """Write a page in which a run of one's own writes; it needs no server, no network and no other file.

    Parameters
    ----------
    folder : str or Path
        Made when it is absent. It gets ``index.html``, a style, and a folder with the scripts and the weights, a byte
        each.
    run : Run
        As :func:`charlm_utils.runs.load_run` returns it; its name has letters, digits, ``-`` and ``_`` only. The page
        begins with the sample of its record, and the reader may begin with the first line of it.

    Returns
    -------
    Path
        Of ``index.html``: open it in a browser.

    Raises
    ------
    ValueError
        If the cell is not one that the page knows, or the name or the record's sample will not do.
    """
    if not run.name.isascii() or not run.name.replace("-", "").replace("_", "").isalnum():
        raise ValueError(f"the name of the run must have letters, digits, - and _ only, got {run.name!r}")
    sample = run.record.get("sample")
    if not isinstance(sample, str) or not sample:
        raise ValueError(f'the record must hold "sample", a text that the network wrote, got {sample!r}')
    exported = export(run.record["model"], run.model.get_weights(), run.vocabulary)
    folder = Path(folder)
    scripts = folder / "charlm"
    write_script(scripts / "weights", run.name, exported)
    source = bundled_scripts_dir()
    names = []
    for path in sorted((source / "charlm").glob("*.js")):
        shutil.copyfile(path, scripts / path.name)
        names.append(f'<script src="charlm/{path.name}"></script>')
    shutil.copyfile(source / "book.css", folder / "book.css")
    networks = json.dumps([[run.name, run.name, sample.split("\n")[0] or sample[0]]])
    page = _PAGE.format(
        name=html.escape(run.name),
        scripts="\n".join(names),
        networks=html.escape(networks, quote=True),
        sample=html.escape(sample),
    )
    write_atomically(folder / "index.html", page)
    return folder / "index.html"
