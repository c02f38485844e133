"""The book's figures: each function takes an axes (or makes one), draws on it and returns it."""

import matplotlib.pyplot as plt
import numpy as np

from charlm_utils.checks import (
    Ids,
    List,
    Mapping,
    MatplotlibAxes,
    NumberList,
    Numbers,
    Size,
    Text,
    Texts,
    check,
    checked,
)
from charlm_utils.vocabulary import visible

# Okabe and Ito's palette: told apart by readers with any color vision, on white and on black.
COLORS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")


def use_book_style():
    """Set one plain style for all figures: white ground (also in dark mode), readable size, the palette above."""
    plt.rcParams.update(
        {
            "figure.figsize": (7, 3.5),
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "axes.prop_cycle": plt.cycler(color=COLORS),
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.alpha": 0.3,
            "font.size": 11,
        }
    )


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
    for y, row in enumerate(rows):
        for x, character in enumerate(row):
            number = y if colors is None else colors[y][x]
            box = plt.Rectangle((x - 0.5, y - 0.5), 1, 1, fc=COLORS[number % len(COLORS)], ec="white", alpha=0.45)
            ax.add_patch(box)
            ax.text(x, y, visible(character), ha="center", va="center", family="monospace")
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


def _check_colors(colors, rows):
    """Raise a ``ValueError`` unless there is an integer for every character of the rows."""
    if len(colors) != len(rows):
        raise ValueError(f"colors must be one list for each of {len(rows)} rows, got {len(colors)}")
    for y, row in enumerate(rows):
        check(f"colors[{y}]", colors[y], Ids)
        if len(colors[y]) != len(row):
            raise ValueError(f"colors[{y}] must be one number for each of {len(row)} characters, got {len(colors[y])}")
