"""The rules that every chapter keeps (the values in its outputs are compared by nbval)."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))
TAGS = {"hide-cell", "hide-input", "hide-output", "nbval-ignore-output"}
ABSOLUTE_PATH = re.compile(r"(?<![\w.:/])/(?:work|home|root|tmp|usr|opt|var|Users|mnt|content|private)/|\b[A-Z]:\\\\")


@pytest.fixture(scope="module", params=CHAPTERS, ids=lambda path: path.stem)
def chapter(request):
    notebook = nbformat.read(request.param, as_version=4)
    notebook.path = request.param
    notebook.code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    notebook.prose = [cell for cell in notebook.cells if cell.cell_type == "markdown"]
    return notebook


def lines(cell):
    return [line for line in cell.source.split("\n") if line.strip()]


def public_names():
    """Names that the modules of the package define for others."""
    names = set()
    for path in (ROOT / "charlm_utils").glob("*.py"):
        if path.name == "checks.py":  # serves the other modules, never a chapter
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                names.add(node.name)
    return names - {"main", "step"}  # too short and general to reserve


def defined_names(cell):
    """Names that a cell defines by def, class or plain assignment."""
    for node in ast.walk(ast.parse(cell.source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def has_image(cell):
    return any(is_image(output) for output in cell.outputs)


def is_image(output):
    return bool({"image/svg+xml", "image/png"} & set(output.get("data", {})))


def test_there_are_chapters():
    assert CHAPTERS


def test_cells_were_run_in_order_from_a_fresh_kernel(chapter):
    assert [cell.execution_count for cell in chapter.code] == list(range(1, len(chapter.code) + 1))


def test_outputs_hold_no_logs_and_no_errors(chapter):
    for cell in chapter.code:
        for output in cell.outputs:
            assert output.output_type != "error", cell.source
            assert output.get("name") != "stderr", cell.source


def test_no_absolute_paths(chapter):
    text = chapter.path.read_text(encoding="utf-8")
    assert not ABSOLUTE_PATH.search(text), ABSOLUTE_PATH.search(text)


def test_only_known_tags_and_no_editor_metadata(chapter):
    assert set(chapter.metadata) == {"kernelspec", "language_info"}
    assert dict(chapter.metadata.language_info) == {"name": "python"}
    for number, cell in enumerate(chapter.cells):
        assert cell.id == f"cell-{number:02d}"
        assert set(cell.metadata) <= {"tags", "mystnb"}, cell.source
        assert set(cell.metadata.get("tags", [])) <= TAGS, cell.source


def test_no_cell_is_over_25_lines_and_no_file_over_400_kilobytes(chapter):
    for cell in chapter.code:
        assert len(lines(cell)) <= 25, cell.source
    assert chapter.path.stat().st_size < 400_000


def test_opening_is_that_of_the_map(chapter):
    title, box, setup, imports = chapter.cells[:4]
    assert re.match(r"\(.+\)=\n# \w+", title.source)
    assert len(title.source.split("\n")) > 3, "a hook follows the title"
    for heading in ("**You will build**", "**You will learn**", "**You need**"):
        assert heading in box.source
    assert setup.cell_type == "code"
    assert imports.cell_type == "code"


def test_chapters_are_named_by_links(chapter):
    assert re.match(r"\(chapter-[a-z-]+\)=\n# ", chapter.cells[0].source)
    for cell in chapter.prose:
        typed = re.search(r"(?i)\bchapters? \d+", cell.source)
        assert not typed, f"{typed[0]} should be a link, as {{numref}}`chapter {{number}} <chapter-gates>`"


def test_setup_cell_is_the_same_in_every_chapter_and_behind_a_button(chapter):
    first = next(cell for cell in nbformat.read(CHAPTERS[0], as_version=4).cells if cell.cell_type == "code")
    assert chapter.code[0].source == first.source
    assert chapter.code[0].metadata.tags == ["hide-cell", "nbval-ignore-output"]
    assert chapter.code[0].metadata.mystnb == {"code_prompt_show": "Setup", "code_prompt_hide": "Setup"}


def test_second_cell_imports_what_the_chapter_uses_and_shows_nothing(chapter):
    imports = chapter.code[1]
    assert not imports.metadata
    assert not imports.outputs
    assert imports.source.endswith("set_seed(0)\nuse_book_style()")
    names = set()
    for node in ast.walk(ast.parse(imports.source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
    used = set()
    for cell in chapter.code[1:]:
        used.update(node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name))
    assert names <= used


def test_no_cell_leans_on_an_import_of_the_setup_cell(chapter):
    hidden = {"importlib", "subprocess", "sys", "UsageError", "PACKAGE", "describe_session"}
    imported = set()
    for cell in chapter.code[1:]:
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imported.update(alias.asname or alias.name for alias in node.names)
        used = {node.id for node in ast.walk(ast.parse(cell.source)) if isinstance(node, ast.Name)}
        assert not used & hidden - imported, cell.source


def test_outputs_are_compared_or_this_cell_or_the_next_asserts(chapter):
    for cell, following in zip(chapter.code[1:], [*chapter.code[2:], None], strict=True):
        if "nbval-ignore-output" in cell.metadata.get("tags", []):
            sources = cell.source + (following.source if following else "")
            assert "assert " in sources, cell.source


def test_no_package_name_is_defined_again(chapter):
    reserved = public_names()
    for cell in chapter.code:
        assert not reserved & set(defined_names(cell)), cell.source


def test_every_figure_has_name_caption_and_description(chapter):
    names = []
    for cell in chapter.code:
        if has_image(cell):
            names.append(cell.metadata.mystnb.figure.name)
            assert len(cell.metadata.mystnb.figure.caption) > 20, cell.source
            assert len(cell.metadata.mystnb.image.alt) > 20, cell.source
            assert all(is_image(output) for output in cell.outputs), "a figure cell shows only its figure"
    assert names and len(set(names)) == len(names)


def test_exercises_have_a_check_and_a_hidden_solution(chapter):
    exercises = [cell for cell in chapter.prose if "```{exercise}" in cell.source]
    hidden = [cell for cell in chapter.code if "hide-cell" in cell.metadata.get("tags", [])]
    solutions = [cell for cell in hidden if cell.source.startswith("# One solution")]
    assert len(exercises) >= 3
    assert len(solutions) == len(exercises)
    for cell in exercises:
        index = chapter.cells.index(cell)
        assert "★" in cell.source
        assert "def check_" in chapter.cells[index + 1].source
        check = re.search(r"def (check_\w+)", chapter.cells[index + 1].source)[1]
        assert f"{check}(" in chapter.cells[index + 2].source, "the solution is checked too"
        assert not re.search(r"\bif my_\w+ else\b", chapter.cells[index + 1].source), "0 is an answer: is not None"
    for cell in solutions:
        assert cell.metadata.mystnb == {"code_prompt_show": "Show solution", "code_prompt_hide": "Hide solution"}


def test_the_text_uses_no_name_that_only_a_folded_solution_defines(chapter):
    shown = set()
    folded = set()
    for cell in chapter.code[1:]:
        if "hide-cell" in cell.metadata.get("tags", []):
            folded.update(defined_names(cell))
            continue
        nodes = list(ast.walk(ast.parse(cell.source)))
        shown.update(defined_names(cell))
        shown.update(node.arg for node in nodes if isinstance(node, ast.arg))
        used = {node.id for node in nodes if isinstance(node, ast.Name)}
        assert not used & folded - shown, used & folded - shown


def test_spelling_of_what_was_written(chapter):
    """Check the cells without recorded samples: what a model writes is spelled as it comes."""
    text = "\n".join(cell.source for cell in chapter.cells)
    text = re.sub("<pre>.*?</pre>", "", text, flags=re.DOTALL)
    codespell = Path(sys.executable).parent / "codespell"
    result = subprocess.run([codespell, "-"], cwd=ROOT, input=text, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


def test_chapter_ends_with_summary_and_where_next(chapter):
    prose = "\n".join(cell.source for cell in chapter.prose[-3:])
    assert "## Summary" in prose
    assert "## Where next" in prose
    assert "{cite:" in prose
