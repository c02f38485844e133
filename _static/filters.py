"""Draw `filters.svg`: what two temperatures and three filters do to four probabilities.

Alternative text: Six panels with four bars each, for the characters a, b, c and d. Full distribution: 8, 4, 3 and 1
sixteenths. Temperature one half: 0.71, 0.18, 0.10, 0.01. Temperature 2: 0.37, 0.26, 0.23, 0.13. Top-k 2 keeps a and b,
which become 0.67 and 0.33. Top-p 0.8 keeps a, b and c, which become 0.53, 0.27 and 0.20. Min-p 0.3 has a dashed line
at 0.3 of the height of a, and keeps the same three.
"""

from drawing import GRAY, SAID, canvas, label, line, save
from matplotlib.patches import Rectangle

BEFORE = (8 / 16, 4 / 16, 3 / 16, 1 / 16)
CHARACTERS = "abcd"
SCALE = 2.6  # units of height per probability of 1
STEP = 0.75


def tempered(temperature):
    """Return the probabilities at a temperature."""
    powers = [p ** (1 / temperature) for p in BEFORE]
    return [power / sum(powers) for power in powers]


def kept(number):
    """Return the probabilities if only the first ones stay."""
    left = [p if rank < number else 0 for rank, p in enumerate(BEFORE)]
    return [p / sum(left) for p in left]


def panel(ax, left, bottom, title, after):
    """Draw the bars before, as outlines, and after."""
    label(ax, left + 1.5, bottom + 2.55, title)
    line(ax, (left, bottom), (left + 3.0, bottom), color=GRAY)
    for rank, (before, share) in enumerate(zip(BEFORE, after, strict=True)):
        x = left + 0.1 + STEP * rank
        ax.add_patch(Rectangle((x, bottom), 0.55, SCALE * share, facecolor=SAID, edgecolor="none", zorder=3))
        outline = Rectangle((x, bottom), 0.55, SCALE * before, facecolor="none", edgecolor="black", lw=1.0, zorder=4)
        ax.add_patch(outline)
        label(ax, x + 0.275, bottom - 0.3, CHARACTERS[rank])
        top = SCALE * max(share, before)
        if not share:
            top = max(top, 0.45)  # above the limit of min-p
        height = bottom + top + 0.22
        label(ax, x + 0.275, height, f"{share:.2f}" if share else "0", size=0.9)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.2, 7.0)
    panel(ax, 0.1, 4.1, "full distribution", BEFORE)
    panel(ax, 3.6, 4.1, "temperature 1/2", tempered(1 / 2))
    panel(ax, 7.1, 4.1, "temperature 2", tempered(2))
    panel(ax, 0.1, 0.6, "top-k, 2", kept(2))
    line(ax, (1.62, 0.4), (1.62, 2.7), color=GRAY, dashed=True)
    panel(ax, 3.6, 0.6, "top-p, 0.8", kept(3))
    line(ax, (5.87, 0.4), (5.87, 2.7), color=GRAY, dashed=True)
    panel(ax, 7.1, 0.6, "min-p, 0.3", kept(3))
    height = 0.6 + SCALE * 0.3 * BEFORE[0]
    line(ax, (7.1, height), (10.1, height), color=GRAY, dashed=True)
    save(ax, __file__)


if __name__ == "__main__":
    main()
