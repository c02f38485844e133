"""How long a training step takes one process, and two that share it: what computation costs, and what talking costs.

    python benchmarks/workers.py

Networks of several widths are trained by `train`: by one process, with all rows of a batch and with half of them, and
by two processes under `MultiWorkerMirroredStrategy`, each of which has half of the rows. Every process has one thread,
as if it were a machine with one core, and they talk over the loopback. What two processes take beyond half of the rows
is what talking costs.
"""

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import turns

from charlm_utils.workers import cluster_settings

WORKER = Path(__file__).with_name("worker_strategy.py")
PACKAGE = Path(__file__).resolve().parent.parent
QUIET = {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1", "PYTHONPATH": str(PACKAGE)}


@dataclass(frozen=True)
class Sizes:
    """What is trained."""

    units: tuple = (64, 128, 256, 512)
    rows: int = 64  # of a batch, all workers together
    length: int = 64
    steps: int = 4  # per round


class Workers:
    """Processes that train together, pass by pass; after :meth:`close` they are gone.

    Parameters
    ----------
    count : int
        Number of processes; a single one trains without a strategy.
    sizes : Sizes
        Of the training.
    units, rows : int
        Width of the network, and rows of a batch.
    passes : int
        As often as :meth:`go` will be called.
    """

    def __init__(self, count, sizes, units, rows, passes):
        numbers = [units, rows, sizes.length, sizes.steps, passes]
        command = [sys.executable, WORKER] + [str(number) for number in numbers]
        self._processes = []
        for settings in cluster_settings(count):
            environment = os.environ | QUIET
            if count > 1:
                environment["TF_CONFIG"] = settings
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
            self._processes.append(subprocess.Popen(command, env=environment, text=True, **pipes))
        self.parameters = int(max(self._read()))

    def go(self):
        """Let all take one pass, and return the seconds of the slowest."""
        for process in self._processes:
            process.stdin.write("\n")
            process.stdin.flush()
        return max(self._read())

    def close(self):
        """End the processes."""
        for process in self._processes:
            process.kill()
            process.communicate()

    def _read(self):
        lines = [process.stdout.readline() for process in self._processes]
        if "" in lines:
            self.close()
            raise RuntimeError(f"a worker ended early: python {WORKER.name} says why")
        return [float(line) for line in lines]


def rows_of(sizes, units, rounds):
    """Let one process, one with half of the rows, and two take turns; return what the file says of them."""
    passes = 1 + rounds
    half = sizes.rows // 2
    workers = {
        "1 worker": Workers(1, sizes, units, sizes.rows, passes),
        "1 worker, half of the rows": Workers(1, sizes, units, half, passes),
        "2 workers": Workers(2, sizes, units, sizes.rows, passes),
    }
    try:
        rivals = []
        for name, group in workers.items():
            read = (half if "half" in name else sizes.rows) * sizes.length * sizes.steps
            rivals.append(turns.Rival(f"{name}, {units} units", f"{units} units", group.go, read))
        rows = turns.to_rows(rivals, turns.in_turns(rivals, rounds))
    finally:
        for group in workers.values():
            group.close()
    for row, (name, group) in zip(rows, workers.items(), strict=True):
        row["workers"] = 2 if name == "2 workers" else 1
        row["batch_rows"] = half if "half" in name else sizes.rows
        row["length"] = sizes.length
        row["parameters"] = group.parameters
    return rows


def measure(sizes, rounds=turns.ROUNDS):
    """Measure all widths, one after the other, and return their rows."""
    rows = []
    for found in map(partial(rows_of, sizes, rounds=rounds), sizes.units):
        rows += found
    return rows


def main():
    """Measure, print and keep."""
    rows = measure(Sizes())
    turns.show(rows)
    turns.keep("workers", rows)


if __name__ == "__main__":
    main()
