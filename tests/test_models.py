import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.models import build_model, forward, recurrent_layers, step, zero_states
from charlm_utils.training import train

BATCH, TIME, VOCAB, UNITS, EMBEDDING = 2, 7, 11, 5, 3
STATES_PER_LAYER = {"rnn": 1, "gru": 1, "lstm": 2}

every_kind = pytest.mark.parametrize(("cell", "num_layers"), [(c, n) for c in STATES_PER_LAYER for n in (1, 2)])


def random_ids(batch=BATCH, time=TIME, seed=0):
    return tf.constant(np.random.default_rng(seed).integers(0, VOCAB, (batch, time)), tf.int32)


@functools.cache
def small_model(cell="gru", num_layers=1, **settings):
    """One model for all tests of its kind: none of them changes its weights."""
    keras.utils.set_random_seed(1)
    return build_model(VOCAB, cell=cell, units=UNITS, num_layers=num_layers, embedding_dim=EMBEDDING, **settings)


def stateful_model():
    """A model as a reader of the older tutorials would build it."""
    keras.utils.set_random_seed(2)
    return keras.Sequential(
        [
            keras.Input(batch_shape=(BATCH, None), dtype="int32"),
            keras.layers.Embedding(VOCAB, EMBEDDING),
            keras.layers.LSTM(UNITS, return_sequences=True, stateful=True),
            keras.layers.Dropout(0.5),
            keras.layers.GRU(UNITS + 1, return_sequences=True, stateful=True),
            keras.layers.Dense(VOCAB),
        ]
    )


def assert_states_close(states, expected):
    flat, flat_expected = tf.nest.flatten(states), tf.nest.flatten(expected)
    assert len(flat) == len(flat_expected)
    for one, other in zip(flat, flat_expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


@every_kind
def test_ids_of_batch_and_time_give_logits_of_batch_time_vocab(cell, num_layers):
    model = small_model(cell, num_layers)
    assert model(random_ids()).shape == (BATCH, TIME, VOCAB)
    assert model.output_shape == (None, None, VOCAB)
    logits, _ = forward(model, random_ids(), zero_states(model, BATCH))
    assert logits.shape == (BATCH, TIME, VOCAB)
    assert logits.dtype == tf.float32


@every_kind
def test_states_are_zeros_of_batch_and_units_per_layer(cell, num_layers):
    model = small_model(cell, num_layers)
    states = zero_states(model, BATCH)
    assert len(states) == num_layers
    for state in states:
        assert [part.shape for part in state] == [(BATCH, UNITS)] * STATES_PER_LAYER[cell]
        assert all(np.all(part == 0) for part in state)


@every_kind
def test_forward_from_zero_is_the_model_itself(cell, num_layers):
    model = small_model(cell, num_layers)
    logits, _ = forward(model, random_ids(), zero_states(model, BATCH))
    np.testing.assert_allclose(logits, model(random_ids()), atol=1e-6)


@every_kind
def test_a_changed_character_changes_the_logits_from_its_place_on_and_none_before(cell, num_layers):
    model, place = small_model(cell, num_layers), 3
    ids = random_ids().numpy()
    changed = ids.copy()
    changed[:, place] = (ids[:, place] + 1) % VOCAB
    before, _ = forward(model, tf.constant(ids), zero_states(model, BATCH))
    after, _ = forward(model, tf.constant(changed), zero_states(model, BATCH))
    difference = np.abs(before - after).max(axis=-1)  # (batch, time)
    assert np.all(difference[:, :place] == 0)
    assert np.all(difference[:, place:] > 1e-6)


@every_kind
@pytest.mark.parametrize("cut", [1, TIME - 2])
def test_two_parts_with_carried_state_equal_one_go(cell, num_layers, cut):
    model, ids = small_model(cell, num_layers), random_ids()
    whole, last = forward(model, ids, zero_states(model, BATCH))
    first, states = forward(model, ids[:, :cut], zero_states(model, BATCH))
    second, states = forward(model, ids[:, cut:], states)
    np.testing.assert_allclose(tf.concat([first, second], axis=1), whole, atol=1e-6)
    assert_states_close(states, last)


@every_kind
def test_a_carried_state_makes_a_difference(cell, num_layers):
    model, ids = small_model(cell, num_layers), random_ids()
    _, states = forward(model, ids, zero_states(model, BATCH))
    carried, _ = forward(model, ids, states)
    assert np.abs(carried - model(ids))[:, 0].max() > 1e-4


@every_kind
def test_steps_one_by_one_equal_forward(cell, num_layers):
    model, ids = small_model(cell, num_layers, dropout=0.5), random_ids()
    whole, last = forward(model, ids, zero_states(model, BATCH))
    states = zero_states(model, BATCH)
    for t in range(TIME):
        logits, states = step(model, ids[:, t], states)
        assert logits.shape == (BATCH, VOCAB)
        np.testing.assert_allclose(logits, whole[:, t], atol=1e-6)
    assert_states_close(states, last)
    tf.nest.assert_same_structure(states, last)


def test_rows_of_a_batch_do_not_see_each_other():
    model, ids = small_model("lstm", 2), random_ids(batch=3)
    together, _ = forward(model, ids, zero_states(model, 3))
    alone, _ = forward(model, ids[1:2], zero_states(model, 1))
    np.testing.assert_allclose(together[1:2], alone, atol=1e-6)


def test_forward_runs_a_stateful_stack_from_given_states():
    model, ids = stateful_model(), random_ids()
    logits, states = forward(model, ids, zero_states(model, BATCH))
    np.testing.assert_allclose(logits, model(ids), atol=1e-6)  # leaves the layers with a state
    logits, _ = forward(model, ids, states)
    np.testing.assert_allclose(logits, model(ids), atol=1e-6)  # goes on from that state
    again, _ = forward(model, ids, states)
    np.testing.assert_array_equal(again, logits)


def functional_stateful_model():
    """The same layers, but returning their states as well."""
    keras.utils.set_random_seed(2)
    inputs = keras.Input(batch_shape=(BATCH, None), dtype="int32")
    x = keras.layers.Embedding(VOCAB, EMBEDDING)(inputs)
    for layer in (keras.layers.LSTM, keras.layers.GRU):
        x, *_ = layer(UNITS, return_sequences=True, return_state=True, stateful=True)(x)
    return keras.Model(inputs, keras.layers.Dense(VOCAB)(x))


@pytest.mark.parametrize("build", [stateful_model, functional_stateful_model])
def test_forward_and_step_leave_the_states_of_a_stateful_stack_untouched(build):
    def own_states():
        return [part.value.numpy() for layer in recurrent_layers(model) for part in layer.states]

    model, ids = build(), random_ids()
    model(ids)
    before = own_states()
    assert [bool(np.any(part)) for part in before] == [True] * 3
    _, states = forward(model, random_ids(seed=1), zero_states(model, BATCH))
    step(model, ids[:, 0], states)
    for one, other in zip(own_states(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_forward_runs_a_stateful_stack_at_another_batch_size_and_step_by_step():
    model, ids = stateful_model(), random_ids(batch=4)
    whole, last = forward(model, ids, zero_states(model, 4))
    assert whole.shape == (4, TIME, VOCAB)
    assert [[part.shape[1] for part in state] for state in last] == [[UNITS, UNITS], [UNITS + 1]]
    states = zero_states(model, 4)
    for t in range(TIME):
        logits, states = step(model, ids[:, t], states)
        np.testing.assert_allclose(logits, whole[:, t], atol=1e-6)


def test_dropout_follows_every_recurrent_layer_and_works_in_training_only():
    model, ids = small_model(num_layers=2, dropout=0.5), random_ids()
    plain = build_model(VOCAB, units=UNITS, num_layers=2, embedding_dim=EMBEDDING)
    plain.set_weights(model.get_weights())
    kinds = [type(layer).__name__ for layer in model.layers[1:]]
    assert kinds == ["Embedding", "GRU", "Dropout", "GRU", "Dropout", "Dense"]
    calm = [forward(model, ids, zero_states(model, BATCH))[0] for _ in range(2)]
    np.testing.assert_array_equal(*calm)
    np.testing.assert_allclose(calm[0], plain(ids), atol=1e-6)
    shaken = [forward(model, ids, zero_states(model, BATCH), training=True)[0] for _ in range(2)]
    assert np.abs(shaken[0] - calm[0]).max() > 1e-4
    assert np.abs(shaken[0] - shaken[1]).max() > 1e-4


@pytest.mark.parametrize("settings", [{"dropout": 0.5}, {"dropout": 0.5, "return_state": True}])
def test_dropout_inside_a_recurrent_layer_works_in_training_only(settings):
    keras.utils.set_random_seed(3)
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.GRU(UNITS, return_sequences=True, **settings)(keras.layers.Embedding(VOCAB, 8)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(VOCAB)(x[0] if "return_state" in settings else x))
    calm, _ = forward(model, random_ids(), zero_states(model, BATCH))
    np.testing.assert_allclose(calm, model(random_ids()), atol=1e-6)
    shaken = [forward(model, random_ids(), zero_states(model, BATCH), training=True)[0] for _ in range(2)]
    assert np.abs(shaken[0] - calm).max() > 1e-4
    assert np.abs(shaken[0] - shaken[1]).max() > 1e-4
    states = zero_states(model, BATCH)
    for t in range(TIME):  # nothing is left of the dropout when sampling
        logits, states = step(model, random_ids()[:, t], states)
        np.testing.assert_allclose(logits, calm[:, t], atol=1e-6)


def test_without_dropout_there_is_no_dropout_layer():
    assert not any(isinstance(layer, keras.layers.Dropout) for layer in small_model().layers)


@pytest.mark.parametrize(
    ("cell", "num_layers", "gates_and_biases"),
    [("rnn", 1, (1, 1)), ("gru", 1, (3, 2)), ("lstm", 1, (4, 1)), ("lstm", 2, (4, 1))],
)
def test_parameters_are_those_of_the_formula(cell, num_layers, gates_and_biases):
    gates, biases = gates_and_biases
    count, width = VOCAB * EMBEDDING, EMBEDDING
    for _ in range(num_layers):
        count, width = count + gates * UNITS * (width + UNITS + biases), UNITS
    assert small_model(cell, num_layers).count_params() == count + (UNITS + 1) * VOCAB


def test_the_dinosaur_model_has_4_006_197_parameters():
    model = build_model(53, cell="gru", units=1024, embedding_dim=256)
    assert [layer.count_params() for layer in model.layers[1:]] == [13_568, 3_938_304, 54_325]
    assert model.count_params() == 4_006_197


def test_without_an_embedding_every_character_is_a_one_hot_row_that_is_not_trained():
    model = build_model(VOCAB, cell="lstm", units=UNITS, embedding_dim=None)
    embedding = model.layers[1]
    np.testing.assert_array_equal(embedding.get_weights()[0], np.eye(VOCAB))
    np.testing.assert_array_equal(embedding(random_ids()), np.eye(VOCAB)[random_ids()])
    assert embedding.trainable_variables == []
    assert embedding.embeddings.path not in {weight.path for weight in model.trainable_variables}
    assert len(model.trainable_variables) == 3 + 2  # of the LSTM and of the logits
    np.testing.assert_allclose(
        forward(model, random_ids(), zero_states(model, BATCH))[0], model(random_ids()), atol=1e-6
    )


def test_one_hot_rows_stay_what_they_are_in_a_training():
    model = build_model(VOCAB, cell="rnn", units=UNITS, embedding_dim=None)
    before = model.get_weights()
    train(model, random_ids(1, 40).numpy()[0], batch_size=2, time=5, epochs=1, progress=False)
    np.testing.assert_array_equal(model.get_weights()[0], np.eye(VOCAB))
    assert all(np.any(w != b) for w, b in zip(model.get_weights()[1:], before[1:], strict=True))


def test_the_one_hot_model_of_s002_trains_89_124_parameters():
    model = build_model(36, cell="lstm", units=128, embedding_dim=None)
    assert sum(int(np.prod(weight.shape)) for weight in model.trainable_variables) == 89_124
    assert model.count_params() == 89_124 + 36 * 36


@pytest.mark.parametrize("cell", STATES_PER_LAYER)
def test_the_untrained_loss_is_about_ln_of_the_vocabulary(cell):
    keras.utils.set_random_seed(0)
    model = build_model(53, cell=cell, units=32)
    ids = tf.constant(np.random.default_rng(0).integers(0, 53, (4, 26)), tf.int32)
    logits, _ = forward(model, ids[:, :-1], zero_states(model, 4))
    loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(ids[:, 1:], logits))
    assert float(loss) == pytest.approx(np.log(53), abs=0.1)


def test_by_default_one_gru_of_256_over_an_embedding_of_64():
    _, embedding, recurrent, dense = build_model(VOCAB).layers
    assert (type(embedding), embedding.output_dim) == (keras.layers.Embedding, 64)
    assert (type(recurrent), recurrent.units) == (keras.layers.GRU, 256)
    assert (type(dense), dense.units) == (keras.layers.Dense, VOCAB)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "transformer"}, "cell must be one of rnn, gru, lstm, got 'transformer'"),
        ({"vocab_size": 0}, "vocab_size must be at least 1, got 0"),
        ({"units": 0}, "units must be at least 1, got 0"),
        ({"num_layers": 0}, "num_layers must be at least 1, got 0"),
        ({"embedding_dim": -1}, "embedding_dim must be at least 1, got -1"),
        ({"dropout": -0.1}, "dropout must be at least 0 and below 1, got -0.1"),
        ({"dropout": 1}, "dropout must be at least 0 and below 1, got 1"),
    ],
)
def test_build_model_refuses_what_is_out_of_range(settings, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        build_model(**({"vocab_size": VOCAB} | settings))


def test_a_model_without_a_recurrent_layer_is_refused_by_name():
    model = keras.Sequential([keras.layers.Embedding(VOCAB, EMBEDDING), keras.layers.Dense(VOCAB)], name="flat")
    with pytest.raises(ValueError, match="'flat' has no recurrent layer"):
        zero_states(model, BATCH)


def test_a_layer_that_gives_only_its_last_output_is_refused_by_name():
    layers = [keras.layers.Embedding(VOCAB, EMBEDDING), keras.layers.GRU(UNITS, name="last_only")]
    with pytest.raises(ValueError, match="'last_only' must return sequences"):
        recurrent_layers(keras.Sequential(layers))
