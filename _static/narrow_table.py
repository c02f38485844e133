"""Draw `narrow_table.svg`: a table of V by V weights beside a narrow table of V by E and a second one of E by V.

Alternative text: On the left a square grid, V rows and V columns: its row x_t holds the scores. On the right a narrow
grid of V rows and E columns, the embedding, whose row x_t is multiplied by a flat grid of E rows and V columns to
give the scores.
"""

from drawing import GRAY, READ, SAID, STATE, arrow, box, brace, canvas, cells, label, save


def grid(ax, left, top, rows, columns, lit, color):
    """Draw a table with one row in color."""
    colors = [[color if row in lit else GRAY for _ in range(columns)] for row in range(rows)]
    return cells(ax, left, top, [[""] * columns for _ in range(rows)], colors, size=0.36)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.5, 5.4)
    grid(ax, 0.9, 4.6, 7, 7, {2}, SAID)
    label(ax, 0.75, 3.7, "$x_t$", side="right")
    brace(ax, (3.42, 4.68), (0.9, 4.68), "$V$", depth=0.14)
    brace(ax, (3.5, 2.08), (3.5, 4.6), "$V$", depth=0.14)
    label(ax, 2.16, 1.55, "full: row = scores")
    label(ax, 2.16, 0.95, "$V \\times V$ weights")

    grid(ax, 5.2, 4.6, 7, 2, {2}, READ)
    label(ax, 5.05, 3.7, "$x_t$", side="right")
    brace(ax, (5.92, 4.68), (5.2, 4.68), "$E$", depth=0.14)
    label(ax, 5.5, 1.55, "embedding")
    label(ax, 5.5, 0.95, "$V \\times E$")
    arrow(ax, (6.0, 3.7), (6.9, 3.7))
    label(ax, 6.45, 4.05, "$e_t$")
    grid(ax, 7.3, 4.06, 2, 7, {0, 1}, STATE)
    label(ax, 7.1, 3.7, "$\\cdot$", size=1.6)
    label(ax, 8.56, 4.4, "$W_s$")
    brace(ax, (9.9, 3.34), (9.9, 4.06), "$E$", depth=0.12)
    arrow(ax, (8.56, 3.25), (8.56, 2.55))
    box(ax, 8.56, 2.15, "scores", SAID, width=2.52, height=0.7)
    label(ax, 8.56, 1.55, "$V$ numbers")
    label(ax, 8.56, 0.95, "$W_s$: $E \\times V$")
    save(ax, __file__)


if __name__ == "__main__":
    main()
