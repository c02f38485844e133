"""Draw `plain_unrolled.svg`: the loop of a plain recurrent network written out for three steps, with its weights.

Alternative text: Three columns, one per step. Each goes from what is read, through W, to a state and, through W_s, to
the scores and the loss of the step. The zeros h_0 and each state lead through U to the next state. The letters W, U
and W_s are the same at every step.
"""

from drawing import READ, SAID, STATE, arrow, box, canvas, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.2)
    box(ax, 0.75, 2.5, "$h_0 = 0$", STATE, width=1.3)
    for t in (1, 2, 3):
        x = 0.55 + 2.9 * t
        box(ax, x, 0.6, f"$e_{t}$", READ, width=1.3)
        box(ax, x, 2.5, f"$h_{t}$", STATE, width=1.3)
        box(ax, x, 4.3, "scores", SAID, width=1.5)
        label(ax, x, 5.75, rf"loss $\ell_{t}$")
        arrow(ax, (x, 1.0), (x, 2.1))
        arrow(ax, (x, 2.9), (x, 3.9))
        arrow(ax, (x, 4.7), (x, 5.4))
        arrow(ax, (x - 2.05 if t == 1 else x - 2.25, 2.5), (x - 0.65, 2.5))
        label(ax, x + 0.15, 1.55, "$W$", side="left")
        label(ax, x + 0.15, 3.35, "$W_s$", side="left")
        label(ax, x - 1.4, 2.8, "$U$")
    save(ax, __file__)


if __name__ == "__main__":
    main()
