"""How much faster `Vocabulary.encode` is than a Python loop, on 100 MB of text; both in one process, alternating.

    python benchmarks/encode.py

The text goes through in pieces of 1 MB and in one piece. The ratio for the pieces must be at least 20. In one
piece the result takes 400 MB at once, and on some machines most of the time is what the system needs to provide
that memory, so this ratio is shown but not asserted.
"""

import statistics
import time

from charlm_utils.corpora import load_corpus
from charlm_utils.vocabulary import Vocabulary

CHARACTERS = 100_000_000
ROUNDS = 3  # after one that only warms up


def seconds(call, pieces):
    """Return the wall time of one call per piece."""
    start = time.perf_counter()
    for piece in pieces:
        call(piece)
    return time.perf_counter() - start


def compare(rivals, pieces):
    """Time the rivals in turns, print their medians and return the ratio of the first to the second."""
    times = {name: [] for name in rivals}
    for _ in range(1 + ROUNDS):
        for name, call in rivals.items():
            times[name].append(seconds(call, pieces))
    medians = {name: statistics.median(values[1:]) for name, values in times.items()}
    for name, median in medians.items():
        print(f"  {name:26} {CHARACTERS / median:>15,.0f} characters per second")
    loop, encode = medians.values()
    print(f"  {'ratio':26} {loop / encode:>15.1f}")
    return loop / encode


def main():
    """Compare both rivals on pieces and on the whole."""
    play = load_corpus("play")
    text = (play * (CHARACTERS // len(play) + 1))[:CHARACTERS]
    vocabulary = Vocabulary.from_text(play)
    index = {character: i for i, character in enumerate(vocabulary.characters)}
    rivals = {"[index[c] for c in text]": lambda text: [index[c] for c in text], "encode": vocabulary.encode}
    print("100 pieces of 1 MB")
    ratio = compare(rivals, [text[start : start + 1_000_000] for start in range(0, CHARACTERS, 1_000_000)])
    print("one piece of 100 MB")
    compare(rivals, [text])
    assert ratio >= 20, f"encode must take at most a twentieth of the loop's time, got a ratio of {ratio:.1f}"


if __name__ == "__main__":
    main()
