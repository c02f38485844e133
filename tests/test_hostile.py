"""Run folders of every kind of ill will: one line, within 2 seconds and 500 MB, and before TensorFlow is imported."""

import io
import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from charlm_utils.settings import weight_shapes

pytestmark = pytest.mark.slow
CHARACTERS = list("abc\n")
MODEL = {"cell": "gru", "units": 3, "embedding_dim": 2}
RECORD = {"model": MODEL, "provenance": {}}
LOADER = """
import json, sys, time
from charlm_utils.runs import list_runs, load_run

results = {}
for name in list_runs(sys.argv[1]):
    start = time.process_time()
    try:
        load_run(name, sys.argv[1])
        message = None
    except ValueError as error:
        message = str(error)
    status = dict(line.split(":") for line in open("/proc/self/status"))
    peak = int(status["VmHWM"].split()[0]) / 1000  # getrusage would count what the parent had before
    results[name] = [message, time.process_time() - start, peak, "tensorflow" in sys.modules]
print(json.dumps(results))
"""


def packed(arrays, save=np.savez):
    buffer = io.BytesIO()
    named = {f"{i:02d}": array for i, array in enumerate(arrays)}
    save(buffer, **named)
    return buffer.getvalue()


def zeros():
    return [np.zeros(shape, np.float16) for shape in weight_shapes(len(CHARACTERS), **MODEL)]


def member(head, data=b"", method=zipfile.ZIP_STORED):
    """Return an archive whose first member is one's own, and the others as they must be."""
    buffer = io.BytesIO(packed(zeros()))
    with zipfile.ZipFile(buffer) as archive:
        names = archive.namelist()
        contents = {name: archive.read(name) for name in names}
    contents[names[0]] = head + data
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", method) as archive:
        for name, content in contents.items():
            archive.writestr(name, content)
    return result.getvalue()


def header(shape):
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<f2", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def many_members(count):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for i in range(count):
            archive.writestr(f"{i}.npy", b"")
    return buffer.getvalue()


def model(**changes):
    return {"run.json": json.dumps(RECORD | {"model": MODEL | changes})}


def vocabulary(characters):
    return {"vocabulary.json": json.dumps({"characters": characters})}


def damaged_weights():
    arrays = zeros()
    arrays[3][0, 1] = np.nan
    return packed(arrays)


# Each is made when it is needed: some are large.
KINDS = {
    "json-deep-record": lambda: {"run.json": "[" * 200_000},
    "json-deep-vocabulary": lambda: {"vocabulary.json": '{"a":' * 200_000},
    "json-deep-model": lambda: {"run.json": '{"model": ' + "[" * 200_000},
    "json-dictionaries": lambda: {"run.json": "[" + "{}," * 5_000_000 + "1]"},
    "json-lists": lambda: {"vocabulary.json": '{"characters": [' + "[]," * 5_000_000 + "1]}"},
    "json-strings": lambda: {"vocabulary.json": '{"characters": [' + '"ab",' * 3_000_000 + '"c"]}'},
    "json-numbers": lambda: {"vocabulary.json": '{"characters": [' + "1.5," * 4_000_000 + "1]}"},
    "json-large": lambda: {"run.json": '{"model": "' + "x" * 2**25 + '"}'},
    "json-digits": lambda: {"run.json": '{"model": {"units": ' + "9" * 1_000_000 + "}}"},
    "json-exponent": lambda: {"run.json": '{"model": {"units": 1e400}}'},
    "json-key-of-lines": lambda: {"run.json": json.dumps(RECORD | {"model": {"a\nb\x1b[2J": 1}})},
    "model-of-layers": lambda: model(num_layers=1_000_000),
    "model-of-units": lambda: model(units=1_000_000_000),
    "model-wide-embedding": lambda: model(embedding_dim=2**40),
    "model-that-might-be": lambda: model(units=5000),
    "model-of-bool": lambda: model(units=True),
    "model-of-nan": lambda: model(dropout=float("nan")),
    "model-of-text": lambda: model(units="3"),
    "model-of-list": lambda: model(cell=["gru"]),
    "model-of-dictionary": lambda: model(embedding_dim={}),
    "model-negative": lambda: model(num_layers=-1),
    "model-fraction": lambda: model(units=3.0),
    "model-fast": lambda: model(fast="yes"),
    "model-none": lambda: {"run.json": '{"model": null}'},
    "vocabulary-twice": lambda: vocabulary([chr(i) for i in range(0x10000, 0x3FFE0)] + ["\U00010000"]),
    "vocabulary-large": lambda: vocabulary([chr(i) for i in range(0x10000, 0x40000)]),
    "vocabulary-of-numbers": lambda: vocabulary(list(range(4))),
    "vocabulary-of-words": lambda: vocabulary(["word"] * 4),
    "vocabulary-empty": lambda: vocabulary([]),
    "vocabulary-other": lambda: vocabulary(CHARACTERS + ["d"]),
    "vocabulary-permuted": lambda: (
        vocabulary(CHARACTERS[::-1])
        | {"run.json": json.dumps(RECORD | {"provenance": {"vocabulary_sha256": "0" * 64}})}
    ),
    "weights-declared": lambda: {"weights.npz": member(header((50_000_000_000,)))},
    "weights-bomb": lambda: {"weights.npz": member(header((4, 2)), bytes(2**28), zipfile.ZIP_DEFLATED)},
    "weights-lzma": lambda: {"weights.npz": member(header((4, 2)), bytes(16), zipfile.ZIP_LZMA)},
    "weights-headless": lambda: {"weights.npz": member(b"")},
    "weights-nested-header": lambda: {"weights.npz": member(b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000)},
    "weights-many-members": lambda: {"weights.npz": many_members(200_000)},
    "weights-not-finite": lambda: {"weights.npz": damaged_weights()},
    "weights-of-objects": lambda: {"weights.npz": packed([np.array([{}], object)] * 6)},
    "weights-half": lambda: {"weights.npz": packed(zeros())[:-100]},
    "weights-of-another": lambda: {"weights.npz": packed(zeros()[:-1])},
    "weights-text": lambda: {"weights.npz": "not an archive"},
}
SPECIAL = [f"{kind}-{name}" for kind in ("pipe", "device", "folder") for name in ("vocabulary.json", "weights.npz")]


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What a process without TensorFlow says of all of them."""
    place = tmp_path_factory.mktemp("hostile")
    good = {
        "run.json": json.dumps(RECORD),
        "vocabulary.json": json.dumps({"characters": CHARACTERS}),
        "weights.npz": packed(zeros()),
    }
    for kind in [*KINDS, *SPECIAL]:
        folder = place / kind
        folder.mkdir()
        for name, content in (good | KINDS.get(kind, dict)()).items():
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    for kind in SPECIAL:
        what, _, name = kind.partition("-")
        path = place / kind / name
        path.unlink()
        if what == "pipe":
            os.mkfifo(path)
        elif what == "device":
            path.symlink_to("/dev/zero")
        else:
            path.mkdir()
    command = [sys.executable, "-c", LOADER, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("kind", [*KINDS, *SPECIAL])
def test_a_hostile_run_is_refused_in_one_line(results, kind):
    message, seconds, peak, has_tensorflow = results[kind]
    assert f"{kind} cannot be read: " in message
    assert message.isprintable()
    assert len(message) < 500
    assert seconds < 2
    assert peak < 500
    assert not has_tensorflow
