"""The Writer: what it writes is what the network in the page writes, whoever reads it and however."""

import sys
from pathlib import Path

import numpy as np
import pytest

from charlm_utils.models import build_model
from charlm_utils.pages import write_page
from charlm_utils.runs import Run
from charlm_utils.training import set_seed
from charlm_utils.vocabulary import Vocabulary

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import export_weights  # noqa: E402

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>\n"  # which a text of our own may hold
VOCABULARY = Vocabulary.from_text(HOSTILE + "abc")
SETTINGS = {"cell": "gru", "units": 8, "embedding_dim": 4}
NETWORKS = [["first", "The first", HOSTILE], ["second", "The second", "ab"]]
WRITE = """async ([name, prime, length, settings]) => {
    const model = await charlm.load(name);
    return model.write(prime, length, settings);
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_widgets):
    """A folder with a page that holds a Writer, and two networks for it."""
    folder = tmp_path_factory.mktemp("writer")
    write_widgets(folder, ("charlm-writer", {"data-networks": NETWORKS}, "A text from before."))
    for seed, (name, *_) in enumerate(NETWORKS):
        model = build_model(len(VOCABULARY), **SETTINGS)
        rng = np.random.default_rng(seed)
        weights = [rng.normal(scale=0.7, size=weight.shape) for weight in model.get_weights()]
        exported = export_weights.export(SETTINGS, weights, VOCABULARY)
        export_weights.write_script(folder / "charlm" / "weights", name, exported)
    return folder


@pytest.fixture
def page(same_tab, folder):
    """The page for a reader who wants no motion, so that a press of Write writes all at once."""
    same_tab.emulate_media(reduced_motion="reduce")
    same_tab.goto((folder / "page.html").as_uri())
    yield same_tab
    assert not same_tab.errors and not same_tab.said and not same_tab.dialogs


def button(page, name):
    return page.get_by_role("button", name=name)


def text_of(page):
    return page.locator(".charlm-writer pre").text_content()


def wait_for_status(page, words):
    page.get_by_role("status").filter(has_text=words).wait_for()


def wait_for_length(page, length):
    script = "(length) => document.querySelector('.charlm-writer pre').textContent.length >= length"
    page.wait_for_function(script, arg=length)


def test_without_a_script_the_recorded_text_stands_there(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "page.html").as_uri())
    assert page.locator("body").inner_text().strip() == "A text from before."
    context.close()


def test_nothing_is_loaded_before_a_press(page):
    assert text_of(page) == "A text from before."
    assert not [url for url in page.asked if "weights" in url]


def test_it_writes_what_the_network_writes_and_markup_stays_text(page):
    button(page, "Write").click()
    wait_for_status(page, "500 characters written.")
    expected = page.evaluate(WRITE, ["first", HOSTILE, 1000, {"temperature": 0.8, "seed": 1}])
    assert text_of(page) == expected[: len(HOSTILE) + 500]
    assert page.locator(".charlm-writer :is(img, script)").count() == 0
    button(page, "Write").click()
    wait_for_status(page, "1000 characters written.")
    assert text_of(page) == expected


def test_settings_network_prime_and_seed_count(page):
    page.get_by_label("Network").select_option(label="The second")
    page.get_by_label("Begin with").fill("cab")
    settings = {"Temperature": 1.5, "Top-k": 9, "Top-p": 0.9, "Min-p": 0.1, "Seed": 7}
    for label, value in settings.items():
        page.get_by_label(label).fill(str(value))
    button(page, "Write").click()
    wait_for_status(page, "500 characters written.")
    named = dict(zip(["temperature", "topK", "topP", "minP", "seed"], settings.values(), strict=True))
    assert text_of(page) == page.evaluate(WRITE, ["second", "cab", 500, named])


def test_presses_that_come_while_it_works_are_answered_one_after_the_other(page):
    page.emulate_media(reduced_motion="no-preference")
    expected = page.evaluate(WRITE, ["first", HOSTILE, 100, {"temperature": 0.8, "seed": 1}])
    page.evaluate(
        """() => {
            const buttons = Array.from(document.querySelectorAll(".charlm-writer button"));
            for (const name of ["Step", "Step", "Restart", "Step", "Step", "Step"]) {
                buttons.find((button) => button.textContent === name).click();
            }
        }"""
    )
    wait_for_length(page, len(HOSTILE) + 3)
    assert text_of(page) == expected[: len(HOSTILE) + 3]
    button(page, "Write").click()
    wait_for_length(page, len(HOSTILE) + 6)
    button(page, "Step").click()
    page.wait_for_timeout(200)
    text = text_of(page)
    assert expected.startswith(text)
    button(page, "Step").click()
    wait_for_length(page, len(text) + 1)
    assert text_of(page) == expected[: len(text) + 1]


def test_the_status_is_quiet_while_it_writes(page):
    page.emulate_media(reduced_motion="no-preference")
    button(page, "Step").click()
    page.wait_for_function("document.querySelector('.charlm-writer pre span')")
    page.evaluate(
        """() => {
            window.changes = 0;
            const status = document.querySelector("[role=status]");
            new MutationObserver(() => { window.changes += 1; }).observe(status, { childList: true, subtree: true });
        }"""
    )
    button(page, "Write").click()
    page.wait_for_timeout(400)
    assert page.evaluate("window.changes") == 0
    assert page.locator("[aria-live], [role=log], [role=alert]").count() == 0
    button(page, "Pause").click()
    wait_for_status(page, "characters written.")


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_jumps_and_nothing_is_wider_than_the_page(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    boxes = [page.locator(".charlm-writer").bounding_box()]
    button(page, "Step").click()
    page.wait_for_function("document.querySelector('.charlm-writer pre span')")
    boxes.append(page.locator(".charlm-writer").bounding_box())
    button(page, "Write").click()
    wait_for_status(page, "501 characters written.")
    boxes.append(page.locator(".charlm-writer").bounding_box())
    assert boxes[0] == boxes[1] == boxes[2]
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_choices_are_the_likeliest_characters_before_and_after_the_settings(page):
    page.get_by_label("Top-k").fill("2")
    button(page, "Step").click()
    page.locator(".charlm-distribution tbody th").filter(has_not_text="\u2013").first.wait_for()
    text = text_of(page)
    before, after = page.evaluate(
        """async (text) => {
            const logits = (await (await charlm.load("first")).logits(text)).at(-1);
            const { distribution } = charlm.sampling;
            const both = [distribution(logits), distribution(logits, { temperature: 0.8, topK: 2 })];
            return both.map((shares) => Array.from(shares).sort((a, b) => b - a).slice(0, 8));
        }""",
        text,
    )
    for name, shares in (("before", before), ("after", after)):
        shown = page.locator(f".charlm-distribution .{name}").all_inner_texts()
        np.testing.assert_allclose([float(share) for share in shown], shares, atol=0.0051)
    page.get_by_label("Top-k").fill("1")
    page.wait_for_function("document.querySelector('.charlm-distribution .after').textContent === '1.00'")


@pytest.mark.parametrize(
    ("label", "value", "message"),
    [
        ("Begin with", "ab\u00e9", 'unknown character "\u00e9" (U+00E9) at position 2'),
        ("Begin with", "", "text must hold at least 1 character, got 0"),
        ("Top-k", "999", "topK must be a whole number between 1 and"),
        ("Seed", "0.5", "seed must be a whole number, got 0.5"),
    ],
)
def test_what_is_wrong_is_said_and_can_be_mended(page, label, value, message):
    before = page.get_by_label(label).input_value()
    page.get_by_label(label).fill(value)
    button(page, "Write").click()
    wait_for_status(page, message)
    page.get_by_label(label).fill(before)
    button(page, "Write").click()
    wait_for_status(page, "500 characters written.")


def test_everything_has_a_name_and_the_keyboard_is_enough(page):
    for label in ("Network", "Begin with", "Temperature", "Top-k", "Top-p", "Min-p", "Seed"):
        assert page.get_by_label(label).count() == 1
    for name in ("Write", "Step", "Restart", "Copy"):
        assert button(page, name).count() == 1
    assert page.get_by_role("region", name="Written text").count() == 1
    reached = []
    for _ in range(13):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.textContent || document.activeElement.type"))
    assert reached[1:5] == ["Write", "Step", "Restart", "Copy"]
    assert reached[-6] == "Temperature, filters and seed"
    assert reached[-5:] == ["number"] * 5
    button(page, "Step").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.charlm-writer pre span')")


COPIES = {
    "Copied.": "(text) => { window.copied = text; return Promise.resolve(); }",
    "The text is selected": "() => Promise.reject(new Error('refused'))",
}


@pytest.mark.parametrize("said", COPIES)
def test_the_text_is_copied_or_selected(page, said):
    stand_in = f"Object.defineProperty(navigator, 'clipboard', {{ value: {{ writeText: {COPIES[said]} }} }})"
    page.evaluate(stand_in)
    button(page, "Write").click()
    wait_for_status(page, "500 characters written.")
    button(page, "Copy").click()
    wait_for_status(page, said)
    assert page.evaluate("window.copied ?? getSelection().toString()") == text_of(page)


def test_a_missing_network_is_named(tab, folder):
    source = (folder / "page.html").read_text("utf-8").replace("first", "absent")
    (folder / "absent.html").write_text(source, "utf-8")
    tab.goto((folder / "absent.html").as_uri())
    button(tab, "Write").click()
    wait_for_status(tab, 'no network "absent"')
    assert not tab.errors


def test_a_page_of_ones_own_writes_from_a_disk(tab, tmp_path):
    set_seed(0)
    model = build_model(len(VOCABULARY), **SETTINGS)
    index = write_page(tmp_path / "page", Run("my-run_2", model, VOCABULARY, {"model": SETTINGS, "sample": HOSTILE}))
    tab.emulate_media(reduced_motion="reduce")
    tab.goto(index.as_uri())
    tab.get_by_role("button", name="Write").click()
    tab.get_by_role("status").filter(has_text="500 characters written.").wait_for()
    assert text_of(tab).startswith(HOSTILE.strip())
    assert not tab.errors and not tab.said
    assert all(url.startswith(("file:", "blob:", "data:")) for url in tab.asked)


def test_a_run_without_a_sample_or_of_another_name_gets_no_page(tmp_path):
    model = build_model(len(VOCABULARY), **SETTINGS)
    with pytest.raises(ValueError, match='must hold "sample", a text that the network wrote, got None'):
        write_page(tmp_path, Run("run", model, VOCABULARY, {"model": SETTINGS}))
    with pytest.raises(ValueError, match="must have letters, digits, - and _ only, got '../run'"):
        write_page(tmp_path, Run("../run", model, VOCABULARY, {"model": SETTINGS, "sample": "a"}))
    assert not list(tmp_path.iterdir())
