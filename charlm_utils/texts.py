"""A text of one's own from files, folders, addresses, standard input: joined, looked at, traced back to its lines."""

import codecs
import contextlib
import sys
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from charlm_utils.checks import Kind, Text, checked, is_path
from charlm_utils.corpora import decode_text, load_corpus, normalize_newlines
from charlm_utils.downloads import fetch
from charlm_utils.vocabulary import UNKNOWN

STANDARD_INPUT = "-"
_ADDRESSES = ("http://", "https://")
BETWEEN = "\n\n"  # stands between two texts, whose own newlines are left out there: a blank line
PathList = Annotated[
    list,
    Kind("a list of paths", lambda value: isinstance(value, list | tuple) and value and all(map(is_path, value))),
]
_PIECE = 2**20  # bytes that are read at once
LARGEST_FILE = 10**9  # bytes; its text takes up to four times as much memory, and its ids as much again


@dataclass(frozen=True)
class Part:
    """One of the texts that a text is put together from.

    Attributes
    ----------
    name : str
        Of the file, or what else it is from.
    text : str
        What was read, with ``\\n`` newlines.
    doubts : tuple of str
        Sentences on why it may have been read wrongly, with what to do.
    """

    name: str
    text: str
    doubts: tuple = ()


class OwnText:
    """Several texts as one, with a blank line between two.

    Parameters
    ----------
    parts : list of Part
        At least one.
    """

    def __init__(self, parts):
        self.parts = parts
        self._starts = []
        pieces = []
        length = 0
        for part in parts:
            piece = part.text if part is parts[-1] else part.text.rstrip("\n") + BETWEEN
            self._starts.append(length)
            pieces.append(piece)
            length += len(piece)
        self.text = "".join(pieces)

    @property
    def name(self):
        """What the text is called in a record: the last part of each file's name, of many the first three."""
        names = [Path(part.name).name for part in self.parts]
        if len(names) > 4:
            names[3:] = [f"and {len(names) - 3} more"]
        return ", ".join(names)

    def describe(self):
        """Say in a few words how long the text is and what stands between its parts."""
        count = f"{len(self.text):,} characters"
        if len(self.parts) == 1:
            return f"{self.parts[0].name}, {count}"
        return f"{len(self.parts)} files, {count}, a blank line between two"

    def place(self, position):
        """Say where a character stands: file, line and column, counted from 1."""
        number = bisect_right(self._starts, position) - 1
        before = self.text[self._starts[number] : position]
        column = position - self._starts[number] - (before.rfind("\n") + 1) + 1
        return f"{self.parts[number].name}, line {before.count(chr(10)) + 1}, column {column}"


@checked
def read_texts(names: PathList, encoding: Text = "utf-8"):
    """Read files, all ``*.txt`` below folders in the order of their names, addresses, and ``-``, standard input.

    Parameters
    ----------
    names : list of str or Path
        In the order in which they are to be joined; what begins with ``http://`` or ``https://`` is an address.
    encoding : str
        Of all of them.

    Returns
    -------
    OwnText

    Raises
    ------
    ValueError
        If the names are no list of paths; if a file is named twice, too large, not of that encoding, empty, holds NUL
        characters, or is no file; if there is no text below a folder.
    FileNotFoundError
        If there is no such file or folder.
    OSError
        If an address cannot be read.
    """
    paths = []
    seen = set()
    for name in names:
        for path in _files(name):
            key = path if isinstance(path, str) else path.resolve()
            if key in seen:
                raise ValueError(f"{_called(path)} is named twice: what is learned would be held out too")
            seen.add(key)
            paths.append(path)
    return OwnText([_read_part(path, encoding) for path in paths])


@checked
def corpus_as_text(name: Text):
    """Return a corpus of the book as an :class:`OwnText`; errors are those of ``load_corpus``."""
    return OwnText([Part(name, load_corpus(name))])


@checked
def check_learnable(text: Text, name: Text):
    """Raise a ``ValueError`` if there is nothing to learn in a text: it holds one and the same character."""
    if len(set(text)) == 1:
        raise ValueError(f"{name} holds only the character {text[0]!r}: there is nothing to learn")


def _files(name):
    """Return the files that a name stands for."""
    if str(name) == STANDARD_INPUT or str(name).lower().startswith(_ADDRESSES):
        return [str(name)]
    path = Path(name)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*.txt") if file.is_file())
        if not files:
            raise ValueError(f"{path} is a folder without any *.txt file below it")
        return files
    if not path.exists():
        raise FileNotFoundError(f"there is no file or folder {path}")
    if not path.is_file():
        raise ValueError(f"{path} is neither a file nor a folder; to read from a pipe, write - in its place")
    return [path]


def _read_part(path, encoding):
    """Read one text and refuse what is surely none."""
    name = _called(path)
    data = _read_bytes(path)
    if not data:
        raise ValueError(f"{name} is empty")
    text = decode_text(data, name, encoding)
    if not text:
        raise ValueError(f"{name} is empty but for a byte-order mark")
    nuls = text.count("\0")
    if nuls:
        raise ValueError(
            f"{name} holds {nuls:,} NUL characters, as UTF-16 does when it is read in another encoding: name its "
            "encoding, for example encoding=utf-16-le"
        )
    return Part(name, text, tuple(_doubts(Part(name, text), data, encoding)))


def _doubts(part, data, encoding):
    """Yield a sentence for every sign that a text was decoded wrongly, now or before; raise where it surely was."""
    count = part.text.count(UNKNOWN)
    if count:
        where = OwnText([part]).place(part.text.index(UNKNOWN))
        yield (
            f"{count:,} replacement characters (U+FFFD), the first in {where}: the text was decoded wrongly before; "
            "take the original and name its encoding"
        )
    try:
        as_utf8 = normalize_newlines(data.decode("utf-8"))
    except UnicodeDecodeError:
        return
    if as_utf8 != part.text and "\0" not in as_utf8:
        if codecs.lookup(encoding).name.startswith(("utf-16", "utf-32")):  # whose bytes are hardly ever UTF-8
            raise ValueError(
                f"encoding={encoding} must be that of the file, but {part.name} is UTF-8 and another text then"
            )
        yield f"{part.name} is UTF-8 too, and another text then: encoding={encoding} may be wrong"


def _read_bytes(path):
    """Return the bytes of a file, of standard input, or behind an address."""
    if isinstance(path, str) and path != STANDARD_INPUT:
        return _fetch(path)
    if path == STANDARD_INPUT and sys.stdin is None:
        raise ValueError("there is no standard input to read a text from")
    with contextlib.ExitStack() as stack:
        file = sys.stdin.buffer if path == STANDARD_INPUT else stack.enter_context(open(path, "rb"))
        pieces = []
        size = 0
        for piece in iter(lambda: file.read(_PIECE), b""):
            pieces.append(piece)
            size += len(piece)
            if size > LARGEST_FILE:
                raise ValueError(f"{_called(path)} is larger than {LARGEST_FILE:,} bytes, which is as much as is read")
    return b"".join(pieces)


def _fetch(address):
    """Return the bytes behind an address; errors name it."""
    try:
        return fetch(address, LARGEST_FILE)
    except OSError as error:
        raise OSError(f"could not read {address}: {error}") from error


def _called(path):
    return "standard input" if path == STANDARD_INPUT else str(path)
