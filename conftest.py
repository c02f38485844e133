"""Settings that all tests share, and that every kernel of the notebook tests inherits."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

os.environ.setdefault("CHARLM_SCALE", "reduced")  # the stored outputs are those of the reduced scale
os.environ["COLUMNS"] = "80"  # some outputs follow the width of the terminal
os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # on a GPU, products of three digits would break comparisons of six

# Property-based tests: the same few examples everywhere, and with HYPOTHESIS_PROFILE=weekly many new ones.
settings.register_profile("quick", max_examples=25, deadline=None, derandomize=True)
settings.register_profile("weekly", max_examples=1000, deadline=None)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE", "quick")
settings.load_profile(PROFILE)


def pytest_configure(config):
    """Name the patterns of outputs that may differ; an absolute path works from every folder."""
    config.option.nbval_sanitize_with = str(Path(__file__).parent / "tests" / "nbval_sanitize.cfg")


def pytest_collection_modifyitems(items):
    """Leave the tests marked ``weekly`` to the weekly run; compare pictures in SVG as little as those in PNG."""
    for item in items:
        notebook = item.parent
        if hasattr(notebook, "skip_compare") and "image/svg+xml" not in notebook.skip_compare:
            notebook.skip_compare += ("image/svg+xml",)
    if PROFILE != "weekly":
        for item in items:
            if item.get_closest_marker("weekly"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; HYPOTHESIS_PROFILE=weekly runs it"))
