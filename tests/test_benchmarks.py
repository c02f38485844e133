"""The measuring tools of the benchmarks, and the file of speeds that the book shows; nothing is timed here."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.runs import load_speeds

pytestmark = pytest.mark.slow

SECTIONS = ("training", "sampling", "encoding", "workers", "ingredients", "fit")
ALONE = ("encoding", "workers", "fit")  # without PyTorch, and without products to be set beside a peak
SPEEDS = load_speeds()


def constant(turns, name, group, seconds, characters=100, **more):
    return turns.Rival(name, group, lambda: seconds, characters, **more)


def test_rivals_take_turns_and_the_first_round_only_warms_up(turns):
    called = []
    clock = iter([9, 8, 2, 4, 1, 5])

    def seconds(name):
        called.append(name)
        return next(clock)

    rivals = [turns.Rival(name, "group", lambda name=name: seconds(name), 1) for name in "ab"]
    assert turns.in_turns(rivals, rounds=2) == {"a": [2, 1], "b": [4, 5]}
    assert called == list("ababab")


def test_seconds_are_those_of_the_call(turns, monkeypatch):
    events = []
    monkeypatch.setattr(turns, "time", SimpleNamespace(perf_counter=lambda: events.append("clock") or len(events)))
    assert turns.here(lambda: events.append("call"))() == 2
    assert events == ["clock", "call", "clock"]


def test_rows_hold_median_range_ratio_and_shares(turns):
    products = {"full": 40, "minimal": 20}
    rivals = [
        constant(turns, "ours", "one", None, products=products),
        constant(turns, "theirs", "one", None),
        constant(turns, "ours, bfloat16", "other", None, dtype="bfloat16", products=products),
        constant(turns, "peak, float32", "peak", None, characters=8e9),
        constant(turns, "peak, bfloat16", "peak", None, characters=16e9),
    ]
    seconds = {
        "ours": [1, 4, 2],
        "theirs": [5, 5, 20],
        "ours, bfloat16": [1],
        "peak, float32": [2e6],
        "peak, bfloat16": [2e6],
    }
    ours, theirs, bfloat16 = turns.to_rows(rivals, seconds)
    assert (ours["slowest"], ours["characters_per_second"], ours["fastest"]) == (25, 50, 100)
    assert (ours["ratio"], theirs["ratio"], bfloat16["ratio"]) == (1, 2.5, 1)
    assert (ours["full_share"], ours["minimal_share"]) == (0.5, 0.25)
    assert (bfloat16["full_share"], bfloat16["minimal_share"]) == (0.5, 0.25)
    assert "full_share" not in theirs
    assert ours["rounds"] == 3


def test_rows_are_kept_by_section_and_machine(turns, monkeypatch, tmp_path):
    path = tmp_path / "speeds.json"
    machine = {"processor": "one", "cores": 2, "instructions": ["avx2"]}
    monkeypatch.setattr(turns, "describe_machine", lambda: machine)
    row = {"machine": "one, 2 cores, avx2", "ratio": 1}
    turns.keep("training", [row], pytorch="2", path=path)
    turns.keep("sampling", [row], path=path)
    assert json.loads(path.read_text())["machines"]["one, 2 cores, avx2"]["pytorch"] == "2"
    machine = machine | {"processor": "other"}
    other = row | {"machine": "other, 2 cores, avx2"}
    turns.keep("training", [other], path=path)
    turns.keep("training", [other | {"ratio": 3}], path=path)
    kept = json.loads(path.read_text())
    assert kept["training"] == [row, other | {"ratio": 3}]
    assert kept["sampling"] == [row]
    assert set(kept["machines"]) == {"one, 2 cores, avx2", "other, 2 cores, avx2"}


def test_without_pytorch_its_rows_are_left_out(turns, monkeypatch, capsys):
    monkeypatch.setenv("CHARLM_RIVALS_PYTHON", "/nowhere/python")
    assert turns.start_torch() is None
    assert "PyTorch is left out" in capsys.readouterr().out


def test_a_worker_that_fails_or_ends_says_so(turns, monkeypatch, tmp_path):
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import json, sys\n"
        "for line in sys.stdin:\n"
        "    request = json.loads(line)\n"
        "    replies = {'version': {'result': '2.0'}, 'prepare': {'error': request.get('kind')}}\n"
        "    if request['do'] == 'go':\n"
        "        break\n"
        "    print(json.dumps(replies[request['do']]), flush=True)\n"
    )
    monkeypatch.setattr(turns, "WORKER", worker)
    torch = turns.Torch(sys.executable)
    assert torch.version == "2.0"
    with pytest.raises(RuntimeError, match="no such kind"):
        torch.prepare("name", "no such kind")
    with pytest.raises(RuntimeError, match="process ended at .*'go'"):
        torch._ask({"do": "go", "name": "name"})
    torch.close()


def test_pytorch_takes_part_in_training_and_sampling(torch, tmp_path, script):
    training, sampling = script("benchmarks", "training"), script("benchmarks", "sampling")
    rivals = training.rivals_of("lstm", training.Sizes(2, 3, 4, 5, 6, 1), torch)
    assert [rival.name for rival in rivals if "pytorch" in rival.name] == ["pytorch lstm", "pytorch lstm, bfloat16"]
    rivals += sampling.rivals_of(sampling.Sizes(4, 5, 3, 2, 2, 2, 2, 2, 2), torch, tmp_path / "weights.npz")
    assert [rival.name for rival in rivals if "PyTorch" in rival.name] == ["PyTorch loop", "PyTorch loop, 3 texts"]
    assert all(rival.seconds() > 0 for rival in rivals if "torch" in rival.name.lower())


def test_operations_of_a_training_step_are_those_of_its_products(script):
    training = script("benchmarks", "training")
    forward = 2 * (512 * 3 * 512 + 512 * 65)  # per character: state by recurrent kernel, output by that of the logits
    assert training.operations(training.Sizes(), "gru")["minimal"] == 3 * forward
    assert training.operations(training.Sizes(), "gru")["full"] == 3 * (forward + 2 * 256 * 3 * 512)


class NoWorkers:
    """Stands for processes that train together, and starts none: that takes seconds for each."""

    parameters = 9

    def __init__(self, count, sizes, units, rows, passes):
        self.seconds = rows / count

    def go(self):
        return self.seconds

    def close(self):
        """Nothing was started."""


def test_a_row_of_workers_says_what_was_trained(script):
    whole, half, shared = measured(script, "workers")[:3]
    assert [row["name"] for row in (whole, half, shared)] == [
        "1 worker, 64 units",
        "1 worker, half of the rows, 64 units",
        "2 workers, 64 units",
    ]
    assert [(row["workers"], row["batch_rows"]) for row in (whole, half, shared)] == [(1, 4), (1, 2), (2, 4)]
    assert {row["length"] for row in (whole, half, shared)} == {3}
    assert whole["characters_per_second"] == half["characters_per_second"] == 6  # 4 rows of 3, twice, in 4 seconds
    assert shared["characters_per_second"] == 12


@pytest.fixture
def eager():
    """Nothing is compiled, which would take most of the time."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_ingredients_change_neither_loss_nor_gradient(cell, script, eager):
    ingredients = script("benchmarks", "ingredients")
    sizes = ingredients.training.Sizes(2, 3, 4, 5, 6, 1)
    arms = ingredients.ingredients_of(cell, sizes)
    ingredients.prove(arms)
    loss, gradients = arms[-1].first_step()
    wrong = ingredients.replace(arms[1], first_step=lambda: (loss, [1.1 * gradient for gradient in gradients]))
    with pytest.raises(AssertionError, match=wrong.name):
        ingredients.prove([wrong])


def test_rows_of_ingredients_hold_milliseconds_and_factors_of_rounds(script, turns):
    ingredients = script("benchmarks", "ingredients")
    sizes = ingredients.training.Sizes(steps=2)
    arms = [ingredients.Arm(name, "group", None, 100, sizes=sizes) for name in ("plain", "other")]
    plain, other = ingredients.to_rows(arms, [], {"plain": [4, 8, 6], "other": [1, 4, 2]})
    assert (plain["factor"], plain["factor_lowest"], plain["factor_highest"]) == (1, 1, 1)
    assert (other["factor"], other["factor_lowest"], other["factor_highest"]) == (3, 2, 4)
    assert (other["milliseconds"], other["steps_per_second"]) == ([500, 2000, 1000], 1)
    assert (other["characters_per_second"], other["ratio"]) == (50, 0.33)


def test_ingredients_are_measured_in_turns(script, eager):
    ingredients = script("benchmarks", "ingredients")
    sizes = ingredients.training.Sizes(2, 3, 4, 5, 6, 1)
    rows = ingredients.measure(sizes, cells=(), batch_sizes=(1, 4), rounds=2)
    assert [row["name"] for row in rows] == ["gru: batch of 1", "gru: batch of 4"]
    for row in rows:
        assert len(row["milliseconds"]) == row["rounds"] == 2
        assert np.median(row["milliseconds"]) * row["steps_per_second"] == pytest.approx(1000, rel=0.01)


@pytest.mark.filterwarnings("ignore:Even though")  # data are still read by a graph
@pytest.mark.parametrize("name", ["as it is", "mixed precision"])
def test_fit_trains_the_characters_it_counts(name, script, eager):
    fit = script("benchmarks", "fit")
    sizes = fit.training.Sizes(batch_size=2, length=3, units=4, embedding_dim=5, vocab_size=6, steps=2)
    rival = fit.rival_of(name, "tiny", sizes)
    assert rival.seconds() > 0
    assert rival.characters == 2 * 2 * 3


def measured(script, section):
    """Return the rows that a benchmark makes at tiny sizes, without PyTorch."""
    if section == "training":
        training = script("benchmarks", "training")
        return training.measure(training.Sizes(2, 3, 4, 5, 6, 1), rounds=1)
    if section == "sampling":
        sampling = script("benchmarks", "sampling")
        return sampling.measure(sampling.Sizes(4, 5, 64, 2, 2, 2, 2, 2, 2), rounds=1)
    if section == "workers":
        workers = script("benchmarks", "workers")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(workers, "Workers", NoWorkers)
            return workers.measure(workers.Sizes(rows=4, length=3, steps=2), rounds=1)
    if section == "ingredients":
        ingredients = script("benchmarks", "ingredients")
        lists = ingredients.arms_of(ingredients.training.Sizes(2, 3, 4, 5, 6, 1))
        return [{"name": arm.name, "group": arm.group} for arms in lists for arm in arms]
    if section == "fit":
        fit = script("benchmarks", "fit")
        tiny = fit.training.Sizes(2, 3, 4, 5, 6, 1)
        rivals = [fit.rival_of(name, size, tiny) for size in fit.SIZES for name in fit.SWITCHES]
        return [{"name": rival.name, "group": rival.group} for rival in rivals]
    return script("benchmarks", "encode").measure(characters=300, piece=100, rounds=1)


@pytest.mark.parametrize("section", SECTIONS)
def test_the_file_holds_the_rows_that_the_benchmarks_make(section, script):
    made = {(row["name"], row["group"]) for row in measured(script, section)}
    for machine in {row["machine"] for row in SPEEDS[section]}:
        rows = [row for row in SPEEDS[section] if row["machine"] == machine]
        ours = {(row["name"], row["group"]) for row in rows if "torch" not in row["name"].lower()}
        assert ours == made
        assert len(rows) > len(ours) or section in (*ALONE, "ingredients"), "measured without PyTorch"


@pytest.mark.parametrize("section", SECTIONS)
def test_rows_name_their_machine_and_ratios_follow_from_medians(section):
    firsts = {}
    for row in SPEEDS[section]:
        machine = SPEEDS["machines"][row["machine"]]
        assert machine["processor"] and machine["cores"] and machine["tensorflow"]
        speed = row["characters_per_second"]
        first = firsts.setdefault((row["machine"], row["group"]), speed)
        assert row["ratio"] == pytest.approx(first / speed, rel=0.002, abs=0.006), row
        if row["slowest"] is not None:
            assert row["slowest"] <= speed <= row["fastest"], row
        if section not in ALONE and not any(word in row["name"] for word in ("launches", "empty")):
            assert 0 < row["minimal_share"] < row["full_share"], row
            assert row["peak_gflops"] > 0 and row["peak_dtype"] in ("float32", "bfloat16")
    assert set(SPEEDS) == {"machines", *SECTIONS}
