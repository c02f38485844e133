"""Processes that are killed at random; `tests/kills.py` says how."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def kill(*arguments):
    """Return how many kills there were, and how many of them in the middle of a save."""
    command = [sys.executable, str(ROOT / "tests" / "kills.py"), *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    last = done.stdout.splitlines()[-1]
    found = re.fullmatch(r"(\d+) of \1 kills resumed bit for bit, (\d+) of them in the middle of a save", last)
    return int(found[1]), int(found[2])


@pytest.mark.slow
def test_trainings_that_are_killed_end_as_if_they_had_not_been():
    kills, inside = kill(2, 1)
    assert kills >= 4
    assert inside >= 1


@pytest.mark.weekly
def test_a_hundred_kills():
    kills, inside = kill(45, 2)
    assert kills >= 100
    assert inside >= 10


@pytest.mark.weekly
def test_the_program_is_killed():
    assert kill(8, 3, "program")[0] >= 8
