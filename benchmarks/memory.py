"""How much memory a text of 1 GB takes: its vocabulary, its ids in a file, and a minute of training on them.

    python benchmarks/memory.py FOLDER

The peak of resident memory must stay below 1 GB. Needs 2 GB of disk in FOLDER, which it leaves empty.
"""

import resource
import signal
import sys
import time
from pathlib import Path

from charlm_utils.batching import contiguous_batches
from charlm_utils.corpora import load_corpus
from charlm_utils.models import build_model
from charlm_utils.training import train
from charlm_utils.vocabulary import encode_file, file_vocabulary

BYTES = 10**9
SECONDS = 60


def peak():
    """Return the highest resident memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def stop(*_):
    """End the training: an epoch on 1 GB takes a day."""
    raise TimeoutError


def write_text(path):
    """Write the play again and again."""
    play = load_corpus("play").encode()
    with open(path, "wb") as file:
        while file.tell() < BYTES:
            file.write(play)


def train_for_a_minute(vocabulary, ids):
    """Train until the alarm."""
    model = build_model(len(vocabulary), units=256, fast=True)
    signal.signal(signal.SIGALRM, stop)
    signal.alarm(SECONDS)
    try:
        train(model, ids, batch_size=64, time=100, epochs=1, progress=False)
    except TimeoutError:
        return


def main(folder):
    """Go through every stage and print time and memory after each."""
    path = Path(folder) / "text.txt"
    ids_path = Path(folder) / "ids.npy"
    start = time.perf_counter()

    def report(stage):
        print(f"{stage:28}{time.perf_counter() - start:8.0f} s {peak():8.0f} MB", flush=True)

    try:
        write_text(path)
        report("text")
        vocabulary = file_vocabulary(path)
        report("vocabulary")
        ids = encode_file(path, vocabulary, ids_path)
        report(f"ids, {len(ids):,}")
        train_for_a_minute(vocabulary, ids)
        report("training, one minute")
        count = sum(inputs.size for inputs, _ in contiguous_batches(ids, 64, 100))
        report(f"a pass of {count:,}")
    finally:
        path.unlink(missing_ok=True)
        ids_path.unlink(missing_ok=True)
    assert peak() < 1000, f"the peak must stay below 1,000 MB, got {peak():.0f}"


if __name__ == "__main__":
    main(sys.argv[1])
