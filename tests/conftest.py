"""What several test files share."""

import importlib.util
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture(scope="session")
def rivals():
    """The module that the benchmarks share; their folder is no package."""
    spec = importlib.util.spec_from_file_location("rivals", BENCHMARKS / "rivals.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
