"""The package as others install it, and the rules of the repository."""

import ast
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import set_repository as repository_tool

ROOT = Path(__file__).resolve().parent.parent
MODULES = {path.stem: ast.parse(path.read_text("utf-8")) for path in sorted((ROOT / "charlm_utils").glob("*.py"))}


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


def imported_by(module):
    """Return the modules of the package that one of them imports, inside of functions too, and the names it takes."""
    modules, names = set(), set()
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Import):
            modules |= {alias.name.removeprefix("charlm_utils.") for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name"
            origin = node.module.removeprefix("charlm_utils.")
            taken = {alias.name for alias in node.names}
            if node.module == "charlm_utils":
                modules |= taken
            elif origin in MODULES:
                modules.add(origin)
                names |= taken
    return modules & set(MODULES), names


@pytest.mark.parametrize("module", MODULES)
def test_every_module_says_in_one_line_what_is_inside(module):
    first, *rest = ast.get_docstring(MODULES[module]).split("\n")
    assert first.endswith(".") and len(first) > 20
    assert not rest or rest[0] == ""


def test_imports_between_modules_run_one_way():
    waiting = {module: imported_by(module)[0] for module in MODULES}
    while waiting:
        ready = {module for module, needed in waiting.items() if not needed & set(waiting)}
        assert ready, f"these import each other: {waiting}"
        waiting = {module: needed for module, needed in waiting.items() if module not in ready}


@pytest.mark.slow
def test_modules_that_draw_nothing_need_no_matplotlib():
    modules = [f"charlm_utils.{name}" for name in MODULES if name not in ("plotting", "__main__", "__init__")]
    code = f"import sys; sys.modules['matplotlib'] = None; import charlm_utils, {', '.join(modules)}"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr[-2000:]


def private(name):
    return name.startswith("_") and not name.startswith("__")


@pytest.mark.parametrize("module", MODULES)
def test_no_private_name_of_another_module_is_used(module):
    modules, names = imported_by(module)
    assert not {name for name in names if private(name)}
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and private(node.attr):
            assert node.value.id not in modules, ast.unparse(node)


@pytest.mark.parametrize("module", MODULES)
def test_nothing_is_hung_on_objects_of_others(module):
    for node in ast.walk(MODULES[module]):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("setattr", "delattr"), ast.unparse(node)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            owner = ast.unparse(node.value)
            assert owner not in ("model", "layer", "optimizer"), ast.unparse(node)
            assert owner == "self" or not private(node.attr), ast.unparse(node)


def test_every_dependency_is_justified():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    names = set(re.findall(r'^    "([A-Za-z0-9-]+)[=>]', project, re.M))
    contributing = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert names and not {name for name in names if f"`{name}`" not in contributing}


@pytest.fixture
def book(tmp_path):
    """The files of the book that hold its address."""
    (tmp_path / "chapters").mkdir()
    for name in ("_config.yml", "chapters/01_vocabulary.ipynb", "chapters/02_batching.ipynb"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_setting_the_repository_changes_config_and_chapters(book):
    for address in ("https://example.org:8443/reader/fork", "https://github.com/a/fork.2", "https://github.com/a/fork"):
        assert len(repository_tool.set_repository(address, root=book)) == 3
        assert repository_tool.read_repository(book) == (address, "main")
        assert f'"PACKAGE = \\"git+{address}\\"\\n"' in (book / "chapters" / "02_batching.ipynb").read_text("utf-8")
    repository_tool.set_repository("https://github.com/a/fork", "colab", book)
    assert repository_tool.read_repository(book) == ("https://github.com/a/fork", "colab")
    assert 'git+https://github.com/a/fork@colab\\"' in (book / "chapters" / "01_vocabulary.ipynb").read_text("utf-8")


WRONG = [
    ("", "must look like"),
    ("github.com/a/b", "must look like"),
    ("https://github.com/a", "must look like"),
    ("https://github.com/a/b/", "must look like"),
    ("https://github.com/a/b$(ls)", "must look like"),
    ("https://github.com/a/b.git", r"must not end in .git: give https://github.com/a/b$"),
]


@pytest.mark.parametrize(("address", "message"), WRONG)
def test_setting_a_wrong_repository_is_refused(address, message, book):
    with pytest.raises(ValueError, match=message):
        repository_tool.set_repository(address, root=book)
    with pytest.raises(ValueError, match="the branch may have"):
        repository_tool.set_repository("https://github.com/a/b", "a b", book)
    (book / "chapters" / "02_batching.ipynb").write_text("no address", "utf-8")
    with pytest.raises(ValueError, match="02_batching.ipynb must hold the address once, found 0"):
        repository_tool.set_repository("https://github.com/a/b", root=book)
    for name in ("_config.yml", "chapters/01_vocabulary.ipynb"):
        assert (book / name).read_bytes() == (ROOT / name).read_bytes()


def test_make_repository_needs_neither_an_environment_nor_tensorflow(book):
    shutil.copy(ROOT / "Makefile", book)
    shutil.copytree(ROOT / "tools", book / "tools")
    command = ["make", "repository", "URL=https://github.com/a/b.git"]
    result = subprocess.run(command, cwd=book, capture_output=True, text=True)
    assert result.returncode != 0
    assert "error: the address must not end in .git: give https://github.com/a/b\n" in result.stderr
    subprocess.run(["make", "repository", "URL=https://github.com/a/b"], cwd=book, check=True)
    assert repository_tool.read_repository(book) == ("https://github.com/a/b", "main")
    assert not (book / ".venv").exists()


@pytest.mark.slow
def test_figures_are_those_that_their_scripts_draw(tmp_path):
    """The same shapes and words at the same places; releases of Matplotlib differ by fractions of a point."""
    number = r"-?\d+(?:\.\d+)?"
    shutil.copytree(ROOT / "_static", tmp_path, dirs_exist_ok=True)
    copies = sorted(set(tmp_path.glob("*.py")) - {tmp_path / "drawing.py"})
    for copy in copies:
        copy.with_suffix(".svg").unlink()
    code = "import runpy, sys\nfor path in sys.argv[1:]: runpy.run_path(path, run_name='__main__')"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    subprocess.run([sys.executable, "-c", code, *copies], check=True, capture_output=True, env=environment)
    for copy in copies:
        drawn = copy.with_suffix(".svg").read_text("utf-8")
        stored = (ROOT / "_static" / copy.name).with_suffix(".svg").read_text("utf-8")
        drawn, stored = (re.sub(r'id="[^"]*"|#[^")]+', "", text) for text in (drawn, stored))
        assert re.sub(number, "#", drawn) == re.sub(number, "#", stored)
        numbers = [[float(n) for n in re.findall(number, text)] for text in (drawn, stored)]
        assert numbers[0] == pytest.approx(numbers[1], abs=2)
