"""The book's figures, each drawn on an axes that it takes (or makes) and returns, and its tables."""

import html
import re
import sys
from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import PathPatch
from matplotlib.path import Path

from charlm_utils.checks import (
    AnOperation,
    Ids,
    List,
    Mapping,
    MatplotlibAxes,
    NumberList,
    Numbers,
    Positive,
    Rows,
    Size,
    Text,
    Texts,
    check,
    checked,
    shown,
)
from charlm_utils.vocabulary import visible

# Okabe and Ito's palette: told apart by readers with any color vision, on white and on black.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")

_MINUS = re.compile(r"(?<!\w)-(?=[\d.])")  # no hyphen, no range, and not that of an exponent
_RANGE = re.compile(r"(?<=\d) (±|to) (?=[-+\d])")  # as in "0.5 ± 0.1" and "3 to 5", which no line may part


def use_book_style():
    """Set one plain style for all figures: SVG, readable on a phone, the palette above.

    The ground is white, so that a figure can be read in notebooks of any theme. On the pages of the book, ``book.css``
    lets the ground vanish, and turns white and black around in dark mode.
    """
    _show_as_svg()
    plt.rcParams.update(
        {
            "figure.figsize": (6, 3.3),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": plt.cycler(color=COLORS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.3,
            "font.size": 12,
            "svg.fonttype": "path",
            "svg.hashsalt": "charlm",  # the same names inside the file every time
        }
    )


def _show_as_svg():
    """Let a notebook show figures as SVG, without a date; where no notebook runs, there is nothing to set."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return
    from matplotlib_inline.config import InlineBackend

    backend = InlineBackend.instance(parent=shell)
    backend.shell = shell
    backend.print_figure_kwargs = {"bbox_inches": "tight", "metadata": {"Date": None, "Creator": None}}
    backend.figure_formats = {"svg"}


@checked
def plot_history(history: Mapping, ax: MatplotlibAxes | None = None, label: Text = ""):
    """Draw the losses that ``train`` returns over the epochs.

    Parameters
    ----------
    history : dict
        ``"train"`` and ``"validation"``, lists in nats per character; either may be empty or absent.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    label : str
        Put before ``train`` and ``validation`` in the legend.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If the losses are not lists of finite numbers.
    """
    parts = {part: history.get(part) for part in ("train", "validation")}
    for part, losses in parts.items():
        check(f"history[{part!r}]", losses, NumberList | None)
    ax = ax or plt.gca()
    for (part, losses), style in zip(parts.items(), ("--", "-"), strict=True):
        if losses is not None and len(losses):
            ax.plot(range(1, len(losses) + 1), losses, style, marker="o", ms=3, label=f"{label} {part}".strip())
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="epoch", ylabel="nats per character")
    ax.legend()
    return ax


@checked
def plot_next_character(probabilities: Numbers, characters: Text, ax: MatplotlibAxes | None = None, most: Size = 12):
    """Draw the likeliest next characters as bars.

    Parameters
    ----------
    probabilities : array
        ``(vocab,)``, non-negative.
    characters : str
        The vocabulary's characters, in the order of their ids.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    most : int
        Number of bars.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there are not as many probabilities as characters, or one is negative.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.shape != (len(characters),):
        raise ValueError(
            f"probabilities must be one for each of {len(characters)} characters, got {probabilities.shape}"
        )
    if probabilities.min(initial=0) < 0:
        raise ValueError(f"probabilities must be at least 0, got {probabilities.min()}")
    ax = ax or plt.gca()
    order = np.argsort(-probabilities, kind="stable")[:most]
    ax.bar([visible(characters[i]) for i in order], probabilities[order])
    ax.set(xlabel="next character", ylabel="probability")
    return ax


@checked
def plot_windows(rows: Texts, ax: MatplotlibAxes | None = None, colors: List | None = None):
    """Draw rows of characters as a grid of boxes, so that one can see which character goes where.

    Parameters
    ----------
    rows : list of str
        One string per row; they may differ in length.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    colors : list of list of int, optional
        A number for every box; boxes with equal numbers have equal colors. By default each row has its own.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no row, or no number for a box.
    """
    if not rows:
        raise ValueError("rows must hold at least one string, got none")
    if colors is not None:
        _check_colors(colors, rows)
    ax = ax or plt.gca()
    corners = np.array([(-0.5, -0.5), (0.5, -0.5), (0.5, 0.5), (-0.5, 0.5), (-0.5, -0.5)])
    boxes = {}  # all of one color are one path, which keeps the picture's file small
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            number = y if colors is None else colors[y][x]
            boxes.setdefault(COLORS[number % len(COLORS)], []).append(Path(corners + (x, y), closed=True))
            ax.text(x, y, visible(character), ha="center", va="center", family="monospace")
    for color, paths in boxes.items():
        ax.add_patch(PathPatch(Path.make_compound_path(*paths), fc=color, ec="white", alpha=0.45))
    longest = max(len(row) for row in rows)
    ax.set(
        xlim=(-0.5, longest - 0.5),
        ylim=(len(rows) - 0.5, -0.5),
        aspect="equal",
        xticks=[],
        yticks=range(len(rows)),
    )
    ax.grid(False)
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    return ax


@checked
def plot_character_counts(text: Text, ax: MatplotlibAxes | None = None, label: Text = ""):
    """Draw how often each character of a text occurs, the most frequent first, on a logarithmic axis.

    Parameters
    ----------
    text : str
        At least one character.
    ax : matplotlib.axes.Axes, optional
        Where to draw.
    label : str
        What the legend calls the text.

    Returns
    -------
    matplotlib.axes.Axes
        The first and the last character are written beside their points.

    Raises
    ------
    ValueError
        If the text is empty.
    """
    if not text:
        raise ValueError("text must hold at least one character, got none")
    ax = ax or plt.gca()
    counts = Counter(text).most_common()
    (line,) = ax.plot(range(1, len(counts) + 1), [count for _, count in counts], "o-", ms=3, label=label)
    for rank in {1, len(counts)}:
        character, count = counts[rank - 1]
        place = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(visible(character), (rank, count), color=line.get_color(), **place)
    ax.set(yscale="log", xlabel="rank of the character", ylabel="occurrences")
    return ax


@checked
def plot_batches(text: Text, batches: List, width: Size, colors: Ids | None = None):
    """Draw a text, and below it two batches that were cut from it.

    Parameters
    ----------
    text : str
        The text, shown in lines of ``width`` characters. The number beside a line is the place of its first character.
    batches : list of array
        Places of characters, counted from 1, each ``(rows, columns)``; the first two are shown.
    width : int
        Characters per line of the text.
    colors : array of int, optional
        ``(len(text),)``: characters with equal numbers have equal colors. By default the number of the batch that the
        character stands in, and 3 where it stands in none.

    Returns
    -------
    numpy.ndarray
        Three axes: that of the text, and one for each batch.

    Raises
    ------
    ValueError
        If there are fewer than two batches, one is not two-dimensional or holds a place that the text does not have, or
        there are not as many colors as characters.
    """
    if len(batches) < 2:
        raise ValueError(f"batches must hold at least 2 arrays, got {len(batches)}")
    for w, places in enumerate(batches):
        check(f"batches[{w}]", places, Rows)
        if np.ndim(places) != 2 or np.min(places) < 1 or np.max(places) > len(text):
            raise ValueError(f"batches[{w}] must be rows of places from 1 to {len(text)}, got {shown(places)}")
    if colors is None:
        colors = np.full(len(text), 3)
        for w, places in enumerate(batches):
            colors[np.asarray(places) - 1] = w
    if len(colors) != len(text):
        raise ValueError(f"colors must be one number for each of {len(text)} characters, got {len(colors)}")
    colors = np.asarray(colors)
    starts = range(0, len(text), width)
    lines = np.array([len(starts), len(batches[0])])
    figure = plt.figure(figsize=(6, 0.34 * lines.sum() + 1.4))
    axes = figure.subplot_mosaic([["text", "text"], ["batch 0", "batch 1"]], height_ratios=lines)
    plot_windows(
        [text[start : start + width] for start in starts],
        axes["text"],
        [colors[start : start + width] for start in starts],
    )
    axes["text"].set(ylabel="first place")
    axes["text"].set_yticklabels([start + 1 for start in starts])
    for w in range(2):
        places = np.asarray(batches[w])
        rows = ["".join(text[place - 1] for place in row) for row in places]
        ax = plot_windows(rows, axes[f"batch {w}"], colors[places - 1])
        ax.set(title=f"batch {w}", ylabel="first place")
        ax.set_yticklabels(places[:, 0])
    return np.array(list(axes.values()))


def _check_colors(colors, rows):
    """Raise a ``ValueError`` unless there is an integer for every character of the rows."""
    if len(colors) != len(rows):
        raise ValueError(f"colors must be one list for each of {len(rows)} rows, got {len(colors)}")
    for y, row in enumerate(rows):
        check(f"colors[{y}]", colors[y], Ids)
        if len(colors[y]) != len(row):
            raise ValueError(f"colors[{y}] must be one number for each of {len(row)} characters, got {len(colors[y])}")


@checked
def plot_ranking(names: Texts, nats: NumberList, groups: Ids | None = None, ax: MatplotlibAxes | None = None):
    """Draw the losses of several models as dots on one axis, the first model on top, each with its number.

    Parameters
    ----------
    names : list of str
        What stands at the left of each dot.
    nats : array
        ``(models,)``, the losses in nats per character.
    groups : array of int, optional
        A number for every model, at least 0; models with equal numbers have equal colors. By default all are alike.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no model, not one loss and one group for every name, or a group is below 0.
    """
    if not names:
        raise ValueError("names must hold at least one string, got none")
    groups = np.zeros(len(names), int) if groups is None else np.asarray(groups)
    for name, values in (("nats", nats), ("groups", groups)):
        if len(values) != len(names):
            raise ValueError(f"{name} must be one for each of {len(names)} names, got {len(values)}")
    if groups.min() < 0:
        raise ValueError(f"groups must be at least 0, got {groups.min()}")
    ax = ax or plt.gca()
    for y, (loss, group) in enumerate(zip(nats, groups, strict=True)):
        color = COLORS[group % len(COLORS)]
        ax.plot([0, loss], [y, y], color=color, alpha=0.3)
        ax.plot([loss], [y], "o", color=color)
        ax.text(loss + 0.02 * max(nats), y, f"{loss:.2f}", va="center", ha="left")
    ax.set(xlim=(0, 1.15 * max(nats)), ylim=(len(names) - 0.5, -0.5), xlabel="nats per character")
    ax.set_yticks(range(len(names)), names)
    ax.grid(False, axis="y")
    return ax


@checked
def spread_labels(places: Rows, width: Positive, height: Positive):
    """Return places moved apart where labels that are centered on them would cover one another.

    Parameters
    ----------
    places : array
        ``(labels, 2)``, where the labels belong, in units of the axes.
    width, height : float
        Room for a label, in the same units.

    Returns
    -------
    array
        ``(labels, 2)``, float64. Places whose labels meet no other stay; the others are moved in small steps until
        none meet, or for 1,000 steps.

    Raises
    ------
    ValueError
        If ``places`` is not ``(labels, 2)``.

    Examples
    --------
    >>> spread_labels([[0, 0], [0.5, 0], [3, 0]], 1, 1).round(1).tolist()
    [[-0.3, 0.0], [0.8, 0.0], [3.0, 0.0]]
    """
    places = np.asarray(places, float)
    if places.ndim != 2 or places.shape[1] != 2:
        raise ValueError(f"places must be (labels, 2), got {places.shape}")
    room = np.array([width, height], float)
    moved = places / room
    rank = np.arange(len(places))
    order = np.sign(rank[:, None] - rank)[:, :, None]  # tells apart two labels at one place
    for _ in range(1000):
        gaps = moved[:, None] - moved  # (labels, labels, 2)
        lack = 1 - np.abs(gaps)
        meet = (lack > 1e-9).all(axis=2) & (rank[:, None] != rank)
        if not meet.any():
            break
        shorter = lack == lack.min(axis=2, keepdims=True)  # along the axis that takes less
        way = np.where(gaps == 0, order, np.sign(gaps))
        moved = moved + np.sum((lack + 0.02) / 4 * way * shorter * meet[:, :, None], axis=1)
    return moved * room


@checked
def plot_waterfall(names: Texts, values: NumberList, ranges: List, ax: MatplotlibAxes | None = None):
    """Draw how a time shrinks from one version of a program to the next: a bar spans what each version saves.

    Parameters
    ----------
    names : list of str
        The versions, the slowest first; it stands on top.
    values : array
        ``(versions,)``, what each takes, in milliseconds.
    ranges : list of pair of float
        The least and the most that each took, drawn as a line.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes
        The first bar and a last one, for what is left, begin at 0. A version that takes more than the one before has
        a bar of another color.

    Raises
    ------
    ValueError
        If there is no name, not one value and one range for every name, or a range is no pair of numbers.
    """
    if not names:
        raise ValueError("names must hold at least one string, got none")
    for name, given in (("values", values), ("ranges", ranges)):
        if len(given) != len(names):
            raise ValueError(f"{name} must be one for each of {len(names)} names, got {len(given)}")
    for number, pair in enumerate(ranges):
        check(f"ranges[{number}]", pair, NumberList)
        if len(pair) != 2:
            raise ValueError(f"ranges[{number}] must be a pair of numbers, got {len(pair)}")
    ax = ax or plt.gca()
    ends = [*values, values[-1]]
    starts = [0, *values[:-1], 0]
    for y, (start, end) in enumerate(zip(starts, ends, strict=True)):
        if start == 0:
            color = COLORS[0]
        elif end <= start:
            color = COLORS[2]
        else:
            color = COLORS[5]
        change = f"{end:.0f}" if start == 0 else f"{end - start:+.0f}".replace("-", "\N{MINUS SIGN}")
        ax.barh(y, end - start, left=start, color=color, alpha=0.6)
        ax.text(1.03 * max(np.max(ranges), *values), y, change, va="center", ha="left")
    for y, (low, high) in enumerate(ranges):
        ax.plot([low, high], [y, y], color="gray", lw=3)
    ax.set(xlim=(0, 1.15 * np.max(ranges)), xlabel="milliseconds", ylim=(len(names) + 0.5, -0.5))
    ax.set_yticks(range(len(ends)), [*names, "what is left"])
    ax.grid(False, axis="y")
    return ax


@checked
def plot_operations(operations: List, kinds: Texts, ax: MatplotlibAxes | None = None):
    """Draw recorded operations as bars along the time, one lane for each thread.

    Parameters
    ----------
    operations : list of Operation
        As ``record_operations`` gives them, or some of them.
    kinds : list of str
        Up to six kinds, which get a color and stand in the legend; all others are gray.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no operation, one of them is none, or there are more kinds than colors.
    """
    if not len(operations):
        raise ValueError("operations must hold at least one Operation, got none")
    for number, operation in enumerate(operations):
        check(f"operations[{number}]", operation, AnOperation)
    if len(kinds) > len(COLORS):
        raise ValueError(f"kinds must be at most {len(COLORS)}, got {len(kinds)}")
    ax = ax or plt.gca()
    first = min(operation.start for operation in operations)
    lanes = sorted({operation.thread for operation in operations})
    colors = list(zip(kinds, COLORS, strict=False))
    colors.append((None, "gray"))
    for kind, color in colors:
        for lane, thread in enumerate(lanes):
            spans = []
            for operation in operations:
                its_kind = operation.kind if operation.kind in kinds else None
                if its_kind == kind and operation.thread == thread:
                    spans.append((operation.start - first, operation.milliseconds))
            ax.broken_barh(spans, (lane - 0.35, 0.7), color=color, lw=0)
        ax.barh(0, 0, color=color, label=kind or "others")
    ax.set(xlabel="milliseconds", ylim=(len(lanes) - 0.5, -0.5))
    ax.set_yticks(range(len(lanes)), [f"thread {thread + 1}" for thread in lanes])
    ax.grid(False, axis="y")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


@checked
def plot_boxes(places: Mapping, arrows: List, ax: MatplotlibAxes | None = None):
    """Draw named boxes and arrows between them, such as the parts of a graph of operations.

    Parameters
    ----------
    places : dict
        For every box its text and its center, a pair of numbers from 0 to 1, ``(0, 0)`` at the lower left.
    arrows : list of (str, str)
        Pairs of texts: where an arrow starts, and where it ends.
    ax : matplotlib.axes.Axes, optional
        Where to draw.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ValueError
        If there is no box, a place is no pair of numbers from 0 to 1, or an arrow is no pair of texts of ``places``.
    """
    if not places:
        raise ValueError("places must hold at least one box, got none")
    for text, place in places.items():
        check(f"places[{text!r}]", place, NumberList)
        if len(place) != 2 or min(place) < 0 or max(place) > 1:
            raise ValueError(f"places[{text!r}] must be two numbers from 0 to 1, got {shown(place)}")
    for pair in arrows:
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(end in places for end in pair):
            raise ValueError(f"arrows must be pairs of texts of places, got {shown(pair)}")
    ax = ax or plt.gca()
    style = {"ha": "center", "va": "center", "bbox": {"boxstyle": "round", "facecolor": "white"}}
    boxes = {text: ax.text(*place, text, **style).get_bbox_patch() for text, place in places.items()}
    for start, end in arrows:
        arrow = {"arrowstyle": "->", "color": "gray", "patchA": boxes[start], "patchB": boxes[end]}
        ax.annotate("", places[end], places[start], arrowprops=arrow)
    ax.axis("off")
    return ax


@checked
def show_table(rows: List, columns: Texts, formats: Texts | None = None, caption: Text = ""):
    """Return a small table, which a notebook shows when it is the last value of a cell.

    A column of numbers stands on the right, all else on the left; ``""`` or ``"-"`` may stand where one is missing.
    The first column names the rows. On a page no line ends within a range such as ``3 to 5`` or ``0.5 ± 0.1``.

    Parameters
    ----------
    rows : list of list
        One list per row, as long as ``columns``; strings, numbers or whatever ``format`` takes.
    columns : list of str
        What stands at the top, with units: ``"loss (nats per character)"``.
    formats : list of str, optional
        One specification per column, as in ``format(0.125, ".2f")``; ``""`` leaves a value as it is, and strings are
        never changed. By default all values stay as they are. A number that rounds to zero is shown without a sign.
    caption : str
        What the table shows, above it.

    Returns
    -------
    object
        With the table as text (``str``) and as HTML.

    Raises
    ------
    ValueError
        If there is no column, a row or ``formats`` is not as long as ``columns``, or a format does not fit its value.

    Examples
    --------
    >>> show_table([["bigram", 2.4567], ["trigram", 2.0]], ["model", "loss (nats per character)"], ["", ".3f"])
    model    loss (nats per character)
    ----------------------------------
    bigram                       2.457
    trigram                      2.000
    """
    if not columns:
        raise ValueError("columns must hold at least one string, got none")
    formats = [""] * len(columns) if formats is None else formats
    if len(formats) != len(columns):
        raise ValueError(f"formats must be one for each of {len(columns)} columns, got {len(formats)}")
    cells = []
    for number, row in enumerate(rows):
        check(f"rows[{number}]", row, List)
        if len(row) != len(columns):
            raise ValueError(f"rows[{number}] must be one value for each of {len(columns)} columns, got {len(row)}")
        cells.append([_formatted(*one) for one in zip(row, columns, formats, strict=True)])
    right = [_all_numbers([row[column] for row in rows]) for column in range(len(columns))]
    return _Table(list(columns), cells, right, caption)


def _formatted(value, column, specification):
    """Return a value as the table shows it."""
    if isinstance(value, str):
        return value
    try:
        text = format(value, specification)
    except (TypeError, ValueError):
        raise ValueError(f"formats must fit the values of column {column!r}, got {specification!r}") from None
    if re.fullmatch("[+-][0.]+%?", text):
        return text[1:]  # a zero has no sign: "-0.00" says no more than "0.00"
    return text


def _all_numbers(values):
    """Say whether a column holds numbers and nothing else, apart from cells without a value."""
    filled = [value for value in values if not (isinstance(value, str) and value in ("", "-"))]
    return bool(filled) and all(isinstance(value, int | float | np.number) for value in filled)


class _Table:
    """Header, cells (all strings) and which columns stand on the right."""

    def __init__(self, columns, cells, right, caption):
        self.columns = columns
        self.cells = cells
        self.right = right
        self.caption = caption

    def __repr__(self):
        lines = [self.columns, *self.cells]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.columns))]
        texts = [self._line(line, widths) for line in lines]
        texts.insert(1, "-" * (sum(widths) + 2 * (len(widths) - 1)))
        return "\n".join([self.caption] * bool(self.caption) + texts)

    def _line(self, line, widths):
        parts = []
        for text, width, right in zip(line, widths, self.right, strict=True):
            parts.append(text.rjust(width) if right else text.ljust(width))
        return "  ".join(parts).rstrip()

    def _repr_html_(self):
        head = "".join(self._cell("th", "col", *one) for one in zip(self.columns, self.right, strict=True))
        lines = ['<table class="charlm-table">']
        if self.caption:
            lines.append(f"<caption>{html.escape(self.caption)}</caption>")
        lines.append(f"<thead><tr>{head}</tr></thead>")
        lines.append("<tbody>")
        for first, *others in self.cells:
            row = self._cell("th", "row", first, self.right[0])
            row += "".join(self._cell("td", "", *one) for one in zip(others, self.right[1:], strict=True))
            lines.append(f"<tr>{row}</tr>")
        lines.append("</tbody>")
        lines.append("</table>")
        return "\n".join(lines)

    @staticmethod
    def _cell(tag, scope, text, right):
        scope = f' scope="{scope}"' if scope else ""
        side = "right" if right else "left"
        printed = _RANGE.sub("\N{NO-BREAK SPACE}\\1\N{NO-BREAK SPACE}", text)
        printed = _MINUS.sub("\N{MINUS SIGN}", printed)  # as in figures and formulas
        return f'<{tag}{scope} style="text-align: {side}">{html.escape(printed)}</{tag}>'


@checked
def show_colored_text(text: Text, values: NumberList, most: Positive = 1.0, caption: Text = ""):
    """Return a text whose characters are colored by numbers; a notebook shows it when it is the last value of a cell.

    Parameters
    ----------
    text : str
        The text.
    values : array
        ``(len(text),)``: blue below 0, orange above, the stronger the larger, in five steps.
    most : float
        What gets the full color.
    caption : str
        What the colors show, above the text.

    Returns
    -------
    object
        With the text as text (``str``), without colors, and as HTML.

    Raises
    ------
    ValueError
        If there is not one value for every character.

    Examples
    --------
    >>> show_colored_text("to be", [0, 1, 0, 0, 1], caption="vowels")
    vowels
    to be
    """
    if len(values) != len(text):
        raise ValueError(f"values must be one for each of {len(text)} characters, got {len(values)}")
    return _ColoredText(text, np.clip(np.rint(5 * np.asarray(values) / most), -5, 5).astype(int).tolist(), caption)


class _ColoredText:
    """A text, and per character a step of color from -5 to 5."""

    def __init__(self, text, steps, caption):
        self.text = text
        self.steps = steps
        self.caption = caption

    def __repr__(self):
        return "\n".join([self.caption] * bool(self.caption) + [self.text])

    def _repr_html_(self):
        parts = []
        start = 0
        for stop in range(1, len(self.text) + 1):
            if stop == len(self.text) or self.steps[stop] != self.steps[start]:
                parts.append(self._piece(self.text[start:stop], self.steps[start]))
                start = stop
        caption = f"<p>{html.escape(self.caption)}</p>" if self.caption else ""
        style = "white-space: pre-wrap; line-height: 1.6"
        return f'<div class="charlm-colored">{caption}<pre style="{style}">\n{"".join(parts)}</pre></div>'

    @staticmethod
    def _piece(text, step):
        if step == 0:
            return html.escape(text)
        color = "230 159 0" if step > 0 else "86 180 233"  # of COLORS
        return f'<span style="background: rgb({color} / {abs(step) * 0.07:.2f})">{html.escape(text)}</span>'
