"""Draw `flatten_order.svg`: two ways to lay a batch of outputs in one column, and the labels beside each.

Alternative text: A batch of two rows, "the" and "sea", three characters each, with the labels "he " and "ea ". Left,
batch first: the outputs stand in the order t, h, e, s, e, a, and each stands beside its own label. Right, time first:
the outputs stand in the order t, s, h, e, e, a, while the labels keep their order, so that four of six outputs stand
beside a label that belongs to another one; these labels are gray.
"""

from drawing import GRAY, READ, SAID, arrow, canvas, cells, label, save

ROWS = ["the", "sea"]
LABELS = ["he ", "ea "]
SIDE = 0.6


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.6)
    label(ax, 1.5, 6.2, "outputs for")
    cells(ax, 0.6, 5.7, [list(row) for row in ROWS], READ, SIDE)
    label(ax, 1.5, 3.7, "labels")
    cells(ax, 0.6, 3.2, [list(row) for row in LABELS], SAID, SIDE)
    label(ax, 1.5, 1.5, "2 rows, 3 steps", size=0.9)
    by_row = [(m, t) for m in range(2) for t in range(3)]
    by_step = [(m, t) for t in range(3) for m in range(2)]
    for left, title, order in ((4.0, "batch first", by_row), (7.4, "time first", by_step)):
        label(ax, left + 1.3, 6.2, title)
        for number, (output, target) in enumerate(zip(order, by_row, strict=True)):
            y = 5.5 - 0.85 * number
            cells(ax, left, y + SIDE / 2, [[ROWS[output[0]][output[1]]]], READ, SIDE)
            fits = output == target
            arrow(ax, (left + 0.65, y), (left + 1.9, y), color="black" if fits else GRAY, dashed=not fits)
            cells(ax, left + 2.0, y + SIDE / 2, [[LABELS[target[0]][target[1]]]], SAID if fits else GRAY, SIDE)
        words = "each beside its label" if order == by_row else "four beside another's"
        label(ax, left + 1.3, 0.45, words, size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
