"""The experiments: what they share, and that every file of results says what its script says."""

import json
import math
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from charlm_utils.batching import contiguous_batches
from charlm_utils.corpora import load_corpus
from charlm_utils.evaluation import evaluate, evaluate_windows
from charlm_utils.files import bundled_data_dir
from charlm_utils.names import write_names
from charlm_utils.reproduce import RECIPES
from charlm_utils.runs import load_results, load_run, read_run

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent
NAMES = sorted(path.stem for path in (bundled_data_dir() / "experiments").glob("*.json"))
SETTINGS = {"sizes": (1, 2), "rate": 0.1}


@pytest.fixture
def common(script):
    return script("experiments", "common")


@pytest.fixture
def start(common, tmp_path):
    """A function that starts an experiment in a folder of its own."""

    def start(settings=SETTINGS):
        return common.Experiment("here/size.py", "Larger?\n\nMore.", chapter="1", settings=settings, folder=tmp_path)

    return start


def test_results_are_written_one_by_one_and_not_measured_again(start, tmp_path):
    experiment = start()
    assert experiment.measure("a", 0, lambda: {"nats": 2.0})["nats"] == 2.0
    with pytest.raises(KeyboardInterrupt):
        experiment.measure("a", 1, lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    again = start()
    again.measure("a", 0, lambda: pytest.fail("measured twice"))
    again.measure("a", 1, lambda: {"nats": 3.0})
    again.conclude(lambda results: ("Yes.", "1 ± 0 nats"))
    record = json.loads((tmp_path / "size.json").read_text())
    assert [(row["arm"], row["seed"], row["nats"]) for row in record["results"]] == [("a", 0, 2.0), ("a", 1, 3.0)]
    assert (record["question"], record["answer"], record["effect"]) == ("Larger?", "Yes.", "1 ± 0 nats")
    assert record["minutes"] == 0
    assert len(record["provenance"]["machines"]) == 1


def test_results_of_other_settings_are_not_mixed(start):
    start().measure("a", 0, dict)
    with pytest.raises(ValueError, match="other settings"):
        start(SETTINGS | {"rate": 0.2})


def test_minutes_are_unknown_where_those_of_one_result_are(start, tmp_path):
    experiment = start()
    experiment.results.append({"arm": "old", "seed": 0})
    experiment.measure("new", 0, dict)
    assert json.loads((tmp_path / "size.json").read_text())["minutes"] is None


def test_differences_are_paired_by_seed(common):
    rows = [("a", 0, 5.0), ("a", 1, 7.0), ("b", 0, 4.0), ("b", 1, 4.0), ("b", 2, 9.0)]
    results = [{"arm": arm, "seed": seed, "nats": nats} for arm, seed, nats in rows]
    mean, error, seeds = common.paired_difference(results, "a", "b", "nats")
    assert (mean, seeds) == (2.0, 2)
    assert error == pytest.approx(1.0)  # differences of 1 and 3


def test_a_mean_has_the_error_of_its_seeds(common):
    results = [{"arm": "a", "seed": 0, "nats": 1.0}, {"arm": "a", "seed": 1, "nats": 3.0}, {"arm": "b", "nats": 9.0}]
    assert common.mean_and_error(results, "a", "nats") == (2.0, pytest.approx(1.0), 2)


@pytest.mark.parametrize("lowest", [0.01, 0.08, 0.5])
def test_the_chosen_rate_lies_between_two_worse_ones(common, start, lowest):
    experiment = start()

    def call(rate):
        if rate > 1:
            raise ValueError("the loss became nan: lower the learning rate")
        return {"validation": abs(np.log(rate / lowest))}

    chosen = common.choose_rate(experiment, "a", 0.08, call)
    tried = sorted(row["rate"] for row in experiment.results)
    assert tried[0] < chosen < tried[-1]
    assert lowest / 1.5 < chosen < lowest * 1.5
    assert [row["validation"] is None for row in experiment.results if row["rate"] > 1] in ([], [True])


def test_every_seed_is_measured_at_the_chosen_rate(common, start):
    experiment = start()

    def attempt(rate):
        return {"validation": abs(np.log(rate / 0.1))}

    def call(rate, seed):
        return {"rate": rate, "nats": rate + seed}

    chosen = common.choose_and_measure(experiment, "a", 0.1, attempt, call, [3, 4])
    rows = [(row["seed"], row["nats"]) for row in experiment.results if row["arm"] == "a"]
    assert chosen == 0.1
    assert rows == [(3, 3.1), (4, 4.1)]


def test_a_rate_at_the_edge_is_not_chosen(common, start):
    with pytest.raises(ValueError, match="the outermost"):
        common.choose_rate(start(), "a", 0.1, lambda rate: {"validation": -rate})


def test_other_errors_are_not_taken_for_a_rate_that_is_too_high(common, start):
    with pytest.raises(ValueError, match="part 2 of 2 needs"):
        common.choose_rate(start(), "a", 0.1, lambda rate: common.split_corpus("short"))


def test_batches_of_any_order_are_learned_with_and_without_their_state(common):
    ids = np.tile([0, 0, 1], 400)  # a window that begins with 0 goes on with 0 or 1: only its state tells
    losses = {}
    for carry in (True, False):
        common.set_seed(0)
        network = common.build_model(2, cell="gru", units=8, embedding_dim=4)
        batches = list(contiguous_batches(ids, 4, 2))
        adam = common.keras.optimizers.Adam(0.03)
        losses[carry] = common.fit_batches(network, [batches] * 4, adam, carry=carry)[-1]
    assert losses[True] < 0.1 < 0.2 < losses[False]
    network.set_weights([np.full_like(weight, np.nan) for weight in network.get_weights()])
    with pytest.raises(ValueError, match="pass 1 became nan: lower the learning rate"):
        common.fit_batches(network, [batches], common.keras.optimizers.Adam(), carry=True)


def test_a_tiny_network_is_trained_the_same_way_each_time(common, monkeypatch):
    text = load_corpus("play")[:4000]
    vocabulary = common.Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    monkeypatch.setattr(common, "load_parts", lambda: SimpleNamespace(vocabulary=vocabulary))
    model = {"cell": "gru", "units": 8, "embedding_dim": 4}
    training = {"batch_size": 8, "time": 16, "epochs": 3, "learning_rate": 0.02, "use_ema": True}
    network, history = common.fit(ids, model, training, seed=1)
    again, _ = common.fit(ids, model, training, seed=1)
    assert history["train"][-1] < history["train"][0]
    assert evaluate(network, ids) == evaluate(again, ids) < np.log(len(vocabulary))


@pytest.fixture
def common_names(script, monkeypatch):
    """What the experiments on names share, with a short list that comes with the package."""
    module = script("experiments", "common_names")
    lines = sorted(load_corpus("genera").split())[::20]
    vocabulary = module.Vocabulary.from_text("\n".join(lines))
    names = module.Names(vocabulary, lines, lines[:40], lines[40:48], lines[48:], lines[48:])
    monkeypatch.setattr(module, "load_names", lambda: names)
    return module


def test_a_description_of_names_tells_copies_and_judges_their_stems(common_names, monkeypatch):
    names = common_names.load_names()
    judges = [common_names.fit_judge(names.unlisted), common_names.fit_judge(map_stems(common_names, names.unlisted))]
    monkeypatch.setattr(common_names, "judges", lambda: judges)
    real = common_names.describe_written(names.learned, names.learned)
    assert (real["copied"], real["far"], real["distinct"]) == (1, 0, 1)
    turned = common_names.describe_written([name[::-1] for name in names.learned] * 2, names.learned)
    assert (turned["copied"], turned["far"], turned["distinct"]) == (0, 1, 0.5)
    assert turned["judge"] > real["judge"] + 0.2
    without = [name for name in names.learned if not name.endswith("saurus")]
    with_suffix = common_names.describe_written([name + "saurus" for name in without], names.learned)
    assert with_suffix["suffix"] == 1
    assert with_suffix["judge_stem"] == common_names.describe_written(without, names.learned)["judge_stem"]


def map_stems(common_names, names):
    return [common_names.stem(name) for name in names]


def test_names_are_learned_with_and_without_padding_state_and_start(common_names, monkeypatch):
    monkeypatch.setattr(common_names, "BATCH", 8)
    names = common_names.load_names().learned
    for padded, carry, start in [(True, True, False), (False, False, True)]:
        way = common_names.Way(padded=padded, carry=carry, start=start)
        inputs, targets = common_names.rows_of(names, way)
        assert inputs.shape[1] == common_names.LONGEST + start
        assert (targets == common_names.PADDING).any() == (not padded)
        network = common_names.build_names_network(8, 4, seed=0)
        before = common_names.score_names(network, names, way, leaked=carry)
        means = common_names.fit_names(network, names, way, rate=0.02, epochs=3, seed=0)
        after = common_names.score_names(network, names, way, leaked=carry)
        assert means[-1] < means[0] and after["nats"] < before["nats"] - 0.3
        letters = after["per_name"][:, 1]
        assert letters.tolist() == [len(name) for name in names]  # all but the first letter, and the newline
        if padded:
            assert after["padded"] < after["nats"] - 0.5
        else:
            by_package = common_names.names_loss()(targets, network(inputs))
            total = (after["per_name"][:, 0].sum() + after["first"] * len(names)) / (letters.sum() + len(names))
            assert total == pytest.approx(float(by_package), abs=1e-4)


def test_a_leaked_state_is_that_after_two_names(common_names):
    names = common_names.load_names().learned
    way = common_names.Way(padded=True, carry=True, start=False)
    network = common_names.build_names_network(8, 4, seed=0)
    inputs, _ = common_names.rows_of(names, way)
    before = np.concatenate([inputs[3], inputs[4]])[None]
    _, expected = common_names.forward(network, before, common_names.zero_states(network, 1))
    leaked = common_names.leaked_states(network, names, way)
    np.testing.assert_allclose(leaked[0][0][5], expected[0][0][0], atol=1e-6)


def test_names_are_written_from_primes_and_states_until_the_newline(common_names):
    names = common_names.load_names()
    network = common_names.build_names_network(8, 4, seed=0)
    common_names.fit_names(
        network, names.learned * 4, common_names.Way(False, False, True), rate=0.03, epochs=2, seed=0
    )
    states = common_names.zero_states(network, 2)
    greedy = common_names.write_from(network, ["\nA", "\nM"], states, temperature=1e-6, seed=0)
    for letter, written in zip("AM", greedy, strict=True):
        expected = write_names(network, names.vocabulary, 1, prime=letter, temperature=0, longest=30)
        assert written == expected[0]
    drawn = common_names.write_from(network, ["\nA"] * 2, states, temperature=1.0, seed=1)
    assert drawn == common_names.write_from(network, ["\nA"] * 2, states, temperature=1.0, seed=1)
    assert drawn[0] != drawn[1] and all("\n" not in name for name in drawn)


def test_the_error_of_a_ratio_is_that_of_many_draws(common_names):
    draw = np.random.default_rng(0)
    characters = draw.integers(3, 12, size=200).astype(float)
    per_name = np.stack([characters * draw.normal(2, 0.5, size=200), characters], axis=1)
    ratio, error = common_names.ratio_and_error(per_name)
    again = per_name[draw.integers(200, size=(2000, 200))]
    ratios = again[..., 0].sum(axis=1) / again[..., 1].sum(axis=1)
    assert ratio == pytest.approx(ratios.mean(), abs=0.005)
    assert error == pytest.approx(ratios.std(), rel=0.05)


def test_a_network_reads_as_many_of_its_own_characters_as_it_is_told_to(script):
    own = script("experiments", "own_predictions")
    own.set_seed(0)
    network = own.build_model(3, cell="gru", units=4, embedding_dim=2)
    *others, bias = network.get_weights()
    network.set_weights([*others, bias + [0.0, 0.0, 50.0]])  # it always draws the last character
    inputs = own.tf.constant(np.tile([0, 1], (200, 5)), own.tf.int32)
    states = own.zero_states(network, 200)
    for share in (0.0, 0.3, 1.0):
        mixed = own.mix(network, inputs, states, own.tf.constant(share), own.tf.constant([0, 0])).numpy()
        drawn = mixed == 2
        np.testing.assert_array_equal(mixed[~drawn], inputs.numpy()[~drawn])
        assert not drawn[:, 0].any()
        assert drawn[:, 1:].mean() == pytest.approx(share, abs=0.05)


def test_a_network_draws_from_its_prediction_for_what_it_has_read(script):
    own = script("experiments", "own_predictions")
    own.set_seed(0)
    network = own.build_model(3, cell="gru", units=4, embedding_dim=2)
    inputs = own.tf.zeros((3000, 3), own.tf.int32)
    states = own.zero_states(network, 3000)
    mixed = own.mix(network, inputs, states, own.tf.constant(1.0), own.tf.constant([0, 0])).numpy()
    first = own.tf.nn.softmax(network(inputs[:1, :1])[0, -1]).numpy()
    np.testing.assert_allclose(np.bincount(mixed[:, 1], minlength=3) / 3000, first, atol=0.03)
    rows = mixed[mixed[:, 1] == 2]
    second = own.tf.nn.softmax(network(own.tf.constant([[0, 2]]))[0, -1]).numpy()
    np.testing.assert_allclose(np.bincount(rows[:, 2], minlength=3) / len(rows), second, atol=0.06)


def test_windows_grow_and_shrink_at_an_equal_number_of_steps(script):
    lengths = script("experiments", "short_to_long")
    assert lengths.PLANS["long to short"] == lengths.PLANS[lengths.GROWING][::-1]
    steps = set()
    for plan in lengths.PLANS.values():
        assert len(plan) == 3
        for time in plan:
            rows = lengths.PER_BATCH // time
            assert rows * time == lengths.PER_BATCH
            steps.add(lengths.LEARNED // rows // time)
    assert len(steps) == 1


def test_windows_are_carried_reset_shuffled_leaked_and_cut_by_a_cursor(script, common, monkeypatch):
    carrying = script("experiments", "carrying")
    ids = np.arange(241)
    vocabulary = common.Vocabulary.from_text("ab")
    monkeypatch.setattr(carrying, "load_parts", lambda: common.Parts(vocabulary, "", "", *[ids] * 4))
    monkeypatch.setattr(carrying, "PER_BATCH", 24)
    passes = {way: list(carrying.batches_of(way, 8, seed=0)) for way in carrying.WAYS}
    inputs = {way: np.array([batch[0] for batch in passes[way][0]]) for way in carrying.WAYS}
    for way in carrying.WAYS:
        assert len(passes[way]) == carrying.PASSES
        assert inputs[way].shape == (10, 3, 8)
        for windows, targets in passes[way][1]:
            np.testing.assert_array_equal(targets, windows + 1)
        np.testing.assert_array_equal(np.sort(inputs[way], axis=None), np.arange(240))
    np.testing.assert_array_equal(inputs["carried"][1:, :, 0], inputs["carried"][:-1, :, -1] + 1)
    np.testing.assert_array_equal(inputs["carried"], inputs["reset"])
    np.testing.assert_array_equal(inputs["shuffled"], inputs["leaked"])
    assert (inputs["shuffled"] != np.array([batch[0] for batch in passes["shuffled"][1]])).any()
    np.testing.assert_array_equal(inputs["cursor"].ravel(), np.arange(240))
    carried = []
    monkeypatch.setattr(carrying, "fit_batches", lambda *_, carry: carried.append(carry))
    for way in carrying.WAYS:
        carrying.fit_way(way, 8, 0.01, seed=0)
    assert carried == [way in ("carried", "leaked") for way in carrying.WAYS]


def test_rows_of_s004_go_on_and_begin_again_at_the_start_of_the_text(script, monkeypatch):
    s004 = script("experiments", "s004_settings")
    monkeypatch.setattr(s004, "STEPS", 20)
    ids = np.arange(640)
    windows = list(s004.cursor_windows(ids))
    inputs = np.concatenate([window[0] for window in windows], axis=1)
    targets = np.concatenate([window[1] for window in windows], axis=1)
    np.testing.assert_array_equal(inputs, (np.arange(64)[:, None] * 10 + np.arange(200)) % 640)
    np.testing.assert_array_equal(targets, (inputs + 1) % 640)


def test_initial_weights_are_those_of_s004_or_of_keras(script, common, monkeypatch):
    s004 = script("experiments", "s004_settings")
    parts = common.Parts(common.Vocabulary.from_text("abc"), "", "", *[np.arange(3)] * 4)
    monkeypatch.setattr(s004, "load_letters", lambda: parts)
    older = s004.build_network(s004.S004, seed=0)
    same = s004.build_network(s004.S004 | {"optimizer": "Adam"}, seed=0)
    today = s004.build_network(s004.TODAY, seed=0)
    for one, other in zip(older.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    recurrent = [s004.recurrent_layers(network)[0].cell for network in (older, today)]
    matrix = recurrent[0].recurrent_kernel.numpy()
    assert abs(matrix.mean() + 0.1) < 0.002 and matrix.min() > -0.301 and matrix.max() < 0.101
    assert abs(recurrent[1].recurrent_kernel.numpy().mean()) < 0.01
    assert [cell.bias.numpy().sum() for cell in recurrent] == [0, 64]


def test_gradients_are_measured_before_they_are_clipped(script, common):
    clipping = script("experiments", "clipping")
    ids = np.arange(24).reshape(2, 12) % 3
    measured, moved = [], []
    for ways in ({}, {"global_clipnorm": 1e-4}):
        common.set_seed(0)
        network = common.build_model(3, cell="lstm", units=4, embedding_dim=2)
        before = network.get_weights()[-1]
        step = clipping.compiled_step(network, common.keras.optimizers.SGD(1.0, **ways))
        _, norm, entries = step(ids[:, :-1], ids[:, 1:], common.zero_states(network, 2))
        assert len(entries) == len(network.trainable_variables)
        measured.append([float(norm), *entries.numpy()])
        moved.append(np.abs(network.get_weights()[-1] - before).max())
    np.testing.assert_allclose(measured[0], measured[1], rtol=1e-5)
    assert measured[0][-1] == pytest.approx(moved[0], rel=1e-4) and moved[1] <= 1e-4 < moved[0]


def test_a_difference_in_words_needs_more_errors_with_fewer_seeds(common):
    assert common.in_words(-0.29, 0.1, 5) == "lower by 0.290 ± 0.100 nats"
    assert common.in_words(0.29, 0.1, 10, high="worse") == "worse by 0.290 ± 0.100 nats"
    none = common.in_words(0.27, 0.1, 5)
    assert none == "no difference detected (+0.270 ± 0.100; one above 0.280 nats would have been)"
    assert common.in_words(0.1, np.nan, 2).startswith("no difference detected")
    assert "above 0.430 nats" in common.in_words(0.29, 0.1, 3)


def test_windows_in_order_are_all_read_and_shuffled_anew_in_every_epoch(script, monkeypatch):
    order = script("experiments", "windows_order")
    monkeypatch.setattr(order, "WINDOWS", 96)
    assert order.order_of("in order", 0, 1).ravel().tolist() == list(range(96))
    first, second, again = (order.order_of("shuffled", 0, epoch) for epoch in (0, 1, 0))
    assert first.shape == (3, 32)
    assert sorted(first.ravel()) == list(range(96))
    assert (first != second).any()
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, order.order_of("one order", 0, 1))


def test_windows_are_scored_as_the_package_scores_them(script, monkeypatch):
    order = script("experiments", "windows_order")
    monkeypatch.setattr(order, "ROWS", 50)
    order.set_seed(0)
    network = order.build_model(4, cell="lstm", units=4, embedding_dim=None)
    ids = np.random.default_rng(0).integers(4, size=150)
    nats, accuracy = order.score_windows(network, *order.windows_of(ids))
    assert nats == pytest.approx(evaluate_windows(network, ids, order.TIME), abs=1e-5)
    assert 0 <= accuracy <= 1


def test_the_loop_with_dropout_is_the_layer_where_nothing_is_dropped(script):
    dropout = script("experiments", "windows_dropout")
    dropout.set_seed(0)
    network = dropout.build_model(5, cell="lstm", units=6, embedding_dim=None)
    windows = dropout.tf.constant(np.random.default_rng(0).integers(5, size=(7, 4)), dropout.tf.int32)
    logits = network(windows)[:, -1]
    np.testing.assert_allclose(dropout.last_logits(network, windows, 0.0, 0.0), logits, atol=1e-5)
    for shares in ((0.5, 0.0), (0.0, 0.5)):
        assert np.abs(dropout.last_logits(network, windows, *shares) - logits).max() > 1e-3
    together = dropout.masks(1, 7, 6, 0.5)
    apart = dropout.masks(4, 7, 6, 0.5)
    assert all(np.array_equal(together[0], mask) for mask in together)
    assert not np.array_equal(apart[0], apart[1])


def test_hits_of_counts_are_those_of_their_likeliest_characters(script):
    counts = script("experiments", "counts_windows")
    ids = np.array([0, 1, 0, 1, 0, 2] * 20)
    model = counts.NgramModel(2).fit(ids, 3)
    hits = [int(np.argmax(model.probabilities(ids[place - 1 : place]))) == ids[place] for place in range(4, len(ids))]
    assert counts.share_of_hits(model, ids, 4) == np.mean(hits) == pytest.approx(5 / 6, abs=0.01)


def test_a_written_text_that_differs_is_said_to(script):
    scrambled = script("experiments", "windows_scrambled")
    rows = []
    for seed, noise in enumerate([0.0, 0.1, 0.2, 0.3, 0.4]):
        bands = len(scrambled.BANDS) - 1
        rows.append({"arm": "true prime", "seed": seed, "counted": [2.0] * bands})
        rows.append({"arm": "prime scrambled", "seed": seed, "counted": [1.8 + noise] + [3.0 + noise] * (bands - 1)})
    said = scrambled.written_in_words(rows, 5)
    assert "characters 2 to 4" not in said and "characters 5 to 8 higher by 1.200" in said
    assert scrambled.written_in_words([row | {"counted": row["counted"][:1] * bands} for row in rows], 5).startswith(
        "no difference at any distance (one above 0.198 nats"
    )


@pytest.fixture
def decoders(script, common, monkeypatch):
    """The experiment on decoders with a network that knows nothing, and a text of three characters."""
    module = script("experiments", "decoders")
    text = "abcab\nbca\n" * 60
    vocabulary = common.Vocabulary.from_text(text)
    ids = vocabulary.encode(text)
    parts = common.Parts(vocabulary, text, text, *[ids] * 4)
    common.set_seed(0)
    network = common.build_model(len(vocabulary), cell="gru", units=4, embedding_dim=2)
    monkeypatch.setattr(module, "load_parts", lambda: parts)
    monkeypatch.setattr(module, "network", lambda: network)
    for name, value in {"LENGTH": 12, "PRIME": 6, "PLACES": 2}.items():
        monkeypatch.setattr(module, name, value)
    return module


def test_what_would_be_written_twice_is_forbidden(decoders):
    assert decoders.forbidden([1, 2, 3, 1, 2], 3) == [3]
    assert decoders.forbidden([1, 2, 3, 4], 3) == []
    assert decoders.forbidden([1], 3) == []
    primes, truth = decoders.primes_and_truth(0)
    assert primes.shape == (2, 6) and truth.shape == (2, 12)
    assert decoders.load_parts().vocabulary.decode(primes[0]).endswith("\n")
    for row in decoders.draw(primes, {"temperature": 0.0, "once": 2}, [0]):
        pieces = list(zip(row[:-1], row[1:], strict=True))
        assert len(set(pieces)) == len(pieces)


def test_a_beam_of_one_is_greedy_and_wider_ones_find_likelier_texts(decoders):
    primes, _ = decoders.primes_and_truth(0)
    greedy = decoders.draw(primes, {"temperature": 0.0}, [0])
    np.testing.assert_array_equal(decoders.search(primes, 1), greedy)
    costs = [decoders.measure(primes, decoders.search(primes, width))["nats"] for width in (1, 16)]
    assert costs[1] <= costs[0] + 1e-6


def test_seeds_drawn_together_are_those_drawn_alone(decoders):
    first, _ = decoders.primes_and_truth(0)
    second, _ = decoders.primes_and_truth(1)
    together = decoders.draw(np.concatenate([first, second]), {"top_p": 0.9}, [0, 1])
    np.testing.assert_array_equal(together[2:], decoders.draw(second, {"top_p": 0.9}, [1]))


def test_a_text_is_measured_as_the_package_does(decoders):
    assert decoders.longest_known("xbcay", "abcab") == len("bca")
    assert decoders.words_of("It's so, my lor") == ["It's", "so", "my"]
    primes, truth = decoders.primes_and_truth(0)
    known = decoders.measure(primes, truth)
    assert known["new"] == 0 and known["words"] == 1 and known["copied"] == 12


def test_a_temperature_is_fitted_to_logits_that_are_too_large(script):
    calibration = script("experiments", "calibration")
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(20_000, 3))
    targets = np.argmax(logits + generator.gumbel(size=logits.shape), axis=1)
    honest = calibration.calibrate(logits, targets)
    sure = calibration.calibrate(1.2 * logits, targets)
    assert abs(honest["fitted"] - 1) < 0.06 and abs(sure["fitted"] - 1.2) < 0.06
    assert abs(honest["nats"] - honest["entropy"]) < 0.02 < sure["nats"] - sure["entropy"]
    assert sure["nats_fitted"] < sure["nats"]


def test_a_network_is_fine_tuned_with_the_characters_of_its_run_and_the_new_ones(script, monkeypatch):
    tuning = script("experiments", "fine_tuning")
    run = load_run(tuning.RUN)
    vocabulary = run.vocabulary.extended("äöü")
    monkeypatch.setattr(tuning, "load_text", lambda: (vocabulary, None, None, None))
    old = run.model.get_weights()
    new = tuning.new_network("fine-tuned", seed=0).get_weights()
    assert new[0].shape == (len(run.vocabulary) + 3, 256)
    np.testing.assert_array_equal(new[0][:-3], old[0])
    np.testing.assert_array_equal(new[2], old[2])
    assert tuning.new_network("small, from nothing", seed=0).count_params() < 100_000


def test_a_short_text_is_cut_behind_seven_and_eight_tenths(script):
    own_texts = script("experiments", "own_texts")
    vocabulary, learned, validation, test = own_texts.load_parts("tunes")
    own_texts.load_parts.cache_clear()
    assert vocabulary.decode(np.concatenate([learned, validation, test])) == load_corpus("tunes")
    assert (len(learned), len(validation)) == (14062, 2009)


def test_every_script_has_its_results():
    scripts = {path.stem for path in (ROOT / "experiments").glob("*.py")} - {
        "common",
        "common_names",
        "on_jax",
        "table",
        "trainings",
    }
    assert scripts == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_says_what_its_script_says(name, script):
    record, module = load_results(name), script("experiments", name)
    keys = ["question", "answer", "effect", "chapter", "settings", "results", "minutes", "provenance"]
    assert list(record) == keys
    assert record["question"] == module.__doc__.splitlines()[0]
    assert record["question"].endswith("?")
    assert record["settings"] == json.loads(json.dumps(module.SETTINGS))
    assert (record["answer"], record["effect"]) == module.conclude(record["results"])
    assert record["answer"].endswith(".") and "nan" not in record["effect"]
    assert record["chapter"] == module.CHAPTER
    assert (ROOT / "chapters" / f"{record['chapter']}.ipynb").is_file()
    assert script("experiments", "common").load_parts.cache_info().currsize == 0, "a script reads its text at import"


@pytest.mark.parametrize("name", NAMES)
def test_results_are_single_and_finite(name):
    record = load_results(name)
    pairs = [(row["arm"], row["seed"]) for row in record["results"]]
    assert len(set(pairs)) == len(pairs) > 0
    for row in record["results"]:
        assert isinstance(row["arm"], str) and isinstance(row["seed"], int | None)
        assert any(isinstance(value, float) for value in row.values())
        for value in row.values():
            if value is not None and not isinstance(value, str):
                assert np.isfinite(value).all(), row
    minutes = [row.get("minutes") for row in record["results"]]
    assert record["minutes"] == (None if None in minutes else pytest.approx(sum(minutes), abs=0.06))
    assert record["provenance"]["machines"]
    for machine in record["provenance"]["machines"]:
        assert machine["processor"]
        assert machine.keys() >= {"cores", "tensorflow", "python"} or machine.keys() >= {"jax", "networks_at_a_time"}


def test_the_table_of_the_experiments_is_that_of_their_files(script):
    text = (ROOT / "experiments" / "README.md").read_text("utf-8")
    assert text.endswith("\n\n" + script("experiments", "table").table())


def test_an_unknown_experiment_is_refused():
    with pytest.raises(ValueError, match="no experiment 'nothing'; there are: best, bfloat16, calibration"):
        load_results("nothing")


def test_the_order_of_the_counts_is_that_of_the_lowest_validation_loss():
    rows = [row for row in load_results("counts")["results"] if row["smoothing"] == "kneser-ney"]
    best = min(rows, key=lambda row: row["validation"])
    assert best["order"] == load_results("best")["settings"]["order"] == 7


@pytest.mark.parametrize("experiment", ["counts_anna", "counts_letters", "counts_warpeace"])
def test_a_network_is_scored_beside_the_counts_as_in_its_record(experiment):
    record = load_results(experiment)
    name = record["settings"]["run"]
    (network,) = [row for row in record["results"] if row["arm"] == name]
    assert network["nats"] == pytest.approx(read_run(name)[0]["held_out_nats"], abs=1e-4)


@pytest.fixture
def trainings(script, common, monkeypatch, tmp_path):
    """The module, with a text of its own, a folder of its own, and nothing printed."""
    module = script("experiments", "trainings")
    ids = np.tile([0, 0, 1], 300)  # a window that begins with 0 goes on with 0 or 1: only its state tells
    noise = np.random.default_rng(0).integers(0, 2, 600)
    parts = SimpleNamespace(vocabulary="ab", learned=ids, train=ids, validation=noise, test=ids[:500])
    monkeypatch.setattr(module, "load_parts", lambda corpus, characters, held_out: parts)
    monkeypatch.setattr(module, "MADE", tmp_path / "made")
    return module


def small_plan(trainings, **changes):
    told = {
        "learn": ["learned", None, None],
        "model": {"cell": "gru", "units": 8, "num_layers": 1, "embedding_dim": 4},
        "shape": {"batch_size": 4, "time": 2},
        "epochs": 3,
        "rate": 0.03,
        "seed": 0,
        "watch": {"validation": trainings.scoring("validation")},
        "score": {"test": trainings.scoring("test"), "windows": trainings.scoring("test", way="windows", time=2)},
    }
    return trainings.plan(**(told | changes))


def test_trainings_carry_the_state_or_not(trainings):
    carried = trainings.outcome_of(small_plan(trainings))
    reset = trainings.outcome_of(small_plan(trainings, carry=False))
    assert len(carried["train"]) == len(carried["watched"]["validation"]) == 3
    assert carried["scores"]["test"] < 0.1 < 0.2 < reset["train"][-1]
    assert carried["parameters"] == reset["parameters"]


def test_a_training_keeps_the_weights_of_the_best_pass(trainings):
    score = {"validation": trainings.scoring("validation")}
    planned = small_plan(trainings, score=score, keep_best=True, rate=0.002)
    outcome = trainings.outcome_of(planned)
    seen = outcome["watched"]["validation"]
    assert outcome["best_pass"] == 1 == np.argmin(seen) + 1  # the surer the network gets, the worse it guesses noise
    assert outcome["scores_best"]["validation"] == pytest.approx(seen[0], abs=1e-5)
    assert outcome["scores"]["validation"] == pytest.approx(seen[-1], abs=1e-5)


def test_a_training_that_was_made_is_not_made_again(trainings, monkeypatch):
    planned = small_plan(trainings, epochs=1, kept=["test", "weights"])
    outcome = trainings.outcome_of(planned)
    monkeypatch.setattr(trainings, "make", lambda planned: pytest.fail("made twice"))
    assert trainings.outcome_of(planned) == outcome
    assert trainings.array_of(planned, "test").mean() == pytest.approx(outcome["scores"]["test"], abs=1e-6)
    network = trainings.network_of(planned)
    assert evaluate(network, trainings.load_parts(None, None, "last").test) == pytest.approx(outcome["scores"]["test"])
    settings = {key: planned[key] for key in planned if key != "name"}
    assert trainings.plan(**settings) == planned


def test_a_training_that_was_made_elsewhere_and_diverged_is_one_that_diverges(trainings):
    planned = small_plan(trainings)
    outcome = {"train": [float("nan")]}
    trainings.MADE.mkdir()
    (trainings.MADE / f"{planned['name']}.json").write_text(json.dumps({"plan": planned, "outcome": outcome}))
    with pytest.raises(ValueError, match="lower the learning rate"):
        trainings.outcome_of(planned)


def test_jax_makes_the_same_trainings(trainings, tmp_path):
    python = os.environ.get("CHARLM_JAX_PYTHON")
    if python is None:
        pytest.skip("CHARLM_JAX_PYTHON does not name a Python with JAX and optax")
    score = {
        "test": trainings.scoring("test"),
        "rows": trainings.scoring("learned", rows=2),
        "windows": trainings.scoring("test", way="windows", time=20),
        "random": trainings.scoring("test", way="random", time=20, rows=3, draws=2),
    }
    told = {"score": score, "shape": {"batch_size": 4, "time": 20}, "keep_best": True}
    groups = {
        cell: [
            small_plan(trainings, model=model_of(cell), **told),
            small_plan(trainings, model=model_of(cell), seed=1, carry=False, weight_decay=0.1, decay="none", **told),
        ]
        for cell in ("rnn", "gru", "lstm")
    }
    parts = trainings.load_parts(None, None, "last")
    texts = {part: getattr(parts, part).astype(np.uint8) for part in ("learned", "train", "validation", "test")}
    named = {f"shakespeare-None-last-{part}": ids for part, ids in texts.items()}
    np.savez(tmp_path / "texts.npz", **named)
    (tmp_path / "plans.json").write_text(json.dumps(groups))
    initial = {}
    for planned in (planned for group in groups.values() for planned in group):
        for place, weights in enumerate(trainings.new_network(planned).get_weights()):
            initial[f"{planned['name']}/{place}"] = weights
    np.savez(tmp_path / "initial.npz", **initial)
    subprocess.run([python, ROOT / "experiments" / "on_jax.py", tmp_path], check=True, capture_output=True)
    for planned in (planned for group in groups.values() for planned in group):
        ours = trainings.outcome_of(planned)
        theirs = json.loads((tmp_path / "made" / f"{planned['name']}.json").read_text())["outcome"]
        assert theirs["train"] == pytest.approx(ours["train"], abs=2e-3)
        assert theirs["watched"]["validation"] == pytest.approx(ours["watched"]["validation"], abs=2e-3)
        assert theirs["scores"] == pytest.approx(ours["scores"], abs=2e-3)
        assert theirs["scores_best"] == pytest.approx(ours["scores_best"], abs=2e-3)
        assert (theirs["best_pass"], theirs["parameters"]) == (ours["best_pass"], ours["parameters"])


def model_of(cell):
    return {"cell": cell, "units": 8, "num_layers": 2, "embedding_dim": 4}


def test_a_curve_that_is_still_falling_is_told_from_a_flat_one(script, common):
    size = script("experiments", "size")
    assert size.last_change([9.0] * 8 + [4.0, 4.0, 3.0, 3.0, 2.0, 2.0]) == -1.0
    assert size.last_change([5.0, 4.0, 3.0, 3.0]) == 0.0


def test_networks_of_one_size_have_as_many_parameters_and_the_best_rate():
    record = load_results("size")
    rows = record["results"]
    for networks in record["settings"]["sizes"].values():
        sizes = [row["parameters"] for row in rows if [row["layers"], row["units"]] in networks]
        assert max(sizes) < 1.02 * min(sizes)
    for text, settings in record["settings"]["texts"].items():
        for layers, units in settings["networks"]:
            name = f"{text} text, {layers} x {units}"
            attempts = [row for row in rows if row["arm"].startswith(f"{name} at ")]
            tried = {row["rate"]: math.inf if row["validation"] is None else row["validation"] for row in attempts}
            chosen = {row["rate"] for row in rows if row["arm"].startswith(f"{name}, dropout")}
            assert chosen == {min(tried, key=tried.get)}
            assert min(tried) < min(chosen) < max(tried)


def check_choice(rows, chosen):
    """Assert that the chosen rate has the lowest validation loss of those tried, and is none of the outermost."""
    tried = {row["rate"]: math.inf if row["validation"] is None else row["validation"] for row in rows}
    assert chosen == {min(tried, key=tried.get)}
    assert min(tried) < min(chosen) < max(tried)


def test_cells_of_equal_size_have_as_many_parameters_and_the_best_rate():
    record = load_results("equal_size")
    rows = record["results"]
    sizes = [row["parameters"] for row in rows if "parameters" in row]
    assert max(sizes) < 1.01 * min(sizes)
    for cell in record["settings"]["units"]:
        for way in record["settings"]["ways"]:
            arm = f"{cell}, {way}"
            tried = [row for row in rows if row["arm"].startswith(f"{arm} at ")]
            check_choice(tried, {row["rate"] for row in rows if row["arm"] == arm})


def test_weights_and_rates_are_those_that_were_best_on_the_validation_text():
    record = load_results("best")
    rows = {row["arm"]: row for row in record["results"]}
    rates = record["settings"]["rates"]
    steps = record["settings"]["steps"]
    for held_out in ("last", "first"):
        for members, arm in ((1, "alone and counts"), (5, "ensemble and counts")):
            losses = rows[f"weights for {members}, on stand-ins"]["validation"]
            assert 0 < np.argmin(losses) < steps
            assert rows[f"{arm}, {held_out}"]["weights"] == pytest.approx([np.argmin(losses) / steps])
        dynamic = rows[f"dynamic evaluation, {held_out}"]
        check_choice(
            [{"rate": rate, "validation": loss} for rate, loss in zip(rates, dynamic["validation"], strict=True)],
            {dynamic["rate"]},
        )


def test_the_best_recipe_is_the_one_with_the_lowest_validation_loss():
    rows = load_results("recipe")["results"]
    means = {row["arm"]: np.mean([each["validation"] for each in rows if each["arm"] == row["arm"]]) for row in rows}
    assert min(means, key=means.get) == load_results("best")["settings"]["arm"]
    tried = load_results("recipe")["settings"]
    best = tried["training"] | tried["arms"]["weight decay 0.1"]
    made = RECIPES["shakespeare-best"].method
    assert (made.epochs, made.batch_size, made.time) == (best["epochs"], best["batch_size"], best["time"])
    assert (made.learning_rate, made.weight_decay) == (best["rate"], best["weight_decay"])
    assert RECIPES["shakespeare-best"].model.dropout == tried["model"]["dropout"]


def test_lines_of_verse_are_measured_without_names_and_without_the_last_piece(script):
    assert script("experiments", "units").line_lengths(["ab\nabcd\n\nFOOL:\nabc\nabcde", "a\n"]) == [2, 4, 3, 1]


@pytest.mark.parametrize(
    ("text", "mark"),
    [(' he said. "No', "opens"), (' it," he said', "closes"), ("none", None), ('at the end"', None), ('a"b', None)],
)
def test_a_quotation_mark_opens_or_closes(script, text, mark):
    assert script("experiments", "units").first_mark(text) == mark


def test_units_are_chosen_and_counted_as_the_script_says(script):
    units = script("experiments", "units")
    record = load_results("units")
    rows = [row for row in record["results"] if row["arm"].startswith("units of")]
    assert len(rows) == 2 * len({row["seed"] for row in rows}) == 6
    for row in rows:
        followers = [value for name, value in row.items() if name.endswith(", followers")]
        assert max(followers) <= row["followers"] <= sum(followers)
    kinds = {row["arm"]: row for row in record["results"] if row["arm"].startswith("kinds")}
    for row in kinds.values():
        assert np.dot(row["shares"], row["by_kind"]) == pytest.approx(row["nats"], abs=1e-4)
    recorded = read_run("shakespeare-gru")[0]["held_out_nats"]
    assert kinds["kinds: shakespeare-gru"]["nats"] == pytest.approx(recorded, abs=1e-4)
    assert units.conclude(record["results"]) == (record["answer"], record["effect"])
