"""Draw `held_unit.svg`: who reads a unit, and what is changed when it is held at a value.

Alternative text: Two drawings of one unit. On the left, two arrows lead from the unit to its readers, the next step and
the scores; on them stand the weights U and W s. On the right, both arrows are dashed, with weights 0, and the readers
get v times the weights added to their biases instead.
"""

from drawing import GRAY, RED, SAID, STATE, arrow, box, canvas, circle, label, save


def draw_readers(ax, left, *, held):
    """Draw a unit and its two readers, with the unit at ``left``."""
    circle(ax, left, 3.1, "unit", STATE, radius=0.55, size=0.9)
    box(ax, left + 3.3, 4.7, "next step", STATE, width=1.9)
    box(ax, left + 3.3, 1.5, "scores", SAID, width=1.9)
    color = GRAY if held else "black"
    arrow(ax, (left + 0.5, 3.4), (left + 2.3, 4.6), color=color, dashed=held)
    arrow(ax, (left + 0.5, 2.8), (left + 2.3, 1.6), color=color, dashed=held)
    label(ax, left + 1.1, 4.5, "0" if held else "$U$", RED if held else "black")
    label(ax, left + 1.1, 1.7, "0" if held else "$W_s$", RED if held else "black")
    if held:
        arrow(ax, (left + 3.3, 3.75), (left + 3.3, 4.25), color=RED)
        label(ax, left + 3.3, 3.5, "bias + value \u00b7 row of $U$", RED, size=0.95)
        arrow(ax, (left + 3.3, 2.45), (left + 3.3, 1.95), color=RED)
        label(ax, left + 3.3, 2.7, "bias + value \u00b7 row of $W_s$", RED, size=0.95)


def main():
    """Draw the figure beside this script."""
    ax = canvas(11.2, 6.0)
    label(ax, 2.3, 5.7, "as it is")
    draw_readers(ax, 0.7, held=False)
    label(ax, 7.9, 5.7, "held at a value")
    draw_readers(ax, 6.0, held=True)
    save(ax, __file__)


if __name__ == "__main__":
    main()
