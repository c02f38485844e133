"""Draw `held_out.svg`: what is learned, what is chosen on and what is scored, before and after the choices are made.

Alternative text: Three bars, each of them the whole text. While choices are made, the first 81% are learned, the
next 9% are for choosing, and the last 10% are unseen. At the end, the first 90% are learned and the last 10%
scored. Once more, the first 10% are scored and the last 90% learned.
"""

from drawing import GRAY, READ, SAID, STATE, canvas, label, save, tint
from matplotlib.patches import Rectangle

LEFT = 0.1
WIDTH = 9.8
TOPS = (4.9, 3.05, 1.35)
ROWS = [
    ("while choices are made", [(0.81, STATE), (0.09, READ), (0.1, GRAY)]),
    ("at the end", [(0.9, STATE), (0.1, SAID)]),
    ("once more", [(0.1, SAID), (0.9, STATE)]),
]


def main():
    """Draw the figure beside this script."""
    ax = canvas(10, 5.5)
    for number, (title, segments) in enumerate(ROWS):
        top = TOPS[number]
        label(ax, LEFT, top + 0.3, title, side="left")
        left = LEFT
        for share, color in segments:
            width = WIDTH * share
            ground = tint(color, 0.1 if color == GRAY else 0.4)
            ax.add_patch(Rectangle((left, top - 0.75), width, 0.7, facecolor=ground, edgecolor=GRAY, zorder=3))
            if color == STATE:
                label(ax, left + width / 2, top - 0.4, "learned")
            left += width
    border = LEFT + 0.9 * WIDTH
    label(ax, border - 0.05, TOPS[0] - 1.05, "choose", side="right", size=0.88)
    label(ax, border + 0.05, TOPS[0] - 1.05, "unseen", side="left", size=0.88)
    label(ax, LEFT + WIDTH, TOPS[1] - 1.05, "scored", side="right", size=0.88)
    label(ax, LEFT, TOPS[2] - 1.05, "scored", side="left", size=0.88)
    save(ax, __file__)


if __name__ == "__main__":
    main()
