"""Draw `step_length.svg`: six steps down one curve of losses, with steps that are too short, right, and too long.

Alternative text: Three panels show the same valley-shaped curve of the loss over one weight, and six steps that start
high on its left side. At rate 0.5 the steps are short and end on the slope; at rate 4 they reach the bottom after
three steps; at rate 16 the first step jumps far over the valley, and the following ones go back and forth.
"""

import numpy as np
from drawing import GRADIENT, GRAY, arrow, canvas, dot, label, line, save


def loss(score):
    """Return the loss where a follows three times in four and b once; b's score is 0."""
    return 0.75 * np.log1p(np.exp(-score)) + 0.25 * np.log1p(np.exp(score))


def walk(rate, steps=6):
    """Return the scores that gradient descent passes."""
    scores = [-2.0]
    for _ in range(steps):
        slope = 1 / (1 + np.exp(-scores[-1])) - 0.75
        scores.append(scores[-1] - rate * slope)
    return scores


def panel(ax, bottom, rate, words):
    """Draw one curve with its steps."""

    def place(score):
        return 2.6 + 0.72 * (score + 2.6), bottom + 1.05 * (loss(score) - 0.4)

    line(ax, *[place(score) for score in np.linspace(-2.6, 8.3, 200)], color=GRAY, width=1.5)
    scores = walk(rate)
    for here, there in zip(scores, scores[1:], strict=False):
        if abs(there - here) > 0.12:
            arrow(ax, place(here), place(there), color=GRADIENT, width=1.1)
    for score in scores:
        dot(ax, *place(score), color=GRADIENT)
    label(ax, 0.1, bottom + 1.5, words, side="left")
    label(ax, 0.1, bottom + 0.55, rf"$\eta = {rate}$", side="left")
    x, y = place(np.log(3))
    label(ax, x, y - 0.32, r"$\ln 3$", color="black", size=0.85)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 7.85)
    panel(ax, 5.9, 0.5, "too short")
    panel(ax, 3.4, 4, "good")
    panel(ax, 0.95, 16, "too long")
    label(ax, 6.6, 0.25, "score of a: the one weight")
    save(ax, __file__)


if __name__ == "__main__":
    main()
