"""Sphinx extension: pages that ask nothing of any outside host, so that the book can be read on a train.

It serves MathJax from the wheel of ``sphinx-mathjax-offline`` (one file, which draws with SVG and needs no
fonts) and leaves out the scripts of Thebe, which jupyter-book adds to every page with the address of a CDN.
"""

import importlib.metadata
from pathlib import Path

from sphinx.util.fileutil import copy_asset_file

MATHJAX = "sphinx-mathjax-offline/static/mathjax/tex-svg.js"


def use_local_mathjax(app, config):
    """Point Sphinx at the copy that :func:`copy_mathjax` makes."""
    config.mathjax_path = "mathjax/tex-svg.js"


def copy_mathjax(app, exception):
    """Copy MathJax into the built book."""
    if exception is None and app.builder.format == "html":
        source = importlib.metadata.distribution("sphinx-mathjax-offline").locate_file(MATHJAX)
        target = Path(app.outdir) / "_static" / "mathjax"
        target.mkdir(parents=True, exist_ok=True)
        copy_asset_file(str(source), str(target))


def drop_thebe(app, pagename, templatename, context, doctree):
    """Take the scripts of Thebe out of a page."""
    context["script_files"] = [
        script
        for script in context["script_files"]
        if "thebe" not in str(getattr(script, "filename", "")) + str(script.attributes.get("body", ""))
    ]


def setup(app):
    """Connect the three hooks."""
    app.connect("config-inited", use_local_mathjax, priority=900)
    app.connect("build-finished", copy_mathjax)
    app.connect("html-page-context", drop_thebe, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
