"""What the book knows of each corpus: title, file, size, hash and, for the real ones, address."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Corpus:
    """What the registry knows of a corpus; ``sha256`` is that of its normalized text in UTF-8."""

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
