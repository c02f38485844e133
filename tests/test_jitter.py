"""The noise on initial weights: what it reaches, what it leaves, and how large it is."""

import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.jitter import jitter_size
from charlm_utils.models import build_model
from charlm_utils.training import set_seed

tf1 = tf.compat.v1
SIZE = 1e-6


def draw_weights():
    """Return first weights of a model of the package, of layers built by hand, of a variable and of a graph."""
    set_seed(3)
    model = build_model(7, units=5, cell="lstm")
    by_hand = keras.Sequential([keras.Input((2, 3)), keras.layers.SimpleRNN(4), keras.layers.Dense(6)])
    variable = tf.Variable(tf.random.normal((8, 9))).numpy()
    with tf.Graph().as_default(), tf1.Session() as session:
        set_seed(3)
        kernel = tf1.get_variable("kernel", (10, 11))
        session.run(tf1.global_variables_initializer())
        in_graph = session.run(kernel)
    return [*model.get_weights(), *by_hand.get_weights(), variable, in_graph]


def test_noise_moves_every_drawn_weight_by_about_its_size_and_then_stops(monkeypatch):
    before = draw_weights()
    monkeypatch.setenv("CHARLM_JITTER", str(SIZE))
    moved = draw_weights()
    again = draw_weights()
    monkeypatch.delenv("CHARLM_JITTER")
    after = draw_weights()
    for old, new, repeated, last in zip(before, moved, again, after, strict=True):
        np.testing.assert_array_equal(last, old)
        np.testing.assert_array_equal(repeated, new)  # within a process, the same seed still means the same weights
        if old.ndim == 1:  # biases: zeros, and the ones of the forget gate
            np.testing.assert_array_equal(new, old)
        else:
            relative = np.abs(new / old - 1)
            assert SIZE / 2 < relative.max() < 1.2 * SIZE


def test_noise_leaves_what_nobody_drew(monkeypatch):
    monkeypatch.setenv("CHARLM_JITTER", str(SIZE))
    set_seed(0)
    given = np.float32([0.1, 0.2, 0.3])
    np.testing.assert_array_equal(tf.Variable(given), given)
    np.testing.assert_array_equal(tf.Variable(tf.constant(given), trainable=False), given)
    np.testing.assert_array_equal(tf.Variable(tf.constant([1, 2])), [1, 2])
    np.testing.assert_array_equal(keras.layers.Embedding(3, 3, "identity")(tf.range(3)), np.eye(3))
    assert keras.optimizers.Adam(0.003).learning_rate == np.float32(0.003)


@pytest.mark.parametrize("text", ["much", "-1e-6", "nan", "inf", "0.01"])
def test_wrong_sizes_are_refused(monkeypatch, text):
    monkeypatch.setenv("CHARLM_JITTER", text)
    with pytest.raises(ValueError, match=f"CHARLM_JITTER must be a number between 0 and 0.001, got '{text}'"):
        set_seed(0)


def test_without_the_variable_there_is_no_noise(monkeypatch):
    monkeypatch.delenv("CHARLM_JITTER", raising=False)
    assert jitter_size() == 0


@pytest.mark.slow
def test_another_process_draws_another_noise(monkeypatch):
    monkeypatch.setenv("CHARLM_JITTER", str(SIZE))
    code = (
        "from charlm_utils.training import set_seed; from charlm_utils.models import build_model; set_seed(0);"
        "print(build_model(7, units=5).get_weights()[0].tobytes().hex())"
    )
    printed = subprocess.check_output([sys.executable, "-c", code], text=True)
    there = np.frombuffer(bytes.fromhex(printed), np.float32)
    set_seed(0)
    here = build_model(7, units=5).get_weights()[0].ravel()
    assert np.all(there != 0) and np.mean(there != here) > 0.9
    np.testing.assert_allclose(there, here, rtol=2.4 * SIZE)
