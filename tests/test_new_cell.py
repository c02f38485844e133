"""A cell of one's own takes one class and one entry in ``CELLS``; then everything works with it."""

import keras
import numpy as np
import pytest

from charlm_utils.__main__ import main
from charlm_utils.evaluation import evaluate
from charlm_utils.models import build_model
from charlm_utils.runs import load_run, save_run
from charlm_utils.sampling import generate
from charlm_utils.settings import CELLS, Cell
from charlm_utils.training import set_seed, train
from charlm_utils.vocabulary import Vocabulary

TEXT = "the quick brown fox jumps over the lazy dog.\n" * 40
VOCABULARY = Vocabulary.from_text(TEXT)
IDS = VOCABULARY.encode(TEXT)
SHAPE = {"cell": "mingru", "units": 12, "num_layers": 2, "embedding_dim": 5, "dropout": 0.2}


class MinGRUCell(keras.layers.Layer):
    """One step of the minGRU, whose gate and candidate see the input and not the state (Feng et al. 2024)."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.state_size = units
        self.gate = keras.layers.Dense(units, activation="sigmoid")
        self.candidate = keras.layers.Dense(units)

    def build(self, shape):
        self.gate.build(shape)
        self.candidate.build(shape)

    def call(self, inputs, states):
        gate = self.gate(inputs)
        state = (1 - gate) * states[0] + gate * self.candidate(inputs)
        return state, [state]


class MinGRU(keras.layers.RNN):
    """The minGRU over time."""

    def __init__(self, units, **kwargs):
        super().__init__(MinGRUCell(units), **kwargs)


@pytest.fixture(autouse=True)
def mingru(monkeypatch):
    monkeypatch.setitem(CELLS, "mingru", Cell(MinGRU))


def learn(epochs, **settings):
    set_seed(3)
    model = build_model(len(VOCABULARY), **SHAPE)
    options = {"batch_size": 4, "time": 20, "optimizer": keras.optimizers.Adam(0.02), "progress": False}
    history = train(model, IDS, epochs=epochs, **options, **settings)
    return model, history


@pytest.mark.slow
def test_it_is_trained_and_a_stopped_training_ends_with_the_same_bits(tmp_path):
    model, history = learn(4)
    assert evaluate(model, IDS) < history["train"][0] < np.log(len(VOCABULARY))
    assert evaluate(model, IDS, rows=3) == pytest.approx(evaluate(model, IDS), abs=0.05)
    learn(2, checkpoint=tmp_path / "checkpoint.npz")
    resumed, whole = learn(4, checkpoint=tmp_path / "checkpoint.npz")
    assert whole["train"] == history["train"]
    for one, other in zip(resumed.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_it_writes_and_is_saved_and_loaded(tmp_path):
    model, _ = learn(1)
    save_run(tmp_path / "run", model, VOCABULARY, {"model": SHAPE})
    loaded = load_run("run", tmp_path).model
    for one, other in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other.astype(np.float16))
    text = generate(loaded, VOCABULARY, "the ", 30, seed=1)
    assert text == generate(loaded, VOCABULARY, "the ", 30, seed=1)
    assert len(text) == 34
    slow = "the "
    for _ in range(5):
        slow += VOCABULARY.decode([int(np.argmax(loaded(VOCABULARY.encode(slow)[None])[0, -1]))])
    assert generate(loaded, VOCABULARY, "the ", 5, temperature=0) == slow


def test_the_command_line_takes_it(tmp_path, capsys):
    (tmp_path / "text.txt").write_text(TEXT)
    options = ["--units", "6", "--embedding-dim", "3", "--batch-size", "4", "--time", "20", "--epochs", "1"]
    command = ["train", "--text", str(tmp_path / "text.txt"), "--out", str(tmp_path / "run"), *options]
    assert main([*command, "--cell", "mingru"]) == 0
    assert load_run("run", tmp_path).record["model"]["cell"] == "mingru"
    capsys.readouterr()
    assert main(["sample", str(tmp_path / "run"), "--prime", "the ", "--length", "20"]) == 0
    assert len(capsys.readouterr().out) == 25
    assert main([*command, "--cell", "maxgru"]) == 2
    assert "'gru', 'lstm', 'mingru'" in capsys.readouterr().err
