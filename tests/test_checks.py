import inspect
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from charlm_utils import checks
from charlm_utils.checks import check, checked

KINDS = {
    "Size": (
        checks.Size,
        [1, np.int64(2), checks.LARGEST],
        [None, True, "1", 1.0, np.inf, 0, -1, [1], np.array(1), checks.LARGEST + 1, 10**5000],
        "an integer of at (least 1|most 2147483647)",
    ),
    "Count": (checks.Count, [0, 5], [-1, 0.0, False], "an integer of at least 0"),
    "Seed": (checks.Seed, [0, 2**32 - 1], [-1, 2**32, 1.5, "0"], "an integer between 0 and 4294967295"),
    "Positive": (
        checks.Positive,
        [1, 0.5, np.float32(2)],
        [0, -1, np.nan, np.inf, "1", True, None, 10**400, 1e39, np.array([1.0])],
        "a finite number above 0",
    ),
    "NotNegative": (checks.NotNegative, [0, 1e30], [-1e-9, np.nan, np.inf, []], "a finite number of at least 0"),
    "Share": (checks.Share, [0, 1, 0.5], [-0.1, 1.1, np.nan], "a number between 0 and 1"),
    "ShareBelowOne": (checks.ShareBelowOne, [0, 0.99], [1, -0.1], "a number of at least 0 and below 1"),
    "Ids": (
        checks.Ids,
        [[1, 2], [], np.zeros(3, np.uint8), range(3)],
        [[0.9], [True], np.zeros((2, 2), int), np.zeros(2), np.array([None]), "ab", {}, [[1], [1, 2]], 3, None],
        "a 1-D array of integers",
    ),
    "Numbers": (checks.Numbers, [1.5, [1, 2.5], np.zeros((2, 3))], [[np.nan], "1", [None], {}], "finite numbers"),
    "NumberList": (checks.NumberList, [[0.5]], [0.5, [[0.5]], [np.inf]], "a 1-D array of finite numbers"),
    "Rows": (checks.Rows, [[0.5], [[1, 2]]], [0.5, [[1], [1, 2]], ["a"]], "rows of finite numbers"),
    "choice": (checks.choice("a", "b"), ["a", np.str_("b")], ["c", 1, None, ["a"]], "one of a, b"),
    "Flag": (checks.Flag, [True, np.bool_(False)], [1, 0, "yes", None, []], "True or False"),
    "Text": (checks.Text, ["", "a\n"], [b"a", 1, None, ["a"]], "a string"),
    "Character": (checks.Character, ["a"], ["", "ab", 1], "one character"),
    "Texts": (checks.Texts, [[], ["a"], ("a", "b")], ["ab", ["a", 1], {"a"}, None], "a list of strings"),
    "TextOrIds": (checks.TextOrIds, ["a", [1]], [["a"], [0.5], 3], "a string or a 1-D array of integers"),
    "ManyTexts": (checks.ManyTexts, [["a"], {"a"}, iter("a")], ["ab", 1, None], "strings, and not one string"),
    "AnyPath": (checks.AnyPath, ["a", Path("b")], ["", "a\0b", b"a", 3, None], "the path of a file or folder"),
    "List": (checks.List, [[], (1,), np.ones(2)], [{1}, "a", None], "a list"),
    "Mapping": (checks.Mapping, [{}], [[], None], "a dictionary"),
    "Function": (checks.Function, [len], [1, None, "len"], "a function"),
    "KerasModel": (checks.KerasModel, [], [object(), None, "model"], "a Keras model"),
    "AVocabulary": (checks.AVocabulary, [], ["abc", None], "a Vocabulary"),
}


@pytest.mark.parametrize("name", KINDS)
def test_a_kind_takes_what_it_says_and_refuses_the_rest_in_one_line(name):
    kind, good, bad, words = KINDS[name]
    for value in good:
        check("width", value, kind)
    for value in bad:
        with pytest.raises(ValueError, match=f"^width must be {words}, got .") as caught:
            check("width", value, kind)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 200


def test_none_is_taken_where_the_annotation_says_so():
    check("width", None, checks.Size | None)
    with pytest.raises(ValueError, match="^width must be an integer of at least 1 or None, got 0$"):
        check("width", 0, checks.Size | None)


def test_limits_of_an_integer_are_part_of_it():
    check("rows", 1, checks.integer(1, 3))
    with pytest.raises(ValueError, match="^rows must be an integer between 1 and 3, got 4$"):
        check("rows", 4, checks.integer(1, 3))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("x" * 1000, r"'x+\.\.\.x+'"),
        (list(range(1000)), r"\[0, 1, 2, 3, \.\.\.\]"),
        (np.zeros((2, 3), np.float32), r"shape \(2, 3\) of float32"),
        (np.float64(2.5), r".*2\.5\)?"),
        ("a\nb\udc80", r"'a\\nb\\udc80'"),
    ],
)
def test_values_are_shown_in_one_short_line(value, words):
    with pytest.raises(ValueError, match=f"got {words}$"):
        check("width", value, checks.Flag)


@checked
def area(width: checks.Size, height: checks.Size | None = None, *, unit: checks.Text = "m", note=None):
    """Say how large."""
    return f"{width * (height or width)} {unit}"


def test_a_checked_function_is_what_it_was():
    assert area(2) == "4 m"
    assert area(width=2, height=np.int64(3), unit="ft", note=object()) == "6 ft"
    assert area.__doc__ == "Say how large."
    assert str(inspect.signature(area)) == "(width, height=None, *, unit='m', note=None)"


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        (("2",), {}, "width must be an integer of at least 1, got '2'"),
        ((2, 0), {}, "height must be an integer of at least 1 or None, got 0"),
        ((2,), {"unit": None}, "unit must be a string, got None"),
    ],
)
def test_a_checked_function_names_the_first_wrong_argument(args, kwargs, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        area(*args, **kwargs)


def test_missing_and_unknown_arguments_are_python_s_own_error():
    with pytest.raises(TypeError, match=r"area\(\) missing 1 required positional argument: 'width'"):
        area()
    with pytest.raises(TypeError, match=r"area\(\) got an unexpected keyword argument 'depth'"):
        area(2, depth=3)


@checked
@dataclass(frozen=True)
class Box:
    width: checks.Size
    label: checks.Text = ""


def test_fields_of_a_checked_dataclass():
    assert Box(2) == Box(2, "")
    assert str(inspect.signature(Box)) == "(width, label='')"
    with pytest.raises(ValueError, match="^label must be a string, got 3$"):
        Box(2, 3)


def test_checking_needs_no_tensorflow():
    code = "import charlm_utils.checks, sys; sys.exit('tensorflow' in sys.modules or 'keras' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_characters_may_stand_in_an_array():
    check("characters", np.array(["a", "b"]), checks.Characters)
    for bad in (np.array([["a"]]), np.array([1]), ["a", 1], {"a"}, None):
        with pytest.raises(ValueError, match="^characters must be a string or a list of characters, got "):
            check("characters", bad, checks.Characters)
