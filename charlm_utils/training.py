"""Reproducible fitting with carried state, clipping by global norm, validation and exact resume."""

import time as clock
import zlib
from functools import partial, reduce
from itertools import islice
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.batching import contiguous_batches
from charlm_utils.checkpoints import Progress, load_checkpoint, save_checkpoint
from charlm_utils.evaluation import check_text, evaluate
from charlm_utils.files import iterate_pieces
from charlm_utils.models import forward, zero_states


def set_seed(seed):
    """Seed Python, NumPy and TensorFlow; the same seed and settings then give the same weights on one machine.

    Raises
    ------
    ValueError
        If the seed is not between 0 and 2**32 - 1.
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be between 0 and {2**32 - 1}, got {seed}")
    keras.utils.set_random_seed(int(seed))


def train(
    model,
    ids,
    *,
    batch_size,
    time,
    epochs,
    validation_ids=None,
    optimizer=None,
    clip_norm=5.0,
    progress=True,
    checkpoint=None,
    save_every=500,
    on_epoch_end=None,
):
    """Fit a model to a text by truncated back-propagation through time, with the state carried along.

    The state passes from each contiguous batch to the next and is zero again at the start of every epoch.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``; see :func:`charlm_utils.models.build_model`.
    ids : numpy.ndarray
        The text to learn, integers ``(n,)``; it may be memory-mapped, see :mod:`charlm_utils.vocabulary`.
    batch_size, time, epochs : int
        Rows and columns of a batch, and passes over the text.
    validation_ids : numpy.ndarray, optional
        A text to evaluate after each epoch, integers ``(m,)``.
    optimizer : keras.optimizers.Optimizer, optional
        By default Adam at 0.002.
    clip_norm : float or None
        Gradients whose global norm is larger are scaled down to it (Pascanu et al. 2013); None: never.
    progress : bool
        Whether to show a progress bar.
    checkpoint : str or Path, optional
        A file that holds all of the training: weights, optimizer, carried state, seeds of dropout, place in the
        data, losses. Where it exists, the training goes on from it and ends with the very weights of a run that
        was never stopped.
    save_every : int
        Steps between two saves; it is also saved after every epoch.
    on_epoch_end : callable, optional
        Called after each epoch with the number of epochs done and the history, to which it may add JSON values.

    Returns
    -------
    dict of str to list of float
        Per epoch ``"train"`` and, with validation ids, ``"validation"``, in nats per character (the first a
        mean over the epoch, while the weights were changing), and ``"seconds"`` of wall time since the start.

    Raises
    ------
    ValueError
        If a size is below 1, the clip norm is not positive, a text is too short or holds an id that is not
        below the model's number of logits, the loss is no longer a number, or the checkpoint is damaged or
        belongs to another text, model, optimizer or batch shape.
    """
    for name, value in (("epochs", epochs), ("clip_norm", clip_norm), ("save_every", save_every)):
        if value is not None and not value > 0:
            raise ValueError(f"{name} must be above 0, got {value}")
    for part in (ids,) if validation_ids is None else (ids, validation_ids):
        check_text(model, part)
    loop = _Loop(model, ids, (batch_size, time), optimizer or keras.optimizers.Adam(0.002), clip_norm)
    if checkpoint:
        loop.keep(Path(checkpoint), save_every)
    while loop.at.epoch < epochs:
        loop.finish_epoch(f"epoch {loop.at.epoch + 1}/{epochs}", validation_ids, progress, on_epoch_end)
    return loop.at.history


class _Loop:
    """The loop of :func:`train`; everything that changes while it runs is in the variables and in ``at``."""

    def __init__(self, model, ids, shape, optimizer, clip_norm):
        self.model, self.optimizer = model, optimizer
        self.batches = partial(contiguous_batches, ids, *shape)  # called anew for every epoch
        next(self.batches())  # raises if the text is too short
        self.num_batches = (len(ids) - 1) // (shape[0] * shape[1])
        self.step = compiled_step(model, optimizer, clip_norm)
        self.at = Progress(zero_states(model, shape[0]), history={"train": [], "validation": [], "seconds": []})
        self.settings = {"batch_size": shape[0], "time": shape[1], "clip_norm": clip_norm}
        self.settings["text"] = reduce(
            lambda crc, piece: zlib.crc32(np.int32(piece), crc), iterate_pieces(np.asarray(ids)), 0
        )
        self.settings["optimizer"] = type(optimizer).__name__
        # Its rate or schedule among them, but no name: the second Adam of a process is called adam_1.
        self.settings |= {key: value for key, value in optimizer.get_config().items() if key != "name"}
        self.path = self.save_every = None
        self.start = clock.perf_counter()

    def keep(self, path, save_every):
        """Go on from the checkpoint where there is one, and save to it from now on."""
        self.path, self.save_every = path, save_every
        if path.exists():
            self.at = load_checkpoint(path, self._variables(), self.at.states, self.settings)
            self.start -= self.at.seconds

    def finish_epoch(self, title, validation_ids, progress, on_epoch_end):
        """Take the steps that are left of an epoch, score it, and set everything up for the next."""
        bar = keras.utils.Progbar(self.num_batches, verbose=int(progress), stateful_metrics=["nats"])
        if progress:
            print(title)
        for inputs, targets in islice(self.batches(), self.at.batch, None):
            self._take_step(inputs, targets, title)
            bar.update(self.at.batch, [("nats", np.mean(self.at.losses))])
        self.at.history["train"].append(float(np.mean(self.at.losses)))
        if validation_ids is not None:
            self.at.history["validation"].append(evaluate(self.model, validation_ids))
        self.at.history["seconds"].append(clock.perf_counter() - self.start)
        self.at.epoch, self.at.batch, self.at.losses = self.at.epoch + 1, 0, []
        self.at.states = tf.nest.map_structure(tf.zeros_like, self.at.states)
        if on_epoch_end:
            on_epoch_end(self.at.epoch, self.at.history)
        self._save()

    def _take_step(self, inputs, targets, title):
        inputs, targets = tf.constant(inputs, tf.int32), tf.constant(targets, tf.int32)
        loss, self.at.states = self.step(inputs, targets, self.at.states)
        self.at.batch += 1
        self.at.losses.append(float(loss))
        if not np.isfinite(self.at.losses[-1]):
            raise ValueError(
                f"the loss became {self.at.losses[-1]} at batch {self.at.batch} ({title}): lower the learning rate"
            )
        if self.path and self.at.batch % self.save_every == 0:
            self._save()

    def _save(self):
        if self.path:
            self.at.seconds = clock.perf_counter() - self.start
            save_checkpoint(self.path, self._variables(), self.at, self.settings)

    def _variables(self):
        return [*self.model.variables, *self.optimizer.variables]


def compiled_step(model, optimizer, clip_norm):
    """Return a compiled step: inputs, targets and states in; loss and new states out; weights updated."""
    optimizer.build(model.trainable_variables)

    @tf.function
    def train_step(inputs, targets, states):
        with tf.GradientTape() as tape:
            logits, states = forward(model, inputs, states, training=True)  # (batch, time, vocab)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
        gradients = tape.gradient(loss, model.trainable_variables)
        # The embedding's gradient comes as one slice per character read; its norm is that of their sum.
        gradients = [tf.convert_to_tensor(gradient) for gradient in gradients]
        if clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss, states

    return train_step
