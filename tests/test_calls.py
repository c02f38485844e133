"""Every entry of the table of old calls is run, and the older tutorials' calls are all there."""

import pickle
import re
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.vocabulary import Vocabulary

pytestmark = pytest.mark.slow
tf1 = tf.compat.v1
PAGE = Path(__file__).resolve().parent.parent / "calls.md"
HEADER = ["what it was called → what it is called", "now", "`tf1`", "source"]
# The calls in the code of the five sources, without those that differ in their arguments only.
CALLS = re.findall(
    r"\S+",
    """
tf.Graph tf.GradientTape tf.Session tf.TensorShape tf.Variable tf.argmax tf.clip_by_global_norm tf.clip_by_value
tf.concat tf.constant tf.contrib.rnn.BasicLSTMCell tf.contrib.rnn.DropoutWrapper tf.contrib.rnn.MultiRNNCell
tf.contrib.rnn.static_rnn tf.control_dependencies tf.data.Dataset.from_tensor_slices tf.expand_dims tf.function
tf.get_variable tf.global_variables_initializer tf.gradients tf.group tf.initialize_all_variables
tf.keras.Sequential tf.matmul tf.name_scope tf.nn.dynamic_rnn tf.nn.embedding_lookup tf.nn.softmax
tf.nn.softmax_cross_entropy_with_logits tf.nn.sparse_softmax_cross_entropy_with_logits tf.nn.xw_plus_b tf.one_hot
tf.placeholder tf.random.categorical tf.random_normal_initializer tf.reduce_mean tf.reset_default_graph tf.reshape
tf.shape tf.sigmoid tf.softmax_cross_entropy_with_logits tf.split tf.squeeze tf.tanh tf.train.AdamOptimizer
tf.train.GradientDescentOptimizer tf.train.Optimizer tf.train.Saver tf.train.exponential_decay
tf.train.get_checkpoint_state tf.train.latest_checkpoint tf.trainable_variables tf.truncated_normal
tf.variable_scope tf.zeros .apply_gradients .compute_gradients .get_shape .grads .restore .run .save .state_size
.zero_state build.optimizer keras.callbacks.EarlyStopping keras.callbacks.ModelCheckpoint keras.layers.Embedding
keras.layers.GRU keras.layers.LSTM keras.layers.recurrent keras.losses.sparse_categorical_crossentropy
keras.models.Sequential keras.models.load_model keras.optimizers.Adam keras.preprocessing.sequence .build
model.compile model.fit model.load_weights model.reset_states model.save model.save_weights model.summary nb_epoch
dropout_W dropout_U batch_input_shape pickle.dump pickle.load
""",
)


def table_rows():
    """Return the rows of all tables of the page: old call, new call, now, in a graph, sources."""
    rows, inside = [], False
    for line in PAGE.read_text("utf-8").split("\n"):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|"):
            inside = False
        elif cells == HEADER:
            inside = True
        else:
            assert inside and len(cells) == len(HEADER), line
            if not set(cells[0]) <= set("-:"):
                rows.append([*cells[0].split(" → "), *cells[1:]])
    return rows


ROWS = table_rows()


class OwnCell:
    """The least that ``static_rnn`` and ``dynamic_rnn`` ask of a cell: input and state to output and new state."""

    state_size = output_size = 4

    def zero_state(self, batch_size, dtype):
        return tf.zeros([batch_size, 4], dtype)

    def __call__(self, inputs, state, scope=None):
        state = tf.tanh(inputs + state)
        return state, state


@pytest.fixture(scope="module")
def names(tmp_path_factory):
    """The names that the page tells of."""
    draw = np.random.default_rng(0)
    shapes = {"x": (2, 3, 4), "row": (2, 4), "weight": (4, 5), "bias": (5,), "logits": (2, 5)}
    arrays = {name: np.float32(draw.normal(size=shape)) for name, shape in shapes.items()}
    model = keras.Sequential([keras.Input(batch_shape=(2, 4)), keras.layers.Dense(5)])
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    labels = np.array([1, 0], np.int32)
    return arrays | {
        "cell": OwnCell(),
        "folder": str(tmp_path_factory.mktemp("calls")),
        "ids": np.array([[0, 1, 2], [3, 2, 1]], np.int32),
        "keras": keras,
        "labels": labels,
        "model": model,
        "one_hot": np.eye(5, dtype=np.float32)[labels],
        "pickle": pickle,
        "tf": tf,
        "Vocabulary": Vocabulary,
    }


def code(cell):
    """Return the expression between the backticks of a table's entry."""
    assert re.fullmatch("`[^`]+`", cell), cell
    return cell[1:-1]


def outcome(expression, names):
    """Evaluate an expression and return the table's word for what happened."""
    try:
        eval(expression, dict(names))
    except AttributeError:
        return "gone"
    except Exception as error:
        return type(error).__name__
    return "runs"


def test_the_page_has_tables():
    assert len(ROWS) > 80


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_every_entry_does_what_the_table_says(row, names):
    old, new, now, in_graph, sources = row
    assert re.fullmatch("-|[WAKDG]( [WAKDG])*", sources)
    assert outcome(code(old), names) == now
    if in_graph != "-":
        with tf.Graph().as_default():
            assert outcome(code(old), names | {"tf": tf1}) == in_graph
    assert outcome(code(new), names) == "runs"
    assert tf.executing_eagerly()


def test_every_old_call_is_listed():
    old = " ".join(row[0] for row in ROWS)
    assert not [call for call in CALLS if not re.search(re.escape(call) + r"\b", old)]


def test_every_old_call_has_its_place_in_the_book():
    table = PAGE.with_name("coverage.md").read_text("utf-8").split("(old-calls)=")[1]
    assert not [call for call in CALLS if f"`{call}`" not in table]


def test_the_swapped_arguments_of_s004_give_another_number(names):
    loss = tf.nn.softmax_cross_entropy_with_logits
    right, swapped = (
        loss(*pair).numpy() for pair in ((names["one_hot"], names["logits"]), (names["logits"], names["one_hot"]))
    )
    assert np.abs(right - swapped).max() > 0.1


def first_adam_step(gradient, epsilon):
    """Return the new values of a variable of zeros after one step of TF1's Adam and of Keras's, at rate 0.1."""
    with tf.Graph().as_default(), tf1.Session() as session:
        old = tf1.get_variable("v", initializer=[[0.0], [0.0]])
        update = tf1.train.AdamOptimizer(0.1, epsilon=epsilon).apply_gradients([(gradient(), old)])
        session.run(tf1.global_variables_initializer())
        session.run(update)
        old = session.run(old)
    new = tf.Variable([[0.0], [0.0]])
    keras.optimizers.Adam(0.1, epsilon=epsilon).apply_gradients([(gradient(), new)])
    return old[:, 0], new.numpy()[:, 0]


@pytest.mark.parametrize("epsilon", [1e-8, 1e-7])
def test_both_adams_mean_the_same_by_epsilon(epsilon):
    """06_placeholders_vs_eager: the first step moves a weight by rate * g / (g + epsilon / sqrt(0.001))."""
    old, new = first_adam_step(lambda: tf.constant([[1e-6], [1.0]]), epsilon)
    expected = [-0.1 * g / (g + epsilon / np.sqrt(0.001)) for g in (1e-6, 1.0)]
    np.testing.assert_allclose(old, expected, rtol=1e-3)
    np.testing.assert_allclose(new, expected, rtol=1e-3)


def test_keras_adam_squares_the_slices_of_a_row_one_by_one():
    """06_placeholders_vs_eager: the reason why its step turns the slices of an embedding's gradient into one tensor.

    Should this fail after an upgrade of Keras, the remark in the chapter is out of date.
    """

    def slices():
        return tf.IndexedSlices(tf.constant([[1.0], [3.0]]), tf.constant([0, 0]), tf.constant([2, 1]))

    old, new = first_adam_step(slices, 1e-7)
    assert old[0] == pytest.approx(-0.1, abs=1e-3)
    assert new[0] == pytest.approx(-0.1265, abs=1e-3)
    _, dense = first_adam_step(lambda: tf.convert_to_tensor(slices()), 1e-7)
    assert dense[0] == pytest.approx(-0.1, abs=1e-3)
