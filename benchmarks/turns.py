"""What the benchmarks share: rivals timed in turns, PyTorch in a process of its own, and the file of speeds."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import tensorflow as tf

from charlm_utils.files import bundled_data_dir, write_atomically
from charlm_utils.runs import describe_machine

ROUNDS = 9  # after one that only warms up
ROOT = Path(__file__).resolve().parent.parent
WORKER = Path(__file__).with_name("worker_torch.py")


@dataclass(frozen=True)
class Rival:
    """One of those that take turns.

    Attributes
    ----------
    name : str
        Different from all others in a file section.
    group : str
        Rivals of a group do the same work; the ratios are those of the first of a group to each.
    seconds : callable
        Does the work once and returns the seconds that it took: :func:`here` of a function, or :meth:`Torch.prepare`.
    characters : int
        How many characters that is; for a matrix product, how many operations.
    dtype : str
        Type of the recurrent products: the share of the peak is that of this type.
    products : dict of str to int
        Operations per character in matrix products: ``"full"`` for all that a plain implementation does, ``"minimal"``
        for those that no method can do without.
    """

    name: str
    group: str
    seconds: Callable[[], float]
    characters: int
    dtype: str = "float32"
    products: dict = field(default_factory=dict)


def here(call):
    """Return a function that runs ``call()`` in this process and returns the seconds it took."""

    def seconds():
        start = time.perf_counter()
        call()
        return time.perf_counter() - start

    return seconds


class Torch:
    """PyTorch in a process of its own, which lives until :meth:`close`; see ``worker_torch.py`` for what it can do.

    TensorFlow and PyTorch's triton in one process end in a segmentation fault, and two pools of threads in one process
    would stand in each other's way.

    Parameters
    ----------
    python : str or Path
        The Python that has PyTorch.
    """

    def __init__(self, python):
        self._process = subprocess.Popen([python, WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.version = self._ask({"do": "version"})

    def prepare(self, name, kind, **settings):
        """Build something to be timed and run it once; returns the function that runs it and returns the seconds.

        Raises
        ------
        RuntimeError
            If PyTorch cannot run it, or its process has ended.
        """
        self._ask({"do": "prepare", "name": name, "kind": kind, "settings": settings})
        return partial(self._ask, {"do": "go", "name": name})

    def close(self):
        """End the process."""
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, request):
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"PyTorch's process ended at {request}")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]


def start_torch():
    """Return :class:`Torch` with the Python that ``CHARLM_RIVALS_PYTHON`` names, or that of ``.venv-rivals``.

    Where there is none, the result is None, and a line says so: the rows of PyTorch are then missing. Another line
    warns where the machine is not quiet.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load > 0.5:
        print(f"Other programs are busy (load {load:.1f}): PyTorch's threads wait for each other and lose most by it.")
    python = Path(os.environ.get("CHARLM_RIVALS_PYTHON") or ROOT / ".venv-rivals" / "bin" / "python")
    if not python.exists():
        print(f"PyTorch is left out: there is no {python}; `make bench` installs it")
        return None
    return Torch(python)


def in_turns(rivals, rounds=ROUNDS):
    """Let rivals take turns, so that whatever else slows the machine down slows all of them.

    Returns
    -------
    dict of str to list of float
        Per name the seconds of every round but the first, which only warms up.
    """
    seconds = {rival.name: [] for rival in rivals}
    for _ in range(1 + rounds):
        for rival in rivals:
            seconds[rival.name].append(rival.seconds())
    return {name: values[1:] for name, values in seconds.items()}


def peaks(size=2048):
    """Return two rivals of another kind: a large square matrix product in float32 and in bfloat16."""
    rivals = []
    for dtype in ("float32", "bfloat16"):
        left = tf.cast(tf.random.normal((size, size)), dtype)
        right = tf.cast(tf.random.normal((size, size)), dtype)
        product = tf.function(partial(tf.matmul, left, right))
        rivals.append(Rival(f"peak, {dtype}", "peak", here(lambda product=product: product().numpy()), 2 * size**3))
    return rivals


def to_rows(rivals, seconds):
    """Return one row per rival, as ``data/speeds.json`` holds them; those of the group ``peak`` go into the others.

    Parameters
    ----------
    rivals : list of Rival
        The first of each group is the one whose ratios are computed.
    seconds : dict of str to list of float
        As :func:`in_turns` returns them.
    """
    speeds = {rival.name: rival.characters / statistics.median(seconds[rival.name]) for rival in rivals}
    firsts = {}
    rows = []
    for rival in rivals:
        if rival.group == "peak":
            continue
        first = firsts.setdefault(rival.group, rival.name)
        row = {
            "name": rival.name,
            "group": rival.group,
            "machine": machine_name(describe_machine()),
            "rounds": len(seconds[rival.name]),
            "characters_per_second": round(speeds[rival.name], 1),
            "slowest": round(rival.characters / max(seconds[rival.name]), 1),
            "fastest": round(rival.characters / min(seconds[rival.name]), 1),
            "ratio": round(speeds[first] / speeds[rival.name], 2),
        }
        if rival.products:
            peak = speeds[f"peak, {rival.dtype}"]
            row["peak_dtype"] = rival.dtype
            row["peak_gflops"] = round(peak / 1e9, 1)
            for kind, operations in rival.products.items():
                row[f"{kind}_share"] = round(speeds[rival.name] * operations / peak, 4)
        rows.append(row)
    return rows


def show(rows):
    """Print rows as a table."""
    print(f"{'':46}{'median':>14}{'slowest':>14}{'fastest':>14}{'ratio':>8}{'full':>8}{'minimal':>8}")
    for row in rows:
        speeds = [f"{row[key]:14,.0f}" for key in ("characters_per_second", "slowest", "fastest")]
        shares = [f"{row[key]:8.2f}" for key in ("full_share", "minimal_share") if key in row]
        print(f"{row['name']:46}", *speeds, f"{row['ratio']:8.2f}", *shares, sep="")


def keep(section, rows, pytorch=None, path=None):
    """Write rows into a section of ``data/speeds.json``; those of other machines stay.

    Parameters
    ----------
    section : str
        The benchmark.
    rows : list of dict
        As :func:`to_rows` returns them.
    pytorch : str, optional
        Its version; without, that which stands there stays.
    path : Path, optional
        Another file.
    """
    path = path or bundled_data_dir() / "speeds.json"
    speeds = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"machines": {}}
    machine = describe_machine()
    name = machine_name(machine)
    machine["pytorch"] = pytorch or speeds["machines"].get(name, {}).get("pytorch")
    others = [row for row in speeds.get(section, []) if row["machine"] != name]
    speeds["machines"][name] = machine
    speeds[section] = others + rows
    write_atomically(path, json.dumps(speeds, indent=1) + "\n")


def machine_name(machine):
    """Return what tells one machine from another in the file: processor, cores, instructions."""
    return f"{machine['processor']}, {machine['cores']} cores, {' '.join(machine['instructions'])}"
