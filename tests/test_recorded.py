"""The recorded runs are what the book and the README say they are."""

import json
import os
from pathlib import Path

import nbformat
import pytest

from charlm_utils.registry import CORPORA
from charlm_utils.reproduce import score_again
from charlm_utils.runs import list_runs, load_run

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(params=list_runs())
def run(request):
    return load_run(request.param)


def test_there_are_recorded_runs():
    assert list_runs()


def test_record_says_how_it_was_made(run):
    provenance = run.record["provenance"]
    assert provenance["corpus_sha256"] == CORPORA[run.record["corpus"]].sha256
    assert provenance["tensorflow"] and provenance["keras"] and provenance["devices"] and run.record["seconds"] > 0
    history = run.record["history"]
    assert len(history["train"]) == len(history["validation"]) == run.record["training"]["epochs"]
    assert run.record["held_out_nats"] == history["validation"][-1]


def test_held_out_loss_is_computed_again_from_the_weights(run):
    corpus = CORPORA[run.record["corpus"]]
    if corpus.url and not (Path(os.environ.get("CHARLM_DATA_DIR") or "/nowhere") / corpus.file).is_file():
        pytest.skip(f"set CHARLM_DATA_DIR to a folder that holds {corpus.file}")  # nothing is downloaded here
    assert abs(score_again(run) - run.record["held_out_nats"]) < 0.002


def test_opening_of_chapter_seven_is_from_the_sample():
    notebook = nbformat.read(ROOT / "chapters" / "07_keras_stateful_gru.ipynb", as_version=4)
    hook = notebook.cells[0].source.split("```\n")[1].removesuffix("```").strip()
    assert hook in load_run("shakespeare-gru").record["sample"]


def test_readme_quotes_the_record():
    readme = (ROOT / "README.md").read_text("utf-8")
    record = json.loads((ROOT / "data" / "runs" / "shakespeare-gru" / "run.json").read_text("utf-8"))
    quoted = readme.split("```\n")[1]
    assert quoted.strip() and quoted.strip() in record["sample"]
    assert f"{record['held_out_nats']:.4f}" in readme
    assert f"{record['seconds'] / 60:.0f} minutes" in readme


def test_all_recorded_runs_together_are_small():
    assert sum(path.stat().st_size for path in (ROOT / "data" / "runs").rglob("*") if path.is_file()) < 40e6
