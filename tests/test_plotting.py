import matplotlib
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from bs4 import BeautifulSoup
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.colors import to_rgb, to_rgba
from matplotlib_inline.config import InlineBackend

from charlm_utils.plotting import (
    COLORS,
    plot_batches,
    plot_boxes,
    plot_character_counts,
    plot_history,
    plot_next_character,
    plot_operations,
    plot_ranking,
    plot_waterfall,
    plot_windows,
    show_colored_text,
    show_table,
    spread_labels,
    use_book_style,
)
from charlm_utils.traces import Operation

HISTORY = {"train": [3.0, 2.5, 2.25], "validation": [2.75, 2.5], "seconds": [1.0, 2.0, 3.0]}


@pytest.fixture
def ax():
    figure, (left, right) = plt.subplots(1, 2)
    plt.sca(right)  # so that a function that ignores its argument draws on the wrong axes
    yield left
    assert not right.has_data()
    plt.close(figure)


@pytest.fixture
def no_axes():
    plt.close("all")
    yield
    plt.close("all")


def legend_texts(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize(
    "draw",
    [
        lambda **where: plot_history(HISTORY, **where),
        lambda **where: plot_next_character([0.5, 0.25, 0.25], "abc", **where),
        lambda **where: plot_ranking(["a"], [2.0], **where),
        lambda **where: plot_windows(["abc", "bcd"], **where),
        lambda **where: plot_waterfall(["a"], [2.0], [[1.0, 3.0]], **where),
        lambda **where: plot_operations([Operation("MatMul", 0, 0.0, 1.0)], ["MatMul"], **where),
    ],
)
def test_every_figure_draws_on_the_axes_it_is_given_and_returns_them(ax, draw):
    assert draw(ax=ax) is ax
    assert ax.has_data() or ax.patches


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot_history(HISTORY),
        lambda: plot_next_character([0.5, 0.5], "ab"),
        lambda: plot_ranking(["a"], [2.0]),
        lambda: plot_windows(["ab"]),
        lambda: plot_waterfall(["a"], [2.0], [[1.0, 3.0]]),
        lambda: plot_operations([Operation("MatMul", 0, 0.0, 1.0)], []),
    ],
)
def test_every_figure_makes_axes_when_it_is_given_none(no_axes, draw):
    ax = draw()
    assert ax is plt.gca()
    assert len(plt.get_fignums()) == 1


def test_history_draws_both_losses_over_epochs_counted_from_one(ax):
    plot_history(HISTORY, ax)
    train, validation = ax.get_lines()
    np.testing.assert_array_equal(train.get_xydata(), [[1, 3.0], [2, 2.5], [3, 2.25]])
    np.testing.assert_array_equal(validation.get_xydata(), [[1, 2.75], [2, 2.5]])
    assert train.get_linestyle() != validation.get_linestyle()
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("epoch", "nats per character")
    assert legend_texts(ax) == ["train", "validation"]


@pytest.mark.parametrize("history", [{"train": [1.0], "validation": []}, {"train": [1.0]}])
def test_history_without_validation_draws_the_training_loss_alone(ax, history):
    plot_history(history, ax)
    assert legend_texts(ax) == ["train"]
    assert len(ax.get_lines()) == 1


def test_history_labels_tell_two_models_apart(ax):
    plot_history(HISTORY, ax, label="GRU")
    plot_history({"validation": [2.0]}, ax, label="LSTM")
    assert legend_texts(ax) == ["GRU train", "GRU validation", "LSTM validation"]


def test_history_marks_whole_epochs_only(ax):
    plot_history({"train": [3.0, 2.0]}, ax)
    ticks = ax.get_xticks()
    np.testing.assert_array_equal(ticks, np.round(ticks))


def test_next_character_bars_stand_from_the_likeliest_down_with_visible_names(ax):
    plot_next_character([0.1, 0.4, 0.2, 0.3], "a b\n", ax, most=3)
    assert [bar.get_height() for bar in ax.patches] == [0.4, 0.3, 0.2]
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["\u2423", "\u21b5", "b"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("next character", "probability")


def test_next_character_keeps_the_order_of_equals_and_shows_at_most_twelve(ax):
    characters = "abcdefghijklmnop"
    plot_next_character(np.full(16, 1 / 16), characters, ax)
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == list(characters[:12])


@pytest.mark.parametrize("probabilities", [[0.5, 0.5], [[0.2, 0.3, 0.5]], [0.25] * 4])
def test_next_character_refuses_as_many_probabilities_as_it_has_no_names_for(ax, probabilities):
    with pytest.raises(ValueError, match="each of 3 characters"):
        plot_next_character(probabilities, "abc", ax)


def test_ranking_shows_every_loss_beside_its_name_in_the_color_of_its_group(ax):
    plot_ranking(["counts", "network"], [2.5, 1.75], [0, 2], ax)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["counts", "network"]
    assert [text.get_text() for text in ax.texts] == ["2.50", "1.75"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xydata().tolist() for dot in dots] == [[[2.5, 0]], [[1.75, 1]]]
    assert [dot.get_color() for dot in dots] == [COLORS[0], COLORS[2]]
    assert ax.get_ylim() == (1.5, -0.5)  # the first name on top


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "at least one string"),
        ((["a", "b"], [1.0]), "nats must be one for each of 2 names, got 1"),
        ((["a"], [1.0], [0, 1]), "groups must be one for each of 1 names, got 2"),
        ((["a"], [1.0], [-1]), "at least 0, got -1"),
    ],
)
def test_ranking_refuses_what_does_not_fit(ax, arguments, message):
    with pytest.raises(ValueError, match=message):
        plot_ranking(*arguments, ax=ax)


def test_labels_that_would_cover_one_another_move_apart_and_the_others_stay():
    places = np.random.default_rng(0).normal(size=(30, 2))
    places[28:] = [[9.0, 9.0], [-9.0, 9.0]]
    places[1] = places[0]  # two labels at one place
    moved = spread_labels(places, 0.3, 0.2)
    gaps = np.abs(moved[:, None] - moved) / [0.3, 0.2]
    largest = gaps.max(axis=2)
    np.fill_diagonal(largest, np.inf)
    assert largest.min() > 1 - 1e-6
    np.testing.assert_allclose(moved[28:], places[28:], rtol=1e-12)
    assert np.abs((moved - places) / [0.3, 0.2]).max() < 1.5


@pytest.mark.parametrize("places", [[0.0, 1.0], [[0.0, 1.0, 2.0]]])
def test_labels_need_two_numbers_each(places):
    with pytest.raises(ValueError, match=r"places must be \(labels, 2\), got"):
        spread_labels(places, 1, 1)


def test_boxes_stand_at_their_places_and_arrows_lead_between_them(ax):
    assert plot_boxes({"below": (0.5, 0), "above": (0.25, 1)}, [("below", "above")], ax) is ax
    named = {text.get_text(): text.get_position() for text in ax.texts if text.get_text()}
    assert named == {"below": (0.5, 0), "above": (0.25, 1)}
    (arrow,) = (text for text in ax.texts if not text.get_text())
    assert (arrow.xyann, arrow.xy) == ((0.5, 0), (0.25, 1))


@pytest.mark.parametrize(
    ("places", "arrows", "message"),
    [
        ({}, [], "at least one box, got none"),
        ({"a": (0, 1.5)}, [], "must be two numbers from 0 to 1"),
        ({"a": (0, 1, 1)}, [], "must be two numbers from 0 to 1"),
        ({"a": (0, 1)}, [("a", "b")], "pairs of texts of places"),
        ({"a": (0, 1)}, ["a"], "pairs of texts of places"),
    ],
)
def test_boxes_refuse_what_does_not_fit(ax, places, arrows, message):
    with pytest.raises(ValueError, match=message):
        plot_boxes(places, arrows, ax)


def test_windows_draw_one_box_with_its_character_per_place(ax):
    plot_windows(["a b", "cd"], ax)
    assert [(text.get_position(), text.get_text()) for text in ax.texts] == [
        ((0, 0), "a"),
        ((1, 0), "\u2423"),
        ((2, 0), "b"),
        ((0, 1), "c"),
        ((1, 1), "d"),
    ]
    centers = [center for patch in ax.patches for center in box_centers(patch)]
    assert centers == [text.get_position() for text in ax.texts]
    assert ax.get_xlim() == (-0.5, 2.5)
    assert ax.get_ylim() == (1.5, -0.5)  # the first row on top


def box_centers(patch):
    """Return the middles of the boxes that one path draws, five corners each."""
    corners = patch.get_path().vertices.reshape(-1, 5, 2)
    np.testing.assert_array_equal(np.ptp(corners, axis=1), np.ones((len(corners), 2)))
    return [tuple(center) for center in corners[:, :4].mean(axis=1)]


def test_windows_color_rows_or_the_numbers_they_are_given(ax):
    plot_windows(["ab", "cd"], ax)
    assert [box_centers(patch) for patch in ax.patches] == [[(0, 0), (1, 0)], [(0, 1), (1, 1)]]
    assert [to_rgba(patch.get_facecolor())[:3] for patch in ax.patches] == [to_rgb(color) for color in COLORS[:2]]
    ax.cla()
    plot_windows(["ab", "cd"], ax, colors=[[0, 1], [1, len(COLORS)]])  # numbers start over after the palette
    assert [box_centers(patch) for patch in ax.patches] == [[(0, 0), (1, 1)], [(1, 0), (0, 1)]]


def test_character_counts_stand_from_the_most_frequent_down(ax):
    plot_character_counts("a b bb", ax, "letters")
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), [[1, 3], [2, 2], [3, 1]])
    assert sorted(text.get_text() for text in ax.texts) == ["a", "b"]
    assert (line.get_label(), ax.get_yscale()) == ("letters", "log")


def test_batches_stand_below_the_text_in_the_color_of_their_number():
    axes = plot_batches("abcdefg", [np.array([[1, 2], [5, 6]]), np.array([[2, 3], [6, 7]])], 4)
    letters = ["".join(text.get_text() for text in ax.texts) for ax in axes]
    assert letters == ["abcdefg", "abef", "bcfg"]
    labels = [[label.get_text() for label in ax.get_yticklabels()] for ax in axes]
    assert labels == [["1", "5"], ["1", "5"], ["2", "6"]]
    boxes = {patch.get_facecolor(): box_centers(patch) for patch in axes[0].patches}
    assert boxes == {  # the later batch decides; no batch holds d
        to_rgba(COLORS[0], 0.45): [(0, 0), (0, 1)],
        to_rgba(COLORS[1], 0.45): [(1, 0), (2, 0), (1, 1), (2, 1)],
        to_rgba(COLORS[3], 0.45): [(3, 0)],
    }
    plt.close(axes[0].figure)


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([[[1]]], "batches must hold at least 2 arrays, got 1"),
        ([[[1]], [[0]]], r"batches\[1\] must be rows of places from 1 to 3, got .*"),
        ([[[1]], [[4]]], r"batches\[1\] must be rows of places from 1 to 3, got .*"),
        ([[1], [2]], r"batches\[0\] must be rows of places from 1 to 3, got .*"),
    ],
)
def test_batches_refuse_places_that_the_text_does_not_have(batches, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        plot_batches("abc", batches, 2)


def test_a_notebook_shows_figures_as_svg_that_is_the_same_every_time():
    shell = InteractiveShell()
    with plt.rc_context(), pytest.MonkeyPatch.context() as patch:
        patch.setattr("IPython.get_ipython", lambda: shell)
        use_book_style()
        figure, ax = plt.subplots()
        ax.plot([1, 2], label="a line")
        ax.legend()
        shown = [shell.display_formatter.format(figure)[0]["image/svg+xml"] for _ in range(2)]
        plt.close(figure)
    InlineBackend.clear_instance()
    assert shown[0] == shown[1]
    assert "<svg" in shown[0] and "dc:date" not in shown[0]


def test_book_style_keeps_a_white_ground_and_cycles_through_the_palette():
    with plt.rc_context():
        use_book_style()
        assert to_rgba(plt.rcParams["figure.facecolor"]) == (1, 1, 1, 1)
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"] == list(COLORS)


def test_the_colors_are_distinct_and_from_okabe_and_itos_palette():
    published = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    assert set(COLORS) <= published
    assert len(set(COLORS)) == len(COLORS)


def test_a_table_as_text_aligns_numbers_and_names():
    table = show_table([["a", 2.5, "1"], ["bc", 10, ""]], ["name", "loss (nats)", "note"], ["", ".2f", ""], "Losses")
    assert str(table).split("\n") == [
        "Losses",
        "name  loss (nats)  note",
        "-----------------------",
        "a            2.50  1",
        "bc          10.00",
    ]


def test_a_column_of_numbers_may_have_gaps_and_a_column_of_texts_with_numbers_stands_on_the_left():
    table = show_table([["a", 2.5, "", 1], ["b", "-", "", "one"]], ["name", "loss", "empty", "mixed"])
    assert str(table).split("\n")[2:] == [
        "a      2.5         1",
        "b        -         one",
    ]


def test_a_table_as_html_names_columns_and_rows_and_escapes():
    table = BeautifulSoup(show_table([["<", 1.25]], ["a & b", "loss"], ["", ".1f"], "<b>")._repr_html_(), "html.parser")
    assert [th.text for th in table.select('thead th[scope="col"]')] == ["a & b", "loss"]
    assert [th.text for th in table.select('tbody th[scope="row"]')] == ["<"]
    assert [(td.text, td["style"]) for td in table.select("td")] == [("1.2", "text-align: right")]
    assert table.caption.text == "<b>"


def test_a_table_as_html_has_minus_signs_before_numbers_and_hyphens_elsewhere():
    shown = show_table([["held-out, 1-2", -0.5, "-0.50 ± 1e-05"]], ["at -1", "nats", "mean"])
    cells = BeautifulSoup(shown._repr_html_(), "html.parser").select("th, td")
    texts = [cell.text.replace("\N{NO-BREAK SPACE}", " ") for cell in cells]
    assert texts == ["at −1", "nats", "mean", "held-out, 1-2", "−0.5", "−0.50 ± 1e-05"]
    assert "-0.5  -0.50" in str(shown)


def test_a_table_as_html_keeps_ranges_on_a_line_and_parts_other_words():
    shown = show_table([["way to go", "0.5 ± 0.1", "3 to 5", "-0.5 to -0.1"]], ["in", "±", "to", "passes 1 to 2"])
    cells = BeautifulSoup(shown._repr_html_(), "html.parser").select("th, td")
    texts = [cell.text.replace("\N{NO-BREAK SPACE}", "_") for cell in cells]
    assert texts[:4] == ["in", "±", "to", "passes 1_to_2"]
    assert texts[4:] == ["way to go", "0.5_±_0.1", "3_to_5", "−0.5_to_−0.1"]
    assert "3 to 5" in str(shown)


def test_a_table_leaves_values_as_they_are_without_formats():
    assert str(show_table([["a", None, 0.1]], ["x", "y", "z"])).endswith("a  None  0.1")


@pytest.mark.parametrize(
    ("value", "specification", "shown_as"),
    [
        (-0.0004, ".3f", "0.000"),
        (0.0004, "+.3f", "0.000"),
        (-0.0004, "+.1%", "0.0%"),
        (np.float64(-0.0), "", "0.0"),
        (0, "+d", "0"),
        (-0.0006, ".3f", "-0.001"),
        (0.0006, "+.3f", "+0.001"),
        (-10, "", "-10"),
        (-np.inf, ".2f", "-inf"),
        ("-0.000", "", "-0.000"),
    ],
)
def test_a_table_shows_a_number_that_rounds_to_zero_without_a_sign(value, specification, shown_as):
    assert str(show_table([[value]], ["x"], [specification])).split("\n")[-1].strip() == shown_as


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], []), "columns must hold at least one string, got none"),
        (([["a"]], ["x", "y"]), r"rows\[0\] must be one value for each of 2 columns, got 1"),
        (([["a"]], ["x"], ["", ""]), "formats must be one for each of 1 columns, got 2"),
        (([["a"], [None]], ["x"], [".2f"]), r"formats must fit the values of column 'x', got '\.2f'"),
    ],
)
def test_a_table_refuses_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=f"^{message}$"):
        show_table(*arguments)


def test_a_text_is_colored_by_its_numbers_in_runs_and_without_markup():
    shown = show_colored_text("a<b>\nc", [0, 2, 2, 0.3, -0.5, -9], most=2, caption="x & y")
    assert repr(shown) == "x & y\na<b>\nc"
    page = BeautifulSoup(shown._repr_html_(), "html.parser")
    assert page.p.text == "x & y"
    assert page.pre.text.lstrip("\n") == "a<b>\nc"
    spans = [(span.text, span["style"]) for span in page.select("span")]
    assert [text for text, _ in spans] == ["<b", ">", "\n", "c"]
    assert spans[0][1] == "background: rgb(230 159 0 / 0.35)"
    assert spans[1][1] == "background: rgb(230 159 0 / 0.07)"
    assert spans[3][1] == "background: rgb(86 180 233 / 0.35)"


def test_a_text_needs_a_number_for_every_character():
    with pytest.raises(ValueError, match="^values must be one for each of 2 characters, got 1$"):
        show_colored_text("ab", [1.0])


def test_waterfall_spans_from_each_version_to_the_next_and_ends_with_what_is_left(ax):
    plot_waterfall(["slow", "fast", "slower"], [8.0, 3.0, 5.0], [[7, 9], [3, 4], [5, 6]], ax)
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert bars == [(0, 8), (8, 3), (3, 5), (0, 5)]
    colors = [bar.get_facecolor() for bar in ax.patches]
    assert colors[0] == colors[3] and len(set(colors)) == 3
    assert [list(line.get_xdata()) for line in ax.get_lines()] == [[7, 9], [3, 4], [5, 6]]
    assert [text.get_text() for text in ax.texts] == ["8", "\N{MINUS SIGN}5", "+2", "5"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["slow", "fast", "slower", "what is left"]


def test_operations_lie_in_the_lane_of_their_thread_from_the_first_on(ax):
    operations = [Operation("MatMul", 0, 5.0, 2.0), Operation("Mul", 1, 6.0, 1.0), Operation("MatMul", 1, 8.0, 1.0)]
    plot_operations(operations, ["MatMul"], ax)
    spans = {}
    for bars in ax.collections:
        for path in bars.get_paths():
            box = path.get_extents()
            spans[(box.x0, box.x1, round((box.y0 + box.y1) / 2))] = tuple(bars.get_facecolor()[0])
    assert set(spans) == {(0, 2, 0), (1, 2, 1), (3, 4, 1)}
    assert spans[(0, 2, 0)] == spans[(3, 4, 1)] != spans[(1, 2, 1)]
    assert legend_texts(ax) == ["MatMul", "others"]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["thread 1", "thread 2"]
