"""The Units, and a unit that is held at a value while a network of the page reads and writes."""

import sys
from pathlib import Path

import numpy as np
import pytest

from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.probing import hold_unit, read_states
from charlm_utils.vocabulary import Vocabulary

pytestmark = pytest.mark.slow
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
import export_weights  # noqa: E402

HOSTILE = "<img src=x onerror=alert(1)><script>alert(1)</script>\n"
VOCABULARY = Vocabulary.from_text(HOSTILE + "abc")
SETTINGS = {
    "tiny-gru": {"cell": "gru", "units": 6, "num_layers": 1, "embedding_dim": 3},
    "tiny-lstm": {"cell": "lstm", "units": 6, "num_layers": 2, "embedding_dim": 3},
}
NETWORKS = [["tiny-gru", "A", 1, 2], ["tiny-lstm", "B", 2, 5], ["absent", "C", 1, 0]]
TEXT = "abcabca" + HOSTILE
HELD = {"layer": 0, "unit": 2, "value": 0.7}
HOLD = """async ([name, text, held]) => {
    const model = await charlm.load(name);
    return (await model.logits(text, { held })).map((row) => Array.from(row));
}"""


@pytest.fixture(scope="module")
def models():
    models = {}
    for name, settings in SETTINGS.items():
        models[name] = build_model(len(VOCABULARY), **settings)
        draw = np.random.default_rng(0)
        models[name].set_weights([draw.normal(size=weight.shape) for weight in models[name].get_weights()])
    return models


@pytest.fixture(scope="module")
def folder(tmp_path_factory, write_widgets, models):
    """A folder with a page that holds the Units, and two networks."""
    folder = tmp_path_factory.mktemp("units")
    write_widgets(folder, ("charlm-units", {"data-networks": NETWORKS, "data-length": "60"}, "abc"))
    for name, settings in SETTINGS.items():
        exported = export_weights.export(settings, models[name].get_weights(), VOCABULARY, "float32")
        export_weights.write_script(folder / "charlm" / "weights", name, exported)
    return folder


@pytest.fixture
def page(same_tab, folder):
    """The page, opened from the disk."""
    same_tab.goto((folder / "page.html").as_uri())
    yield same_tab
    assert not same_tab.errors and not same_tab.said
    assert same_tab.locator("body :is(img, script)").count() == 0


def read(page, text):
    page.get_by_label("Your text").fill(text)
    page.get_by_role("button", name="Read").click()
    wait_for_status(page, f"{len(text)} characters read, 0 written.")


def wait_for_status(page, words):
    page.get_by_role("status").filter(has_text=words).wait_for()


@pytest.mark.parametrize(("name", "layer"), [("tiny-gru", 0), ("tiny-lstm", 0), ("tiny-lstm", 1)])
def test_a_held_unit_is_that_of_the_package(page, models, name, layer):
    held = HELD | {"layer": layer}
    model = hold_unit(models[name], held["unit"], held["value"], layer)
    wanted, _ = forward(model, VOCABULARY.encode(TEXT)[None], zero_states(model, 1))
    np.testing.assert_allclose(page.evaluate(HOLD, [name, TEXT, held]), wanted[0], atol=1e-3)


@pytest.mark.parametrize(
    ("held", "message"),
    [
        ({"layer": 1}, "layer must be a whole number from 0 to 0, got 1"),
        ({"unit": 6}, "unit must be a whole number from 0 to 5, got 6"),
        ({"unit": 0.5}, "unit must be a whole number from 0 to 5, got 0.5"),
        ({"value": "high"}, "value must be a finite number, got high"),
    ],
)
def test_what_cannot_be_held_is_named(page, held, message):
    call = "([held]) => charlm.load('tiny-gru').then((model) => model.nats('abc', { held })).catch((e) => e.message)"
    assert page.evaluate(call, [HELD | held]) == message


def test_writing_goes_on_with_the_unit_held(page):
    texts = page.evaluate(
        """async (held) => {
            const model = await charlm.load("tiny-gru");
            const free = await model.write("ab", 30, { seed: 1 });
            const first = await model.write("ab", 15, { seed: 1, temperature: 0, held });
            const last = Array.from(first).at(-1);
            const settings = { seed: 1, temperature: 0, held };
            const rest = await model.write(last, 15, { ...settings, state: model.state });
            return [free, first + Array.from(rest).slice(1).join(""), await model.write("ab", 30, settings)];
        }""",
        HELD,
    )
    assert texts[1] == texts[2] != texts[0]


def test_a_text_is_colored_by_the_unit_and_the_state_is_shown(page, models):
    read(page, TEXT)
    ((states,),) = read_states(models["tiny-gru"], VOCABULARY.encode(TEXT))
    grounds = page.locator(".charlm-units pre span").evaluate_all("all => all.map((span) => span.style.background)")
    assert page.locator(".charlm-units pre").text_content() == TEXT
    for ground, value in zip(grounds, states[:, 2], strict=True):
        assert ground.startswith("rgba(86, 180, 233, " if value < 0 else "rgba(230, 159, 0, ")
        assert abs(float(ground.split(", ")[3].rstrip(")")) - 0.35 * abs(value)) < 0.011
    page.locator(".charlm-units pre").press("Home")
    page.locator(".charlm-units pre").press("ArrowRight")
    wait_for_status(page, f"After character 2, b: unit 2 is {states[1, 2]:.2f}.")
    assert "unit 2 is" in page.get_by_role("img").get_attribute("aria-label")
    page.get_by_label("Unit", exact=True).fill("4")
    wait_for_status(page, f"unit 4 is {states[1, 4]:.2f}.")
    page.get_by_role("img").click(position={"x": 2, "y": 2})
    assert page.get_by_label("Unit", exact=True).input_value() == "0"
    page.get_by_label("Unit", exact=True).fill("6")
    wait_for_status(page, "The network has no such layer or unit.")


def test_writing_is_the_same_with_the_same_seed_and_another_when_held(page):
    written = []
    for held in (False, False, True):
        page.get_by_label("Hold the unit").set_checked(held)
        page.get_by_role("button", name="Write").click()
        wait_for_status(page, "3 characters read, 60 written.")
        written.append(page.locator(".charlm-units pre").text_content())
        page.get_by_role("button", name="Stop").click()
        wait_for_status(page, "Stopped.")
    assert written[0] == written[1] != written[2]
    assert all(len(text) == 63 and text.startswith("abc") for text in written)
    assert page.locator(".charlm-written").count() == 60
    page.locator(".charlm-units pre").press("End")
    wait_for_status(page, "unit 2 is -0.90.")


def test_what_is_wrong_is_said(page):
    page.get_by_label("Your text").fill("a\u00e9b")
    page.get_by_role("button", name="Read").click()
    wait_for_status(page, "2 characters read, 0 written. 1 that the network does not know were left out.")
    page.get_by_label("Your text").fill("\u00e9")
    page.get_by_role("button", name="Read").click()
    wait_for_status(page, "Type at least one character that the network knows.")
    page.get_by_label("Network").select_option("absent")
    page.get_by_label("Your text").fill("ab")
    page.get_by_role("button", name="Read").click()
    wait_for_status(page, 'no network "absent"')
    assert page.said.pop().startswith("Failed to load resource")


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_is_wider_than_the_page(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    read(page, TEXT)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_a_script_the_recorded_text_stands_there(browser, folder):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((folder / "page.html").as_uri())
    assert page.locator("body").inner_text().split() == ["abc"]
    context.close()
