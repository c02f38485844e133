"""How much faster `Vocabulary.encode` is than a Python loop, on 100 MB of text; both in one process, alternating.

    python benchmarks/encode.py

The text goes through in pieces of 1 MB and in one piece. The ratio for the pieces must be at least 20. In one
piece the result takes 400 MB at once, and on some machines most of the time is what the system needs to provide
that memory, so this ratio is shown but not asserted.
"""

from functools import partial

import rivals

from charlm_utils.corpora import load_corpus
from charlm_utils.vocabulary import Vocabulary

CHARACTERS = 100_000_000
ROUNDS = 3  # after one that only warms up


def compare(calls, pieces):
    """Time the rivals in turns, each on all pieces, the first against the others; print and return their rows."""

    def on_all_pieces(call):
        for piece in pieces:
            call(piece)

    in_turns = {name: (partial(on_all_pieces, call), CHARACTERS) for name, call in calls.items()}
    return rivals.table(rivals.in_turns(in_turns, ROUNDS), next(iter(calls)))


def main():
    """Compare both rivals on pieces and on the whole."""
    play = load_corpus("play")
    text = (play * (CHARACTERS // len(play) + 1))[:CHARACTERS]
    vocabulary = Vocabulary.from_text(play)
    index = {character: i for i, character in enumerate(vocabulary.characters)}
    calls = {"encode": vocabulary.encode, "[index[c] for c in text]": lambda text: [index[c] for c in text]}
    print("100 pieces of 1 MB")
    rows = compare(calls, [text[start : start + 1_000_000] for start in range(0, CHARACTERS, 1_000_000)])
    print("one piece of 100 MB")
    rows += compare({f"{name}, one piece": call for name, call in calls.items()}, [text])
    rivals.keep("encoding", {"rows": rows})
    ratio = rows[1]["ratio"]
    assert ratio >= 20, f"encode must take at most a twentieth of the loop's time, got a ratio of {ratio:.1f}"


if __name__ == "__main__":
    main()
