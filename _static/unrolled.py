"""Draw `unrolled.svg`: a recurrent network that reads "sal" and predicts "alt".

Alternative text: Three steps of a recurrent network side by side. The first reads s, computes state 1 from state 0
and predicts a; the second reads a and predicts l; the third reads l and predicts t and hands its state to the next
window.
"""

from drawing import READ, SAID, STATE, arrow, box, canvas, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.6, 3.9)
    label(ax, 0.05, 0.5, "reads", side="left")
    label(ax, 0.05, 3.4, "predicts", side="left")
    box(ax, 0.65, 1.95, "$h_0 = 0$", STATE, width=1.2)
    for t, (read, predicted) in enumerate(zip("sal", "alt", strict=True), start=1):
        x = 0.65 + 2.1 * t
        box(ax, x, 0.5, read, READ, width=1.1)
        box(ax, x, 1.95, f"$h_{t}$", STATE, width=1.1)
        box(ax, x, 3.4, predicted, SAID, width=1.1)
        arrow(ax, (x, 0.9), (x, 1.55))
        arrow(ax, (x, 2.35), (x, 3.0))
        arrow(ax, (x - 1.5 if t == 1 else x - 1.55, 1.95), (x - 0.55, 1.95))
    arrow(ax, (7.5, 1.95), (8.3, 1.95))
    label(ax, 8.4, 1.95, "to the next\nwindow", side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
