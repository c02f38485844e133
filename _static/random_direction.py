"""Draw `random_direction.svg`: characters by the values of two units, seen along one unit and along a random direction.

Alternative text: Two planes with the values of two units as axes and the same cloud of dots in each, blue dots for
characters early in the line on the left, orange dots for late ones on the right. In the first plane an arrow lies along
the horizontal axis, which is one unit: along it the two kinds are apart. In the second plane the arrow is slanted, a
random direction: along it the two kinds overlap. Below each plane the dots are shown as they fall on the arrow.
"""

import numpy as np
from drawing import BLUE, ORANGE, SAID, arrow, canvas, label, save

DOTS = 26


def cloud():
    """Return the values of two units for early and late characters, each ``(dots, 2)``, between -1 and 1."""
    draw = np.random.default_rng(3)
    early = np.column_stack([draw.uniform(-0.9, -0.3, DOTS), draw.uniform(-0.9, 0.9, DOTS)])
    late = np.column_stack([draw.uniform(0.3, 0.9, DOTS), draw.uniform(-0.9, 0.9, DOTS)])
    return early, late


def draw_plane(ax, center, direction, title):
    """Draw the cloud around a center, an arrow in a direction of length 1, and below what is seen along it."""
    size = 1.75
    x, y = center
    arrow(ax, (x - size, y - size), (x + size + 0.2, y - size))
    arrow(ax, (x - size, y - size), (x - size, y + size + 0.2))
    for dots, color in zip(cloud(), (BLUE, ORANGE), strict=True):
        ax.plot(x + size * dots[:, 0], y + size * dots[:, 1], ".", color=color, ms=5, zorder=3)
        along = dots @ direction
        ax.plot(x + size * along, np.full(DOTS, 0.75), "|", color=color, ms=11, mew=1.5, zorder=3)
    tip = 1.05 * size * np.array(direction)
    arrow(ax, (x - tip[0], y - tip[1]), (x + tip[0], y + tip[1]), color=SAID, width=2)
    label(ax, x, y + size + 0.6, title)
    label(ax, x, y - size - 0.35, "one unit", size=0.95)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.3)
    draw_plane(ax, (2.7, 3.4), np.array([1.0, 0.0]), "along one unit")
    draw_plane(ax, (7.9, 3.4), np.array([0.5, 0.87]), "a random direction")
    label(ax, 5.3, 0.3, "blue: early in the line, orange: late", size=0.95)
    for x in (0.5, 5.7):
        label(ax, x, 3.4, "another unit", size=0.95, rotation=90)
    save(ax, __file__)


if __name__ == "__main__":
    main()
