r"""Draw `embedding.svg`: an embedding is a narrower table, and a second table leads back to one score per character.

Alternative text: The id of a character picks one row of a tall, narrow table with V rows and E columns. This row of E
numbers, the embedding, meets a second table with E rows and V columns, which gives V scores, one per character.
"""

from drawing import GATE, READ, SAID, arrow, brace, canvas, cells, label, save

SIDE = 0.45


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.6)
    top = 4.6
    rows = [["", ""] for _ in range(7)]
    table = cells(ax, 2.0, top, rows, [[READ if m == 2 else "white"] * 2 for m in range(7)], SIDE)
    x, y = table(2, 0)
    label(ax, 0.7, y, "$x_t$")
    arrow(ax, (1.0, y), (1.95, y))
    label(ax, 2.45, top + 0.7, "embedding")
    brace(ax, (2.0, top - 7 * SIDE - 0.1), (2.9, top - 7 * SIDE - 0.1), "$E$")
    brace(ax, (1.9, top), (1.9, top - 7 * SIDE))
    label(ax, 1.45, y - 1.0, "$V$")
    arrow(ax, (2.9, y), (4.1, y))
    cells(ax, 4.2, y + SIDE / 2, [["", ""]], READ, SIDE)
    label(ax, 4.65, y + 0.55, "$e_t$")
    arrow(ax, (5.1, y), (6.25, y))
    label(ax, 7.9, top + 0.7, "second table")
    cells(ax, 6.35, y + SIDE, [[""] * 7] * 2, GATE, SIDE)
    brace(ax, (9.6, y - SIDE), (9.6, y + SIDE))
    label(ax, 10.05, y, "$E$")
    arrow(ax, (7.92, y - SIDE), (7.92, 1.3))
    cells(ax, 6.35, 1.2, [[""] * 7], SAID, SIDE)
    brace(ax, (6.35, 0.65), (9.5, 0.65), "$V$ scores")
    save(ax, __file__)


if __name__ == "__main__":
    main()
