"""Draw `stateful.svg`: two batches read without carried state, and with it.

Alternative text: Two panels. In both, two rows read four characters in batch 0 and the four that follow in batch 1.
In the upper panel, stateful is False: every row starts from zeros in batch 0 and again in batch 1. In the lower
panel, stateful is True: batch 0 starts from zeros, and arrows carry the state of row 0 to row 0 of batch 1 and that
of row 1 to row 1.
"""

from drawing import GREEN, ORANGE, SKY, STATE, arrow, box, canvas, cells, label, save

TEXT = "the quick brown fox"
STARTS = (0, 10)  # of the two rows
TIME = 4
COLORS = (ORANGE, GREEN)
SIDE = 0.5


def panel(ax, top, title, carried):
    """Draw two batches of two rows, with zeros or the carried state before each."""
    label(ax, 0.2, top, title, side="left")
    for m, start in enumerate(STARTS):
        y = top - 0.85 - 0.85 * m
        label(ax, 0.2, y, f"row {m}", side="left", size=0.9)
        for w, x in enumerate((2.9, 7.5)):
            begin = start + w * TIME
            if w == 0 or not carried:
                box(ax, x - 0.95, y, "zeros", STATE, width=1.1, height=0.55, size=0.9)
                arrow(ax, (x - 0.4, y), (x - 0.05, y))
            else:
                arrow(ax, (4.95, y), (7.45, y), color=SKY, width=2.5)
                label(ax, 6.2, y + 0.28, f"state of row {m}", size=0.9)
            cells(ax, x, y + SIDE / 2, [list(TEXT[begin : begin + TIME])], COLORS[m], SIDE)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.6)
    for w, x in enumerate((3.9, 8.5)):
        label(ax, x, 6.3, f"batch {w}")
    panel(ax, 5.6, "stateful=False", carried=False)
    panel(ax, 2.5, "stateful=True", carried=True)
    save(ax, __file__)


if __name__ == "__main__":
    main()
