import numpy as np
import pytest

from charlm_utils import cells
from charlm_utils.models import build_model, forward, zero_states
from charlm_utils.probing import (
    KINDS,
    character_kinds,
    connectivity,
    correlate,
    find_column,
    half_lives,
    hold_unit,
    label_text,
    probe,
    project_at_random,
    read_gates,
    read_states,
    shift_labels,
)

IDS = np.array([0, 1, 2, 3, 4, 0, 2, 4, 1, 3, 0])
DRAW = np.random.default_rng(0)


@pytest.fixture(scope="module", params=[pytest.param(cell, marks=pytest.mark.slow) for cell in ("gru", "lstm")])
def network(request):
    """A network of two layers of 6 units that reads 3 numbers, with 5 characters."""
    model = build_model(5, cell=request.param, units=6, num_layers=2, embedding_dim=3)
    draw = np.random.default_rng(1)
    model.set_weights([draw.normal(size=weight.shape) for weight in model.get_weights()])
    return model


def step_by_hand(model, ids, hold=None):
    """Return the states after every character, per layer, and the last logits; ``hold``: layer, unit and value."""
    embedding, *layers, kernel, bias = model.get_weights()
    count = len(layers) // 3
    is_gru = model.layers[2].__class__.__name__ == "GRU"
    states = [[np.zeros((1, 6))] * (1 if is_gru else 2) for _ in range(count)]
    kept = [[] for _ in range(count)]
    if hold:
        states[hold[0]][0] = np.where(np.arange(6) == hold[1], hold[2], states[hold[0]][0])
    for number in ids:
        x = embedding[[number]]
        for layer in range(count):
            weights = layers[3 * layer : 3 * layer + 3]
            if is_gru:
                states[layer] = [cells.gru_step(x, states[layer][0], *weights)]
            else:
                states[layer] = list(cells.lstm_step(x, tuple(states[layer]), *weights))
            if hold and layer == hold[0]:
                states[layer][0][0, hold[1]] = hold[2]
            x = states[layer][0]
            kept[layer].append([state[0].copy() for state in states[layer]])
    return kept, (x @ kernel + bias)[0]


def test_labels_say_what_a_reader_can_know():
    labels = label_text('Ann:\nA "be".\n\nIt')
    assert labels["place in the line"].tolist() == [1, 2, 3, 4, 0, 1, 2, 3, 4, 5, 6, 7, 0, 0, 1, 2]
    assert labels["inside quotes"].tolist() == [0] * 7 + [1, 1, 1, 0, 0, 0, 0, 0, 0]
    assert labels["speaker's name"].tolist() == [1, 1, 1, 1] + [0] * 12
    assert labels["capital"].tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]
    assert labels["place in the word"].tolist() == [1, 2, 3, 0, 0, 1, 0, 0, 1, 2, 0, 0, 0, 0, 1, 2]
    assert labels["vowel"].tolist() == [1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]


def test_a_quotation_ends_with_its_paragraph_and_names_need_an_empty_line():
    assert label_text('"a\n\nb"')["inside quotes"].tolist() == [1, 1, 1, 0, 0, 1]
    assert not label_text("a word:\nno\nName:\n")["speaker's name"].any()
    assert label_text("\n\nFool:\n")["speaker's name"].tolist() == [0, 0, 1, 1, 1, 1, 1, 0]


def test_every_character_has_a_kind():
    kinds = [KINDS[number] for number in character_kinds("Ann:\nDon't go.")]
    name = "speaker's name"
    inner = "inside a word"
    wanted = [name] * 4 + ["newline", "first letter", *[inner] * 4, "space", "first letter", inner, "punctuation"]
    assert kinds == wanted


def test_states_are_those_of_single_steps(network):
    kept, _ = step_by_hand(network, IDS)
    found = read_states(network, IDS)
    for layer, states in enumerate(found):
        for part, array in enumerate(states):
            assert array.shape == (11, 6)
            np.testing.assert_allclose(array, [step[part] for step in kept[layer]], atol=1e-5)


def test_stretches_side_by_side_have_the_states_of_one_stream(network, monkeypatch):
    monkeypatch.setattr("charlm_utils.probing.WARM_UP", 11)
    one = read_states(network, IDS)
    three = read_states(network, IDS, rows=3)
    np.testing.assert_allclose(three[0][0][:4], one[0][0][:4], atol=1e-6)
    assert three[1][0].shape == one[1][0].shape == (11, 6)


def test_gates_make_the_states(network):
    states = read_states(network, IDS)
    weights = network.get_weights()
    for layer in (0, 1):
        gates = read_gates(network, IDS, states, layer)
        inputs = weights[0][IDS] if layer == 0 else states[0][0]
        kernel, recurrent_kernel, bias = weights[1 + 3 * layer : 4 + 3 * layer]
        before = np.concatenate([np.zeros((1, 6)), states[layer][0][:-1]])
        if "update" in gates:
            from_state = (before @ recurrent_kernel + bias[1])[:, 12:]
            candidate = np.tanh((inputs @ kernel + bias[0])[:, 12:] + gates["reset"] * from_state)
            made = gates["update"] * before + (1 - gates["update"]) * candidate
        else:
            memory = np.concatenate([np.zeros((1, 6)), states[layer][1][:-1]])
            candidate = np.tanh((inputs @ kernel + before @ recurrent_kernel + bias)[:, 12:18])
            made = gates["output"] * np.tanh(gates["forget"] * memory + gates["input"] * candidate)
        np.testing.assert_allclose(made, states[layer][0], atol=1e-5)


def test_half_of_what_a_unit_holds_is_left_after_its_half_life():
    gates = np.array([[0.5, 0.25, 1.0], [0.5, 1.0, 1.0]])
    np.testing.assert_allclose(half_lives(gates)[:2], [1.0, 1.0])
    assert half_lives(gates)[2] > 1e6
    with pytest.raises(ValueError, match="between 0 and 1, got 0 to 2"):
        half_lives(np.array([[0.0], [2.0]]))


def test_connectivity_is_the_gradient_of_the_true_logit(network):
    windows = np.array([[0, 1, 2, 3], [4, 4, 1, 0]])
    found = connectivity(network, windows)
    assert found.shape == (2, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    lengths = []
    for place in range(3):  # a small change of the embedding of one character, in each of 3 directions
        slopes = []
        for direction in np.eye(3):
            slopes.append(slope(network, windows[0], place, direction))
        lengths.append(np.linalg.norm(slopes))
    np.testing.assert_allclose(found[0], np.array(lengths) / np.sum(lengths), atol=1e-3)


def slope(network, window, place, direction, small=1e-4):
    """Return by how much the true logit grows when the embedding at a place moves, by differences."""
    embedding = network.get_weights()[0]
    logits = []
    for sign in (-1, 1):
        rows = np.concatenate([embedding, [embedding[window[place]] + sign * small * direction]])
        ids = window[:-1].copy()
        ids[place] = 5
        logits.append(step_by_hand(WithRows(network, rows), ids)[1][window[-1]])
    return (logits[1] - logits[0]) / (2 * small)


class WithRows:
    """A network with other rows in its embedding."""

    def __init__(self, network, rows):
        self.layers = network.layers
        self.get_weights = lambda: [rows, *network.get_weights()[1:]]


def test_correlation_is_that_of_numpy():
    columns = DRAW.normal(size=(30, 4))
    label = DRAW.normal(size=30)
    wanted = [np.corrcoef(column, label)[0, 1] for column in columns.T]
    np.testing.assert_allclose(correlate(columns, label), wanted)
    np.testing.assert_allclose(correlate(columns.astype(np.float32) + 7, label), wanted, atol=1e-5)


def test_what_never_changes_follows_nothing():
    assert correlate(np.full((4, 1), 0.1, np.float32), [0, 1, 0, 1]).tolist() == [0]
    assert correlate(np.array([[0.0], [1.0]]), [3, 3]).tolist() == [0]
    with pytest.raises(ValueError, match=r"columns must be \(3, units\)"):
        correlate(np.ones((2, 1)), [1, 2, 3])


def test_a_column_is_chosen_on_the_first_part_and_scored_on_the_rest():
    label = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
    columns = np.array([[0, 0], [1, 0.2], [0, 0.1], [0, 0], [0, 0], [0, 1]])
    assert find_column(columns, label, 3) == (0, 0)  # it is the better one there, and knows nothing of the rest
    assert find_column(-columns[::-1], label[::-1], 3).column == 1


def test_random_directions_mix_all_units_alike():
    states = DRAW.normal(size=(400, 3)) * [1, 10, 0.1]
    columns = project_at_random(states, 200, seed=0)
    assert columns.shape == (400, 200)
    shares = [np.mean(correlate(columns, unit) ** 2) for unit in states.T]
    np.testing.assert_allclose(shares, 1 / 3, atol=0.08)
    np.testing.assert_array_equal(columns, project_at_random(states, 200, seed=0))
    assert not np.allclose(columns, project_at_random(states, 200, seed=1))


def test_moved_labels_stay_together():
    label = np.repeat([0, 1, 0], [40, 20, 40])
    moved = shift_labels(label, seed=0)
    assert moved.sum() == 20
    assert not np.array_equal(moved, label)
    assert np.sum(moved != np.roll(moved, 1)) == 2


def test_a_probe_finds_what_no_column_has_alone():
    states = DRAW.normal(size=(300, 5)).astype(np.float32)
    label = states[:, 0] - states[:, 1] + states[:, 2]
    mixed, noise = probe(states, [label, DRAW.normal(size=300)], 200)
    assert mixed > 0.99
    assert abs(noise) < 0.3
    assert abs(find_column(states, label, 200).score) < 0.8
    with pytest.raises(ValueError, match=r"labels must be \(labels, 300\)"):
        probe(states, [label[:3]], 200)


@pytest.mark.parametrize("layer", [0, 1])
def test_a_held_unit_has_its_value_at_every_step(network, layer):
    held = hold_unit(network, 4, 0.7, layer)
    logits, _ = forward(held, IDS[None], zero_states(held, 1))
    np.testing.assert_allclose(logits[0, -1], step_by_hand(network, IDS, (layer, 4, 0.7))[1], atol=1e-4)
    assert not np.allclose(logits, forward(network, IDS[None], zero_states(network, 1))[0], atol=1e-3)


def test_wrong_units_and_layers_are_named(network):
    with pytest.raises(ValueError, match="unit must be an integer between 0 and 5, got 6"):
        hold_unit(network, 6, 0.0)
    with pytest.raises(ValueError, match="layer must be an integer between 0 and 1, got 2"):
        hold_unit(network, 0, 0.0, 2)
    with pytest.raises(ValueError, match="value must be a finite number, got nan"):
        hold_unit(network, 0, float("nan"))
    with pytest.raises(ValueError, match="rows must be an integer between 1 and 11, got 12"):
        read_states(network, IDS, rows=12)
    with pytest.raises(ValueError, match="time of at least 2, got shape"):
        connectivity(network, [[1], [2]])
    plain = build_model(5, cell="rnn", units=4)
    with pytest.raises(ValueError, match="layer must be a GRU or an LSTM, got SimpleRNN"):
        read_gates(plain, IDS, read_states(plain, IDS))
