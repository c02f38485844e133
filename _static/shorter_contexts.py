"""Draw `shorter_contexts.svg`: how a smoothed counting model asks ever shorter contexts.

Alternative text: Five boxes, one below the other: after z t h, after t h, after h, no context, 1 divided by V. Beside
each of the first four stands its own counts, alpha. Arrows labeled gamma lead from each box down to the next.
"""

from drawing import BLUE, GRAY, READ, arrow, box, canvas, label, save

CONTEXTS = ("zth", "th", "h", "")


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.2, 7.6)
    for step, context in enumerate(CONTEXTS):
        y = 7.0 - 1.6 * step
        box(ax, 2.2, y, f"after “{context}”" if context else "no context", READ, width=3.2, height=0.9)
        arrow(ax, (3.9, y), (5.0, y))
        shares = rf"$\alpha(x\mid\mathrm{{{context}}})$" if context else r"$\alpha(x)$"
        label(ax, 5.15, y, f"{shares} from its own counts", side="left")
        arrow(ax, (2.2, y - 0.5), (2.2, y - 1.1))
        weight = rf"$\gamma(\mathrm{{{context}}})$" if context else r"$\gamma$ of no context"
        label(ax, 2.4, y - 0.8, f"{weight} is left", BLUE, side="left")
    box(ax, 2.2, 0.55, "$1/V$", GRAY, width=3.2, height=0.8)
    label(ax, 5.15, 0.55, "all characters alike", side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
