import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm_utils.metrics import (
    bits_per_char,
    block_error,
    distinct_fraction,
    longest_copy,
    mix_nats,
    nearest_distances,
    novel_fraction,
    novel_ngram_fraction,
    perplexity,
)


@pytest.mark.parametrize(("nats", "bits"), [(0, 0), (np.log(2), 1), (np.log(32), 5), (1.4697, 2.120328)])
def test_bits_are_nats_divided_by_ln_2(nats, bits):
    assert bits_per_char(nats) == pytest.approx(bits, rel=1e-6)


@pytest.mark.parametrize(("nats", "choices"), [(0, 1), (np.log(65), 65), (1.5, 4.4816891)])
def test_perplexity_is_the_number_of_equally_likely_choices(nats, choices):
    assert perplexity(nats) == pytest.approx(choices, rel=1e-6)


def test_perplexity_is_two_to_the_bits_also_for_arrays():
    nats = np.array([0.5, 1.25, 3.0])
    np.testing.assert_allclose(perplexity(nats), 2 ** bits_per_char(nats))


@pytest.mark.parametrize(
    ("samples", "known", "share"),
    [
        (["Rex", "Nexus"], ["Rex"], 0.5),
        (["Rex", "Rex", "Rex", "Nexus"], ["Rex"], 0.25),  # samples count as often as they occur
        (["rex", "Rex "], ["Rex"], 1.0),  # only the very same text is known
        (["Rex"], ["Rex", "Nexus"], 0.0),
        (["Rex"], [], 1.0),
    ],
)
def test_novel_fraction_counts_the_samples_that_are_not_known(samples, known, share):
    assert novel_fraction(samples, known) == share


def test_novel_fraction_takes_any_iterable_of_known_texts():
    assert novel_fraction(["a", "b", "a", "c"], (name for name in "ab")) == 0.25


def test_novel_fraction_of_no_samples_is_refused():
    with pytest.raises(ValueError, match="at least one sample, got none"):
        novel_fraction([], ["Rex"])


@pytest.mark.parametrize(
    ("samples", "share"),
    [
        (["Rex"], 1.0),
        (["Rex", "Nexus", "rex", "Rex "], 1.0),  # only the very same text is the same
        (["Rex", "Nexus", "Rex", "Rex"], 0.5),
        (["Rex"] * 5, 0.2),
        (("a", "b", "a"), 2 / 3),
    ],
)
def test_distinct_fraction_counts_each_text_once(samples, share):
    assert distinct_fraction(samples) == share


def test_distinct_fraction_of_no_samples_is_refused():
    with pytest.raises(ValueError, match="samples must hold at least one sample, got none"):
        distinct_fraction([])


@pytest.mark.parametrize(
    ("sample", "known", "expected"),
    [
        ("the cat sat", "a cat sat down", " cat sat"),
        ("abcxbcd", "zabc bcdz", "abc"),
        ("xyz", "abc", ""),
        ("", "abc", ""),
        ("abc", "", ""),
        ("abc", "xabcx", "abc"),
        ("aaab", "aab", "aab"),
    ],
)
def test_the_longest_copy_is_the_first_longest_common_piece(sample, known, expected):
    assert longest_copy(sample, known) == expected


@given(st.text("ab", max_size=12), st.text("ab", max_size=12))
def test_the_longest_copy_is_what_trying_all_pieces_finds(sample, known):
    pieces = {sample[i:j] for i in range(len(sample) + 1) for j in range(i, len(sample) + 1)}
    longest = max((len(piece) for piece in pieces if piece in known), default=0)
    copy = longest_copy(sample, known)
    assert len(copy) == longest
    assert copy in sample
    assert copy in known


def test_the_share_of_new_ngrams_counts_every_piece():
    assert novel_ngram_fraction("abcd", "xabc", 2) == 1 / 3  # ab and bc are known, cd is new
    assert novel_ngram_fraction("abcd", "abcd", 4) == 0
    assert novel_ngram_fraction("aaaa", "bbb", 1) == 1
    assert novel_ngram_fraction("abab", "ab", 2) == 1 / 3


def test_ngrams_longer_than_the_sample_are_refused():
    with pytest.raises(ValueError, match="n must be between 1 and 3, the length of the sample, got 4"):
        novel_ngram_fraction("abc", "abc", 4)
    with pytest.raises(ValueError, match="n must be an integer of at least 1, got 0"):
        novel_ngram_fraction("abc", "abc", 0)


def test_mixed_probabilities_are_averaged_and_their_ends_are_the_models():
    first, second = np.array([0.5, 2.0, 40.0]), np.array([1.5, 0.1, 1.0])
    np.testing.assert_allclose(mix_nats(first, second, 1), first)
    np.testing.assert_allclose(mix_nats(first, second, 0), second)
    expected = -np.log(0.25 * np.exp(-first) + 0.75 * np.exp(-second))
    np.testing.assert_allclose(mix_nats(first, second, 0.25), expected)


@pytest.mark.parametrize("weight", [-0.1, 1.1, np.nan])
def test_a_weight_that_is_no_share_is_refused(weight):
    with pytest.raises(ValueError, match=f"weight must be a number between 0 and 1, got {weight}"):
        mix_nats([1.0], [1.0], weight)
    with pytest.raises(ValueError, match=r"must have one shape, got \(1,\) and \(2,\)"):
        mix_nats([1.0], [1.0, 2.0], 0.5)


def test_the_error_of_a_mean_comes_from_its_blocks():
    nats = np.repeat([1.0, 3.0, 2.0, 2.0], 5)
    assert block_error(np.append(nats, 100.0), block=5) == pytest.approx(np.std([1, 3, 2, 2], ddof=1) / 2)
    independent = np.random.default_rng(0).normal(0, 2, 200_000)
    assert block_error(independent, block=100) == pytest.approx(2 / np.sqrt(200_000), rel=0.1)
    with pytest.raises(ValueError, match="nats must hold at least 2 blocks of 1000 characters, got 1999 characters"):
        block_error(nats=np.zeros(1999))


def edit_distance(one, other):
    """By the recursion of the definition."""
    if not one or not other:
        return len(one) + len(other)
    change = edit_distance(one[1:], other[1:]) + (one[0] != other[0])
    return min(change, 1 + edit_distance(one[1:], other), 1 + edit_distance(one, other[1:]))


def test_nearest_distances_are_edit_distances_to_the_nearest_text():
    known = ["Yi", "Mei", "Minmi", "Haya"]
    samples = ["Mei", "Me", "Mini", "Haymi", "", "Yiii", "Mei"]
    expected = [min(edit_distance(name, other) for other in known) for name in samples]
    assert nearest_distances(samples, known).tolist() == expected
    assert expected[:4] == [0, 1, 1, 2]


@given(st.text("ab ", max_size=5), st.lists(st.text("ab\n ", max_size=5), min_size=1, max_size=3))
def test_nearest_distances_hold_for_any_texts(sample, known):
    expected = min(edit_distance(sample, other) for other in known)
    assert nearest_distances([sample], known).tolist() == [expected]


@pytest.mark.parametrize(
    ("samples", "known", "message"), [([], ["a"], "one sample, got none"), (["a"], [], "one text, got none")]
)
def test_nearest_distances_of_nothing_are_refused(samples, known, message):
    with pytest.raises(ValueError, match=message):
        nearest_distances(samples, known)
