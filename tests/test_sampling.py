"""Filters and draws against NumPy, generated texts, and the compiled loops behind them."""

import gc
import inspect
import random
import weakref
from dataclasses import dataclass, fields

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given
from hypothesis import strategies as st

from charlm_utils import sampling
from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.sampling import (
    BLOCK,
    CHUNK,
    Sampler,
    apply_temperature,
    block_length,
    generate,
    generate_windows,
    gumbel_noise,
    keep_min_p,
    keep_top_k,
    keep_top_p,
)
from charlm_utils.settings import DrawSettings, Request, draw_setting
from charlm_utils.vocabulary import Vocabulary

VOCABULARY = Vocabulary("kabcdefghij")
VOCAB, UNITS, EMBEDDING = len(VOCABULARY), 7, 3
LOGITS = np.array([[0.5, 2.0, -1.0, 2.0, 1.0], [3.0, 0.0, 1.0, 1.0, 1.0], [-5.0, -4.0, -3.0, -2.0, -1.0]])

halves = st.integers(-8, 8).map(lambda i: i / 2)  # few values, so that equals are common
rows = st.lists(st.lists(halves, min_size=5, max_size=5), min_size=1, max_size=3)


def sharpened(model):
    """Make an untrained model choosy, so that its states and choices matter."""
    model.set_weights([4 * w for w in model.get_weights()])
    return model


def stack(*layers, batch_size=None):
    inputs = keras.Input(batch_shape=(batch_size, None), dtype="int32")
    return keras.Sequential([inputs, keras.layers.Embedding(VOCAB, EMBEDDING), *layers, keras.layers.Dense(VOCAB)])


def stateful_model():
    return stack(
        keras.layers.LSTM(UNITS, return_sequences=True, stateful=True),
        keras.layers.GRU(UNITS + 1, return_sequences=True, stateful=True),
        keras.layers.Dropout(0.5),
        batch_size=1,
    )


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return sharpened(build_model(VOCAB, units=UNITS, embedding_dim=EMBEDDING))


def memoryless(probabilities):
    """Return a model that gives every character its probability, whatever came before."""
    model = build_model(len(probabilities), cell="rnn", units=2, embedding_dim=2)
    model.set_weights([*(0 * w for w in model.get_weights()[:-1]), np.log(probabilities).astype(np.float32)])
    return model


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


# settings and filters


def kept(filtered):
    return np.isfinite(np.array(filtered)).tolist()


def by_rank(row):
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def naive_top_k(row, k):
    best = by_rank(row)[:k]
    return [i in best for i in range(len(row))]


def softmax(row):
    row = np.exp(np.array(row, np.float64))
    return row / row.sum()


def naive_top_p(row, p):
    """Return the smallest set that reaches ``p``, and how near a sum of probabilities comes to ``p``."""
    probabilities = softmax(row)
    keep, reached, nearest = [False] * len(row), 0.0, 1.0
    for i in by_rank(row):
        if reached >= p:
            break
        keep[i] = True
        reached += probabilities[i]
        nearest = min(nearest, abs(reached - p))
    return keep, nearest


@pytest.mark.parametrize("temperature", [0.25, 1, 3.5, 1e-3])
def test_temperature_divides_the_logits(temperature):
    tempered = apply_temperature(LOGITS, temperature)
    assert tempered.dtype == tf.float32
    np.testing.assert_allclose(tempered, LOGITS / temperature, rtol=1e-6)


def test_temperature_zero_keeps_only_the_first_of_the_largest():
    assert kept(apply_temperature(LOGITS, 0)) == [naive_top_k(row, 1) for row in LOGITS]


@pytest.mark.parametrize("temperature", [1e-37, 1e-38, 1e-300])
def test_a_tiny_temperature_does_not_overflow(temperature):
    chances = tf.nn.softmax(apply_temperature(100 * LOGITS[1:], temperature))
    np.testing.assert_array_equal(chances, [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]])


@given(rows, st.integers(1, 5))
def test_top_k_keeps_exactly_the_k_largest_also_among_equals(logits, k):
    filtered = keep_top_k(logits, k)
    assert kept(filtered) == [naive_top_k(row, k) for row in logits]
    assert np.all(np.where(np.isfinite(filtered), filtered, -np.inf) == filtered)
    assert np.all(np.where(np.isfinite(filtered), filtered, logits) == logits)


@given(rows, st.floats(0.01, 0.999))
def test_top_p_keeps_the_smallest_set_of_likely_characters_that_reaches_p(logits, p):
    expected = [naive_top_p(row, p) for row in logits]
    assume(min(nearest for _, nearest in expected) > 1e-5)  # else rounding decides
    filtered = keep_top_p(logits, p)
    assert kept(filtered) == [keep for keep, _ in expected]
    assert np.all(np.where(np.isfinite(filtered), filtered, logits) == logits)


@given(rows, st.floats(0, 1))
def test_min_p_keeps_what_is_at_least_a_share_of_the_likeliest(logits, p):
    shares = [softmax(row) / softmax(row).max() for row in logits]
    assume(np.abs(np.array(shares) - p).min() > 1e-5)
    filtered = keep_min_p(logits, p)
    assert kept(filtered) == [(share >= p).tolist() for share in shares]
    assert np.all(np.where(np.isfinite(filtered), filtered, logits) == logits)


@pytest.mark.parametrize(("p", "count"), [(0.2, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.51, 3), (0.76, 4)])
def test_top_p_of_four_equal_characters_keeps_as_many_quarters_as_it_needs(p, count):
    assert kept(keep_top_p([1.0] * 4, p)) == [i < count for i in range(4)]


@pytest.mark.parametrize("p", [1e-6, 1e-300])
def test_a_tiny_top_p_keeps_the_likeliest_character_alone(p):
    assert kept(keep_top_p(LOGITS, p)) == [naive_top_k(row, 1) for row in LOGITS]


def test_a_min_p_of_one_keeps_the_likeliest_and_its_equals():
    assert kept(keep_min_p(LOGITS, 1)) == (LOGITS.max(axis=1, keepdims=True) == LOGITS).tolist()


@pytest.mark.parametrize(
    "keep_all", [lambda x: keep_top_k(x, 3), lambda x: keep_top_p(x, 1), lambda x: keep_min_p(x, 0)]
)
def test_the_widest_filter_keeps_even_the_unlikeliest(keep_all):
    logits = np.array([[50.0, 0.0, -50.0]])
    np.testing.assert_array_equal(keep_all(logits), logits)


@pytest.mark.parametrize(
    "filtering", [lambda x: keep_top_k(x, 2), lambda x: keep_top_p(x, 0.6), lambda x: keep_min_p(x, 0.4)]
)
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
        (lambda: apply_temperature(LOGITS, "1"), "temperature must be a number at least 0 and finite, got '1'"),
        (lambda: keep_top_k(LOGITS, 0), "top_k must be between 1 and 5, got 0"),
        (lambda: keep_top_k(LOGITS, 6), "top_k must be between 1 and 5, got 6"),
        (lambda: keep_top_k(LOGITS, 2.7), "top_k must be a whole number between 1 and 5, got 2.7"),
        (lambda: keep_top_k(LOGITS, True), "top_k must be a whole number between 1 and 5, got True"),
        (lambda: keep_top_p(LOGITS, 0), "top_p must be above 0 and at most 1, got 0"),
        (lambda: keep_top_p(LOGITS, 1.5), "top_p must be above 0 and at most 1, got 1.5"),
        (lambda: keep_top_p(LOGITS, np.nan), "top_p must be above 0 and at most 1, got nan"),
        (lambda: keep_min_p(LOGITS, -0.1), "min_p must be between 0 and 1, got -0.1"),
        (lambda: keep_min_p(LOGITS, 1.1), "min_p must be between 0 and 1, got 1.1"),
        (lambda: DrawSettings(top_k=90).check(65), "top_k must be between 1 and 65, got 90"),
        (lambda: DrawSettings(temperature=None).check(65), "temperature must be a number at least 0 and .*, got None"),
    ],
)
def test_a_setting_out_of_range_is_named_with_its_range(call, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        call()


@pytest.mark.parametrize("function", [generate, Sampler.generate])
def test_the_signature_shows_every_setting_with_its_default(function):
    parameters = inspect.signature(function).parameters
    for setting in fields(DrawSettings):
        assert parameters[setting.name].default == setting.default
        assert parameters[setting.name].kind is inspect.Parameter.KEYWORD_ONLY
    assert "settings" not in parameters


def test_a_filter_is_added_by_one_field_and_one_function(model, monkeypatch):
    """Without the likeliest ones: the opposite of top-k, as a filter that the package does not have."""

    @dataclass(frozen=True)
    class More(DrawSettings):
        without: int | None = draw_setting(
            default=None,
            kind=int,
            help="leave out the likeliest",
            range="between 0 and {vocab_size} - 1",
            allows=lambda value, vocab_size: 0 <= value < vocab_size,
            off=0,
            keeps=lambda ordered, count: tf.broadcast_to(tf.range(ordered.shape[-1]) >= count, tf.shape(ordered)),
        )

    monkeypatch.setattr(sampling, "DrawSettings", More)
    sampler = Sampler(model, VOCABULARY)
    likeliest = np.argsort(-probabilities_after(model, "bad"), kind="stable")
    for without in (0, 1, 4):
        assert (
            sampler.generate("bad", 1, temperature=0, without=without)[-1] == VOCABULARY.characters[likeliest[without]]
        )
    with pytest.raises(ValueError, match="without must be between 0 and 11 - 1, got 11"):
        sampler.generate("bad", 1, without=11)


# noise


def test_noise_depends_on_seed_and_block_and_is_gumbels():
    noise = gumbel_noise(0, 0, 2, 65).numpy()
    assert noise.shape == (BLOCK, 2, 65)
    np.testing.assert_array_equal(noise, gumbel_noise(0, 0, 2, 65))
    for seed, block in ((0, 1), (1, 0), (2**40, 0)):
        assert abs(np.corrcoef(noise.ravel(), gumbel_noise(seed, block, 2, 65).numpy().ravel())[0, 1]) < 0.02
    for level in (-1, 0, 1, 3):
        assert np.mean(noise < level) == pytest.approx(np.exp(-np.exp(-level)), abs=0.006)


@pytest.mark.parametrize(
    ("num_samples", "vocab_size", "length"),
    [(1, 65, 1000), (10, 65, 800), (64, 65, 100), (200, 65, 40), (10_000, 65, 1)],
)
def test_many_samples_come_in_shorter_blocks(num_samples, vocab_size, length):
    assert block_length(num_samples, vocab_size) == length


# generate


@pytest.mark.parametrize(("prime", "length"), [("a", 1), ("bad", 5), ("kjihg", CHUNK), ("k", 2 * CHUNK + 1)])
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


@pytest.mark.parametrize("num_samples", [1, 20])
def test_a_longer_text_goes_on_where_the_shorter_one_of_the_same_seed_ends(model, monkeypatch, num_samples):
    monkeypatch.setattr(sampling, "COMPILED_LENGTH", BLOCK + 2)  # the longest one is drawn by the other loop
    settings = {"temperature": 2, "seed": 3, "num_samples": num_samples}
    longest = generate(model, VOCABULARY, "a", BLOCK + 30, **settings)
    for length in (1, CHUNK - 1, CHUNK, CHUNK + 1, BLOCK + 1):
        shorter = generate(model, VOCABULARY, "a", length, **settings)
        assert shorter == [text[: 1 + length] for text in longest]
    parts = [longest[0][1 + start : 31 + start] for start in (0, CHUNK, BLOCK)]
    assert len(set(parts)) == 3, "no noise comes twice"


@pytest.mark.parametrize("build", ["gru", "fast gru", "lstm with two layers", "stateful stack"])
def test_temperature_zero_is_the_greedy_loop_written_out(build):
    keras.utils.set_random_seed(3)
    if build == "stateful stack":
        model = stateful_model()
    else:
        cell = "lstm" if "lstm" in build else "gru"
        layers = 2 if "two" in build else 1
        shape = {"units": UNITS, "num_layers": layers, "embedding_dim": EMBEDDING}
        model = build_model(VOCAB, cell=cell, fast="fast" in build, **shape)
    sharpened(model)
    expected = naive_greedy(model, "bad", 10)
    assert len(set(expected)) > 3  # else the test would hardly see a difference
    assert generate(model, VOCABULARY, "bad", 10, temperature=0) == expected


@pytest.mark.parametrize(
    "settings", [{"top_k": 1}, {"top_p": 1e-6}, {"min_p": 1}, *({"temperature": t} for t in (1e-8, 1e-38, 1e-300))]
)
def test_the_narrowest_settings_are_greedy_whatever_the_seed(model, settings):
    greedy = generate(model, VOCABULARY, "bad", 25, temperature=0, top_p=0.5, seed=0)
    assert greedy[:9] == naive_greedy(model, "bad", 6)
    for seed in (1, 2):
        assert generate(model, VOCABULARY, "bad", 25, seed=seed, **settings) == greedy


def test_num_samples_gives_a_list_of_different_texts(model):
    texts = generate(model, VOCABULARY, "bad", 30, temperature=2, seed=1, num_samples=3)
    assert isinstance(texts, list)
    assert len(set(texts)) == 3
    assert all(text.startswith("bad") and len(text) == 33 for text in texts)
    assert generate(model, VOCABULARY, "bad", 30, num_samples=1, seed=0) == [
        generate(model, VOCABULARY, "bad", 30, seed=0)
    ]


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


FILTERS = {"temperature": apply_temperature, "top_k": keep_top_k, "top_p": keep_top_p, "min_p": keep_min_p}


@pytest.mark.parametrize(
    ("settings", "wrong_orders"),
    [
        (
            {"temperature": 3, "top_k": 6, "top_p": 0.6},
            [["temperature", "top_p", "top_k"], ["top_k", "top_p", "temperature"]],
        ),
        ({"temperature": 2, "min_p": 0.7}, [["min_p", "temperature"]]),
        ({"temperature": 3, "top_k": 8, "top_p": 0.5, "min_p": 0.8}, [["temperature", "min_p", "top_k", "top_p"]]),
    ],
)
def test_the_settings_shape_what_is_drawn_in_their_order(model, settings, wrong_orders):
    def shaped(order):
        logits = np.log(probabilities_after(model, "cab"))
        for name in order:
            logits = FILTERS[name](logits, settings[name])
        return tf.nn.softmax(tf.cast(logits, tf.float64)).numpy()

    right = shaped(settings)
    for order in wrong_orders:
        assert not np.array_equal(shaped(order) > 0, right > 0), "the order does matter here"
    assert chi_square(counts_after(model, "cab", 20_000, **settings), right) < 25  # at most four degrees of freedom


@pytest.mark.parametrize("temperature", [1e6, 1e38])
def test_a_very_high_temperature_draws_all_characters_alike(model, temperature):
    counts = counts_after(model, "cab", 20_000, temperature=temperature)
    assert chi_square(counts, np.full(VOCAB, 1 / VOCAB)) < 35


def test_the_characters_of_one_long_text_are_drawn_independently():
    probabilities = np.array([0.5, 0.25, 0.15, 0.1])
    vocabulary = Vocabulary("abcd")
    text = generate(memoryless(probabilities), vocabulary, "a", 20_000, seed=0)
    ids = vocabulary.encode(text[1:])
    assert chi_square(np.bincount(ids, minlength=4), probabilities) < 24  # three degrees of freedom
    for distance in (1, CHUNK, BLOCK):
        pairs = np.bincount(4 * ids[:-distance] + ids[distance:], minlength=16)
        assert chi_square(pairs, np.outer(probabilities, probabilities).ravel()) < 50


def test_every_sample_carries_a_state_of_its_own(model):
    texts = generate(model, VOCABULARY, "bad", 2, num_samples=3000, temperature=2, seed=0)
    first = texts[0][:-1]
    following = [text[-1] for text in texts if text.startswith(first)]
    counts = np.bincount(VOCABULARY.encode("".join(following)), minlength=VOCAB)
    assert len(following) > 100
    logits = np.log(probabilities_after(model, first)) / 2
    assert chi_square(counts, np.exp(logits) / np.exp(logits).sum()) < 35


# the loops


@pytest.mark.parametrize("settings", [{}, {"top_k": 8, "top_p": 0.9, "min_p": 0.05}])
@pytest.mark.parametrize("num_samples", [1, 3])
def test_the_loop_of_xla_and_that_of_tensorflow_write_the_same(model, monkeypatch, settings, num_samples):
    def written():
        return generate(model, VOCABULARY, "bad", 250, temperature=2, seed=1, num_samples=num_samples, **settings)

    plain = written()
    monkeypatch.setattr(sampling, "COMPILED_LENGTH", 250)
    assert written() == plain


def test_a_wide_filter_changes_only_what_it_forbids(model):
    """A filter sorts the logits, yet every character keeps the noise that it has without one."""
    free = generate(model, VOCABULARY, "bad", 200, temperature=2, seed=1)
    assert generate(model, VOCABULARY, "bad", 200, temperature=2, seed=1, top_k=VOCAB) == free


@keras.saving.register_keras_serializable("tests")
class Foreign(keras.layers.Layer):
    """An identity by way of NumPy, which XLA cannot compile."""

    def call(self, x):
        y = tf.numpy_function(lambda x: x, [x], x.dtype)
        return tf.ensure_shape(y, x.shape)


@pytest.fixture
def traced(monkeypatch):
    """Return the list of loops traced from now on: True for one that XLA compiles."""
    traced = []
    trace = sampling.trace_loop

    def observed(reference, compiled, *rest):
        traced.append(compiled)
        return trace(reference, compiled, *rest)

    monkeypatch.setattr(sampling, "trace_loop", observed)
    return traced


def test_a_model_that_xla_cannot_compile_goes_through_the_other_loop(monkeypatch, traced):
    keras.utils.set_random_seed(0)
    model = stack(keras.layers.GRU(UNITS, return_sequences=True), Foreign())
    monkeypatch.setattr(sampling, "COMPILED_LENGTH", 1)
    sampler = Sampler(model, VOCABULARY)
    for _ in range(3):
        assert sampler.generate("bad", 9, temperature=0) == naive_greedy(model, "bad", 9)
    assert traced == [True, False], "tried once and remembered"


def test_texts_of_few_rows_and_great_length_go_through_the_loop_of_xla(model, traced, monkeypatch):
    monkeypatch.setattr(sampling, "COMPILED_LENGTH", 30)
    monkeypatch.setattr(sampling, "COMPILED_ROWS", 2)
    sampler = Sampler(model, VOCABULARY)
    sampler.generate("a", 29)
    sampler.generate("a", 30, num_samples=3)
    assert traced == [False]
    sampler.generate("a", 30, num_samples=2)
    assert traced == [False, True]


@pytest.mark.parametrize("kind", ["fast layer", "mixed precision"])
def test_with_bfloat16_products_the_loop_does_not_hang_on_the_length(traced, kind):
    model = coarse_model(kind)
    short, long = (generate(model, VOCABULARY, "a", length, temperature=2, seed=0) for length in (150, 1050))
    assert long.startswith(short)
    assert traced == [True]


def test_no_call_traces_a_loop_again_and_the_model_stays_untouched(model):
    attributes = set(vars(model))
    sampler = Sampler(model, VOCABULARY)
    for length in (1, sampling.COMPILED_LENGTH):
        for more in ({}, {"top_k": 2}):
            sampler.generate("a", length, **more)
    assert sampler.traces == 5  # one reads; with and without XLA, with and without filters
    for prime, length, more in [
        ("a", CHUNK + 3, {}),
        ("bad", sampling.COMPILED_LENGTH + 17, {"temperature": 0}),
        ("cabcab", 5, {"temperature": 2, "top_k": 3, "seed": 1}),
        ("k", 8, {"top_p": 0.5, "num_samples": 20}),
        ("k", 8, {"min_p": 0.1, "num_samples": 2, "seed": 2**40, "stop": "a"}),
    ]:
        sampler.generate(prime, length, **more)
    assert sampler.traces == 5
    assert set(vars(model)) == attributes


def test_new_weights_count_without_a_new_trace():
    keras.utils.set_random_seed(4)
    model = sharpened(build_model(VOCAB, units=UNITS, embedding_dim=EMBEDDING, fast=True))
    sampler = Sampler(model, VOCABULARY)
    before = sampler.generate("bad", 9, temperature=0)
    model.set_weights([-w for w in model.get_weights()])
    after = sampler.generate("bad", 9, temperature=0)
    assert after == naive_greedy(model, "bad", 9) != before
    assert sampler.traces == 2


@pytest.mark.parametrize("change", ["activation", "layer"])
def test_changed_layers_are_never_sampled_from_an_old_trace(change):
    keras.utils.set_random_seed(5)
    model = sharpened(stack(keras.layers.GRU(UNITS, return_sequences=True)))
    before = generate(model, VOCABULARY, "bad", 9, temperature=0)
    if change == "activation":
        model.layers[1].cell.activation = model.layers[1].activation = keras.activations.sigmoid
    else:
        model.pop()
        model.add(keras.layers.Dense(VOCAB))
    expected = naive_greedy(model, "bad", 9)
    assert generate(model, VOCABULARY, "bad", 9, temperature=0) == expected != before


def test_generate_does_not_keep_a_model_alive():
    model = build_model(VOCAB, units=UNITS, embedding_dim=EMBEDDING, fast=True)
    generate(model, VOCABULARY, "a", 2)
    generate(model, VOCABULARY, "a", 2, top_k=2, num_samples=20)
    reference = weakref.ref(model)
    del model
    gc.collect()
    assert reference() is None


def coarse_model(kind):
    """Return a model that multiplies in bfloat16."""
    keras.utils.set_random_seed(6)
    shape = {"units": UNITS, "embedding_dim": EMBEDDING}
    if kind == "fast layer":
        return sharpened(build_model(VOCAB, fast=True, recurrent_dtype="bfloat16", **shape))
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        return sharpened(build_model(VOCAB, **shape))
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_mixed_precision_is_sampled_as_its_own_logits_say():
    model = coarse_model("mixed precision")
    ids = VOCABULARY.encode("bad").tolist()
    for _ in range(10):
        logits, _ = forward(model, tf.constant([ids]), zero_states(model, 1))
        ids.append(int(np.argmax(logits[0, -1])))
    assert generate(model, VOCABULARY, "bad", 10, temperature=0) == VOCABULARY.decode(ids)
    assert len(set(generate(model, VOCABULARY, "bad", 10, top_p=0.9, num_samples=20))) > 1


# streaming and stopping


def test_streaming_prints_the_same_text(model, capsys):
    settings = {"temperature": 2, "top_k": 5, "seed": 4}
    text = generate(model, VOCABULARY, "bad", 3 * CHUNK + 7, **settings)
    assert capsys.readouterr().out == ""
    assert generate(model, VOCABULARY, "bad", 3 * CHUNK + 7, stream=True, **settings) == text
    assert capsys.readouterr().out == text + "\n"


def test_streaming_flushes_every_chunk_and_ends_the_line_when_interrupted(model, monkeypatch):
    shown = []
    monkeypatch.setattr("builtins.print", lambda text="", **options: shown.append((text, options.get("flush"))))
    drawn = generate(model, VOCABULARY, "bad", 2 * CHUNK + 1, seed=0, stream=True)[3:]
    chunks = ["bad", drawn[:CHUNK], drawn[CHUNK : 2 * CHUNK], drawn[2 * CHUNK :]]
    assert shown == [(chunk, True) for chunk in chunks] + [("", None)]

    def interrupting(*arguments):
        draw = trace(*arguments)

        def interrupted(*arguments):
            if len(shown) == 3:
                raise KeyboardInterrupt
            return draw(*arguments)

        return interrupted

    shown.clear()
    trace = sampling.trace_loop
    monkeypatch.setattr(sampling, "trace_loop", interrupting)
    with pytest.raises(KeyboardInterrupt):
        Sampler(model, VOCABULARY).generate("bad", 3 * CHUNK, seed=0, stream=True)
    assert shown == [("bad", True), (drawn[:CHUNK], True), (drawn[CHUNK : 2 * CHUNK], True), ("", None)]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("stop", ["a", ("c", "k"), list(VOCABULARY.characters), "across", ["across", "", "absent"]])
def test_a_text_ends_with_the_first_drawn_place_of_a_stop(model, stop, stream, capsys):
    settings = {"temperature": 3, "seed": 2}
    whole = generate(model, VOCABULARY, "bad", 2 * CHUNK, **settings)
    drawn = whole[3:]
    across = drawn[CHUNK - 2 : CHUNK + 3]  # over the edge of two chunks
    absent = "kkkkkkkkk"
    assert drawn.index(across) == CHUNK - 2 and absent not in whole
    stops = [stop] if isinstance(stop, str) else stop
    stops = [{"across": across, "absent": absent}.get(one, one) for one in stops]
    end = min(drawn.index(one) + len(one) for one in stops if one and one in drawn)
    given = stops[0] if isinstance(stop, str) else stops
    stopped = generate(model, VOCABULARY, "bad", 2 * CHUNK, stop=given, stream=stream, **settings)
    assert stopped == "bad" + drawn[:end]
    assert capsys.readouterr().out == (stopped + "\n" if stream else "")


def test_the_prime_does_not_count_as_a_stop(model):
    whole = generate(model, VOCABULARY, "bad", 5, temperature=0)
    assert generate(model, VOCABULARY, "bad", 5, temperature=0, stop=["bad", "d" + whole[3]]) == whole


def test_pieces_are_the_prime_and_what_is_drawn_chunk_by_chunk_and_errors_come_at_the_call(model):
    whole = generate(model, VOCABULARY, "bad", 2 * CHUNK + 1, seed=0)
    request = Request(prime="bad", length=2 * CHUNK + 1, settings=DrawSettings(), seed=0)
    pieces = list(Sampler(model, VOCABULARY).serve(request))
    assert [len(piece) for piece in pieces] == [3, CHUNK, CHUNK, 1]
    assert "".join(pieces) == whole
    with pytest.raises(ValueError, match="length must be"):
        Sampler(model, VOCABULARY).serve(Request(prime="bad", length=0, settings=DrawSettings()))


def test_every_sample_has_its_own_end_and_a_text_without_one_keeps_its_length(model):
    settings = {"temperature": 3, "seed": 2, "num_samples": 20}
    whole = generate(model, VOCABULARY, "bad", 9, **settings)
    stopped = generate(model, VOCABULARY, "bad", 9, stop="c", **settings)
    expected = [text[: text.index("c", 3) + 1] if "c" in text[3:] else text for text in whole]
    assert stopped == expected
    assert len({len(text) for text in stopped}) > 3
    assert max(len(text) for text in stopped) == 12


def test_drawing_stops_when_every_text_has_ended_in_whichever_chunk():
    vocabulary = Vocabulary("ab")
    model = memoryless(np.array([0.99, 0.01]))
    texts = generate(model, vocabulary, "a", 10**9, stop="b", num_samples=20, seed=0)
    assert all(text.index("b") == len(text) - 1 for text in texts)
    lengths = [len(text) - 1 for text in texts]
    assert min(lengths) < CHUNK < max(lengths)


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
        ({"length": 0}, "length must be an integer of at least 1, got 0"),
        ({"length": 2.5}, "length must be an integer of at least 1, got 2.5"),
        ({"num_samples": 0}, "num_samples must be an integer of at least 1 or None, got 0"),
        ({"num_samples": 2.7}, "num_samples must be an integer of at least 1 or None, got 2.7"),
        ({"seed": 1.5}, "seed must be a whole number of at most 64 bits or None, got 1.5"),
        ({"seed": 2**63}, "seed must be a whole number of at most 64 bits or None, got 9223372036854775808"),
        ({"stop": ["a", "az"]}, r"stop must hold only .*, got 'az': 'z' \(U\+007A\) is none of the 11"),
        ({"stop": 3}, "stop must be a list of strings, got 3"),
        ({"stream": True, "num_samples": 2}, "num_samples must be None, got 2"),
        ({"temperature": -1}, "temperature must be at least 0 and finite, got -1"),
        ({"top_k": 90}, "top_k must be between 1 and 11, got 90"),
    ],
)
def test_generate_refuses_what_is_out_of_range(model, settings, message):
    with pytest.raises(ValueError, match=message):
        generate(model, VOCABULARY, **({"prime": "a", "length": 3} | settings))


def test_a_setting_that_there_is_not_is_refused(model):
    with pytest.raises(TypeError, match="topk"):
        generate(model, VOCABULARY, "a", 3, topk=3)


@pytest.mark.parametrize("characters", ["abcdefghij", "abcdefghijkl"])
def test_a_vocabulary_of_another_size_is_refused(model, characters):
    with pytest.raises(ValueError, match=f"gives 11 logits, but the vocabulary has {len(characters)} characters"):
        Sampler(model, Vocabulary(characters))


def test_numbers_of_numpy_are_taken(model):
    numbers = {"top_k": np.int64(2), "seed": np.int64(3), "num_samples": np.int64(2), "temperature": np.float32(0.5)}
    plain = {"top_k": 2, "seed": 3, "num_samples": 2, "temperature": 0.5}
    assert generate(model, VOCABULARY, "a", np.int64(4), **numbers) == generate(model, VOCABULARY, "a", 4, **plain)


# windows

FIVE = Vocabulary("abcde")
TIME = 4


@pytest.fixture(scope="module")
def remembering():
    """A network that remembers: its weights are four times as large as at the start."""
    keras.utils.set_random_seed(2)
    return sharpened(build_model(len(FIVE), cell="lstm", units=6, embedding_dim=3))


def slow_greedy(model, prime, length, time):
    ids = FIVE.encode(prime).tolist()
    for _ in range(length):
        ids.append(int(np.argmax(model(tf.constant([ids[-time:]], tf.int32))[0, -1])))
    return FIVE.decode(ids)


@pytest.mark.parametrize(("prime", "time"), [("abcd", 4), ("ebbcad", 4), ("d", 1), ("aabc", 2)])
def test_greedy_text_in_windows_is_that_of_the_slow_loop(remembering, prime, time):
    text = generate_windows(remembering, FIVE, prime, 12, time=time, temperature=0)
    assert text == slow_greedy(remembering, prime, 12, time)
    assert len(text) == len(prime) + 12


def test_text_in_windows_depends_on_the_last_characters_only(remembering):
    def written(prime, time=TIME):
        return generate_windows(remembering, FIVE, prime, 15, time=time, temperature=1.5, seed=2).removeprefix(prime)

    assert written("abcde") == written("eeeeebcde") == written("bcde")
    assert written("abcde") != written("acddd")
    assert written("abcde", 5) != written("ebcde", 5) or written("abcde", 5) != written("dbcde", 5)


def test_text_in_windows_is_drawn_from_the_seed_and_without_one_is_another_every_time(remembering):
    def written(seed):
        return generate_windows(remembering, FIVE, "abcd", 30, time=TIME, temperature=1.5, seed=seed)

    assert written(3) == written(3)
    assert len({written(3), written(4), written(None), written(None)}) == 4


def test_characters_in_windows_are_drawn_as_often_as_they_are_likely():
    probabilities = np.array([0.5, 0.25, 0.125, 0.0625, 0.0625])
    for temperature in (1.0, 0.5):
        text = generate_windows(memoryless(probabilities), FIVE, "e", 600, time=1, temperature=temperature, seed=0)
        tempered = probabilities ** (1 / temperature)
        assert chi_square(np.bincount(FIVE.encode(text[1:]), minlength=5), tempered / tempered.sum()) < 24


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prime": "abc"}, "the prime must hold at least 4 characters, got 3: 'abc'"),
        ({"prime": "abcx"}, "unknown character 'x'"),
        ({"length": 0}, "length must be an integer of at least 1, got 0"),
        ({"time": 0}, "time must be an integer of at least 1, got 0"),
        ({"temperature": -0.5}, "temperature must be at least 0 and finite, got -0.5"),
        ({"seed": 0.5}, "seed must be a whole number"),
        ({"vocabulary": VOCABULARY}, "the model gives 5 logits, but the vocabulary has 11 characters"),
    ],
)
def test_generate_windows_refuses_what_is_out_of_range(remembering, settings, message):
    arguments = {"vocabulary": FIVE, "prime": "abcd", "length": 3, "time": TIME} | settings
    with pytest.raises(ValueError, match=message):
        generate_windows(remembering, **arguments)
