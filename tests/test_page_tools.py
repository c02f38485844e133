"""What the extensions and tools of `tools/` make of pages: foot, archive, mended markup, PDF."""

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import accessible_pages  # noqa: E402
import classroom  # noqa: E402
import page_foot  # noqa: E402

VERSIONS = {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"}
PAGE = """<html lang="en"><head><title>{title}</title><link rel="stylesheet" href="book.css"></head><body>
<nav class="bd-docs-nav"><a class="reference internal" href="#">A book</a>
<a class="reference internal" href="chapters/one.html">One</a> <a class="reference internal" href="two.html">Two</a>
</nav>
<article class="bd-article"><h1 id="top">{title}<a class="headerlink" href="#top">#</a></h1>{body}</article>
<div class="extra_footer"><p>Version 1</p></div></body></html>"""


def test_versions_are_verified_if_they_are_those_of_the_lock_file():
    locked = set(VERSIONS.items()) | {("numpy", "2.5.5")}
    verified = page_foot.describe_build(VERSIONS, locked, "2026-11-26")
    assert verified.startswith("Last verified with TensorFlow 2.21.0, Keras 3.15.1 and NumPy 2.4.6: ")
    other = page_foot.describe_build(VERSIONS | {"keras": "3.14"}, locked, "2026-11-26")
    assert other.startswith("Built on 2026-11-26 beside TensorFlow 2.21.0, Keras 3.14 and NumPy 2.4.6")


def test_the_lock_file_names_what_is_verified():
    assert {name for name, _ in page_foot.locked_versions(ROOT)} >= set(page_foot.PACKAGES)


def test_a_change_is_dated_only_where_git_knows_the_whole_history(tmp_path):
    assert page_foot.last_change(tmp_path, "one.txt") == ""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    (tmp_path / "one.txt").write_text("one", "utf-8")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "one", "--date", "2001-02-03T04:05:06"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    today = page_foot.ask_git(tmp_path, "log", "-1", "--format=%cs")
    assert page_foot.last_change(tmp_path, "one.txt") == today != ""
    assert page_foot.last_change(tmp_path, "two.txt") == ""
    (tmp_path / ".git" / "shallow").write_text(page_foot.ask_git(tmp_path, "rev-parse", "HEAD") + "\n", "utf-8")
    assert page_foot.last_change(tmp_path, "one.txt") == ""


def test_what_the_theme_and_docutils_write_is_mended():
    written = {
        '<th class="head"></th><th class="head text"><p>a</p></th>': (
            '<td class="head"></td><th scope="col" class="head text"><p>a</p></th>'
        ),
        '<th class="head"><p></p></th>': '<td class="head"></td>',
        '<th scope="col" style="a"></th><th scope="col">a</th>': '<td style="a"></td><th scope="col">a</th>',
        '<div role="doc-biblioentry">': '<div role="listitem">',
        '<button class="search-button-field search-button__button" title="Search" aria-label="Search">': (
            '<button class="search-button-field search-button__button" title="Search">'
        ),
        '<summary aria-label="Toggle hidden content">': "<summary>",
        '<p class="expanded admonition-title">Hide it</p>': '<span class="expanded admonition-title">Hide it</span>',
        '<button class="sidebar-toggle a" title="One" data-b>': (
            '<button class="sidebar-toggle a" title="One" aria-label="One" data-b>'
        ),
        '<button onclick="f()"\n title="Two">': '<button onclick="f()"\n title="Two" aria-label="Two">',
        '<nav class="bd-toc-nav page-toc">': '<nav class="bd-toc-nav page-toc" aria-label="Contents">',
        '<div id="jb-print-docs-body" class="onlyprint">\n<h1>a</h1></div>\n<div id="searchbox">': (
            '<div id="searchbox">'
        ),
        '<a href="../_sources/a.ipynb" target="_blank"\n>': '<a href="../_sources/a.ipynb" download\n>',
    }
    for text, wanted in written.items():
        assert accessible_pages.mend(text) == wanted


def test_a_number_and_a_comma_stay_with_what_they_belong_to():
    nodes = pytest.importorskip("docutils.nodes", reason="docutils comes with what builds the book")
    import kept_together
    from docutils.utils import new_document

    page = new_document("page")
    formulas = [nodes.math(text="x"), nodes.math(text="y")]
    parts = [nodes.Text("Chapter 3 has ("), formulas[0], nodes.Text("), and "), formulas[1], nodes.Text(" is 1 ± 2. ")]
    page += nodes.paragraph("", "", *parts, nodes.literal(text="1 ± 2"))
    kept_together.keep_together(SimpleNamespace(builder=SimpleNamespace(format="html")), page, "page")
    assert page.astext() == "Chapter\xa03 has (x), and y is 1\xa0±\xa02. 1 ± 2"
    assert [part.astext() for part in page.findall(nodes.inline)] == ["x),"]


@pytest.mark.slow
def test_the_archive_holds_what_a_notebook_needs_and_no_dates(tmp_path):
    classroom.write_archive(ROOT, tmp_path / "one.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path)
    folder = tmp_path / classroom.FOLDER
    assert {path.name for path in (folder / "chapters").glob("*.ipynb")} == {
        path.name for path in (ROOT / "chapters").glob("*.ipynb")
    }
    code = "from charlm_utils import corpora, files, runs; print(files.bundled_data_dir(), len(runs.list_runs()))"
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=folder / "chapters", capture_output=True, text=True, check=True
    )
    number = len(list((ROOT / "data" / "runs").iterdir()))
    assert told.stdout.split() == [str(folder / "chapters" / "data"), str(number)]


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of three pages, built by hand."""
    folder = tmp_path_factory.mktemp("paper")
    (folder / "chapters").mkdir()
    shutil.copy(ROOT / "_static" / "book.css", folder)
    (folder / "_static").mkdir()
    shutil.copy(ROOT / "_static" / "print.js", folder / "_static")
    bodies = {
        "intro.html": '<p><a href="chapters/one.html#place">to one</a> <a href="genindex.html">away</a></p>',
        "chapters/one.html": '<h2 id="place">Place</h2><p><a href="../two.html">to two</a></p><details><summary>'
        '<p class="collapsed">Show solution</p><p class="expanded">Hide solution</p></summary><p>hidden</p></details>',
        "two.html": '<p id="place"><a href="https://example.org/">outside</a> <a href="#place">here</a></p>',
    }
    for name, body in bodies.items():
        (folder / name).write_text(PAGE.format(title=f"Title of {name}", body=body), "utf-8")
    (folder / "downloads.html").write_text('<p class="charlm-pdf-missing">No\nPDF</p>', "utf-8")
    return folder


@pytest.mark.slow
def test_the_pages_of_a_book_become_one_pdf_with_links_bookmarks_and_contents(book, browser):
    pypdf = pytest.importorskip("pypdf")
    import book_pdf

    reader = pypdf.PdfReader(book_pdf.make_pdf(book, browser))
    texts = [page.extract_text() for page in reader.pages]
    assert len(texts) == 4
    assert [line.split()[-1] for line in texts[0].split("\n") if "Title of" in line][1:] == ["2", "3", "4"]
    assert "Solution\nhidden" in texts[2] and "#" not in "".join(texts)
    assert [mark.title for mark in reader.outline if not isinstance(mark, list)][1:] == [
        f"Title of {name}" for name in ("intro.html", "chapters/one.html", "two.html")
    ]
    notes = [note.get_object() for page in reader.pages for note in page.get("/Annots", [])]
    outside = [note["/A"]["/URI"] for note in notes if "/URI" in note.get("/A", {})]
    assert outside == ["https://example.org/"]
    numbers = book_pdf.find_numbers((book / book_pdf.PDF).read_bytes())
    assert numbers["chapters-one--place"] == 3 and numbers["two--place"] == 4
    assert book_pdf.LINK in (book / "downloads.html").read_text("utf-8")
    assert not (book / book_pdf.SOURCE).exists()
