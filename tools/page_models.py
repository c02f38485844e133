"""Sphinx extension: the recorded runs as scripts that a page loads when its reader asks for a network.

They are made when the book is built and not stored, since they hold nothing that the runs do not hold. Nor could they
lie in `_static`: jupyter-book makes every page load all scripts that it finds there.
"""

from pathlib import Path

from export_weights import export_run

from charlm_utils.runs import list_runs


def export_runs(app, exception):
    """Write the scripts into the built book, beside those that load them."""
    if exception is None and app.builder.format == "html":
        for name in list_runs():
            export_run(name, Path(app.outdir) / "_static" / "charlm" / "weights")


def setup(app):
    """Connect the hook."""
    app.connect("build-finished", export_runs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
