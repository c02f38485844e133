r"""Draw `lstm_gradient.svg`: the two roads by which a gradient goes back through an LSTM.

Alternative text: Above, the memories c 0 to c 3; broad orange arrows lead back from each to the one before, and
each carries one factor only, the forget gate f of its step. Below, the states h 0 to h 3; from each memory a thin
orange arrow leads down through the gates to the state before, where it is multiplied by weights U and by slopes
of the gates.
"""

from drawing import GRADIENT, MEMORY, STATE, arrow, box, canvas, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 4.6)
    for t in range(4):
        x = 1.0 + 2.8 * t
        box(ax, x, 3.4, f"$c_{t}$", MEMORY, width=1.0)
        box(ax, x, 1.2, f"$h_{t}$", STATE, width=1.0)
        if t > 0:
            arrow(ax, (x - 0.5, 3.4), (x - 2.3, 3.4), color=GRADIENT, width=4)
            label(ax, x - 1.4, 3.85, rf"$\odot\ f_{t}$", GRADIENT, size=1.1)
            arrow(ax, (x - 0.4, 3.0), (x - 2.35, 1.6), color=GRADIENT, width=1.2)
            arrow(ax, (x, 1.6), (x, 3.0), color=GRADIENT, width=1.2)
    label(ax, 5.2, 4.35, "through the memory: the forget gate alone")
    label(ax, 5.2, 0.35, "through the state: weights and slopes of the gates")
    save(ax, __file__)


if __name__ == "__main__":
    main()
