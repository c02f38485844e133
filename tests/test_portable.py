"""The tool behind `make portable`: it finds what hangs on a setting, lets the rest pass and reports dead kernels."""

import sys
from pathlib import Path

import nbformat
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import portable

STEADY = "1 + 1"
HANGING = "import os\nos.environ.get('TF_NUM_INTRAOP_THREADS', '2')"
DYING = "import os\nos._exit(1)"


def write_notebook(folder, name, *cells):
    """Write a notebook whose cells were run with two threads, and return its path."""
    notebook = nbformat.v4.new_notebook()
    for number, source in enumerate(cells, 1):
        output = nbformat.v4.new_output("execute_result", {"text/plain": "'2'"}, execution_count=number)
        if source == STEADY:
            output.data["text/plain"] = "2"
        notebook.cells.append(nbformat.v4.new_code_cell(source, execution_count=number, outputs=[output]))
    path = folder / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.mark.slow
@pytest.mark.weekly  # as `make portable` is
def test_a_cell_that_hangs_on_the_threads_is_found_and_others_pass(tmp_path, capsys):
    steady = write_notebook(tmp_path, "steady", STEADY, STEADY)
    hanging = write_notebook(tmp_path, "hanging", STEADY, HANGING)
    options = ["--logs", str(tmp_path), "--settings", "two-threads", "one-thread"]
    assert portable.main(["--chapters", str(steady), *options]) == 0
    assert portable.main(["--chapters", str(hanging), *options]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["two-threads", "one-thread"],
        ["steady", "ok", "ok"],
        ["two-threads", "one-thread"],
        ["hanging", "ok", "1"],
    ]
    assert "Cell outputs differ" in (tmp_path / "hanging.one-thread.1.log").read_text("utf-8")


@pytest.mark.slow
@pytest.mark.weekly  # as `make portable` is
def test_a_kernel_that_dies_counts_as_failed_and_does_not_hang(tmp_path):
    path = write_notebook(tmp_path, "dying", STEADY, DYING, STEADY)
    found = portable.run_all([path], ["default"], runs=1, workers=1, limit=20, logs=tmp_path)
    assert found == {("dying", "default"): ["1 died or too long"]}


def test_the_table_shows_every_run_that_failed():
    found = {("01", "default"): ["", ""], ("01", "jitter"): ["7", ""], ("02", "default"): ["3", "3, 4"]}
    found["02", "jitter"] = ["", ""]
    rows = [line.split("  ") for line in portable.table(found)]
    assert [[text.strip() for text in row if text] for row in rows] == [
        ["default", "jitter"],
        ["01", "ok", "7"],
        ["02", "3 / 3, 4", "ok"],
    ]


@pytest.mark.parametrize("name", ["conftest.py", "tools/run_notebooks.py", "Makefile"])
def test_nothing_pins_kernels_or_threads_for_the_tests_alone(name):
    text = (portable.ROOT / name).read_text("utf-8")
    for variables in portable.SETTINGS.values():
        for variable in variables:
            assert variable not in text


def test_a_setting_has_its_own_variables_and_none_of_the_others(monkeypatch):
    monkeypatch.setenv("CHARLM_JITTER", "1e-4")
    monkeypatch.setenv("HOME", "here")
    environment = portable.environment_of("avx2")
    assert environment["ONEDNN_MAX_CPU_ISA"] == "AVX2"
    assert environment["HOME"] == "here"
    assert "CHARLM_JITTER" not in environment


@pytest.mark.parametrize(
    ("log", "status", "over", "expected"),
    [
        ("a.ipynb::Cell 0 PASSED [ 50%]\na.ipynb::Cell 1 PASSED [100%]", 0, False, ""),
        ("a.ipynb::Cell 0 PASSED [ 50%]\na.ipynb::Cell 12 FAILED [100%]", 1, False, "12"),
        (
            "a.ipynb::Cell 0 FAILED [ 33%]\na.ipynb::Cell 1 PASSED [ 66%]\na.ipynb::Cell 2 ",
            -9,
            True,
            "0, 2 died or too long",
        ),
        ("ImportError", 4, False, "did not run"),
        ("", 5, False, "did not run"),
    ],
)
def test_what_failed_is_read_from_the_log(log, status, over, expected):
    assert portable.read_log(log, status, over) == expected
