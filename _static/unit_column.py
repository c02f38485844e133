"""Draw `unit_column.svg`: the states of five steps; one number of every state is a unit, and beside it stands a label.

Alternative text: Five steps side by side read the characters t, o, space, b and e. Below each stands its state, a
column of three numbers. The middle row of all states, 0, 2, 0, 1, 2, has a frame: it is one unit. Below it stands the
label vowel, 0, 1, 0, 0, 1. The correlation of the two rows is 0.91.
"""

import numpy as np
from drawing import READ, RED, SAID, STATE, arrow, canvas, cells, label, save
from matplotlib.patches import Rectangle

from charlm_utils.probing import correlate, label_text

TEXT = "to be"
UNITS = [[1, -1, 0, 2, 1], [0, 2, 0, 1, 2], [2, 1, 1, 0, -1]]
SHOWN = 1  # of the units


def strings(numbers):
    """Return whole numbers as the drawing shows them."""
    return [f"{number:.0f}".replace("-", "\u2212") for number in numbers]


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.6)
    vowel = label_text(TEXT)["vowel"]
    score = correlate(np.array(UNITS, float).T, vowel)[SHOWN]
    label(ax, 0.1, 5.95, "reads", side="left")
    cells(ax, 2.5, 6.4, [TEXT], READ, size=0.95)
    for t in range(len(TEXT)):
        arrow(ax, (2.5 + 0.95 * (t + 0.5), 5.4), (2.5 + 0.95 * (t + 0.5), 4.9))
    label(ax, 0.1, 3.4, "states", side="left")
    cells(ax, 2.5, 4.8, [strings(unit) for unit in UNITS], STATE, size=0.95)
    ax.add_patch(Rectangle((2.5, 2.9), 4.75, 0.95, facecolor="none", edgecolor=RED, linewidth=2, zorder=4))
    label(ax, 7.6, 3.4, "one unit", RED, side="left")
    label(ax, 0.1, 0.75, "label", side="left")
    cells(ax, 2.5, 1.2, [strings(vowel)], SAID, size=0.95)
    label(ax, 7.6, 0.75, "vowel", side="left")
    arrow(ax, (8.3, 1.2), (8.3, 3.0))
    arrow(ax, (8.3, 3.0), (8.3, 1.2))
    label(ax, 8.5, 2.1, f"{score:.2f}", side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
