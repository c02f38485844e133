r"""Draw `read_once.svg`: a weight that is read from memory serves as many products as there are rows.

Alternative text: Two halves. On the left a kernel of weights is read from memory, and one row of a batch is multiplied
by it: each weight serves once, two operations for four bytes. On the right the same kernel is read, and four rows are
multiplied by it: each weight serves four times, eight operations for four bytes.
"""

from drawing import GATE, STATE, arrow, box, canvas, cells, label, save


def half(ax, left, rows, words):
    """Draw a kernel in memory, the rows that it serves, and what that makes."""
    cells(ax, left + 1.25, 6.3, [["", "", "", ""]] * 3, GATE, size=0.55)
    label(ax, left + 2.35, 6.65, "kernel, in memory")
    arrow(ax, (left + 2.35, 4.55), (left + 2.35, 3.75), width=3)
    label(ax, left + 2.65, 4.15, "read once", side="left", size=0.9)
    cells(ax, left + 0.6, 3.4, [["", "", ""]] * rows, STATE, size=0.45)
    label(ax, left + 2.3, 2.85, r"$\times$", size=1.2)
    box(ax, left + 3.4, 2.85, "a weight", GATE, width=1.7, size=0.9)
    for number, word in enumerate(words):
        label(ax, left + 2.35, 1.05 - 0.6 * number, word, size=0.95)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 7.1)
    half(ax, 0.2, 1, ("serves one row:", "2 operations for 4 bytes"))
    half(ax, 5.4, 4, ("serves four rows:", "8 operations for 4 bytes"))
    save(ax, __file__)


if __name__ == "__main__":
    main()
