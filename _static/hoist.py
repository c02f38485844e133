r"""Draw `hoist.svg`: the products of the inputs inside of the loop, before it, and as a table of all characters.

Alternative text: Three rows. In the loop: at each of three steps an input e is multiplied by W, and the state by U.
Before the loop: the three inputs, one below the other, are multiplied by W at once, and the loop has the products by U
only. As a table: the embeddings of a, b and c are multiplied by W once, and each step takes the row of its character.
"""

from drawing import GRAY, READ, STATE, arrow, box, canvas, cells, circle, label, save

STEPS = (1, 2, 3)
READS = ("b", "a", "b")
FIRST = 5.2
WIDE = 2.0


def loop(ax, y):
    """Draw three steps of a loop: states, and between them the product by U."""
    label(ax, 3.75, y, "$h_0$")
    arrow(ax, (4.05, y), (FIRST - 0.75, y))
    for t in STEPS:
        x = FIRST + WIDE * (t - 1)
        circle(ax, x - 0.45, y, r"$U$", STATE, radius=0.3, size=0.9)
        box(ax, x + 0.4, y, f"$h_{t}$", STATE, width=0.8)
        arrow(ax, (x - 0.15, y), (x, y))
        if t < 3:
            arrow(ax, (x + 0.8, y), (x + WIDE - 0.75, y))


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.6, 10.4)
    label(ax, 0.1, 10.1, "in the loop", side="left")
    loop(ax, 9.3)
    for t in STEPS:
        x = FIRST + WIDE * (t - 1) + 0.4
        box(ax, x, 7.1, f"$e_{t}$", READ, width=0.8, height=0.6)
        circle(ax, x, 8.05, r"$W$", READ, radius=0.33, size=0.9)
        arrow(ax, (x, 7.4), (x, 7.72))
        arrow(ax, (x, 8.38), (x, 8.9))
    label(ax, 0.1, 6.3, "before the loop", side="left")
    loop(ax, 5.5)
    cells(ax, 0.4, 5.0, [["$e_1$"], ["$e_2$"], ["$e_3$"]], READ, size=0.7, height=0.5)
    circle(ax, 1.9, 4.25, r"$W$", READ, radius=0.4)
    arrow(ax, (1.1, 4.25), (1.5, 4.25))
    cells(ax, 2.8, 5.0, [["$a^x_1$"], ["$a^x_2$"], ["$a^x_3$"]], READ, size=0.9, height=0.5)
    arrow(ax, (2.3, 4.25), (2.8, 4.25))
    for t in STEPS:
        x = FIRST + WIDE * (t - 1) + 0.4
        y = 4.75 - 0.5 * (t - 1)
        arrow(ax, (3.7, y), (x, y), (x, 5.1))
    label(ax, 0.1, 2.75, "as a table", side="left")
    loop(ax, 1.95)
    cells(ax, 0.1, 1.7, [["a"], ["b"], ["c"]], GRAY, size=0.5)
    cells(ax, 0.6, 1.7, [[""], [""], [""]], READ, size=0.6, height=0.5)
    circle(ax, 1.9, 0.95, r"$W$", READ, radius=0.4)
    arrow(ax, (1.2, 0.95), (1.5, 0.95))
    cells(ax, 2.6, 1.7, [["a"], ["b"], ["c"]], GRAY, size=0.5)
    cells(ax, 3.1, 1.7, [[""], [""], [""]], READ, size=0.6, height=0.5)
    arrow(ax, (2.3, 0.95), (2.6, 0.95))
    for t, character in zip(STEPS, READS, strict=True):
        x = FIRST + WIDE * (t - 1) + 0.4
        label(ax, x, 0.5, f"row of {character}")
        arrow(ax, (x, 0.8), (x, 1.55))
    save(ax, __file__)


if __name__ == "__main__":
    main()
