"""A stand-in for Colab: what the workflow publishes, in an environment where only TensorFlow is installed."""

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
from nbclient.exceptions import CellExecutionError

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
PRESENT = ("tensorflow", "matplotlib", "ipykernel")
FORK = "a-reader/-charlm.book_2-"  # legal on GitHub, and odd
DEFAULT_BRANCH = "trunk/é@2#'$(x)"
GIT = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost"]
QUICK = ("01_vocabulary", "02_batching")
CHAPTERS = [
    pytest.param(path.stem, marks=[] if path.stem in QUICK else pytest.mark.weekly)
    for path in sorted((ROOT / "chapters").glob("*.ipynb"))
]


def run(*command, **options):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@pytest.fixture(scope="session")
def colab(tmp_path_factory):
    """Make an environment with TensorFlow, Matplotlib and ipykernel only, at the versions of the lock file."""
    folder = tmp_path_factory.mktemp("colab")
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pins = [re.search(rf"^{name}==[^\s;]+", lock, re.M)[0] for name in PRESENT]
    uv = shutil.which("uv", path=Path(sys.executable).parent)
    run(uv, "venv", "--quiet", "--seed", "--python", sys.executable, folder)
    python = folder / "bin" / "python"
    run(uv, "pip", "install", "--quiet", "--python", python, *pins)
    run(python, "-m", "ipykernel", "install", "--prefix", folder, "--name", "colab")
    return python


def versions(python):
    return {item["name"]: item["version"] for item in json.loads(run(python, "-m", "pip", "list", "--format=json"))}


@pytest.fixture
def fresh(colab, monkeypatch):
    """The environment without the package, and notebooks that run in it."""
    monkeypatch.setenv("JUPYTER_PATH", str(colab.parent.parent / "share" / "jupyter"))
    monkeypatch.delenv("PYTHONPATH", raising=False)
    run(colab, "-m", "pip", "uninstall", "--quiet", "--yes", "charlm-utils")
    return colab


class Fork:
    """A repository on a server, which is a folder here, and a clone of it as a workflow's checkout makes."""

    def __init__(self, folder, copy_checkout):
        self.bare = folder / "server" / FORK
        self.checkout = folder / "checkout"
        self.environment = {"GITHUB_SERVER_URL": f"file://{folder / 'server'}", "GITHUB_REPOSITORY": FORK}
        work = folder / "work"
        copy_checkout(work)
        run(*GIT, "init", "--quiet", cwd=work)
        run(*GIT, "checkout", "--quiet", "-b", DEFAULT_BRANCH, cwd=work)
        run(*GIT, "add", "--all", cwd=work)
        run(*GIT, "commit", "--quiet", "-m", "snapshot", cwd=work)
        run(*GIT, "clone", "--quiet", "--bare", work, self.bare)
        run(*GIT, "clone", "--quiet", "--depth=1", f"file://{self.bare}", self.checkout)
        run(*GIT, "checkout", "--quiet", "--detach", cwd=self.checkout)

    def branches(self):
        return run(*GIT, "branch", "--format=%(refname:short)", cwd=self.bare).split()

    def commits(self):
        return run(*GIT, "rev-list", "colab", cwd=self.bare).split()

    def published(self, name):
        return run(*GIT, "show", f"colab:{name}", cwd=self.bare)


@pytest.fixture(scope="session")
def fork(tmp_path_factory, copy_checkout, run_steps):
    fork = Fork(tmp_path_factory.mktemp("fork"), copy_checkout)
    result = run_steps("pages.yml", "colab", fork.checkout, **fork.environment)
    assert result.returncode == 0, result.stderr
    assert fork.branches() == ["colab", DEFAULT_BRANCH]
    return fork


def execute(text, folder, cells=None):
    notebook = nbformat.reads(text, as_version=4)
    notebook.cells = notebook.cells[:cells]
    client = NotebookClient(notebook, kernel_name="colab", timeout=600, resources={"metadata": {"path": str(folder)}})
    client.execute()
    return notebook


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_chapter_runs_from_an_empty_folder_where_only_tensorflow_is_installed(chapter, fork, fresh, tmp_path):
    before = versions(fresh)
    assert "charlm-utils" not in before
    notebook = execute(fork.published(f"chapters/{chapter}.ipynb"), tmp_path)
    after = versions(fresh)
    assert after.pop("charlm-utils")
    assert after == before, "the setup cell must replace nothing"
    where = run(fresh, "-c", "import charlm_utils; print(charlm_utils.__file__)", cwd=tmp_path, env=os.environ)
    assert where.startswith(str(fresh.parent.parent))
    assert "scale: reduced" in str(notebook.cells[2].outputs)


def test_setup_cell_says_in_words_what_to_do_without_the_package(fork, fresh, tmp_path):
    text = fork.published("chapters/01_vocabulary.ipynb").replace(FORK, "a-reader/elsewhere")
    with pytest.raises(CellExecutionError) as caught:
        execute(text, tmp_path, cells=3)
    assert "could not be fetched from git+file://" in str(caught.value)
    assert "make notebook" in str(caught.value)
    assert "Traceback" not in str(caught.value)


def test_branch_holds_what_a_chapter_needs_and_no_workflow(fork):
    names = run(*GIT, "ls-tree", "--name-only", "colab", cwd=fork.bare).split()
    assert names == ["LICENSE", "README.md", "_static", "chapters", "charlm_utils", "data", "pyproject.toml"]
    for path in (ROOT / "chapters").glob("*.ipynb"):
        text = fork.published(f"chapters/{path.name}")
        assert f'PACKAGE = \\"git+file://{fork.bare}@colab\\"' in text
        assert "SET_THE_OWNER" not in text


def test_publishing_again_adds_a_commit_only_where_something_changed(fork, run_steps):
    first = fork.commits()
    assert "up to date" in run_steps("pages.yml", "colab", fork.checkout, **fork.environment).stdout
    assert fork.commits() == first
    (fork.checkout / "README.md").write_text("changed", "utf-8")
    (fork.checkout / "chapters" / "Untitled.ipynb").write_text("a reader's own", "utf-8")
    before = run(*GIT, "status", "--short", cwd=fork.checkout)
    assert run_steps("pages.yml", "colab", fork.checkout, **fork.environment).returncode == 0
    assert fork.commits()[1:] == first
    assert fork.published("README.md") == "changed"
    assert "Untitled" not in run(*GIT, "ls-tree", "-r", "--name-only", "colab", cwd=fork.bare)
    assert run(*GIT, "status", "--short", cwd=fork.checkout) == before
    assert fork.branches() == ["colab", DEFAULT_BRANCH]


@pytest.mark.parametrize("target", ["pages", "colab"])
def test_publishing_refuses_the_placeholder_and_another_branch(target, tmp_path):
    shutil.copytree(ROOT / "tools", tmp_path / "tools")
    for name in ("_config.yml", "Makefile"):
        shutil.copy(ROOT / name, tmp_path)

    def publish(address):
        run("make", "repository", f"URL={address}", cwd=tmp_path)
        command = ["make", "-o", ".venv/installed", "BIN=false", target]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert result.returncode != 0
        return result.stderr

    assert "the book has no address of its own" in publish("https://github.com/SET_THE_OWNER/charlm-book")
    assert "the buttons would point to the branch 'main'" in publish("https://github.com/a/b")
