"""Draw `rnn_loop.svg`: the cell of a plain RNN as a loop, and the same unrolled over three steps.

Alternative text: Left, a cell reads the input at step t and gives scores; an arrow leads from the cell back into
itself, so that the state after one step is read at the next. Right, the same cell three times side by side: states 0
to 3 pass from left to right, and every copy uses the same weights W, U and b.
"""

from drawing import GATE, READ, SAID, STATE, arrow, box, canvas, label, save


def step(ax, x, t, width):
    """Draw the input, the cell and the scores of one step."""
    box(ax, x, 0.95, f"$e_{t}$", READ, width=width)
    box(ax, x, 2.75, "cell", STATE, width=width)
    box(ax, x, 4.55, "scores", SAID, width=width, size=0.9)
    arrow(ax, (x, 1.35), (x, 2.35))
    arrow(ax, (x, 3.15), (x, 4.15))
    label(ax, x + 0.12, 1.8, "$W$", GATE, side="left")


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.6)
    label(ax, 1.3, 5.3, "a loop")
    step(ax, 1.0, "t", 1.25)
    arrow(ax, (1.625, 2.95), (2.3, 2.95), (2.3, 2.55), (1.625, 2.55))
    label(ax, 2.4, 2.75, "$U$", GATE, side="left")
    label(ax, 1.12, 3.6, "$h_t$", side="left")
    label(ax, 6.9, 5.3, "unrolled over three steps")
    arrow(ax, (3.9, 2.75), (4.6, 2.75))
    label(ax, 4.25, 3.08, "$h_0$")
    for t, x in ((1, 5.2), (2, 7.1), (3, 9.0)):
        step(ax, x, t, 1.2)
        label(ax, x + 0.12, 3.6, f"$h_{t}$", side="left")
        arrow(ax, (x + 0.6, 2.75), (x + 1.3, 2.75))
        label(ax, x + 0.95, 3.08, f"$h_{t}$")
        label(ax, x - 0.95, 2.42, "$U$", GATE)
    label(ax, 7.1, 0.2, "every step uses the same $W$, $U$ and $b$")
    save(ax, __file__)


if __name__ == "__main__":
    main()
