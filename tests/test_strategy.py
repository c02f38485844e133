"""`train` under tf.distribute: several devices or processes reach what one does; a killed worker loses nothing."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.models import build_model
from charlm_utils.training import set_seed, train

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
    """Body of a process with two logical devices."""
    processor = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(processor, 2 * [tf.config.LogicalDeviceConfiguration()])
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    for name, clip_norm in CLIP_NORMS.items():
        run_and_keep(strategy, folder, name, clip_norm=clip_norm)


def worker(folder, number, killed):
    """Body of one of two processes that train together; the second kills itself in the last training where told."""

    def die(epoch, history):
        if killed and number == 1 and epoch == 2:
            os.kill(os.getpid(), signal.SIGKILL)  # before this epoch is saved

    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    assert strategy.num_replicas_in_sync == 2
    for name, clip_norm in CLIP_NORMS.items():
        run_and_keep(
            strategy,
            folder,
            f"{name}-{number}",
            clip_norm=clip_norm,
            checkpoint=Path(folder, f"{name}.checkpoint"),
            on_epoch_end=die if name == "clipped" else None,
        )


def start(call, **environment):
    """Start a process that calls a function of this file."""
    code = f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r}); import test_strategy; test_strategy.{call}"
    environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "TF_NUM_INTRAOP_THREADS": "1"} | environment
    return subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.PIPE, text=True)


def start_pair(folder, *, killed):
    """Start two processes that know of each other, at free ports of the loopback."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in sockets]
    for listener in sockets:
        listener.close()
    processes = []
    for number in range(2):
        cluster = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": number}}
        processes.append(start(f"worker({str(folder)!r}, {number}, {killed})", TF_CONFIG=json.dumps(cluster)))
    return processes


def end(processes):
    for process in processes:
        process.kill()
        process.communicate()


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


def test_two_devices_reach_what_one_does(alone, tmp_path):
    process = start(f"two_devices({str(tmp_path)!r})")
    try:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    finally:
        end([process])
    for name, expected in alone.items():
        assert_reached(tmp_path / f"{name}.npz", expected)


def test_two_processes_reach_what_one_does_though_one_is_killed_on_the_way(alone, tmp_path):
    pair = start_pair(tmp_path, killed=True)
    try:
        _, errors = pair[1].communicate(timeout=120)
        assert pair[1].returncode == -signal.SIGKILL, errors
    finally:
        end(pair)
    assert not (tmp_path / "clipped-0.npz").exists()
    checkpoint = (tmp_path / "clipped.checkpoint").read_bytes()
    pair = start_pair(tmp_path, killed=False)
    try:
        for process in pair:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors
    finally:
        end(pair)
    assert (tmp_path / "clipped.checkpoint").read_bytes() != checkpoint
    for name, expected in alone.items():
        one, other = (assert_reached(tmp_path / f"{name}-{number}.npz", expected) for number in range(2))
        assert one["train"] == other["train"]
        assert one["validation"] == other["validation"]
