"""Characters to ids and back, the same way in every process."""

import json
from pathlib import Path

import numpy as np

from charlm_utils.files import write_atomically

_CHUNK = 1 << 15  # characters encoded at a time: small enough for the processor's cache


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

    def __init__(self, characters):
        characters = list(characters)
        if not characters:
            raise ValueError("a vocabulary needs at least one character, got none")
        for character in characters:
            if not isinstance(character, str) or len(character) != 1:
                raise ValueError(f"every item must be one character, got {character!r}")
        if len(set(characters)) != len(characters):
            twice = next(c for c in characters if characters.count(c) > 1)
            raise ValueError(f"every character must occur once, got {twice!r} more than once")
        self.characters = "".join(characters)
        self._code_points = _code_points(self.characters)
        self._ids = np.full(int(self._code_points.max()) + 2, -1, dtype=np.int32)
        self._ids[self._code_points] = np.arange(len(characters), dtype=np.int32)

    @classmethod
    def from_text(cls, text):
        """Build the vocabulary of ``text``: its distinct characters, sorted by code point.

        Raises
        ------
        ValueError
            If ``text`` is empty.
        """
        return cls(sorted(set(text)))

    def encode(self, text, unknown="error"):
        """Turn characters into ids, without a Python loop over the characters.

        Parameters
        ----------
        text : str
            ``n`` characters, any Unicode.
        unknown : {"error", "skip"}
            What to do with a character that the vocabulary does not hold.

        Returns
        -------
        numpy.ndarray
            int32 array ``(n,)``; shorter when unknown characters were skipped.

        Raises
        ------
        ValueError
            If a character is unknown (named with its code point and position) and ``unknown`` is
            ``"error"``, or if ``unknown`` is neither of the two words.
        """
        if unknown not in ("error", "skip"):
            raise ValueError(f'unknown must be "error" or "skip", got {unknown!r}')
        ids = np.empty(len(text), dtype=np.int32)
        for start in range(0, len(text), _CHUNK):
            points = _code_points(text[start : start + _CHUNK])
            # "clip" sends code points above the vocabulary's to the last entry, which is -1: unknown
            np.take(self._ids, points, out=ids[start : start + _CHUNK], mode="clip")
        if len(ids) and ids.min() < 0:
            if unknown == "skip":
                return ids[ids >= 0]
            position = int(np.argmax(ids < 0))
            character = text[position]
            raise ValueError(
                f"unknown character {character!r} (U+{ord(character):04X}) at position {position}: "
                f'not one of the {len(self)} in the vocabulary; unknown="skip" leaves such characters out'
            )
        return ids

    def decode(self, ids):
        """Turn ids ``(n,)`` of any integer type back into a string of ``n`` characters.

        Raises
        ------
        ValueError
            If ``ids`` is not one-dimensional, not of integers, or holds an id outside ``0 ... len - 1``.
        """
        ids = np.asarray(ids)
        if ids.ndim != 1:
            raise ValueError(f"ids must have one axis, got shape {ids.shape}")
        if not ids.size:
            return ""
        if not np.issubdtype(ids.dtype, np.integer):
            raise ValueError(f"ids must be integers, got {ids.dtype}")
        for extreme in (ids.min(), ids.max()):
            if not 0 <= extreme < len(self):
                raise ValueError(f"an id must be between 0 and {len(self) - 1}, got {extreme}")
        return self._code_points[ids].tobytes().decode("utf-32-le", "surrogatepass")

    def save(self, path):
        """Write the characters, in order, as JSON; the file is whole or absent, never half-written."""
        write_atomically(path, json.dumps({"characters": list(self.characters)}) + "\n")

    @classmethod
    def load(cls, path):
        """Read a vocabulary that ``save`` wrote.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is not such a vocabulary.
        """
        try:
            return cls(json.loads(Path(path).read_text(encoding="utf-8"))["characters"])
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
