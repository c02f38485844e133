"""Draw `guessing.svg`: from characters to ids, and from ids to the probability of every next character.

Alternative text: Seven boxes with the characters t, h, e, space, t, i, d. Below each stands its id: 56, 44, 41, 1, 56,
45, 40. An arrow leads to a box named model, and from there one to four bars: e 0.93, y 0.03, space 0.01, all others
together 0.03.
"""

from drawing import BLUE, READ, SAID, arrow, box, canvas, cells, label, save

IDS = (56, 44, 41, 1, 56, 45, 40)
GUESSES = (("e", 0.93), ("y", 0.03), (" ", 0.01), ("all others", 0.03))  # of the play's counting model of order 7


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.6, 6.6)
    label(ax, 0.05, 6.1, "text", side="left")
    cells(ax, 2.1, 6.5, ["the tid"], READ, size=0.8)
    arrow(ax, (4.9, 5.65), (4.9, 4.95))
    label(ax, 5.1, 5.3, "vocabulary", side="left")
    label(ax, 0.05, 4.5, "ids", side="left")
    cells(ax, 2.1, 4.9, [[str(number) for number in IDS]], READ, size=0.8)
    arrow(ax, (4.9, 4.05), (4.9, 3.55))
    box(ax, 4.9, 3.1, "model", BLUE, width=2.6, height=0.9)
    arrow(ax, (4.9, 2.6), (4.9, 2.15))
    label(ax, 0.05, 1.05, "probability of\neach character\nto come next", side="left")
    for row, (character, share) in enumerate(GUESSES):
        y = 1.8 - 0.52 * row
        cell = [character] if len(character) == 1 else [None]
        cells(ax, 4.3, y + 0.24, [cell], SAID, size=0.6, height=0.48)
        if len(character) > 1:
            label(ax, 4.8, y, character, side="right")
        ax.barh(y, 4.0 * share, 0.34, left=5.1, color=SAID, zorder=3)
        label(ax, 5.25 + 4.0 * share, y, f"{share:.2f}", side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
