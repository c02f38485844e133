"""Archives that no honest program wrote; those that one wrote and a disk damaged are in the tests of checkpoints."""

import io
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from charlm_utils.archives import OtherArrays, read_arrays, read_string

WANTED = {"a": ((2, 3), np.float16), "b": ((4,), np.int64)}
ARRAYS = {"a": np.arange(6, dtype=np.float16).reshape(2, 3), "b": np.arange(4)}


def header(shape, dtype="<f2"):
    """Return the head of a ``.npy`` file that declares a shape."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": dtype, "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def write(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_arrays_come_back_in_the_order_asked_for(tmp_path, save):
    save(tmp_path / "file.npz", **ARRAYS)
    b, a = read_arrays(tmp_path / "file.npz", {"b": WANTED["b"], "a": WANTED["a"]})
    np.testing.assert_array_equal(a, ARRAYS["a"])
    np.testing.assert_array_equal(b, ARRAYS["b"])
    assert (a.dtype, b.dtype) == (np.float16, np.int64)


def test_the_order_of_the_axes_in_the_file_does_not_matter(tmp_path):
    np.savez(tmp_path / "file.npz", a=np.asfortranarray(ARRAYS["a"]), b=ARRAYS["b"])
    np.testing.assert_array_equal(read_arrays(tmp_path / "file.npz", WANTED)[0], ARRAYS["a"])


def test_a_string_comes_back(tmp_path):
    np.savez(tmp_path / "file.npz", text=np.array("a \u03b1\U0001f996"), **ARRAYS)
    assert read_string(tmp_path / "file.npz", "text", 4) == "a \u03b1\U0001f996"
    assert len(read_arrays(tmp_path / "file.npz", WANTED, besides=["text"])) == 2
    for name, longest in (("text", 3), ("a", 100)):
        with pytest.raises(OtherArrays, match=f"'{name}' is not a string of at most {longest} characters"):
            read_string(tmp_path / "file.npz", name, longest)
    with pytest.raises(ValueError, match="no item named 'missing.npy'"):
        read_string(tmp_path / "file.npz", "missing", 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"b": None}, "there is no array 'b'"),
        ({"c": np.arange(2)}, "there are other arrays than the 2 that are needed"),
        ({"b": np.arange(5)}, r"'b' has shape \(5,\) and type int64, needed are \(4,\) and int64"),
        ({"b": np.arange(4, dtype=np.int32)}, r"'b' has shape \(4,\) and type int32"),
        ({"b": np.array([{"an": "object"}] * 4)}, r"'b' has shape \(4,\) and type object"),
    ],
)
def test_other_arrays_are_refused_by_name(tmp_path, change, message):
    arrays = {name: array for name, array in (ARRAYS | change).items() if array is not None}
    np.savez(tmp_path / "file.npz", **arrays)
    with pytest.raises(OtherArrays, match=message):
        read_arrays(tmp_path / "file.npz", WANTED)


VALUES = ARRAYS["a"].tobytes()
HOSTILE = {
    "a hundred gigabytes": [("a.npy", header((50_000_000_000,)))],
    "too few values": [("a.npy", header((2, 3)) + VALUES[:-1])],
    "too many values": [("a.npy", header((2, 3)) + VALUES + b"\0")],
    "no header": [("a.npy", b"\x93NUMPY")],
    "an empty member": [("a.npy", b"")],
    "a name and nothing": [("a", b"")],
    "a header that is no dictionary": [("a.npy", b"\x93NUMPY\x01\x00\x04\x00[1]\n")],
    "a header that is nested": [("a.npy", b"\x93NUMPY\x01\x00\x10\x27" + b"(" * 10_000)],
    "a header of gigabytes": [("a.npy", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{")],
    "a negative shape": [("a.npy", header((2, 3)).replace(b"(2, 3)", b"(2,-3)"))],
    "a list of members of 5 MB": [(f"{i:05000}.npy", b"") for i in range(1000)],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_archive_is_refused_in_one_line(tmp_path, kind):
    path = write(tmp_path / "file.npz", HOSTILE[kind])
    with pytest.raises(ValueError, match=".") as caught:
        read_arrays(path, {"a": WANTED["a"]})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_method_of_compression_that_may_take_any_memory_is_refused(tmp_path, method):
    path = write(tmp_path / "file.npz", [("a.npy", header((2, 3)) + VALUES)], method)
    with pytest.raises(ValueError, match="'a' is compressed in a way that NumPy does not use"):
        read_arrays(path, {"a": WANTED["a"]})


def test_members_of_one_name_are_refused(tmp_path):
    member = ("a.npy", header((2, 3)) + VALUES)
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = write(tmp_path / "file.npz", [member, member])
    with pytest.raises(OtherArrays, match="there are other arrays than the 1 that are needed"):
        read_arrays(path, {"a": WANTED["a"]})


@pytest.mark.parametrize("data", [b"", b"PK", b"not an archive of arrays, whatever it may be", b"\x80\x04N."])
def test_what_is_no_archive_is_refused(tmp_path, data):
    (tmp_path / "file.npz").write_bytes(data)
    with pytest.raises(ValueError, match="it is not an archive of arrays"):
        read_arrays(tmp_path / "file.npz", WANTED)


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "file.npz")
    with pytest.raises(ValueError, match="file.npz is not a regular file"):
        read_arrays(tmp_path / "file.npz", WANTED)


def test_a_long_list_of_members_is_not_read(tmp_path):
    path = write(tmp_path / "file.npz", HOSTILE["a list of members of 5 MB"])
    with pytest.raises(ValueError, match="it has too many members"):
        read_arrays(path, WANTED)


def test_longer_counts_than_a_small_file_needs_are_not_believed(tmp_path):
    np.savez(tmp_path / "file.npz", **ARRAYS)
    data = (tmp_path / "file.npz").read_bytes()
    (tmp_path / "file.npz").write_bytes(data[:-22] + b"PK\x06\x07" + bytes(16) + data[-22:])
    with pytest.raises(ValueError, match="it has too many members"):
        read_arrays(tmp_path / "file.npz", WANTED)


def test_no_memory_is_taken_for_what_is_only_declared(tmp_path):
    """A process that may not grow by more than 20 MB reads an array whose member holds 64 MB."""
    write(tmp_path / "file.npz", [("a.npy", header((2, 3)) + bytes(2**26))], zipfile.ZIP_DEFLATED)
    code = (
        "import resource, sys\n"
        "from charlm_utils.archives import read_arrays\n"
        "before = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (before + 20_000_000, before + 20_000_000))\n"
        "try:\n read_arrays(sys.argv[1], {'a': ((2, 3), 'f2')})\n"
        "except ValueError as error:\n print(error)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "file.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "an array has not as many bytes as it declares\n"
