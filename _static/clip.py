r"""Draw `clip.svg`: a gradient clipped by value and by norm, to scale.

Alternative text: A gradient with entries 8 and 3 as an arrow. Left, clipped by value to a square of half-width 5, it
becomes the arrow with entries 5 and 3, which is steeper: it turned. Right, clipped by norm to a circle of radius 5,
it becomes shorter, with entries 4.7 and 1.8, and keeps its direction.
"""

from drawing import BLUE, GRADIENT, GRAY, arrow, canvas, label, line, save
from matplotlib.patches import Arc

UNIT = 0.5
G = (8, 3)
LIMIT = 5


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 4.6)
    shorter = LIMIT / (G[0] ** 2 + G[1] ** 2) ** 0.5
    panels = (
        (0.5, "by value", (min(G[0], LIMIT), min(G[1], LIMIT))),
        (5.8, "by norm", (shorter * G[0], shorter * G[1])),
    )
    for left, title, clipped in panels:
        bottom = 0.9
        label(ax, left + 2.2, 4.3, title)
        arrow(ax, (left, bottom), (left + 4.5, bottom), color=GRAY)
        arrow(ax, (left, bottom), (left, bottom + 3.0), color=GRAY)
        if title == "by value":
            corner = (left + LIMIT * UNIT, bottom + LIMIT * UNIT)
            line(ax, (left, corner[1]), corner, (corner[0], bottom), color=GRAY, dashed=True)
        else:
            size = 2 * LIMIT * UNIT
            ax.add_patch(
                Arc((left, bottom), size, size, theta1=0, theta2=90, color=GRAY, linestyle="--", linewidth=1.3)
            )
        label(ax, left + LIMIT * UNIT, bottom - 0.35, "5", GRAY)
        arrow(ax, (left, bottom), (left + G[0] * UNIT, bottom + G[1] * UNIT), color=GRADIENT, width=1.6)
        arrow(ax, (left, bottom), (left + clipped[0] * UNIT, bottom + clipped[1] * UNIT), color=BLUE, width=3)
        label(ax, left + 4.2, bottom + 1.85, "$g$", GRADIENT, side="right", size=1.1)
        shown = f"({clipped[0]:.2g}, {clipped[1]:.2g})"
        label(ax, left + 2.2, 0.15, f"(8, 3) becomes {shown}", size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
