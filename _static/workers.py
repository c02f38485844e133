r"""Draw `workers.svg`: a training step that two workers share.

Alternative text: Two workers side by side. A batch of four rows is divided: rows 0 and 1 go to worker 0, rows 2 and 3
to worker 1. Each computes the states of its rows and a gradient. The two gradients meet in the middle in a box,
all-reduce, which gives both the mean. Both take the same step, and both have the same weights again.
"""

from drawing import GATE, GRADIENT, GRAY, READ, STATE, arrow, box, canvas, frame, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 8.6)
    for number, x in enumerate((2.1, 8.3)):
        frame(ax, x - 2.0, 0.2, x + 2.0, 8.4, GRAY, f"worker {number}")
        box(ax, x, 7.0, f"rows {2 * number} and {2 * number + 1}", READ, width=2.9, size=0.9)
        box(ax, x, 5.6, "states of its rows", STATE, width=3.2, size=0.9)
        box(ax, x, 4.2, "gradient", GRADIENT, width=2.2, size=0.9)
        box(ax, x, 2.4, "the same step", GATE, width=2.8, size=0.9)
        box(ax, x, 0.9, r"the same weights $\theta$", GATE, width=3.5, size=0.9)
        for top, bottom in ((6.6, 6.0), (5.2, 4.6), (2.0, 1.3)):
            arrow(ax, (x, top), (x, bottom))
    box(ax, 5.2, 3.4, "all-\nreduce:\nmean", GRADIENT, width=1.6, height=1.7, size=0.9)
    arrow(ax, (3.2, 4.2), (4.4, 3.85), color=GRADIENT, width=2)
    arrow(ax, (7.2, 4.2), (6.0, 3.85), color=GRADIENT, width=2)
    arrow(ax, (4.4, 2.95), (3.5, 2.5), color=GRADIENT, width=2)
    arrow(ax, (6.0, 2.95), (6.9, 2.5), color=GRADIENT, width=2)
    label(ax, 5.2, 5.0, "travels", GRADIENT, size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
