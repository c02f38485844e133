r"""Draw `own_text.svg`: the way of a text from the file to a page in which a network writes.

Alternative text: Eight stations in two rows, joined by arrows. Above: read, check, count, choose a size. Below, from
right to left: estimate the time, train with validation text and stop early, diagnose, write. A dashed arrow leads from
diagnose back to choose a size, and from write an arrow leads to a page.
"""

from drawing import GATE, GRADIENT, GRAY, MEMORY, READ, SAID, STATE, arrow, box, canvas, label, save

WIDTH = 2.1
ABOVE = (("read", READ), ("check", READ), ("count", GRAY), ("choose\na size", GATE))
BELOW = (("write", SAID), ("diagnose", MEMORY), ("train, stop\nin time", STATE), ("estimate\nthe time", GRADIENT))


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.6)
    label(ax, 1.45, 6.25, "file, folder, address", size=0.9)
    for number, (text, color) in enumerate(ABOVE):
        x = 1.25 + 2.6 * number
        box(ax, x, 5.1, text, color, width=WIDTH, height=1.1, size=0.95)
        if number:
            arrow(ax, (x - 2.6 + WIDTH / 2, 5.1), (x - WIDTH / 2, 5.1))
    for number, (text, color) in enumerate(BELOW):
        x = 1.25 + 2.6 * number
        box(ax, x, 2.5, text, color, width=WIDTH, height=1.1, size=0.95)
        if number:
            arrow(ax, (x - WIDTH / 2, 2.5), (x - 2.6 + WIDTH / 2, 2.5))
    arrow(ax, (1.25, 6.0), (1.25, 5.65))
    arrow(ax, (9.05, 4.55), (9.05, 3.05))
    arrow(ax, (3.85, 3.05), (3.85, 3.8), (8.4, 3.8), (8.4, 4.55), dashed=True)
    label(ax, 6.1, 4.1, "another size, another rate", size=0.9)
    box(ax, 1.25, 0.6, "a page", SAID, width=WIDTH, height=0.8, size=0.95)
    arrow(ax, (1.25, 1.95), (1.25, 1.0))
    save(ax, __file__)


if __name__ == "__main__":
    main()
