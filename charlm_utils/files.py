"""Where the bundled data lies, and how a file is written so that it is never half there."""

import contextlib
import json
import mmap
import os
import secrets
import shutil
import stat
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None

_MOST_LISTS = 1_000_000  # in a JSON file, dictionaries among them: an empty one takes 3 bytes there and 72 in memory
_PART = ".charlm-{}.part"  # the name of a file that is being written
_NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OLD_FILE = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


def bundled_data_dir():
    """Return the folder of the bundled corpora and recorded runs.

    In a wheel it lies inside the package, in a checkout beside it.

    Raises
    ------
    FileNotFoundError
        If neither place holds it.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / "README.md").is_file():
            return folder
    raise FileNotFoundError(f"the bundled data folder is missing: looked in {package} and {package.parent}")


def bundled_scripts_dir():
    """Return the folder of the style and of the folder ``charlm``, the scripts of the book's pages.

    In a wheel it lies inside the package, in a checkout beside it.

    Raises
    ------
    FileNotFoundError
        If neither place holds it.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "scripts", package.parent / "_static"):
        if (folder / "charlm" / "charlm.js").is_file():
            return folder
    raise FileNotFoundError(f"the scripts of the pages are missing: looked in {package} and {package.parent}")


@contextlib.contextmanager
def open_atomically(path):
    """Open a file that takes the place of ``path`` when the block ends well; when it does not, nothing has changed.

    The data goes to a temporary name in the same folder, then to the disk, and only then is the file renamed: no reader
    ever sees half of it, and neither does one after a power failure. Its mode follows the umask. A symbolic link at
    ``path`` is replaced by the file and not followed; links among the folders above are.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder is made when it is absent.

    Yields
    ------
    binary file
        To write to, from the beginning.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part, handle = _new_part(path)
    try:
        with _locked_until_renamed(handle):
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                os.fsync(handle)
            os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def write_atomically(path, data):
    """Write ``data`` to ``path`` by :func:`open_atomically`.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder is made when it is absent.
    data : bytes or str
        Bytes as they are; a string is written as UTF-8 with ``\\n`` newlines.
    """
    if isinstance(data, str):
        data = data.encode("utf-8")
    with open_atomically(path) as file:
        file.write(data)


def read_json(path, largest):
    """Return what a JSON file says that may come from anywhere.

    Parameters
    ----------
    path : str or Path
        The file.
    largest : int
        Its size in bytes at most. What is read can take some 15 times as much memory.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is larger, no regular file, not UTF-8, not JSON, nested too deep, or holds more than a million lists or
        dictionaries; nan and infinity are not JSON.
    """
    path = Path(path)
    with open_regular(path) as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise ValueError(f"{path.name} is larger than {largest:,} bytes")
    if data.count(b"[") + data.count(b"{") > _MOST_LISTS:
        raise ValueError(f"{path.name} holds more than {_MOST_LISTS:,} lists")
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(f"{path.name} is nested too deep") from error


def open_regular(path):
    """Open a file to read bytes from, if it is one: a pipe or a device might never answer or never end.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it is not a regular file.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name} is not a regular file")
    return open(path, "rb")


def _refuse_constant(name):
    raise ValueError(f"{name} is not JSON")


def remove_leftovers(folder):
    """Remove from a folder what killed processes were writing there; it need not exist.

    A living process holds a lock on what it writes; that stays, and so does everything that has not a name as
    :func:`open_atomically` gives it.
    """
    for part in Path(folder).glob(_PART.format("[0-9a-f]" * 16)):
        with contextlib.suppress(OSError):  # it is locked, or gone by now
            handle = os.open(part, _OLD_FILE)
            try:
                if stat.S_ISREG(os.fstat(handle).st_mode):
                    _lock(handle)
                    part.unlink()
            finally:
                os.close(handle)


@contextlib.contextmanager
def claimed(folder):
    """Keep a folder to oneself while the block runs: no other ``claimed``, in any process, gets it before.

    The claim dies with its process. It is a lock of the system on the folder itself, so nothing is written. Where the
    system has none (Windows, some network drives) nothing is claimed, and whoever starts two trainings in one folder
    is not warned.

    Raises
    ------
    BlockingIOError
        If the folder is claimed already.
    OSError
        If there is no such folder.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            _lock(handle)
        except BlockingIOError:
            raise
        except OSError:  # a file system without locks
            pass
        if not os.path.samestat(os.fstat(handle), os.stat(folder)):
            raise BlockingIOError(f"{folder} was removed and made again")
        yield
    finally:
        os.close(handle)


def check_space(folder, size):
    """Raise an ``OSError`` if a folder's disk has not room for ``size`` more bytes."""
    free = shutil.disk_usage(folder).free
    if free < size:
        raise OSError(f"{folder} needs {size:,} bytes more on its disk, which has {free:,}")


def _new_part(path):
    """Return the name and the handle of a new file beside ``path``, locked where the system has locks."""
    while True:
        part = path.with_name(_PART.format(secrets.token_hex(8)))
        handle = os.open(part, _NEW_FILE, 0o666)
        try:
            _lock(handle)
            if part.exists():
                return part, handle
        except BlockingIOError:
            pass
        except OSError:  # a file system without locks
            return part, handle
        os.close(handle)  # `remove_leftovers` took the file before it was locked


@contextlib.contextmanager
def _locked_until_renamed(handle):
    """Keep the lock of a file that is being written until the block ends, also when its handle is closed before."""
    if fcntl is None:  # and a file that is open cannot be renamed
        yield
        return
    copy = os.dup(handle)
    try:
        yield
    finally:
        os.close(copy)


def _lock(handle):
    """Lock an open file or folder until it is closed; raise a ``BlockingIOError`` if another one holds the lock."""
    if fcntl is not None:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _sync_folder(folder):
    """Let the disk know of a new name; what cannot (Windows, some network drives) knows it soon."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def one_line(error, longest=300):
    """Return the message of an error in one line of printable characters, or the error's name if it has none."""
    text = " ".join(str(error).split()) or type(error).__name__
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= longest else text[: longest - 3] + "..."


def release_pages(array):
    """Let go of the pages of a memory-mapped array that were read; the system reads them again when they are needed.

    Without this, all of a file that was ever read counts as resident memory. Any other array stays as it is.
    """
    while hasattr(array, "base") and not isinstance(array, mmap.mmap):
        array = array.base
    if isinstance(array, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        array.madvise(mmap.MADV_DONTNEED)


def iterate_pieces(array, size=2**20):
    """Yield an array in slices of at most ``size``, and let go of the pages of a memory-mapped one on the way."""
    for start in range(0, len(array), size):
        yield array[start : start + size]
        release_pages(array)
