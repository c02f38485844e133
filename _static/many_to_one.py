r"""Draw `many_to_one.svg`: sixteen characters in, one prediction out.

Alternative text: The sixteen characters of "to be or not to ", a space at the end, stand side by side. Each is read
by a cell; the state passes from cell to cell, starting from zeros. Only the last state, number 16, goes on: to a
dense layer, a softmax and the probabilities of character 17, of which the b of "be" is the target.
"""

from drawing import GATE, GRAY, READ, SAID, STATE, arrow, box, canvas, cells, label, line, save

TEXT = "to be or not to "
SIDE = 0.57


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 4.5)
    place = cells(ax, 0.9, 1.2, [list(TEXT)], READ, SIDE)
    for t in range(len(TEXT)):
        x, y = place(0, t)
        box(ax, x, 2.3, "", STATE, width=0.36, height=0.5)
        arrow(ax, (x, 1.2), (x, 2.05), width=1)
        arrow(ax, (x - 0.39, 2.3), (x - 0.18, 2.3), width=1)
        label(ax, x, 0.4, str(t + 1), GRAY, size=0.9)
    label(ax, 0.75, 2.3, "$h_0$", side="right")
    label(ax, 0.8, 0.4, "step", GRAY, side="right", size=0.9)
    x = place(0, 15)[0]
    arrow(ax, (x, 2.55), (x, 3.5))
    label(ax, x - 0.1, 2.9, "$h_{16}$", side="right")
    box(ax, x - 0.2, 3.9, "dense", GATE, width=1.4)
    arrow(ax, (x - 0.9, 3.9), (x - 2.0, 3.9))
    label(ax, x - 1.45, 4.2, "scores", size=0.9)
    box(ax, x - 2.8, 3.9, "softmax", GATE, width=1.6)
    arrow(ax, (x - 3.6, 3.9), (x - 4.3, 3.9))
    box(ax, x - 5.75, 3.9, "character 17", SAID, width=2.8)
    line(ax, (x - 8.0, 3.9), (x - 7.15, 3.9), color=GRAY, dashed=True)
    label(ax, x - 8.1, 3.9, "target: b", side="right")
    save(ax, __file__)


if __name__ == "__main__":
    main()
