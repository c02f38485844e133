r"""Draw `name_path.svg`: the network writes the name Mei, from the start newline to the one that ends it.

Alternative text: Four steps side by side. The first reads a newline, the start, and draws M; M is read at the second
step, which draws e; the third reads e and draws i; the fourth reads i and draws a newline, which ends the name. The
state passes from step to step, starting from zeros.
"""

from drawing import GRAY, READ, SAID, STATE, arrow, box, canvas, label, save

NEWLINE = "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 4.9)
    text = NEWLINE + "Mei" + NEWLINE
    for t in range(1, 5):
        x = 2.25 * t - 0.3
        box(ax, x, 0.9, text[t - 1], READ, width=0.9)
        box(ax, x, 2.4, f"$h_{t}$", STATE, width=0.9)
        box(ax, x, 3.9, text[t], SAID, width=0.9)
        arrow(ax, (x, 1.3), (x, 2.0))
        arrow(ax, (x, 2.8), (x, 3.5))
        arrow(ax, (x - 1.25 if t == 1 else x - 1.8, 2.4), (x - 0.45, 2.4))
        if t < 4:
            arrow(ax, (x + 0.45, 3.9), (x + 1.12, 3.9), (x + 1.12, 0.9), (x + 1.8, 0.9), color=GRAY, dashed=True)
    label(ax, 0.4, 2.4, "$h_0$")
    label(ax, 1.95, 0.25, "start")
    label(ax, 8.7, 4.6, "end")
    label(ax, 0.1, 3.9, "draws", side="left", size=0.9)
    label(ax, 0.1, 0.9, "reads", side="left", size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
