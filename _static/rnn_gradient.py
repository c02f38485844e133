r"""Draw `rnn_gradient.svg`: the gradient of the last loss flows back through the states, one factor per step.

Alternative text: Four states in a row; thin arrows lead forward from each to the next, and from the last one up to
the loss. Red arrows lead back from the loss to state 4, then to states 3, 2 and 1. Each carries a factor, the
derivative of a state by the one before, and each is thinner than the last: the gradient by state 1 is a product of
three factors.
"""

from drawing import GRADIENT, GRAY, READ, STATE, arrow, box, canvas, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.2)
    places = {t: 1.0 + 2.5 * (t - 1) for t in (1, 2, 3, 4)}
    widths = {4: 4.0, 3: 2.9, 2: 2.0, 1: 1.2}
    for t, x in places.items():
        box(ax, x, 0.5, f"$e_{t}$", READ, width=1.1)
        box(ax, x, 2.0, f"$h_{t}$", STATE, width=1.1)
        arrow(ax, (x, 0.9), (x, 1.6), color=GRAY)
    for t in (1, 2, 3):
        x = places[t]
        arrow(ax, (x + 0.55, 1.8), (x + 1.95, 1.8), color=GRAY)
        arrow(ax, (x + 1.95, 2.2), (x + 0.55, 2.2), color=GRADIENT, width=widths[t])
        label(ax, x + 1.15, 2.55, rf"$\times\,\partial h_{t + 1} / \partial h_{t}$", GRADIENT)
        label(ax, x, 2.9, rf"$\delta_{t}$", GRADIENT, size=1.2)
        factors = f"{4 - t} factor" + "s" * (t < 3)
        label(ax, x, 3.45, factors)
    x = places[4]
    box(ax, x, 4.7, r"loss $\ell_4$", GRADIENT, width=1.6)
    arrow(ax, (x - 0.2, 2.4), (x - 0.2, 4.3), color=GRAY)
    arrow(ax, (x + 0.2, 4.3), (x + 0.2, 2.4), color=GRADIENT, width=widths[4])
    label(ax, x + 0.4, 3.4, r"$\delta_4$", GRADIENT, side="left", size=1.2)
    label(ax, 0.45, 4.7, r"$\delta_t = \partial \ell_4 / \partial h_t$", GRADIENT, side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
