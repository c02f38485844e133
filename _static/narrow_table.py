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
    ax = canvas(10.5, 4.8)
    grid(ax, 0.9, 4.0, 7, 7, {2}, SAID)
    label(ax, 0.75, 3.1, "$x_t$", side="right")
    brace(ax, (3.42, 4.08), (0.9, 4.08), "$V$", depth=0.14)
    brace(ax, (3.5, 1.48), (3.5, 4.0), "$V$", depth=0.14)
    label(ax, 2.16, 0.95, "full: row = scores")
    label(ax, 2.16, 0.35, "$V \\times V$ weights")

    grid(ax, 5.2, 4.0, 7, 2, {2}, READ)
    label(ax, 5.05, 3.1, "$x_t$", side="right")
    brace(ax, (5.92, 4.08), (5.2, 4.08), "$E$", depth=0.14)
    label(ax, 5.5, 0.95, "embedding")
    label(ax, 5.5, 0.35, "$V \\times E$")
    arrow(ax, (6.0, 3.1), (6.9, 3.1))
    label(ax, 6.45, 3.45, "$e_t$")
    grid(ax, 7.3, 3.46, 2, 7, {0, 1}, STATE)
    label(ax, 7.1, 3.1, "$\\cdot$", size=1.6)
    label(ax, 8.56, 3.8, "$W_s$")
    brace(ax, (9.9, 2.74), (9.9, 3.46), "$E$", depth=0.12)
    arrow(ax, (8.56, 2.65), (8.56, 2.0))
    box(ax, 8.56, 1.62, "scores", SAID, width=2.52, height=0.7)
    label(ax, 8.56, 0.95, "$V$ numbers")
    label(ax, 8.56, 0.35, "$W_s$: $E \\times V$")
    save(ax, __file__)


if __name__ == "__main__":
    main()
