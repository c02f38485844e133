r"""Draw `names_leak.svg`: the state that leaks from name to name in training, and the zeros from which names are drawn.

Alternative text: Above, two batches side by side with three rows each. The first holds Mei, Minmi and Yi, the second
Kol, Haya and Balaur, each filled up with newlines. An arrow leads from the end of every row through a box named state
to the row beside it, which is another name. Below, the letters R, a and m are read from a state of zeros, and the next
letter is asked for.
"""

from drawing import GRAY, READ, SAID, STATE, arrow, box, canvas, cells, label, save

FIRST = ("Mei", "Minmi", "Yi")
SECOND = ("Kol", "Haya", "Balaur")
WIDTH = 6  # letters of the longest name
SIDE = 0.5


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.2)
    for left, title, names in ((0.9, "batch $w$", FIRST), (6.5, "batch $w + 1$", SECOND)):
        label(ax, left + WIDTH * SIDE / 2, 4.85, title)
        for row, name in enumerate(names):
            top = 4.5 - 0.85 * row
            letters = list(name.ljust(WIDTH, "\n"))
            colors = [READ] * len(name) + ["white"] * (WIDTH - len(name))
            cells(ax, left, top, [letters], [colors], SIDE)
            middle = top - SIDE / 2
            arrow(ax, (left - 0.6, middle), (left - 0.05, middle))
            if left < 5:
                arrow(ax, (left + WIDTH * SIDE + 0.05, middle), (4.4, middle))
                box(ax, 5.15, middle, "state", STATE, width=1.4, height=0.56)
    label(ax, 0.2, 1.9, "training: every row takes over the state of another name", GRAY, side="left", size=0.95)
    box(ax, 1.05, 1.1, "zeros", STATE, width=1.4, height=0.56)
    arrow(ax, (1.8, 1.1), (2.45, 1.1))
    cells(ax, 2.5, 1.35, [list("Ram")], [[READ] * 3], SIDE)
    arrow(ax, (4.05, 1.1), (4.7, 1.1))
    box(ax, 5.0, 1.1, "?", SAID, width=0.56, height=0.56)
    hardly = "writing: the first letter meets zeros, which training hardly knew"
    label(ax, 0.2, 0.42, hardly, GRAY, side="left", size=0.95)
    save(ax, __file__)


if __name__ == "__main__":
    main()
