"""Draw `held_unit.svg`: who reads a unit, and what is changed when it is held at a value.

Alternative text: Two drawings of one unit. On the left, two arrows lead from the unit to its readers, the next step and
the scores; on them stand the weights U and W s. On the right, both arrows are dashed, with weights 0, and the readers
get v times the weights added to their biases instead.
"""

from drawing import GRAY, RED, SAID, STATE, arrow, box, canvas, circle, label, save

READER = 3.15  # of a unit, to the right of it


def draw_readers(ax, left, *, held):
    """Draw a unit and its two readers, with the unit at ``left``."""
    circle(ax, left, 2.1, "unit", STATE, radius=0.6)
    box(ax, left + READER, 3.7, "next step", STATE, width=1.9)
    box(ax, left + READER, 0.5, "scores", SAID, width=1.9)
    color = GRAY if held else "black"
    arrow(ax, (left + 0.55, 2.4), (left + 2.2, 3.55), color=color, dashed=held)
    arrow(ax, (left + 0.55, 1.8), (left + 2.2, 0.65), color=color, dashed=held)
    label(ax, left + 1.1, 3.45, "0" if held else "$U$", RED if held else "black")
    label(ax, left + 1.1, 0.75, "0" if held else "$W_s$", RED if held else "black")
    if held:
        arrow(ax, (left + READER, 2.75), (left + READER, 3.25), color=RED)
        label(ax, left + READER, 2.45, "bias + value \u00b7 row of $U$", RED)
        arrow(ax, (left + READER, 1.45), (left + READER, 0.95), color=RED)
        label(ax, left + READER, 1.75, "bias + value \u00b7 row of $W_s$", RED)


def main():
    """Draw the figure beside this script."""
    ax = canvas(11.0, 5.0)
    label(ax, 2.4, 4.7, "as it is")
    draw_readers(ax, 0.7, held=False)
    label(ax, 7.6, 4.7, "held at a value")
    draw_readers(ax, 5.85, held=True)
    save(ax, __file__)


if __name__ == "__main__":
    main()
