import functools
import gc
import weakref

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src import backend

from charlm_utils.evaluation import evaluate, evaluate_windows
from charlm_utils.models import (
    PerModel,
    build_model,
    describe_layers,
    forward,
    prepare_steps,
    recurrent_layers,
    state_specs,
    step,
    take_weights,
    why_no_cudnn,
    zero_states,
)
from charlm_utils.names import evaluate_names
from charlm_utils.sampling import generate_windows
from charlm_utils.settings import CELLS
from charlm_utils.vocabulary import Vocabulary

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


def chain(*layers):
    """A model by hand, as a reader would build it: an embedding, some layers, logits."""
    keras.utils.set_random_seed(4)
    ends = keras.layers.Embedding(VOCAB, EMBEDDING), keras.layers.Dense(VOCAB)
    return keras.Sequential([keras.Input((None,), dtype="int32"), ends[0], *layers, ends[1]])


def gru(**settings):
    return keras.layers.GRU(UNITS, return_sequences=True, **settings)


def cells(**settings):
    """A stack of two cells in one layer."""
    both = [keras.layers.LSTMCell(UNITS, **settings), keras.layers.GRUCell(UNITS + 1, **settings)]
    return keras.layers.RNN(both, return_sequences=True)


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


def assert_steps_equal_forward(model, prepared=None, atol=1e-6):
    """Feed a text character by character and compare with all of it at once."""
    ids = random_ids()
    whole, last = forward(model, ids, zero_states(model, BATCH))
    states = zero_states(model, BATCH)
    for t in range(TIME):
        logits, states = step(model, ids[:, t], states, prepared)
        assert logits.shape == (BATCH, VOCAB)
        assert logits.dtype == tf.float32
        np.testing.assert_allclose(logits, whole[:, t], atol=atol)
    tf.nest.assert_same_structure(states, last)
    assert tf.nest.map_structure(lambda x: x.dtype, states) == tf.nest.map_structure(lambda x: x.dtype, last)
    if atol == 1e-6:
        assert_states_close(states, last)


@pytest.mark.parametrize("fast", [False, True])
@every_kind
def test_steps_one_by_one_equal_forward_prepared_or_not(cell, num_layers, fast):
    model = small_model(cell, num_layers, dropout=0.5, fast=fast and CELLS[cell].fast is not None)
    assert_steps_equal_forward(model, prepare_steps(model) if fast else None)


def test_what_was_prepared_is_that_of_the_weights_at_that_moment():
    model = build_model(VOCAB, units=UNITS, embedding_dim=EMBEDDING, fast=True)
    before = prepare_steps(model)
    old, _ = step(model, random_ids()[:, 0], zero_states(model, BATCH), before)
    model.set_weights([2 * weight for weight in model.get_weights()])
    new, _ = step(model, random_ids()[:, 0], zero_states(model, BATCH), prepare_steps(model))
    assert np.abs(old - new).max() > 1e-4
    np.testing.assert_allclose(new, model(random_ids())[:, 0], atol=1e-6)


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


def parameters_per_layer(vocab_size, embedding_dim, units, num_layers, gates, biases):
    counts, width = [vocab_size * embedding_dim], embedding_dim
    for _ in range(num_layers):
        counts.append(gates * units * (width + units + biases))
        width = units
    return [*counts, (units + 1) * vocab_size]


@pytest.mark.parametrize(
    ("cell", "num_layers", "gates", "biases"),
    [("rnn", 1, 1, 1), ("gru", 1, 3, 2), ("lstm", 1, 4, 1), ("lstm", 2, 4, 1)],
)
def test_parameters_are_those_of_the_formula(cell, num_layers, gates, biases):
    expected = parameters_per_layer(VOCAB, EMBEDDING, UNITS, num_layers, gates, biases)
    assert [layer.count_params() for layer in small_model(cell, num_layers).layers[1:]] == expected


def test_the_dinosaur_model_has_4_006_197_parameters():
    assert parameters_per_layer(53, 256, 1024, 1, 3, 2) == [13_568, 3_938_304, 54_325]
    assert 13_568 + 3_938_304 + 54_325 == 4_006_197


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
        ({"vocab_size": 0}, "vocab_size must be an integer of at least 1, got 0"),
        ({"units": 2.5}, "units must be an integer of at least 1, got 2.5"),
        ({"num_layers": 0}, "num_layers must be an integer of at least 1, got 0"),
        ({"embedding_dim": -1}, "embedding_dim must be an integer of at least 1 or None, got -1"),
        ({"dropout": -0.1}, "dropout must be a number of at least 0 and below 1, got -0.1"),
        ({"dropout": 1}, "dropout must be a number of at least 0 and below 1, got 1"),
    ],
)
def test_build_model_refuses_what_is_out_of_range(settings, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        build_model(**({"vocab_size": VOCAB} | settings))


# --- models that are refused ---


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (keras.layers.Masking(name="hides"), "'hides' masks characters"),
        (keras.layers.Bidirectional(gru(), name="both_ways"), "'both_ways' reads backwards"),
        (gru(go_backwards=True, name="back"), "'back' reads backwards"),
        (keras.layers.GRU(UNITS, name="last_only"), "'last_only' must return sequences"),
        (keras.layers.Conv1D(4, 3, padding="causal", name="wide"), "'wide' looks at several characters"),
        (keras.layers.MaxPooling1D(1, name="pool"), "'pool' looks at several characters"),
        (keras.layers.Dense(4), "has no recurrent layer"),
    ],
)
def test_a_layer_that_cannot_be_run_step_by_step_is_refused_by_name(layer, message):
    layers = [layer] if "no recurrent" in message else [layer, gru()]
    model = chain(*layers) if "last_only" not in message else chain(layer)
    for call in (zero_states, lambda model, _: forward(model, random_ids(), []), lambda model, _: prepare_steps(model)):
        with pytest.raises(ValueError, match=message):
            call(model, BATCH)


def test_an_embedding_that_masks_is_refused_by_name():
    layers = [keras.layers.Embedding(VOCAB, EMBEDDING, mask_zero=True, name="zero_is_nothing"), gru()]
    with pytest.raises(ValueError, match="'zero_is_nothing' masks characters"):
        zero_states(keras.Sequential([keras.Input((None,), dtype="int32"), *layers]), BATCH)


def functional(build):
    ids = keras.Input((None,), dtype="int32")
    embedded = keras.layers.Embedding(VOCAB, UNITS)(ids)
    return keras.Model(ids, build(embedded), name="web")


def sum_of_two(x):
    return keras.layers.Dense(VOCAB)(x + gru()(x))


def merged(x):
    return keras.layers.Dense(VOCAB)(keras.layers.Add(name="merge")([x, gru()(x)]))


def two_outputs(x):
    return [keras.layers.Dense(VOCAB)(gru()(x)), keras.layers.Dense(1)(x)]


def called_twice(x):
    layer = gru(name="twice")
    return keras.layers.Dense(VOCAB)(layer(layer(x)))


def given_a_state(x):
    x, state = gru(return_state=True)(x)
    return keras.layers.Dense(VOCAB)(gru(name="fed")(x, initial_state=[state]))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (sum_of_two, "one chain.*not in a chain: add"),
        (merged, "one chain.*not in a chain: merge"),
        (two_outputs, "one chain.*2 outputs"),
        (called_twice, "one chain.*not in a chain: twice"),
        (given_a_state, "one chain.*not in a chain: fed"),
    ],
)
def test_a_model_that_is_no_chain_is_refused_by_name(build, message):
    with pytest.raises(ValueError, match=f"'web' must be {message}"):
        zero_states(functional(build), BATCH)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="own")
        self.parts = chain(gru()).layers

    def call(self, x):
        for layer in self.parts:
            x = layer(x)
        return x


def test_a_subclassed_model_is_refused_by_name():
    model = Subclassed()
    model(random_ids())
    with pytest.raises(ValueError, match="'own' must be one chain"):
        zero_states(model, BATCH)


def test_a_model_without_weights_says_what_it_lacks():
    model = keras.Sequential([keras.layers.Embedding(VOCAB, EMBEDDING), gru()], name="unborn")
    with pytest.raises(ValueError, match="'unborn' has no weights yet: give it an Input"):
        zero_states(model, BATCH)
    model(random_ids())
    assert len(zero_states(model, BATCH)) == 1


# --- training reaches every layer ---


class Louder(keras.layers.Layer):
    """Doubles what it gets in training."""

    def call(self, x, training=False):
        return 2 * x if training else x


class Box(keras.layers.Layer):
    """Takes no training argument, but holds a layer that does."""

    def __init__(self):
        super().__init__()
        self.inside = Louder()

    def call(self, x):
        return self.inside(x)


class Unsaved(Louder):
    """Cannot be saved."""

    def get_config(self):
        raise NotImplementedError


@pytest.mark.parametrize("layer", [Louder, Box, Unsaved])
def test_training_reaches_a_layer_of_ones_own(layer):
    model, ids = chain(gru(), layer()), random_ids()
    calm, _ = forward(model, ids, zero_states(model, BATCH))
    loud, _ = forward(model, ids, zero_states(model, BATCH), training=True)
    np.testing.assert_allclose(calm, model(ids), atol=1e-6)
    np.testing.assert_allclose(loud, model(ids, training=True), atol=1e-6)
    assert np.abs(loud - calm).max() > 1e-4
    assert_steps_equal_forward(model)


DROPPING = {
    "channels after the layer": lambda: [gru(), keras.layers.SpatialDropout1D(0.5)],
    "inputs and state of a GRU": lambda: [gru(dropout=0.5, recurrent_dropout=0.3)],
    "inputs of an LSTM that returns its state": lambda: [keras.layers.LSTM(UNITS, return_sequences=True, dropout=0.5)],
    "inputs of a plain layer": lambda: [keras.layers.SimpleRNN(UNITS, return_sequences=True, dropout=0.5)],
    "inputs of stacked cells": lambda: [cells(dropout=0.5)],
    "a layer in a model of its own": lambda: [keras.Sequential([gru(), keras.layers.Dropout(0.5)])],
}


@pytest.mark.parametrize("layers", DROPPING.values(), ids=DROPPING.keys())
def test_dropout_draws_what_the_model_itself_would_draw_compiled_or_not(layers):
    model, same, ids = chain(*layers()), chain(*layers()), random_ids()
    compiled = tf.function(lambda states: forward(model, ids, states, training=True)[0])
    calm, _ = forward(model, ids, zero_states(model, BATCH))
    np.testing.assert_allclose(calm, same(ids), atol=1e-6)
    first, second = (compiled(zero_states(model, BATCH)) for _ in range(2))
    np.testing.assert_allclose(first, same(ids, training=True), atol=1e-6)  # seeded alike
    np.testing.assert_allclose(second, same(ids, training=True), atol=1e-6)
    assert np.abs(first - second).max() > 1e-4
    third, _ = forward(model, ids, zero_states(model, BATCH), training=True)  # no tensor has leaked
    np.testing.assert_allclose(third, same(ids, training=True), atol=1e-6)
    assert_steps_equal_forward(model)


# --- every recurrent layer runs through its own engine ---


def returning():
    return small_model("lstm")


@pytest.mark.parametrize("build", [stateful_model, functional_stateful_model, returning, lambda: chain(gru())])
def test_a_layer_runs_through_its_own_loop(monkeypatch, build):
    model, calls = build(), []
    for layer in recurrent_layers(model):

        def spied(*arguments, own=layer.inner_loop, name=layer.name, **keywords):
            calls.append(name)
            return own(*arguments, **keywords)

        monkeypatch.setattr(layer, "inner_loop", spied)
    forward(model, random_ids(), zero_states(model, BATCH))
    assert calls == [layer.name for layer in recurrent_layers(model)]


def test_a_stack_of_cells_and_a_model_inside_a_model_are_run():
    model = chain(cells(), keras.Sequential([gru(), keras.layers.Dropout(0.5)]))
    logits, states = forward(model, random_ids(), zero_states(model, BATCH))
    np.testing.assert_allclose(logits, model(random_ids()), atol=1e-6)
    assert [len(state) for state in states] == [3, 1]
    assert_steps_equal_forward(model)


# --- mixed precision ---


@pytest.fixture
def mixed():
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    yield
    keras.mixed_precision.set_dtype_policy("float32")


def mixed_layers_only():
    kept = [keras.layers.LSTM(UNITS, return_sequences=True, dtype="mixed_bfloat16"), gru(dtype="mixed_bfloat16")]
    return chain(*kept)


MIXED = {
    "GRU": lambda: build_model(VOCAB, units=UNITS),
    "fast LSTM": lambda: build_model(VOCAB, cell="lstm", units=UNITS, fast=True, num_layers=2),
    "no returned state": lambda: chain(gru()),
    "cells": lambda: chain(cells()),
}


@pytest.mark.parametrize("build", MIXED.values(), ids=MIXED.keys())
def test_mixed_precision_gives_float32_logits_and_states_of_the_computing_type(mixed, build):
    check_mixed(build())


def test_mixed_precision_of_some_layers_is_kept_to_them():
    check_mixed(mixed_layers_only())


def check_mixed(model):
    logits, states = forward(model, random_ids(), zero_states(model, BATCH))
    assert logits.dtype == tf.float32
    np.testing.assert_allclose(logits, tf.cast(model(random_ids()), tf.float32), atol=0.02)
    assert {part.dtype for part in tf.nest.flatten(states)} == {tf.bfloat16}
    specs = state_specs(model)
    tf.nest.assert_same_structure(specs, states)
    for spec, state in zip(tf.nest.flatten(specs), tf.nest.flatten(states), strict=True):
        assert spec.is_compatible_with(state)
    assert_steps_equal_forward(model, atol=0.02)
    ids = random_ids(1, 40).numpy()[0]
    expected = tf.nn.sparse_softmax_cross_entropy_with_logits(ids[1:], tf.cast(model(ids[None, :-1]), tf.float32)[0])
    assert evaluate(model, ids) == pytest.approx(float(tf.reduce_mean(expected)), abs=0.02)


# --- what is kept for a model ---


def test_the_description_follows_layers_and_settings_and_not_weights():
    model = chain(gru(), keras.layers.Dropout(0.5))
    descriptions = [describe_layers(model)]
    model.set_weights([2 * weight for weight in model.get_weights()])
    assert describe_layers(model) == descriptions[0]
    model.layers[1].cell.activation = keras.activations.relu
    descriptions.append(describe_layers(model))
    model.layers[2].rate = 0.25
    descriptions.append(describe_layers(model))
    model.pop()
    descriptions.append(describe_layers(model))
    model.add(keras.layers.Dense(VOCAB))
    descriptions.append(describe_layers(model))
    assert len(set(descriptions)) == 5
    assert describe_layers(chain(gru(), keras.layers.Dropout(0.25))) not in descriptions


@pytest.mark.parametrize("fast", [False, True])
def test_what_is_kept_per_model_is_made_anew_for_changed_layers_and_keeps_nothing_alive(fast):
    made = []

    @PerModel
    def compiled(reference):
        made.append(reference)

        @tf.function
        def run(ids, states):
            return forward(reference(), ids, states)

        return run

    model, other = (build_model(VOCAB, units=UNITS, embedding_dim=EMBEDDING, fast=fast) for _ in range(2))
    run = compiled(model)
    run(random_ids(), zero_states(model, BATCH))
    assert compiled(model) is run
    assert compiled(other) is not run
    model.layers[2].cell.activation = keras.activations.relu
    changed, _ = compiled(model)(random_ids(), zero_states(model, BATCH))
    np.testing.assert_allclose(changed, model(random_ids()), atol=1e-6)
    assert len(made) == 3
    kept = weakref.ref(run)
    del model, run, compiled, changed
    gc.collect()
    assert made[0]() is None
    assert kept() is None
    assert made[1]() is other


# --- a GPU that is only pretended ---


@pytest.fixture
def pretended_gpu(monkeypatch):
    """Let TensorFlow list a GPU; what would run on it is spied on and goes the other way."""
    real = tf.config.list_logical_devices
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind=None: ["gpu"] if kind == "GPU" else real(kind))
    asked = []

    def spied(name):
        def refuse(inputs, *_, kernel, recurrent_kernel, activation, recurrent_activation, unroll, **settings):
            bias = settings["bias"] is not None
            after = {"reset_after": settings["reset_after"]} if name == "gru" else {}
            if backend.cudnn_ok(activation, recurrent_activation, unroll, bias, **after):
                asked.append((name, inputs.dtype.name, kernel.value.dtype.name, recurrent_kernel.value.dtype.name))
            raise NotImplementedError

        return refuse

    for name in ("gru", "lstm"):
        monkeypatch.setattr(backend, name, spied(name))
    return asked


SETTINGS = [
    {},
    {"activation": "relu"},
    {"activation": tf.tanh},
    {"activation": keras.ops.tanh},
    {"recurrent_activation": "hard_sigmoid"},
    {"recurrent_activation": tf.sigmoid},
    {"recurrent_activation": keras.ops.sigmoid},
    {"use_bias": False},
    {"unroll": True},
    {"recurrent_dropout": 0.1},
    {"dropout": 0.1},
    {"reset_after": False},
    {"use_cudnn": False},
    {"use_cudnn": "auto"},
    {"stateful": True},
    {"return_state": True},
]


CASES = [(kind, each) for each in SETTINGS for kind in (keras.layers.GRU, keras.layers.LSTM)]
CASES.remove((keras.layers.LSTM, {"reset_after": False}))  # it has no such setting


@pytest.mark.parametrize(("kind", "settings"), CASES)
def test_the_reasons_against_cudnn_are_those_of_keras(pretended_gpu, kind, settings):
    layer = kind(UNITS, return_sequences=True, **settings)
    inputs = tf.zeros((BATCH, 2, EMBEDDING))
    layer.build(inputs.shape)
    layer.inner_loop(inputs, layer.get_initial_state(BATCH), None, training=False)
    assert bool(pretended_gpu) == (why_no_cudnn(layer) is None)
    if not pretended_gpu:
        assert next(iter(settings)) in why_no_cudnn(layer)


@pytest.mark.parametrize(
    ("cell", "fast", "policy"),
    [
        ("gru", False, "float32"),
        ("lstm", True, "float32"),
        ("gru", True, "mixed_bfloat16"),
        ("lstm", False, "mixed_bfloat16"),
    ],
)
def test_on_a_gpu_every_layer_asks_for_cudnn_in_one_type_and_nothing_is_warned(
    pretended_gpu, recwarn, cell, fast, policy
):
    kind = CELLS[cell].fast if fast else CELLS[cell].layer
    by_hand = chain(kind(UNITS, return_sequences=True, dtype=policy))  # returns no state
    keras.mixed_precision.set_dtype_policy(policy)
    try:
        model = build_model(VOCAB, cell=cell, units=UNITS, fast=fast)
    finally:
        keras.mixed_precision.set_dtype_policy("float32")
    forward(model, random_ids(), zero_states(model, BATCH), training=True)
    forward(by_hand, random_ids(), zero_states(by_hand, BATCH), training=True)
    evaluate(by_hand, random_ids(1).numpy()[0])
    kind = policy.removeprefix("mixed_")
    assert pretended_gpu == [(cell, kind, kind, kind)] * 3
    assert not [warning for warning in recwarn if "cuDNN" in str(warning.message)]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: gru(activation="relu", name="odd"), "activation=relu, not tanh"),
        (lambda: gru(recurrent_dropout=0.5, name="odd"), "recurrent_dropout=0.5, not 0"),
        (lambda: gru(use_cudnn=False, name="odd"), "use_cudnn=False"),
        (lambda: keras.layers.SimpleRNN(UNITS, return_sequences=True, name="odd"), "it is a SimpleRNN"),
    ],
)
def test_a_setting_that_loses_cudnn_on_a_gpu_is_named_in_a_warning(pretended_gpu, layer, reason):
    model = chain(layer())
    with pytest.warns(UserWarning, match=f"'odd' runs without cuDNN: {reason}"):
        forward(model, random_ids(), zero_states(model, BATCH))
    assert not pretended_gpu


@pytest.mark.parametrize(
    "use",
    [
        lambda model, vocabulary: evaluate_windows(model, np.arange(6), 2),
        lambda model, vocabulary: evaluate_names(model, ["ab"], vocabulary),
        lambda model, vocabulary: generate_windows(model, vocabulary, "ab", 1, time=2),
    ],
    ids=["windows", "names", "text from windows"],
)
def test_what_calls_a_model_directly_warns_too(pretended_gpu, use):
    vocabulary = Vocabulary("\nabcdefghij")
    model = build_model(len(vocabulary), cell="rnn", units=UNITS, embedding_dim=EMBEDDING)
    with pytest.warns(UserWarning, match="runs without cuDNN: it is a SimpleRNN"):
        use(model, vocabulary)


def test_without_a_gpu_nothing_is_warned(recwarn):
    model = chain(gru(activation="relu"))
    forward(model, random_ids(), zero_states(model, BATCH))
    assert not [warning for warning in recwarn if "cuDNN" in str(warning.message)]


# weights of an older model


@pytest.mark.parametrize("embedding_dim", [None, EMBEDDING])
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_model_with_more_characters_takes_the_weights_of_an_older_one(cell, embedding_dim):
    old = build_model(VOCAB, cell=cell, units=UNITS, num_layers=2, embedding_dim=embedding_dim)
    new = build_model(VOCAB + 3, cell=cell, units=UNITS, num_layers=2, embedding_dim=embedding_dim)
    fresh = new.get_weights()
    take_weights(new, old)
    ids = random_ids()
    np.testing.assert_allclose(new(ids)[..., :VOCAB], old(ids), atol=1e-6)
    np.testing.assert_array_equal(new.get_weights()[0][VOCAB:], fresh[0][VOCAB:])
    np.testing.assert_array_equal(new.get_weights()[-2][:, VOCAB:], fresh[-2][:, VOCAB:])


def test_weights_that_do_not_fit_are_refused():
    old = build_model(VOCAB, cell="rnn", units=UNITS + 1)
    with pytest.raises(ValueError, match="do not go into"):
        take_weights(build_model(VOCAB + 3, cell="rnn", units=UNITS), old)
