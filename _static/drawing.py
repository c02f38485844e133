"""What the scripts of this folder draw with: boxes, arrows, grids of cells, braces and labels, in one style.

A script makes an axes with :func:`canvas`, draws on it in units of half an inch, and ends with :func:`save`. Drawings
are ten units wide where possible: shown 350 pixels wide on a phone, their letters are then 10 pixels high.
"""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch, Rectangle
from matplotlib.path import Path as Curve

from charlm_utils.plotting import COLORS
from charlm_utils.vocabulary import visible

BLUE, ORANGE, GREEN, PINK, SKY, RED = COLORS
READ, STATE, MEMORY, GATE, SAID, GRADIENT = ORANGE, SKY, PINK, BLUE, GREEN, RED  # one meaning per color in all drawings
GRAY = "#6E6E6E"
LETTERS = {RED: "#B04E00"}  # a darker shade, where a color is too light for letters
FONT_SIZE = 11
INCH = 0.5  # per unit
GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # of a label on which lines would be seen


def canvas(width, height):
    """Return an axes without frame and ground, with (0, 0) at its lower left, in units of half an inch."""
    plt.rcParams.update(
        {
            "font.size": FONT_SIZE,
            "mathtext.fontset": "stix",
            "svg.fonttype": "path",
            "svg.hashsalt": "charlm",
        }
    )
    figure = plt.figure(figsize=(width * INCH, height * INCH))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set(xlim=(0, width), ylim=(0, height))
    ax.axis("off")
    return ax


def save(ax, script):
    """Write the drawing beside the script that made it, as ``NAME.svg``, without date and version.

    Raises a ``ValueError`` if anything runs over the edge.
    """
    for part in [*ax.texts, *ax.patches]:
        place = part.get_window_extent()
        if place.x0 < 0 or place.y0 < 0 or place.x1 > ax.bbox.x1 or place.y1 > ax.bbox.y1:
            raise ValueError(f"every part must be inside the drawing, got {part}")
    path = Path(script).with_suffix(".svg")
    ax.figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(ax.figure)


def tint(color, share=0.3):
    """Return a light, opaque shade of a color: so much of it, the rest white."""
    return tuple(1 - share * (1 - part) for part in to_rgb(color))


def label(ax, x, y, text, color="black", side="center", size=1.0, **options):
    """Write a text; ``side`` is the end that stands at x: left, center or right."""
    options = {"va": "center", "zorder": 5} | options
    if text[:1] == text[-1:] == "$":  # the letters of mathematics are smaller
        size = 1.15 * size
    ax.text(x, y, text, color=LETTERS.get(color, color), ha=side, fontsize=FONT_SIZE * size, **options)


def box(ax, x, y, text="", color=GRAY, width=1.6, height=0.8, size=1.0, dashed=False):
    """Draw a box with rounded corners around a center, with a text in it."""
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.12",
        facecolor=tint(color),
        edgecolor=color,
        linewidth=1.2,
        linestyle="--" if dashed else "-",
        zorder=3,
    )
    ax.add_patch(shape)
    label(ax, x, y, text, size=size)


def frame(ax, left, bottom, right, top, color=GRAY, text="", dashed=True):
    """Draw a frame around other things, with a word at its upper left corner inside."""
    shape = FancyBboxPatch(
        (left, bottom),
        right - left,
        top - bottom,
        boxstyle="round,pad=0,rounding_size=0.2",
        facecolor="none",
        edgecolor=color,
        linewidth=1.2,
        linestyle="--" if dashed else "-",
        zorder=1,
    )
    ax.add_patch(shape)
    label(ax, left + 0.15, top - 0.3, text, side="left")


def circle(ax, x, y, text, color=GRAY, radius=0.3, size=1.0):
    """Draw a circle with an operation in it."""
    ax.add_patch(Circle((x, y), radius, facecolor=tint(color), edgecolor=color, linewidth=1.2, zorder=3))
    label(ax, x, y, text, size=size)


def line(ax, *points, color="black", width=1.3, dashed=False):
    """Draw a line through points."""
    xs, ys = zip(*points, strict=True)
    ax.plot(xs, ys, color=color, linewidth=width, linestyle="--" if dashed else "-", solid_capstyle="round", zorder=2)


def arrow(ax, *points, color="black", width=1.3, dashed=False, bend=0.0):
    """Draw an arrow through points, straight from each to the next; between two it may ``bend``."""
    options = {
        "arrowstyle": "-|>,head_length=4,head_width=2.2",
        "color": color,
        "linewidth": width,
        "linestyle": "--" if dashed else "-",
        "shrinkA": 0,
        "shrinkB": 0,
        "joinstyle": "round",
        "mutation_scale": 1,
        "zorder": 2,
    }
    if len(points) == 2:
        shape = FancyArrowPatch(*points, connectionstyle=f"arc3,rad={bend}", **options)
    else:
        shape = FancyArrowPatch(path=Curve(points), **options)
    ax.add_patch(shape)


def dot(ax, x, y, color="black"):
    """Mark where a line splits."""
    ax.add_patch(Circle((x, y), 0.07, color=color, zorder=4))


def cells(ax, left, top, rows, colors=GRAY, size=0.5, height=None):
    """Draw a tensor as a grid of cells, one per entry of ``rows``, the first row on top.

    Strings are shown, with a sign for space and newline; None leaves the cell out. ``colors`` is one color, or rows of
    them. Return a function from row and column to the center of their cell.
    """
    height = height or size
    for m, row in enumerate(rows):
        for t, text in enumerate(row):
            if text is None:
                continue
            color = colors if isinstance(colors, str) else colors[m][t]
            corner = (left + t * size, top - (m + 1) * height)
            shape = Rectangle(corner, size, height, facecolor=tint(color), edgecolor=GRAY, linewidth=0.8, zorder=3)
            ax.add_patch(shape)
            shown = visible(text) if len(text) == 1 else text
            label(ax, corner[0] + size / 2, corner[1] + height / 2, shown)
    return lambda m, t: (left + (t + 0.5) * size, top - (m + 0.5) * height)


def brace(ax, start, end, text="", depth=0.15, color=GRAY):
    """Draw a square brace that bulges to the right of the way from start to end, and a text beyond it."""
    (x0, y0), (x1, y1) = start, end
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    right = ((y1 - y0) / length * depth, -(x1 - x0) / length * depth)
    outer = [(x0 + right[0], y0 + right[1]), (x1 + right[0], y1 + right[1])]
    line(ax, start, *outer, end, color=color)
    if y0 == y1:
        label(ax, (x0 + x1) / 2, y0 + right[1] + (0.28 if right[1] > 0 else -0.28), text)
    else:
        side = "left" if right[0] > 0 else "right"
        label(ax, x0 + right[0] + (0.1 if right[0] > 0 else -0.1), (y0 + y1) / 2, text, side=side)
