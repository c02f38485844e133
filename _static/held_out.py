"""Draw `held_out.svg`: what is learned, what is chosen on and what is scored, before and after the choices are made.

Alternative text: Three bars, each of them the whole text. While choices are made, the first 81 % are learned, the
next 9 % are for choosing, and the last 10 % are unseen. At the end, the first 90 % are learned and the last 10 %
scored. Once more, the first 10 % are scored and the last 90 % learned.
"""

from drawing import GRAY, READ, SAID, STATE, canvas, label, save, tint
from matplotlib.patches import Rectangle

LEFT = 0.1
WIDTH = 9.8
ROWS = [
    ("while choices are made", [("learned", 0.81, STATE), ("choose", 0.09, READ), ("unseen", 0.1, GRAY)]),
    ("at the end", [("learned", 0.9, STATE), ("scored", 0.1, SAID)]),
    ("once more", [("scored", 0.1, SAID), ("learned", 0.9, STATE)]),
]


def main():
    """Draw the figure beside this script."""
    ax = canvas(10, 4.6)
    for number, (title, segments) in enumerate(ROWS):
        top = 4.0 - 1.55 * number
        label(ax, LEFT, top + 0.3, title, side="left")
        left = LEFT
        for word, share, color in segments:
            width = WIDTH * share
            ground = tint(color, 0.1 if color == GRAY else 0.4)
            ax.add_patch(Rectangle((left, top - 0.75), width, 0.7, facecolor=ground, edgecolor=GRAY, zorder=3))
            label(ax, left + width / 2, top - 0.4, word, size=0.73 if share < 0.2 else 1.0)
            left += width
    save(ax, __file__)


if __name__ == "__main__":
    main()
