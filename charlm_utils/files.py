"""Where the bundled data lies, and how a file is written so that it is never half there."""

import mmap
import os
import tempfile
from pathlib import Path


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


def write_atomically(path, data):
    """Write ``data`` to ``path`` through a temporary name, so that no reader ever sees half a file.

    Parameters
    ----------
    path : str or Path
        The file to write; its folder is made when it is absent.
    data : bytes or str
        Bytes as they are; a string is written as UTF-8 with ``\\n`` newlines.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(data, str):
        data = data.encode("utf-8")
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


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
