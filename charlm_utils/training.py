"""Reproducible fitting: carried state, clipping by global norm, best weights, exact resume, several machines."""

import contextlib
import math
import time as clock
import warnings
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Annotated

import keras
import numpy as np
import tensorflow as tf

from charlm_utils.batching import contiguous_batches
from charlm_utils.checkpoints import Progress, checksum, load_checkpoint, save_checkpoint
from charlm_utils.checks import (
    AnyPath,
    Flag,
    Function,
    Ids,
    KerasModel,
    Kind,
    Length,
    NotNegative,
    Positive,
    Seed,
    Size,
    check,
    checked,
)
from charlm_utils.evaluation import check_text, evaluate
from charlm_utils.files import remove_leftovers
from charlm_utils.jitter import start_jitter
from charlm_utils.models import chain_of_layers, count_logits, forward, zero_states

_READ_EVERY = 10  # steps between two looks at the losses; each look waits until the device is done
_SAVE_SECONDS = 30  # between two saves at most, where steps are slow and one process trains alone


def _is_optimizer(value):
    return isinstance(value, keras.optimizers.Optimizer)


def _is_strategy(value):
    return isinstance(value, tf.distribute.Strategy)


_Optimizer = Annotated[keras.optimizers.Optimizer, Kind("a Keras optimizer", _is_optimizer)]
_Strategy = Annotated[tf.distribute.Strategy, Kind("a tf.distribute.Strategy", _is_strategy)]


@checked
def set_seed(seed: Seed):
    """Seed Python, NumPy and TensorFlow; the same seed and settings then give the same weights on one machine.

    With the environment variable ``CHARLM_JITTER``, a size such as 1e-6, the weights are moved by a relative noise of
    that size, another one in every process: what then comes out differently hangs on rounding (see
    :mod:`charlm_utils.jitter`).

    Raises
    ------
    ValueError
        If the seed is not an integer between 0 and 2**32 - 1, or ``CHARLM_JITTER`` not a number between 0 and 0.001.
    """
    keras.utils.set_random_seed(int(seed))
    tf.compat.v1.set_random_seed(int(seed))  # that of the graph, inside of one
    start_jitter()


@checked
def count_steps(num_ids: Length, *, batch_size: Size, time: Size, epochs: Size):
    """Return the number of steps that :func:`train` takes on ``num_ids`` ids: batches of a pass times passes.

    Raises
    ------
    ValueError
        If a size is not an integer of at least 1, or the ids do not fill one batch.
    """
    batches = (num_ids - 1) // (batch_size * time)
    if batches < 1:
        raise ValueError(
            f"need at least {batch_size * time + 1} ids for batch_size={batch_size} and time={time}, got {num_ids}"
        )
    return epochs * batches


@checked
def cosine_decay(learning_rate: Positive, num_ids: Length, *, batch_size: Size, time: Size, epochs: Size):
    """Return a learning rate that falls along half a cosine to zero over all steps of a training.

    The schedule is that of Loshchilov and Hutter (2017) without restarts: after step ``k`` of ``n`` the rate is
    ``learning_rate * (1 + cos(pi * k / n)) / 2``.

    Parameters
    ----------
    learning_rate : float
        The rate of the first step.
    num_ids : int
        Length of the text that :func:`train` will learn.
    batch_size, time, epochs : int
        As :func:`train` will get them.

    Returns
    -------
    keras.optimizers.schedules.CosineDecay

    Raises
    ------
    ValueError
        If the rate is not a finite number above 0, or as :func:`count_steps`.
    """
    steps = count_steps(num_ids, batch_size=batch_size, time=time, epochs=epochs)
    return keras.optimizers.schedules.CosineDecay(float(learning_rate), steps)


@checked
def train(
    model: KerasModel,
    ids: Ids,
    *,
    batch_size: Size,
    time: Size,
    epochs: Size,
    validation_ids: Ids | None = None,
    optimizer: _Optimizer | None = None,
    clip_norm: Positive | None = 5.0,
    progress: Flag = True,
    checkpoint: AnyPath | None = None,
    save_every: Size = 500,
    on_epoch_end: Function | None = None,
    keep_best: Flag = False,
    patience: Size | None = None,
    log_dir: AnyPath | None = None,
    strategy: _Strategy | None = None,
):
    """Fit a model to a text by truncated back-propagation through time, with the state carried along.

    The state passes from each contiguous batch to the next and is zero again at the start of every epoch.

    Parameters
    ----------
    model : keras.Model
        Ids ``(batch, time)`` to logits ``(batch, time, vocab)``; see :func:`charlm_utils.models.build_model`.
    ids : numpy.ndarray
        The text to learn, integers ``(n,)``; it may be memory-mapped, see :mod:`charlm_utils.vocabulary`. Ids do not
        tell what vocabulary they are of; where a trained model finds them far worse than a guess, a warning says so.
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
        data, losses, best weights. It is written before the first step, so that a place that cannot be written is
        noticed at once. Where it exists already, the training goes on from it and ends with the very weights of a run
        that was never stopped; a training that is finished is given back without a step.
    save_every : int
        Steps between two saves; it is also saved after every epoch and, without a strategy, every 30 seconds.
    on_epoch_end : callable, optional
        Called after each epoch with the number of epochs done and the history, to which it may add JSON values.
    keep_best : bool
        Whether the model ends with the weights of the epoch with the lowest validation loss, the first of them if
        there are several, instead of those of the last epoch. The checkpoint holds both, so that it can be trained
        on with more epochs.
    patience : int, optional
        Stop after so many epochs in a row without a new lowest validation loss; a tie is not lower. It implies
        ``keep_best``.
    log_dir : str or Path, optional
        A folder for TensorBoard: after every epoch the scalars ``nats_per_character/train``,
        ``nats_per_character/validation`` and ``learning_rate``, with the number of epochs done as step.
    strategy : tf.distribute.Strategy, optional
        ``MirroredStrategy`` (several devices) or ``MultiWorkerMirroredStrategy`` (several machines, each of which
        makes the same call). Model and optimizer are made under ``strategy.scope()``, and the optimizer clips nothing
        by itself.
        Every replica takes an equal share of the rows of each batch and carries the state of its rows; weights and
        losses are those of the same training on one device, but for rounding and the draws of dropout, which is the
        same on every replica. All workers read the checkpoint, so it must lie where all can; the chief alone writes
        it and the scalars.

    Returns
    -------
    dict of str to list of float
        Per epoch ``"train"`` and, with validation ids, ``"validation"``, in nats per character (the first a
        mean over the epoch, while the weights were changing), and ``"seconds"`` of wall time since the start. The
        best epoch is that of the first minimum of ``"validation"``.

    Raises
    ------
    ValueError
        Before anything is trained or written: if a size or the patience is not an integer of at least 1, the clip
        norm or the learning rate is not finite and positive (a rate may be 0), ``keep_best`` or ``patience`` is
        without validation ids, a text is too short or holds an id that is not below the model's number of logits,
        the strategy does not fit model, optimizer or batch size, or the checkpoint is damaged or belongs to other
        texts, another model, optimizer or batch shape.
        While training: if the loss, a weight or the validation loss is no longer a number. The checkpoint then
        holds the last state in which all of them were.
    """
    if patience is not None:
        keep_best = True
    if keep_best and validation_ids is None:
        raise ValueError("keep_best and patience need validation_ids")
    ids = check_text(model, ids)
    if validation_ids is not None:
        validation_ids = check_text(model, validation_ids, "validation_ids")
    replicas = _OneReplica() if strategy is None else _Replicas(strategy)
    if optimizer is None:
        with replicas.scope():
            optimizer = keras.optimizers.Adam(0.002)
    replicas.check(model, optimizer, batch_size)
    check("the learning rate", _current_rate(optimizer), NotNegative)
    loop = _Loop(model, ids, validation_ids, (batch_size, time), optimizer, clip_norm, keep_best, replicas)
    if checkpoint:
        loop.keep(Path(checkpoint), save_every)
    while loop.at.epoch < epochs and not loop.is_out_of_patience(patience):
        loop.finish_epoch(f"epoch {loop.at.epoch + 1}/{epochs}", progress, on_epoch_end, log_dir)
    loop.put_back_best()
    return loop.at.history


class _Loop:
    """The loop of :func:`train`; all that changes while it runs is in variables, ``states``, ``losses`` and ``at``."""

    def __init__(self, model, ids, validation_ids, shape, optimizer, clip_norm, keep_best, replicas):
        self.model = model
        self.ids = ids
        self.validation_ids = validation_ids
        self.shape = shape
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.replicas = replicas
        self.batches = partial(contiguous_batches, ids, *shape)  # called anew for every epoch
        self.num_batches = count_steps(len(ids), batch_size=shape[0], time=shape[1], epochs=1)
        self.step = replicas.compiled_step(model, optimizer, clip_norm)
        self.states = replicas.divide(zero_states(model, shape[0]))
        self.losses = []  # of the steps that were taken since the last look at them
        self.best = [tf.Variable(weight) for weight in model.get_weights()] if keep_best else []
        self.at = Progress([], history={"train": [], "validation": [], "seconds": []})
        self.path = None
        self.save_every = None
        self.writer = None
        self.start = clock.perf_counter()
        self.saved = self.start

    def keep(self, path, save_every):
        """Go on from the checkpoint where there is one, and save to it from now on."""
        self.path = path
        self.save_every = save_every
        self.settings = self._settings()
        remove_leftovers(path.parent)
        is_new = not path.exists()
        if not is_new:
            self.at = load_checkpoint(path, self._variables(), zero_states(self.model, self.shape[0]), self.settings)
            self.states = self.replicas.divide(self.at.states)
            self.start -= self.at.seconds
        self.replicas.check_agreement(-1 if is_new else self.at.epoch * self.num_batches + self.at.batch)
        if is_new:
            self._save()

    def is_out_of_patience(self, patience):
        """Whether the validation loss was not lower than ever for so many epochs."""
        losses = self.at.history["validation"]
        return bool(patience and losses) and len(losses) - 1 - int(np.argmin(losses)) >= patience

    def finish_epoch(self, title, progress, on_epoch_end, log_dir):
        """Take the steps that are left of an epoch, score it, and set everything up for the next."""
        bar = keras.utils.Progbar(self.num_batches, verbose=int(progress), stateful_metrics=["nats"])
        if progress:
            print(title)
        for inputs, targets in islice(self.batches(), self.at.batch, None):
            self._take_step(inputs, targets)
            is_due = self.path is not None and (self.at.batch % self.save_every == 0 or self._is_late())
            if is_due or len(self.losses) == _READ_EVERY or self.at.batch == self.num_batches:
                self._read_losses(title)
                bar.update(self.at.batch, [("nats", self.at.nats / self.at.batch)])
            if is_due:
                self._check_weights(title)
                self._save()
        self._check_weights(title)
        self._score_epoch(title)
        if on_epoch_end:
            on_epoch_end(self.at.epoch, self.at.history)
        self._save()
        if log_dir and self.replicas.is_chief:
            self._log(log_dir)

    def put_back_best(self):
        """Give the model its best weights; without ``keep_best`` it keeps those it has."""
        if self.best and self.at.history["validation"]:
            self.model.set_weights([weight.numpy() for weight in self.best])

    def _take_step(self, inputs, targets):
        inputs, targets = self.replicas.divide([np.asarray(inputs, np.int32), np.asarray(targets, np.int32)])
        loss, self.states = self.step(inputs, targets, self.states)
        self.losses.append(loss)
        self.at.batch += 1

    def _read_losses(self, title):
        """Add the losses since the last look to their sum, and stop at the first that is no number."""
        first = self.at.batch - len(self.losses) + 1
        for batch, loss in enumerate(self.losses, start=first):
            self.at.nats += _finite(float(loss), "loss", f"at batch {batch} ({title})")
        if self.at.epoch == 0 and first == 1:
            self._compare_with_a_guess(
                "first loss", float(self.losses[0]), "are these ids of the vocabulary that the model was trained with?"
            )
        self.losses = []

    def _compare_with_a_guess(self, what, loss, advice):
        """Warn of a loss far above that of a guess: a new model is as good as one, and a trained one is better."""
        number = count_logits(self.model)
        guess = math.log(number)
        if loss > 1.5 * guess + 0.5:
            warnings.warn(
                f"the {what}, {loss:,.2f} nats per character, is far above that of a guess among {number} characters, "
                f"{guess:.2f}: {advice}",
                stacklevel=6,
            )

    def _check_weights(self, title):
        """Stop if a weight is no number: the loss of the last batch was taken before the weights last changed."""
        for weight in self.model.trainable_variables:
            if not np.all(np.isfinite(weight.numpy())):
                raise ValueError(
                    f"the weights {weight.path} are no longer numbers after batch {self.at.batch} ({title}): "
                    "lower the learning rate"
                )

    def _score_epoch(self, title):
        """Enter an epoch that is done into the history, keep its weights if they are the best, and go to the next."""
        history = self.at.history
        history["train"].append(self.at.nats / self.at.batch)
        self._compare_with_a_guess(f"mean loss of {title}", history["train"][-1], "lower the learning rate")
        if self.validation_ids is not None:
            loss = self.replicas.agreed(evaluate(self.model, self.validation_ids))
            best_before = min(history["validation"], default=math.inf)
            history["validation"].append(_finite(loss, "validation loss", f"after {title}"))
            if self.best and loss < best_before:
                for kept, weight in zip(self.best, self.model.get_weights(), strict=True):
                    kept.assign(weight)
        history["seconds"].append(clock.perf_counter() - self.start)
        self.at.epoch += 1
        self.at.batch = 0
        self.at.nats = 0.0
        self.states = self.replicas.divide(zero_states(self.model, self.shape[0]))

    def _is_late(self):
        """Whether the last save is long ago; several workers would not agree on it."""
        return self.replicas.is_alone and clock.perf_counter() - self.saved > _SAVE_SECONDS

    def _save(self):
        if self.path is None:
            return
        self.saved = clock.perf_counter()
        self.at.states = self.replicas.gather(self.states)  # all workers take part in this
        self.at.seconds = clock.perf_counter() - self.start
        if self.replicas.is_chief:
            save_checkpoint(self.path, self._variables(), self.at, self.settings)

    def _log(self, log_dir):
        """Write the scalars of an epoch; after the save, so that no epoch is there twice in a resumed run."""
        if self.writer is None:
            self.writer = tf.summary.create_file_writer(str(log_dir))
        with self.writer.as_default(step=self.at.epoch):
            _write_scalar("learning_rate", _current_rate(self.optimizer))
            for name in ("train", "validation"):
                if self.at.history[name]:
                    _write_scalar(f"nats_per_character/{name}", self.at.history[name][-1])
        self.writer.flush()

    def _variables(self):
        return [*self.model.variables, *self.optimizer.variables, *self.best]

    def _settings(self):
        """Return what a resumed run must have in common with this one."""
        settings = {
            "batch_size": int(self.shape[0]),
            "time": int(self.shape[1]),
            "clip_norm": None if self.clip_norm is None else float(self.clip_norm),
            "keep_best": bool(self.best),
            "text": checksum(self.ids),
            "validation_text": None if self.validation_ids is None else checksum(self.validation_ids),
            "optimizer": type(self.optimizer).__name__,
        }
        # Its rate or schedule among them, but no name: the second Adam of a process is called adam_1.
        settings |= {key: value for key, value in self.optimizer.get_config().items() if key != "name"}
        return settings | _describe(self.model)


def _describe(model):
    """Return the settings of a model's layers that are plain values: sizes, dropout, types of products."""
    settings = {}
    for number, layer in enumerate(chain_of_layers(model), start=1):
        settings[f"layer {number}"] = type(layer).__name__
        settings[f"dtype of layer {number}"] = layer.dtype_policy.name
        try:
            config = layer.get_config()
        except NotImplementedError:  # a layer of one's own that cannot be saved
            config = {}
        for key, value in config.items():
            if key != "name" and isinstance(value, bool | int | float | str):
                settings[f"{key} of layer {number}"] = value
    return settings


def _current_rate(optimizer):
    """Return the learning rate of an optimizer's next step; a schedule's, too."""
    return float(tf.convert_to_tensor(optimizer.learning_rate).numpy())


def _write_scalar(name, value):
    """Do what ``tf.summary.scalar`` does, which refuses to where TensorBoard is not installed beside TensorFlow."""
    kind = tf.compat.v1.SummaryMetadata(plugin_data={"plugin_name": "scalars"}, data_class="DATA_CLASS_SCALAR")
    tf.summary.write(name, tf.constant(value, tf.float32), metadata=kind)


def _finite(value, what, where):
    """Return a value, or raise if it is no number."""
    if not math.isfinite(value):
        raise ValueError(f"the {what} became {value} {where}: lower the learning rate")
    return value


@checked
def compiled_step(model: KerasModel, optimizer: _Optimizer, clip_norm: Positive | None):
    """Return a compiled step: inputs, targets and states in; loss and new states out; weights updated."""
    chain_of_layers(model)  # which raises where it is none
    optimizer.build(model.trainable_variables)

    @tf.function
    def train_step(inputs, targets, states):
        loss, states, gradients = _loss_and_gradients(model, inputs, targets, states)
        if clip_norm is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss, states

    return train_step


def _loss_and_gradients(model, inputs, targets, states):
    """Return the mean loss of a window, the states after it, and the gradients of the loss."""
    with tf.GradientTape() as tape:
        logits, states = forward(model, inputs, states, training=True)  # (batch, time, vocab)
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(targets, logits))
    gradients = tape.gradient(loss, model.trainable_variables)
    # The embedding's gradient comes as one slice per character read; its norm is that of their sum.
    return loss, states, [tf.convert_to_tensor(gradient) for gradient in gradients]


class _OneReplica:
    """Training without a strategy: one process on one device, where nothing is divided and nobody is asked."""

    is_chief = True
    is_alone = True
    scope = staticmethod(contextlib.nullcontext)

    def check(self, model, optimizer, batch_size):
        """Any will do."""

    def divide(self, tensors):
        return tf.nest.map_structure(tf.convert_to_tensor, tensors)

    def gather(self, tensors):
        return tensors

    def check_agreement(self, step):
        """There is nobody to disagree."""

    def agreed(self, number):
        return number

    def compiled_step(self, model, optimizer, clip_norm):
        return compiled_step(model, optimizer, clip_norm)


class _Replicas:
    """Training under a strategy: how work is divided among its replicas and put together again."""

    is_alone = False

    def __init__(self, strategy):
        self.strategy = strategy
        self.scope = strategy.scope
        self.number = strategy.num_replicas_in_sync
        self.is_chief = strategy.extended.should_checkpoint
        self._gather = tf.function(lambda x: strategy.gather(x, axis=0))  # by itself it traces anew at every call

    def check(self, model, optimizer, batch_size):
        """Raise if the replicas cannot share rows and variables, or the optimizer would clip for each of them alone."""
        if batch_size % self.number:
            raise ValueError(
                f"batch_size must be divisible by the {self.number} replicas of the strategy, got {batch_size}"
            )
        for name, owner in (("model", model), ("optimizer", optimizer)):
            for variable in owner.variables:
                if not self.strategy.extended.variable_created_in_scope(variable.value):
                    raise ValueError(f"make the {name} under strategy.scope(): its variable {variable.path} was not")
        for name in ("clipnorm", "clipvalue", "global_clipnorm"):
            value = getattr(optimizer, name, None)
            if value is not None:
                raise ValueError(
                    f"under a strategy only clip_norm clips gradients, got an optimizer with {name}={value}"
                )

    def divide(self, tensors):
        """Give every replica its rows of tensors whose first axis is the batch."""

        def share(context):
            return tf.nest.map_structure(lambda x: self._rows(x, context.replica_id_in_sync_group), tensors)

        return self.strategy.experimental_distribute_values_from_function(share)

    def _rows(self, tensor, replica):
        rows = tensor.shape[0] // self.number
        return tf.convert_to_tensor(tensor[replica * rows : (replica + 1) * rows])

    def gather(self, tensors):
        """Put the rows of all replicas together again; every worker must call it."""
        return tf.nest.map_structure(self._gather, tensors)

    def check_agreement(self, step):
        """Raise unless all workers stand at the same step."""
        steps = self._from_all(step)
        if len(set(steps)) > 1:
            raise ValueError(
                f"the replicas stand at steps {', '.join(str(int(step)) for step in steps)} (-1: no checkpoint): "
                "the checkpoint must lie where every worker can read it"
            )

    def agreed(self, number):
        """Return the chief's number: a last digit may differ between machines, and all must stop after one epoch."""
        return float(self._from_all(number)[0])

    def _from_all(self, number):
        """Return the numbers of all replicas, float64 ``(replicas,)``, the chief's first."""
        own = self.strategy.experimental_distribute_values_from_function(lambda _: tf.constant([number], tf.float64))
        return self._gather(own).numpy()

    def compiled_step(self, model, optimizer, clip_norm):
        """Return what the function :func:`compiled_step` does, with every replica at its rows."""
        with self.scope():
            optimizer.build(model.trainable_variables)

        def replica_step(inputs, targets, states):
            loss, states, gradients = _loss_and_gradients(model, inputs, targets, states)
            gradients = [gradient / self.number for gradient in gradients]  # their sum: the gradient of all rows
            if clip_norm is not None:
                context = tf.distribute.get_replica_context()
                gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
                gradients, _ = tf.clip_by_global_norm(gradients, clip_norm)
                gradients = [gradient / self.number for gradient in gradients]
            # Keras's optimizer sums the gradients of the replicas by itself.
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
            return loss, states

        @tf.function
        def train_step(inputs, targets, states):
            losses, states = self.strategy.run(replica_step, (inputs, targets, states))
            return self.strategy.reduce(tf.distribute.ReduceOp.MEAN, losses, axis=None), states

        return train_step
