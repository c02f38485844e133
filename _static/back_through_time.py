"""Draw `back_through_time.svg`: three steps of a network of two units, forwards and back, with all numbers.

Alternative text: Three columns, one per step, which read a, b, b and are asked for b, b, a. Arrows lead from
what is read to the state and from there to the probabilities, and from each state to the next. Orange arrows run the
other way: from each pair of probabilities down to its state, and from each state back to the state before, each
with two numbers. Beside each pair of probabilities stand its errors, and below each state the derivatives by its
sums.
"""

import numpy as np
from drawing import GRADIENT, READ, SAID, STATE, arrow, box, canvas, label, save

INPUTS, TARGETS = (0, 1, 1), (1, 1, 0)
W = np.eye(2)
U = np.array([[0.5, -0.5], [0.5, 0.5]])
W_SCORES = np.array([[-1.0, 1.0], [1.0, 0.0]])


def compute():
    """Return states (4, 2); probabilities, errors, both parts of the gradients by states, those by sums, (3, 2)."""
    states, probabilities = [np.zeros(2)], []
    for read in INPUTS:
        states.append(np.tanh(W[read] + states[-1] @ U))
        powers = np.exp(states[-1] @ W_SCORES)
        probabilities.append(powers / powers.sum())
    errors = [p - np.eye(2)[y] for p, y in zip(probabilities, TARGETS, strict=True)]
    from_scores = [error @ W_SCORES.T for error in errors]
    from_later, in_sums = [np.zeros(2)], []
    for t in (3, 2, 1):
        in_sums.insert(0, (from_scores[t - 1] + from_later[0]) * (1 - states[t] ** 2))
        from_later.insert(0, in_sums[0] @ U.T)
    return states, probabilities, errors, from_scores, from_later[1:], in_sums


def pair(numbers):
    """Write two numbers one below the other."""
    return "\n".join(f"{number:.3f}".replace("-", "\N{MINUS SIGN}") for number in numbers + 0.0)


def main():
    """Draw the figure beside this script."""
    ax = canvas(11.4, 7.5)
    states, probabilities, errors, from_scores, from_later, in_sums = compute()
    for t in (1, 2, 3):
        x = 3.6 * t - 1.6
        box(ax, x, 0.6, f"reads {'ab'[INPUTS[t - 1]]}", READ, width=1.9)
        box(ax, x, 2.9, pair(states[t]), STATE, width=1.7, height=1.25)
        label(ax, x - 1.0, 3.95, f"$h_{t}$")
        box(ax, x, 6.0, pair(probabilities[t - 1]), SAID, width=1.7, height=1.25)
        label(ax, x + 0.95, 6.0, pair(errors[t - 1]), color=GRADIENT, side="left")
        label(ax, x - 1.42, 1.5, rf"$\delta^a_{t}$", color=GRADIENT, side="right")
        label(ax, x - 0.15, 1.5, pair(in_sums[t - 1]), color=GRADIENT, side="right")
        label(ax, x, 7.1, f"asked for {'ab'[TARGETS[t - 1]]}")
        arrow(ax, (x, 1.0), (x, 2.25))
        arrow(ax, (x - 0.35, 3.55), (x - 0.35, 5.35))
        arrow(ax, (x + 0.15, 5.35), (x + 0.15, 3.55), color=GRADIENT)
        label(ax, x + 0.3, 4.45, pair(from_scores[t - 1]), color=GRADIENT, side="left")
        if t > 1:
            arrow(ax, (x - 2.75, 3.15), (x - 0.87, 3.15))
            arrow(ax, (x - 0.87, 2.65), (x - 2.75, 2.65), color=GRADIENT)
            label(ax, x - 1.8, 2.2, pair(from_later[t - 2]), color=GRADIENT)
    label(ax, 0.6, 6.0, "a\nb")
    save(ax, __file__)


if __name__ == "__main__":
    main()
