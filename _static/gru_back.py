r"""Draw `gru_back.svg`: the four roads by which a gradient goes back through one step of a GRU of one unit.

Alternative text: On the right the derivative 1 by the new state, on the left 0.398 by the old one. Four roads lead
from right to left. Along the state: times z = 0.75, which gives 0.750. Through the update gate: minus 0.188 by its
sum, times U = 2, minus 0.375. Through the candidate: 0.188 by its sum, times r = 0.25 and U = 2, 0.094. Through the
reset gate, which branches off from the candidate: minus 0.035 by its sum, times U = 2, minus 0.070. They add up.
"""

from drawing import GATE, GRADIENT, STATE, arrow, box, canvas, label, save

UPDATE = 0.75
RESET = 0.25
CANDIDATE = 0.5
BEFORE = -0.5
WEIGHT = 2.0
ROWS = (5.6, 4.1, 2.6, 1.1)


def compute():
    """Return the derivatives by the sums of candidate, update and reset gate, and what each road brings."""
    d_candidate = (1 - UPDATE) * (1 - CANDIDATE**2)
    d_update = (BEFORE - CANDIDATE) * UPDATE * (1 - UPDATE)
    d_reset = d_candidate * WEIGHT * BEFORE * RESET * (1 - RESET)
    roads = (UPDATE, WEIGHT * d_update, RESET * WEIGHT * d_candidate, WEIGHT * d_reset)
    return (d_candidate, d_update, d_reset), roads


def number(value):
    """Return a number with three decimals and a true minus."""
    return f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.8, 7.0)
    (d_candidate, d_update, d_reset), roads = compute()
    box(ax, 9.9, 3.35, "1", GRADIENT, width=1.2)
    label(ax, 9.9, 6.6, "$h_t$")
    box(ax, 0.95, 3.35, number(sum(roads)), GRADIENT, width=1.5)
    label(ax, 0.95, 6.6, "$h_{t-1}$")
    names = ("along the state", "update gate", "candidate", "reset gate")
    values = (None, d_update, d_candidate, d_reset)
    colors = (STATE, GATE, STATE, GATE)
    after = (r"$\cdot \; z$", r"$\cdot \; U_z$", r"$\cdot \; r \, U_h$", r"$\cdot \; U_r$")
    for y, name, value, color, factor, road in zip(ROWS, names, values, colors, after, roads, strict=True):
        box(ax, 7.3, y, name, color, width=2.5, size=0.9)
        box(ax, 2.9, y, number(road), GRADIENT, width=1.4, size=0.9)
        arrow(ax, (2.2, y), (1.2, 3.35 + (0.4 if y > 3.35 else -0.4)), color=GRADIENT, width=2)
        if value is None:
            arrow(ax, (6.05, y), (3.6, y), color=GRADIENT, width=2)
        else:
            box(ax, 5.1, y, number(value), GRADIENT, width=1.3, size=0.9)
            arrow(ax, (6.05, y), (5.75, y), color=GRADIENT, width=2)
            arrow(ax, (4.45, y), (3.6, y), color=GRADIENT, width=2)
        label(ax, 4.05, y + 0.42, factor, GRADIENT, size=0.9)
        if name != "reset gate":
            arrow(ax, (9.6, 3.35 + (0.4 if y > 3.35 else -0.4)), (8.55, y), color=GRADIENT, width=2)
    arrow(ax, (7.3, 2.2), (7.3, 1.5), color=GRADIENT, width=2)
    label(ax, 5.2, 0.3, "by the sums", size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
