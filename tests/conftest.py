"""What several test files share."""

import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def script():
    """A function that imports a script of ``benchmarks`` or ``experiments``; these folders are no packages."""

    def import_script(folder, name):
        path = str(ROOT / folder)
        sys.path.insert(0, path)
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(path)

    return import_script


@pytest.fixture(scope="session")
def turns(script):
    """What the benchmarks share."""
    return script("benchmarks", "turns")


@pytest.fixture(scope="session")
def torch(turns):
    """PyTorch's process; where there is none, the test is skipped."""
    worker = turns.start_torch()
    if worker is None:
        pytest.skip("no PyTorch: `make bench` installs it into .venv-rivals, or set CHARLM_RIVALS_PYTHON")
    yield worker
    worker.close()
