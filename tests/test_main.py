import functools
import json
import runpy
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from charlm_utils import commands, runs, texts
from charlm_utils.__main__ import main
from charlm_utils.commands import BETWEEN_SAMPLES
from charlm_utils.corpora import list_corpora, load_corpus, split_corpus
from charlm_utils.evaluation import evaluate
from charlm_utils.reproduce import RECIPES, ModelSettings, Names, Recipe, Stream

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12
SMALL = ["--units", "6", "--embedding-dim", "3", "--batch-size", "2", "--time", "30", "--epochs", "2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text and the run that the command line trained on it."""
    folder = tmp_path_factory.mktemp("main")
    (folder / "text.txt").write_bytes(TEXT.replace("\n", "\r\n").encode())
    arguments = ["train", "--text", str(folder / "text.txt"), "--out", str(folder / "run"), "--seed", "3", *SMALL]
    assert main(arguments) == 0
    return folder


@pytest.fixture(scope="module")
def load_once():
    return functools.cache(runs.load_run)


@pytest.fixture
def loaded_once(load_once, monkeypatch):
    """Load the run once for many commands: each fresh model would compile its loop again, at a second a time."""
    monkeypatch.setattr(runs, "load_run", load_once)


def succeed(capsys, *arguments):
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def fail(capsys, *arguments):
    """Return the message of a command that must end with status 2 and one line on standard error."""
    capsys.readouterr()
    assert main([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("charlm: error: ")
    return line.removeprefix("charlm: error: ")


def files(folder):
    return sorted(path.name for path in folder.rglob("*"))


# train


def test_train_writes_a_run_that_knows_how_it_was_made(folder):
    run = runs.load_run("run", folder)
    recipe = Recipe.from_record(run.record)
    assert recipe == Recipe(
        corpus="text.txt",
        model=ModelSettings(cell="gru", units=6, num_layers=1, embedding_dim=3, dropout=0.0),
        method=Stream(
            batch_size=2,
            time=30,
            epochs=2,
            learning_rate=0.003,
            schedule="cosine",
            clip_norm=5.0,
            keep_best=True,
        ),
        prime="t",
        seed=3,
    )
    lengths = {key: len(values) for key, values in run.record["history"].items()}
    assert lengths == {"train": 2, "validation": 2, "seconds": 2}
    assert run.vocabulary.characters == "".join(sorted(set(TEXT)))
    assert len(run.record["sample"]) == 401
    assert run.record["sample"][0] == TEXT[0]
    assert run.record["provenance"]["python"]


def test_the_held_out_loss_is_that_of_the_last_tenth(folder):
    run = runs.load_run("run", folder)
    held_out = run.vocabulary.encode(split_corpus(TEXT)[1])
    assert run.record["held_out_nats"] == min(run.record["history"]["validation"])
    assert run.record["held_out_nats"] == pytest.approx(evaluate(run.model, held_out), abs=2e-3)  # half precision


def test_train_says_where_it_saves_and_what_came_of_it_and_repeats_with_the_seed(folder, capsys):
    arguments = ["train", "--text", folder / "text.txt", "--out", folder / "again", "--seed", "3", *SMALL]
    shown = succeed(capsys, *arguments).splitlines()
    first, again = (runs.load_run(name, folder) for name in ("run", "again"))
    history = again.record["history"]
    assert shown[:2] == [
        f"{folder / 'text.txt'}, {len(TEXT)} characters: {len(TEXT) * 9 // 10} to learn, {len(TEXT) // 10} held out",
        f"saving to {folder / 'again'} on the way; after a stop the same command goes on",
    ]
    assert shown[2:4] == [
        f"epoch {i} of 2: {history['train'][i - 1]:.4f} nats per character learned, "
        f"{history['validation'][i - 1]:.4f} held out, the lowest so far"
        for i in (1, 2)
    ]
    assert shown[-2] == (
        f"held-out: {again.record['held_out_nats']:.4f} nats per character after epoch {again.record['epoch']} of 2"
    )
    assert shown[-1] == f"run written to {folder / 'again'}"
    assert again.record["history"]["train"] == first.record["history"]["train"]
    assert again.record["samples"] == first.record["samples"]
    for one, other in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_options_of_train_reach_the_recipe(folder, tmp_path, capsys, monkeypatch):
    seen = []

    def train_run(recipe, place, **_):
        seen.append(recipe)
        shutil.copytree(folder / "run", place)
        return {"held_out_nats": 1.0, "epoch": 1, "history": {"train": [1.0]}}

    monkeypatch.setattr(commands, "train_run", train_run)
    options = ["--cell", "lstm", "--units", "7", "--num-layers", "2", "--embedding-dim", "4", "--dropout", "0.5"]
    options += ["--fast", "--batch-size", "3", "--time", "5", "--epochs", "6", "--learning-rate", "0.1"]
    options += ["--clip-norm", "2", "--patience", "4", "--seed", "8", "--held-out", "0.2", "--min-count", "9"]
    succeed(capsys, "train", "--corpus", "play", "--out", tmp_path / "run", *options)
    model = ModelSettings(cell="lstm", units=7, num_layers=2, embedding_dim=4, dropout=0.5, fast=True)
    method = Stream(
        batch_size=3,
        time=5,
        epochs=6,
        learning_rate=0.1,
        schedule="cosine",
        clip_norm=2.0,
        keep_best=True,
        patience=4,
        held_out=0.2,
    )
    prime = load_corpus("play")[0]
    assert seen == [Recipe(corpus="play", model=model, method=method, prime=prime, seed=8, min_count=9)]


def test_a_stopped_train_says_so_and_the_same_command_ends_as_the_undisturbed_one(folder, capsys, monkeypatch):
    command = ["train", "--text", folder / "text.txt", "--out", folder / "stopped", "--seed", "3", *SMALL]
    checkpoint = folder / "stopped" / "checkpoint.npz"
    sample = Stream.sample

    def stop(self, model, vocabulary, prime, temperature, seed):
        if seed == 2:
            raise KeyboardInterrupt
        return sample(self, model, vocabulary, prime, temperature, seed)

    with monkeypatch.context() as patch:
        patch.setattr(Stream, "sample", stop)
        assert main([str(argument) for argument in command]) == 130
    kept = f"1 epoch and 0 batches are kept in {checkpoint}"
    again = " ".join(["charlm", *map(str, command)])
    assert capsys.readouterr().err == f"charlm: stopped; {kept}; this goes on from there: {again}\n"
    assert f"the training in {folder / 'stopped'} is not finished" in fail(
        capsys, "sample", folder / "stopped", "--prime", "a"
    )
    assert "holds an unfinished training with --units 6, and now it is 7" in fail(capsys, *command, "--units", "7")
    shown = succeed(capsys, *command)
    assert f"going on from {checkpoint}: 1 epoch and 0 batches are done\n" in shown
    one, other = (runs.load_run(name, folder) for name in ("stopped", "run"))
    for a, b in zip(one.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert one.record["samples"] == other.record["samples"]


def test_a_run_or_a_file_where_the_run_should_go_is_noticed_before_a_corpus_is_read(folder, capsys, monkeypatch):
    monkeypatch.setattr(texts, "load_corpus", lambda name: pytest.fail("read in vain"))
    before = (folder / "run" / "weights.npz").read_bytes()
    for place in (folder / "run", folder / "text.txt"):
        message = fail(capsys, "train", "--corpus", "anna", "--out", place, *SMALL)
        assert message == f"--out: {place} already holds a run or is a file; choose another folder"
    assert (folder / "run" / "weights.npz").read_bytes() == before
    assert "cannot write to" in fail(
        capsys, "train", "--text", folder / "text.txt", "--out", folder / "text.txt" / "run", *SMALL
    )


def test_a_text_too_short_says_how_many_characters_it_needs(tmp_path, capsys):
    (tmp_path / "short.txt").write_text("too short")
    message = fail(capsys, "train", "--text", tmp_path / "short.txt", "--out", tmp_path / "run")
    assert "at least 2049 characters for --batch-size 32 and --time 64" in message  # 32 x 64 + 1
    assert "the whole text has 9" in message
    assert message.endswith("--batch-size 1 and --time 7 would fit")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--batch-size", "0"),
        ("--epochs", "99999999999999999999999"),
        ("--units", "1000000000000"),
        ("--units", "many"),
        ("--num-layers", "101"),
        ("--dropout", "1.0"),
        ("--learning-rate", "-0.1"),
        ("--learning-rate", "nan"),
        ("--clip-norm", "0.0"),
        ("--patience", "0"),
        ("--held-out", "1.0"),
        ("--min-count", "0"),
        ("--seed", "-1"),
    ],
)
def test_a_setting_out_of_range_is_one_line_and_writes_nothing(folder, tmp_path, capsys, option, value):
    command = ["train", "--text", folder / "text.txt", "--out", tmp_path / "run", *SMALL, option, value]
    message = fail(capsys, *command)
    assert message.startswith(option + " must be ")
    assert message.endswith((f", got {value}", f", got {value!r}"))
    assert list(tmp_path.iterdir()) == []


def test_a_train_that_was_stopped_at_once_leaves_nothing(folder, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(ModelSettings, "build", stop)
    command = ["train", "--text", str(folder / "text.txt"), "--out", str(tmp_path / "run"), *SMALL]
    assert main(command) == 130
    assert capsys.readouterr().err == "charlm: stopped; nothing was saved yet\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_several_texts_are_one_with_what_stands_between_said_and_what_looks_wrong_warned_of(folder, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "b.txt").write_text(TEXT)
    (tmp_path / "more" / "a.txt").write_bytes("caf\ufffd\n".encode())
    texts = ["--text", tmp_path / "more", "--text", folder / "text.txt"]
    arguments = ["train", *texts, "--out", tmp_path / "run", *SMALL, "--epochs", "1"]
    assert main([str(argument) for argument in arguments]) == 0
    shown, error = capsys.readouterr()
    count = 4 + 2 + len(TEXT) - 1 + 2 + len(TEXT)
    assert shown.startswith(f"3 files, {count:,} characters, a blank line between two: ")
    (line,) = error.splitlines()
    assert line.startswith("charlm: warning: 1 replacement characters (U+FFFD), the first in ")
    record = runs.load_run("run", tmp_path).record
    assert record["corpus"] == "a.txt, b.txt, text.txt"
    assert record["prime"] == "c"


@pytest.mark.slow
def test_rare_characters_become_one_symbol_which_evaluate_and_sample_then_know(folder, tmp_path, capsys):
    (tmp_path / "rare.txt").write_text(TEXT.replace("quick", "QUICK", 1) + "Z")
    train = ["train", "--text", tmp_path / "rare.txt", "--out", tmp_path / "run", *SMALL, "--epochs", "1"]
    shown = succeed(capsys, *train, "--min-count", "3")
    rare = "6 characters fewer than 3 times in what is learned became the unknown symbol U+FFFD, in 6 places: "
    assert rare + "'Q', 'U', 'I', 'C', 'K', 'Z'\n" in shown
    (tmp_path / "foreign.txt").write_text("the \u03b1 quick \u03b2" * 3, encoding="utf-8")
    evaluated = ["evaluate", tmp_path / "run", "--text", tmp_path / "foreign.txt", "--all", "--unknown"]
    characters = 13 * 3
    done = "are unknown to the run and were"
    replaced = succeed(capsys, *evaluated, "replace")
    assert replaced.endswith(f"; 6 of {characters} (15.38%) {done} read as the unknown symbol\n")
    assert replaced.startswith(f"{characters - 1} characters: ")
    skipped = succeed(capsys, *evaluated, "skip")
    assert skipped.endswith(f"; 6 of {characters} (15.38%) {done} skipped\n")
    assert skipped.startswith(f"{characters - 7} characters: ")
    written = succeed(capsys, "sample", tmp_path / "run", "--prime", "Z", "--unknown", "replace", "--length", "3")
    assert written.startswith("\ufffd")


@pytest.mark.slow
def test_a_training_begins_with_a_run_and_its_sizes(folder, tmp_path, capsys):
    (tmp_path / "new.txt").write_text(TEXT.upper())
    shape = ["--batch-size", "2", "--time", "30", "--epochs", "1"]
    train = ["train", "--text", tmp_path / "new.txt", "--init-from", folder / "run", "--out", tmp_path / "new", *shape]
    shown = succeed(capsys, *train, "--dropout", "0.1")
    assert f"beginning with the weights of {folder / 'run'}; it does not know 26 characters: 'A', 'B', " in shown
    new = runs.load_run("new", tmp_path)
    assert new.record["model"]["units"] == 6
    assert new.record["model"]["dropout"] == 0.1
    assert new.record["init_from"] == str(folder / "run")
    assert new.vocabulary.characters == "".join(sorted(set(TEXT))) + "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@pytest.mark.parametrize(("option", "value", "kept"), [("--units", "7", "6"), ("--cell", "lstm", "gru")])
def test_options_that_contradict_the_run_to_begin_with_are_refused(folder, tmp_path, capsys, option, value, kept):
    train = ["train", "--corpus", "play", "--init-from", folder / "run", "--out", tmp_path / "new", option, value]
    assert fail(capsys, *train) == f"{option} must be {kept}, as in {folder / 'run'}, or left out, got {value}"
    assert files(tmp_path) == []


def test_a_warning_is_one_line_without_its_place_and_none_for_programmers(folder, tmp_path, capsys, monkeypatch):
    def train_run(recipe, place, **_):
        warnings.warn("lower the\nlearning rate", stacklevel=1)
        warnings.warn("soon to be gone", DeprecationWarning, stacklevel=1)
        shutil.copytree(folder / "run", place)
        return {"held_out_nats": 1.0, "epoch": 1, "history": {"train": [1.0]}}

    monkeypatch.setattr(commands, "train_run", train_run)
    assert main(["train", "--corpus", "play", "--out", str(tmp_path / "run")]) == 0
    assert capsys.readouterr().err == "charlm: warning: lower the learning rate\n"


def test_a_loss_above_that_of_guessing_is_warned_of(folder, tmp_path, capsys, monkeypatch):
    def train_run(recipe, place, **_):
        shutil.copytree(folder / "run", place)
        return {"held_out_nats": 25.0, "epoch": 1, "history": {"train": [1.0]}}

    monkeypatch.setattr(commands, "train_run", train_run)
    assert main(["train", "--corpus", "play", "--out", str(tmp_path / "run")]) == 0
    warning = f"the held-out loss is above {np.log(len(set(TEXT))):.4f}, that of guessing: --learning-rate is probably"
    assert warning in capsys.readouterr().err


# evaluate


def test_evaluate_scores_the_last_tenth_or_the_whole_text(folder, capsys):
    run = runs.load_run("run", folder)
    for flags, scored in (([], split_corpus(TEXT)[1]), (["--all"], TEXT)):
        nats = evaluate(run.model, run.vocabulary.encode(scored))
        expected = f"{len(scored) - 1:,} characters: {nats:.4f} nats per character, {nats / np.log(2):.4f} bits"
        line = succeed(capsys, "evaluate", folder / "run", "--text", folder / "text.txt", *flags)
        assert line == f"{expected}, perplexity {np.exp(nats):.3f}\n"


def test_evaluate_scores_the_share_that_the_run_held_out_or_another(folder, tmp_path, capsys):
    run = shutil.copytree(folder / "run", tmp_path / "run")
    record = json.loads((run / "run.json").read_text())
    record["training"]["held_out"] = 0.25
    (run / "run.json").write_text(json.dumps(record))
    for flags, share in (([], 4), (["--held-out", "0.5"], 2)):
        line = succeed(capsys, "evaluate", run, "--text", folder / "text.txt", *flags)
        assert line.startswith(f"{len(TEXT) // share - 1} characters: ")


def test_evaluate_refuses_a_text_with_foreign_characters(folder, tmp_path, capsys):
    (tmp_path / "foreign.txt").write_text("the quick \u03b1\n", encoding="utf-8")
    message = fail(capsys, "evaluate", folder / "run", "--text", tmp_path / "foreign.txt", "--all")
    assert message.startswith(
        f"unknown character '\u03b1' (U+03B1) in {tmp_path / 'foreign.txt'}, line 1, column 11, one of 1 that "
    )
    assert "--unknown skip" in message


def test_evaluate_refuses_a_text_of_one_character(folder, tmp_path, capsys):
    (tmp_path / "one.txt").write_text("t")
    assert "the text to score must have at least 2 known characters, got 1 of one.txt" in fail(
        capsys, "evaluate", folder / "run", "--text", tmp_path / "one.txt", "--all"
    )


# sample


def test_sample_continues_the_prime_and_repeats_with_the_seed(folder, loaded_once, capsys):
    command = ["sample", folder / "run", "--prime", "the ", "--length", "30", "--seed", "5", "--temperature", "2"]
    one, again = succeed(capsys, *command), succeed(capsys, *command)
    assert one == again
    assert one.startswith("the ")
    assert len(one) == 4 + 30 + 1
    assert succeed(capsys, *command, "--seed", "6") != one


def test_sample_writes_500_characters_by_default(folder, loaded_once, capsys):
    assert len(succeed(capsys, "sample", folder / "run", "--prime", "fox")) == 3 + 500 + 1


def test_sample_reads_the_prime_as_texts_are_read(folder, loaded_once, tmp_path, capsys):
    (tmp_path / "prime.txt").write_bytes(b"\xef\xbb\xbfthe fox\r\n")
    command = ["sample", folder / "run", "--length", "4", "--seed", "1"]
    expected = succeed(capsys, *command, "--prime", "the fox\n")
    assert expected.startswith("the fox\n")
    assert succeed(capsys, *command, "--prime", "the fox\r\n") == expected
    assert succeed(capsys, *command, "--prime-file", tmp_path / "prime.txt") == expected
    assert "--prime holds '\\\\'" in fail(capsys, *command, "--prime", r"the\n")


def test_sample_takes_a_relative_folder_with_a_slash_at_its_end(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    assert succeed(capsys, "sample", "run/", "--prime", "fox", "--length", "2").startswith("fox")
    monkeypatch.chdir(folder / "run")
    assert succeed(capsys, "sample", ".", "--prime", "fox", "--length", "2").startswith("fox")


def test_sample_passes_on_every_setting(folder, loaded_once, capsys):
    command = ["sample", folder / "run", "--length", "20", "--prime"]
    greedy = succeed(capsys, *command, "fox", "--temperature", "0")
    assert succeed(capsys, *command, "fox", "--top-k", "1") == greedy
    assert succeed(capsys, *command, "fox", "--top-p", "1e-6") == greedy
    assert succeed(capsys, *command, "fox", "--min-p", "1") == greedy
    assert succeed(capsys, *command, "f\u00f8ox", "--unknown", "skip", "--temperature", "0") == greedy
    assert succeed(capsys, *command, "fox", "--stop", greedy[5:7], "--stop", "absent", "--temperature", "0") == (
        greedy[: greedy.index(greedy[5:7], 3) + 2] + "\n"
    )


def test_several_samples_have_a_line_between_and_the_seeds_one_after_the_other(folder, loaded_once, capsys):
    command = ["sample", folder / "run", "--length", "20", "--prime", "fox", "--temperature", "2"]
    alone = [succeed(capsys, *command, "--seed", seed) for seed in (7, 8, 9)]
    together = succeed(capsys, *command, "--seed", "7", "--num-samples", "3")
    assert together == (BETWEEN_SAMPLES + "\n").join(alone)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prime", "the \u03b1"], "--prime holds '\u03b1' (U+03B1) at position 4, which "),
        (["--prime", ""], "at least one character"),
        (["--prime", "a", "--top-k", "90"], f"--top-k must be between 1 and {len(set(TEXT))}, got 90"),
        (["--prime", "a", "--top-p", "2"], "--top-p must be above 0 and at most 1, got 2.0"),
        (["--prime", "a", "--min-p", "2"], "--min-p must be"),
        (["--prime", "a", "--temperature", "-1"], "--temperature must be at least 0 and finite, got -1.0"),
        (["--prime", "a", "--temperature", "hot"], "--temperature must be a number at least 0 and finite, got 'hot'"),
        (["--prime", "a", "--length", "0"], "--length must be an integer of at least 1, got 0"),
        (["--prime", "a", "--num-samples", "0"], "--num-samples must be an integer between 1 and 1000000, got 0"),
        (["--prime", "a", "--num-samples", "99999999999"], "--num-samples must be an integer between 1 and 1000000"),
        (["--prime", "a", "--seed", "1.5"], "--seed must be a whole number of at most 64 bits, got '1.5'"),
        (["--prime", "a", "--seed", 2**63 - 1, "--num-samples", "2"], f"--seed must be at most {2**63 - 2} here"),
        (["--prime", "a", "--stop", ""], "--stop must hold at least one character, got ''"),
        (["--prime", "a", "--stop", "A"], "--stop must hold only characters of the vocabulary, got 'A'"),
        (
            ["--prime", "\u03b1a", "--unknown", "replace"],
            "--unknown must be error or skip, got replace: the run has no",
        ),
        (["--prime", "a", "--encoding", "latin-1"], "--encoding must go with --prime-file, got --prime"),
    ],
)
def test_sample_refuses_in_one_line_what_is_out_of_range(folder, loaded_once, capsys, options, message):
    assert message in fail(capsys, "sample", folder / "run", *options)


# reproduce


def test_reproduce_writes_the_run_of_a_recipe_and_reports_it(tmp_path, capsys, monkeypatch):
    method = Names(batch_size=128, epochs=1, learning_rate=0.01)
    recipe = Recipe(corpus="genera", model=ModelSettings(cell="rnn", units=4, embedding_dim=2), method=method)
    monkeypatch.setitem(RECIPES, "tiny", recipe)
    shown = succeed(capsys, "reproduce", "tiny", "--out", tmp_path / "again").splitlines()
    record = runs.load_run("again", tmp_path).record
    assert shown[-2:] == [
        f"held-out: {record['held_out_nats']:.4f} nats per character after epoch 1 of 1",
        f"run written to {tmp_path / 'again'}",
    ]
    assert Recipe.from_record(record) == recipe
    message = fail(capsys, "reproduce", "tiny", "--out", tmp_path / "again")
    assert message == f"--out: {tmp_path / 'again'} already holds a run or is a file; choose another folder"


def test_reproduce_writes_to_a_folder_of_the_same_name_by_default(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    record = {"held_out_nats": 1.25, "epoch": 2, "history": {"train": [2.0, 1.0]}}
    shutil.copytree(folder / "run", tmp_path / "anna-lstm")
    monkeypatch.setattr(commands, "reproduce", lambda *arguments, **_: seen.append(arguments) or record)
    shown = succeed(capsys, "reproduce", "anna-lstm")
    assert shown.endswith("held-out: 1.2500 nats per character after epoch 2 of 2\nrun written to anna-lstm\n")
    assert seen == [("anna-lstm", "anna-lstm")]


def test_an_unknown_recipe_lists_the_known_ones(tmp_path, capsys):
    message = fail(capsys, "reproduce", "huge", "--out", tmp_path / "run")
    assert "invalid choice: 'huge'" in message
    assert [name for name in RECIPES if name not in message] == []
    assert list(tmp_path.iterdir()) == []


def test_reproduce_without_the_corpus_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CHARLM_DATA_DIR", str(tmp_path / "missing"))
    assert "does not exist" in fail(capsys, "reproduce", "dinos-gru", "--out", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("left", "message"),
    [
        ([], "nothing was saved yet"),
        (["run.json"], "anna-lstm holds the finished run"),
    ],
)
def test_a_stopped_reproduce_says_what_is_kept(tmp_path, capsys, monkeypatch, left, message):
    def stop(name, folder, *, on_start, **_):
        on_start(None)
        Path(folder).mkdir()
        for name in left:
            (Path(folder) / name).write_text("")
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(commands, "reproduce", stop)
    assert main(["reproduce", "anna-lstm"]) == 130
    assert capsys.readouterr().err == f"charlm: stopped; {message}\n"


def test_a_reproduce_that_was_stopped_before_it_held_the_folder_promises_nothing(tmp_path, capsys, monkeypatch):
    def stop(name, folder, **_):
        raise KeyboardInterrupt

    monkeypatch.chdir(tmp_path)
    (tmp_path / "anna-lstm").mkdir()
    for name in ("checkpoint.npz", "unfinished.json"):  # of somebody else
        (tmp_path / "anna-lstm" / name).write_text("")
    monkeypatch.setattr(commands, "reproduce", stop)
    assert main(["reproduce", "anna-lstm"]) == 130
    assert capsys.readouterr().err == "charlm: stopped; nothing was saved\n"


def test_a_stopped_sample_had_nothing_to_save(tmp_path, capsys, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "read_run", stop)
    assert main(["sample", str(tmp_path / "run"), "--prime", "a"]) == 130
    assert capsys.readouterr().err == "charlm: stopped; nothing was saved\n"


# what all commands share


def test_a_missing_run_lists_those_that_lie_beside_it(folder, capsys):
    for command in (["sample", folder / "other", "--prime", "a"], ["evaluate", folder / "other", "--corpus", "genera"]):
        message = fail(capsys, *command)
        assert "no run 'other'" in message
        assert "run" in message.partition("there are: ")[2].split(", ")


@pytest.mark.parametrize("damaged", ["weights.npz", "vocabulary.json", "run.json"])
def test_a_damaged_run_is_one_line(folder, tmp_path, capsys, damaged):
    run = shutil.copytree(folder / "run", tmp_path / "run")
    data = (run / damaged).read_bytes()
    (run / damaged).write_bytes(data[: len(data) // 2])
    assert "cannot be read" in fail(capsys, "sample", run, "--prime", "a")


def test_a_missing_or_foreign_text_file_is_one_line(folder, tmp_path, capsys):
    assert "missing.txt" in fail(capsys, "train", "--text", tmp_path / "missing.txt", "--out", tmp_path / "run")
    assert "is a folder without any *.txt" in fail(capsys, "train", "--text", tmp_path, "--out", tmp_path / "run")
    (tmp_path / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    assert "not UTF-8" in fail(capsys, "evaluate", folder / "run", "--text", tmp_path / "latin.txt")


def test_a_missing_data_folder_is_one_line(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CHARLM_DATA_DIR", str(tmp_path / "missing"))
    assert "does not exist" in fail(capsys, "evaluate", folder / "run", "--corpus", "anna")


@pytest.mark.parametrize("command", [["train", "--out", "x"], ["evaluate", "x"]])
def test_a_text_comes_from_a_file_or_a_corpus_and_not_from_both(capsys, command):
    assert "one of the arguments --text --corpus is required" in fail(capsys, *command)
    assert "not allowed with" in fail(capsys, *command, "--text", "a.txt", "--corpus", "play")


def test_an_unknown_corpus_lists_the_known_ones(capsys):
    message = fail(capsys, "train", "--out", "x", "--corpus", "nonsense")
    assert all(name in message for name in list_corpora())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: train|evaluate|sample|reproduce (see charlm --help)"),
        (["dance"], "invalid choice: 'dance'"),
        (["sample", "run"], "one of the arguments --prime --prime-file is required (see charlm sample --help)"),
        (["train", "--corpus", "play"], "the following arguments are required: --out (see charlm train --help)"),
        (["train", "--corpus", "play", "--out", "x", "--unit", "5"], "unrecognized arguments: --unit 5"),
        (["sample", "run", "--prime", "-x"], "a value that begins with - is written --option=VALUE"),
        (["train", "--corpus", "play", "--out", ""], "--out must be the path of a file or folder, got ''"),
    ],
)
def test_what_is_missing_or_unknown_is_named_in_one_line(capsys, arguments, message):
    assert message in fail(capsys, *arguments)


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ([], ["train", "evaluate", "sample", "reproduce"]),
        (
            ["train"],
            [
                "--text",
                "--corpus",
                "--out",
                "--cell {rnn,gru,lstm}",
                "default: 5",
                "--fast",
                "--patience",
                "--init-from",
            ],
        ),
        (["evaluate"], ["RUN", "--text", "--corpus", "--all"]),
        (["reproduce"], ["NAME", *RECIPES, "--out"]),
        (["sample"], ["RUN", "--prime", "--temperature", "default: 0.8", "--top-k", "--top-p", "--min-p", "--seed"]),
    ],
)
def test_help_lists_the_options_and_ends_with_status_0(capsys, command, options):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: charlm")
    assert [option for option in options if option not in shown] == []


def test_the_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "charlm_utils", "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "train" in done.stdout


def test_the_program_hands_its_status_to_the_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["charlm", "train", "--text", str(tmp_path), "--out", str(tmp_path / "run")])
    monkeypatch.delitem(sys.modules, "charlm_utils.__main__")  # as in a new process
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("charlm_utils", run_name="__main__")
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("charlm: error: ")


def test_a_name_that_is_too_long_is_one_line_with_its_option(folder, tmp_path, capsys):
    message = fail(capsys, "train", "--text", folder / "text.txt", "--out", "n" * 300, *SMALL)
    assert message.startswith("--out: ") and "too long" in message
