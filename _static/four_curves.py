r"""Draw `four_curves.svg`: what training and validation loss look like when something is wrong.

Alternative text: Four small diagrams of loss over passes, each with a dashed training curve and a solid validation
curve. First, still falling: both fall to the end, train longer. Second, too small: both are flat and close together at
a high loss, take more units. Third, learned by heart: training falls, validation rises after a minimum, stop at the
minimum, more text or dropout. Fourth, rate too high: both jump up and down, divide the rate by three.
"""

import numpy as np
from drawing import GATE, GRAY, arrow, canvas, dot, label, line, save

PASSES = np.linspace(0, 1, 13)
JUMPS = np.array([0.0, 0.3, -0.1, 0.4, 0.0, 0.45, 0.1, 0.5, 0.05, 0.4, 0.15, 0.5, 0.2])
PICTURES = (
    ("still falling", "train longer", 1 - 0.75 * PASSES, 1.05 - 0.65 * PASSES),
    ("too small", "more units", 0.6 + 0.35 * np.exp(-9 * PASSES), 0.66 + 0.34 * np.exp(-9 * PASSES)),
    (
        "learned by heart",
        "stop at the minimum",
        0.05 + 0.95 * np.exp(-3 * PASSES),
        0.3 + 0.45 * PASSES + 0.75 * np.exp(-6 * PASSES),
    ),
    ("rate too high", "a third of the rate", 0.5 + 0.8 * JUMPS, 0.55 + JUMPS[::-1]),
)


def diagram(ax, left, bottom, title, advice, train, validation):
    """Draw one of the four, 4.2 units wide and 2.2 high."""
    arrow(ax, (left, bottom), (left + 4.2, bottom), color=GRAY)
    arrow(ax, (left, bottom), (left, bottom + 2.3), color=GRAY)
    xs = left + 0.2 + 3.7 * PASSES
    learned = list(zip(xs, bottom + 0.15 + 1.75 * train, strict=True))
    scored = list(zip(xs, bottom + 0.15 + 1.75 * validation, strict=True))
    line(ax, *learned, color=GATE, width=2, dashed=True)
    line(ax, *scored, color="black", width=2)
    label(ax, left + 2.1, bottom + 2.75, title)
    label(ax, left + 2.1, bottom - 0.4, advice, size=0.95)
    if title == "learned by heart":
        best = int(np.argmin(validation))
        dot(ax, xs[best], bottom + 0.15 + 1.75 * validation[best])


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 8.4)
    for number, picture in enumerate(PICTURES):
        diagram(ax, 0.5 + 5.2 * (number % 2), 5.1 - 4.0 * (number // 2), *picture)
    label(ax, 5.2, 0.22, "loss upward, passes to the right", size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
