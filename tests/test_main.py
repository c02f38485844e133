import functools
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from charlm_utils import reproduce, runs, training
from charlm_utils.__main__ import main
from charlm_utils.corpora import list_corpora, split_corpus
from charlm_utils.reproduce import RECIPES, Recipe
from charlm_utils.training import evaluate

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
    assert line.startswith("charlm_utils: error: ")
    return line.removeprefix("charlm_utils: error: ")


def misuse(capsys, *arguments):
    """Return what argparse says about arguments that it does not take."""
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    assert caught.value.code == 2
    return capsys.readouterr().err


# train


def test_train_writes_a_run_that_knows_how_it_was_made(folder):
    run = runs.load_run("run", folder)
    assert run.record["corpus"] == "text.txt"
    assert run.record["model"] == {"cell": "gru", "units": 6, "num_layers": 1, "embedding_dim": 3, "dropout": 0.0}
    assert run.record["training"] == {
        **{"batch_size": 2, "time": 30, "epochs": 2, "clip_norm": 5.0, "learning_rate": 0.003, "seed": 3}
    }
    assert {key: len(values) for key, values in run.record["history"].items()} == {
        **{"train": 2, "validation": 2, "seconds": 2}
    }
    assert run.vocabulary.characters == "".join(sorted(set(TEXT)))
    assert len(run.record["sample"]) == 401
    assert run.record["sample"][0] == TEXT[0]


def test_the_held_out_loss_is_that_of_the_last_tenth(folder):
    run = runs.load_run("run", folder)
    held_out = run.vocabulary.encode(split_corpus(TEXT)[1])
    assert run.record["held_out_nats"] == run.record["history"]["validation"][-1]
    assert run.record["held_out_nats"] == pytest.approx(evaluate(run.model, held_out), abs=2e-3)  # half precision


def test_train_reports_the_loss_and_the_folder_and_repeats_with_the_seed(folder, capsys):
    arguments = ["train", "--text", folder / "text.txt", "--out", folder / "again", "--seed", "3", *SMALL]
    last = succeed(capsys, *arguments).splitlines()[-1]
    first, again = (runs.load_run(name, folder) for name in ("run", "again"))
    assert (
        last == f"held-out: {again.record['held_out_nats']:.4f} nats per character; run written to {folder / 'again'}"
    )
    assert again.record["history"]["train"] == first.record["history"]["train"]
    assert again.record["sample"] == first.record["sample"]
    for one, other in zip(first.model.get_weights(), again.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_train_does_not_overwrite_a_run(folder, capsys):
    before = (folder / "run" / "weights.npz").read_bytes()
    message = fail(capsys, "train", "--text", folder / "text.txt", "--out", folder / "run", *SMALL)
    assert "already holds a run" in message
    assert str(folder / "run") in message
    assert (folder / "run" / "weights.npz").read_bytes() == before


def test_a_file_where_the_run_should_go_is_noticed_before_the_training(folder, capsys, monkeypatch):
    monkeypatch.setattr(training, "train", lambda *_, **__: pytest.fail("trained in vain"))
    assert str(folder / "text.txt") in fail(
        capsys, "train", "--text", folder / "text.txt", "--out", folder / "text.txt", *SMALL
    )


def test_a_text_too_short_says_how_many_characters_it_needs(tmp_path, capsys):
    (tmp_path / "short.txt").write_text("too short")
    message = fail(capsys, "train", "--text", tmp_path / "short.txt", "--out", tmp_path / "run")
    assert "at least 2049 characters" in message  # 32 x 64 + 1
    assert "the whole text has 9" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--batch-size", "0", "batch_size must be at least 1, got 0"),
        ("--batch-size", "-2", "batch_size must be at least 1, got -2"),
        ("--time", "0", "time must be at least 1, got 0"),
        ("--epochs", "0", "epochs must be above 0, got 0"),
        ("--units", "0", "units must be at least 1, got 0"),
        ("--num-layers", "0", "num_layers must be at least 1, got 0"),
        ("--embedding-dim", "0", "embedding_dim must be at least 1, got 0"),
        ("--dropout", "1", "dropout must be at least 0 and below 1, got 1.0"),
        ("--clip-norm", "0", "clip_norm must be above 0, got 0.0"),
        ("--seed", "-1", "seed must be between 0 and 4294967295, got -1"),
    ],
)
def test_a_setting_out_of_range_is_one_line_and_writes_nothing(folder, tmp_path, capsys, option, value, message):
    command = ["train", "--text", folder / "text.txt", "--out", tmp_path / "run", *SMALL, option, value]
    assert fail(capsys, *command) == message
    assert list(tmp_path.iterdir()) == []


def test_a_stopped_training_writes_nothing_and_ends_with_130(folder, tmp_path, capsys, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "train", stop)
    command = ["train", "--text", str(folder / "text.txt"), "--out", str(tmp_path / "run"), *SMALL]
    assert main(command) == 130
    assert capsys.readouterr().err == "charlm_utils: stopped; nothing was written\n"
    assert list(tmp_path.iterdir()) == []


# evaluate


def test_evaluate_scores_the_last_tenth_or_the_whole_text(folder, capsys):
    run = runs.load_run("run", folder)
    for flags, scored in (([], split_corpus(TEXT)[1]), (["--all"], TEXT)):
        nats = evaluate(run.model, run.vocabulary.encode(scored))
        expected = f"{len(scored) - 1:,} characters: {nats:.4f} nats per character, {nats / np.log(2):.4f} bits"
        line = succeed(capsys, "evaluate", folder / "run", "--text", folder / "text.txt", *flags)
        assert line == f"{expected}, perplexity {np.exp(nats):.3f}\n"


def test_evaluate_refuses_a_text_with_foreign_characters(folder, tmp_path, capsys):
    (tmp_path / "foreign.txt").write_text("the quick \u03b1\n", encoding="utf-8")
    message = fail(capsys, "evaluate", folder / "run", "--text", tmp_path / "foreign.txt", "--all")
    assert "unknown character '\u03b1' (U+03B1) at position 10" in message


def test_evaluate_refuses_a_text_of_one_character(folder, tmp_path, capsys):
    (tmp_path / "one.txt").write_text("t")
    assert "2 characters" in fail(capsys, "evaluate", folder / "run", "--text", tmp_path / "one.txt", "--all")


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
    assert succeed(capsys, *command, "f\u00f8ox", "--unknown", "skip", "--temperature", "0") == greedy
    assert succeed(capsys, *command, "fox", "--temperature", "0", "--num-samples", "3") == 3 * greedy


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--prime", "the \u03b1"], "unknown character '\u03b1' (U+03B1) at position 4"),
        (["--prime", ""], "at least one character"),
        (["--prime", "a", "--top-k", "90"], f"top_k must be between 1 and {len(set(TEXT))}, got 90"),
        (["--prime", "a", "--top-p", "2"], "top_p must be above 0 and at most 1, got 2.0"),
        (["--prime", "a", "--temperature", "-1"], "temperature must be at least 0 and finite, got -1.0"),
        (["--prime", "a", "--length", "0"], "length must be at least 1, got 0"),
        (["--prime", "a", "--num-samples", "0"], "num_samples must be at least 1, got 0"),
    ],
)
def test_sample_refuses_in_one_line_what_is_out_of_range(folder, loaded_once, capsys, options, message):
    assert message in fail(capsys, "sample", folder / "run", *options)


# reproduce


@pytest.fixture
def tiny_recipe(monkeypatch):
    """Put a recipe that takes a second among those of the book."""
    shape = {"cell": "rnn", "units": 4, "embedding_dim": 2}
    training = {"batch_size": 128, "epochs": 1, "optimizer": "Adam", "learning_rate": 0.01}
    monkeypatch.setitem(RECIPES, "tiny", Recipe("genera", shape, training, method="names"))


def test_reproduce_writes_the_run_of_a_recipe_and_reports_it(tiny_recipe, tmp_path, capsys):
    last = succeed(capsys, "reproduce", "tiny", "--out", tmp_path / "again").splitlines()[-1]
    record = runs.load_run("again", tmp_path).record
    assert last == f"held-out: {record['held_out_nats']:.4f} nats per character; run written to {tmp_path / 'again'}"
    assert record["model"] == RECIPES["tiny"].model
    before = (tmp_path / "again" / "weights.npz").read_bytes()
    message = fail(capsys, "reproduce", "tiny", "--out", tmp_path / "again")
    assert message == f"{tmp_path / 'again'} already holds a run or is a file; choose another folder"
    assert (tmp_path / "again" / "weights.npz").read_bytes() == before


def test_reproduce_writes_to_a_folder_of_the_same_name_by_default(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    monkeypatch.setattr(reproduce, "reproduce", lambda *arguments: seen.append(arguments) or {"held_out_nats": 1.25})
    assert succeed(capsys, "reproduce", "anna-lstm") == (
        "held-out: 1.2500 nats per character; run written to anna-lstm\n"
    )
    assert seen == [("anna-lstm", Path("anna-lstm"))]


def test_an_unknown_recipe_lists_the_known_ones(tmp_path, capsys):
    message = misuse(capsys, "reproduce", "huge", "--out", tmp_path / "run")
    assert "invalid choice: 'huge'" in message
    assert [name for name in RECIPES if name not in message] == []
    assert list(tmp_path.iterdir()) == []


def test_reproduce_without_the_corpus_is_one_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CHARLM_DATA_DIR", str(tmp_path / "missing"))
    assert "does not exist" in fail(capsys, "reproduce", "dinos-gru", "--out", tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kept", [True, False])
def test_a_stopped_reproduce_says_whether_the_same_command_goes_on(tmp_path, capsys, monkeypatch, kept):
    def stop(name, folder):
        if kept:
            folder.mkdir()
            (folder / "checkpoint.npz").write_bytes(b"")
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "reproduce", stop)
    assert main(["reproduce", "anna-lstm", "--out", str(tmp_path / "run")]) == 130
    left = f"the same command goes on from {tmp_path / 'run' / 'checkpoint.npz'}" if kept else "nothing was written"
    assert capsys.readouterr().err == f"charlm_utils: stopped; {left}\n"


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
    assert str(tmp_path) in fail(capsys, "train", "--text", tmp_path, "--out", tmp_path / "run")
    (tmp_path / "latin.txt").write_bytes("caf\u00e9".encode("latin-1"))
    assert "not UTF-8" in fail(capsys, "evaluate", folder / "run", "--text", tmp_path / "latin.txt")


def test_a_missing_data_folder_is_one_line(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("CHARLM_DATA_DIR", str(tmp_path / "missing"))
    assert "does not exist" in fail(capsys, "evaluate", folder / "run", "--corpus", "anna")


@pytest.mark.parametrize("command", [["train", "--out", "x"], ["evaluate", "x"]])
def test_a_text_comes_from_a_file_or_a_corpus_and_not_from_both(capsys, command):
    assert "--text --corpus" in misuse(capsys, *command)
    assert "not allowed with" in misuse(capsys, *command, "--text", "a.txt", "--corpus", "play")


def test_an_unknown_corpus_lists_the_known_ones(capsys):
    message = misuse(capsys, "train", "--out", "x", "--corpus", "nonsense")
    assert all(name in message for name in list_corpora())


@pytest.mark.parametrize("arguments", [[], ["dance"], ["sample", "run"], ["train", "--corpus", "play"]])
def test_what_is_missing_or_unknown_ends_with_usage_and_status_2(capsys, arguments):
    assert misuse(capsys, *arguments).startswith("usage: charlm_utils")


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ([], ["train", "evaluate", "sample", "reproduce"]),
        (["train"], ["--text", "--corpus", "--out", "--epochs", "default: 5", "--learning-rate"]),
        (["evaluate"], ["RUN", "--text", "--corpus", "--all"]),
        (["reproduce"], ["NAME", *RECIPES, "--out"]),
        (["sample"], ["RUN", "--prime", "--temperature", "default: 0.8", "--top-k", "--top-p", "--seed"]),
    ],
)
def test_help_lists_the_options_and_ends_with_status_0(capsys, command, options):
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith("usage: charlm_utils")
    assert [option for option in options if option not in shown] == []


def test_the_module_runs_as_a_program():
    done = subprocess.run([sys.executable, "-m", "charlm_utils", "--help"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "train" in done.stdout


def test_the_program_hands_its_status_to_the_shell(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["charlm_utils", "train", "--text", str(tmp_path), "--out", str(tmp_path / "run")])
    monkeypatch.delitem(sys.modules, "charlm_utils.__main__")  # as in a new process
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("charlm_utils", run_name="__main__")
    assert caught.value.code == 2
    assert capsys.readouterr().err.startswith("charlm_utils: error: ")
