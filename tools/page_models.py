"""Sphinx extension: recorded runs and counts as scripts that a page loads when its reader asks for them.

They are made when the book is built and not stored, since they hold nothing that the records do not hold. Nor could
they lie in `_static`: jupyter-book makes every page load all scripts that it finds there. Each calls
`charlm.register(NAME, value)`, which hands a value to `charlm.load(NAME)` or `charlm.read(NAME)`:

    RUN              the weights of a recorded run: tools/export_weights.py says how
    NAME-counts      counts of a text: tools/export_counts.py says how
    RUN-training     the losses of its epochs in nats per character, `train` and `validation`, and a text after each,
                     `samples`; either of the last two may be empty
    genera-gru-list  the names that this run has learned, and those held out: `learned` and `heldOut`
"""

from pathlib import Path

from export_counts import COUNTED, read_counts
from export_weights import export_run, write_script

from charlm_utils.corpora import load_corpus
from charlm_utils.names import split_names
from charlm_utils.runs import list_runs, read_run


def export_training(name, folder):
    """Write the script of the losses and texts of a recorded run's epochs."""
    record, _ = read_run(name)
    history = record["history"]
    kept = {key: [round(loss, 4) for loss in history[key]] for key in ("train", "validation")}
    write_script(folder, f"{name}-training", kept | {"samples": record.get("samples", [])})


def export_list(folder):
    """Write the script of the list of names."""
    learned, held_out = split_names(load_corpus("genera"))
    write_script(folder, "genera-gru-list", {"learned": learned, "heldOut": held_out})


def export_all(folder):
    """Write all scripts into a folder."""
    for name in list_runs():
        export_run(name, folder)
        export_training(name, folder)
    for name in COUNTED:
        write_script(folder, name, read_counts(name))
    export_list(folder)


def write_scripts(app, exception):
    """Write the scripts into the built book, beside those that load them."""
    if exception is None and app.builder.format == "html":
        export_all(Path(app.outdir) / "_static" / "charlm" / "weights")


def setup(app):
    """Connect the hook."""
    app.connect("build-finished", write_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
