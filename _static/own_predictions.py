r"""Draw `own_predictions.svg`: in scheduled sampling the network reads some of its own characters in training.

Alternative text: Five steps side by side, with the state passing from one to the next. On top the targets, h, e, a
space, c and a, the true text. At the bottom what is read: t, h, then o in place of the true e, then a space and c.
The o was drawn by the network itself after step 2; a dashed arrow leads from its prediction to the input of step 3.
"""

from drawing import GRADIENT, GRAY, READ, SAID, STATE, arrow, box, canvas, cells, label, save

TRUE = "the ca"
OWN = {3: "o"}


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.4)
    place = {t: 1.0 + 1.65 * t for t in range(1, 6)}
    for t, x in place.items():
        read = OWN.get(t, TRUE[t - 1])
        cells(ax, x - 0.35, 2.0, [[read]], SAID if t in OWN else READ, 0.7)
        box(ax, x, 3.0, f"$h_{t}$", STATE, width=0.8)
        arrow(ax, (x, 2.0), (x, 2.6))
        arrow(ax, (x - 1.25 if t > 1 else x - 1.0, 3.0), (x - 0.4, 3.0))
        cells(ax, x - 0.35, 6.2, [[TRUE[t]]], SAID, 0.7)
        arrow(ax, (x, 3.4), (x, 5.5))
        if t in OWN:
            label(ax, x - 0.05, 0.65, "not", GRADIENT, side="right")
            cells(ax, x + 0.1, 0.95, [[TRUE[t - 1]]], GRAY, 0.6)
            drawn = x - 1.65
            cells(ax, drawn + 0.3, 4.8, [[read]], SAID, 0.7)
            arrow(ax, (drawn + 0.3, 3.4), (drawn + 0.5, 4.1))
            arrow(ax, (drawn + 0.82, 4.1), (drawn + 0.82, 1.65), (drawn + 1.3, 1.65), dashed=True)
    label(ax, 1.25, 3.0, "$h_0$")
    label(ax, 0.1, 5.85, "targets", side="left")
    label(ax, 0.1, 4.45, "draws", side="left")
    label(ax, 0.1, 1.65, "reads", side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
