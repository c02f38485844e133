"""The sets of versions that the workflow tests cover what pyproject.toml allows."""

import re
import sys
import tomllib
from pathlib import Path

import yaml

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import versions

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def parts(version):
    return [int(part) for part in version.split(".")]


def test_oldest_and_newest_python_are_the_ends_of_what_is_allowed():
    lower, upper = re.fullmatch(r">=([\d.]+),<([\d.]+)", PROJECT["requires-python"]).groups()
    assert versions.SETS["oldest"][0] == lower
    major, minor = parts(versions.SETS["newest"][0])
    assert [major, minor + 1] == parts(upper)
    named = [line.rsplit(" ", 1)[1] for line in PROJECT["classifiers"]]
    assert named == [python for python, _, _ in versions.SETS.values()]


def test_the_versions_of_colab_are_allowed():
    bounds = dict(line.split(">=") for line in PROJECT["dependencies"])
    for pin in versions.SETS["colab"][2]:
        name, version = re.fullmatch(r"(\w+)==([\d.]+)\.\*", pin).groups()
        assert parts(version) >= parts(bounds[name])


def test_the_workflow_tests_every_set_and_both_ends_of_the_lock():
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text("utf-8"))["jobs"]
    assert jobs["versions"]["strategy"]["matrix"]["set"] == [*versions.SETS]
    ends = [versions.SETS["oldest"][0], versions.SETS["newest"][0]]
    assert jobs["lock"]["strategy"]["matrix"]["python"] == ends
