r"""Draw `two_layers_dropout.svg`: two stacked layers over three steps, with dropout on the way up only.

Alternative text: Three steps side by side. Each reads an embedding into layer 1; its state goes up through dropout to
layer 2, whose state goes up through dropout to the scores. Dashed arrows upward pass dropout, which multiplies by
zeros and ones, drawn anew; solid arrows to the right, from step to step within a layer, do not.
"""

from drawing import GATE, READ, SAID, STATE, arrow, box, canvas, circle, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 7.4)
    heights = {1: 2.0, 2: 4.4}
    for t, x in ((1, 3.4), (2, 5.8), (3, 8.2)):
        box(ax, x, 0.5, f"$e_{t}$", READ, width=1.2)
        arrow(ax, (x, 0.9), (x, 1.6))
        for number, y in heights.items():
            box(ax, x, y, f"$h_{t}^{number}$", STATE, width=1.2)
            arrow(ax, (x - 1.8, y), (x - 0.6, y), width=2)
            arrow(ax, (x, y + 0.4), (x, y + 0.9), dashed=True)
            circle(ax, x, y + 1.2, r"$\odot$", GATE)
            arrow(ax, (x, y + 1.5), (x, y + 2.0), dashed=True)
            label(ax, x + 0.4, y + 1.2, rf"$\xi_{t}^{number}$", GATE, side="left")
        box(ax, x, 6.8, "scores", SAID, width=1.6)
    for number, y in heights.items():
        label(ax, 0.1, y, f"layer {number}", side="left")
        label(ax, 0.1, y + 1.2, "dropout", GATE, side="left")
        arrow(ax, (8.8, y), (9.9, y), width=2)
    save(ax, __file__)


if __name__ == "__main__":
    main()
