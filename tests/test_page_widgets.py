"""The Reader, the Names, the Training, and the counts that stand beside the networks of the page."""

import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from charlm_utils.corpora import CORPORA, load_corpus
from charlm_utils.names import split_names
from charlm_utils.ngrams import NgramModel
from charlm_utils.runs import read_run
from charlm_utils.settings import weight_shapes
from charlm_utils.vocabulary import Vocabulary

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import export_counts  # noqa: E402
import export_weights  # noqa: E402
import page_models  # noqa: E402

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>\n"  # which a text of a reader may hold
VOCABULARY = Vocabulary.from_text(HOSTILE + "abc")
SETTINGS = {"cell": "gru", "units": 8, "embedding_dim": 4}
TEXT = HOSTILE + "abc cab" * 40
LIST = {"learned": ["<a>", "<img>", "cab"], "heldOut": ["alert"]}
TRAINING = {"train": [2.5, 1.25, 1.0], "validation": [2.25, 1.5, 1.75], "samples": ["abc", HOSTILE, "last"]}
UNSCORED = {"train": [3.0, 2.0], "validation": [], "samples": ["first", "second"]}
WIDGETS = [
    (
        "charlm-reader",
        {"data-networks": [["tiny", "Tiny", "tiny-counts"], ["absent", "Absent", "tiny-counts"]]},
        "abc",
    ),
    ("charlm-names", {"data-network": "tiny"}, "Before\nThis"),
    ("charlm-training", {"data-runs": [["tiny", "Tiny"], ["unscored", "Unscored"]]}, "last"),
]


def tiny_weights():
    """Weights of a network, in the order of ``model.get_weights()``."""
    rng = np.random.default_rng(0)
    return [rng.normal(scale=0.7, size=shape) for shape in weight_shapes(len(VOCABULARY), **SETTINGS)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_widgets):
    """A folder with a page that holds the widgets, and all that they load."""
    folder = tmp_path_factory.mktemp("widgets")
    write_widgets(folder, *WIDGETS)
    weights = folder / "charlm" / "weights"
    export_weights.write_script(weights, "tiny", export_weights.export(SETTINGS, tiny_weights(), VOCABULARY))
    export_weights.write_script(weights, "tiny-counts", export_counts.export(TEXT, VOCABULARY, 4))
    export_weights.write_script(weights, "tiny-list", LIST)
    export_weights.write_script(weights, "tiny-training", TRAINING)
    export_weights.write_script(weights, "unscored-training", UNSCORED)
    return folder


@pytest.fixture
def page(same_tab, folder):
    """The page, opened from the disk."""
    same_tab.goto((folder / "page.html").as_uri())
    yield same_tab
    assert not same_tab.errors and not same_tab.said and not same_tab.dialogs
    assert page_has_no_markup_of_texts(same_tab)


def page_has_no_markup_of_texts(page):
    return page.locator("body :is(img, script)").count() == 0


def press(page, name):
    page.get_by_role("button", name=name).click()


def wait_for_status(page, words):
    page.get_by_role("status").filter(has_text=words).wait_for()


def test_without_a_script_the_recorded_texts_stand_there(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "page.html").as_uri())
    assert page.locator("body").inner_text().split() == ["abc", "Before", "This", "last"]
    context.close()


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_jumps_and_nothing_is_wider_than_the_page(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.get_by_role("slider").wait_for()
    widgets = page.locator("body > div").all()
    before = [widget.bounding_box()["height"] for widget in widgets]
    page.get_by_label("Your text").fill("0123456789" + HOSTILE)
    press(page, "Read")
    wait_for_status(page, "characters read")
    for coloring in ("counts", "difference"):
        page.get_by_label("Color by").select_option(coloring)
    page.locator(".charlm-reader pre").press("End")
    press(page, "Write ten names")
    wait_for_status(page, "Ten names written.")
    page.get_by_role("slider").press("Home")
    assert [widget.bounding_box()["height"] for widget in widgets] == before
    assert page.evaluate("document.documentElement.scrollWidth") <= width


# the counts

LOGITS = """([exported, text]) => {
    const counts = new (charlmCounts().Counts)(exported);
    const ids = Array.from(text, (character) => Array.from(exported.characters).indexOf(character));
    let state = counts.zeroState();
    return ids.map((id) => {
        const read = counts.step(id, state);
        state = read.state;
        return Array.from(read.logits, Math.exp);
    });
}"""


@pytest.mark.parametrize(
    ("learned", "order", "scored"),
    [
        (load_corpus("play")[:20_000], 6, load_corpus("play")[:150] + load_corpus("play")[30_000:30_300]),
        (load_corpus("play")[:5_000], 1, load_corpus("play")[:100]),
        (load_corpus("play")[:5_000], 2, load_corpus("play")[:100]),
        ("a\U0001f600ba\U0001f600b\U0001f600\U0001f600ca", 4, "a\U0001f600bc\U0001f600a\U0001f600ba"),  # two units each
        ("aaaa", 3, "aaa"),
        ("ab", 2, "ab"),
    ],
)
def test_counts_are_those_of_the_package(page, learned, order, scored):
    vocabulary = Vocabulary.from_text(learned + scored)
    model = NgramModel(order).fit(vocabulary.encode(learned), len(vocabulary))
    ids = vocabulary.encode(scored)
    expected = [model.probabilities(ids[max(0, end - order + 1) : end]) for end in range(1, len(ids) + 1)]
    found = page.evaluate(LOGITS, [export_counts.export(learned, vocabulary, order), scored])
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_counts_read_and_write_as_a_network_does(page):
    nats, text = page.evaluate(
        """async () => {
            const model = await charlm.load("tiny-counts");
            const nats = await model.nats("cab c");
            return [Array.from(nats), await model.write("ca", 20, { temperature: 0 })];
        }"""
    )
    model = NgramModel(4).fit(VOCABULARY.encode(TEXT), len(VOCABULARY))
    expected = -np.log(model.target_probabilities(VOCABULARY.encode("cab c")))
    np.testing.assert_allclose(nats, expected, rtol=1e-6)
    ids = VOCABULARY.encode(text)
    likeliest = [model.probabilities(ids[:end]).argmax() for end in range(2, 22)]
    assert ids[2:].tolist() == likeliest


@pytest.mark.parametrize(
    "name",
    [
        "shakespeare-counts",
        pytest.param("anna-counts", marks=pytest.mark.weekly),
        pytest.param("warpeace-counts", marks=pytest.mark.weekly),
    ],
)
def test_recorded_counts_are_those_of_the_text_that_the_run_has_learned(name):
    corpus = CORPORA[read_run(export_counts.COUNTED[name])[0]["corpus"]]
    if not (Path(os.environ.get("CHARLM_DATA_DIR") or "/nowhere") / corpus.file).is_file():
        pytest.skip(f"set CHARLM_DATA_DIR to a folder that holds {corpus.file}")  # nothing is downloaded here
    assert export_counts.count_learned(name) == export_counts.read_counts(name)


@pytest.mark.parametrize(("text", "order", "message"), [("ab", 0, "order must be"), ("ab", 11, "order must be")])
def test_what_cannot_be_counted_is_refused(text, order, message):
    with pytest.raises(ValueError, match=message):
        export_counts.export(text, Vocabulary.from_text(text), order)


def test_a_text_that_holds_the_start_symbol_is_refused():
    with pytest.raises(ValueError, match="must not hold"):
        export_counts.export("a\0b", Vocabulary("\0ab"), 2)


# the Reader


def scores(page):
    return [float(cell) for cell in page.locator(".charlm-scores tr td:nth-child(2)").all_inner_texts()]


def test_reader_shows_what_network_and_counts_make_of_a_text(page):
    page.get_by_label("Your text").fill(TEXT)
    press(page, "Read")
    wait_for_status(page, f"{len(TEXT)} characters read.")
    assert page.locator(".charlm-reader pre").text_content() == TEXT
    nats = page.evaluate(
        """async (text) => {
            const read = async (name) => Array.from(await (await charlm.load(name)).nats(text));
            return [await read("tiny"), await read("tiny-counts")];
        }""",
        TEXT,
    )
    expected = [*np.mean(nats, axis=1), np.log(len(VOCABULARY))]
    np.testing.assert_allclose(scores(page), expected, atol=6e-4)
    spans = page.locator(".charlm-reader pre span")
    shares = spans.evaluate_all("spans => spans.map((span) => Number(span.style.getPropertyValue('--surprise')))")
    np.testing.assert_allclose(shares[1:], np.minimum(1, np.array(nats[0]) / 6), atol=0.006)
    page.get_by_label("Color by").select_option("difference")
    better = spans.evaluate_all("spans => spans.map((span) => span.classList.contains('charlm-better'))")
    assert better[1:] == [network < counts for network, counts in zip(*nats, strict=True)]


def test_reader_names_unknown_characters_and_leaves_them_out(page):
    page.get_by_label("Your text").fill("a\u00e9bca\u00e9b\U0001f600c?")
    press(page, "Read")
    wait_for_status(page, "6 characters read.")
    named = page.get_by_role("status").filter(has_text="6 characters read.").inner_text()
    assert 'left out: "\u00e9" (U+00E9) 2 times, "\U0001f600" (U+1F600), "?" (U+003F).' in named
    assert page.locator(".charlm-unknown").all_inner_texts() == ["\u00e9", "\u00e9", "\U0001f600", "?"]
    with_unknown = scores(page)
    page.get_by_label("Your text").fill("abcabc")
    press(page, "Read")
    wait_for_status(page, "6 characters read.")
    page.wait_for_function("document.querySelectorAll('.charlm-unknown').length === 0")
    assert scores(page) == with_unknown


def test_reader_takes_the_keyboard(page):
    page.get_by_label("Your text").fill("abc")
    page.get_by_label("Your text").press("Tab")
    page.keyboard.press("Enter")
    wait_for_status(page, "3 characters read.")
    page.keyboard.press("Tab")
    for key, words in (
        ("ArrowRight", "Character 2, b: "),
        ("ArrowLeft", "Character 1, a: nothing to guess it from"),
        ("End", "Character 3, c: "),
        ("ArrowUp", "Character 1, a: "),
    ):
        page.keyboard.press(key)
        wait_for_status(page, words)
        assert page.locator(".charlm-cursor").inner_text() == words[13]
    page.locator(".charlm-reader pre span").nth(1).click()
    wait_for_status(page, "nats for the network")


@pytest.mark.parametrize(("typed", "words"), [("", "type at least 2"), ("?a", "type at least 2")])
def test_reader_says_what_is_wrong(page, typed, words):
    page.get_by_label("Your text").fill(typed)
    press(page, "Read")
    wait_for_status(page, words)
    page.get_by_label("Network").first.select_option("absent")
    press(page, "Read")
    wait_for_status(page, 'no network "absent"')
    assert page.said.pop().startswith("Failed to load resource")
    assert page.get_by_role("button", name="Read").count() == 1


def test_reader_reads_only_so_much_and_can_be_stopped(page):
    page.get_by_label("Your text").fill("abc" * 2000)
    page.get_by_role("button", name="Read").evaluate("button => { button.click(); button.click(); }")
    wait_for_status(page, "Stopped after 0 characters.")
    press(page, "Read")
    wait_for_status(page, "5000 characters read. Only the first 5000 are read.")


# the Names


def edit_distance(name, other):
    """Levenshtein's distance, by its definition."""
    if not name or not other:
        return len(name) + len(other)
    return min(
        edit_distance(name[1:], other) + 1,
        edit_distance(name, other[1:]) + 1,
        edit_distance(name[1:], other[1:]) + (name[0] != other[0]),
    )


def test_near_is_an_edit_distance_of_one(page):
    words = ["".join(letters) for length in range(5) for letters in itertools.product("ab", repeat=length)]
    words += ["a\U0001f600b", "a\u00e9b", "a\U0001f600", "\U0001f600b"]
    pairs = list(itertools.product(words, words))
    found = page.evaluate("(pairs) => pairs.map(([a, b]) => charlmNames().isOneEdit(a, b))", pairs)
    assert found == [edit_distance(*pair) == 1 for pair in pairs]


@pytest.mark.parametrize(
    ("name", "mark", "listed"),
    [
        ("cab", "copied", "cab"),
        ("cob", "near", "cab"),
        ("imgs", "new", ""),
        ("alert", "new", "held out"),
        ("", "empty", ""),
    ],
)
def test_names_are_judged(page, name, mark, listed):
    found = page.evaluate("([name, list]) => charlmNames().judge(name, list)", [name, LIST])
    assert found == {"mark": mark, "listed": listed}


def written(page):
    """The rows of the table: names, marks, and names of the list."""
    return [row.inner_text().split("\t") for row in page.locator(".charlm-names tbody tr").all()]


def test_names_are_those_of_the_network_and_counted(page):
    assert [row[0] for row in written(page)][:3] == ["Before", "This", "\u2013"]
    page.get_by_label("First letters").fill("<")
    page.get_by_label("Temperature").fill("0.7")
    page.get_by_label("Seed").fill("4")
    press(page, "Write ten names")
    wait_for_status(page, "Ten names written.")
    expected = page.evaluate(
        """async () => {
            const model = await charlm.load("tiny");
            const number = charlm.sampling.random(4);
            const names = [];
            for (let i = 0; i < 20; i++) {
                const settings = { temperature: 0.7, seed: Math.floor(number() * 2 ** 32) };
                names.push((await model.write("\\n<", 40, settings)).split("\\n")[1]);
            }
            return names;
        }"""
    )
    shown = page.locator(".charlm-names tbody th")
    assert shown.evaluate_all("cells => cells.map((cell) => cell.textContent)") == expected[:10]
    assert page.locator(".charlm-names p").first.inner_text() == "New: 10. Near: 0. Copied: 0."
    press(page, "Write ten names")
    page.locator(".charlm-names p").filter(has_text="New: 20.").wait_for()
    assert shown.evaluate_all("cells => cells.map((cell) => cell.textContent)") == expected[10:]
    page.get_by_label("Seed").fill("4")
    press(page, "Write ten names")
    page.locator(".charlm-names p").filter(has_text="New: 10.").wait_for()
    assert shown.evaluate_all("cells => cells.map((cell) => cell.textContent)") == expected[:10]


def test_names_say_what_is_wrong(page):
    page.get_by_label("First letters").fill("\u00e9")
    press(page, "Write ten names")
    wait_for_status(page, 'unknown character "\u00e9"')
    page.get_by_label("First letters").fill("")
    press(page, "Write ten names")
    wait_for_status(page, "Ten names written.")


# through training


def test_training_shows_losses_and_text_of_every_epoch(page):
    slider = page.get_by_role("slider", name="Epoch")
    text = page.locator(".charlm-training pre")
    page.wait_for_function("document.querySelector('[type=range]').max === '3'")
    assert text.text_content() == "last"
    slider.press("ArrowLeft")
    assert text.text_content() == HOSTILE
    said = "Epoch 2 of 3: 1.250 nats per character learned, 1.500 held out."
    assert slider.get_attribute("aria-valuetext") == page.locator(".charlm-training p").first.inner_text() == said
    lines = page.locator(".charlm-training polyline").evaluate_all("lines => lines.map((line) => line.points.length)")
    assert lines == [3, 3]
    assert page.get_by_role("img", name="Losses of 3 epochs, from 2.50 to 1.00 nats.").count() == 1
    page.get_by_label("Network").last.select_option("unscored")
    page.locator(".charlm-training p").filter(has_text="Epoch 2 of 2: 2.000 nats per character learned.").wait_for()
    assert text.text_content() == "second"
    assert page.locator(".charlm-training polyline").count() == 1


# what the build writes


def test_the_build_writes_what_is_recorded(tmp_path):
    page_models.export_training("anna-lstm", tmp_path)
    page_models.export_list(tmp_path)
    record = read_run("anna-lstm")[0]
    kept = export_weights.read_script(tmp_path / "anna-lstm-training.js")
    np.testing.assert_allclose(kept["validation"], record["history"]["validation"], atol=1e-4)
    assert kept["samples"] == record["samples"] and kept["samples"][-1] == record["sample"]
    names = export_weights.read_script(tmp_path / "genera-gru-list.js")
    assert (names["learned"], names["heldOut"]) == split_names(load_corpus("genera"))
