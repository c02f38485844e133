"""The workflows: actions pinned by hash, least permissions, time limits, and nothing that writes runs a notebook."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
PATHS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WRITES = ("contents", "pages", "id-token")
RUNS_NOTEBOOKS = re.compile(r"pytest|nbval|jupyter|pip install|\.ci/run|make (?!repository |colab$)")


JOBS = []
for path in PATHS:
    for name, job in yaml.safe_load(path.read_text("utf-8"))["jobs"].items():
        JOBS.append(pytest.param(path, job, id=f"{path.stem}-{name}"))


def permissions(path, job):
    """What a job may do: what it says itself, else what its workflow says."""
    workflow = yaml.safe_load(path.read_text("utf-8"))
    return job.get("permissions", workflow["permissions"])


def commands(job):
    return [step["run"] for step in job["steps"] if "run" in step]


def test_there_are_workflows():
    assert {path.stem for path in PATHS} >= {"pages", "tests", "weekly"}


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_hash_with_their_version_beside(path):
    lines = [line for line in path.read_text("utf-8").split("\n") if "uses:" in line]
    assert lines
    for line in lines:
        assert re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line), line


def test_an_action_has_the_same_hash_everywhere():
    uses = "\n".join(path.read_text("utf-8") for path in PATHS)
    pins = set(re.findall(r"uses: (\S+)@(\S+)", uses))
    assert len(pins) == len({action for action, _ in pins})


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_workflow_grants_at_most_reading_and_does_not_run_beside_itself(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert workflow["concurrency"]["group"]


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_job_has_a_time_limit_and_commands_without_expressions(path, job):
    assert 0 < job["timeout-minutes"] <= 360
    for command in commands(job):
        assert "${{" not in command, "values reach the shell as variables, not as text of the command"


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_job_that_writes_runs_no_notebook_and_installs_nothing(path, job):
    granted = permissions(path, job)
    writes = {name for name, level in granted.items() if level == "write"}
    assert writes <= set(WRITES)
    if writes:
        assert len(granted) == len(writes), "a job that writes does nothing else"
        assert not [command for command in commands(job) if RUNS_NOTEBOOKS.search(command)]
    if "pages" in writes:
        assert not commands(job)
        assert "contents" not in writes


@pytest.mark.parametrize(("path", "job"), JOBS)
def test_job_that_only_reads_leaves_no_token_in_the_checkout(path, job):
    for step in job["steps"]:
        if step.get("uses", "").startswith("actions/checkout@") and permissions(path, job) != {"contents": "write"}:
            assert step["with"]["persist-credentials"] is False


def test_publishing_waits_for_branch_and_pages_and_runs_on_the_default_branch():
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "pages.yml").read_text("utf-8"))
    assert workflow["jobs"]["deploy"]["needs"] == ["colab", "build"]
    for name in ("colab", "build"):
        assert workflow["jobs"][name]["if"] == "github.ref_name == github.event.repository.default_branch"
