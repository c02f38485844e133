"""What texts there are, and how to find, download, verify, normalize, clean and split them."""

import codecs
import contextlib
import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from charlm_utils.checks import AnyPath, NumberList, Size, Text, TextOrIds, checked, shown
from charlm_utils.downloads import fetch
from charlm_utils.files import bundled_data_dir, remove_leftovers, write_atomically

_SHAKESPEARE_SYMBOLS = ",.?! \n:;-'"


@dataclass(frozen=True)
class Corpus:
    """What is known of a corpus; ``sha256`` is that of its normalized text in UTF-8."""

    title: str
    file: str
    characters: int
    sha256: str
    url: str | None = None  # None: bundled with the book


CORPORA = {
    "play": Corpus(
        "The Tide-Warden of Morrow, a play written for this book",
        "play.txt",
        119_518,
        "8489a7b67d44703cd58cd3e6441b5182e74f4677249d3cd623a6ef3d5510bb39",
    ),
    "story": Corpus(
        "The Clock That Was Not Ordered, a story written for this book",
        "story.txt",
        82_991,
        "daefafc58b8f1525edd9c6cba8d5cecf4562abd4d4084ebcafdaca490eff4d9b",
    ),
    "genera": Corpus(
        "Genus names of dinosaurs, listed for this book",
        "genera.txt",
        14_612,
        "76b31a75f380834fae02ff3ff2dc525b0562481c85cf4480ed46cdc9b5235195",
    ),
    "lighthouse": Corpus(
        "The log of the lighthouse of Arpi, in Greek, written for this book",
        "lighthouse.txt",
        19_194,
        "706a85426fd8df8d4f25a06f72a221ea08717a85da0ec91a923015f7018a431a",
    ),
    "teahouse": Corpus(
        "The diary of a tea house, in Chinese, written for this book",
        "teahouse.txt",
        16_194,
        "3d60f0ed94818d55ab131747386de7e9ca3cbb4728bed59f948d0d4bc4c254f0",
    ),
    "tunes": Corpus(
        "Jigs, reels and waltzes in ABC notation, composed for this book",
        "tunes.txt",
        20_089,
        "0cc5198e560b91aff43d291ba11a51b106a990429314a0ffadd5e0acea191e73",
    ),
    "shakespeare": Corpus(
        "Tiny Shakespeare, 40,000 lines from the plays",
        "tinyshakespeare.txt",
        1_115_394,
        "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
        "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    ),
    "anna": Corpus(
        "Leo Tolstoy, Anna Karenina",
        "anna.txt",
        1_985_223,
        "a21483849a464568c05997147edb994e40023b9d87c299974169abb68230da48",
        "https://raw.githubusercontent.com/udacity/deep-learning/master/intro-to-rnns/anna.txt",
    ),
    "warpeace": Corpus(
        "Leo Tolstoy, War and Peace",
        "warpeace_input.txt",
        3_196_214,
        "e9d70cc7d26da7bb53c09a90844647f75cd2ef081b6aa358290a8cf7184d889b",
        "https://cs.stanford.edu/people/karpathy/char-rnn/warpeace_input.txt",
    ),
    "dinos": Corpus(
        "Names of dinosaurs, the list of the older tutorial",
        "dinos.txt",
        19_913,
        "0704eb65c34137226ad13023cfaa77edf70222aaaf3e2a926b9b791a25b025f6",
        "https://raw.githubusercontent.com/vbvsharma/text-generation-with-an-rnn/master/dinos.txt",
    ),
}


def list_corpora():
    """Return the names that ``load_corpus`` takes; ``CORPORA[name]`` tells more about each."""
    return list(CORPORA)


@checked
def load_corpus(name: Text, data_dir: AnyPath | None = None):
    """Return the normalized text of a corpus: decoded UTF-8, no byte-order mark, ``\\n`` newlines.

    The bundled corpora are always at hand. The real ones are read from ``data_dir``, and downloaded into
    it when they are absent. A download is kept only if the hash of its text is the registered one.

    Parameters
    ----------
    name : str
        One of ``list_corpora()``.
    data_dir : str or Path, optional
        Folder of the real corpora. By default the one that ``CHARLM_DATA_DIR`` names, else
        ``~/.cache/charlm-utils``.

    Raises
    ------
    ValueError
        If the name is unknown, if a file is not UTF-8, or if its text is not the registered one.
    FileNotFoundError
        If the folder that was asked for does not exist.
    OSError
        If the download fails; the folder is left as it was.
    """
    if name not in CORPORA:
        raise ValueError(f"unknown corpus {name!r}; the known ones are {', '.join(CORPORA)}")
    corpus = CORPORA[name]
    if corpus.url is None:
        return _verified(corpus, read_text(bundled_data_dir() / corpus.file), corpus.file)
    path = _data_dir(data_dir) / corpus.file
    if not path.exists():
        _download(corpus, path)
    return _verified(corpus, read_text(path), f"{path}; delete the file to download it again")


@checked
def read_text(path: AnyPath, encoding: Text = "utf-8"):
    """Read any text file, with CRLF, CR or LF newlines, with or without a byte-order mark.

    Parameters
    ----------
    path : str or Path
        The file.
    encoding : str
        How its characters are written as bytes: one of Python's names.

    Returns
    -------
    str
        The text without the mark, with ``\\n`` newlines.

    Raises
    ------
    ValueError
        If the file is not of that encoding; the message gives the position of the first bad byte. If there is no
        such encoding.
    """
    return decode_text(Path(path).read_bytes(), path, encoding)


def decode_text(data, origin, encoding="utf-8"):
    """Do what :func:`read_text` does with bytes that are at hand; ``origin`` says in a message where they are from."""
    check_encoding(encoding)
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{origin} is not {encoding.upper()}: bad byte 0x{data[error.start]:02x} at position {error.start}; "
            f"convert the file to UTF-8 first, or name its encoding{_likely_encoding(data)}"
        ) from error
    return normalize_newlines(text)


@checked
def check_encoding(encoding: Text):
    """Raise a ``ValueError`` if Python knows no text encoding of that name."""
    with contextlib.suppress(UnicodeError):
        try:
            b"a".decode(encoding)
        except LookupError as error:
            raise ValueError(f"encoding must be the name of a text encoding, got {encoding!r}") from error


@checked
def normalize_newlines(text: Text):
    """Return a text without a byte-order mark at its head, and with ``\\n`` for CRLF and CR."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def _likely_encoding(data):
    """Say which encoding bytes that are not UTF-8 begin like."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return ": it begins with the mark of encoding=utf-16"
    if b"\0" in data:
        return ": it holds NULs as encoding=utf-16-le does"
    return ", for example encoding=latin-1"


@checked
def split_corpus(text: TextOrIds, fractions: NumberList = (0.9, 0.1), *, batch_size: Size = 1, time: Size = 1):
    """Cut a text into contiguous parts, in order; nothing is shuffled and nothing is lost.

    Parameters
    ----------
    text : str or numpy.ndarray
        Characters, or ids ``(n,)``.
    fractions : tuple of float
        The share of each part; they are positive and sum to 1. The first part is for training.
    batch_size, time : int
        The batch shape that the first part has to fill at least once.

    Returns
    -------
    tuple
        As many parts as fractions, of the type of ``text``.

    Raises
    ------
    ValueError
        If the fractions are not positive or do not sum to 1, a size is not an integer of at least 1, the first part
        has fewer than ``batch_size * time + 1`` characters, or another part has fewer than 2.
    """
    if abs(sum(fractions) - 1) > 1e-9 or min(fractions) <= 0:
        raise ValueError(f"fractions must be positive and sum to 1, got {shown(fractions)}")
    stops, total = [], 0.0
    for fraction in fractions[:-1]:
        total += fraction
        stops.append(int(len(text) * total + 1e-6))  # 0.7 + 0.2 is a little below 0.9
    parts = tuple(text[a:b] for a, b in zip([0, *stops], [*stops, len(text)], strict=True))
    needed = [batch_size * time + 1] + [2] * (len(parts) - 1)
    for number, (part, least) in enumerate(zip(parts, needed, strict=True), start=1):
        if len(part) < least:
            reason = f" for batch_size={batch_size} and time={time}" if number == 1 else ""
            raise ValueError(
                f"part {number} of {len(parts)} needs at least {least} characters{reason}, "
                f"but has {len(part)} (the whole text has {len(text)})"
                f"{_what_fits(len(part), batch_size, time) if number == 1 else ''}"
            )
    return parts


def _what_fits(length, batch_size, time):
    """Say which sizes a part of so many characters would fill."""
    if length < 2:
        return ""
    time = min(time, length - 1)
    return f"; batch_size={min(batch_size, (length - 1) // time)} and time={time} would fit"


@checked
def clean_lines(text: Text):
    """Remove tabs, the blanks at both ends of every line, and lines in which nothing is left.

    Indentation and empty lines carry meaning in some texts: see ``chapters/01_vocabulary.ipynb`` before you use it.
    """
    lines = (line.strip() for line in text.replace("\t", "").split("\n"))
    return "\n".join(line for line in lines if line)


@checked
def reduce_alphabet(text: Text, keep: Text = _SHAKESPEARE_SYMBOLS):
    """Lower-case a text and replace everything but a-z and the characters of ``keep`` by a space."""
    return re.sub(f"[^a-z{re.escape(keep)}]", " ", text.lower())


@checked
def text_sha256(text: Text):
    """Return the SHA-256 of a text in UTF-8, as hexadecimal digits; lone surrogates are encoded as they are."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _data_dir(data_dir):
    """Return the folder of the real corpora; only the default one is made when it is absent."""
    asked = data_dir or os.environ.get("CHARLM_DATA_DIR")
    if not asked:
        folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "charlm-utils"
        folder.mkdir(parents=True, exist_ok=True)
        return folder
    if not Path(asked).is_dir():
        raise FileNotFoundError(f"the data folder {asked!s} does not exist (data_dir or CHARLM_DATA_DIR)")
    return Path(asked)


def _download(corpus, path):
    """Fetch, verify and only then put a corpus in its place; nothing else is left in the folder."""
    remove_leftovers(path.parent)
    try:
        data = fetch(corpus.url, 4 * corpus.characters + 3)  # UTF-8 takes no more, with a mark at the beginning
    except OSError as error:
        raise OSError(
            f"could not download {corpus.url}: {error}. Nothing was kept. Check the connection and try "
            f"again, or put the file at {path} yourself"
        ) from error
    text = decode_text(data, corpus.url)
    write_atomically(path, _verified(corpus, text, f"{corpus.url}; nothing was kept, try again"))


def _verified(corpus, text, origin):
    """Return ``text`` if its hash is the registered one."""
    digest = text_sha256(text)
    if digest != corpus.sha256:
        raise ValueError(
            f"the text is not the registered corpus: {len(text):,} characters with SHA-256 {digest[:12]}..., "
            f"expected {corpus.characters:,} with {corpus.sha256[:12]}... (from {origin})"
        )
    return text
