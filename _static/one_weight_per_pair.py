r"""Draw `one_weight_per_pair.svg`: a table with one weight per pair of characters is a network.

Alternative text: A one-hot column for the character a picks row a of a table with four rows and four columns, one
weight per pair of a character and the next. The row comes out as four scores; the softmax turns them into four
probabilities, the largest of them 0.56 for l.
"""

import numpy as np
from drawing import GATE, GRAY, READ, SAID, arrow, canvas, cells, label, save

CHARACTERS = "salt"
WEIGHTS = np.array([[-1.0, 1.5, 0.2, 0.9], [0.4, -2.0, 1.6, 0.8], [0.1, 0.3, 0.7, 1.4], [0.6, 0.5, -0.3, -0.9]])
ROW = 1
WIDTH, HEIGHT = 0.85, 0.65


def main():
    """Draw the figure beside this script."""
    scores = WEIGHTS[ROW]
    probabilities = np.exp(scores) / np.exp(scores).sum()
    ax = canvas(10.4, 5.2)
    top = 4.0
    label(ax, 0.9, top + 0.85, "one-hot")
    hot = [["1" if number == ROW else "0"] for number in range(4)]
    cells(ax, 0.6, top, hot, [[READ if number == ROW else "white"] for number in range(4)], HEIGHT)
    label(ax, 3.75, top + 0.85, "one weight per pair")
    shown = [[f"{weight:.1f}".replace("-", "\N{MINUS SIGN}") for weight in row] for row in WEIGHTS]
    colors = [[GATE if number == ROW else "white"] * 4 for number in range(4)]
    table = cells(ax, 2.05, top, shown, colors, WIDTH, HEIGHT)
    for number, character in enumerate(CHARACTERS):
        label(ax, 0.4, table(number, 0)[1], character, side="right")
        label(ax, table(0, number)[0], top + 0.3, character)
    y = table(ROW, 0)[1]
    arrow(ax, (1.25, y), (2.0, y))
    arrow(ax, (5.45, y), (6.75, y))
    label(ax, 6.1, y + 0.3, "row out")
    scores_out = cells(ax, 6.8, y + HEIGHT / 2, [shown[ROW]], GATE, WIDTH, HEIGHT)
    for number, character in enumerate(CHARACTERS):
        label(ax, scores_out(0, number)[0], top + 0.3, character)
    label(ax, 8.5, top + 0.85, "scores")
    arrow(ax, (8.5, y - HEIGHT / 2), (8.5, 1.75))
    label(ax, 8.65, 2.35, "softmax", side="left")
    cells(ax, 6.8, 1.7, [[f"{share:.2f}" for share in probabilities]], SAID, WIDTH, HEIGHT)
    label(ax, 8.5, 0.6, "probabilities")
    label(ax, 3.75, 0.6, "row: this character\ncolumn: the next one", GRAY)
    save(ax, __file__)


if __name__ == "__main__":
    main()
