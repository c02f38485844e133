"""Figures that the older tutorials print, or that follow from their code, found again in the same texts.

They need the real corpora: set ``CHARLM_DATA_DIR`` to a folder that holds them. Nothing is downloaded here.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from charlm_utils.batching import contiguous_batches, make_dataset, pad_names, unrolled_batches
from charlm_utils.corpora import CORPORA, load_corpus, reduce_alphabet, split_corpus
from charlm_utils.ngrams import NgramModel
from charlm_utils.vocabulary import Vocabulary

pytestmark = pytest.mark.slow


def source_file(name):
    folder = os.environ.get("CHARLM_DATA_DIR")
    path = Path(folder or "/", CORPORA[name].file)
    if not (folder and path.is_file()):
        pytest.skip(f"set CHARLM_DATA_DIR to a folder that holds {path.name}")
    return path


def source_text(name):
    return load_corpus(name, source_file(name).parent)


@pytest.mark.parametrize("name", ["shakespeare", "anna", "warpeace", "dinos"])
def test_the_real_corpora_have_the_registered_size_and_hash(name):
    text = source_file(name).read_text(encoding="utf-8-sig")  # without the mark, with \n newlines
    assert len(text) == CORPORA[name].characters
    assert hashlib.sha256(text.encode()).hexdigest() == CORPORA[name].sha256


def test_s000_has_83_distinct_characters_with_the_byte_order_mark_kept():
    text = source_file("warpeace").read_text(encoding="utf-8")
    assert text[0] == "\ufeff"
    assert (len(text), len(set(text))) == (3_196_215, 83)
    assert "\t" not in text
    assert not any(line.isspace() for line in text.split("\n"))


def test_s000_has_82_distinct_characters_without_the_mark():
    text = source_text("warpeace")
    assert (len(text), len(set(text))) == (3_196_214, 82)


def test_s001_has_83_distinct_characters():
    text = source_text("anna")
    assert (len(text), len(set(text))) == (1_985_223, 83)


@pytest.mark.parametrize(("batch_size", "time", "percent"), [(10, 50, 1.86), (100, 100, 0.93)])
def test_s001_gets_the_last_target_of_nearly_every_window_wrong(batch_size, time, percent):
    text = source_text("anna")
    ids = Vocabulary.from_text(text).encode(text)
    wrong = total = 0
    for inputs, targets in contiguous_batches(ids, batch_size, time):
        wrapped = np.empty_like(inputs)
        wrapped[:, :-1], wrapped[:, -1] = inputs[:, 1:], inputs[:, 0]
        wrong += np.sum(wrapped != targets)
        total += targets.size
    assert round(100 * wrong / total, 2) == percent


def test_s002_has_65_symbols_of_which_36_stay():
    text = source_text("shakespeare")
    reduced = reduce_alphabet(text)
    assert (len(text), len(set(text))) == (1_115_394, 65)
    assert (len(reduced), len(set(reduced))) == (1_115_394, 36)


def test_the_split_of_tiny_shakespeare_is_that_of_nanogpt():
    train, held_out = split_corpus(source_text("shakespeare"))
    assert (len(train), len(held_out)) == (1_003_854, 111_540)


def dinosaurs():
    text = source_text("dinos")
    return text, text.split("\n")


def padded_dinosaurs():
    text, names = dinosaurs()
    vocabulary = Vocabulary.from_text(text)
    rows = pad_names(names, vocabulary)  # (names, 24)
    return vocabulary, rows[:, :-1], rows[:, 1:]


def test_s003_has_53_symbols_and_names_of_at_most_23():
    text, names = dinosaurs()
    assert (len(text), len(set(text))) == (19_913, 53)
    assert max(map(len, names)) == 23


def test_s003_lists_1543_names_of_which_13_repeat():
    _, names = dinosaurs()
    assert (len(names), len(names) - len(set(names))) == (1_543, 13)


def test_s003_cuts_batches_of_64_windows_of_23():
    _, inputs, targets = padded_dinosaurs()
    dataset = make_dataset(inputs, targets, 64, shuffle=True, seed=0)
    shapes = {(x.shape, y.shape) for x, y in dataset.as_numpy_iterator()}
    assert shapes == {((64, 23), (64, 23))}
    assert len(dataset) == 1543 // 64


def test_s003_spends_half_of_its_targets_on_padding():
    vocabulary, inputs, targets = padded_dinosaurs()
    (newline,) = vocabulary.encode("\n")
    assert round(100 * np.mean(targets == newline), 1) == 52.6
    assert round(100 * np.mean((targets == newline) & (inputs == newline)), 1) == 48.2


def test_s003_never_shows_a_letter_after_a_newline():
    vocabulary, inputs, targets = padded_dinosaurs()
    (newline,) = vocabulary.encode("\n")
    assert len(inputs) == 1543
    assert np.sum((inputs == newline) & (targets != newline)) == 0


def test_s004_cuts_the_quick_brown_fox_into_two_batches_of_ten():
    text = "the quick brown fox "
    vocabulary = Vocabulary.from_text(text)
    (item,) = unrolled_batches(vocabulary.encode(text), batch_size=10, num_unrollings=1)
    assert [vocabulary.decode(row) for row in item] == ["teqikbonfx", "h uc rw o "]


def test_counting_in_windows_of_256_and_its_size_are_those_of_chapter_3():
    train_text, held_out_text = split_corpus(source_text("shakespeare"))
    vocabulary = Vocabulary.from_text(train_text + held_out_text)
    model = NgramModel(7).fit(vocabulary.encode(train_text), len(vocabulary))
    ids = vocabulary.encode(held_out_text)
    starts = range(0, (len(ids) - 1) // 256 * 256, 256)
    assert round(np.mean([model.nats_per_char(ids[start : start + 257]) for start in starts]), 3) == 1.529
    assert sum(level.share.size + level.backoff.size for level in model._levels) == 872_748 + 459_129
