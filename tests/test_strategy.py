"""`train` under tf.distribute: several devices or processes reach what one does; a killed worker loses nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.models import build_model
from charlm_utils.training import set_seed, train
from charlm_utils.workers import run_workers

BATCH, TIME, VOCAB, EPOCHS = 4, 7, 5, 3
IDS = np.random.default_rng(0).integers(0, VOCAB, 20 * BATCH * TIME + 4)  # 20 batches: 60 steps in all
CLIP_NORMS = {"unclipped": None, "clipped": 0.1}


def make():
    """Return a model and an optimizer whose steps are as long as the gradient: Adam would hide doubled ones."""
    set_seed(1)
    return build_model(VOCAB, units=6, embedding_dim=3), keras.optimizers.SGD(0.5, momentum=0.5)


def fit(parts, clip_norm, **settings):
    model, optimizer = parts
    options = {"validation_ids": IDS[:50], "epochs": EPOCHS, "keep_best": True, "progress": False}
    sizes = {"batch_size": BATCH, "time": TIME}
    return train(model, IDS, optimizer=optimizer, clip_norm=clip_norm, **(sizes | options | settings))


def run_and_keep(strategy, folder, name, *, clip_norm, checkpoint=None, on_epoch_end=None):
    """Train under a strategy and write down losses and weights."""
    with strategy.scope():
        parts = make()
    history = fit(parts, clip_norm, strategy=strategy, checkpoint=checkpoint, on_epoch_end=on_epoch_end, save_every=7)
    np.savez(Path(folder, name), *parts[0].get_weights(), history=np.array(json.dumps(history)))


def two_devices(folder):
    """Body of a process with two logical devices: trains, and asks for what a strategy cannot do."""
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, 2 * [tf.config.LogicalDeviceConfiguration()])
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    for name, clip_norm in CLIP_NORMS.items():
        run_and_keep(strategy, folder, name, clip_norm=clip_norm)
    with strategy.scope():
        model, optimizer = make()
        clipping = keras.optimizers.SGD(global_clipnorm=1.0)
    outside = make()
    refused = [
        (model, optimizer, {"batch_size": 3}, "batch_size must be divisible by the 2 replicas of the strategy, got 3"),
        (outside[0], optimizer, {}, "make the model under strategy.scope.*embedding.* was not"),
        (model, outside[1], {}, "make the optimizer under strategy.scope.* was not"),
        (model, clipping, {}, "only clip_norm clips gradients, got an optimizer with global_clipnorm=1.0"),
    ]
    for model, optimizer, settings, message in refused:
        with pytest.raises(ValueError, match=message):
            fit((model, optimizer), None, strategy=strategy, **settings)


def worker(folder, number, killed):
    """Body of one of two processes that train together; the second kills itself where told."""

    def die(epoch, history):
        if killed and number == 1 and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)  # before this epoch is saved

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    assert strategy.num_replicas_in_sync == 2
    for name in ["clipped"] if killed else CLIP_NORMS:
        run_and_keep(
            strategy,
            folder,
            f"{name}-{number}",
            clip_norm=CLIP_NORMS[name],
            checkpoint=Path(folder, f"{name}.checkpoint"),
            on_epoch_end=die,
        )
    if not killed:  # and then each with a file that the other does not see
        own = Path(folder, "clipped.checkpoint" if number == 0 else "missing.checkpoint")
        with pytest.raises(ValueError, match="stand at steps 60, -1 .*where every worker can read it"):
            run_and_keep(strategy, folder, "unused", clip_norm=CLIP_NORMS["clipped"], checkpoint=own)


def start(folder, call, **environment):
    """Start a process that calls a function of this file."""
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_strategy; test_strategy.{call}"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"} | environment
    with open(folder / "errors.txt", "a") as errors:
        return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=errors)


def start_pair(folder, *, killed):
    """Start two processes that know of each other, at free ports of the loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
    for listener in sockets:
        listener.close()
    processes = []
    for number in range(2):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        call = f"worker({str(folder)!r}, {number}, {killed})"
        processes.append(start(folder, call, TF_CONFIG=json.dumps(cluster)))
    return processes


def wait(processes):
    """Wait until all processes have ended or one has failed, and end them; return their statuses before that."""
    deadline = time.monotonic() + 300
    try:
        while time.monotonic() < deadline:
            statuses = [process.poll() for process in processes]
            if None not in statuses or any(statuses):
                break
            time.sleep(0.05)
    finally:
        for process in processes:
            process.kill()
            process.wait()
    return statuses


@pytest.fixture(scope="module")
def alone():
    """What one process on one device reaches: history and weights."""
    results = {}
    for name, clip_norm in CLIP_NORMS.items():
        parts = make()
        history = fit(parts, clip_norm)
        results[name] = (history, parts[0].get_weights())
    return results


def assert_reached(path, expected):
    history, weights = expected
    with np.load(path) as file:
        found = json.loads(str(file["history"]))
        for i, weight in enumerate(weights):
            np.testing.assert_allclose(file[f"arr_{i}"], weight, rtol=0, atol=1e-5)
    for name in ("train", "validation"):
        np.testing.assert_allclose(found[name], history[name], rtol=0, atol=1e-5)
    return found


@pytest.mark.slow
def test_two_devices_reach_what_one_does(alone, tmp_path):
    assert wait([start(tmp_path, f"two_devices({str(tmp_path)!r})")]) == [0], (tmp_path / "errors.txt").read_text()
    for name, expected in alone.items():
        assert_reached(tmp_path / f"{name}.npz", expected)


@pytest.mark.slow
def test_two_processes_reach_what_one_does_though_one_is_killed_on_the_way(alone, tmp_path):
    statuses = wait(start_pair(tmp_path, killed=True))
    assert statuses[1] == -signal.SIGKILL, (tmp_path / "errors.txt").read_text()
    assert not (tmp_path / "clipped-0.npz").exists(), "it cannot have finished alone"
    checkpoint = (tmp_path / "clipped.checkpoint").read_bytes()
    statuses = wait(start_pair(tmp_path, killed=False))
    assert statuses == [0, 0], (tmp_path / "errors.txt").read_text()
    assert (tmp_path / "clipped.checkpoint").read_bytes() != checkpoint
    assert not (tmp_path / "missing.checkpoint").exists()
    for name, expected in alone.items():
        one, other = (assert_reached(tmp_path / f"{name}-{number}.npz", expected) for number in range(2))
        assert one["train"] == other["train"]
        assert one["validation"] == other["validation"]


FIT = """
import keras, numpy as np, tensorflow as tf
with tf.distribute.MultiWorkerMirroredStrategy().scope():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
data = tf.data.Dataset.from_tensor_slices((np.ones((8, 4), "f4"), np.ones((8, 2), "f4"))).batch(8)
model.fit(data, verbose=0)
"""


@pytest.mark.slow
@pytest.mark.weekly
def test_fit_of_keras_does_not_work_with_several_workers(tmp_path):
    """When this fails, Keras's issue 20585 is solved, and chapter 16 should say so."""
    (tmp_path / "fit.py").write_text(FIT)
    with pytest.raises(RuntimeError, match="(?s)ValueError: Attempt to convert a value .PerReplica"):
        run_workers(tmp_path / "fit.py")
