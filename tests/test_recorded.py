"""The recorded runs are what the book and the README say they are."""

import dataclasses
import json
import os
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest

from charlm_utils.corpora import CORPORA, load_corpus, text_sha256
from charlm_utils.evaluation import evaluate
from charlm_utils.reproduce import RECIPES, Recipe, Stream, recipe_text, score_again
from charlm_utils.runs import list_runs, load_results, load_run

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=list_runs())
def run(request):
    return load_run(request.param)


def test_there_are_recorded_runs():
    assert list_runs()


def test_record_says_how_it_was_made(run):
    provenance = run.record["provenance"]
    assert provenance["corpus_sha256"] == CORPORA[run.record["corpus"]].sha256
    assert provenance["vocabulary_sha256"] == text_sha256(run.vocabulary.characters)
    assert provenance["tensorflow"] and provenance["keras"] and provenance["devices"] and run.record["minutes"] > 0
    history = run.record["history"]
    training = run.record["training"]
    assert len(history["train"]) == training["epochs"]
    if training.get("validate", True):
        assert len(history["validation"]) == training["epochs"]
        assert run.record["held_out_nats"] == history["validation"][-1]
    else:
        assert history["validation"] == []


def test_every_recorded_run_was_made_by_its_recipe(run):
    recipe = RECIPES[run.name]
    if run.name == "shakespeare-gru":  # recorded before there were recipes: it does not name its schedule
        recipe = dataclasses.replace(recipe, method=dataclasses.replace(recipe.method, schedule=None))
    assert Recipe.from_record(run.record) == recipe


def test_held_out_loss_is_computed_again_from_the_weights(run):
    corpus = CORPORA[run.record["corpus"]]
    if corpus.url and not (Path(os.environ.get("CHARLM_DATA_DIR") or "/nowhere") / corpus.file).is_file():
        pytest.skip(f"set CHARLM_DATA_DIR to a folder that holds {corpus.file}")  # nothing is downloaded here
    recipe = Recipe.from_record(run.record)
    if isinstance(recipe.method, Stream):  # many stretches at once, which is 30 times as fast
        _, held_out = recipe.method.split(recipe_text(recipe))
        nats = evaluate(run.model, run.vocabulary.encode(held_out), rows=64)
    else:
        nats = score_again(run)
    assert abs(nats - run.record["held_out_nats"]) < 0.002


OPENINGS = {
    "07_keras_windows": "shakespeare36-window",
    "08_keras_stateful_gru": "shakespeare-gru",
    "09_names": "dinos-gru",
    "11_deep_lstm": "anna-lstm",
    "14_speed": "shakespeare-gru",
    "15_results": "shakespeare-best",
}


def opening(chapter):
    notebook = nbformat.read(ROOT / "chapters" / f"{chapter}.ipynb", as_version=4)
    return re.search(r"```(?:text)?\n(.*?)```", notebook.cells[0].source, re.DOTALL)[1].strip()


@pytest.mark.parametrize("chapter", [chapter for chapter in OPENINGS if chapter != "09_names"])
def test_opening_of_a_chapter_is_from_the_sample_of_its_run(chapter):
    sample = load_run(OPENINGS[chapter]).record["sample"]
    assert " ".join(opening(chapter).split()) in " ".join(sample.split())


def test_names_at_the_opening_are_from_the_sample_and_not_on_the_list():
    names = opening("09_names").split("\n")
    assert set(names) <= set(load_run("dinos-gru").record["sample"].split("\n"))
    if (Path(os.environ.get("CHARLM_DATA_DIR") or "/nowhere") / CORPORA["dinos"].file).is_file():
        assert not set(names) & set(load_corpus("dinos").split("\n"))


def test_readme_quotes_the_record():
    readme = (ROOT / "README.md").read_text("utf-8")
    record = json.loads((ROOT / "data" / "runs" / "shakespeare-gru" / "run.json").read_text("utf-8"))
    quoted = readme.split("```\n")[1]
    assert quoted.strip() and quoted.strip() in record["sample"]
    assert f"{record['held_out_nats']:.4f}" in readme
    assert f"{record['minutes']:.0f} minutes" in readme
    rows = load_results("best")["results"]
    alone = np.mean([row["nats"] for row in rows if row["arm"] == "alone, last"])
    (mixed,) = [row["nats"] for row in rows if row["arm"] == "ensemble and counts by length, last"]
    assert f"one with two loses {alone:.3f}, and five of those together with counts {mixed:.3f}." in readme


def test_all_recorded_runs_together_are_small():
    assert sum(path.stat().st_size for path in (ROOT / "data" / "runs").rglob("*") if path.is_file()) < 40e6
