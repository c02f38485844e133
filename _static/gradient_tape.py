r"""Draw `gradient_tape.svg`: a tape records two operations and goes back over them.

Alternative text: Above, forward: the weight theta = 3 times the input 2 gives a = 6, and the square of a gives the
loss 36. The tape writes both operations down. Below, backward, from right to left: the gradient by the loss is 1;
times 2a = 12 it is 12 by a; times the input 2 it is 24 by theta.
"""

from drawing import GATE, GRADIENT, GRAY, READ, STATE, arrow, box, canvas, circle, frame, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.8)
    frame(ax, 2.4, 2.85, 8.4, 5.65, GRAY, "the tape records")
    box(ax, 1.0, 4.4, r"$\theta = 3$", GATE, width=1.5)
    box(ax, 3.2, 3.35, "input 2", READ, width=1.4, height=0.65, size=0.9)
    circle(ax, 3.2, 4.4, r"$\times$", GRAY, radius=0.35)
    box(ax, 5.2, 4.4, "$a = 6$", STATE, width=1.4)
    circle(ax, 7.2, 4.4, "$a^2$", GRAY, radius=0.4)
    box(ax, 9.4, 4.4, r"$\ell = 36$", GRADIENT, width=1.6)
    arrow(ax, (1.75, 4.4), (2.85, 4.4))
    arrow(ax, (3.2, 3.68), (3.2, 4.05))
    arrow(ax, (3.55, 4.4), (4.5, 4.4))
    arrow(ax, (5.9, 4.4), (6.8, 4.4))
    arrow(ax, (7.6, 4.4), (8.6, 4.4))
    label(ax, 0.1, 2.4, "and goes back:", side="left")
    box(ax, 1.0, 1.3, "24", GRADIENT, width=1.3)
    box(ax, 5.2, 1.3, "12", GRADIENT, width=1.3)
    box(ax, 9.4, 1.3, "1", GRADIENT, width=1.3)
    arrow(ax, (8.75, 1.3), (5.85, 1.3), color=GRADIENT, width=2)
    arrow(ax, (4.55, 1.3), (1.65, 1.3), color=GRADIENT, width=2)
    label(ax, 7.3, 1.65, r"$\times\ 2a = 12$", GRADIENT)
    label(ax, 3.1, 1.65, r"$\times\ $ input 2", GRADIENT)
    for x, name in ((1.0, r"\theta"), (5.2, "a"), (9.4, r"\ell")):
        label(ax, x, 0.45, rf"$\partial \ell / \partial {name}$")
    save(ax, __file__)


if __name__ == "__main__":
    main()
