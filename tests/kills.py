"""Trainings that are killed at random moments until one ends: ``python tests/kills.py TRAININGS SEED [program]``.

Every life of a training is a process of its own, ended by SIGKILL: after a random time, or at a random one of its file
operations, most of which are part of a save. The last one must end with the bits of a training that nobody disturbed.
Lives are forked from this process, which has imported TensorFlow; with ``program`` each is ``python -m charlm_utils``.
It prints a line per training, and in the end how many kills there were and how many of them left a file half written.
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

import numpy as np

MOST_KILLS = 4  # of a training
EPOCHS = 6
TEXT = "the quick brown fox jumps over the lazy dog.\n" * 12
OPTIONS = ["--cell", "rnn", "--units", "4", "--embedding-dim", "3", "--batch-size", "2", "--time", "30"]


class Command:
    """``charlm train``, which saves in the folder of its run."""

    def arguments(self, folder):
        (folder / "text.txt").write_text(TEXT)
        out = ["--text", str(folder / "text.txt"), "--out", str(folder / "run"), "--epochs", str(EPOCHS)]
        return ["train", *out, *OPTIONS, "--dropout", "0.3", "--seed", "3"]

    def live(self, folder):
        from charlm_utils.__main__ import main

        if main(self.arguments(folder)) != 0:
            raise RuntimeError("the command failed")

    def result(self, folder):
        """Return what the training ended with, or None if it has not ended."""
        from charlm_utils.folders import holds_run, own_folder, run_file

        run = folder / "run"
        if not holds_run(run):
            return None
        with own_folder(run):
            left = sorted(path.name for path in run.iterdir())
        assert left == ["run.json", "vocabulary.json", "weights.npz"], left
        record = json.loads(run_file(run, "run.json").read_text("utf-8"))
        history = {key: part for key, part in record["history"].items() if key != "seconds"}
        with np.load(run_file(run, "weights.npz")) as file:
            return [history, record["samples"], [file[key].tolist() for key in sorted(file.files)]]


class Function:
    """``train(checkpoint=...)``, with dropout, slots, a schedule and the best weights."""

    def live(self, folder):
        import keras

        from charlm_utils.models import build_model
        from charlm_utils.training import cosine_decay, set_seed, train

        ids = np.random.default_rng(0).integers(0, 5, 200)
        sizes = {"batch_size": 2, "time": 7, "epochs": EPOCHS}
        set_seed(3)
        model = build_model(5, cell="lstm", units=4, embedding_dim=3, dropout=0.3)
        optimizer = keras.optimizers.Adam(cosine_decay(0.05, len(ids), **sizes))
        checkpoint = {"checkpoint": folder / "run" / "checkpoint.npz", "save_every": 2}
        best = {"validation_ids": ids[:30], "keep_best": True}
        history = train(model, ids, optimizer=optimizer, progress=False, **sizes, **checkpoint, **best)
        weights = [variable.numpy().tolist() for part in (model, optimizer) for variable in part.variables]
        text = json.dumps([history["train"], history["validation"], weights])
        (folder / "result.tmp").write_text(text)
        os.rename(folder / "result.tmp", folder / "result.json")

    def result(self, folder):
        if not (folder / "result.json").exists():
            return None
        left = sorted(path.name for path in (folder / "run").iterdir())
        assert left == ["checkpoint.npz"], left
        return json.loads((folder / "result.json").read_text())


def fork(training, folder, last_operation=None):
    """Start a life of a training, which kills itself at one of its file operations if that is asked for."""
    child = os.fork()
    if child:
        return child
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        count_operations(last_operation)
        training.live(folder)
        os._exit(0)
    except BaseException:
        traceback.print_exc()
    os._exit(1)


def count_operations(last):
    """Count the operations on files from now on, and die at the last one."""
    done = 0

    def counted(operation):
        def call(*arguments, **options):
            nonlocal done
            done += 1
            if done == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return operation(*arguments, **options)

        return call

    for name in ("fsync", "replace", "unlink", "rmdir"):
        setattr(os, name, counted(getattr(os, name)))


def start_program(training, folder):
    """Start a life of the command in an interpreter of its own."""
    command = [sys.executable, "-m", "charlm_utils", *training.arguments(folder)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid


def wait(child):
    """Return how a life ended: 0, or the negative number of a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def wait_for_save(child, folder):
    """Wait until a life has saved for the first time, or ended."""
    while not (folder / "run" / "checkpoint.npz").exists():
        if os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.002)


def kill_once(training, folder, draw, seconds, is_program):
    """Let a life begin and kill it; return whether it was killed, and whether it was in the middle of a save."""
    if not is_program and draw.random() < 0.5:
        child = fork(training, folder, last_operation=draw.randint(1, 40))
    else:
        child = start_program(training, folder) if is_program else fork(training, folder)
        if draw.random() < 0.8:
            wait_for_save(child, folder)
        time.sleep(draw.uniform(0, seconds))
        os.kill(child, signal.SIGKILL)
    status = wait(child)
    assert status in (0, -signal.SIGKILL), status
    half = [*folder.glob("run/**/.charlm-*.part"), *folder.glob("run/.charlm-new")]
    return status != 0, bool(half)


def main(trainings, seed, is_program):
    draw = random.Random(seed)
    kills = 0
    inside = 0
    kinds = [Command()] if is_program else [Command(), Function()]
    undisturbed = []
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            child = fork(kind, Path(folder))
            wait_for_save(child, Path(folder))
            start = time.monotonic()
            assert wait(child) == 0
            undisturbed.append((kind.result(Path(folder)), time.monotonic() - start))
    for number in range(trainings):
        kind = kinds[number % len(kinds)]
        expected, seconds = undisturbed[number % len(kinds)]
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            moments = []
            while len(moments) < MOST_KILLS and kind.result(folder) is None:
                killed, half = kill_once(kind, folder, draw, seconds / 2, is_program)
                if killed:
                    moments.append("in a save" if half else "between saves")
            if kind.result(folder) is None:
                assert wait(fork(kind, folder)) == 0
            same = kind.result(folder) == expected
            print(f"{type(kind).__name__}: killed {', '.join(moments)}: {'same' if same else 'OTHER'} bits", flush=True)
            assert same
            kills += len(moments)
            inside += moments.count("in a save")
    print(f"{kills} of {kills} kills resumed bit for bit, {inside} of them in the middle of a save")


if __name__ == "__main__":
    import charlm_utils.commands
    import charlm_utils.sampling
    import charlm_utils.training  # noqa: F401  so that forked lives need not import it

    main(int(sys.argv[1]), int(sys.argv[2]), "program" in sys.argv)
