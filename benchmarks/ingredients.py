"""What each ingredient of the fast layers gives alone: hoisting, backward pass by hand, bfloat16, batch size; in turns.

    python benchmarks/ingredients.py

All are whole training steps, as in ``training.py``. Before anything is timed, every arm takes one step, whose loss
and gradient must be those of Keras's layer. The inputs are multiplied by the kernel in the loop, step by step; or
before it, all rows at once; or before it, a table of all characters, whose rows are then looked up. The gradient is
automatic, with a plain loop, or by hand, with the loops of the package.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import keras
import numpy as np
import tensorflow as tf
import training
import turns

from charlm_utils.layers import PADDING, FastRNN, Rows, gru_scan, lstm_scan
from charlm_utils.settings import CELLS

BATCH_SIZES = (16, 32, 64, 128, 256)
TINY = {"batch_size": 2, "units": 2, "embedding_dim": 2}  # a step of these sizes is hardly more than its launches
ROUNDING = {"float32": 1e-5, "bfloat16": 0.02}  # of a loss and, relative to its largest number, of a gradient
NOISE = 0.1  # of the biases: they start at 0 or 1, which would hide that one of them is in the wrong place
SCANS = {"gru": gru_scan, "lstm": lstm_scan}


class Automatic:
    """A plain loop over the layer's step, and an automatic gradient."""

    scan = FastRNN.scan


class Padded:
    """The recurrent kernel has more columns, as in the loops with a backward pass by hand."""

    def loop_weights(self):
        """Return the tensors that every step needs."""
        kernel, *others = super().loop_weights()
        return [tf.pad(kernel, [[0, 0], [0, PADDING]]), *others]


class OfRows:
    """The inputs of all steps are multiplied at once, row by row: there is no table of all characters."""

    is_fast = False  # for `forward`, which then leaves the embedding alone; the layer's loop stays its own


class InLoop(OfRows):
    """Every step multiplies its own inputs: nothing is hoisted."""

    def project(self, inputs):
        """Return the inputs as they are: the loop projects them."""
        return inputs

    def projection(self):
        """Return the kernel, and as one row what is added to its products, as tensors."""
        kernel = tf.convert_to_tensor(self.cell.kernel)
        return [kernel, super().project(tf.zeros((1, kernel.shape[0])))]

    def loop_weights(self):
        """Return the tensors that every step needs, those of the projection first."""
        return [*self.projection(), *super().loop_weights()]

    def step(self, row, states, weights):
        """Project the inputs of a step, and take it."""
        kernel, bias, *others = weights
        return super().step(tf.matmul(row, kernel) + bias, states, others)


class InLoopByHand(InLoop):
    """As InLoop, with the package's loops and their backward pass by hand.

    Going back, the gradient of the kernel is one product over all steps, as by hand that of the recurrent kernel is
    one over a block of steps.
    """

    def _run(self, kind, source, ids, states):
        @tf.custom_gradient
        def run(inputs, kernel, bias, *tensors):
            projected = ProjectedInLoop(inputs, kernel, bias)
            outputs, backward = SCANS["lstm" if len(states) > 1 else "gru"](projected, *tensors)
            return outputs, partial(projected.go_back, backward)

        projection = self.projection()
        others = self.loop_weights()[len(projection) :]
        outputs, *memory = tf.nest.flatten(run(source, *projection, *states, *others))
        return [outputs, outputs[-1], *memory]


class ProjectedInLoop(Rows):
    """Inputs ``(time, batch, features)`` that the loops project as they read them."""

    def __init__(self, source, kernel, bias):
        super().__init__(source)
        self.kernel = kernel
        self.bias = bias

    def row(self, t):
        """Return the projected inputs of one step ``(batch, gates * units)``."""
        return tf.matmul(self.source[t], self.kernel) + self.bias

    def go_back(self, backward, *d_outputs):
        """Return the gradients of inputs, kernel and bias, and those that ``backward`` gives of all other tensors."""
        d_rows, *others = backward(*d_outputs)
        d_inputs = tf.tensordot(d_rows, self.kernel, [[2], [1]])
        d_kernel = tf.tensordot(self.source, d_rows, [[0, 1], [0, 1]])
        return d_inputs, d_kernel, tf.reduce_sum(d_rows, axis=(0, 1))[None], *others


KERAS = "Keras's layer"
FAST = "table hoisted, by hand"
INGREDIENTS = {  # what is changed of the fast layer; the fast layer itself comes last
    "plain loop": (InLoop, Automatic),
    "rows hoisted": (OfRows, Automatic),
    "table hoisted": (Automatic,),
    "table hoisted, kernel padded": (Padded, Automatic),
    "by hand": (InLoopByHand,),
    "rows hoisted, by hand": (OfRows,),
    FAST: (),
}


@dataclass(frozen=True)
class Arm(turns.Rival):
    """A rival that takes training steps.

    Attributes
    ----------
    cell : str
        Kind of the recurrent layer.
    sizes : training.Sizes
        Those of a step, and how many it takes when it is called once.
    first_step : callable, optional
        Takes the first step, and returns its loss and gradients.
    """

    cell: str = "gru"
    sizes: training.Sizes = training.Sizes()
    first_step: Callable | None = None


def layers_of(cell):
    """Return functions from units to layer by the name of the arm, Keras's first."""
    options = {"return_sequences": True, "return_state": True}
    layers = {KERAS: partial(CELLS[cell].layer, **options)}
    for name, changes in INGREDIENTS.items():
        layers[name] = partial(type("Arm", (*changes, CELLS[cell].fast), {}), **options)
    layers[f"{FAST}, bfloat16"] = partial(layers[FAST], recurrent_dtype="bfloat16")
    return layers


def model_of(layer, sizes):
    """Return embedding, layer and logits; weights of the same sizes are the same."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((None,), dtype="int32")
    x = keras.layers.Embedding(sizes.vocab_size, sizes.embedding_dim)(inputs)
    x, *_ = layer(sizes.units)(x)
    model = keras.Model(inputs, keras.layers.Dense(sizes.vocab_size)(x))
    draw = np.random.default_rng(0)
    for weight in model.weights:
        if weight.name == "bias":
            weight.assign_add(NOISE * draw.normal(size=weight.shape))
    return model


def arm_of(name, group, cell, layer, sizes, **more):
    """Return an arm that takes training steps of a model with some layer."""
    optimizer = keras.optimizers.Adam(0.001)
    step = training.step_of(model_of(layer, sizes), sizes, optimizer)

    def first_step():
        loss = step()
        momentums = [variable for variable in optimizer.variables if variable.name.endswith("momentum")]
        # After one step the momentum is the gradient (clipped, where it is long) times 1 - beta_1.
        return loss, [momentum.numpy() / (1 - optimizer.beta_1) for momentum in momentums]

    seconds = turns.here(training.repeated(step, sizes.steps))
    options = {"characters": characters_of(sizes), "cell": cell, "sizes": sizes} | more
    return Arm(name, group, seconds, first_step=first_step, **options)


def characters_of(sizes):
    """Return how many characters go through in a round."""
    return sizes.batch_size * sizes.length * sizes.steps


def ingredients_of(cell, sizes):
    """Return the arms that differ in their ingredients, Keras's first."""
    group = f"{cell}, ingredients"
    products = training.operations(sizes, cell)
    arms = []
    for name, layer in layers_of(cell).items():
        dtype = "bfloat16" if "bfloat16" in name else "float32"
        arms.append(arm_of(f"{cell}: {name}", group, cell, layer, sizes, dtype=dtype, products=products))
    return arms


def launches_of(cell, sizes):
    """Return arms that launch what a step launches, with hardly anything to compute, and one that does nothing.

    They count as many characters as the step would have: so their ratio is the share of Keras's step that they take.
    """
    group = f"{cell}, ingredients"
    layers = layers_of(cell)
    tiny = replace(sizes, **TINY)
    counted = {"characters": characters_of(sizes)}
    arms = []
    for name in (KERAS, FAST):
        arms.append(arm_of(f"{cell}: launches of {name}", group, cell, layers[name], tiny, **counted))
    nothing = tf.function(lambda inputs: tf.reduce_sum(inputs[:1, :1]))
    inputs = tf.zeros((sizes.batch_size, sizes.length), tf.int32)
    seconds = turns.here(training.repeated(lambda: float(nothing(inputs)), sizes.steps))
    return [*arms, Arm(f"{cell}: empty step", group, seconds, cell=cell, sizes=sizes, **counted)]


def batches_of(cell, sizes, batch_sizes):
    """Return arms of the fast layer that differ in their batch size and take about as many characters in a round."""
    layer = layers_of(cell)[FAST]
    products = training.operations(sizes, cell)
    arms = []
    for rows in batch_sizes:
        steps = max(1, sizes.steps * sizes.batch_size // rows)
        others = replace(sizes, batch_size=rows, steps=steps)
        arms.append(arm_of(f"{cell}: batch of {rows}", f"{cell}, batch size", cell, layer, others, products=products))
    return arms


def arms_of(sizes, cells=tuple(training.GATES), batch_sizes=BATCH_SIZES):
    """Return lists of arms that take turns: one for every cell, and one of batch sizes of the GRU."""
    lists = [ingredients_of(cell, sizes) + launches_of(cell, sizes) for cell in cells]
    lists.append(batches_of("gru", sizes, batch_sizes))
    return lists


def prove(arms):
    """Let every arm take its first step, and hold loss and gradients against those of Keras's layer at its sizes.

    Raises
    ------
    AssertionError
        If they differ by more than rounding.
    """
    expected = {}
    for arm in arms:
        if arm.first_step is None:  # it computes nothing
            continue
        key = arm.cell, arm.sizes
        if key not in expected:
            expected[key] = arm_of("expected", "expected", arm.cell, layers_of(arm.cell)[KERAS], arm.sizes).first_step()
        loss, gradients = expected[key]
        own_loss, own_gradients = arm.first_step()
        rounding = ROUNDING[arm.dtype]
        np.testing.assert_allclose(own_loss, loss, rtol=rounding, err_msg=arm.name)
        for own, gradient in zip(own_gradients, gradients, strict=True):
            largest = np.max(np.abs(gradient))
            np.testing.assert_allclose(own, gradient, rtol=0, atol=rounding * largest, err_msg=arm.name)


def to_rows(arms, peaks, seconds):
    """Return rows as ``turns.to_rows``, with the single rounds.

    Every row gets ``milliseconds``, of a step in each round; ``steps_per_second``; and ``factor``, how many times as
    fast as the first of its group an arm was in the same round: the median, with ``factor_lowest`` and
    ``factor_highest``.
    """
    rows = turns.to_rows([*arms, *peaks], seconds)
    firsts = {}
    for arm, row in zip(arms, rows, strict=True):
        took = np.array(seconds[arm.name])
        speeds = arm.characters / took
        factors = speeds / firsts.setdefault(arm.group, speeds)
        row["steps_per_second"] = round(arm.sizes.steps / float(np.median(took)), 3)
        row["factor"] = round(float(np.median(factors)), 3)
        row["factor_lowest"] = round(float(np.min(factors)), 3)
        row["factor_highest"] = round(float(np.max(factors)), 3)
        row["milliseconds"] = [round(1000 * float(second) / arm.sizes.steps, 3) for second in took]
    return rows


def measure(sizes, cells=tuple(training.GATES), batch_sizes=BATCH_SIZES, rounds=turns.ROUNDS):
    """Prove the arms, let those of a list take turns, and return their rows."""
    rows = []
    for arms in arms_of(sizes, cells, batch_sizes):
        prove(arms)
        peaks = turns.peaks()
        rows += to_rows(arms, peaks, turns.in_turns([*arms, *peaks], rounds))
    return rows


def main():
    """Measure, print and keep."""
    rows = measure(training.Sizes())
    turns.show(rows)
    turns.keep("ingredients", rows)


if __name__ == "__main__":
    main()
