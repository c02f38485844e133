r"""Draw `gru.svg`: one step of a GRU, with its two gates and the way of the data.

Alternative text: The old state runs along the top from left to right. It is multiplied by the update gate z, then the
candidate, multiplied by one minus z, is added, which gives the new state. Below, both gates, each a logistic
function, read the input and the old state; the reset gate r multiplies the old state times U, which goes into the
candidate, a tanh, which reads the input as well.
"""

from drawing import GATE, GRAY, READ, STATE, arrow, box, canvas, circle, dot, label, line, save

LANE, BRANCH, GATES, OLD, INPUT = 6.2, 4.6, 3.0, 1.6, 0.6  # heights


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 7.0)
    box(ax, 0.75, LANE, "$h_{t-1}$", STATE, width=1.2)
    box(ax, 9.5, LANE, "$h_t$", STATE, width=1.2)
    box(ax, 0.75, INPUT, "$e_t$", READ, width=1.2)
    # the lane of the state
    circle(ax, 3.2, LANE, r"$\odot$", GATE)
    circle(ax, 7.8, LANE, "+", GRAY)
    arrow(ax, (1.35, LANE), (2.9, LANE))
    arrow(ax, (3.5, LANE), (7.5, LANE))
    arrow(ax, (8.1, LANE), (8.9, LANE))
    # what the gates read
    dot(ax, 1.8, LANE)
    line(ax, (1.8, LANE), (1.8, OLD), (6.3, OLD))
    line(ax, (1.35, INPUT), (7.8, INPUT))
    for x, gate in ((3.2, "z"), (4.9, "r")):
        dot(ax, x - 0.25, OLD)
        dot(ax, x + 0.25, INPUT)
        arrow(ax, (x - 0.25, OLD), (x - 0.25, GATES - 0.4))
        arrow(ax, (x + 0.25, INPUT), (x + 0.25, GATES - 0.4))
        box(ax, x, GATES, r"$\sigma$", GATE, width=1.0)
        label(ax, x + 0.14, GATES + 0.75, f"${gate}_t$", side="left")
    # the candidate
    circle(ax, 6.3, GATES, r"$\odot$", GATE)
    line(ax, (4.9, GATES + 0.4), (4.9, GATES + 1.1), (6.3, GATES + 1.1))
    arrow(ax, (6.3, GATES + 1.1), (6.3, GATES + 0.3))
    arrow(ax, (6.3, OLD), (6.3, GATES - 0.3))
    label(ax, 6.4, 2.15, "$h_{t-1} U_h$", side="left")
    box(ax, 7.8, GATES, "tanh", STATE, width=1.2)
    arrow(ax, (6.6, GATES), (7.2, GATES))
    arrow(ax, (7.8, INPUT), (7.8, GATES - 0.4))
    label(ax, 7.94, GATES + 0.75, r"$\tilde h_t$", side="left")
    # the mixture
    arrow(ax, (3.2, GATES + 0.4), (3.2, LANE - 0.3))
    dot(ax, 3.2, BRANCH + 0.2)
    arrow(ax, (3.2, BRANCH + 0.2), (4.5, BRANCH + 0.2))
    box(ax, 5.15, BRANCH + 0.2, r"$1 - z_t$", GATE, width=1.3, height=0.7)
    arrow(ax, (5.8, BRANCH + 0.2), (7.5, BRANCH + 0.2))
    circle(ax, 7.8, BRANCH + 0.2, r"$\odot$", GATE)
    arrow(ax, (7.8, GATES + 0.4), (7.8, BRANCH - 0.1))
    arrow(ax, (7.8, BRANCH + 0.5), (7.8, LANE - 0.3))
    save(ax, __file__)


if __name__ == "__main__":
    main()
