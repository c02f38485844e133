"""The networks in the page: equal to TensorFlow's, from a disk and from a server, in a worker and without one."""

import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from charlm_utils import pages
from charlm_utils.corpora import CORPORA
from charlm_utils.evaluation import nats_per_position
from charlm_utils.models import build_model
from charlm_utils.runs import list_runs, load_run
from charlm_utils.sampling import apply_temperature, keep_min_p, keep_top_k, keep_top_p
from charlm_utils.vocabulary import Vocabulary

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import export_weights  # noqa: E402

VOCABULARY = Vocabulary("\n <&abcé\U0001f600")  # the last one is two units of UTF-16
SETTINGS = {
    "tiny-gru": {"cell": "gru", "units": 9, "num_layers": 2, "embedding_dim": 5},  # 27 rows: 24 by fours, and 3
    "tiny-lstm": {"cell": "lstm", "units": 6, "num_layers": 2, "embedding_dim": None},
}
PAGE = """<!doctype html><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">
<script src="charlm/sampling.js"></script><script src="charlm/charlm.js"></script>
<script src="charlm/tasks.js"></script><script src="charlm/network.js"></script>
<script src="charlm/kernel.js"></script><script src="charlm/counts.js"></script>"""
LOGITS = """async ([name, text]) => {
    const model = await charlm.load(name);
    return (await model.logits(text)).map((row) => Array.from(row));
}"""
DRAW_FOUR = """(seed) => {
    const next = charlm.sampling.random(seed);
    return [next(), next(), next(), next()];
}"""
NATS = """async ([name, text]) => {
    const model = await charlm.load(name);
    return Array.from(await model.nats(text));
}"""
WRITE = """async ([name, prime, length, settings]) => {
    const model = await charlm.load(name);
    return model.write(prime, length, settings);
}"""
HAS_KERNEL = """() => {
    const weights = Int8Array.of(2, -3);
    const one = Float32Array.of(1);
    const matrix = { rows: 1, columns: 2, bias: one, scale: one, weights };
    const product = charlmKernel().fastProduct([matrix]);
    const out = new Float32Array(1);
    product?.(matrix, Float32Array.of(5, 1), out);
    return out[0] === 8;
}"""
PROBABILITIES = "([logits, settings]) => Array.from(charlm.sampling.distribution(Float32Array.from(logits), settings))"


def random_model(settings):
    """A model whose weights are all drawn, biases too, and large enough to matter."""
    model = build_model(len(VOCABULARY), **settings)
    rng = np.random.default_rng(0)
    embedding, *others = model.get_weights()
    if settings["embedding_dim"] is not None:
        embedding = rng.normal(size=embedding.shape)
    model.set_weights([embedding, *(rng.normal(scale=0.7, size=weight.shape) for weight in others)])
    return model


def random_text(length):
    return VOCABULARY.decode(np.random.default_rng(1).integers(len(VOCABULARY), size=length))


@pytest.fixture(scope="module")
def models():
    return {name: random_model(settings) for name, settings in SETTINGS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory, models):
    """A folder with a page, the scripts of the book, and both models: exact, and with a byte per weight."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "page.html").write_text(PAGE, "utf-8")
    shutil.copytree(ROOT / "_static" / "charlm", folder / "charlm")
    for name, settings in SETTINGS.items():
        for suffix, precision in (("", "float32"), ("-rounded", "int8")):
            exported = export_weights.export(settings, models[name].get_weights(), VOCABULARY, precision)
            export_weights.write_script(folder / "charlm" / "weights", name + suffix, exported)
    return folder


@pytest.fixture
def page(same_tab, folder):
    """The page, opened from the disk."""
    same_tab.goto((folder / "page.html").as_uri())
    return same_tab


def tensorflow_logits(model, text, vocabulary=VOCABULARY):
    return model.predict_on_batch(vocabulary.encode(text)[None])[0]


@pytest.mark.parametrize("name", SETTINGS)
def test_logits_are_tensorflow_s(page, models, name):
    text = random_text(1000)
    logits = page.evaluate(LOGITS, [name, text])
    np.testing.assert_allclose(logits, tensorflow_logits(models[name], text), atol=1e-3)


@pytest.mark.parametrize("name", SETTINGS)
def test_rounded_logits_are_those_of_a_keras_model_with_the_rounded_weights(page, folder, models, name):
    text = random_text(1000)
    exported = export_weights.read_script(folder / "charlm" / "weights" / f"{name}-rounded.js")
    rounded = tensorflow_logits(export_weights.build_exported(exported), text)
    np.testing.assert_allclose(page.evaluate(LOGITS, [f"{name}-rounded", text]), rounded, atol=1e-3)
    exact = tensorflow_logits(models[name], text)
    assert 1e-3 < np.abs(rounded - exact).max() < 0.3


@pytest.mark.parametrize("name", SETTINGS)
def test_both_products_give_the_same_logits(tab, folder, name):
    """That of WebAssembly in the worker, and the one in plain JavaScript that is taken where there is no such thing."""
    text = random_text(1000)
    tab.goto((folder / "page.html").as_uri())
    fast = tab.evaluate(LOGITS, [f"{name}-rounded", text])
    assert tab.evaluate(HAS_KERNEL)
    tab.add_init_script("delete window.Worker; delete window.WebAssembly")
    tab.reload()
    plain = tab.evaluate(LOGITS, [f"{name}-rounded", text])
    assert not tab.evaluate(HAS_KERNEL)
    np.testing.assert_allclose(fast, plain, atol=1e-3)
    assert not tab.errors and not tab.said


@pytest.mark.parametrize("name", SETTINGS)
def test_nats_are_tensorflow_s(page, models, name):
    text = random_text(300)
    expected = nats_per_position(models[name], VOCABULARY.encode(text))
    np.testing.assert_allclose(page.evaluate(NATS, [name, text]), expected, atol=1e-3)


@pytest.mark.parametrize("worker", [True, False])
@pytest.mark.parametrize("served", [True, False])
def test_pages_from_a_disk_and_from_a_server_with_and_without_workers(tab, folder, models, serve, served, worker):
    if not worker:
        tab.add_init_script("delete window.Worker")
    with serve(folder) as address:
        start = address if served else folder.as_uri()
        tab.goto(f"{start}/page.html")
        logits = tab.evaluate(LOGITS, ["tiny-gru", "ab"])
        assert len(tab.workers) == worker
    np.testing.assert_allclose(logits, tensorflow_logits(models["tiny-gru"], "ab"), atol=1e-3)
    assert all(url.startswith((start, "blob:", "data:")) for url in tab.asked)
    assert not tab.errors and not tab.said


def test_a_browser_that_refuses_the_worker_s_program_computes_in_the_page(tab, folder, models):
    policy = "<meta http-equiv='Content-Security-Policy' content=\"worker-src 'none'\">"
    (folder / "strict.html").write_text(PAGE.replace("<title>", policy + "<title>"), "utf-8")
    tab.goto((folder / "strict.html").as_uri())
    logits = tab.evaluate(LOGITS, ["tiny-lstm", "ab"])
    np.testing.assert_allclose(logits, tensorflow_logits(models["tiny-lstm"], "ab"), atol=1e-3)
    assert not tab.workers and not tab.errors


def test_without_a_worker_the_page_is_served_while_the_network_computes(tab, folder):
    tab.add_init_script("delete window.Worker")
    tab.goto((folder / "page.html").as_uri())
    longest = tab.evaluate(
        """async () => {
            const model = await charlm.load("tiny-gru");
            let last = performance.now();
            let turns = 0;
            const timer = setInterval(() => { turns += 1; });
            await model.logits("ab".repeat(20000));
            clearInterval(timer);
            return turns;
        }"""
    )
    assert longest >= 2


def test_the_same_seed_writes_the_same_text(page):
    settings = {"seed": 3, "temperature": 0.8}
    text = page.evaluate(WRITE, ["tiny-gru", "ab", 200, settings])
    assert len(text) == 202 and text.startswith("ab")
    assert set(text) <= set(VOCABULARY.characters)
    assert page.evaluate(WRITE, ["tiny-gru", "ab", 200, settings]) == text
    assert page.evaluate(WRITE, ["tiny-gru", "ab", 100, settings]) == text[:102]
    assert page.evaluate(WRITE, ["tiny-gru", "ab", 200, settings | {"seed": 4}]) != text
    unseeded = [page.evaluate(WRITE, ["tiny-gru", "ab", 200, {}]) for _ in range(2)]
    assert unseeded[0] != unseeded[1]


def test_greedy_text_takes_the_likeliest_character(page, models):
    text = page.evaluate(WRITE, ["tiny-lstm", "a", 50, {"temperature": 0}])
    likeliest = tensorflow_logits(models["tiny-lstm"], text)[:-1].argmax(axis=-1)
    assert VOCABULARY.decode(likeliest) == text[1:]


def test_a_state_goes_on_where_it_was_left(page, models):
    text = random_text(40)
    logits, states, nats = page.evaluate(
        """async ([head, tail]) => {
            const model = await charlm.load("tiny-lstm");
            const before = model.state;
            await model.logits(head);
            const logits = await model.logits(tail, { state: model.state });
            const sizes = model.state.map((layer) => layer.map((part) => part.length));
            const characters = Array.from(head + tail);
            const first = await model.nats(characters.slice(0, 21).join(""));
            const second = await model.nats(characters.slice(20).join(""), { state: model.state });
            return [logits.map((row) => Array.from(row)), [before, sizes], [...first, ...second]];
        }""",
        [text[:20], text[20:]],
    )
    model = models["tiny-lstm"]
    np.testing.assert_allclose(logits, tensorflow_logits(model, text)[20:], atol=1e-3)
    np.testing.assert_allclose(nats, nats_per_position(model, VOCABULARY.encode(text)), atol=1e-3)
    assert states == [None, [[6, 6], [6, 6]]]


def test_a_text_goes_on_from_its_state(page):
    texts = page.evaluate(
        """async () => {
            const model = await charlm.load("tiny-gru");
            const settings = { temperature: 0 };
            const head = await model.write("ab", 10, settings);
            const last = Array.from(head).at(-1);
            const tail = await model.write(last, 10, { ...settings, state: model.state });
            return [head + Array.from(tail).slice(1).join(""), await model.write("ab", 20, settings)];
        }"""
    )
    assert texts[0] == texts[1]


def test_characters_are_those_of_the_vocabulary(page):
    characters = page.evaluate("charlm.load('tiny-gru').then((model) => model.characters)")
    assert "".join(characters) == VOCABULARY.characters


BAD_CALLS = [
    ("model.nats('ab\U0001f600<é%')", 'unknown character "%" (U+0025) at position 5: not one of the 9'),
    ("model.logits('')", "text must hold at least 1 character, got 0"),
    ("model.nats('a')", "text must hold at least 2 characters, got 1"),
    ("model.write('', 5)", "prime must hold at least 1 character, got 0"),
    ("model.write('a', 0)", "length must be a whole number of at least 1, got 0"),
    ("model.write('a', 2.5)", "length must be a whole number of at least 1, got 2.5"),
    ("model.write('a', 5, { temperature: -1 })", "temperature must be at least 0 and finite, got -1"),
    ("model.write('a', 5, { temperature: '1' })", "temperature must be at least 0 and finite, got 1"),
    ("model.write('a', 5, { topK: 10 })", "topK must be a whole number between 1 and 9, got 10"),
    ("model.write('a', 5, { topP: 0 })", "topP must be above 0 and at most 1, got 0"),
    ("model.write('a', 5, { minP: NaN })", "minP must be between 0 and 1, got NaN"),
    ("model.write('a', 5, { seed: 0.5 })", "seed must be a whole number, got 0.5"),
    ("model.write('a', 5, { top_k: 3 })", "a setting must be one of temperature, topK, topP, minP, seed, got top_k"),
]


@pytest.mark.parametrize(("call", "message"), BAD_CALLS)
def test_bad_calls_are_named(page, call, message):
    said = page.evaluate(f"charlm.load('tiny-gru').then((model) => {call}).then(() => null, (error) => error.message)")
    assert said.startswith(message)


@pytest.mark.parametrize("name", ["absent", "../page", "", "a b"])
def test_a_network_that_is_not_there_is_named(page, name):
    said = page.evaluate("(name) => charlm.load(name).then(() => null, (error) => error.message)", name)
    assert said.startswith(f"no network {json.dumps(name)} in file://")


def test_a_broken_script_is_refused(page, folder):
    script = folder / "charlm" / "weights" / "broken.js"
    script.write_text((script.parent / "tiny-gru.js").read_text("utf-8")[:500], "utf-8")
    assert page.evaluate("charlm.load('broken').catch((error) => error.message)").startswith('no network "broken"')


def test_a_network_is_loaded_once_and_again_after_it_was_missing(page, folder):
    page.evaluate("Promise.all([charlm.load('tiny-gru'), charlm.load('tiny-gru')])")
    assert len([url for url in page.asked if url.endswith("weights/tiny-gru.js")]) == 1
    page.evaluate("charlm.load('late').catch(() => null)")
    weights = folder / "charlm" / "weights"
    shutil.copy(weights / "tiny-gru.js", weights / "late.js")
    (weights / "late.js").write_text((weights / "late.js").read_text("utf-8").replace("tiny-gru", "late"), "utf-8")
    assert page.evaluate("charlm.load('late').then((model) => model.name)") == "late"


FILTERS = [
    {},
    {"temperature": 0},
    {"temperature": 1e-40},
    {"temperature": 0.3},
    {"temperature": 1e-30},
    {"temperature": 1e30},
    {"topK": 3},
    {"topP": 0.6},
    {"topP": 1e-9},
    {"minP": 0.2},
    {"minP": 1},
    {"temperature": 1.7, "topK": 6, "topP": 0.7, "minP": 0.3},
    {"topK": None, "topP": None, "minP": None},
    {"topK": 9, "topP": 1, "minP": 0},
]


@pytest.mark.parametrize("settings", FILTERS)
def test_filters_are_those_of_the_package(page, settings):
    rng = np.random.default_rng(0)
    for logits in (rng.normal(size=9, scale=2), np.array([1.0, 3, 3, 2, 3, 0, 2, 1, 3])):
        kept = apply_temperature(logits, settings.get("temperature", 1.0))
        for name, keep in (("topK", keep_top_k), ("topP", keep_top_p), ("minP", keep_min_p)):
            if settings.get(name) is not None:
                kept = keep(kept, settings[name])
        probabilities = page.evaluate(PROBABILITIES, [logits.tolist(), settings])
        np.testing.assert_allclose(probabilities, tf.nn.softmax(kept), atol=1e-6)


def test_characters_are_drawn_as_often_as_their_probabilities_say(page):
    counts = page.evaluate(
        """() => {
            const number = charlm.sampling.random(5);
            const counts = [0, 0, 0, 0];
            for (let i = 0; i < 40000; i++) {
                counts[charlm.sampling.draw([0.5, 0, 0.3, 0.2], number())] += 1;
            }
            return counts;
        }"""
    )
    np.testing.assert_allclose(np.array(counts) / 40000, [0.5, 0, 0.3, 0.2], atol=0.0125)  # five standard deviations
    assert page.evaluate("charlm.sampling.draw([0.2, 0.7999999, 0], 0.99999999)") == 1


def mulberry32(seed, length):
    """The generator once more, with whole numbers of any length."""
    state, numbers, mask = seed & 0xFFFFFFFF, [], 0xFFFFFFFF
    for _ in range(length):
        state = (state + 0x6D2B79F5) & mask
        mixed = ((state ^ (state >> 15)) * (state | 1)) & mask
        mixed ^= (mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & mask)) & mask
        numbers.append((mixed ^ (mixed >> 14)) / 2**32)
    return numbers


@pytest.mark.parametrize("seed", [0, 1, -1, 2**31, 2**32 + 1])
def test_the_generator_is_mulberry32(page, seed):
    drawn = page.evaluate(DRAW_FOUR, seed)
    assert drawn == mulberry32(seed, 4)


# the exporter


def test_what_was_written_is_read_back(tmp_path, models):
    settings, weights = SETTINGS["tiny-gru"], models["tiny-gru"].get_weights()
    for precision, limit in (("float32", 1e-6), ("int8", 0.5 / 127 + 1e-6)):
        exported = export_weights.export(settings, weights, VOCABULARY, precision)
        path = export_weights.write_script(tmp_path, "a", exported)
        assert export_weights.read_script(path) == exported
        pairs = zip(pages.matrices(settings, weights), export_weights.unpack(exported), strict=True)
        for matrix, read in pairs:
            np.testing.assert_allclose(read.bias, matrix.bias, rtol=1e-6)
            largest = np.abs(matrix.weights).max(axis=1, keepdims=True)
            assert np.all(np.abs(read.weights - matrix.weights) <= limit * largest)


def test_a_row_of_zeros_stays_one():
    scale, rounded = pages.round_rows(np.zeros((2, 3)))
    assert np.all(rounded == 0) and np.all(np.isfinite(scale))


def test_a_cell_that_the_page_does_not_know_is_refused():
    with pytest.raises(ValueError, match="cell must be one of gru, lstm, got 'rnn'"):
        pages.matrices({"cell": "rnn"}, [])


# the recorded runs

QUICK = ("dinos-gru", "letters-lstm", "shakespeare-gru")  # held-out texts that are scored in a few seconds
RECORDED = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.weekly) for name in list_runs()]
PLAIN_LOOP = """() => {
    const weights = new Float32Array(1536 * 512).map(() => Math.random());
    const x = new Float32Array(512).map(() => Math.random());
    const out = new Float32Array(1536);
    const product = () => {
        for (let row = 0; row < 1536; row++) {
            let sum = 0;
            for (let i = 0; i < 512; i++) {
                sum += weights[row * 512 + i] * x[i];
            }
            out[row] = sum;
        }
    };
    const start = performance.now();
    for (let i = 0; i < 200; i++) { product(); }
    return 200000 / (performance.now() - start);
}"""
SPEED = """async (name) => {
    const model = await charlm.load(name);
    const start = performance.now();
    await model.write(model.characters[0], 200, { seed: 1 });
    return 200000 / (performance.now() - start);
}"""


@pytest.fixture(scope="module")
def recorded(folder):
    """The recorded runs beside the page."""
    for name in list_runs():
        export_weights.export_run(name, folder / "charlm" / "weights")
    return folder


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_runs_compute_in_the_page_what_they_compute_in_tensorflow(page, recorded, name):
    exported = export_weights.read_script(recorded / "charlm" / "weights" / f"{name}.js")
    run = load_run(name)
    text = (run.record["sample"] * 9)[:1000] + run.vocabulary.characters
    rounded = tensorflow_logits(export_weights.build_exported(exported), text, run.vocabulary)
    logits = np.array(page.evaluate(LOGITS, [name, text]))
    np.testing.assert_allclose(logits[:1000], rounded[:1000], atol=1e-3)
    # After text like none it was trained on, TensorFlow's float32 sums are 0.0018 off, and the page's less than 1e-4.
    np.testing.assert_allclose(logits[1000:], rounded[1000:], atol=5e-3)


@pytest.mark.weekly
@pytest.mark.parametrize("name", ["shakespeare-gru", "shakespeare-best", "warpeace-lstm"])
def test_recorded_runs_without_rounding_compute_what_the_runs_do(page, folder, name):
    run = load_run(name)
    exported = export_weights.export(run.record["model"], run.model.get_weights(), run.vocabulary, "float32")
    export_weights.write_script(folder / "charlm" / "weights", f"{name}-exact", exported)
    text = (run.record["sample"] * 9)[:1000]
    logits = page.evaluate(LOGITS, [f"{name}-exact", text])
    np.testing.assert_allclose(logits, tensorflow_logits(run.model, text, run.vocabulary), atol=1e-3)


@pytest.mark.parametrize(("name", "largest"), [("shakespeare-gru", 1.3e6), ("shakespeare-best", 3.4e6)])
def test_files_are_small(recorded, name, largest):
    assert (recorded / "charlm" / "weights" / f"{name}.js").stat().st_size < largest


@pytest.mark.parametrize("name", RECORDED)
def test_rounding_costs_less_than_five_thousandths_of_a_nat(recorded, name):
    record = json.loads((ROOT / "data" / "runs" / name / "run.json").read_text("utf-8"))
    corpus = CORPORA[record["corpus"]]
    if corpus.url and not (Path(os.environ.get("CHARLM_DATA_DIR") or "/nowhere") / corpus.file).is_file():
        pytest.skip(f"set CHARLM_DATA_DIR to a folder that holds {corpus.file}")  # nothing is downloaded here
    path = recorded / "charlm" / "weights" / f"{name}.js"
    before, after = export_weights.measure(name, export_weights.read_script(path))
    assert abs(after - before) < 0.005


@pytest.mark.parametrize(("name", "products"), [("shakespeare-gru", 1), ("shakespeare-best", 3)])
def test_the_network_writes_faster_than_a_plain_loop_would(page, recorded, name, products):
    """In turns with the plain loop over the recurrent products alone, which no load of the machine decides."""
    ratios = []
    for _ in range(7):
        plain = page.evaluate(PLAIN_LOOP) / products
        ratios.append(page.evaluate(SPEED, name) / plain)
    assert np.median(ratios) > 2
