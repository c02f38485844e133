"""Texts larger than memory: ids in a file, made in a stream and mapped into memory page by page."""

import os
from pathlib import Path

import numpy as np

from charlm_utils.vocabulary import Vocabulary

_PIECE = 2**20  # characters that are read at once


def file_vocabulary(path):
    """Return the vocabulary of a text file: its sorted distinct characters, found in one pass.

    Parameters
    ----------
    path : str or Path
        A UTF-8 file; a byte-order mark is left out and every newline becomes ``\\n``.

    Raises
    ------
    ValueError
        If the file is empty or not UTF-8.
    """
    return Vocabulary(sorted(set().union(*map(set, _pieces(path)))))


def encode_file(path, vocabulary, ids_path):
    """Encode a text file into a ``.npy`` file, in a stream, and map that into memory.

    Parameters
    ----------
    path : str or Path
        A text file as for :func:`file_vocabulary`.
    vocabulary : Vocabulary
        Holds all its characters.
    ids_path : str or Path
        Where the ids go. The file appears when it is complete; an older one is replaced.

    Returns
    -------
    numpy.memmap
        Ids ``(n,)``, read-only, of the smallest unsigned type that holds them: one byte up to 256 characters.
        ``np.load(ids_path, mmap_mode="r")`` gives it again.

    Raises
    ------
    ValueError
        If the file is empty or not UTF-8, or holds a character that the vocabulary does not.
    """
    ids_path = Path(ids_path)
    part = ids_path.with_name(ids_path.name + ".part")
    kind, count = np.min_scalar_type(len(vocabulary) - 1), 0
    try:
        with open(part, "wb") as file:
            _write_header(file, kind, count)
            for piece in _pieces(path):
                count += file.write(vocabulary.encode(piece).astype(kind).data) // kind.itemsize
            file.seek(0)
            _write_header(file, kind, count)
        os.replace(part, ids_path)
    finally:
        part.unlink(missing_ok=True)
    return np.load(ids_path, mmap_mode="r")


def _write_header(file, kind, count):
    """Write the head of a ``.npy`` file. NumPy leaves room in it, so that it is as long for every count."""
    header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": (count,)}
    np.lib.format.write_array_header_1_0(file, header)


def _pieces(path):
    """Yield a text file in pieces of normalized text."""
    empty = True
    try:
        with open(path, encoding="utf-8-sig") as file:
            while piece := file.read(_PIECE):
                empty = False
                yield piece
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: {error}") from error
    if empty:
        raise ValueError(f"{path} is empty")
