r"""Draw `two_roads.svg`: a weight that is used twice gets its gradient over two roads, which add up.

Alternative text: Above, forward: the weight theta = 3 times the input 2 gives a product of 6, and the product times
theta once more gives the loss 18. The tape writes both products down. Below, backward, from right to left: 1 by the
loss; times 3 it is 3 by the product, and times 2 it comes to theta as 6. A second road leads from the loss straight
to theta: 1 times the product 6 is 6. The two add up to 12.
"""

from drawing import GATE, GRADIENT, GRAY, READ, STATE, arrow, box, canvas, circle, frame, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 7.4)
    frame(ax, 2.25, 3.75, 8.4, 7.2, GRAY, "the tape records")
    box(ax, 1.0, 5.2, r"$\theta = 3$", GATE, width=1.5)
    box(ax, 3.2, 4.3, "input 2", READ, width=1.4, height=0.65, size=0.9)
    circle(ax, 3.2, 5.2, r"$\times$", GRAY, radius=0.3)
    box(ax, 5.2, 5.2, "product 6", STATE, width=1.9, size=0.9)
    circle(ax, 7.4, 5.2, r"$\times$", GRAY, radius=0.3)
    box(ax, 9.4, 5.2, r"$\ell = 18$", GRADIENT, width=1.6)
    arrow(ax, (1.75, 5.2), (2.9, 5.2))
    arrow(ax, (3.2, 4.62), (3.2, 4.9))
    arrow(ax, (3.5, 5.2), (4.25, 5.2))
    arrow(ax, (6.15, 5.2), (7.1, 5.2))
    arrow(ax, (7.7, 5.2), (8.6, 5.2))
    arrow(ax, (1.0, 5.6), (1.0, 6.3), (7.4, 6.3), (7.4, 5.5))
    label(ax, 0.1, 3.3, "and goes back:", side="left")
    box(ax, 1.2, 1.7, "6 + 6 = 12", GRADIENT, width=2.1, size=0.9)
    box(ax, 5.2, 2.3, "3", GRADIENT, width=1.3)
    box(ax, 9.4, 1.7, "1", GRADIENT, width=1.3)
    arrow(ax, (8.75, 1.85), (5.85, 2.35), color=GRADIENT, width=2)
    label(ax, 7.4, 2.5, r"$\cdot \; 3$", GRADIENT)
    arrow(ax, (4.55, 2.25), (2.25, 1.85), color=GRADIENT, width=2)
    label(ax, 3.3, 2.5, r"$\cdot \; 2$", GRADIENT)
    arrow(ax, (8.75, 1.45), (2.25, 1.45), color=GRADIENT, width=2)
    label(ax, 5.2, 1.05, r"$\cdot \; 6$", GRADIENT)
    label(ax, 1.2, 0.4, r"by $\theta$")
    label(ax, 5.2, 0.4, "by the product")
    label(ax, 9.4, 0.4, r"by $\ell$")
    save(ax, __file__)


if __name__ == "__main__":
    main()
