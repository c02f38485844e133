"""Draw `protocols.svg`: four ways to score one text with one network.

Alternative text: Four rows of twelve characters. Carried: one arrow, the state, runs through all of them. Windows:
three groups of four, each beginning with a zero. Random windows: three groups of four at random places, two of them
overlapping, each beginning with a zero. Learning: the arrow runs through all, and after every four characters the
weights are changed.
"""

from drawing import GRADIENT, SAID, STATE, arrow, canvas, cells, circle, label, line, save

TEXT = "O, be some o"
SIZE = 0.72
LEFT = 0.9


def row(ax, top, title):
    """Draw the text with a title above it, and return where its characters stand."""
    label(ax, 0.1, top + 0.4, title, side="left")
    return cells(ax, LEFT, top, [list(TEXT)], SAID, size=SIZE, height=0.6)


def state(ax, top, start, stop):
    """Draw the way of the state below some characters, from a zero."""
    y = top - 0.9
    left = LEFT + SIZE * start
    circle(ax, left - 0.02, y, "0", STATE, radius=0.24, size=0.95)
    end = LEFT + SIZE * stop - (0.12 if stop == len(TEXT) else 0.28)
    arrow(ax, (left + 0.2, y), (end, y), color=STATE, width=2.0)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10, 8.7)
    top = 7.9
    row(ax, top, "carried: the state passes through all of the text")
    state(ax, top, 0, 12)
    top = 5.75
    row(ax, top, "windows: all of the text, each from an empty context")
    for start in (0, 4, 8):
        state(ax, top, start, start + 4)
    top = 3.6
    label(ax, 0.1, top + 0.4, "random windows: at random places, some twice, some never", side="left")
    for start, height in ((1, top), (3, top - 0.62), (7, top)):
        cells(ax, LEFT + SIZE * start, height, [list(TEXT[start : start + 4])], SAID, size=SIZE, height=0.5)
        circle(ax, LEFT + SIZE * start - 0.26, height - 0.25, "0", STATE, radius=0.24, size=0.95)
    top = 1.35
    row(ax, top, "learning: the weights change after each piece")
    state(ax, top, 0, 12)
    for start in (4, 8):
        x = LEFT + SIZE * start
        line(ax, (x, top + 0.12), (x, top - 1.15), color=GRADIENT, width=2.5)
    save(ax, __file__)


if __name__ == "__main__":
    main()
