"""What the benchmarks share: rivals timed in turns, the machine's own matrix-product peak, one file of results."""

import json
import os
import platform
import statistics
import time
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

RESULTS = Path(__file__).with_name("results.json")
ROUNDS = 5  # after one that only warms up


def in_turns(rivals, rounds=ROUNDS):
    """Time rivals in turns in one process, so that whatever else slows the machine down slows all of them.

    ``rivals`` maps a name to a call and the number of characters that one call handles; the result maps the name to
    the median speed in characters per second.
    """
    times = {name: [] for name in rivals}
    for _ in range(1 + rounds):
        for name, (call, _) in rivals.items():
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: rivals[name][1] / statistics.median(values[1:]) for name, values in times.items()}


def matrix_peak(dtype, size=2048):
    """Return the speed of a large square matrix product in floating-point operations per second."""
    left, right = (tf.cast(tf.random.normal((size, size)), dtype) for _ in range(2))
    product = tf.function(lambda: tf.reduce_sum(tf.matmul(left, right)))
    return in_turns({"product": (lambda: product().numpy(), 2 * size**3)})["product"]


def table(speeds, ours, operations=None, peak=None):
    """Print speeds, ratios of ``ours`` to each, and the share of the peak; return them as rows."""
    rows = []
    for name, speed in speeds.items():
        row = {"name": name, "characters_per_second": round(speed, 1), "ratio": round(speeds[ours] / speed, 2)}
        if operations:
            row["share_of_peak"] = round(speed * operations / peak, 4)
        rows.append(row)
        print(*(f"{value:>16}" if i else f"{value:44}" for i, value in enumerate(row.values())), sep="")
    return rows


def keep(section, content):
    """Write one section of ``results.json``, with the machine and the versions it was measured on."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    results[section] = {"machine": machine()} | content
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def machine():
    """Return what the figures depend on."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    fields = {key.strip(): value.strip() for key, value in fields.items()}
    wanted = ("avx2", "fma", "avx512f", "avx512_bf16", "amx_bf16")
    torch = import_torch()
    return {
        "processor": fields.get("model name", platform.processor()),
        "instructions": [name for name in wanted if name in fields.get("flags", "").split()],
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "python": platform.python_version(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "numpy": np.__version__,
        "pytorch": torch and torch.__version__,
    }


def import_torch():
    """Return PyTorch, or None where the extra ``rivals`` is not installed: its rows are then left out."""
    try:
        import torch
    except ImportError:
        return None
    return torch


def torch_layer(torch, kernel, recurrent_kernel, bias):
    """Return PyTorch's recurrent layer with Keras's weights: `nn.GRU` for three gates, `nn.LSTM` for four.

    The weights are NumPy arrays ``(features, gates * units)``, ``(units, gates * units)`` and ``(2, 3 * units)`` or
    ``(4 * units,)``. PyTorch keeps them transposed, has a GRU's reset gate first, and two biases for an LSTM too.
    """
    features, units = kernel.shape[0], recurrent_kernel.shape[0]
    gates = kernel.shape[1] // units
    layer = (torch.nn.GRU if gates == 3 else torch.nn.LSTM)(features, units, batch_first=True)
    if gates == 4:
        bias = np.stack([bias, np.zeros_like(bias)])
    order = [1, 0, 2] if gates == 3 else [0, 1, 2, 3]

    def turned(array):
        blocks = np.split(array, gates, axis=-1)
        return torch.from_numpy(np.concatenate([blocks[i] for i in order], axis=-1).T.copy())

    with torch.no_grad():
        layer.weight_ih_l0.copy_(turned(kernel))
        layer.weight_hh_l0.copy_(turned(recurrent_kernel))
        layer.bias_ih_l0.copy_(turned(bias[0]))
        layer.bias_hh_l0.copy_(turned(bias[1]))
    return layer
