"""Draw `first_network.svg`: one layer of nine weights that reads b and gives a probability to each of a, b and c.

Alternative text: Three circles on the left stand for the one-hot row of b: 0, 1, 0. Lines lead from each of them to
three circles of scores; the three lines that start at the 1 are thick and carry the weights 1, 0 and -1, which become
the scores. A box named softmax turns them into the probabilities 0.665, 0.245 and 0.090.
"""

from drawing import GRAY, GROUND, ORANGE, READ, SAID, STATE, arrow, box, canvas, circle, label, line, save

SCORES = ("1", "0", "\N{MINUS SIGN}1")


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 4.7)
    heights = (3.4, 2.0, 0.6)
    for x, text in ((1.5, "one-hot row\nof b"), (5.2, "scores"), (9.3, "probabilities")):
        label(ax, x, 4.3, text)
    label(ax, 3.35, 4.3, "weights")
    for here, y in enumerate(heights):
        label(ax, 0.6, y, "abc"[here])
        circle(ax, 1.5, y, "010"[here], READ, radius=0.36)
        for there, goal in enumerate(heights):
            lit = here == 1
            line(ax, (1.86, y), (4.79, goal), color=ORANGE if lit else GRAY, width=2.2 if lit else 0.7)
            if lit:
                height = y + (goal - y) * 0.83 + (0.3, 0.22, 0.32)[there]
                label(ax, 4.3, height, SCORES[there], bbox=GROUND)
    for there, y in enumerate(heights):
        circle(ax, 5.2, y, SCORES[there], STATE, radius=0.41)
        arrow(ax, (5.61, y), (6.5, y))
        arrow(ax, (7.7, y), (8.55, y))
        box(ax, 9.1, y, ("0.665", "0.245", "0.090")[there], SAID, width=1.1, height=0.7)
        label(ax, 9.95, y, "abc"[there])
    box(ax, 7.1, 2.0, "soft-\nmax", GRAY, width=1.2, height=3.6)
    save(ax, __file__)


if __name__ == "__main__":
    main()
