"""Arrays in ``.npz`` files that may come from anywhere: nothing is allocated that was not asked for.

NumPy allocates what a file declares, however much that is; here the declared shapes and types are compared first.
"""

import contextlib
import struct
import zipfile

import numpy as np

from charlm_utils.files import one_line, open_regular

_LARGEST_DIRECTORY = 2**22  # bytes of an archive's list of members: some 50,000 of them
_END = struct.Struct("<4s4H2LH")  # the last record of a zip file
_LONG_END = 20  # bytes before it, of a record that points to longer counts


class OtherArrays(ValueError):
    """An archive can be read, but holds other arrays than those asked for."""


def read_arrays(path, wanted, besides=()):
    """Read arrays of known shapes and types.

    Parameters
    ----------
    path : str or Path
        A ``.npz`` file.
    wanted : dict of str to tuple
        Of every array its name, with its shape and type.
    besides : sequence of str
        Names of arrays that may be there as well; they are not read.

    Returns
    -------
    list of numpy.ndarray
        In the order of ``wanted``.

    Raises
    ------
    OtherArrays
        If an array is missing, of another shape or type, or there is one more.
    ValueError
        If the file is damaged or no such archive; the message has one line and does not name the file.
    """
    with _opened(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        missing = [name for name in wanted if name not in names]
        if missing:
            raise OtherArrays(f"there is no array {missing[0]!r}")
        if len(names) > len(wanted) + len(besides) or not set(names) <= {*wanted, *besides}:
            raise OtherArrays(f"there are other arrays than the {len(wanted)} that are needed")
        return [_read_array(archive, name, shape, np.dtype(dtype)) for name, (shape, dtype) in wanted.items()]


def read_string(path, name, largest):
    """Read a string that is stored as an array without axes.

    Parameters
    ----------
    path : str or Path
        A ``.npz`` file.
    name : str
        Of the array.
    largest : int
        Characters that it has at most.

    Raises
    ------
    ValueError
        As :func:`read_arrays`, or if the array is no string or a longer one.
    """
    with _opened(path) as archive, _open_member(archive, name) as member:
        shape, _, dtype = _read_header(member)
        if shape != () or dtype.kind != "U" or dtype.itemsize > 4 * largest:
            raise OtherArrays(f"{name!r} is not a string of at most {largest:,} characters")
        return str(np.frombuffer(_read_values(member, dtype.itemsize), dtype)[0])


@contextlib.contextmanager
def _opened(path):
    """Open an archive; whatever goes wrong with it is a ``ValueError``."""
    try:
        with open_regular(path) as file:
            _check_directory(file)
            with zipfile.ZipFile(file) as archive:
                yield archive
    except OtherArrays:
        raise
    except Exception as error:  # zipfile, zlib, NumPy and tokenize raise a dozen kinds
        raise ValueError(one_line(error)) from error


def _check_directory(file):
    """Raise if the list of members is so long that reading it would take long."""
    size = file.seek(0, 2)
    file.seek(max(0, size - _END.size - _LONG_END))
    tail = file.read()
    if len(tail) < _END.size:
        raise ValueError("it is not an archive of arrays")
    signature, *_, directory, _, comment = _END.unpack(tail[-_END.size :])
    if signature != b"PK\x05\x06" or comment:
        raise ValueError("it is not an archive of arrays, or its end is missing")
    is_long = tail.startswith(b"PK\x06\x07") and len(tail) > _END.size
    if directory > _LARGEST_DIRECTORY or (is_long and size < 2**31):
        raise ValueError("it has too many members")


def _open_member(archive, name):
    entry = archive.getinfo(f"{name}.npy")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"{name!r} is compressed in a way that NumPy does not use")
    return archive.open(entry)


def _read_array(archive, name, shape, dtype):
    with _open_member(archive, name) as member:
        found_shape, fortran_order, found_dtype = _read_header(member)
        if (found_shape, found_dtype) != (tuple(shape), dtype):
            raise OtherArrays(
                f"{name!r} has shape {found_shape} and type {found_dtype}, needed are {tuple(shape)} and {dtype}"
            )
        values = np.frombuffer(_read_values(member, dtype.itemsize * int(np.prod(shape, dtype=object))), dtype)
        return values.reshape(shape, order="F" if fortran_order else "C")


def _read_header(member):
    """Return shape, whether the first axis is the fastest, and type."""
    version = np.lib.format.read_magic(member)
    if version != (1, 0):
        raise ValueError(f"its arrays are of version {version} of NumPy's format, not (1, 0)")
    return np.lib.format.read_array_header_1_0(member)


def _read_values(member, size):
    """Return the bytes that are left, whose number is known; at the end zipfile compares their checksum."""
    data = member.read(size)
    if len(data) != size or member.read(1):
        raise ValueError("an array has not as many bytes as it declares")
    return data
