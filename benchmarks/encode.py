"""How much faster `Vocabulary.encode` is than a Python loop, on 100 MB of text; both in one process, alternating.

    python benchmarks/encode.py

Prints a line per rival in characters per second and the ratio of the medians, which must be at least 20.
"""

import statistics
import time

from charlm_utils.corpora import load_corpus
from charlm_utils.vocabulary import Vocabulary

CHARACTERS = 100_000_000
ROUNDS = 3


def seconds(call):
    """Return the wall time of one call."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main():
    """Time both rivals and print the table."""
    play = load_corpus("play")
    text = (play * (CHARACTERS // len(play) + 1))[:CHARACTERS]
    vocabulary = Vocabulary.from_text(play)
    index = {character: i for i, character in enumerate(vocabulary.characters)}
    rivals = {"[index[c] for c in text]": lambda: [index[c] for c in text], "encode": lambda: vocabulary.encode(text)}
    times = {name: [] for name in rivals}
    for _ in range(ROUNDS):
        for name, call in rivals.items():
            times[name].append(seconds(call))
    loop, encode = (statistics.median(times[name]) for name in rivals)
    for name, median in zip(rivals, (loop, encode), strict=True):
        print(f"{name:26} {CHARACTERS / median:>15,.0f} characters per second")
    print(f"{'ratio':26} {loop / encode:>15.1f}")
    assert loop / encode >= 20, "encode must take at most a twentieth of the loop's time"


if __name__ == "__main__":
    main()
