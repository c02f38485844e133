"""Settings that all tests share, and that every kernel of the notebook tests inherits."""

import gc
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

LONGEST = ("test_book.py", "test_colab.py", "test_page_model.py", "test_strategy.py")


def pytest_configure(config):
    """Name the patterns of outputs that may differ; an absolute path works from every folder."""
    config.option.nbval_sanitize_with = str(Path(__file__).parent / "tests" / "nbval_sanitize.cfg")


def begun(item):
    """Return when the file of a test is begun: the longest first, so that no worker is left with one in the end."""
    if item.path.name in LONGEST:
        return 0
    return 1 if item.path.suffix == ".ipynb" else 2


def pytest_collection_modifyitems(items):
    """Leave the tests marked ``weekly`` to the weekly run; compare pictures in SVG as little as those in PNG."""
    items.sort(key=begun)
    for item in items:
        notebook = item.parent
        if hasattr(notebook, "skip_compare") and "image/svg+xml" not in notebook.skip_compare:
            notebook.skip_compare += ("image/svg+xml",)
    if PROFILE != "weekly":
        for item in items:
            if item.get_closest_marker("weekly"):
                item.add_marker(pytest.mark.skip(reason="takes minutes; HYPOTHESIS_PROFILE=weekly runs it"))


def pytest_collection_finish():
    """Spare the collector of garbage what was imported and stays: a tenth of the time of tests with TensorFlow."""
    gc.collect()
    gc.freeze()
