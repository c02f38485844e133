"""Draw `plain_loop.svg`: a plain recurrent network as a loop.

Alternative text: From bottom to top: a box with what the network reads, e_t; an arrow named W to a box with the state
h_t; an arrow named W_s to a box with the scores. An arrow named U leaves the state on its right, runs through a small
box that says one step later, and comes back to the state.
"""

from drawing import GRAY, READ, SAID, STATE, arrow, box, canvas, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(8.0, 5.4)
    box(ax, 2.6, 0.6, "reads $e_t$", READ, width=2.4)
    box(ax, 2.6, 2.6, "state $h_t$", STATE, width=2.4)
    box(ax, 2.6, 4.6, "scores $s_j$", SAID, width=2.4)
    arrow(ax, (2.6, 1.0), (2.6, 2.2))
    label(ax, 2.35, 1.6, "$W$", side="right")
    arrow(ax, (2.6, 3.0), (2.6, 4.2))
    label(ax, 2.35, 3.6, "$W_s$", side="right")
    arrow(ax, (3.8, 2.8), (5.6, 2.8), (5.6, 3.3))
    box(ax, 5.6, 3.7, "one step later", GRAY, width=2.8, dashed=True)
    arrow(ax, (7.0, 3.7), (7.5, 3.7), (7.5, 2.4), (3.8, 2.4))
    label(ax, 5.6, 2.05, "$U$")
    save(ax, __file__)


if __name__ == "__main__":
    main()
