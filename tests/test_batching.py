import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charlm_utils.batching import (
    check_ids,
    context_target_pairs,
    contiguous_batches,
    cursor_batches,
    make_dataset,
    pad_names,
    unrolled_batches,
)
from charlm_utils.vocabulary import Vocabulary

GENERATORS = [cursor_batches, contiguous_batches, unrolled_batches]
PAIRS = [cursor_batches, contiguous_batches]

sizes = st.tuples(st.integers(1, 5), st.integers(1, 6), st.integers(0, 70))  # batch size, time, further characters


def random_ids(n):
    return np.random.default_rng(n).integers(0, 50, n).astype(np.int32)


def plain(batches):
    """Turn arrays into lists, so that shapes are compared as well."""
    return [tuple(part.tolist() for part in batch) for batch in batches]


def naive_cursor(ids, batch_size, time):
    batches, cursor = [], 0
    while cursor + batch_size * time + 1 <= len(ids):
        inputs, targets = [], []
        for _ in range(batch_size):
            inputs.append([int(ids[cursor + t]) for t in range(time)])
            targets.append([int(ids[cursor + t + 1]) for t in range(time)])
            cursor += time
        batches.append((inputs, targets))
    return batches


def naive_contiguous(ids, batch_size, time):
    num_batches = (len(ids) - 1) // (batch_size * time)  # one character more is needed for the last target
    batches = []
    for batch in range(num_batches):
        inputs, targets = [], []
        for row in range(batch_size):
            start = row * num_batches * time + batch * time
            inputs.append([int(ids[start + t]) for t in range(time)])
            targets.append([int(ids[start + t + 1]) for t in range(time)])
        batches.append((inputs, targets))
    return batches


def naive_unrolled(ids, batch_size, num_unrollings):
    segment = len(ids) // batch_size
    items, cursor = [], 0
    while cursor + num_unrollings < segment:
        item = []
        for t in range(num_unrollings + 1):
            item.append([int(ids[row * segment + cursor + t]) for row in range(batch_size)])
        items.append(item)
        cursor += num_unrollings
    return items


@given(sizes)
def test_cursor_batches_equal_a_plain_double_loop(size):
    batch_size, time, more = size
    ids = random_ids(batch_size * time + 1 + more)
    assert plain(cursor_batches(ids, batch_size, time)) == naive_cursor(ids, batch_size, time)


@given(sizes)
def test_contiguous_batches_equal_a_plain_double_loop(size):
    batch_size, time, more = size
    ids = random_ids(batch_size * time + 1 + more)
    assert plain(contiguous_batches(ids, batch_size, time)) == naive_contiguous(ids, batch_size, time)


@given(sizes)
def test_unrolled_batches_equal_a_plain_double_loop(size):
    batch_size, num_unrollings, more = size
    ids = random_ids(batch_size * (num_unrollings + 1) + more)
    items = [item.tolist() for item in unrolled_batches(ids, batch_size, num_unrollings)]
    assert items == naive_unrolled(ids, batch_size, num_unrollings)


@given(st.integers(1, 9), st.integers(1, 40))
def test_context_target_pairs_equal_a_plain_double_loop(time, more):
    ids = random_ids(time + more)
    contexts, targets = context_target_pairs(ids, time)
    assert contexts.tolist() == [[int(ids[i + t]) for t in range(time)] for i in range(more)]
    assert targets.tolist() == [int(ids[i + time]) for i in range(more)]


def test_cursor_batches_by_hand():
    (first, _), (second, targets) = cursor_batches(np.arange(14), batch_size=2, time=3)
    assert first.tolist() == [[0, 1, 2], [3, 4, 5]]
    assert second.tolist() == [[6, 7, 8], [9, 10, 11]]
    assert targets.tolist() == [[7, 8, 9], [10, 11, 12]]


def test_contiguous_batches_by_hand():
    (first, _), (second, targets) = contiguous_batches(np.arange(14), batch_size=2, time=3)
    assert first.tolist() == [[0, 1, 2], [6, 7, 8]]
    assert second.tolist() == [[3, 4, 5], [9, 10, 11]]
    assert targets.tolist() == [[4, 5, 6], [10, 11, 12]]


def test_unrolled_batches_by_hand():
    first, second = unrolled_batches(np.arange(10), batch_size=2, num_unrollings=2)
    assert first.tolist() == [[0, 5], [1, 6], [2, 7]]
    assert second.tolist() == [[2, 7], [3, 8], [4, 9]]


@pytest.mark.parametrize("batches", PAIRS)
@pytest.mark.parametrize("n", [16, 30, 31, 100])
def test_every_target_is_the_true_next_character_the_last_column_included(batches, n):
    pairs = list(batches(np.arange(n), batch_size=3, time=5))
    assert len(pairs) == (n - 1) // 15
    for inputs, targets in pairs:
        assert inputs.shape == targets.shape == (3, 5)
        np.testing.assert_array_equal(targets, inputs + 1)


@pytest.mark.parametrize("batches", PAIRS)
def test_one_pass_visits_no_character_twice_and_leaves_out_only_the_end(batches):
    seen = np.concatenate([inputs.ravel() for inputs, _ in batches(np.arange(107), batch_size=3, time=5)])
    np.testing.assert_array_equal(np.sort(seen), np.arange(105))


def test_rows_of_contiguous_batches_go_on_in_the_next_batch():
    pairs = list(contiguous_batches(np.arange(100), batch_size=3, time=5))
    assert len(pairs) == 6
    for (_, targets), (inputs, _) in zip(pairs[:-1], pairs[1:], strict=True):
        np.testing.assert_array_equal(inputs[:, 0], targets[:, -1])


def test_rows_of_a_cursor_batch_go_on_in_the_next_row():
    for inputs, targets in cursor_batches(np.arange(100), batch_size=3, time=5):
        np.testing.assert_array_equal(inputs[1:, 0], targets[:-1, -1])


@pytest.mark.parametrize(("batch_size", "num_unrollings"), [(3, 4), (2, 7), (5, 1)])
def test_last_row_of_an_unrolled_item_is_the_first_of_the_next(batch_size, num_unrollings):
    items = list(unrolled_batches(np.arange(100), batch_size, num_unrollings))
    assert len(items) > 2
    for one, following in zip(items[:-1], items[1:], strict=True):
        assert one.shape == (num_unrollings + 1, batch_size)
        np.testing.assert_array_equal(one[-1], following[0])
        np.testing.assert_array_equal(one[1:], one[:-1] + 1)


def test_context_target_pairs_are_read_only_views_of_the_text():
    ids = random_ids(1000)
    contexts, targets = context_target_pairs(ids, 100)
    assert contexts.shape == (900, 100)
    assert targets.shape == (900,)
    for part in (contexts, targets):
        assert np.shares_memory(part, ids)
        with pytest.raises(ValueError, match="read-only"):
            part[0] = 7
    ids[0] = 42  # the text itself stays writeable
    assert contexts[0, 0] == 42


@pytest.mark.parametrize("batches", GENERATORS)
def test_a_list_of_ids_will_do(batches):
    from_list, from_array = list(batches(list(range(30)), 2, 3)), list(batches(np.arange(30), 2, 3))
    np.testing.assert_array_equal(from_list, from_array)


# --- the one check of ids, the one check of sizes, and who asks them ---


@pytest.mark.parametrize(
    ("ids", "settings", "message"),
    [
        ([[0, 1], [1, 2]], {}, r"ids must be a 1-D array of integers, got \[\[0, 1\], \[1, 2\]\]"),
        (np.zeros(2), {}, r"ids must be a 1-D array of integers, got shape \(2,\) of float64"),
        ([0, 1], {"least": 3}, "need at least 3 ids, got 2"),
        ([], {"least": 1, "purpose": " to be happy"}, "need at least 1 ids to be happy, got 0"),
        ([0, 1, 5, 1], {"vocab_size": 5}, "ids must be between 0 and 4, got 5 at position 2"),
        ([0, -1, 4, 1], {"vocab_size": 5}, "ids must be between 0 and 4, got -1 at position 1"),
    ],
)
def test_what_is_no_row_of_ids_is_refused_and_named(ids, settings, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        check_ids(ids, **settings)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.uint16, np.int32, np.int64])
def test_ids_within_the_limits_come_back_in_their_type(dtype):
    ids = np.array([0, 4, 2], dtype)
    assert check_ids(ids, least=3, vocab_size=5) is ids
    assert check_ids([0, 4], least=2, vocab_size=5).tolist() == [0, 4]
    assert check_ids([]).tolist() == []


def test_a_foreign_id_is_found_far_into_a_long_text():
    ids = np.zeros(2**20 + 10, np.uint8)  # more than one piece
    ids[-3] = 7
    assert check_ids(ids, vocab_size=8) is ids
    with pytest.raises(ValueError, match=f"between 0 and 6, got 7 at position {2**20 + 7}$"):
        check_ids(ids, vocab_size=7)


@pytest.mark.parametrize("batches", GENERATORS)
def test_the_batches_ask_for_ids_that_fill_one_of_them(batches):
    steps = "num_unrollings" if batches is unrolled_batches else "time"
    needed = 18 if batches is unrolled_batches else 16
    assert len(list(batches(np.arange(needed), 3, 5))) == 1
    with pytest.raises(
        ValueError, match=f"need at least {needed} ids for batch_size=3 and {steps}=5, got {needed - 1}"
    ):
        list(batches(np.arange(needed - 1), 3, 5))
    with pytest.raises(ValueError, match="1-D array of integers"):
        list(batches(np.zeros(50), 3, 5))
    with pytest.raises(ValueError, match="^batch_size must be"):
        list(batches(np.arange(50), 0, 5))
    with pytest.raises(ValueError, match=f"^{steps} must be"):
        list(batches(np.arange(50), 3, 0))


def test_pairs_of_context_and_target_ask_for_one_target():
    with pytest.raises(ValueError, match="need at least 6 ids for time=5, got 5"):
        context_target_pairs(np.arange(5), 5)
    with pytest.raises(ValueError, match="1-D array of integers"):
        context_target_pairs(np.zeros(50), 5)
    with pytest.raises(ValueError, match="^time must be"):
        context_target_pairs(np.arange(5), 0)


NAMES = ["Rex", "Allo", "Minmi", "Mei"]
VOCABULARY = Vocabulary.from_text("\n-" + "".join(NAMES))


def test_pad_names_fills_every_row_with_newlines_on_the_right():
    rows = pad_names(NAMES, VOCABULARY)
    assert rows.dtype == np.int32
    assert [VOCABULARY.decode(row) for row in rows] == ["Rex\n\n\n", "Allo\n\n", "Minmi\n", "Mei\n\n\n"]


def test_pad_names_takes_a_length_and_another_padding():
    rows = pad_names(NAMES, VOCABULARY, length=7, pad="-")
    assert [VOCABULARY.decode(row) for row in rows] == ["Rex----", "Allo---", "Minmi--", "Mei----"]


@given(st.lists(st.text("ab c\u03b1\U0001f996", max_size=8), min_size=1, max_size=6), st.integers(1, 5))
def test_padded_names_decode_to_the_names(names, more):
    vocabulary = Vocabulary("\U0001f996\n\u03b1c ab")
    length = max(len(name) for name in names) + more
    rows = pad_names(names, vocabulary, length)
    assert rows.shape == (len(names), length)
    for row, name in zip(rows, names, strict=True):
        assert vocabulary.decode(row) == name + "\n" * (length - len(name))


@pytest.mark.parametrize(
    ("names", "settings", "message"),
    [
        ([], {}, "at least one name"),
        (NAMES, {"length": 5}, "length must be at least 6 for 'Minmi', got 5"),
        (["Rex", "Mei\n"], {}, r"'Mei\\n' holds the padding character '\\n'"),
        (["Rex", "M-i"], {"pad": "-"}, "'M-i' holds the padding character '-'"),
        (["Rex", "Zuul"], {}, "unknown character 'Z'"),
        (["Rex"], {"pad": "_"}, "unknown character '_'"),
    ],
)
def test_pad_names_refuses_what_would_not_come_back(names, settings, message):
    with pytest.raises(ValueError, match=message):
        pad_names(names, VOCABULARY, **settings)


INPUTS = np.arange(60).reshape(20, 3)
TARGETS = np.arange(20) * 10


def rows_of(dataset):
    """Return the numbers of the rows in the order of one pass, after a look at each batch."""
    order = []
    for inputs, targets in dataset.as_numpy_iterator():
        np.testing.assert_array_equal(inputs, INPUTS[targets // 10])  # inputs and targets stay together
        order.extend((targets // 10).tolist())
    return order


def test_dataset_keeps_the_order_unless_asked_to_shuffle():
    dataset = make_dataset(INPUTS, TARGETS, 4)
    assert rows_of(dataset) == rows_of(dataset) == list(range(20))


def test_dataset_has_whole_batches_only():
    batches = list(make_dataset(INPUTS, TARGETS, 6).as_numpy_iterator())
    assert [inputs.shape for inputs, _ in batches] == [(6, 3)] * 3
    assert [targets.shape for _, targets in batches] == [(6,)] * 3
    assert make_dataset(INPUTS, TARGETS, 20).element_spec[0].shape == (20, 3)


def test_dataset_reshuffles_in_each_epoch_and_keeps_all_rows():
    dataset = make_dataset(INPUTS, TARGETS, 4, shuffle=True, seed=1)
    epochs = [rows_of(dataset) for _ in range(3)]
    assert all(sorted(epoch) == list(range(20)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in [*epochs, range(20)]}) == 4


def test_dataset_order_follows_the_seed():
    def order(seed):
        return rows_of(make_dataset(INPUTS, TARGETS, 4, shuffle=True, seed=seed))

    assert order(1) == order(1) != order(2)


@pytest.mark.parametrize(
    ("inputs", "targets", "batch_size", "message"),
    [
        (INPUTS, TARGETS, 21, "batch_size must be between 1 and the number of rows, 20, got 21"),
        (INPUTS, TARGETS, 0, "batch_size must be an integer of at least 1, got 0"),
        (INPUTS, TARGETS[:-1], 4, "as many rows, got 20 and 19"),
        (INPUTS[:0], TARGETS[:0], 4, "number of rows, 0, got 4"),
    ],
)
def test_dataset_refuses_too_few_rows_or_unequal_numbers(inputs, targets, batch_size, message):
    with pytest.raises(ValueError, match=message):
        make_dataset(inputs, targets, batch_size)
