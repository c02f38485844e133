"""The verbs of the Makefile and the scripts behind them, with stand-ins for what would take minutes."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from charlm_utils.plotting import plot_windows, use_book_style

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import run_notebooks  # noqa: E402

STUB = """#!/bin/sh
case $1 in
  -c) echo {version};;
  -m) echo "$@" >> log; if [ "$2" = venv ]; then mkdir -p .venv/bin; cp "$0" .venv/bin/python; fi;;
esac
"""


@pytest.fixture
def folder(tmp_path):
    """A folder with the Makefile and stand-ins for Python, which only write down what they were asked."""
    for name in ("Makefile", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, tmp_path)
    for version in ("3.9", "3.11", "3.12"):
        python = tmp_path / f"python{version}"
        python.write_text(STUB.format(version=version), "utf-8")
        python.chmod(0o755)
    return tmp_path


def make(folder, *arguments):
    ours = ("MAKEFLAGS", "MAKELEVEL", "PYTHON")  # as outside of `make test`
    environment = {name: value for name, value in os.environ.items() if name not in ours}
    return subprocess.run(["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True)


def test_the_environment_is_made_with_the_named_python_and_shows_progress(folder):
    result = make(folder, ".venv/installed", "PYTHON=./python3.12")
    assert result.returncode == 0, result.stderr
    assert "GB of disk space" in result.stdout
    venv, *installs = (folder / "log").read_text("utf-8").splitlines()
    assert venv == "-m venv .venv"
    assert len(installs) == 2
    assert not [line for line in installs if "quiet" in line or "-q" in line]
    assert "--require-hashes --requirement requirements.lock" in installs[0]


def test_another_python_is_refused_where_the_environment_exists(folder):
    assert make(folder, ".venv/installed", "PYTHON=./python3.12").returncode == 0
    result = make(folder, ".venv/installed", "PYTHON=./python3.11")
    assert result.returncode != 0
    assert (
        "error: .venv was made with Python 3.12, and PYTHON=./python3.11 is 3.11; first: rm -r .venv" in result.stderr
    )
    for arguments in (["PYTHON=./python3.12"], []):
        assert make(folder, ".venv/installed", *arguments).returncode == 0


def test_a_new_lock_file_is_installed_into_the_environment_that_exists(folder):
    assert make(folder, ".venv/installed", "PYTHON=./python3.12").returncode == 0
    later = time.time() + 10
    os.utime(folder / "requirements.lock", (later, later))
    (folder / "log").unlink()
    assert make(folder, ".venv/installed").returncode == 0
    assert "venv .venv" not in (folder / "log").read_text("utf-8")
    assert (folder / "log").read_text("utf-8").count("pip install") == 2


def test_an_old_python_is_refused(folder):
    result = make(folder, ".venv/installed", "PYTHON=./python3.9")
    assert result.returncode != 0
    assert "Python 3.11 to 3.13 is needed" in result.stderr
    assert not (folder / ".venv").exists()


def test_make_lock_prints_what_changed(folder):
    (folder / ".venv").mkdir()
    lock = folder / "requirements.lock"
    lock.write_text(
        "same==1 \\\n    --hash=sha256:aa\nold==1.0 ; sys_platform == 'x' \\\n    --hash=sha256:bb\n", "utf-8"
    )
    uv = folder / "uv"
    uv.write_text("#!/bin/sh\nsed -i 's/old==1.0/new==2.0/; s/aa/cc/' requirements.lock\n", "utf-8")
    uv.chmod(0o755)
    result = make(folder, "lock", "BIN=.", "-o", ".venv/installed")
    assert result.returncode == 0, result.stderr
    assert result.stdout.endswith("Changed, before < and after >:\n< old==1.0\n> new==2.0\n")


def git(folder, *arguments):
    command = ["git", "-c", "user.name=test", "-c", "user.email=test@localhost", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_running_a_timed_chapter_again_leaves_an_empty_diff(tmp_path, monkeypatch):
    path = tmp_path / "chapter.ipynb"

    def run(*options):
        monkeypatch.setattr(sys, "argv", ["run_notebooks.py", *options, str(path)])
        run_notebooks.main()

    tags = {"tags": ["nbval-ignore-output"]}
    timed = new_code_cell("import time\ntime.time_ns()", metadata=tags)
    printed = new_code_cell("print(time.time_ns())", metadata=tags)
    nbformat.write(new_notebook(cells=[timed, new_code_cell("6 * 7"), printed]), path)
    git(tmp_path, "init", "--quiet")
    run()
    git(tmp_path, "add", "--all")
    git(tmp_path, "commit", "--quiet", "-m", "first")
    stored = nbformat.read(path, as_version=4)
    assert len(stored.cells[0].outputs[0].data["text/plain"]) > 15
    run()
    assert not git(tmp_path, "status", "--short")

    edited = nbformat.read(path, as_version=4)
    edited.cells[1].source = "6 * 8"
    nbformat.write(edited, path)
    run()
    after = nbformat.read(path, as_version=4)
    assert after.cells[0].outputs == stored.cells[0].outputs, "nothing above has changed"
    assert after.cells[1].outputs[0].data["text/plain"] == "48"
    assert after.cells[2].outputs != stored.cells[2].outputs

    run("--timed")
    again = nbformat.read(path, as_version=4)
    assert again.cells[0].outputs != stored.cells[0].outputs


def ask(port, name):
    """Ask a Jupyter server on this machine, which may still be starting."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/{name}?token=book", timeout=60) as answer:
                return json.load(answer)
        except urllib.error.URLError:
            time.sleep(0.2)
    pytest.fail("the server does not answer")


@pytest.mark.slow
def test_a_stored_picture_is_small_and_looks_the_same():
    with plt.rc_context():
        use_book_style()
        figure, (left, right) = plt.subplots(1, 2, num=1, clear=True)
        plot_windows(["ab c", "defg"], left)
        right.semilogy([1, 10, 100], label="a line")
        right.legend()
        right.scatter([0, 1, 2], [3, 30, 70], c=[0, 1, 2])
        left.imshow(np.eye(4))
        left.plot([0, 1, 2], [2, 1, 0], "o", color="red")
        file = io.StringIO()
        figure.savefig(file, format="svg")
        plt.close(figure)
    svg = file.getvalue()
    small = run_notebooks.compact(svg)
    assert len(json.dumps(small)) < 0.6 * len(json.dumps(svg.splitlines(True), indent=1))
    assert run_notebooks.compact(small) == small
    before, after = ([*ElementTree.fromstring(text).iter()] for text in (svg, small))
    for kind in ("path", "use", "image", "clipPath"):
        drawn, kept = ([part for part in tree if part.tag.endswith("}" + kind)] for tree in (before, after))
        assert len(drawn) == len(kept) > 0
    red = [part for part in after if part.get("style") == "fill: #ff0000; stroke: #ff0000"]
    assert [len(part) for part in red] == [3], "three marks share one style"
    names = {part.get("id") for part in after}
    used = set(re.findall(r'(?:url\(|href=")#([^")]+)', small))
    assert used and used <= names


@pytest.mark.slow
def test_make_notebook_opens_the_chapters_in_this_environment(tmp_path):
    pytest.importorskip("jupyterlab")
    environment = os.environ | {"JUPYTER_RUNTIME_DIR": str(tmp_path), "JUPYTER_CONFIG_DIR": str(tmp_path)}
    bin = Path(sys.executable).parent
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = f"--no-browser --allow-root --port {port} --IdentityProvider.token=book"
    command = ["make", "notebook", "-o", ".venv/installed", f"BIN={bin}", f"LAB={options}"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            names = [entry["name"] for entry in ask(port, "contents")["content"]]
            assert "01_vocabulary.ipynb" in names
            assert ask(port, "kernelspecs")["default"] == "python3"
        finally:
            server.terminate()
