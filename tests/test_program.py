"""The program in processes of its own: what it imports, signals, closed pipes, full disks, foreign terminals."""

import os
import shlex
import signal
import subprocess
import sys

import pytest

from charlm_utils.__main__ import main
from charlm_utils.runs import load_run

TEXT = "Le c\u0153ur \u03b1\u03b2\u03b3 de la mer.\n" * 400
SMALL = ["--units", "4", "--embedding-dim", "3", "--batch-size", "2", "--time", "25"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a text and a run that learned it."""
    folder = tmp_path_factory.mktemp("program")
    (folder / "text.txt").write_text(TEXT, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    assert (
        main(["train", "--text", str(folder / "text.txt"), "--out", str(folder / "run"), *SMALL, "--epochs", "1"]) == 0
    )
    return folder / "run"


def start(folder, *arguments, **settings):
    """Start the program in a folder, with Ctrl-C switched on whoever runs the tests."""
    environment = os.environ | settings.pop("environment", {})
    environment.pop("TF_CPP_MIN_LOG_LEVEL", None)
    return subprocess.Popen(
        [sys.executable, "-m", "charlm_utils", *map(str, arguments)],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=settings.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        **settings,
    )


def end(process):
    """Return status, standard output and standard error of a process, which must end by itself."""
    try:
        out, error = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return process.returncode, (out or b"").decode(), error.decode()


def read_until(process, word):
    """Read lines of standard output up to the first that holds a word."""
    lines = []
    while not lines or word not in lines[-1]:
        line = process.stdout.readline().decode()
        assert line, process.stderr.read().decode()
        lines.append(line)
    return lines


# without TensorFlow


def test_errors_and_help_are_there_before_tensorflow_is_imported(folder):
    (folder / "taken").mkdir(exist_ok=True)
    (folder / "taken" / "run.json").write_text('{"model": {"units": 4, "embedding_dim": 3}}')
    (folder / "taken" / "vocabulary.json").write_text('{"characters": ["a", "b"]}')
    (folder / "taken" / "weights.npz").write_text("no weights")
    text = ["--text", str(folder / "text.txt")]
    new = ["--out", str(folder / "new")]
    lines = [
        ["--help"],
        *([command, "--help"] for command in ("train", "evaluate", "sample", "reproduce")),
        ["train", *text, *new, "--units", "0"],
        ["train", *text, *new, "--units", "1000000"],
        ["train", *text, *new, "--batch-size", "1000000"],
        ["train", *text, *new, "--cell", "rnn", "--fast"],
        ["train", *text, "--out", str(folder / "taken")],
        ["train", *text, "--out", str(folder / "text.txt" / "run")],
        ["evaluate", str(folder / "missing"), *text],
        ["sample", str(folder / "taken"), "--prime", "b", "--top-k", "3"],
        ["sample", str(folder / "taken"), "--prime", "b"],
        ["reproduce", "dinos-gru", "--out", str(folder / "text.txt")],
    ]
    code = f"""
import sys
from charlm_utils.__main__ import main
for line in {lines!r}:
    try:
        assert main(line) == 2, line
    except SystemExit as end:
        assert end.code == 0, line
    assert not {{"tensorflow", "keras"}} & set(sys.modules), line
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == len(lines) - 5
    assert not (folder / "new").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full disk at hand")
def test_output_that_cannot_be_written_is_one_line_and_leaves_no_folder(folder):
    with open("/dev/full", "wb") as full:
        status, _, error = end(start(folder, "train", "--text", "text.txt", "--out", "new", *SMALL, stdout=full))
    assert (status, error) == (2, "charlm: error: [Errno 28] No space left on device\n")
    assert not (folder / "new").exists()


# signals


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    ["SIGTERM", pytest.param("SIGINT", marks=pytest.mark.weekly), pytest.param("SIGHUP", marks=pytest.mark.weekly)],
)
def test_a_training_that_is_stopped_names_what_is_kept_and_the_command_that_goes_on(folder, tmp_path, name):
    command = ["train", "--text", folder / "text.txt", "--out", "a run", *SMALL, "--epochs", "2000"]
    process = start(tmp_path, *command)
    read_until(process, "epoch 2 of 2000")
    process.send_signal(getattr(signal, name))
    status, _, error = end(process)
    assert status == 128 + getattr(signal, name)
    (line,) = error.splitlines()
    kept, again = line.split("; this goes on from there: ")
    assert kept.startswith("charlm: stopped; ")
    assert "2 epochs and" in kept or "1 epoch and" in kept
    program, *arguments = shlex.split(again)
    assert program == "charlm"
    assert arguments == [str(argument) for argument in command]
    if name == "SIGTERM":
        process = start(tmp_path, *arguments)
        shown = read_until(process, "going on from a run/checkpoint.npz: ")
        assert kept.partition("; ")[2].split(" are kept")[0] in shown[-1]
        process.terminate()
        assert end(process)[0] == 143


@pytest.mark.slow
def test_a_text_that_is_stopped_stays_on_the_screen(folder, run):
    process = start(folder, "sample", "run", "--prime", "Le", "--length", "1000000000", "--seed", "1")
    shown = process.stdout.read(1000).decode(errors="ignore")
    process.send_signal(signal.SIGINT)
    status, out, error = end(process)
    assert status == 130
    assert error == "charlm: stopped; what was drawn stands above\n"
    assert shown.startswith("Le")
    assert out.endswith("\n")
    loaded = load_run("run", folder)
    assert set(shown + out) <= set(loaded.vocabulary.characters)


# where the text goes


@pytest.mark.slow
def test_a_closed_pipe_ends_a_text_without_a_word(folder, run):
    process = start(folder, "sample", "run", "--prime", "Le", "--length", "1000000000", "--seed", "1")
    assert process.stdout.read(100).startswith(b"Le")
    process.stdout.close()
    process.wait(timeout=120)
    assert (process.returncode, process.stderr.read()) == (141, b"")


@pytest.mark.slow
def test_characters_that_the_terminal_has_not_are_written_as_escapes_and_the_log_is_silent(folder, run):
    arguments = ["sample", "run", "--prime", "c\u0153ur", "--length", "5", "--temperature", "0", "--num-samples", "2"]
    status, out, error = end(start(folder, *arguments, environment={"PYTHONIOENCODING": "ascii"}))
    assert (status, error) == (0, "")
    first, line, second = out.splitlines()
    assert first.startswith("c\\u0153ur")
    assert set(line) == {"-"}
    assert second == first
