r"""Draw `grown_vocabulary.svg`: what a network keeps when its vocabulary is extended, and what begins anew.

Alternative text: Left, a table with one row for each of the old characters a, b and c, and below it two new rows for
the new characters e with accent and o with accent. Middle, the weights of the recurrent layer, unchanged. Right, a
table with one column for each of the same five characters, the last two new. Old parts are blue, new ones orange.
"""

from drawing import GATE, READ, arrow, box, canvas, cells, label, save

CHARACTERS = "abcéó"
OLD = 3


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.4)
    colors = [GATE if number < OLD else READ for number in range(len(CHARACTERS))]
    cells(ax, 1.0, 4.3, [["", ""]] * 5, [[color] * 2 for color in colors], size=0.6)
    for number, character in enumerate(CHARACTERS):
        label(ax, 0.6, 4.0 - 0.6 * number, character)
    label(ax, 1.6, 4.9, "embedding", size=0.9)
    box(ax, 4.3, 2.8, "recurrent\nlayer", GATE, width=2.2, height=2.6)
    label(ax, 4.3, 4.9, "state", size=0.9)
    cells(ax, 6.6, 4.0, [[""] * 5] * 4, [colors] * 4, size=0.6)
    for number, character in enumerate(CHARACTERS):
        label(ax, 6.9 + 0.6 * number, 1.3, character)
    label(ax, 8.1, 4.9, "scores", size=0.9)
    arrow(ax, (2.3, 2.8), (3.15, 2.8))
    arrow(ax, (5.45, 2.8), (6.5, 2.8))
    box(ax, 2.9, 0.5, "kept", GATE, width=1.6, height=0.6, size=0.9)
    box(ax, 7.4, 0.5, "begins anew", READ, width=2.6, height=0.6, size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
