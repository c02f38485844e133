"""How much faster `Vocabulary.encode` is than a Python loop, on 100 MB of text; in turns.

    python benchmarks/encode.py

The text goes through in pieces of 1 MB and in one piece. The ratio for the pieces must be at least 20. In one
piece the result takes 400 MB at once, and on some machines most of the time is what the system needs to provide
that memory, so this ratio is shown but not asserted.
"""

import turns

from charlm_utils.corpora import load_corpus
from charlm_utils.vocabulary import Vocabulary

CHARACTERS = 100_000_000
PIECE = 1_000_000


def rivals_of(name, play, pieces):
    """Return the two rivals on some pieces of text, ours first."""
    vocabulary = Vocabulary.from_text(play)
    index = {character: i for i, character in enumerate(vocabulary.characters)}

    def encode():
        for piece in pieces:
            vocabulary.encode(piece)

    def loop():
        for piece in pieces:
            [index[character] for character in piece]

    characters = sum(map(len, pieces))
    return [
        turns.Rival(f"encode, {name}", name, turns.here(encode), characters),
        turns.Rival(f"[index[c] for c in text], {name}", name, turns.here(loop), characters),
    ]


def measure(characters=CHARACTERS, piece=PIECE, rounds=turns.ROUNDS):
    """Let both take turns on pieces and on the whole, and return their rows."""
    play = load_corpus("play")
    text = (play * (characters // len(play) + 1))[:characters]
    pieces = [text[start : start + piece] for start in range(0, characters, piece)]
    rivals = rivals_of("in pieces", play, pieces) + rivals_of("in one piece", play, [text])
    return turns.to_rows(rivals, turns.in_turns(rivals, rounds))


def main():
    """Measure, print and keep."""
    rows = measure()
    turns.show(rows)
    turns.keep("encoding", rows)
    ratio = rows[1]["ratio"]
    assert ratio >= 20, f"encode must take at most a twentieth of the loop's time, got a ratio of {ratio:.1f}"


if __name__ == "__main__":
    main()
