"""Recipes of the recorded runs, and the runs that come of small ones."""

import dataclasses
import inspect
import json
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from charlm_utils import checkpoints, training
from charlm_utils import reproduce as module
from charlm_utils.corpora import CORPORA, list_corpora, load_corpus, reduce_alphabet, split_corpus
from charlm_utils.evaluation import nats_in_windows
from charlm_utils.models import build_model
from charlm_utils.names import split_names
from charlm_utils.reproduce import (
    PREPARATIONS,
    RECIPES,
    ModelSettings,
    Names,
    Recipe,
    Stream,
    Windows,
    gather_material,
    recipe_text,
    reproduce,
    score_again,
    train_run,
)
from charlm_utils.runs import list_runs, load_run
from charlm_utils.vocabulary import UNKNOWN, Vocabulary

TINY = {
    "tiny-stream": Recipe(
        corpus="story",
        model=ModelSettings(cell="rnn", units=6, embedding_dim=3, dropout=0.3),
        method=Stream(batch_size=40, time=90, epochs=2, learning_rate=0.02, schedule="cosine"),
        prime="The ",
        temperature=0.5,
    ),
    "tiny-windows": Recipe(
        corpus="play",
        preparation="reduce_alphabet",
        model=ModelSettings(cell="rnn", units=6, embedding_dim=None),
        method=Windows(batch_size=50, time=6, epochs=3, windows=1500, clip_value=1.0, learning_rate=0.01),
        prime="the tide",
    ),
    "tiny-names": Recipe(
        corpus="genera",
        model=ModelSettings(cell="rnn", units=6, embedding_dim=3, dropout=0.3),
        method=Names(batch_size=64, epochs=3, learning_rate=0.02),
    ),
}
RECIPE = TINY["tiny-stream"]
FILES = ["run.json", "vocabulary.json", "weights.npz"]


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


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def stop_in_epoch(patch, recipe, number):
    """Let the training of a recipe be stopped in an epoch, after it was learned and before it is saved."""
    kind = type(recipe.method)
    sample = kind.sample

    def stop(self, model, vocabulary, prime, temperature, seed):
        if seed == number:
            raise KeyboardInterrupt
        return sample(self, model, vocabulary, prime, temperature, seed)

    patch.setattr(kind, "sample", stop)


def pretend(patch, validation=(3.0, 2.0), then=None):
    """Let a stream be trained at once: it has these held-out losses, is saved, and ends as ``then`` says."""

    def fit(self, model, vocabulary, learned, held_out, *, checkpoint, on_epoch_end, **_):
        history = {"train": [], "validation": [], "seconds": []}
        for epoch, loss in enumerate(validation, start=1):
            history["train"].append(4.0)
            history["seconds"].append(epoch / 2)
            if self.validate:
                history["validation"].append(loss)
            on_epoch_end(epoch, history)
        checkpoint.write_bytes(b"saved")
        if then:
            raise then
        return history

    def sample(self, model, vocabulary, prime, temperature, seed):
        return f"{prime}, {temperature}, {seed}"

    patch.setattr(Stream, "fit", fit)
    patch.setattr(Stream, "sample", sample)


# what comes of a recipe


def test_the_record_is_the_recipe_and_what_came_of_it(run):
    recipe, record = TINY[run.name], run.record
    assert list(record) == [
        *("corpus", "model", "training", "method", "preparation", "prime", "temperature", "seed"),
        *("min_count", "init_from"),
        *("history", "epoch", "held_out_nats", "held_out_nats_in_windows", "minutes"),
        *("samples", "sample", "provenance"),
    ]
    assert Recipe.from_record(record) == recipe
    history, epochs = record["history"], recipe.method.epochs
    assert {key: len(part) for key, part in history.items()} == dict.fromkeys(
        ("train", "validation", "seconds"), epochs
    )
    assert history["seconds"] == sorted(history["seconds"])
    assert record["minutes"] == round(history["seconds"][-1] / 60, 1)
    assert record["epoch"] == epochs
    assert record["held_out_nats"] == history["validation"][-1] < history["validation"][0]
    assert record["held_out_nats"] < np.log(len(run.vocabulary)), "it has learned something"
    assert len(set(record["samples"])) == len(record["samples"]) == epochs
    assert record["sample"] == record["samples"][-1]
    assert record["provenance"]["corpus_sha256"] == CORPORA[recipe.corpus].sha256


def test_the_held_out_loss_in_windows_is_that_from_zero_states(run):
    recipe, record = TINY[run.name], run.record
    if recipe.method.name == "stream":
        _, held_out = recipe.method.split(recipe_text(recipe))
        expected = nats_in_windows(run.model, run.vocabulary.encode(held_out), 256).mean()
        assert record["held_out_nats_in_windows"] == pytest.approx(expected, abs=0.002)  # half precision
        assert record["held_out_nats_in_windows"] != record["held_out_nats"]
    else:
        assert record["held_out_nats_in_windows"] == pytest.approx(record["held_out_nats"], abs=1e-6)


def test_a_short_held_out_text_is_one_window():
    vocabulary = Vocabulary("ab")
    model = RECIPE.model.build(2)
    nats = RECIPE.method.score_in_windows(model, vocabulary, "abba")
    assert nats == pytest.approx(RECIPE.method.score(model, vocabulary, "abba"), abs=1e-6)


def test_the_samples_are_those_that_the_recipe_asks_for(run):
    recipe = TINY[run.name]
    for sample in run.record["samples"]:
        if recipe.method.name == "names":
            assert sample.count("\n") == 29
        else:
            assert sample.startswith(recipe.prime)
            assert len(sample) == len(recipe.prime) + 400
        assert set(sample) <= set(run.vocabulary.characters) | {"\n"}


def test_prime_temperature_and_epoch_reach_the_samples(tmp_path, monkeypatch):
    pretend(monkeypatch)
    assert train_run(RECIPE, tmp_path / "run")["samples"] == ["The , 0.5, 1", "The , 0.5, 2"]


def test_the_held_out_loss_is_computed_again_from_the_weights(run):
    assert score_again(run) == pytest.approx(run.record["held_out_nats"], abs=0.002)  # half precision
    run.model.set_weights([1.5 * w for w in run.model.get_weights()])
    assert score_again(run) != pytest.approx(run.record["held_out_nats"], abs=0.002)


def test_what_is_scored_is_the_held_out_part(run, monkeypatch):
    recipe = TINY[run.name]
    text = recipe_text(recipe)
    parts = split_names(text) if run.name == "tiny-names" else split_corpus(text)
    assert len(parts[1]) == pytest.approx(len(parts[0]) / 9, rel=0.01)
    seen = []
    monkeypatch.setattr(type(recipe.method), "score", lambda *arguments: seen.append(arguments[-1]))
    score_again(run)
    assert seen == [parts[1]]


def test_a_held_out_text_can_be_scored_once_only_at_the_end(tmp_path, monkeypatch):
    pretend(monkeypatch)
    scored = []
    monkeypatch.setattr(Stream, "score", lambda *arguments: scored.append(arguments[-1]) or 1.5)
    method = dataclasses.replace(RECIPE.method, validate=False)
    record = train_run(dataclasses.replace(RECIPE, method=method), tmp_path / "run")
    assert scored == [split_corpus(load_corpus("story"))[1]]
    assert (record["history"]["validation"], record["held_out_nats"], record["epoch"]) == ([], 1.5, 2)


@pytest.mark.parametrize(
    ("settings", "epoch", "nats"),
    [({}, 4, 2.5), ({"keep_best": True}, 2, 2.0), ({"patience": 2}, 2, 2.0)],
    ids=["last", "best", "patience"],
)
def test_the_epoch_whose_weights_are_kept_is_named_with_its_loss_and_sample(
    settings, epoch, nats, tmp_path, monkeypatch
):
    pretend(monkeypatch, validation=(3.0, 2.0, 2.0, 2.5))
    method = dataclasses.replace(RECIPE.method, **settings)
    record = train_run(dataclasses.replace(RECIPE, method=method), tmp_path / "run")
    assert (record["epoch"], record["held_out_nats"], record["minutes"]) == (epoch, nats, 0.0)
    assert record["sample"] == record["samples"][epoch - 1]


def test_the_first_weights_follow_from_the_seed(tmp_path, monkeypatch):
    pretend(monkeypatch)
    weights = []
    for i, seed in enumerate((4, 4, 5)):
        train_run(dataclasses.replace(RECIPE, seed=seed), tmp_path / str(i))
        weights.append(load_run(str(i), tmp_path).model.get_weights()[0])
    np.testing.assert_array_equal(weights[0], weights[1])
    assert np.abs(weights[0] - weights[2]).max() > 0.01


def test_any_text_can_be_learned_and_is_prepared_first(tmp_path, monkeypatch):
    pretend(monkeypatch)
    method = Stream(batch_size=2, time=3, epochs=1, learning_rate=0.1)
    recipe = dataclasses.replace(RECIPE, corpus="mine.txt", preparation="letters", prime="a", method=method)
    record = train_run(recipe, tmp_path / "run", text="A Rose is_a rose.\n" * 9)
    assert record["corpus"] == "mine.txt"
    assert load_run("run", tmp_path).vocabulary == Vocabulary(" aeiors")


def test_windows_are_the_first_of_the_text_and_their_network_sees_the_last_output():
    recipe = TINY["tiny-windows"]
    text = reduce_alphabet(load_corpus("play"))
    vocabulary = Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    inputs, targets = recipe.method.rows(recipe.method.split(text)[0], vocabulary)
    np.testing.assert_array_equal(inputs, [ids[i : i + 6] for i in range(1500)])
    np.testing.assert_array_equal(targets, ids[6:1506])
    model = recipe.model.build(len(vocabulary))
    network = recipe.method.network(model)
    np.testing.assert_array_equal(network(inputs[:9]), model(inputs[:9])[:, -1])


@pytest.mark.parametrize("name", ["tiny-windows", "tiny-names"])
def test_rows_are_learned_in_an_order_that_follows_from_seed_and_epoch(name, tmp_path, monkeypatch):
    recipe, seen = TINY[name], []
    text = recipe_text(recipe)
    vocabulary = Vocabulary.from_text(text)
    model = recipe.model.build(len(vocabulary))
    learned, held_out = recipe.method.split(text)

    def watch(model, inputs, targets, batch_size, **options):
        assert batch_size == recipe.method.batch_size
        seen.append(np.column_stack([inputs, targets]))
        return SimpleNamespace(history={"loss": [1.0]})

    monkeypatch.setattr(keras.Model, "fit", watch)
    monkeypatch.setattr(type(recipe.method), "score", lambda *_: 1.0)
    for i, seed in enumerate((0, 0, 1)):
        options = {"seed": seed, "checkpoint": tmp_path / str(i), "progress": False, "on_epoch_end": lambda *_: None}
        recipe.method.fit(model, vocabulary, learned, held_out, **options)
    first, again, other = seen[:3], seen[3:6], seen[6:]
    np.testing.assert_array_equal(first, again)
    rows = np.column_stack(recipe.method.rows(learned, vocabulary))
    for order in (first[0], first[1], other[0]):
        assert not np.array_equal(order, rows)
        assert sorted(map(tuple, order)) == sorted(map(tuple, rows))
    assert not np.array_equal(first[0], first[1])
    assert not np.array_equal(first[0], other[0])


def test_a_loss_that_is_no_number_ends_the_training_of_rows(tmp_path):
    recipe = TINY["tiny-names"]
    wild = dataclasses.replace(recipe, method=dataclasses.replace(recipe.method, optimizer="SGD", learning_rate=1e38))
    with pytest.raises(ValueError, match="the (train|validation) loss became (nan|inf) in epoch 1: lower the learning"):
        train_run(wild, tmp_path / "run", progress=False)
    assert list_runs(tmp_path) == []


# stopped and resumed


@pytest.mark.parametrize("name", TINY)
def test_a_stopped_training_goes_on_and_ends_as_the_undisturbed_one(name, folder, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, TINY[name], 2)
        with pytest.raises(KeyboardInterrupt):
            reproduce(name, tmp_path / "run", progress=False)
    assert files(tmp_path / "run") == ["checkpoint.npz", "unfinished.json"]
    assert list_runs(tmp_path) == []
    (tmp_path / "run" / ".charlm-0123456789abcdef.part").write_bytes(b"what a killed process was writing")
    with monkeypatch.context() as patch:
        stop_in_epoch(patch, TINY[name], 1)  # must not be called again
        reproduce(name, tmp_path / "run", progress=False)
    assert files(tmp_path / "run") == files(folder / name) == FILES
    one, other = load_run("run", tmp_path), load_run(name, folder)
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for key in ("train", "validation"):
        assert one.record["history"][key] == other.record["history"][key]
    assert one.record["samples"] == other.record["samples"]


def test_a_training_that_was_stopped_while_the_run_was_written_goes_on(tmp_path, monkeypatch):
    pretend(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr(Vocabulary, "save", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train_run(RECIPE, tmp_path / "run")
    assert files(tmp_path / "run") == ["checkpoint.npz", "unfinished.json"]
    train_run(RECIPE, tmp_path / "run")
    assert files(tmp_path / "run") == FILES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": dataclasses.replace(RECIPE.model, dropout=0.4)}, "model.dropout=0.3, and now it is 0.4"),
        ({"method": dataclasses.replace(RECIPE.method, epochs=3)}, "training.epochs=2, and now it is 3"),
        ({"method": Names(batch_size=40, epochs=2, learning_rate=0.02)}, "training.time=90, and now it is None"),
        ({"seed": 1}, "seed=0, and now it is 1"),
        ({}, "another text"),
    ],
)
def test_an_unfinished_training_of_other_settings_is_refused_and_kept(change, message, tmp_path, monkeypatch):
    pretend(monkeypatch, then=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        train_run(RECIPE, tmp_path / "run")
    before = {name: (tmp_path / "run" / name).read_bytes() for name in files(tmp_path / "run")}
    assert list(before) == ["checkpoint.npz", "unfinished.json"]
    text = load_corpus("story") + ("" if change else "more")
    with pytest.raises(ValueError, match=f"{tmp_path / 'run'} holds an unfinished training with {message}; go on"):
        train_run(dataclasses.replace(RECIPE, **change), tmp_path / "run", text=text)
    assert {name: (tmp_path / "run" / name).read_bytes() for name in files(tmp_path / "run")} == before


def test_a_training_that_was_stopped_before_it_was_saved_leaves_nothing(tmp_path, monkeypatch):
    def stop(self, vocab_size):
        raise KeyboardInterrupt

    monkeypatch.setattr(ModelSettings, "build", stop)
    (tmp_path / "there").mkdir()
    for name in ("new", "there"):
        with pytest.raises(KeyboardInterrupt):
            train_run(RECIPE, tmp_path / name, progress=False)
    assert files(tmp_path) == ["there"]
    assert files(tmp_path / "there") == []


# what is refused before the first step


@pytest.fixture
def no_training(monkeypatch):
    for kind in (Stream, Windows, Names):
        monkeypatch.setattr(kind, "fit", lambda *_, **__: pytest.fail("trained in vain"))


def test_an_unknown_name_lists_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match="no recipe 'huge'; there are: ") as caught:
        reproduce("huge", tmp_path / "run")
    assert str(caught.value).partition("there are: ")[2].split(", ") == list(RECIPES)
    assert files(tmp_path) == []


def test_an_occupied_folder_is_refused_before_anything_is_read(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "load_corpus", lambda name: pytest.fail("read in vain"))
    (tmp_path / "file").write_text("mine")
    for place in (folder / "tiny-names", str(folder / "tiny-stream"), tmp_path / "file"):
        with pytest.raises(ValueError, match=f"{place} already holds a run or is a file; choose another folder"):
            reproduce("tiny-names", place)
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("name", TINY)
def test_a_full_disk_is_noticed_before_the_first_step(name, tmp_path, monkeypatch):
    def write(path):
        raise OSError("no space left")

    monkeypatch.setattr(checkpoints, "open_atomically", write)
    monkeypatch.setattr(keras.Model, "fit", lambda *_, **__: pytest.fail("trained in vain"))
    monkeypatch.setattr(training, "forward", lambda *_, **__: pytest.fail("trained in vain"))
    with pytest.raises(OSError, match="no space left"):
        train_run(TINY[name], tmp_path / "run", progress=False)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tiny-stream", {"prime": "The \u03b1"}, "unknown character '\u03b1'"),
        ("tiny-stream", {"prime": ""}, "at least one character"),
        ("tiny-windows", {"prime": "tide"}, "at least 6 characters, got 4: 'tide'"),
        ("tiny-names", {"preparation": "shorten"}, "preparation must be one of none, .*, got 'shorten'"),
    ],
)
def test_a_recipe_that_cannot_work_is_refused(name, change, message, no_training, tmp_path):
    with pytest.raises(ValueError, match=message):
        train_run(dataclasses.replace(TINY[name], **change), tmp_path / "run", progress=False)
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("tiny-stream", {"batch_size": 0}, "batch_size must be an integer of at least 1, got 0"),
        ("tiny-stream", {"time": 1.5}, "time must be an integer of at least 1, got 1.5"),
        ("tiny-stream", {"schedule": "cosin"}, "schedule must be one of cosine, staircase or None, got 'cosin'"),
        ("tiny-stream", {"schedule": "staircase"}, "stair must be an integer of at least 1, got None"),
        ("tiny-windows", {"windows": -1}, "windows must be an integer of at least 1, got -1"),
        ("tiny-names", {"epochs": 0}, "epochs must be an integer of at least 1, got 0"),
        ("tiny-names", {"learning_rate": -0.1}, "learning_rate must be a finite number above 0, got -0.1"),
        ("tiny-names", {"learning_rate": float("nan")}, "learning_rate must be a finite number above 0, got nan"),
    ],
)
def test_settings_of_a_method_out_of_range_are_refused(name, change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(TINY[name].method, **change)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "transformer"}, "cell must be one of rnn, gru, lstm, got 'transformer'"),
        ({"cell": "rnn", "fast": True}, "cell must be one of gru, lstm, got 'rnn' with fast=True"),
        ({"units": 2**31}, "units must be an integer of at most 2147483647, got 2147483648"),
        ({"num_layers": 101}, "num_layers must be an integer between 1 and 100, got 101"),
        ({"embedding_dim": 0}, "embedding_dim must be an integer of at least 1 or None, got 0"),
        ({"dropout": 1.0}, "dropout must be a number of at least 0 and below 1, got 1.0"),
    ],
)
def test_settings_of_a_model_out_of_range_are_refused_when_they_are_made(settings, message):
    with pytest.raises(ValueError, match=message):
        ModelSettings(**settings)


@pytest.mark.parametrize("change", [{"seed": -1}, {"min_count": 0}])
def test_settings_of_a_recipe_out_of_range_are_refused(change):
    (name,) = change
    with pytest.raises(ValueError, match=f"{name} must be an integer"):
        dataclasses.replace(RECIPE, **change)


@pytest.mark.parametrize(
    ("settings", "batch_size"), [({"units": 10**6}, 2), ({"embedding_dim": 10**9}, 2), ({"units": 64}, 10**9)]
)
def test_a_training_that_needs_more_memory_than_there_is_is_refused(settings, batch_size):
    ModelSettings(units=512, num_layers=2).check_memory(65, 64, 64)
    with pytest.raises(ValueError, match=f"batch_size={batch_size} and time=64 must together need at most the .* GB"):
        ModelSettings(**settings).check_memory(65, batch_size, 64)


def test_weights_that_no_run_can_hold_end_the_training_after_the_epoch_that_made_them(tmp_path):
    method = Stream(batch_size=4, time=20, epochs=3, learning_rate=1e6)
    recipe = dataclasses.replace(small(prime="t"), method=method)
    with pytest.raises(ValueError, match="weights must be finite and at most 65504, got .* after epoch 1: lower the"):
        train_run(recipe, tmp_path / "run", text=LINES, progress=False)
    assert (tmp_path / "run" / "checkpoint.npz").exists()  # the last state that was in order


# rare characters, and beginning with the weights of a run

LINES = "the cat sat on the mat\n" * 400


def small(**settings):
    """Return a recipe for ``LINES``."""
    method = Stream(batch_size=4, time=20, epochs=1, learning_rate=0.01)
    return Recipe(
        corpus="lines", model=ModelSettings(cell="rnn", units=5, embedding_dim=None), method=method, **settings
    )


def test_characters_too_rare_in_what_is_learned_become_one_symbol():
    text = "Q" + LINES + "ZZZZ"  # Z is frequent, and held out
    material = gather_material(small(min_count=2, prime="Qt"), text)
    assert material.replaced == {"Q": 1, "Z": 4}
    assert material.vocabulary.characters == "".join(sorted(set(LINES))) + UNKNOWN
    assert material.learned + material.held_out == UNKNOWN + LINES + 4 * UNKNOWN
    assert material.prime == UNKNOWN + "t"
    assert gather_material(small(prime="Qt"), text).vocabulary == Vocabulary.from_text(text)
    assert UNKNOWN not in gather_material(small(min_count=1, prime="t"), LINES).vocabulary


def test_a_training_can_begin_with_the_weights_of_a_run_whose_vocabulary_grows(tmp_path, monkeypatch):
    train_run(small(prime="t"), tmp_path / "old", text=LINES, progress=False)
    old = load_run("old", tmp_path)
    began = []
    pretend(monkeypatch)
    fit = Stream.fit
    monkeypatch.setattr(
        Stream, "fit", lambda self, model, *rest, **named: began.append(model) or fit(self, model, *rest, **named)
    )
    recipe = small(prime="t", init_from=str(tmp_path / "old"))
    train_run(recipe, tmp_path / "new", text="ABBA\n" + LINES, progress=False)
    new = load_run("new", tmp_path)
    assert Recipe.from_record(new.record) == recipe
    assert new.vocabulary.characters == old.vocabulary.characters + "AB"
    size = len(old.vocabulary)
    ids = old.vocabulary.encode(LINES[:40])[None]
    np.testing.assert_allclose(began[0](ids)[..., :size], old.model(ids), atol=1e-5)
    np.testing.assert_array_equal(began[0].get_weights()[0], np.eye(size + 2))


def test_an_unfinished_training_that_began_with_other_weights_is_refused(tmp_path, monkeypatch):
    pretend(monkeypatch)
    train_run(small(prime="t"), tmp_path / "old", text=LINES, progress=False)
    pretend(monkeypatch, then=KeyboardInterrupt())
    recipe = small(prime="t", init_from=str(tmp_path / "old"))
    with pytest.raises(KeyboardInterrupt):
        train_run(recipe, tmp_path / "new", text=LINES, progress=False)
    (tmp_path / "old" / "weights.npz").write_bytes(b"others")
    with pytest.raises(ValueError, match="holds an unfinished training with init_sha256="):
        train_run(recipe, tmp_path / "new", text=LINES, progress=False)


# the recipes themselves


@pytest.mark.parametrize("name", [name for name in RECIPES if name not in TINY])
def test_every_recipe_is_complete_and_can_be_read_back(name):
    recipe = RECIPES[name]
    assert recipe.corpus in list_corpora()
    assert recipe.preparation in PREPARATIONS
    assert type(recipe.method.build_optimizer(0.1)) is getattr(keras.optimizers, recipe.method.optimizer)
    recipe.method.check_prime(Vocabulary("\n\x20:abcdefghijklmnopqrstuvwxyzF"), recipe.prime)
    assert Recipe.from_record(json.loads(json.dumps(recipe.to_record()))) == recipe


def test_settings_of_a_model_are_the_arguments_of_build_model():
    arguments = list(inspect.signature(build_model).parameters.values())[1:]
    assert dataclasses.asdict(ModelSettings()) == {argument.name: argument.default for argument in arguments}
    model = ModelSettings(cell="lstm", units=5, num_layers=2, embedding_dim=None).build(7)
    assert [layer.units for layer in model.layers if isinstance(layer, keras.layers.LSTM)] == [5, 5]
    assert model.output_shape == (None, None, 7)


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
    assert recipe_text(RECIPE) == load_corpus("story")
    assert recipe_text(TINY["tiny-windows"]) == reduce_alphabet(load_corpus("play"))


@pytest.mark.parametrize("change", [{"model": None}, {"model": {"unit": 5}}, {"training": {}}, {"method": "dance"}])
def test_a_record_that_is_not_of_a_recipe_is_refused(change):
    with pytest.raises(ValueError, match="the record is not that of a recipe: "):
        Recipe.from_record(RECIPE.to_record() | change)


def test_a_record_from_before_there_were_recipes_is_read_as_a_stream():
    record = {"corpus": "story", "model": {"units": 3}, "training": {"batch_size": 2, "time": 3, "epochs": 4}}
    record["training"]["learning_rate"] = 0.1
    method = Stream(batch_size=2, time=3, epochs=4, learning_rate=0.1)
    assert Recipe.from_record(record) == Recipe(corpus="story", model=ModelSettings(units=3), method=method)


# the optimizer


def rates(method, num_ids, steps):
    """Return the learning rate at each of some steps, as the optimizer of a stream has it."""
    optimizer = method.build_optimizer(method._rate(num_ids))
    found = []
    for number in steps:
        optimizer.iterations.assign(number)
        found.append(float(optimizer.learning_rate))
    return found


STREAM = Stream(batch_size=4, time=5, epochs=3, learning_rate=0.4)


def test_a_cosine_falls_to_nothing_over_all_steps():
    method = dataclasses.replace(STREAM, schedule="cosine")
    expected = [0.4, 0.3, 0.2, 0.1, 0]  # 0.2 * (1 + cos(pi * share))
    assert rates(method, 2019, [0, 100, 150, 200, 300]) == pytest.approx(expected, abs=1e-6)


def test_a_staircase_falls_to_a_tenth_at_every_stair():
    method = dataclasses.replace(STREAM, optimizer="SGD", learning_rate=10.0, schedule="staircase", stair=50)
    assert rates(method, 2019, [0, 49, 50, 99, 100]) == pytest.approx([10, 10, 1, 1, 0.1], rel=1e-5)


def test_without_a_schedule_the_rate_stays():
    assert rates(STREAM, 2019, [0, 1000]) == pytest.approx([0.4, 0.4])


def test_name_and_clip_value_reach_the_optimizer():
    optimizer = dataclasses.replace(STREAM, optimizer="SGD", clip_value=1.5).build_optimizer(0.1)
    assert type(optimizer) is keras.optimizers.SGD
    assert optimizer.clipvalue == 1.5
    with pytest.raises(ValueError, match="optimizer must be the name of one in keras.optimizers, got 'Adm'"):
        dataclasses.replace(STREAM, optimizer="Adm").build_optimizer(0.1)


def test_weights_decay_and_biases_do_not():
    optimizer = dataclasses.replace(STREAM, weight_decay=0.1).build_optimizer(0.5)
    weights = [keras.Variable([2.0], name=name) for name in ("kernel", "bias")]
    optimizer.apply([keras.ops.zeros(1), keras.ops.zeros(1)], weights)
    assert [float(each[0]) for each in weights] == pytest.approx([2.0 * (1 - 0.5 * 0.1), 2.0])


def test_the_settings_of_a_stream_reach_its_training(monkeypatch, tmp_path):
    seen = {}
    monkeypatch.setattr(training, "train", lambda model, ids, **settings: seen.update(settings))
    method = dataclasses.replace(STREAM, clip_norm=2.5, validate=False, keep_best=True, patience=7)
    settings = {"seed": 1, "checkpoint": tmp_path, "progress": True, "on_epoch_end": print}
    method.fit(None, Vocabulary("ab"), "ab" * 20, "ab", **settings)
    assert type(seen.pop("optimizer")) is keras.optimizers.Adam
    assert seen == {
        "batch_size": 4,
        "time": 5,
        "epochs": 3,
        "clip_norm": 2.5,
        "keep_best": True,
        "patience": 7,
        "validation_ids": None,
        "checkpoint": tmp_path,
        "progress": True,
        "on_epoch_end": print,
    }
