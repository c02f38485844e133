"""Count the texts of recorded runs for the book's pages, where the counts stand beside the networks.

    CHARLM_DATA_DIR=folder/of/the/corpora python tools/export_counts.py                       # all
    CHARLM_DATA_DIR=folder/of/the/corpora python tools/export_counts.py shakespeare-counts    # one

It writes data/counts/NAME.json.gz; the book's build makes of it a script that calls `charlm.register(NAME, counted)`,
where `counted` holds

    characters  the vocabulary of the run, in the order of the ids
    order       number of characters of an n-gram: a context, and the one that followed
    shared      one digit per n-gram: with how many characters it begins as the one before it
    rest        the other characters of all n-grams, one after the other
    counts      one number per n-gram: how often it was counted

An n-gram is written with its context from the end, the nearest character first, and what followed last: an "n" after
"the" is "ehtn". N-grams are sorted by the ids of their characters. Before the text, the character START stands as often
as a context is long; its id comes after all others. So every character of the text is the last one of an n-gram, and
from the n-grams follow Kneser-Ney's counts of all shorter contexts: how many different characters stood before.

Only the part that the run has learned is counted. Order 6 is a compromise: on the last tenth of tiny Shakespeare it
loses 0.006 nats more than order 7, the best one (data/experiments/counts.json), and its file is little more than half
as large.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from charlm_utils.files import bundled_data_dir, write_atomically
from charlm_utils.ngrams import count_ngrams
from charlm_utils.runs import read_run

START = "\0"
ORDER = 6
COUNTED = {
    "shakespeare-counts": "shakespeare-gru",
    "anna-counts": "anna-lstm",
    "warpeace-counts": "warpeace-lstm",
}


def list_ngrams(ids, vocab_size, order):
    """Return the n-grams of a text, sorted, and how often each was counted.

    Parameters
    ----------
    ids : array of int
        ``(n,)``, from 0 to ``vocab_size - 1``.
    vocab_size : int
        The id of START.
    order : int
        Characters of an n-gram.

    Returns
    -------
    tuple of numpy.ndarray
        ``(ngrams, order)``: contexts from their end, and then what followed; and ``(ngrams,)``.
    """
    padded = np.concatenate([np.full(order - 1, vocab_size), ids])
    levels = count_ngrams(padded, vocab_size + 1, order)
    contexts = np.zeros((1, 0), np.int64)
    for keys, _, _ in levels[1:]:
        shorter, character = np.divmod(keys, vocab_size + 1)
        contexts = np.concatenate([contexts[shorter], character[:, None]], axis=1)
    _, entry_keys, counts = levels[-1]
    context, following = np.divmod(entry_keys, vocab_size + 1)
    return np.concatenate([contexts[context], following[:, None]], axis=1), counts


def export(text, vocabulary, order):
    """Return what the page gets to know of a text, a dictionary."""
    if not 1 <= order <= 10:
        raise ValueError(f"order must be between 1 and 10, since shared holds digits, got {order}")
    if START in vocabulary.characters:
        raise ValueError(f"the vocabulary must not hold {START!r}, which stands before the text")
    characters = vocabulary.characters + START
    ngrams, counts = list_ngrams(vocabulary.encode(text), len(vocabulary), order)
    equal = ngrams[1:] == ngrams[:-1]
    shared = np.concatenate([[0], np.cumprod(equal, axis=1).sum(axis=1)])
    is_rest = np.arange(order) >= shared[:, None]
    return {
        "characters": vocabulary.characters,
        "order": order,
        "shared": "".join(map(str, shared)),
        "rest": "".join(characters[number] for number in ngrams[is_rest]),
        "counts": counts.tolist(),
    }


def count_learned(name):
    """Return what the page gets to know of the text that the run of ``COUNTED[name]`` has learned."""
    from charlm_utils.reproduce import Recipe, recipe_text

    record, vocabulary = read_run(COUNTED[name])
    recipe = Recipe.from_record(record)
    learned, _ = recipe.method.split(recipe_text(recipe))
    return export(learned, vocabulary, ORDER)


def counts_path(name):
    """Return where the counts are recorded."""
    return bundled_data_dir() / "counts" / f"{name}.json.gz"


def record_counts(name):
    """Count what a recorded run has learned, and write it down."""
    text = json.dumps(count_learned(name), separators=(",", ":"))
    path = counts_path(name)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, gzip.compress(text.encode("ascii"), mtime=0))
    return path


def read_counts(name):
    """Return what was written down."""
    return json.loads(gzip.decompress(counts_path(name).read_bytes()))


def main():
    """Count what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("names", nargs="*", choices=[*COUNTED, []], help="default: all")
    for name in parser.parse_args().names or COUNTED:
        path = record_counts(name)
        print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
