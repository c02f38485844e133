r"""Draw `static_unrolling.svg`: two layers, unrolled over four steps into a graph, as TensorFlow 1 does it.

Alternative text: Four columns, one per step. Each reads a character's embedding into a copy of layer 1, whose output
goes up to a copy of layer 2 and on to the scores. Arrows lead from each copy to the next of the same layer, starting
from zeros. All copies of a layer use the same weights, shown once at the right.
"""

from drawing import GATE, READ, SAID, STATE, arrow, box, canvas, label, line, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.6)
    heights = (2.2, 3.9)
    for t in (1, 2, 3, 4):
        x = 0.4 + 1.7 * t
        box(ax, x, 0.5, f"$e_{t}$", READ, width=1.1)
        arrow(ax, (x, 0.9), (x, heights[0] - 0.4))
        for number, y in enumerate(heights, start=1):
            box(ax, x, y, f"$h_{t}^{number}$", STATE, width=1.1)
            arrow(ax, (x, y + 0.4), (x, y + 1.3))
            arrow(ax, (x - (1.0 if t == 1 else 1.15), y), (x - 0.55, y))
        box(ax, x, 5.6, "scores", SAID, width=1.4, size=0.9)
    for number, y in enumerate(heights, start=1):
        label(ax, 1.0, y, "zeros", side="right", size=0.9)
        box(ax, 9.4, y, f"weights of\nlayer {number}", GATE, width=1.9, height=1.0, size=0.9)
        line(ax, (2.4, y - 0.75), (9.4, y - 0.75), (9.4, y - 0.5), color=GATE, width=1)
        for t in (1, 2, 3, 4):
            x = 0.7 + 1.7 * t
            arrow(ax, (x, y - 0.75), (x, y - 0.4), color=GATE, width=1)
    save(ax, __file__)


if __name__ == "__main__":
    main()
