"""The package as others install it, and the rules of the repository."""

import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import set_repository as repository_tool

ROOT = Path(__file__).resolve().parent.parent


def test_wheel_stands_alone_with_its_data(tmp_path):
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path], cwd=ROOT, check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        wheel.extractall(tmp_path / "site")
    code = (
        "import charlm_utils; from charlm_utils.corpora import load_corpus; from charlm_utils.runs import list_runs;"
        "from charlm_utils.runs import load_results, load_speeds; assert load_results('best') and load_speeds();"
        "print(charlm_utils.__file__, len(load_corpus('play')), *list_runs())"
    )
    environment = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
    )
    assert str(tmp_path / "site") in result.stdout
    assert "shakespeare-gru" in result.stdout


def test_lock_file_has_hashes_and_no_addresses():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in lock
    pins = re.findall(r"^[A-Za-z0-9_.-]+==[^\s;]+.*\\$", lock, re.M)
    assert len(pins) == len(re.findall(r"^[A-Za-z]", lock, re.M)) > 100
    assert lock.count("--hash=sha256:") >= len(pins)


def test_modules_and_functions_are_short():
    import ast

    for path in (ROOT / "charlm_utils").glob("*.py"):
        text = path.read_text("utf-8")
        assert len(text.splitlines()) < 200, path.name
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                start = node.body[1].lineno if ast.get_docstring(node) and len(node.body) > 1 else node.lineno
                assert node.end_lineno - start < 30, f"{path.name}: {node.name}"


def test_every_dependency_is_justified():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    names = set(re.findall(r'^    "([A-Za-z0-9-]+)[=>]', project, re.M))
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert names and not {name for name in names if f"`{name}`" not in contributing}


def test_setting_the_repository_changes_config_and_chapters(tmp_path):
    (tmp_path / "chapters").mkdir()
    old = repository_tool.read_repository()
    (tmp_path / "_config.yml").write_text((ROOT / "_config.yml").read_text("utf-8"), "utf-8")
    (tmp_path / "chapters" / "01.ipynb").write_text(f'"REPOSITORY = \\"{old}\\""', "utf-8")
    new = "https://example.org/reader/fork"
    assert len(repository_tool.set_repository(new, tmp_path)) == 2
    assert repository_tool.read_repository(tmp_path) == new
    assert new in (tmp_path / "chapters" / "01.ipynb").read_text("utf-8")


@pytest.mark.parametrize("address", ["", "github.com/a/b", "https://github.com/a", "https://github.com/a/b/"])
def test_setting_a_wrong_repository_is_refused(address, tmp_path):
    with pytest.raises(ValueError, match="must look like"):
        repository_tool.set_repository(address, tmp_path)


def test_figures_are_those_that_their_scripts_draw(tmp_path):
    """The same shapes and words at the same places; releases of Matplotlib differ by fractions of a point."""
    number = r"-?\d+(?:\.\d+)?"
    for script in (ROOT / "_static").glob("*.py"):
        copy = tmp_path / script.name
        copy.write_bytes(script.read_bytes())
        subprocess.run([sys.executable, copy], check=True, capture_output=True)
        drawn, stored = (path.with_suffix(".svg").read_text("utf-8") for path in (copy, script))
        drawn, stored = (re.sub(r'id="[^"]*"|#[^")]+', "", text) for text in (drawn, stored))
        assert re.sub(number, "#", drawn) == re.sub(number, "#", stored)
        numbers = [[float(n) for n in re.findall(number, text)] for text in (drawn, stored)]
        assert numbers[0] == pytest.approx(numbers[1], abs=2)
