"""A stand-in for Colab: a fresh environment without the package, which the setup cell has to fetch with git."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from set_repository import read_repository

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
PRESENT = ("tensorflow", "matplotlib", "ipykernel")


def run(*command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def fresh_environment(folder):
    """Make an environment with TensorFlow, Matplotlib and ipykernel only, at the versions of the lock file."""
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins = [re.search(rf"^{name}==[^\s;]+", lock, re.M)[0] for name in PRESENT]
    uv = shutil.which("uv", path=Path(sys.executable).parent)
    run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--python", python, *pins)
    run(python, "-m", "ipykernel", "install", "--prefix", folder, "--name", "colab")
    return python


def bare_repository(folder):
    """Put the files of the checkout, as they are now, into a bare git repository; return its address."""
    files = run("git", "ls-files", "-co", "--exclude-standard", cwd=ROOT).splitlines()
    for name in filter(lambda name: (ROOT / name).is_file(), files):
        target = folder / "work" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target)
    git = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
    run(*git, "init", "--quiet", cwd=folder / "work")
    run(*git, "add", "--all", cwd=folder / "work")
    run(*git, "commit", "--quiet", "-m", "snapshot", cwd=folder / "work")
    run(*git, "clone", "--quiet", "--bare", folder / "work", folder / "book.git")
    return f"file://{folder / 'book.git'}"


def versions(python):
    return {item["name"]: item["version"] for item in json.loads(run(python, "-m", "pip", "list", "--format=json"))}


def test_chapter_one_runs_where_only_tensorflow_is_installed(tmp_path, monkeypatch):
    python = fresh_environment(tmp_path / "colab")
    before = versions(python)
    assert "charlm-utils" not in before

    folder = tmp_path / "content"
    folder.mkdir()
    chapter = (ROOT / "chapters" / "01_vocabulary.ipynb").read_text("utf-8")
    chapter = chapter.replace(read_repository(), bare_repository(tmp_path))
    (folder / "01_vocabulary.ipynb").write_text(chapter, "utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "colab" / "share" / "jupyter"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    notebook = nbformat.read(folder / "01_vocabulary.ipynb", as_version=4)
    client = NotebookClient(notebook, kernel_name="colab", timeout=300, resources={"metadata": {"path": str(folder)}})
    client.execute()

    after = versions(python)
    assert after.pop("charlm-utils")
    assert after == before, "the setup cell must replace nothing"
    where = run(python, "-c", "import charlm_utils; print(charlm_utils.__file__)", cwd=folder, env=os.environ)
    assert where.startswith(str(tmp_path / "colab"))
    assert any("scale: reduced" in str(output) for output in notebook.cells[2].outputs)
