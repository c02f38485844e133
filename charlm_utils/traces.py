"""What TensorFlow's profiler recorded while something ran: each operation, when it ran, and for how long."""

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf.xplane_pb2 import XSpace

from charlm_utils.checks import Function, checked

# The profiler calls an operation "where/it/stands:Kind", and oneDNN's kernels of it _MklKind, _MklNativeKind or
# _FusedKind; other events, such as those of Python, have other names. Keras has used BatchMatMulV2 for MatMul.
NAME = re.compile(r".*[^:]:_?(?:Mkl|Native|Fused)*(?P<kind>[A-Z]\w*)")


@dataclass(frozen=True)
class Operation:
    """An operation that ran.

    Attributes
    ----------
    kind : str
        As TensorFlow calls it, without the prefixes of special kernels: ``"MatMul"``.
    thread : int
        Number of the thread that ran it, from 0, the one with the most operations first.
    start, milliseconds : float
        When it began, from the first one of all, and how long it took, in milliseconds.
    """

    kind: str
    thread: int
    start: float
    milliseconds: float


@checked
def record_operations(call: Function):
    """Call a function without arguments under the profiler, and return the operations that ran.

    TensorFlow does not report an operation of a graph any more when it has been quick in about ninety runs. So record
    one of the first calls of a ``tf.function``.

    Parameters
    ----------
    call : callable
        Takes nothing. What it returns is dropped.

    Returns
    -------
    list of Operation
        In the order in which they began.
    """
    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            call()
        [path] = Path(folder).rglob("*.xplane.pb")
        space = XSpace.FromString(path.read_bytes())
    threads = []
    for plane in space.planes:
        names = {number: metadata.name for number, metadata in plane.event_metadata.items()}
        for line in plane.lines:
            events = _operations_of(line, names)
            if events:
                threads.append(events)
    return _in_order(threads)


def _operations_of(line, names):
    """Return kind, start and duration in picoseconds of the operations of one thread."""
    found = []
    for event in line.events:
        match = NAME.fullmatch(names[event.metadata_id])
        if match:
            start = 1000 * line.timestamp_ns + event.offset_ps
            kind = "MatMul" if "MatMul" in match["kind"] else match["kind"]
            found.append((kind, start, event.duration_ps))
    return found


def _in_order(threads):
    """Return the operations of all threads, which are numbered from the busiest on."""
    threads = sorted(threads, key=len, reverse=True)
    first = min((start for events in threads for _, start, _ in events), default=0)
    operations = []
    for thread, events in enumerate(threads):
        for kind, start, duration in events:
            operations.append(Operation(kind, thread, (start - first) / 1e9, duration / 1e9))
    return sorted(operations, key=lambda operation: operation.start)
