"""The book's figures: each function takes an axes (or makes one), draws on it and returns it."""

import matplotlib.pyplot as plt
import numpy as np

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


def plot_history(history, ax=None, label=""):
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
    """
    ax = ax or plt.gca()
    for part, style in (("train", "--"), ("validation", "-")):
        losses = history.get(part) or []
        if losses:
            ax.plot(range(1, len(losses) + 1), losses, style, marker="o", ms=3, label=f"{label} {part}".strip())
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set(xlabel="epoch", ylabel="nats per character")
    ax.legend()
    return ax


def plot_next_character(probabilities, characters, ax=None, most=12):
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
        If there are not as many probabilities as characters.
    """
    probabilities = np.asarray(probabilities)
    if probabilities.shape != (len(characters),):
        raise ValueError(f"need one probability for each of {len(characters)} characters, got {probabilities.shape}")
    ax = ax or plt.gca()
    order = np.argsort(-probabilities, kind="stable")[:most]
    ax.bar([visible(characters[i]) for i in order], probabilities[order])
    ax.set(xlabel="next character", ylabel="probability")
    return ax


def plot_windows(rows, ax=None, colors=None):
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
    """
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
