r"""Draw `windows_order.svg`: a batch of four windows in order, and a shuffled one.

Alternative text: Two panels with the same line of text, "to be, or not to be: t". In the upper one, four windows of
six characters lie below the text like stairs, each one place further right than the one above; the four characters
that they ask for stand side by side. In the lower one, four windows lie at places all over the text, and so do the
characters that they ask for.
"""

from drawing import GRAY, READ, SAID, canvas, cells, label, save

TEXT = "to be, or not to be: t"
TIME = 6
SIDE = 0.45
LEFT = 0.15
PANELS = {"in order": (0, 1, 2, 3), "shuffled": (9, 2, 15, 5)}


def panel(ax, top, title, starts):
    """Draw the text and four windows below it, each at its places."""
    label(ax, LEFT, top, title, side="left")
    cells(ax, LEFT, top - 0.35, [list(TEXT)], GRAY, SIDE)
    for row, start in enumerate(starts):
        y = top - 1.05 - 0.55 * row
        window = list(TEXT[start : start + TIME + 1])
        cells(ax, LEFT + start * SIDE, y, [window], [[READ] * TIME + [SAID]], SIDE)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.2, 7.4)
    for number, (title, starts) in enumerate(PANELS.items()):
        panel(ax, 7.05 - 3.6 * number, title, starts)
    save(ax, __file__)


if __name__ == "__main__":
    main()
