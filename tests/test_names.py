import keras
import numpy as np
import pytest
import tensorflow as tf

from charlm_utils.models import build_model
from charlm_utils.names import PADDING, evaluate_names, name_windows, names_loss, split_names, write_names
from charlm_utils.vocabulary import Vocabulary

VOCABULARY = Vocabulary("\nabcd")  # ids 0 to 4
NAMES = ["ab", "dacba", "c"]
LIST = "".join(f"{a}{b}saurus\n" for a in "ABCDEFG" for b in "aeiou")  # 35 names


@pytest.fixture(scope="module")
def model():
    """A network with sharp opinions, which depend on what it has read."""
    keras.utils.set_random_seed(1)
    model = build_model(len(VOCABULARY), cell="gru", units=6, embedding_dim=3)
    model.set_weights([8 * w for w in model.get_weights()])
    return model


def writer(following):
    """Return a network that goes from each character to the one that ``following`` gives, whatever came before."""
    model = build_model(len(VOCABULARY), cell="rnn", units=5, embedding_dim=None)
    table = np.zeros((5, 5), np.float32)
    for character, successor in following.items():
        table[VOCABULARY.encode(character)[0], VOCABULARY.encode(successor)[0]] = 50
    unit = np.eye(5, dtype=np.float32)
    model.set_weights([unit, unit, 0 * unit, np.zeros(5), table / np.tanh(1), np.zeros(5)])
    return model


# split


def test_both_parts_together_are_all_names_once():
    learned, held_out = split_names(LIST, held_out=0.2)
    assert (len(learned), len(held_out)) == (28, 7)
    assert sorted(learned + held_out) == LIST.split()


def test_a_name_that_stands_twice_is_on_one_side_only():
    learned, held_out = split_names(LIST * 3 + "  Aasaurus \t\n\n \n", held_out=0.2)
    assert len(set(learned) | set(held_out)) == len(learned) + len(held_out) == 35


def test_the_order_comes_from_the_seed_and_not_from_the_list():
    def split(text=LIST, seed=0):
        return split_names(text, held_out=0.2, seed=seed)

    turned = "\n".join(reversed(LIST.split()))
    assert split() == split(turned) == split(seed=0)
    assert set(split(seed=1)[1]) != set(split()[1])
    assert split()[1] != sorted(split()[1])
    assert {name[0] for name in split()[1]} - {"F", "G"}, "not the end of the alphabet alone"


def test_a_tenth_is_held_out_by_default():
    assert [len(part) for part in split_names(LIST + "Homo\n" * 2 + "\n".join("wxyz"))] == [36, 4]


@pytest.mark.parametrize(("text", "held_out"), [("", 0.5), ("a\nb", 0.1), ("a\nb", 1.0), ("a\na\n", 0.5), ("a\nb", 0)])
def test_an_empty_part_is_refused(text, held_out):
    different = len(set(text.split()))
    with pytest.raises(ValueError, match=f"held_out={held_out} of {different} different names leaves one part empty"):
        split_names(text, held_out=held_out)


# windows


def test_windows_are_those_written_by_hand():
    inputs, targets = name_windows(NAMES, VOCABULARY)
    assert inputs.tolist() == [[0, 1, 2, 0, 0, 0], [0, 4, 1, 3, 2, 1], [0, 3, 0, 0, 0, 0]]
    assert targets.tolist() == [[1, 2, 0, -1, -1, -1], [4, 1, 3, 2, 1, 0], [3, 0, -1, -1, -1, -1]]
    assert PADDING == -1
    assert inputs.dtype == targets.dtype == np.int32


def test_a_greater_length_adds_columns_that_count_for_nothing():
    short, long = name_windows(NAMES, VOCABULARY), name_windows(NAMES, VOCABULARY, 9)
    assert long[0].shape == long[1].shape == (3, 9)
    np.testing.assert_array_equal(long[0][:, :6], short[0])
    np.testing.assert_array_equal(long[1][:, :6], short[1])
    assert np.all(long[0][:, 6:] == 0)
    assert np.all(long[1][:, 6:] == PADDING)


@pytest.mark.parametrize(
    ("names", "length", "message"),
    [
        ([], None, "at least one name, got none"),
        (["ab", "abcd"], 4, "length must be at least 5 for 'abcd', got 4"),
        (["a\nb"], None, "holds the padding character"),
        (["xyz"], None, "unknown character 'x'"),
    ],
)
def test_names_that_cannot_be_windows_are_refused(names, length, message):
    with pytest.raises(ValueError, match=message):
        name_windows(names, VOCABULARY, length)


# loss


def nats_by_hand(model, names):
    """Score name by name without any padding; the sum over all characters and ends, and their number."""
    total, count = 0.0, 0
    for name in names:
        ids = VOCABULARY.encode("\n" + name + "\n")
        logits = model(tf.constant(ids[None, :-1])).numpy().astype(np.float64)[0]
        logs = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        total -= logs[np.arange(len(ids) - 1), ids[1:]].sum()
        count += len(ids) - 1
    return total / count


def test_the_loss_is_the_mean_over_characters_and_ends_without_padding(model):
    expected = nats_by_hand(model, NAMES)
    for length in (None, 6, 17):
        inputs, targets = name_windows(NAMES, VOCABULARY, length)
        assert float(names_loss()(targets, model(inputs))) == pytest.approx(expected, abs=1e-5)
    assert evaluate_names(model, NAMES, VOCABULARY) == pytest.approx(expected, abs=1e-5)
    assert type(evaluate_names(model, NAMES, VOCABULARY)) is float


def test_a_score_does_not_depend_on_how_long_the_other_names_are(model):
    short, long = evaluate_names(model, ["ab", "c"], VOCABULARY), evaluate_names(model, ["d" * 10], VOCABULARY)
    together = evaluate_names(model, ["ab", "c", "d" * 10], VOCABULARY)
    assert together == pytest.approx((5 * short + 11 * long) / 16, abs=1e-5)
    assert abs(short - long) > 0.05


def test_padding_has_no_gradient(model):
    inputs, targets = name_windows(NAMES, VOCABULARY)
    logits = tf.Variable(model(inputs))
    with tf.GradientTape() as tape:
        loss = names_loss()(targets, logits)
    moved = np.abs(tape.gradient(loss, logits)).max(axis=-1) > 0
    np.testing.assert_array_equal(moved, targets != PADDING)


# writing


def test_a_name_ends_before_its_first_newline():
    assert write_names(writer({"\n": "b", "b": "a", "a": "\n"}), VOCABULARY, 3, temperature=0) == ["ba"] * 3


def test_a_name_without_an_end_is_cut_off():
    endless = writer({"\n": "b", "b": "a", "a": "b"})
    assert write_names(endless, VOCABULARY, 1, temperature=0, longest=7) == ["bababab"]
    assert [len(name) for name in write_names(endless, VOCABULARY, 1, temperature=0)] == [40]


def test_names_begin_with_the_prime_and_may_end_with_it():
    loop = writer({"\n": "a", "a": "\n", "c": "d", "d": "\n"})
    assert write_names(loop, VOCABULARY, 2, prime="bac", temperature=0) == ["bacd"] * 2
    assert write_names(loop, VOCABULARY, 1, prime="ba", temperature=0) == ["ba"]


def test_names_are_drawn_from_the_seed(model):
    def written(seed):
        return write_names(model, VOCABULARY, 20, temperature=1.5, seed=seed)

    assert written(3) == written(3)
    assert written(3) != written(4)
    assert len(set(written(3))) > 5
    assert not any("\n" in name for name in written(3))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "count must be an integer of at least 1, got 0"),
        ({"count": 1, "prime": "x"}, "unknown character 'x'"),
        ({"count": 1, "temperature": -1}, "temperature must be a finite number of at least 0, got -1"),
        ({"count": 1, "longest": 0}, "longest must be an integer of at least 1, got 0"),
    ],
)
def test_write_names_refuses_what_is_out_of_range(model, settings, message):
    with pytest.raises(ValueError, match=message):
        write_names(model, VOCABULARY, **settings)
