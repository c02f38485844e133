"""Draw `mixture.svg`: minus the logarithm of a mean lies below the mean of minus the logarithms.

Alternative text: A curve, minus the logarithm of p, falls steeply at first and then flattens. Two dots on it, at
p = 1/8 with 2.08 nats and at p = 1/2 with 0.69 nats, are joined by a straight line. At 5/16, midway between them, the
straight line is at 1.39 and the curve below it at 1.16.
"""

import math

import numpy as np
from drawing import GRAY, READ, SAID, canvas, dot, label, line, save

LEFT = 1.1
BOTTOM = 1.0
ACROSS = 12.5  # units per 1 of probability
UP = 2.0  # and per nat


def place(p, nats):
    """Return where a probability and a loss stand in the drawing."""
    return LEFT + ACROSS * p, BOTTOM + UP * nats


def main():
    """Draw the figure beside this script."""
    ax = canvas(10, 7.0)
    line(ax, place(0, 0), place(0.69, 0), color=GRAY)
    line(ax, place(0, 0), place(0, 2.7), color=GRAY)
    curve = [place(p, -math.log(p)) for p in np.linspace(0.07, 0.68, 60)]
    line(ax, *curve, color=SAID, width=2.0)
    first = place(1 / 8, math.log(8))
    second = place(1 / 2, math.log(2))
    line(ax, first, second, color=READ, dashed=True, width=1.8)
    mean = (math.log(8) + math.log(2)) / 2
    mixed = math.log(16 / 5)
    for p, nats, name in [(1 / 8, math.log(8), "1/8"), (5 / 16, mixed, "5/16"), (1 / 2, math.log(2), "1/2")]:
        line(ax, place(p, 0), place(p, nats), color=GRAY, width=0.8, dashed=True)
        x, y = place(p, nats)
        dot(ax, x, y)
        label(ax, LEFT + ACROSS * p, BOTTOM - 0.35, name)
    line(ax, place(5 / 16, mixed), place(5 / 16, mean), color=GRAY, width=0.8, dashed=True)
    x, y = place(5 / 16, mean)
    dot(ax, x, y)
    label(ax, first[0] + 0.25, first[1] + 0.1, f"{math.log(8):.2f}", side="left")
    label(ax, second[0] + 0.2, second[1] + 0.25, f"{math.log(2):.2f}", side="left")
    label(ax, LEFT + ACROSS * 5 / 16 + 0.2, BOTTOM + UP * mean + 0.25, f"mean of the losses: {mean:.2f}", side="left")
    label(ax, LEFT + ACROSS * 5 / 16 - 0.2, BOTTOM + UP * mixed - 0.3, f"mixture: {mixed:.2f}", side="right")
    label(ax, LEFT, BOTTOM + UP * 2.7 + 0.1, "nats", side="right")
    label(ax, place(0.69, 0)[0], 0.2, "probability of the true character", side="right", size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
