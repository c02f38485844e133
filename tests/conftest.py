"""What several test files share."""

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

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


@pytest.fixture(scope="session")
def copy_checkout():
    """A function that copies the files of the checkout, as they are now, into a folder; those that git ignores stay."""

    def copy(folder):
        command = ["git", "ls-files", "-co", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        for name in names:
            if (ROOT / name).is_file():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)

    return copy


@pytest.fixture(scope="session")
def run_steps():
    """A function that runs the commands of one job of a workflow in a folder, and returns the last result."""

    def run(workflow, job, folder, **environment):
        jobs = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text("utf-8"))["jobs"]
        commands = [step["run"] for step in jobs[job]["steps"] if "run" in step]
        assert commands
        for command in commands:
            options = {"cwd": folder, "env": os.environ | environment, "capture_output": True, "text": True}
            result = subprocess.run(["bash", "-e", "-c", command], **options)
            if result.returncode != 0:
                break
        return result

    return run
