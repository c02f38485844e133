"""PyTorch's side of the benchmarks and of the parity test, in a process that has PyTorch and no TensorFlow.

It reads requests from standard input, one JSON line each, and answers each with a line, ``{"result": ...}`` or
``{"error": ...}``:

    {"do": "version"}
    {"do": "prepare", "name": "some name", "kind": "training", "settings": {...}}    builds it and runs it once
    {"do": "go", "name": "some name"}                                      runs it once; the result is in seconds

The kinds are the functions of ``KINDS``; the settings are their arguments.
"""

import json
import sys
import time

import numpy as np
import torch


def training(cell, units, embedding_dim, vocab_size, batch_size, length, steps, autocast):
    """Return a function that takes training steps, with bfloat16 autocast or without.

    A step is: embedding, recurrent layer, logits, cross-entropy, gradients, clipping by global norm, Adam.
    """
    torch.manual_seed(0)
    embedding = torch.nn.Embedding(vocab_size, embedding_dim)
    layer = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM}[cell]
    recurrent = layer(embedding_dim, units, batch_first=True)
    dense = torch.nn.Linear(units, vocab_size)
    parameters = [*embedding.parameters(), *recurrent.parameters(), *dense.parameters()]
    optimizer = torch.optim.Adam(parameters, 0.001)
    draw = np.random.default_rng(0)
    inputs = torch.from_numpy(draw.integers(vocab_size, size=(batch_size, length)))
    targets = torch.from_numpy(draw.integers(vocab_size, size=(batch_size, length)))

    def take_step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            logits = dense(recurrent(embedding(inputs))[0])
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 5.0)
        optimizer.step()
        return loss.item()

    def take_steps():
        for _ in range(steps):
            take_step()

    return take_steps


def sampling(weights, num_samples, length):
    """Return a function that draws with `nn.GRU`, one step per character, no gradients.

    ``weights`` is a file of NumPy arrays, as ``numpy.savez`` writes those of a Keras model: table, kernel, recurrent
    kernel, bias, and the kernel and bias of the logits.
    """
    with np.load(weights) as file:
        table, kernel, recurrent_kernel, bias, dense, dense_bias = (file[name] for name in file.files)
    recurrent = recurrent_layer(kernel, recurrent_kernel, bias)
    embedding = torch.nn.Embedding(*table.shape)
    logits = torch.nn.Linear(*dense.shape)
    with torch.no_grad():
        embedding.weight.copy_(torch.from_numpy(table))
        logits.weight.copy_(torch.from_numpy(dense.T.copy()))
        logits.bias.copy_(torch.from_numpy(dense_bias))

    @torch.inference_mode()
    def draw():
        ids = torch.zeros((num_samples, 1), dtype=torch.long)
        state = None
        for _ in range(length):
            outputs, state = recurrent(embedding(ids), state)
            ids = torch.multinomial(torch.softmax(logits(outputs[:, -1]) / 0.8, dim=-1), 1)

    return draw


def parity(arrays, results):
    """Return a function that runs a layer with given weights and writes outputs and gradients.

    ``arrays`` is a file of NumPy arrays: ``inputs`` and Keras's ``kernel``, ``recurrent_kernel`` and ``bias``. The file
    ``results`` gets ``outputs``, and the gradients of the sum of their sines: ``d_inputs`` and, as Keras orders it,
    ``d_kernel``.
    """
    with np.load(arrays) as file:
        inputs = torch.tensor(file["inputs"], requires_grad=True)
        layer = recurrent_layer(file["kernel"], file["recurrent_kernel"], file["bias"])

    def run():
        outputs = layer(inputs)[0]
        torch.sin(outputs).sum().backward()
        d_kernel = layer.weight_ih_l0.grad.numpy().T
        gates = d_kernel.shape[1] // layer.hidden_size
        d_kernel = reorder_gates(d_kernel, gates)
        np.savez(results, outputs=outputs.detach().numpy(), d_inputs=inputs.grad.numpy(), d_kernel=d_kernel)

    return run


KINDS = {"training": training, "sampling": sampling, "parity": parity}


def recurrent_layer(kernel, recurrent_kernel, bias):
    """Return PyTorch's recurrent layer with Keras's weights: `nn.GRU` for three gates, `nn.LSTM` for four.

    The weights are NumPy arrays ``(features, gates * units)``, ``(units, gates * units)`` and ``(2, 3 * units)`` or
    ``(4 * units,)``. PyTorch keeps them transposed, in another order of gates, and has two biases for an LSTM too.
    """
    features, units = kernel.shape[0], recurrent_kernel.shape[0]
    gates = kernel.shape[1] // units
    if gates == 3:
        layer = torch.nn.GRU(features, units, batch_first=True)
    else:
        layer = torch.nn.LSTM(features, units, batch_first=True)
        bias = np.stack([bias, np.zeros_like(bias)])

    def turned(array):
        return torch.from_numpy(reorder_gates(array, gates).T.copy())

    with torch.no_grad():
        layer.weight_ih_l0.copy_(turned(kernel))
        layer.weight_hh_l0.copy_(turned(recurrent_kernel))
        layer.bias_ih_l0.copy_(turned(bias[0]))
        layer.bias_hh_l0.copy_(turned(bias[1]))
    return layer


def reorder_gates(array, gates):
    """Turn Keras's order of gates, along the last axis, into PyTorch's or back: a GRU's first two change places."""
    if gates == 4:
        return array
    update, reset, candidate = np.split(array, 3, axis=-1)
    return np.concatenate([reset, update, candidate], axis=-1)


def answer(request, calls):
    """Do what a request asks for and return the result."""
    if request["do"] == "version":
        return torch.__version__
    if request["do"] == "prepare":
        call = KINDS[request["kind"]](**request["settings"])
        call()
        calls[request["name"]] = call
        return None
    start = time.perf_counter()
    calls[request["name"]]()
    return time.perf_counter() - start


def main():
    """Answer until standard input ends."""
    replies = sys.stdout
    sys.stdout = sys.stderr  # whatever a library prints must not come between the replies
    calls = {}
    for line in sys.stdin:
        try:
            reply = {"result": answer(json.loads(line), calls)}
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(reply), file=replies, flush=True)


if __name__ == "__main__":
    main()
