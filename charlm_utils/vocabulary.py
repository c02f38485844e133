"""Characters to ids and back, the same way in every process; also of a file larger than memory."""

import json
from collections import Counter
from pathlib import Path

import numpy as np

from charlm_utils.batching import check_ids
from charlm_utils.checks import AnyPath, AVocabulary, Characters, HowUnknown, Ids, Text, checked
from charlm_utils.files import open_atomically, read_json, remove_leftovers, write_atomically

UNKNOWN = "\ufffd"  # the replacement character: a symbol for all characters that are too rare to be learned
_CHUNK = 1 << 15  # characters encoded at a time: small enough for the processor's cache
_LARGEST_FILE = 2**24  # bytes: room for a million characters
_PIECE = 2**20  # characters of a file that are read at once


class Vocabulary:
    """An ordered set of characters; the id of a character is its place in the order.

    A character is one Unicode code point. A letter with a combining mark is therefore two characters.

    Parameters
    ----------
    characters : str or sequence of str
        The distinct characters, in the order of their ids.

    Raises
    ------
    ValueError
        If there are no characters, if one occurs twice, or if an item is not one character long.

    Examples
    --------
    >>> vocabulary = Vocabulary.from_text("banana")
    >>> vocabulary.encode("nab")
    array([2, 0, 1], dtype=int32)
    >>> vocabulary.decode([1, 0, 2])
    'ban'
    """

    @checked
    def __init__(self, characters: Characters):
        characters = list(characters)
        if not characters:
            raise ValueError("a vocabulary needs at least one character, got none")
        for character in characters:
            if not isinstance(character, str) or len(character) != 1:
                raise ValueError(f"every item must be one character, got {character!r}")
        if len(set(characters)) != len(characters):
            twice = next(c for c, count in Counter(characters).items() if count > 1)
            raise ValueError(f"every character must occur once, got {twice!r} more than once")
        self.characters = "".join(characters)
        self._code_points = _code_points(self.characters)
        self._ids = np.full(int(self._code_points.max()) + 2, -1, dtype=np.int32)
        self._ids[self._code_points] = np.arange(len(characters), dtype=np.int32)

    @classmethod
    @checked
    def from_text(cls, text: Text):
        """Build the vocabulary of ``text``: its distinct characters, sorted by code point.

        Raises
        ------
        ValueError
            If ``text`` is empty.
        """
        return cls(sorted(set(text)))

    @checked
    def extended(self, text: Text):
        """Return a vocabulary that begins with these characters and goes on with the new ones of ``text``, sorted."""
        return Vocabulary(self.characters + "".join(sorted(set(text) - set(self.characters))))

    @checked
    def encode(self, text: Text, unknown: HowUnknown = "error"):
        """Turn characters into ids, without a Python loop over the characters.

        Parameters
        ----------
        text : str
            ``n`` characters, any Unicode.
        unknown : {"error", "skip", "replace"}
            What to do with a character that the vocabulary does not hold; ``"replace"`` reads it as ``UNKNOWN``.

        Returns
        -------
        numpy.ndarray
            int32 array ``(n,)``; shorter when unknown characters were skipped.

        Raises
        ------
        ValueError
            If a character is unknown (named with its code point and position) and ``unknown`` is
            ``"error"``, or ``"replace"`` where ``UNKNOWN`` is none of the characters; or if ``unknown`` is none of the
            three words.
        """
        ids = np.empty(len(text), dtype=np.int32)
        for start in range(0, len(text), _CHUNK):
            points = _code_points(text[start : start + _CHUNK])
            # "clip" sends code points above the vocabulary's to the last entry, which is -1: unknown
            np.take(self._ids, points, out=ids[start : start + _CHUNK], mode="clip")
        if len(ids) and ids.min() < 0:
            if unknown == "skip":
                return ids[ids >= 0]
            if unknown == "replace" and UNKNOWN in self.characters:
                ids[ids < 0] = self.characters.index(UNKNOWN)
                return ids
            position = int(np.argmax(ids < 0))
            character = text[position]
            raise ValueError(
                f"unknown character {character!r} (U+{ord(character):04X}) at position {position}: "
                f'not one of the {len(self)} in the vocabulary; unknown="skip" leaves such characters out'
            )
        return ids

    @checked
    def decode(self, ids: Ids):
        """Turn ids ``(n,)`` of any integer type back into a string of ``n`` characters.

        Raises
        ------
        ValueError
            If ``ids`` is not one-dimensional, not of integers, or holds an id outside ``0 ... len - 1``.
        """
        ids = check_ids(ids, vocab_size=len(self))
        if not ids.size:
            return ""
        return self._code_points[ids].tobytes().decode("utf-32-le", "surrogatepass")

    @checked
    def save(self, path: AnyPath):
        """Write the characters, in order, as JSON; the file is whole or absent, never half-written."""
        write_atomically(path, json.dumps({"characters": list(self.characters)}) + "\n")

    @classmethod
    @checked
    def load(cls, path: AnyPath):
        """Read a vocabulary that ``save`` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not such a vocabulary.
        """
        try:
            return cls(read_json(path, _LARGEST_FILE)["characters"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a saved vocabulary: {error}") from error

    def __len__(self):
        return len(self.characters)

    def __contains__(self, character):
        return isinstance(character, str) and len(character) == 1 and character in self.characters

    def __eq__(self, other):
        return isinstance(other, Vocabulary) and self.characters == other.characters

    def __hash__(self):
        return hash(self.characters)

    def __repr__(self):
        return f"Vocabulary({self.characters!r})"


def _code_points(text):
    """Return the code points of ``text`` as a uint32 array ``(n,)``."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


@checked
def file_vocabulary(path: AnyPath):
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


@checked
def encode_file(path: AnyPath, vocabulary: AVocabulary, ids_path: AnyPath):
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
    kind = np.min_scalar_type(len(vocabulary) - 1)
    count = 0
    remove_leftovers(Path(ids_path).parent)
    with open_atomically(ids_path) as file:
        _write_header(file, kind, count)
        for piece in _pieces(path):
            count += file.write(vocabulary.encode(piece).astype(kind).data) // kind.itemsize
        file.seek(0)
        _write_header(file, kind, count)
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


def visible(character):
    """Return a printable stand-in for blanks: an open box for the space, arrows for newline and tab."""
    return {" ": "\u2423", "\n": "\u21b5", "\t": "\u21e5"}.get(character, character)
