import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.models import build_model
from charlm_utils.sampling import generate_windows
from charlm_utils.vocabulary import Vocabulary

VOCABULARY = Vocabulary("abcde")
VOCAB, TIME = 5, 4
IDS = np.random.default_rng(0).integers(0, VOCAB, 53)


@pytest.fixture(scope="module")
def model():
    """A network that remembers: its weights are four times as large as at the start."""
    keras.utils.set_random_seed(2)
    model = build_model(VOCAB, cell="lstm", units=6, embedding_dim=3)
    model.set_weights([4 * w for w in model.get_weights()])
    return model


def last_logits(model, ids):
    return model(tf.constant([ids], tf.int32)).numpy()[0, -1].astype(np.float64)


def slow_greedy(model, prime, length, time):
    ids = list(VOCABULARY.encode(prime))
    for _ in range(length):
        ids.append(int(np.argmax(last_logits(model, ids[-time:]))))
    return VOCABULARY.decode(ids)


@pytest.mark.parametrize(("prime", "time"), [("abcd", 4), ("ebbcad", 4), ("d", 1), ("aabc", 2)])
def test_greedy_text_is_that_of_the_slow_loop(model, prime, time):
    text = generate_windows(model, VOCABULARY, prime, 12, time=time, temperature=0)
    assert text == slow_greedy(model, prime, 12, time)
    assert len(text) == len(prime) + 12


def test_the_text_depends_on_the_last_characters_only(model):
    def written(prime, time=TIME):
        return generate_windows(model, VOCABULARY, prime, 15, time=time, temperature=1.5, seed=3).removeprefix(prime)

    assert written("abcde") == written("eeeeebcde") == written("bcde")
    assert written("abcde") != written("acddd")
    assert written("abcde", 5) != written("ebcde", 5) or written("abcde", 5) != written("dbcde", 5)


def test_text_is_drawn_from_the_seed_and_without_one_is_another_every_time(model):
    def written(seed):
        return generate_windows(model, VOCABULARY, "abcd", 30, time=TIME, temperature=1.5, seed=seed)

    assert written(3) == written(3)
    assert len({written(3), written(4), written(None), written(None)}) == 4


def test_characters_are_drawn_as_often_as_they_are_likely():
    model = build_model(VOCAB, cell="rnn", units=2, embedding_dim=2)
    logits = np.log([0.5, 0.25, 0.125, 0.0625, 0.0625]).astype(np.float32)
    model.set_weights([*(0 * w for w in model.get_weights()[:-1]), logits])
    counts = {}
    for temperature, expected in ((1.0, 0.5), (0.5, 0.25 / (0.25 + 0.0625 + 0.015625 + 2 * 0.00390625))):
        text = generate_windows(model, VOCABULARY, "e", 600, time=1, temperature=temperature, seed=0)[1:]
        counts[temperature] = text.count("a") / 600
        assert counts[temperature] == pytest.approx(expected, abs=0.07)
    assert counts[0.5] > counts[1.0]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prime": "abc"}, "the prime must hold at least 4 characters, got 3: 'abc'"),
        ({"prime": "abcx"}, "unknown character 'x'"),
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"time": 0}, "time must be at least 1, got 0"),
        ({"temperature": -0.5}, "temperature must be at least 0 and finite, got -0.5"),
    ],
)
def test_generate_refuses_what_is_out_of_range(model, settings, message):
    arguments = {"prime": "abcd", "length": 3, "time": TIME} | settings
    with pytest.raises(ValueError, match=message):
        generate_windows(model, VOCABULARY, arguments.pop("prime"), arguments.pop("length"), **arguments)


def test_generate_refuses_a_vocabulary_of_another_size(model):
    with pytest.raises(ValueError, match="the model gives 5 logits, but the vocabulary has 6 characters"):
        generate_windows(model, Vocabulary("abcdef"), "abcde" * TIME, 1, time=TIME)
