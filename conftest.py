"""Settings that every kernel of the notebook tests inherits."""

import os
from pathlib import Path

os.environ.setdefault("CHARLM_SCALE", "reduced")  # the stored outputs are those of the reduced scale
os.environ["COLUMNS"] = "80"  # some outputs follow the width of the terminal
os.environ["TF_NUM_INTRAOP_THREADS"] = "1"  # long trainings round differently with another number of threads


def pytest_configure(config):
    """Name the patterns of outputs that may differ; an absolute path works from every folder."""
    config.option.nbval_sanitize_with = str(Path(__file__).parent / "tests" / "nbval_sanitize.cfg")
