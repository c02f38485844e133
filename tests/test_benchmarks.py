"""The measuring tools of the benchmarks, and the files of results that the chapters show."""

import json
from pathlib import Path

import numpy as np
import pytest

from charlm_utils.files import bundled_data_dir

ROOT = Path(__file__).resolve().parent.parent
SPEEDS = json.loads((ROOT / "benchmarks" / "results.json").read_text("utf-8"))
SCORES = json.loads((bundled_data_dir() / "results.json").read_text("utf-8"))


def test_rivals_take_turns_and_the_median_counts(rivals, monkeypatch):
    calls, clock = [], iter([0, 9, 9, 10, 20, 22, 22, 24, 30, 31, 31, 35, 40, 45, 45, 46])
    monkeypatch.setattr(rivals.time, "perf_counter", lambda: next(clock))
    speeds = rivals.in_turns({name: (lambda name=name: calls.append(name), 20) for name in "ab"}, rounds=3)
    assert calls == list("abababab")
    assert speeds == {"a": 20 / 2, "b": 20 / 2}  # 9 and 1 warm up; then 2, 1, 5 and 2, 4, 1 seconds


def test_the_table_gives_ratios_of_ours_to_each(rivals):
    rows = rivals.table({"ours": 200.0, "theirs": 50.0}, "ours", operations=3, peak=1200)
    assert [row["ratio"] for row in rows] == [1, 4]
    assert [row["share_of_peak"] for row in rows] == [0.5, 0.125]


def test_results_are_kept_by_section(rivals, monkeypatch, tmp_path):
    monkeypatch.setattr(rivals, "RESULTS", tmp_path / "results.json")
    rivals.keep("one", {"rows": [1]})
    rivals.keep("two", {"rows": [2]})
    rivals.keep("one", {"rows": [3]})
    kept = json.loads((tmp_path / "results.json").read_text())
    assert {name: section["rows"] for name, section in kept.items()} == {"one": [3], "two": [2]}
    assert kept["one"]["machine"]["cores"] >= 1


@pytest.mark.parametrize("section", ["training", "sampling", "encoding"])
def test_speeds_name_their_machine_and_their_ratios_follow_from_them(section):
    machine, rows = SPEEDS[section]["machine"], SPEEDS[section]["rows"]
    assert machine["pytorch"], "measured without the extra `rivals`"
    assert machine["tensorflow"] and machine["processor"] and machine["cores"]
    ours = None
    for row in rows:
        ours = row["characters_per_second"] if row["ratio"] == 1.0 and row["name"].startswith(OURS) else ours
        assert row["ratio"] == pytest.approx(ours / row["characters_per_second"], rel=0.02, abs=0.01), row


OURS = ("fast gru", "fast lstm", "generate, fast model", "encode")


def test_orders_1_to_8_are_there_and_order_7_beats_order_3():
    nats = {row["order"]: row["nats"] for row in SCORES["ngrams"]["rows"]}
    assert list(nats) == list(range(1, 9))
    assert nats[7] < nats[3] < nats[1]
    validation = [row["validation"] for row in SCORES["ngrams"]["rows"]]
    assert np.argmin(validation) + 1 == 7, "the order of the counts in the mixtures is chosen on the validation text"


def test_cells_of_equal_size_have_as_many_parameters_within_one_percent():
    rows = SCORES["equal"]["rows"]
    sizes = [run["parameters"] for row in rows for run in row["runs"]]
    assert [row["cell"] for row in rows] == ["rnn", "gru", "lstm"]
    assert max(sizes) < 1.01 * min(sizes)
    for row in rows:
        assert row["rate"] == (0.001, 0.003, 0.01)[int(np.argmin(row["validation"]))]


def test_weights_and_rates_are_those_that_were_best_on_the_validation_text():
    rows = {row["name"]: row for row in SCORES["best"]["rows"]}
    for name in ("best network, and counts", "two networks, and counts"):
        assert rows[name]["weight"] == pytest.approx(np.linspace(0, 1, 21)[np.argmin(rows[name]["validation"])])
    dynamic = rows["dynamic evaluation"]
    assert dynamic["rate"] == (0.03, 0.1, 0.3, 1.0)[int(np.argmin(dynamic["validation"]))]
    assert rows["shakespeare-best"]["nats"] == pytest.approx(rows["best network"]["nats"], abs=1e-6)
    assert rows["shakespeare-best"]["parameters"] <= 10_650_000
