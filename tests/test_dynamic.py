"""Dynamic evaluation, against the same thing written out."""

import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.evaluation import nats_while_learning
from charlm_utils.evaluation import nats_per_position
from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.training import set_seed

VOCAB = 7
IDS = np.random.default_rng(0).integers(VOCAB, size=50)


@pytest.fixture
def model():
    set_seed(0)
    model = build_model(VOCAB, units=6, embedding_dim=4)
    model.set_weights([3 * weight for weight in model.get_weights()])
    return model


def test_without_learning_it_is_plain_evaluation_and_the_weights_come_back(model):
    before, plain = model.get_weights(), nats_per_position(model, IDS)
    np.testing.assert_allclose(nats_while_learning(model, IDS, learning_rate=0, time=9), plain, atol=1e-5)
    moved = nats_while_learning(model, IDS, learning_rate=0.5, time=9)
    assert np.abs(moved[:9] - plain[:9]).max() < 1e-5  # the first segment is scored before anything is learned
    assert np.abs(moved[9:] - plain[9:]).max() > 1e-3
    for weight, old in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.parametrize("clip_norm", [0.05, 100])
def test_every_segment_is_scored_first_and_learned_from_then(model, clip_norm):
    nats = nats_while_learning(model, IDS, learning_rate=0.3, time=10, clip_norm=clip_norm)
    states, expected, variables = zero_states(model, 1), [], model.trainable_variables
    for start in range(0, 49, 10):
        with tf.GradientTape() as tape:
            logits, states = forward(model, IDS[None, start : start + 10][:, : 49 - start], states)
            losses = tf.nn.sparse_softmax_cross_entropy_with_logits(IDS[None, start + 1 : start + 11], logits)
            loss = tf.reduce_mean(losses)
        gradients = [tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)]
        norm = np.sqrt(sum(float(tf.reduce_sum(gradient**2)) for gradient in gradients))
        for variable, gradient in zip(variables, gradients, strict=True):
            variable.assign_sub(0.3 * gradient * min(1, clip_norm / norm))
        expected.append(losses[0])
    np.testing.assert_allclose(nats, np.concatenate(expected), rtol=1e-4, atol=1e-5)


def test_a_text_that_repeats_itself_is_learned_while_it_is_scored(model):
    ids = np.tile([1, 2, 3, 4], 200)
    assert nats_while_learning(model, ids, learning_rate=1.0)[-64:].mean() < nats_per_position(model, ids).mean() / 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -0.1}, "learning_rate must be at least 0, got -0.1"),
        ({"time": 0}, "time must be above 0, got 0"),
        ({"clip_norm": 0}, "clip_norm must be above 0, got 0"),
        ({"ids": [1]}, "at least 2 characters, got 1"),
        ({"ids": [1, 7]}, "ids must be between 0 and 6, got 1 to 7"),
    ],
)
def test_what_is_out_of_range_is_refused(model, settings, message):
    with pytest.raises(ValueError, match=message):
        nats_while_learning(model, **({"ids": IDS, "learning_rate": 0.1} | settings))
