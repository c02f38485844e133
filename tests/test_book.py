"""The built book: no warnings, all files in the table of contents, nothing asked of any outside host."""

import gzip
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
import numpy as np
import pytest
import yaml
from bs4 import BeautifulSoup

from charlm_utils.runs import list_runs, read_run
from charlm_utils.vocabulary import visible

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
GREEK = re.findall(
    r"\\\w+", r"\alpha \beta \gamma \delta \epsilon \ell \eta \theta \lambda \mu \nu \xi \rho \sigma \tau"
)
sys.path.insert(0, str(ROOT / "tools"))
from export_counts import COUNTED  # noqa: E402

WIDGETS = ("writer", "reader", "names", "training", "units")
TOO_WIDE = """() => {
    const lines = Array.from(document.querySelectorAll("div.cell_input pre"));
    return lines.filter((pre) => pre.scrollWidth > pre.clientWidth).map((pre) => pre.textContent);
}"""
FEW = ["intro.html", "chapters/12_sampling.html", "bibliography.html", "search.html"]
LOOKS = [
    pytest.param("light", 390, FEW, id="light-390-few"),
    pytest.param("dark", 1200, FEW, id="dark-1200-few"),
    *(
        pytest.param(mode, width, [], id=f"{mode}-{width}-all", marks=pytest.mark.weekly)
        for mode in ("light", "dark")
        for width in (390, 1200)
    ),
]
NOTHING_MOVES = """() => {
  for (const animation of document.getAnimations()) {
    if (animation.effect.getComputedTiming().endTime < Infinity) animation.finish();
  }
}"""
FEWER_TOKENS = """() => {  // code and formulas have thousands of elements: one token of each color is enough
    const seen = new Set();
    for (const token of document.querySelectorAll(":is(pre, dt.sig) span:not(:has(*))")) {
        const around = token.closest("div.highlight, dt.sig")?.parentElement.className;
        const kind = [token.className, token.parentElement.className, around].join("/");
        if (seen.has(kind)) {
            token.replaceWith(...token.childNodes);
        }
        seen.add(kind);
    }
    for (const drawing of document.querySelectorAll("mjx-container svg")) {
        drawing.replaceChildren();
    }
}"""
WATCH_FOCUS = """() => {
    const wanted = "a[href], button, input, select, textarea, summary, [tabindex='0']";
    const seen = (part) => part.checkVisibility({ visibilityProperty: true }) && part.tabIndex >= 0;
    window.unreached = new Set(Array.from(document.querySelectorAll(wanted)).filter(seen));
    window.unmarked = [];
    addEventListener("focusin", (event) => {
        const style = getComputedStyle(event.target);
        window.unreached.delete(event.target);
        if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) {
            window.unmarked.push(event.target.outerHTML);
        }
    });
    return window.unreached.size;
}"""
FORK = "a-reader/-charlm.book_2-"  # legal on GitHub, and odd


@pytest.fixture(scope="session")
def built(tmp_path_factory, copy_checkout, run_steps):
    """Build the book as a fork's workflow does, in a copy of the checkout, and return the folder of its pages."""
    folder = tmp_path_factory.mktemp("book")
    copy_checkout(folder)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "installed").touch()  # and make takes the programs of this environment
    environment = {
        "GITHUB_SERVER_URL": "https://github.com",
        "GITHUB_REPOSITORY": FORK,
        "MAKEFLAGS": f"-- BIN={Path(sys.executable).parent}",
    }
    result = run_steps("pages.yml", "build", folder, leave_out=["make pdf"], **environment)
    assert result.returncode == 0, result.stderr[-4000:]
    assert "WARNING" not in result.stdout + result.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="session")
def pages(built):
    pages = sorted(path for path in built.rglob("*.html") if "_static" not in path.parts)
    assert len(pages) > 8
    return {path.relative_to(built).as_posix(): BeautifulSoup(path.read_text("utf-8"), "html.parser") for path in pages}


def toc_files():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))
    return [toc["root"]] + [entry["file"] for part in toc["parts"] for entry in part["chapters"]]


def test_table_of_contents_equals_files():
    chapters = {path.relative_to(ROOT).with_suffix("").as_posix() for path in (ROOT / "chapters").glob("*.ipynb")}
    others = {path.stem for path in ROOT.glob("*.md")} - {"README", "CONTRIBUTING", "CHANGELOG"}
    assert sorted(toc_files()) == sorted(chapters | others)


def test_intro_links_every_chapter():
    intro = (ROOT / "intro.md").read_text("utf-8")
    for file in toc_files():
        if file.startswith("chapters/"):
            label = re.search(r"\((chapter-[a-z-]+)\)=", (ROOT / f"{file}.ipynb").read_text("utf-8"))
            assert f"<{label[1]}>`" in intro


def listed_symbols():
    """The formulas of the first column of the tables of ``notation.md``."""
    rows = [line for line in (ROOT / "notation.md").read_text("utf-8").split("\n") if line.startswith("| $")]
    assert len(rows) > 40
    assert not [row for row in rows if "in chapter" in row or "<chapter-" in row]
    return [symbol for row in rows for symbol in re.findall(r"\$([^$]+)\$", row.split("|")[1])]


def letters(formula):
    """The letters of a formula: accent, letter, and whether it has a subscript."""
    formula = re.sub(r"\\(text|operatorname|begin|end)\{[^}]*\}", " ", formula)
    formula = re.sub(r"(\^\{[^{}]*\}|\^\\?\w)(_\{[^{}]*\}|_\w)", r"\2\1", formula)  # subscripts before superscripts
    found = re.findall(r"(?:\\(tilde|bar) )?(\\[a-z]+|[a-zA-Z])'?(_)?", formula)
    return {(accent, letter, under) for accent, letter, under in found if letter[0] != "\\" or letter in GREEK}


def test_a_symbol_is_listed_once_and_has_one_meaning_in_all_chapters():
    symbols = listed_symbols()
    assert len(symbols) == len(set(symbols)), sorted(symbol for symbol in symbols if symbols.count(symbol) > 1)


def test_the_letters_of_a_formula_are_found():
    found = letters(r"\ell = \sum_k \tilde h_t^l \odot \text{no} U^\top / \sqrt{e^{s_j}} + a^x_i + \delta")
    plain = {("", letter, "") for letter in (r"\ell", "k", "t", "l", "U", "e", "j", "x", "i", r"\delta")}
    assert found == plain | {("tilde", "h", "_"), ("", "s", "_"), ("", "a", "_")}


@pytest.mark.parametrize("chapter", sorted((ROOT / "chapters").glob("*.ipynb")), ids=lambda path: path.stem)
def test_every_symbol_of_a_chapter_is_listed(chapter):
    listed = {letter for symbol in listed_symbols() for letter in letters(symbol)}
    listed |= {(accent, letter, "") for accent, letter, _ in listed}  # plain, where it is listed with a subscript
    prose = [cell.source for cell in nbformat.read(chapter, as_version=4).cells if cell.cell_type == "markdown"]
    formulas = re.findall(r"\$\$(.+?)\$\$|\$([^$\n]+)\$", re.sub(r"`[^`\n]*`", "", "\n".join(prose)), re.S)
    unlisted = {"".join(formula) for formula in formulas if letters("".join(formula)) - listed}
    assert not unlisted


def test_every_drawing_is_shown():
    pages = [path.read_text("utf-8") for path in [*ROOT.glob("*.md"), *(ROOT / "chapters").glob("*.ipynb")]]
    drawings = {path.stem for path in (ROOT / "_static").glob("*.py")} - {"drawing"}
    assert not {name for name in drawings if f"_static/{name}.svg" not in "".join(pages)}


def places():
    """Every label that a chapter or a page gives to a section, a figure, an exercise or an equation."""
    found = set()
    for path in [*ROOT.glob("*.md"), *(ROOT / "chapters").glob("*.ipynb")]:
        text = path.read_text("utf-8")
        if path.suffix == ".ipynb":
            cells = nbformat.reads(text, as_version=4).cells
            found.update(
                cell.metadata.mystnb.figure.name for cell in cells if "figure" in cell.metadata.get("mystnb", {})
            )
            text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        found.update(re.findall(r"^(?:\(|:name: |:label: |\$\$ \()([\w-]+)(?:\)=|\))?$", text, re.M))
    return found


def test_every_part_of_a_source_has_its_place_in_the_book():
    contents = {"W": 25, "A": 27, "K": 21, "D": 20, "G": 16}
    faults = {"WF": 12, "AF": 17, "KF": 13, "DF": 14, "GF": 10, "N": 4}
    parts = contents | faults | {"C": 32}  # and the old calls
    rows = re.findall(r"^\| ([A-Z]+)(\d+) \| .+ \| (.+) \|$", (ROOT / "coverage.md").read_text("utf-8"), re.M)
    counted = {part: [int(number) for of, number, _ in rows if of == part] for part, _, _ in rows}
    assert counted == {part: list(range(1, number + 1)) for part, number in parts.items()}
    labels = places()
    pages = {path.stem for path in ROOT.glob("*.md")}
    for part, number, where in rows:
        named = re.findall(r"\{(?:num)?ref\}`(?:[^`<]+ <)?([\w-]+)>?`", where)
        assert set(named) <= labels, f"{part}{number}"
        documents = re.findall(r"\{doc\}`([\w-]+)`", where)
        assert set(documents) <= pages, f"{part}{number}"
        assert len(named) + len(documents) == where.count("`") / 2 > 0, f"{part}{number}"


def test_every_citation_resolves_and_every_entry_is_cited(pages):
    keys = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "references.bib").read_text("utf-8"), re.M))
    sources = [*ROOT.glob("*.md"), *(ROOT / "chapters").glob("*.ipynb")]
    cited = {
        key.strip()
        for path in sources
        for group in re.findall(r"\{cite:\w+\}`([^`]+)`", path.read_text("utf-8"))
        for key in group.split(",")
    }
    assert cited == keys
    listed = pages["bibliography.html"].select("[role=doc-biblioentry], .citation")
    assert len(listed) >= len(keys)


def test_first_uses_of_words_lead_to_the_glossary_and_carry_its_definition(pages):
    told = {term["id"]: " ".join(term.find_next("dd").text.split()) for term in pages["glossary.html"].select("dt[id]")}
    assert len(told) > 140
    assert all(re.search(r"\((chapter \d+(, )?)+\)$", definition) for definition in told.values())
    letters = [link.text for link in pages["glossary.html"].select("article p > a.reference") if len(link.text) == 1]
    assert letters == sorted(letters) and len(letters) > 20
    for name, page in pages.items():
        words = [link["href"].split("#")[1] for link in page.select("a:has(> .std-term)")]
        assert len(words) == len(set(words)), name  # the first use only
        for link in page.select("a:has(> .std-term)"):
            assert told[link["href"].split("#")[1]].startswith(link["title"][:12])
            assert link["title"].endswith(".") and not re.search(r"[{}$]", link["title"])


def test_every_reference_to_a_number_has_found_one(pages):
    assert not [(name, part.text) for name, page in pages.items() for part in page.select("code.std-numref")]


def test_entries_of_the_bibliography_are_named_as_the_text_names_them(pages):
    labels = [label.text.strip("[]") for label in pages["bibliography.html"].select(".citation > .label")]
    cited = {link.text for link in pages["chapters/04_first_network.html"].select("a[href*='bibliography.html#']")}
    assert "Kingma and Ba, 2015" in labels
    assert {text for text in cited if "," in text} <= set(labels)


def test_every_chapter_has_a_colab_button_with_the_fork_s_address(built, pages):
    for file in toc_files():
        if file.startswith("chapters/"):
            links = [a.get("href", "") for a in pages[f"{file}.html"].find_all("a")]
            assert f"https://colab.research.google.com/github/{FORK}/blob/colab/{file}.ipynb" in links
            assert f"git+https://github.com/{FORK}@colab" in pages[f"{file}.html"].text
    for page in built.rglob("*.html"):
        assert "SET_THE_OWNER" not in page.read_text("utf-8"), page.name


def test_pages_name_no_outside_host_to_load_from(built, pages):
    loading = {"script": "src", "img": "src", "iframe": "src", "source": "src", "audio": "src", "video": "src"}
    for name, page in pages.items():
        addresses = [tag.get(attribute) or "" for kind, attribute in loading.items() for tag in page.find_all(kind)]
        links = [tag for tag in page.find_all("link") if set(tag.get("rel", [])) & {"stylesheet", "preload", "icon"}]
        addresses += [tag.get("href") or "" for tag in links]
        assert not [a for a in addresses if re.match(r"(https?:)?//", a)], name
        inline = " ".join(script.string or "" for script in page.find_all("script"))
        assert "thebe" not in inline.lower(), name
    for sheet in built.rglob("*.css"):
        assert not re.search(r"(url\(|@import)\s*['\"]?(https?:)?//", sheet.read_text("utf-8", "replace")), sheet.name


def test_check_and_solution_follow_their_exercise_so_that_the_three_are_one_card(pages):
    for file in toc_files():
        if file.startswith("chapters/"):
            exercises = pages[f"{file}.html"].select(".exercise.admonition")
            cards = pages[f"{file}.html"].select(".exercise.admonition + div.cell + div.cell.tag_hide-cell")
            assert len(exercises) == len(cards) >= 3
            assert all("Show solution" in card.summary.text for card in cards)


def test_every_page_has_a_description_and_loads_mathematics_only_where_there_is_some(pages):
    for name, page in pages.items():
        scripts = " ".join(script.get("src", "") for script in page.find_all("script"))
        assert ("mathjax" in scripts) == bool(page.select(".math")), name
    descriptions = [pages[f"{file}.html"].find("meta", {"name": "description"})["content"] for file in toc_files()]
    assert all(20 < len(text) <= 203 for text in descriptions)
    assert len(set(descriptions)) == len(descriptions)
    assert pages["intro.html"].find("meta", {"property": "og:title"})["content"] == pages["intro.html"].h1.contents[0]


def test_a_shared_link_shows_a_picture_of_the_fork_s_book(built, pages):
    owner, name = FORK.split("/")
    for file in toc_files():
        picture = pages[f"{file}.html"].find("meta", {"property": "og:image"})["content"]
        assert picture == f"https://{owner}.github.io/{name}/_static/results.png"
    assert (built / "_static" / "results.png").read_bytes().startswith(b"\x89PNG")


def test_every_exercise_is_in_the_index_under_its_stars(pages):
    found = {}
    for number, section in enumerate(pages["exercises.html"].select("section section"), start=1):
        links = section.select("td:first-child a")
        found.update(
            {link["href"]: (link.text.replace("\xa0", " "), "★" * number + "☆" * (3 - number)) for link in links}
        )
    expected = {}
    for file in toc_files():
        for exercise in pages[f"{file}.html"].select(".exercise.admonition"):
            number = exercise.select_one(".caption-number").text.strip()
            stars = exercise.p.text.strip()[-4:-1]
            expected[f"{file}.html#{exercise['id']}"] = (number, stars)
    assert found == expected and len(found) > 60


def test_the_page_of_downloads_leads_to_every_notebook_and_to_an_archive(built, pages):
    links = [link["href"] for link in pages["downloads.html"].select("a[download]")]
    notebooks = {f"_sources/{file}.ipynb" for file in toc_files() if file.startswith("chapters/")}
    assert set(links) == notebooks | {"_downloads/charlm-book.zip"}  # and the PDF is not there
    assert all((built / link).stat().st_size > 10_000 for link in links)


def test_the_foot_names_version_licenses_and_what_the_book_was_built_with(pages):
    for file in toc_files():
        foot = pages[f"{file}.html"].select_one(".extra_footer").text
        assert f"Version {version('charlm-utils')}. Code: MIT license. Prose: CC BY 4.0." in foot
        assert f"TensorFlow {version('tensorflow')}, Keras {version('keras')} and NumPy {version('numpy')}" in foot


def test_ids_are_unique_and_what_can_be_pressed_has_a_name(pages):
    for name, page in pages.items():
        ids = [tag["id"] for tag in page.find_all(id=True)]
        assert len(ids) == len(set(ids)), name
        for tag in page.select("button, a[href], summary"):
            named = tag.text.strip() or tag.get("aria-label") or tag.get("title") or tag.find("img", alt=True)
            assert named, (name, tag)


def test_pages_are_light_before_a_network_is_loaded(built, pages):
    sizes = {}

    def size(path):
        if path not in sizes:
            sizes[path] = len(gzip.compress(path.read_bytes()))
        return sizes[path]

    for name, page in pages.items():
        sources = [tag["src"] for tag in page.select("script[src], img[src]")]
        sources += [tag["href"] for tag in page.select("link[rel=stylesheet]")]
        here = (built / name).parent
        files = {(here / source.partition("?")[0]).resolve() for source in sources if not source.startswith("data:")}
        weight = size(built / name) + sum(map(size, files))
        assert weight < (0.6e6 if name == "intro.html" else 1.2e6), (name, weight)


def test_every_head_of_a_table_has_words_that_a_screen_reader_reads(pages):
    for name, page in pages.items():
        for head in page.select("th"):
            words = [text for text in head.find_all(string=True) if text.find_parent(class_="math") is None]
            assert "".join(words).strip(), (name, head)


def test_captions_of_tables_of_results_begin_with_a_capital_or_number_and_have_no_period(pages):
    captions = [tag.text for page in pages.values() for tag in page.select("table.charlm-table caption")]
    assert len(captions) > 50
    for caption in captions:
        assert caption[0].isupper() or caption[0].isdigit(), caption
        assert not caption.endswith("."), caption


@pytest.fixture(scope="session")
def address(built, serve):
    """Serve the book on this machine."""
    with serve(built) as address:
        yield address


def outside(tab, address):
    return [url for url in tab.asked if not url.startswith((address, "data:", "blob:"))]


@pytest.mark.parametrize("sources", [2, pytest.param(None, marks=pytest.mark.weekly)], ids=["few-sources", "all"])
def test_no_page_asks_an_outside_host_scrolls_sideways_or_has_a_script_that_fails(tab, address, pages, sources):
    """All pages, but of those with the source of a module, which are alike, a few."""
    modules = [name for name in pages if name.startswith("_modules/charlm_utils/")]
    assert len(modules) > 20
    visited = [name for name in pages if name not in modules] + modules[:sources]
    widths = [390, 1200]
    for name in visited:
        if pages[name].find("meta", attrs={"http-equiv": "Refresh"}):
            continue  # it leads to the front page at once
        tab.goto(f"{address}/{name}", wait_until="load")
        for width in widths:
            tab.set_viewport_size({"width": width, "height": 800})
            assert tab.evaluate("document.documentElement.scrollWidth") <= width, name
            if width == 1200 and name.startswith("chapters/"):
                assert not tab.evaluate(TOO_WIDE), name
        widths.reverse()  # the next page is laid out at this width at once
    assert len(tab.asked) > len(visited)
    assert not outside(tab, address)
    assert not tab.errors


@pytest.mark.parametrize(("mode", "width", "names"), LOOKS)
def test_axe_finds_nothing_that_keeps_anybody_from_using_a_page(tab, address, pages, mode, width, names):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
    tab.emulate_media(color_scheme=mode)
    tab.set_viewport_size({"width": width, "height": 800})
    found = []
    for name in names or pages:
        if pages[name].find("meta", attrs={"http-equiv": "Refresh"}):
            continue
        tab.goto(f"{address}/{name}", wait_until="load")
        assert tab.evaluate("document.documentElement.dataset.theme") == mode
        tab.evaluate(FEWER_TOKENS)
        tab.evaluate(NOTHING_MOVES)  # a color on its way to another has the contrast of neither
        for rule in axe.Axe().run(tab).response["violations"]:
            found += [(name, rule["id"], part["target"], part["failureSummary"]) for part in rule["nodes"]]
    assert not found


@pytest.mark.parametrize("names", [FEW, pytest.param([], marks=pytest.mark.weekly)], ids=["few", "all"])
def test_the_keyboard_reaches_everything_and_whatever_has_the_focus_shows_it(tab, address, pages, names):
    tab.set_viewport_size({"width": 1200, "height": 800})
    for name in names or pages:
        if pages[name].find("meta", attrs={"http-equiv": "Refresh"}):
            continue
        tab.goto(f"{address}/{name}", wait_until="load")
        number = tab.evaluate(WATCH_FOCUS)
        assert number > 20, name
        for _ in range(number + 5):
            tab.keyboard.press("Tab")
        unreached = "Array.from(window.unreached, (part) => part.outerHTML)"
        assert tab.evaluate(f"[{unreached}, window.unmarked]") == [[], []], name


def test_mathematics_icons_figures_and_search_work_offline(tab, address):
    tab.goto(f"{address}/chapters/08_keras_stateful_gru.html", wait_until="networkidle")
    tab.wait_for_selector("mjx-container svg", state="attached")
    assert tab.locator("mjx-container").count() > 10
    assert "Font Awesome" in tab.evaluate(
        "[...document.fonts].filter(f => f.status == 'loaded').map(f => f.family).join()"
    )
    for image in tab.locator("article img").all():
        image.scroll_into_view_if_needed()
        assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        assert len(image.get_attribute("alt")) > 10
    tab.goto(f"{address}/search.html?q=perplexity", wait_until="networkidle")
    tab.wait_for_selector("#search-results li a")
    assert not outside(tab, address)


def test_figures_turn_black_and_white_around_in_dark_mode(tab, address):
    for name, image in (
        ("intro", "figure img"),
        ("chapters/08_keras_stateful_gru", "figure img"),
    ):
        tab.goto(f"{address}/{name}.html", wait_until="load")
        for mode, filtered in (("light", "none"), ("dark", "invert(0.95) hue-rotate(180deg) brightness(1.2)")):
            tab.evaluate(f"document.documentElement.dataset.theme = '{mode}'")
            style = tab.locator(image).first.evaluate(
                "e => [getComputedStyle(e).filter, getComputedStyle(e).backgroundColor]"
            )
            assert style == [filtered, "rgba(0, 0, 0, 0)"]


def test_player_steps_through_the_text(tab, address):
    tab.goto(f"{address}/chapters/08_keras_stateful_gru.html", wait_until="networkidle")
    player = tab.locator(".charlm-player")
    before = player.locator("pre").inner_text()
    player.get_by_role("button", name="Back").click()
    after = player.locator("pre").inner_text()
    assert len(after) < len(before) and before.startswith(after[:-1])
    assert player.locator(".charlm-choices code").count() == 5
    height = player.bounding_box()["height"]
    player.get_by_role("slider", name="Characters written").fill("0")
    first = player.locator("pre").inner_text()
    assert len(first) < len(after) and before.startswith(first)
    assert player.bounding_box()["height"] == height
    player.get_by_role("button", name="Play").click()
    assert player.locator("[role=status]").get_attribute("aria-live") == "off"


READ_RECORDED = """async (text) => {
    const model = await charlm.load("shakespeare-gru");
    const nats = await model.nats(text);
    const logits = (await model.logits(text)).at(-1);
    const both = [charlm.sampling.softmax(logits), charlm.sampling.distribution(logits, { temperature: 0.8 })];
    const ids = Array.from(both[0].keys()).sort((a, b) => both[0][b] - both[0][a]).slice(0, 8);
    return [Array.from(nats), ids.map((id) => [model.characters[id], both[0][id], both[1][id]])];
}"""


def test_a_network_writes_on_the_front_page(tab, address, pages):
    recorded = read_run("shakespeare-gru")[0]["sample"]
    assert pages["intro.html"].select_one(".charlm-writer pre").text.strip() in recorded
    tab.emulate_media(reduced_motion="reduce")
    tab.goto(f"{address}/intro.html", wait_until="load")
    assert not [url for url in tab.asked if "weights" in url]
    text = tab.locator(".charlm-writer pre").text_content()
    colors = tab.locator(".charlm-writer pre span").evaluate_all("all => all.map((e) => e.style.cssText.split(' ')[1])")
    choices = tab.locator(".charlm-distribution tbody tr").evaluate_all(
        "rows => rows.map((row) => Array.from(row.cells, (cell) => cell.textContent))"
    )
    tab.get_by_role("button", name="Write").click()
    tab.get_by_role("status").filter(has_text="500 characters written.").wait_for()
    assert tab.locator(".charlm-writer pre").text_content().startswith("ROMEO:\n")
    nats, likeliest = tab.evaluate(READ_RECORDED, text)
    colored = [float(color.rstrip(";")) for color in colors[1:-1]]  # all but the newline at the end
    np.testing.assert_allclose(colored, np.minimum(1, np.array(nats[:-1]) / 6), atol=0.5 / 9 + 0.006)
    assert [name for name, *_ in choices] == [visible(name) for name, *_ in likeliest]
    shown = [[float(share) for share in shares] for _, *shares in choices]
    np.testing.assert_allclose(shown, [shares for _, *shares in likeliest], atol=0.0056)
    assert not outside(tab, address)
    assert not tab.errors


def test_what_the_front_page_shows_was_written_by_recorded_networks(pages):
    recorded = ["\n" + read_run(name)[0]["sample"] for name in list_runs()]
    samples = pages["intro.html"].select(".charlm-samples pre")
    assert len(samples) == 3
    assert all(any("\n" + sample.text.strip() in text for text in recorded) for sample in samples)


def test_every_network_that_the_writer_offers_is_in_the_book(tab, address):
    tab.goto(f"{address}/intro.html", wait_until="load")
    offered = tab.locator(".charlm-writer option").evaluate_all("options => options.map((option) => option.value)")
    assert set(offered) <= {*list_runs(), *COUNTED}
    for name in offered:
        assert tab.evaluate("(name) => charlm.load(name).then((model) => model.name)", name) == name


def test_every_widget_shows_what_is_recorded_or_stands_on_its_page(built, pages):
    scripts = {path.stem for path in (built / "_static" / "charlm" / "weights").glob("*.js")}
    assert scripts >= {*list_runs(), *COUNTED, *(f"{name}-training" for name in list_runs()), "genera-gru-list"}
    recorded = "\n".join(read_run(name)[0]["sample"] for name in list_runs())
    found = set()
    for name, page in pages.items():
        widgets = page.select(", ".join(f".charlm-{name}" for name in WIDGETS))
        texts = [widget.pre.text.strip() for widget in widgets]
        page_text = page.text if widgets else ""
        for widget, text in zip(widgets, texts, strict=True):
            for line in filter(None, text.split("\n")):
                shown = sum(other.count(line) for other in texts)
                assert line in recorded or page_text.count(line) > shown, (name, line)
            runs = [run for run, _ in json.loads(widget.get("data-runs", "[]"))]
            assert all(read_run(run)[0]["samples"] for run in runs)
            assert not runs or read_run(runs[0])[0]["samples"][-1].strip() == text
            found.update(widget["class"])
    assert found == {f"charlm-{name}" for name in WIDGETS}


def test_a_page_from_a_disk_has_its_icons_and_no_errors(tab, built):
    tab.goto((built / "chapters" / "12_sampling.html").as_uri(), wait_until="load")
    tab.wait_for_function("document.fonts.check('900 1em \"Font Awesome 6 Free\"', '\\uf0c9')")
    assert not [text for text in tab.said if not text.startswith(("[PST]", "[togglebutton]"))]
    assert not tab.errors


def test_on_paper_a_page_is_light_and_its_solutions_are_open(tab, address):
    tab.goto(f"{address}/chapters/12_sampling.html", wait_until="load")
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    look = "() => [document.documentElement.dataset.theme, document.querySelectorAll('.cell details[open]').length]"
    tab.evaluate("dispatchEvent(new Event('beforeprint'))")
    theme, solutions = tab.evaluate(look)
    assert theme == "light" and solutions >= 3
    label = tab.locator("details[open] .expanded").first
    assert label.text_content() == "Solution"
    tab.emulate_media(media="print")
    faded = "(boxes) => boxes.filter((box) => getComputedStyle(box).animationName !== 'none').length"
    assert tab.locator("details[open] > div").evaluate_all(faded) == 0  # what fades in is not on the paper yet
    assert tab.locator(".bd-article h1").is_visible()
    tab.emulate_media(media="null")
    tab.evaluate("dispatchEvent(new Event('afterprint'))")
    assert tab.evaluate(look) == ["dark", 0]
    assert tab.locator("details .expanded").nth(1).text_content() == "Hide solution"


@pytest.mark.weekly
def test_the_whole_book_becomes_one_pdf_that_leads_to_no_file(built, browser):
    pypdf = pytest.importorskip("pypdf")
    import book_pdf

    reader = pypdf.PdfReader(book_pdf.make_pdf(built, browser))
    titles = [mark.title for mark in reader.outline if not isinstance(mark, list)]
    assert len(titles) == len(toc_files())  # the title and all pages but that of downloads
    notes = [note.get_object() for page in reader.pages for note in page.get("/Annots", [])]
    outside = [note["/A"]["/URI"] for note in notes if "/URI" in note.get("/A", {})]
    assert outside and not [address for address in outside if not re.match("https?://", address)]
    assert book_pdf.LINK in (built / "downloads.html").read_text("utf-8")
