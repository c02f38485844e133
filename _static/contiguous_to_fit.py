r"""Draw `contiguous_to_fit.svg`: how contiguous batches become the rows that `fit` reads in order.

Alternative text: A text of 24 characters lies in three stretches of eight, one below the other, each cut into two
windows of four. The first windows of the three stretches are batch 0, the second ones batch 1. For fit they stand
below one another, six rows of four: first the rows of batch 0, then those of batch 1. An arrow leads from each row of
batch 0 to the row of batch 1 that goes on with the text.
"""

from drawing import GREEN, ORANGE, SKY, arrow, brace, canvas, cells, label, save

TEXT = "the quick brown fox jump"
ROWS, TIME = 3, 4
COLORS = (ORANGE, SKY, GREEN)
SIDE = 0.5
GAP = 0.3


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.6, 5.6)
    stretch = 2 * TIME
    label(ax, 3.15, 5.25, "stretches of the text")
    label(ax, 7.7, 5.25, "rows for fit")
    window = TIME * SIDE
    for m in range(ROWS):
        piece = TEXT[m * stretch : (m + 1) * stretch]
        y = 3.8 - 0.9 * m
        label(ax, 0.9, y - SIDE / 2, f"$m = {m}$", side="right", size=0.8)
        for w in (0, 1):
            part = list(piece[w * TIME : (w + 1) * TIME])
            cells(ax, 1.0 + w * (window + GAP), y, [part], COLORS[m], SIDE)
            top = 4.7 - w * (ROWS * SIDE + GAP + 0.3) - m * SIDE
            cells(ax, 6.7, top, [part], COLORS[m], SIDE)
        start = 4.7 - m * SIDE - SIDE / 2
        end = start - ROWS * SIDE - GAP - 0.3
        out = 9.1 + 0.35 * m
        arrow(ax, (6.7 + window, start), (out, start), (out, end), (6.75 + window, end), color=COLORS[m], width=1.8)
    for w in (0, 1):
        label(ax, 1.0 + window / 2 + w * (window + GAP), 4.3, f"$w = {w}$")
        top = 4.7 - w * (ROWS * SIDE + GAP + 0.3)
        brace(ax, (6.6, top), (6.6, top - ROWS * SIDE), f"$w = {w}$")
    label(ax, 5.2, 0.35, "row $m$ of batch $w + 1$ goes on where row $m$ of batch $w$ ended")
    save(ax, __file__)


if __name__ == "__main__":
    main()
