import random

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.sampling import STREAM_CHUNK, apply_temperature, check_filters, generate, keep_top_k, keep_top_p
from charlm_utils.vocabulary import Vocabulary

VOCABULARY = Vocabulary("kabcdefghij")
VOCAB, UNITS, EMBEDDING = len(VOCABULARY), 7, 3
LOGITS = np.array([[0.5, 2.0, -1.0, 2.0, 1.0], [3.0, 0.0, 1.0, 1.0, 1.0], [-5.0, -4.0, -3.0, -2.0, -1.0]])

quick = settings(deadline=None, max_examples=60)
halves = st.integers(-8, 8).map(lambda i: i / 2)  # few values, so that equals are common
rows = st.lists(st.lists(halves, min_size=5, max_size=5), min_size=1, max_size=3)


def sharpened(model):
    """Make an untrained model choosy, so that its states and choices matter."""
    model.set_weights([4 * w for w in model.get_weights()])
    return model


def stateful_model():
    return keras.Sequential(
        [
            keras.Input(batch_shape=(1, None), dtype="int32"),
            keras.layers.Embedding(VOCAB, EMBEDDING),
            keras.layers.LSTM(UNITS, return_sequences=True, stateful=True),
            keras.layers.GRU(UNITS + 1, return_sequences=True, stateful=True),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(VOCAB),
        ]
    )


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return sharpened(build_model(VOCAB, units=UNITS, embedding_dim=EMBEDDING))


def probabilities_after(model, prime):
    logits, _ = forward(model, tf.constant(VOCABULARY.encode(prime)[None]), zero_states(model, 1))
    return tf.nn.softmax(tf.cast(logits[0, -1], tf.float64)).numpy()


def naive_greedy(model, prime, length):
    """Append the likeliest character, with all of the text so far as input of every step."""
    ids = VOCABULARY.encode(prime).tolist()
    for _ in range(length):
        for layer in model.layers:
            if getattr(layer, "stateful", False):
                layer.reset_states()
        ids.append(int(np.argmax(model(np.array([ids], np.int32))[0, -1])))
    return VOCABULARY.decode(ids)


# filters


def kept(filtered):
    return np.isfinite(np.array(filtered)).tolist()


def naive_top_k(row, k):
    best = sorted(range(len(row)), key=lambda i: (-row[i], i))[:k]
    return [i in best for i in range(len(row))]


def naive_top_p(row, p):
    """Return the smallest set that reaches ``p``, and how near a sum of probabilities comes to ``p``."""
    row = np.array(row, np.float64)
    probabilities = np.exp(row) / np.exp(row).sum()
    keep, reached, nearest = [False] * len(row), 0.0, 1.0
    for i in sorted(range(len(row)), key=lambda i: (-row[i], i)):
        if reached >= p:
            break
        keep[i] = True
        reached += probabilities[i]
        nearest = min(nearest, abs(reached - p))
    return keep, nearest


@pytest.mark.parametrize("temperature", [0.25, 1, 3.5])
def test_temperature_divides_the_logits(temperature):
    tempered = apply_temperature(LOGITS, temperature)
    assert tempered.dtype == tf.float32
    np.testing.assert_allclose(tempered, LOGITS / temperature, rtol=1e-6)


def test_temperature_zero_keeps_only_the_first_of_the_largest():
    assert kept(apply_temperature(LOGITS, 0)) == [naive_top_k(row, 1) for row in LOGITS]


def test_a_high_temperature_makes_all_characters_equally_likely():
    np.testing.assert_allclose(tf.nn.softmax(apply_temperature(LOGITS, 1e6)), np.full((3, 5), 0.2), atol=1e-5)


def test_a_low_temperature_sharpens_and_a_high_one_flattens():
    low, same, high = (tf.nn.softmax(apply_temperature(LOGITS[:1], t)).numpy().max() for t in (0.5, 1, 2))
    assert low > same > high
    assert same == pytest.approx(tf.nn.softmax(LOGITS[:1]).numpy().max(), abs=1e-6)


@quick
@given(rows, st.integers(1, 5))
def test_top_k_keeps_exactly_the_k_largest_also_among_equals(logits, k):
    filtered = keep_top_k(logits, k)
    assert kept(filtered) == [naive_top_k(row, k) for row in logits]
    assert np.all(np.where(np.isfinite(filtered), filtered, -np.inf) == filtered)
    assert np.all(np.where(np.isfinite(filtered), filtered, logits) == logits)


def test_top_k_of_equal_logits_keeps_the_first_k():
    assert kept(keep_top_k([0.0] * 6, 4)) == [True] * 4 + [False] * 2


@quick
@given(rows, st.floats(0.01, 0.999))
def test_top_p_keeps_the_smallest_set_of_likely_characters_that_reaches_p(logits, p):
    expected = [naive_top_p(row, p) for row in logits]
    assume(min(nearest for _, nearest in expected) > 1e-5)  # else rounding decides
    filtered = keep_top_p(logits, p)
    assert kept(filtered) == [keep for keep, _ in expected]
    assert np.all(np.where(np.isfinite(filtered), filtered, logits) == logits)


@pytest.mark.parametrize(("p", "count"), [(0.2, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.76, 4)])
def test_top_p_of_four_equal_characters_keeps_as_many_quarters_as_it_needs(p, count):
    assert kept(keep_top_p([1.0] * 4, p)) == [i < count for i in range(4)]


@pytest.mark.parametrize("p", [1e-6, 1e-300])
def test_a_tiny_p_keeps_the_likeliest_character_alone(p):
    assert kept(keep_top_p(LOGITS, p)) == [naive_top_k(row, 1) for row in LOGITS]


def test_p_of_one_keeps_all_even_the_unlikeliest():
    logits = np.array([[50.0, 0.0, -50.0]])
    np.testing.assert_array_equal(keep_top_p(logits, 1), logits)
    np.testing.assert_array_equal(keep_top_p(logits, 1.0), logits)


@pytest.mark.parametrize("filtering", [lambda x: keep_top_k(x, 2), lambda x: keep_top_p(x, 0.6)])
def test_filters_work_along_the_last_axis_of_any_shape(filtering):
    logits = np.random.default_rng(0).normal(size=(2, 3, 5))
    filtered = filtering(logits)
    assert filtered.shape == (2, 3, 5)
    for i in range(2):
        for j in range(3):
            np.testing.assert_array_equal(filtered[i, j], filtering(logits[i, j]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: apply_temperature(LOGITS, -0.1), "temperature must be at least 0 and finite, got -0.1"),
        (lambda: apply_temperature(LOGITS, np.inf), "temperature must be at least 0 and finite, got inf"),
        (lambda: apply_temperature(LOGITS, np.nan), "temperature must be at least 0 and finite, got nan"),
        (lambda: keep_top_k(LOGITS, 0), "top_k must be between 1 and 5, got 0"),
        (lambda: keep_top_k(LOGITS, 6), "top_k must be between 1 and 5, got 6"),
        (lambda: keep_top_p(LOGITS, 0), "top_p must be above 0 and at most 1, got 0"),
        (lambda: keep_top_p(LOGITS, 1.5), "top_p must be above 0 and at most 1, got 1.5"),
        (lambda: keep_top_p(LOGITS, np.nan), "top_p must be above 0 and at most 1, got nan"),
        (lambda: check_filters(top_k=90, vocab_size=65), "top_k must be between 1 and 65, got 90"),
    ],
)
def test_a_filter_out_of_range_is_named_with_its_range(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()


# generate


@pytest.mark.parametrize(("prime", "length"), [("a", 1), ("bad", 5), ("kjihg", 40)])
def test_a_text_begins_with_the_prime_and_has_the_right_length(model, prime, length):
    text = generate(model, VOCABULARY, prime, length, seed=0)
    assert isinstance(text, str)
    assert text.startswith(prime)
    assert len(text) == len(prime) + length
    assert set(text) <= set(VOCABULARY.characters)


def test_the_same_seed_gives_the_same_text_and_another_seed_another(model):
    one, again, other = (generate(model, VOCABULARY, "cab", 60, temperature=2, seed=seed) for seed in (1, 1, 2))
    assert one == again != other


def test_the_text_does_not_depend_on_the_global_seed_and_leaves_it_alone(model):
    keras.utils.set_random_seed(8)
    following = random.random()
    keras.utils.set_random_seed(8)
    text = generate(model, VOCABULARY, "cab", 60, temperature=2, seed=1)
    assert random.random() == following
    keras.utils.set_random_seed(9)
    assert generate(model, VOCABULARY, "cab", 60, temperature=2, seed=1) == text


def test_without_a_seed_every_call_gives_another_text(model):
    keras.utils.set_random_seed(0)
    one = generate(model, VOCABULARY, "a", 60, temperature=2)
    keras.utils.set_random_seed(0)
    assert generate(model, VOCABULARY, "a", 60, temperature=2) != one


def test_a_longer_text_goes_on_where_the_shorter_one_of_the_same_seed_ends(model):
    short, long = (generate(model, VOCABULARY, "a", n, temperature=2, seed=3) for n in (10, 30))
    assert long.startswith(short)


@pytest.mark.parametrize("build", ["gru", "lstm with two layers", "stateful stack"])
def test_temperature_zero_is_the_greedy_loop_written_out(build):
    keras.utils.set_random_seed(3)
    if build == "stateful stack":
        model = stateful_model()
    else:
        cell, *more = build.split(" ", 1)
        model = build_model(VOCAB, cell=cell, units=UNITS, num_layers=1 + len(more), embedding_dim=EMBEDDING)
    sharpened(model)
    expected = naive_greedy(model, "bad", 10)
    assert len(set(expected)) > 3  # else the test would hardly see a difference
    assert generate(model, VOCABULARY, "bad", 10, temperature=0) == expected


@pytest.mark.parametrize(
    "settings", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-8}, {"temperature": 1e-38}, {"temperature": 1e-300}]
)
def test_k_of_one_tiny_p_and_tiny_temperature_are_greedy_whatever_the_seed(model, settings):
    greedy = generate(model, VOCABULARY, "bad", 25, temperature=0, seed=0)
    for seed in (1, 2):
        assert generate(model, VOCABULARY, "bad", 25, seed=seed, **settings) == greedy


def test_num_samples_gives_a_list_of_different_texts(model):
    texts = generate(model, VOCABULARY, "bad", 30, temperature=2, seed=1, num_samples=3)
    assert isinstance(texts, list)
    assert len(set(texts)) == 3
    assert all(text.startswith("bad") and len(text) == 33 for text in texts)
    assert texts == generate(model, VOCABULARY, "bad", 30, temperature=2, seed=1, num_samples=3)


def test_one_sample_asked_for_by_number_comes_in_a_list(model):
    (text,) = generate(model, VOCABULARY, "bad", 4, num_samples=1)
    assert text.startswith("bad")


def counts_after(model, prime, draws, **settings):
    texts = generate(model, VOCABULARY, prime, 1, num_samples=draws, seed=5, **settings)
    return np.bincount(VOCABULARY.encode("".join(text[-1] for text in texts)), minlength=VOCAB)


def chi_square(counts, probabilities):
    likely = probabilities > 0
    assert counts[~likely].sum() == 0
    expected = counts.sum() * probabilities[likely]
    return np.sum((counts[likely] - expected) ** 2 / expected)


def test_characters_are_drawn_as_often_as_the_softmax_says(model):
    probabilities = probabilities_after(model, "cab")
    assert probabilities.max() / probabilities.min() > 3
    counts = counts_after(model, "cab", 20_000)
    assert chi_square(counts, probabilities) < 35  # ten degrees of freedom: above 35 once in ten thousand
    assert chi_square(counts, np.full(VOCAB, 1 / VOCAB)) > 100


def test_temperature_top_k_and_top_p_shape_what_is_drawn_in_this_order(model):
    logits = np.log(probabilities_after(model, "cab"))
    filtered = keep_top_p(keep_top_k(apply_temperature(logits, 3), 6), 0.6)
    p_before_k = keep_top_k(keep_top_p(apply_temperature(logits, 3), 0.6), 6)
    p_before_temperature = apply_temperature(keep_top_p(keep_top_k(logits, 6), 0.6), 3)
    assert kept(filtered) not in (kept(p_before_k), kept(p_before_temperature))  # the order does matter here
    counts = counts_after(model, "cab", 20_000, temperature=3, top_k=6, top_p=0.6)
    assert chi_square(counts, tf.nn.softmax(tf.cast(filtered, tf.float64)).numpy()) < 25  # three degrees of freedom


def test_a_very_high_temperature_draws_all_characters_alike(model):
    assert chi_square(counts_after(model, "cab", 20_000, temperature=1e6), np.full(VOCAB, 1 / VOCAB)) < 35


def test_every_sample_carries_a_state_of_its_own(model):
    texts = generate(model, VOCABULARY, "bad", 2, num_samples=3000, temperature=2, seed=0)
    first = texts[0][:-1]
    following = [text[-1] for text in texts if text.startswith(first)]
    counts = np.bincount(VOCABULARY.encode("".join(following)), minlength=VOCAB)
    assert len(following) > 100
    logits = np.log(probabilities_after(model, first)) / 2
    assert chi_square(counts, np.exp(logits) / np.exp(logits).sum()) < 35


def test_no_call_traces_the_loop_again(model):
    generate(model, VOCABULARY, "a", 2)
    loop = model._charlm_loop
    for prime, length, more in [
        ("a", 3, {}),
        ("bad", 17, {"temperature": 0}),
        ("cabcab", 5, {"temperature": 2, "top_k": 3, "seed": 1}),
        ("k", 8, {"top_p": 0.5, "num_samples": 4}),
        ("k", 8, {"top_p": 1, "temperature": 1, "num_samples": 2, "seed": 2**40}),
    ]:
        generate(model, VOCABULARY, prime, length, **more)
        assert model._charlm_loop is loop
    assert [half.experimental_get_tracing_count() for half in loop] == [1, 1]


def test_streaming_prints_the_same_text_chunk_by_chunk(model, capsys):
    settings = {"temperature": 2, "top_k": 5, "seed": 4}
    text = generate(model, VOCABULARY, "bad", 3 * STREAM_CHUNK + 7, **settings)
    assert capsys.readouterr().out == ""
    assert generate(model, VOCABULARY, "bad", 3 * STREAM_CHUNK + 7, stream=True, **settings) == text
    assert capsys.readouterr().out == text + "\n"


def test_streaming_flushes_every_chunk(model, monkeypatch):
    shown = []
    monkeypatch.setattr("builtins.print", lambda text="", **options: shown.append((text, options.get("flush"))))
    text = generate(model, VOCABULARY, "bad", 2 * STREAM_CHUNK + 1, seed=0, stream=True)
    drawn = text[3:]
    chunks = ["bad", drawn[:STREAM_CHUNK], drawn[STREAM_CHUNK : 2 * STREAM_CHUNK], drawn[2 * STREAM_CHUNK :]]
    assert shown == [(chunk, True) for chunk in chunks] + [("", None)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stop", ["a", "ck", VOCABULARY.characters])
def test_a_text_ends_with_its_first_drawn_stop_character(model, stop, stream, capsys):
    settings = {"temperature": 3, "seed": 2}
    whole = generate(model, VOCABULARY, "bad", 200, **settings)
    places = [i for i, character in enumerate(whole) if i >= 3 and character in stop]
    stopped = generate(model, VOCABULARY, "bad", 200, stop=stop, stream=stream, **settings)
    assert stopped == whole[: places[0] + 1]
    assert capsys.readouterr().out == (stopped + "\n" if stream else "")


def test_every_sample_has_its_own_end_and_a_text_without_one_keeps_its_length(model):
    settings = {"temperature": 3, "seed": 2, "num_samples": 20}
    whole = generate(model, VOCABULARY, "bad", 9, **settings)
    stopped = generate(model, VOCABULARY, "bad", 9, stop="c", **settings)
    expected = [text[: text.index("c", 3) + 1] if "c" in text[3:] else text for text in whole]
    assert stopped == expected
    assert len({len(text) for text in stopped}) > 3
    assert max(len(text) for text in stopped) == 12


def test_the_loop_stops_when_every_text_has_ended(model):
    drawn = generate(model, VOCABULARY, "bad", 10**9, stop=VOCABULARY.characters, num_samples=3, seed=0)
    assert [len(text) for text in drawn] == [4, 4, 4]


def test_an_unknown_character_of_the_prime_is_refused_by_name_or_skipped(model):
    with pytest.raises(ValueError, match=r"unknown character 'z' \(U\+007A\) at position 2"):
        generate(model, VOCABULARY, "baz", 3)
    skipped = generate(model, VOCABULARY, "!baz", 9, temperature=0, unknown="skip")
    assert skipped == generate(model, VOCABULARY, "ba", 9, temperature=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prime": ""}, "at least one character of the vocabulary, got ''"),
        ({"prime": "xyz", "unknown": "skip"}, "at least one character of the vocabulary, got 'xyz'"),
        ({"prime": "a", "unknown": "drop"}, "unknown must be"),
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"length": -3}, "length must be at least 1, got -3"),
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
        ({"stop": "az"}, r"unknown character 'z' \(U\+007A\) at position 1"),
        ({"stream": True, "num_samples": 2}, "num_samples must be None, got 2"),
        ({"temperature": -1}, "temperature must be at least 0 and finite, got -1"),
        ({"top_k": 0}, "top_k must be between 1 and 11, got 0"),
        ({"top_k": 90}, "top_k must be between 1 and 11, got 90"),
        ({"top_p": 0.0}, "top_p must be above 0 and at most 1, got 0.0"),
        ({"top_p": 1.1}, "top_p must be above 0 and at most 1, got 1.1"),
    ],
)
def test_generate_refuses_what_is_out_of_range(model, settings, message):
    with pytest.raises(ValueError, match=message):
        generate(model, VOCABULARY, **({"prime": "a", "length": 3} | settings))


@pytest.mark.parametrize("characters", ["abcdefghij", "abcdefghijkl"])
def test_a_vocabulary_of_another_size_is_refused(model, characters):
    with pytest.raises(ValueError, match=f"gives 11 logits, but the vocabulary has {len(characters)} characters"):
        generate(model, Vocabulary(characters), "a", 3)


def test_whole_numbers_of_numpy_are_taken(model):
    numbers = {"top_k": np.int64(2), "seed": np.int64(3), "num_samples": np.int64(2)}
    plain = {"top_k": 2, "seed": 3, "num_samples": 2}
    vocabulary, prime = VOCABULARY, VOCABULARY.characters[0]
    assert generate(model, vocabulary, prime, np.int64(4), **numbers) == generate(model, vocabulary, prime, 4, **plain)
