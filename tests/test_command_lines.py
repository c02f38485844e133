"""Generated command lines: none is accepted with a wrong result, hangs, or leaves or destroys a file."""

import contextlib
import hashlib
import io
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field

import pytest

from charlm_utils.__main__ import main
from charlm_utils.commands import BETWEEN_SAMPLES
from charlm_utils.evaluation import evaluate
from charlm_utils.reproduce import Recipe
from charlm_utils.runs import load_run
from charlm_utils.sampling import generate

pytestmark = pytest.mark.slow

COUNT = 250
QUICK_COUNT = 80  # of them, without the weekly profile
SECONDS = 20  # that a line may take, unless it trains
TRAINING_SECONDS = 240
CLEAR = 0.95  # share of the refused lines whose message must be clear
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12
SMALL = {"units": "4", "embedding-dim": "3", "batch-size": "2", "time": "20", "epochs": "1"}
WHOLE = ["-1", "1.5", "many", "", "nan", "1e3", "99999999999999999999999", "--"]
DECIMAL = ["-0.5", "nan", "inf", "1e400", "some", "", "-inf"]
LONG = "n" * 300

# Values that an option must refuse, for every command.
TRAIN = {
    "units": ["0", "1000000000000", "3000000", *WHOLE],
    "num-layers": ["0", "101", *WHOLE],
    "embedding-dim": ["0", "2000000000", *WHOLE],
    "batch-size": ["0", "500", *WHOLE],
    "time": ["0", "5000", *WHOLE],
    "epochs": ["0", *WHOLE],
    "patience": ["0", *WHOLE],
    "min-count": ["0", *WHOLE],
    "seed": ["4294967296", *WHOLE],
    "dropout": ["1", *DECIMAL],
    "learning-rate": ["0", *DECIMAL],
    "clip-norm": ["0", *DECIMAL],
    "held-out": ["0", "1", "0.0001", "0.9999", *DECIMAL],
    "cell": ["GRU", "", "transformer"],
    "out": ["run", "text.txt", "text.txt/run", "", "/dev/null", "/proc/run", LONG],
    "init-from": ["missing", "text.txt", "", "broken", "unfinished"],
}
TEXTS = {
    "text": ["missing.txt", "", "empty.txt", "empty", "nul.txt", "utf16.txt", "latin.txt", "pipe", "/dev/zero", LONG],
    "corpus": ["nonsense", "", "Play"],
    "encoding": ["nonsense", "", "rot13", "utf-16"],
}
SAMPLE = {
    "length": ["0", *WHOLE],
    "num-samples": ["0", "99999999999", *WHOLE],
    "seed": ["1.5", "many", "", "9223372036854775808", "-9223372036854775809"],
    "temperature": DECIMAL,
    "top-k": ["0", "30", "90", *WHOLE],
    "top-p": ["0", "1.01", *DECIMAL],
    "min-p": ["1.01", *DECIMAL],
    "stop": ["", "THE", "\u03b1"],
    "prime": ["", "THE", "caf\u00e9", "\u03b1"],
    "unknown": ["maybe", "", "replace"],
}
RUNS = ["missing", "text.txt", "", "empty", "broken", "unfinished", "/dev/null"]
# What cannot be given together or alone: options to add or, with None, to leave out, and those that a message may name.
TRAIN_PAIRS = [
    ({"out": None}, ["--out"]),
    ({"text": None}, ["--text"]),
    ({"corpus": "play"}, ["--corpus", "--text"]),
    ({"cell": "rnn", "fast": ""}, ["--cell", "--fast"]),
    ({"init-from": "run", "units": "5"}, ["--units"]),
    ({"init-from": "run", "cell": "lstm"}, ["--cell"]),
    ({"unit": "5"}, ["--unit"]),
    ({"text": "one.txt"}, ["one.txt"]),
    ({"text": "short.txt"}, ["--batch-size", "--time"]),
]
EVALUATE_PAIRS = [
    ({"text": None}, ["--text"]),
    ({"corpus": "play"}, ["--corpus", "--text"]),
    ({"all": "", "held-out": "0.5"}, ["--all", "--held-out"]),
    ({"text": "foreign.txt"}, ["--unknown"]),
    ({"text": "foreign.txt", "unknown": "replace"}, ["--unknown"]),
    ({"prime": "the"}, ["--prime"]),
]
SAMPLE_PAIRS = [
    ({"prime": None}, ["--prime"]),
    ({"prime": "the", "prime-file": "text.txt"}, ["--prime"]),
    ({"prime": None, "prime-file": "missing.txt"}, ["--prime-file"]),
    ({"prime": None, "prime-file": "empty.txt"}, ["--prime-file"]),
    ({"prime": None, "prime-file": "latin.txt"}, ["--prime-file"]),
    ({"encoding": "latin-1"}, ["--encoding"]),
    ({"prime": "\u03b1", "unknown": "skip"}, ["--prime"]),
    ({"top": "5"}, ["--top"]),
]


# Values at the edge of what is allowed.
EDGES = {
    "train": [
        {"units": "1", "embedding-dim": "1"},
        {"num-layers": "3", "cell": "lstm"},
        {"time": "242", "dropout": "0.99"},
        {"held-out": "0.5", "patience": "1"},
        {"seed": "4294967295", "clip-norm": "1e-30"},
        {"min-count": "30", "fast": ""},
        {"init-from": "run", "text": "foreign.txt"},
    ],
    "evaluate": [
        {"all": ""},
        {"held-out": "0.5"},
        {"text": "foreign.txt", "unknown": "skip"},
        {"encoding": "latin-1"},
        {"unknown": "replace"},
    ],
    "sample": [
        {"length": "1"},
        {"temperature": "0"},
        {"temperature": "1e300"},
        {"top-k": "29"},
        {"top-k": "1"},
        {"top-p": "1"},
        {"top-p": "1e-300"},
        {"min-p": "0"},
        {"min-p": "1"},
        {"seed": "-9223372036854775808"},
        {"num-samples": "3"},
        {"stop": "e", "length": "40"},
        {"stop": "absent", "length": "40"},
        {"prime": "the\r\n"},
        {"prime": "the \u03b1", "unknown": "skip"},
        {"prime-file": "prime.txt", "prime": None},
    ],
}


@dataclass
class Line:
    """A command line.

    Attributes
    ----------
    command, options, run
        What it is made of.
    mistakes
        Of each the names that a message may call it by, and the values, of which it must give one where there are any.
        A line without mistakes is to be accepted.
    changed
        Names of the options in which it differs from a line that is right.
    """

    command: str
    options: dict
    run: str | None = None
    mistakes: list = field(default_factory=list)
    changed: set = field(default_factory=set)

    @property
    def arguments(self):
        arguments = [self.command] + ([] if self.run is None else [self.run])
        for name, value in self.options.items():
            if name in ("all", "fast"):
                arguments.append("--" + name)
            elif value is not None:
                arguments.append(f"--{name}={value}")
        return arguments


def base(command):
    """Return a line that is right."""
    if command == "train":
        return Line(command, {"text": "text.txt", "out": "new", **SMALL})
    if command == "evaluate":
        return Line(command, {"text": "text.txt"}, run="run")
    return Line(command, {"prime": "the ", "length": "5", "seed": "3"}, run="run")


def spoil(line, rng):
    """Make one thing of a line wrong, unless it is changed already: two mistakes might make it right."""
    pairs, values = {
        "train": (TRAIN_PAIRS, TRAIN | TEXTS),
        "evaluate": (EVALUATE_PAIRS, {"held-out": TRAIN["held-out"]} | TEXTS),
        "sample": (SAMPLE_PAIRS, SAMPLE),
    }[line.command]
    way = rng.random()
    if way < 0.2:
        changes, named = rng.choice(pairs)
        mistake = (named, [])
    elif way < 0.3 and line.run is not None:
        changes = {"RUN": rng.choice(RUNS)}
        mistake = (["RUN"], list(changes.values()))
    else:
        name = rng.choice(list(values))
        value = rng.choice(values[name])
        changes = {name: value}
        if name == "corpus":
            changes["text"] = None
        if name == "unknown" and value == "replace":
            changes["prime"] = "the \u03b1"
        parts = list(value) if name in ("prime", "stop") and value else [value]  # a character of it will do
        mistake = (["--" + name], parts)
    if line.changed.isdisjoint(changes):
        line.changed.update(changes)
        line.mistakes.append(mistake)
        line.run = changes.get("RUN", line.run)
        line.options |= {name: value for name, value in changes.items() if name != "RUN"}


def accepted(rng):
    """Return a line whose values lie at the edge of what is allowed."""
    command = rng.choice(["train", "evaluate", "evaluate", *["sample"] * 9])
    line = base(command)
    line.options |= rng.choice(EDGES[command])
    if command == "sample":
        line.options |= rng.choice(EDGES[command])
    return line


def command_lines(seed, count=COUNT):
    """Yield different lines, a fifth of them to be accepted."""
    rng = random.Random(seed)
    seen = set()
    while len(seen) < count:
        if rng.random() < 0.2:
            line = accepted(rng)
        else:
            line = base(rng.choice(["train", "train", "sample", "evaluate"]))
            spoil(line, rng)
            if rng.random() < 0.2:
                spoil(line, rng)
        if tuple(line.arguments) not in seen:
            seen.add(tuple(line.arguments))
            yield line


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with texts that are right and wrong, a run, one that is broken, and an unfinished one."""
    folder = tmp_path_factory.mktemp("lines")
    (folder / "text.txt").write_text(TEXT)
    (folder / "short.txt").write_text("too short")
    (folder / "prime.txt").write_bytes(b"the quick\r\n")
    (folder / "one.txt").write_text("a" * 500)
    (folder / "foreign.txt").write_text(TEXT + "\u03b1\u03b2" + TEXT[:20], encoding="utf-8")
    (folder / "latin.txt").write_bytes(("caf\u00e9 " * 100).encode("latin-1"))
    (folder / "utf16.txt").write_bytes(TEXT.encode("utf-16"))
    (folder / "nul.txt").write_bytes(TEXT.encode("utf-16-le"))
    (folder / "empty.txt").write_bytes(b"")
    (folder / "empty").mkdir()
    os.mkfifo(folder / "pipe")
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        assert main(base("train").arguments[:2] + ["--out=run"] + base("train").arguments[3:]) == 0
    for name in ("broken", "unfinished"):
        (folder / name).mkdir()
    (folder / "broken" / "run.json").write_text("[]")
    (folder / "unfinished" / "unfinished.json").write_text("{}")
    (folder / "unfinished" / "checkpoint.npz").write_text("")
    return folder


def snapshot(folder):
    """Return every file below a folder with the hash of what it holds."""
    files = {}
    for path in folder.rglob("*"):
        files[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
    return files


class TooLong(BaseException):
    """A line takes longer than it may; nothing catches this."""


def run_here(arguments, seconds):
    """Run a line in this process: status, standard output and standard error."""

    def too_long(number, frame):
        raise TooLong

    before = signal.signal(signal.SIGALRM, too_long)
    out, error = io.StringIO(), io.StringIO()
    signal.alarm(seconds)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
            status = main(arguments)
    except SystemExit as end:
        status = end.code
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
    return status, out.getvalue(), error.getvalue()


def run_apart(arguments, seconds):
    """Run a line in a process of its own."""
    command = [sys.executable, "-m", "charlm_utils", *arguments]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=seconds)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


LIMIT = (
    "must|needs at least|is empty|there is no|required|holds|cannot|is not|is a folder|neither|no run|already|too long|"
    "does not know|is not finished|named twice|allowed|choose from|unrecognized"
)


def is_clear(line, message):
    """Whether a message is one line that names an option, its value, and what is allowed or wrong."""
    if not re.fullmatch(r"charlm: error: [^\n]+\n", message) or not re.search(LIMIT, message):
        return False
    for names, values in line.mistakes:
        shown = list(values)
        for value in values:
            shown.append(value[:50])
            with contextlib.suppress(ValueError):
                shown.append(str(float(value)))
        if any(name in message for name in names) and (not values or any(value in message for value in shown)):
            return True
    return False


def only_warns(error):
    return all(line.startswith("charlm: warning: ") for line in error.splitlines())


def is_right(line, out, run):
    """Whether what a line that was accepted wrote is what the functions of the package say."""
    options = line.options
    if line.command == "evaluate":
        name = options["text"]
        with open(name, encoding="utf-8") as file:
            text = file.read()
        share = float(options.get("held-out", 0.1))
        scored = text if "all" in options else text[int(len(text) * (1 - share) + 1e-6) :]
        ids = run.vocabulary.encode(scored, "skip" if options.get("unknown") == "skip" else "error")
        return out.startswith(f"{len(ids) - 1:,} characters: {evaluate(run.model, ids):.4f} nats per character, ")
    if line.command == "train":
        return is_trained(line, run)
    settings = {"temperature": float(options.get("temperature", 0.8))}
    for name, kind in (("top-k", int), ("top-p", float), ("min-p", float)):
        if name in options:
            settings[name.replace("-", "_")] = kind(options[name])
    texts = []
    prime = (options["prime"] or "the quick\r\n").replace("\r\n", "\n")
    for number in range(int(options.get("num-samples", 1))):
        settings["seed"] = int(options["seed"]) + number
        stop = options.get("stop", "")
        unknown = options.get("unknown", "error")
        text = generate(
            run.model, run.vocabulary, prime, int(options["length"]), stop=stop, unknown=unknown, **settings
        )
        texts.append(text + "\n")
    return out == (BETWEEN_SAMPLES + "\n").join(texts)


def is_trained(line, run):
    """Whether a training left a run of its settings, and nothing else; the run is then removed."""
    options = line.options
    new = load_run("new", ".")
    files = sorted(os.listdir("new"))
    shutil.rmtree("new")
    recipe = Recipe.from_record(new.record)
    kept = vars(recipe) | vars(recipe.model) | vars(recipe.method)
    for name, value in options.items():
        held = kept.get(name.replace("-", "_"), value)
        if name != "fast" and type(held)(value) != held:
            return False
    known = run.vocabulary.characters if "init-from" in options else ""
    return files == ["run.json", "vocabulary.json", "weights.npz"] and new.vocabulary.characters.startswith(known)


def judge(folder, lines, run_line, monkeypatch):
    """Run lines and count what comes of them; a list of what must not be, and the share of clear messages."""
    monkeypatch.chdir(folder)
    run = load_run("run", folder)
    before = snapshot(folder)
    faults = []
    unclear = []
    refused = 0
    for line in lines:
        try:
            trains = line.command == "train" and not line.mistakes
            status, out, error = run_line(line.arguments, TRAINING_SECONDS if trains else SECONDS)
        except (TooLong, subprocess.TimeoutExpired):
            faults.append(("hangs", line.arguments))
            continue
        if line.mistakes:
            refused += 1
            if status != 2 or out:
                faults.append((f"is accepted: {status} {out!r}", line.arguments))
            if not is_clear(line, error):
                unclear.append((error, line.arguments))
        elif status != 0 or not only_warns(error) or not is_right(line, out, run):
            faults.append((f"is right, and fails: {status} {out!r} {error!r}", line.arguments))
        if snapshot(folder) != before:
            faults.append(("leaves or destroys a file", line.arguments))
            shutil.rmtree("new", ignore_errors=True)  # the next line is judged by itself
    print(f"{refused} of {len(lines)} lines had to be refused; faults: {len(faults)}; unclear: {len(unclear)}")
    for message, arguments in unclear:
        print(f"unclear: {message!r} of {arguments}")
    return faults, 1 - len(unclear) / refused


@pytest.mark.parametrize("count", [QUICK_COUNT, pytest.param(COUNT, marks=pytest.mark.weekly)])
def test_generated_command_lines_are_refused_in_one_clear_line_or_do_what_they_say(folder, monkeypatch, count):
    faults, clear = judge(folder, list(command_lines(0, count)), run_here, monkeypatch)
    assert faults == []
    assert clear >= CLEAR


@pytest.mark.weekly
def test_other_command_lines_in_processes_of_their_own(folder, monkeypatch):
    faults, clear = judge(folder, list(command_lines(1)), run_apart, monkeypatch)
    assert faults == []
    assert clear >= CLEAR
