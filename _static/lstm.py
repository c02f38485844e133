r"""Draw `lstm.svg`: one step of an LSTM, with its three gates, its memory on top and the way of the data.

Alternative text: The memory runs along the top from left to right: it is multiplied by the forget gate f, then the
candidate times the input gate i is added, which gives the new memory. Below, four boxes read the input and the old
state: the forget gate, the input gate and the output gate, each a logistic function, and the candidate, a tanh. The
new state is the tanh of the new memory times the output gate o.
"""

from drawing import GATE, GRAY, MEMORY, READ, STATE, arrow, box, canvas, circle, dot, label, line, save

LANE, MIDDLE, GATES, OLD, INPUT = 6.2, 4.4, 2.9, 1.6, 0.6  # heights


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 7.0)
    box(ax, 0.75, LANE, "$c_{t-1}$", MEMORY, width=1.2)
    box(ax, 9.65, LANE, "$c_t$", MEMORY, width=1.2)
    box(ax, 0.75, OLD, "$h_{t-1}$", STATE, width=1.2)
    box(ax, 9.65, MIDDLE, "$h_t$", STATE, width=1.2)
    box(ax, 0.75, INPUT, "$e_t$", READ, width=1.2)
    # the lane of the memory
    circle(ax, 2.5, LANE, r"$\odot$", GATE)
    circle(ax, 5.9, LANE, "+", GRAY)
    arrow(ax, (1.35, LANE), (2.2, LANE), width=2.2)
    arrow(ax, (2.8, LANE), (5.6, LANE), width=2.2)
    arrow(ax, (6.2, LANE), (9.05, LANE), width=2.2)
    label(ax, 4.2, LANE + 0.35, "memory")
    # gates and candidate
    line(ax, (1.35, OLD), (7.65, OLD))
    line(ax, (1.35, INPUT), (8.15, INPUT))
    for x, name in ((2.5, "$f_t$"), (4.2, "$i_t$"), (5.9, r"$\tilde c_t$"), (7.9, "$o_t$")):
        if x == 5.9:
            box(ax, x, GATES, "tanh", MEMORY, width=1.2)
        else:
            box(ax, x, GATES, r"$\sigma$", GATE, width=1.2)
        arrow(ax, (x - 0.25, OLD), (x - 0.25, GATES - 0.4))
        arrow(ax, (x + 0.25, INPUT), (x + 0.25, GATES - 0.4))
        if x < 7:
            dot(ax, x - 0.25, OLD)
            dot(ax, x + 0.25, INPUT)
        label(ax, x + 0.14, GATES + 0.72, name, side="left")
    arrow(ax, (2.5, GATES + 0.4), (2.5, LANE - 0.3))
    line(ax, (4.2, GATES + 0.4), (4.2, MIDDLE))
    arrow(ax, (4.2, MIDDLE), (5.6, MIDDLE))
    circle(ax, 5.9, MIDDLE, r"$\odot$", GATE)
    arrow(ax, (5.9, GATES + 0.4), (5.9, MIDDLE - 0.3))
    arrow(ax, (5.9, MIDDLE + 0.3), (5.9, LANE - 0.3))
    # the new state
    dot(ax, 7.9, LANE)
    arrow(ax, (7.9, LANE), (7.9, LANE - 0.55))
    box(ax, 7.9, LANE - 0.9, "tanh", STATE, width=1.2, height=0.7)
    arrow(ax, (7.9, LANE - 1.25), (7.9, MIDDLE + 0.3))
    circle(ax, 7.9, MIDDLE, r"$\odot$", GATE)
    arrow(ax, (7.9, GATES + 0.4), (7.9, MIDDLE - 0.3))
    arrow(ax, (8.2, MIDDLE), (9.05, MIDDLE))
    save(ax, __file__)


if __name__ == "__main__":
    main()
