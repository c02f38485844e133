"""Recipes of the recorded runs, and the runs that come of small ones."""

import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from charlm_utils import reproduce as module
from charlm_utils import training
from charlm_utils.corpora import CORPORA, list_corpora, load_corpus, reduce_alphabet, split_corpus
from charlm_utils.models import CELLS, build_model
from charlm_utils.names import split_names
from charlm_utils.reproduce import PREPARATIONS, RECIPES, Recipe, recipe_text, reproduce, score_again
from charlm_utils.runs import list_runs, load_run
from charlm_utils.vocabulary import Vocabulary

TINY = {
    "tiny-stream": Recipe(
        corpus="story",
        model={"cell": "rnn", "units": 6, "embedding_dim": 3, "dropout": 0.3},
        training={
            **{"batch_size": 40, "time": 90, "epochs": 2, "clip_norm": 5.0},
            **{"optimizer": "Adam", "learning_rate": 0.02, "schedule": "cosine"},
        },
        prime="The ",
        temperature=0.5,
    ),
    "tiny-windows": Recipe(
        corpus="play",
        preparation="reduce_alphabet",
        method="windows",
        model={"cell": "rnn", "units": 6, "embedding_dim": None},
        training={
            **{"batch_size": 50, "time": 6, "epochs": 3, "windows": 1500, "clip_value": 1.0},
            **{"optimizer": "Adam", "learning_rate": 0.01},
        },
        prime="the tide",
    ),
    "tiny-names": Recipe(
        corpus="genera",
        method="names",
        model={"cell": "rnn", "units": 6, "embedding_dim": 3},
        training={"batch_size": 64, "epochs": 4, "optimizer": "Adam", "learning_rate": 0.02},
    ),
}
FIELDS = [field.name for field in dataclasses.fields(Recipe)]
OLDER = {"shakespeare-gru"}  # recorded before there were recipes: its record lacks some of their fields


@pytest.fixture(scope="module", autouse=True)
def tiny_recipes():
    with pytest.MonkeyPatch.context() as patch:
        for name, recipe in TINY.items():
            patch.setitem(RECIPES, name, recipe)
        yield


@pytest.fixture(scope="module")
def folder(tiny_recipes, tmp_path_factory):
    """A folder with one run of every method."""
    folder = tmp_path_factory.mktemp("runs")
    for name in TINY:
        reproduce(name, folder / name, progress=False)
    return folder


@pytest.fixture(params=TINY)
def run(folder, request):
    return load_run(request.param, folder)


def test_the_record_is_the_recipe_and_what_came_of_it(run):
    recipe, record = TINY[run.name], run.record
    assert {name: record[name] for name in FIELDS} == json.loads(json.dumps(dataclasses.asdict(recipe)))
    assert list(record) == [*FIELDS, "history", "held_out_nats", "seconds", "samples", "sample", "provenance"]
    history, epochs = record["history"], recipe.training["epochs"]
    assert {key: len(part) for key, part in history.items()} == dict.fromkeys(
        ("train", "validation", "seconds"), epochs
    )
    assert history["seconds"] == sorted(history["seconds"])
    assert record["seconds"] == round(history["seconds"][-1])
    assert record["held_out_nats"] == history["validation"][-1] < history["validation"][0]
    assert record["held_out_nats"] < np.log(len(run.vocabulary)), "it has learned something"
    assert len(set(record["samples"])) == len(record["samples"]) == epochs
    assert record["sample"] == record["samples"][-1]
    assert record["provenance"]["corpus_sha256"] == CORPORA[recipe.corpus].sha256


def test_the_samples_are_those_that_the_recipe_asks_for(run):
    recipe = TINY[run.name]
    for sample in run.record["samples"]:
        if recipe.method == "names":
            assert sample.count("\n") == 29
        else:
            assert sample.startswith(recipe.prime)
            assert len(sample) == len(recipe.prime) + 400
        assert set(sample) <= set(run.vocabulary.characters) | {"\n"}


def test_the_temperature_of_the_recipe_reaches_the_samples(folder, monkeypatch):
    run, seen = load_run("tiny-stream", folder), []
    monkeypatch.setattr(module, "generate", lambda *_, **settings: seen.append(settings))
    module._sample(TINY["tiny-stream"], run.model, run.vocabulary, 7)
    assert seen == [{"temperature": 0.5, "seed": 7}]


def test_the_held_out_loss_is_computed_again_from_the_weights(run):
    assert score_again(run) == pytest.approx(run.record["held_out_nats"], abs=0.002)  # half precision
    run.model.set_weights([1.5 * w for w in run.model.get_weights()])
    assert score_again(run) != pytest.approx(run.record["held_out_nats"], abs=0.002)


def test_what_is_held_out_is_not_learned(run, monkeypatch):
    """The loss on what was learned is another than on what was held out."""
    recipe = TINY[run.name]
    text = recipe_text(recipe)
    parts = split_names(text) if recipe.method == "names" else split_corpus(text)
    assert len(parts[1]) == pytest.approx(len(parts[0]) / 9, rel=0.01)
    seen = []
    monkeypatch.setattr(module, "_score", lambda recipe, model, vocabulary, held_out: seen.append(held_out))
    score_again(run)
    assert seen == [parts[1]]


def test_a_record_without_the_fields_of_a_recipe_is_scored_as_a_stream(folder):
    run = load_run("tiny-stream", folder)
    for name in ("method", "preparation", "prime", "temperature"):
        del run.record[name]
    assert score_again(run) == pytest.approx(run.record["held_out_nats"], abs=0.002)


def test_a_finished_run_is_three_files(run, folder):
    files = sorted(path.name for path in (folder / run.name).iterdir())
    assert files == ["run.json", "vocabulary.json", "weights.npz"]


def test_windows_are_the_first_of_the_text_and_their_network_sees_the_last_output(folder, monkeypatch):
    seen = {}

    def fit(model, inputs, targets, **options):
        seen.update(inputs=inputs, targets=targets, shape=model.output_shape, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(keras.Model, "fit", fit)
    with pytest.raises(KeyboardInterrupt):
        reproduce("tiny-windows", folder / "stopped", progress=False)
    text = reduce_alphabet(load_corpus("play"))
    ids = Vocabulary.from_text(text).encode(text)
    assert seen["inputs"].shape == (1500, 6)
    np.testing.assert_array_equal(seen["inputs"][1499], ids[1499:1505])
    np.testing.assert_array_equal(seen["targets"], ids[6:1506])
    assert seen["shape"] == (None, len(set(text)))
    assert (seen["batch_size"], seen["epochs"], seen["verbose"]) == (50, 3, 0)
    assert not (folder / "stopped").exists()


def test_a_stopped_stream_goes_on_and_ends_as_the_undisturbed_one(folder, tmp_path, monkeypatch):
    calls, evaluate = [], training.evaluate

    def stop(model, ids):
        calls.append(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(model, ids)

    with monkeypatch.context() as patch:
        patch.setattr(training, "evaluate", stop)
        with pytest.raises(KeyboardInterrupt):
            reproduce("tiny-stream", tmp_path / "run", progress=False)
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.npz"]
    (tmp_path / "run" / "checkpoint.npzabc.part").write_bytes(b"what a killed process was writing")
    reproduce("tiny-stream", tmp_path / "run", progress=False)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["run.json", "vocabulary.json", "weights.npz"]
    one, other = load_run("run", tmp_path), load_run("tiny-stream", folder)
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for key in ("train", "validation"):
        assert one.record["history"][key] == other.record["history"][key]
    assert one.record["samples"] == other.record["samples"]


def test_a_held_out_text_can_be_scored_once_only_at_the_end(tmp_path, monkeypatch):
    recipe = TINY["tiny-stream"]
    changed = dataclasses.replace(recipe, training=recipe.training | {"validate": False, "epochs": 1})
    monkeypatch.setitem(RECIPES, "tiny-unseen", changed)
    scored, score = [], module._score
    monkeypatch.setattr(module, "_score", lambda *arguments: scored.append(arguments[-1]) or score(*arguments))
    monkeypatch.setattr(training, "evaluate", lambda *_: pytest.fail("the held-out text was looked at while training"))
    record = reproduce("tiny-unseen", tmp_path / "run", progress=False)
    assert scored == [split_corpus(load_corpus("story"))[1]]
    assert record["history"]["validation"] == []
    assert score_again(load_run("run", tmp_path)) == pytest.approx(record["held_out_nats"], abs=0.002)


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="no recipe 'huge'; there are: ") as caught:
        reproduce("huge", tmp_path / "run")
    assert str(caught.value).partition("there are: ")[2].split(", ") == list(RECIPES)
    assert list(tmp_path.iterdir()) == []


def test_an_occupied_folder_is_refused_before_anything_is_read(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "recipe_text", lambda recipe: pytest.fail("read in vain"))
    (tmp_path / "file").write_text("mine")
    for place in (folder / "tiny-names", str(folder / "tiny-stream"), tmp_path / "file"):
        with pytest.raises(ValueError, match=f"{place} already holds a run or is a file; choose another folder"):
            reproduce("tiny-names", place)
    assert (tmp_path / "file").read_text() == "mine"


# the recipes themselves


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in TINY])
def test_every_recipe_is_complete_and_its_model_can_be_built(name):
    recipe = RECIPES[name]
    assert recipe.corpus in list_corpora()
    assert recipe.preparation in PREPARATIONS
    needed = {"stream": {"time", "clip_norm"}, "windows": {"time", "windows"}, "names": set()}[recipe.method]
    assert {"batch_size", "epochs", "optimizer", "learning_rate"} | needed <= set(recipe.training)
    model = build_model(53, **recipe.model)
    recurrent = [layer for layer in model.layers if isinstance(layer, tuple(CELLS.values()))]
    assert [layer.units for layer in recurrent] == [recipe.model["units"]] * recipe.model.get("num_layers", 1)
    optimizer = module._optimizer(recipe.training, 1000)
    assert type(optimizer) is getattr(keras.optimizers, recipe.training["optimizer"])
    if recipe.method == "windows":
        assert len(recipe.prime) >= recipe.training["time"]
    assert recipe.temperature > 0


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("none", "A\t 1\n\n b", "A\t 1\n\n b"),
        ("clean_lines", "A\t 1\n\n b", "A 1\nb"),
        ("reduce_alphabet", "To be, 3 &\nQ: [x]", "to be,    \nq:  x "),
        ("letters", "To be, 3 &\nQ: [x]", "to be q x"),
    ],
)
def test_preparations_do_what_their_names_say(name, text, expected):
    assert PREPARATIONS[name](text) == expected


def test_the_text_of_a_recipe_is_its_prepared_corpus():
    assert recipe_text(Recipe("story", {}, {})) == load_corpus("story")
    letters = recipe_text(Recipe("play", {}, {}, preparation="letters"))
    assert letters.startswith("first saltman set down the barrow not another grain")
    assert set(letters) == set("abcdefghijklmnopqrstuvwxyz ")


@pytest.mark.parametrize("name", list_runs())
def test_every_recorded_run_was_made_by_its_recipe(name):
    record = json.loads((Path(__file__).parents[1] / "data" / "runs" / name / "run.json").read_text("utf-8"))
    expected = json.loads(json.dumps(dataclasses.asdict(RECIPES[name])))
    if name in OLDER:
        expected = {key: part for key, part in expected.items() if key in record}
        expected["training"] = {key: expected["training"][key] for key in record["training"]}
        assert {"corpus", "model", "training"} <= set(expected)
    assert {key: record.get(key) for key in expected} == expected


def rates(optimizer, steps):
    """Return the learning rate of an optimizer at each of some steps."""
    found = []
    for number in steps:
        optimizer.iterations.assign(number)
        found.append(float(optimizer.learning_rate))
    return found


BASE = {"optimizer": "Adam", "learning_rate": 0.4}


def test_a_cosine_falls_to_nothing_over_all_steps():
    optimizer = module._optimizer(BASE | {"schedule": "cosine"}, 300)
    expected = [0.2 * (1 + np.cos(np.pi * share)) for share in (0, 1 / 3, 0.5, 2 / 3, 1)]
    assert rates(optimizer, [0, 100, 150, 200, 300]) == pytest.approx(expected, abs=1e-6)
    assert expected == pytest.approx([0.4, 0.3, 0.2, 0.1, 0], abs=1e-9)


def test_a_staircase_falls_to_a_tenth_at_every_stair():
    optimizer = module._optimizer(
        {"optimizer": "SGD", "learning_rate": 10.0, "schedule": "staircase", "stair": 50}, 999
    )
    assert type(optimizer) is keras.optimizers.SGD
    assert rates(optimizer, [0, 49, 50, 99, 100]) == pytest.approx([10, 10, 1, 1, 0.1], rel=1e-5)


def test_without_a_schedule_the_rate_stays_and_a_clip_value_reaches_the_optimizer():
    plain = module._optimizer(BASE)
    assert rates(plain, [0, 1000]) == pytest.approx([0.4, 0.4])
    assert plain.clipvalue is None
    assert module._optimizer(BASE | {"clip_value": 1.5}).clipvalue == 1.5


def test_the_cosine_of_a_stream_ends_with_its_last_step(tmp_path, monkeypatch):
    seen = {}

    def train(model, ids, *, batch_size, time, epochs, optimizer, **settings):
        seen.update(settings, optimizer=optimizer, steps=(len(ids) - 1) // (batch_size * time) * epochs)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "train", train)
    with pytest.raises(KeyboardInterrupt):
        reproduce("tiny-stream", tmp_path / "run", progress=False)
    assert seen["steps"] == 2 * 20
    assert rates(seen["optimizer"], [0, 20, 39, 40]) == pytest.approx([0.02, 0.01, 0.02 * 0.00154133, 0], abs=1e-6)
    assert seen["clip_norm"] == 5.0
    assert seen["checkpoint"] == tmp_path / "run" / "checkpoint.npz"
