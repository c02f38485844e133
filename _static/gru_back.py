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
MIDDLE = 3.35


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
    ax = canvas(10.6, 7.0)
    (d_candidate, d_update, d_reset), roads = compute()
    box(ax, 9.9, MIDDLE, "1", GRADIENT, width=1.2)
    label(ax, 9.95, MIDDLE + 0.75, "by $h_t$")
    box(ax, 0.8, MIDDLE, number(sum(roads)), GRADIENT, width=1.4)
    label(ax, 0.75, MIDDLE + 0.75, "by $h_{t-1}$")
    names = ("along the state", "update gate", "candidate", "reset gate")
    values = (None, d_update, d_candidate, d_reset)
    colors = (STATE, GATE, STATE, GATE)
    after = (r"$\cdot \; z$", r"$\cdot \; U_z$", r"$\cdot \; r \, U_h$", r"$\cdot \; U_r$")
    for y, name, value, color, factor, road in zip(ROWS, names, values, colors, after, roads, strict=True):
        side = 1 if y > MIDDLE else -1
        outer = abs(y - MIDDLE) > 1
        box(ax, 7.25, y, name, color, width=2.7, size=0.95)
        box(ax, 2.8, y, number(road), GRADIENT, width=1.4, size=0.95)
        end = (1.3, MIDDLE + 0.4 * side) if outer else (1.5, MIDDLE + 0.2 * side)
        arrow(ax, (2.1, y), end, color=GRADIENT, width=2)
        if value is None:
            arrow(ax, (5.9, y), (3.5, y), color=GRADIENT, width=2)
        else:
            box(ax, 4.95, y, number(value), GRADIENT, width=1.4, size=0.95)
            arrow(ax, (5.9, y), (5.65, y), color=GRADIENT, width=2)
            arrow(ax, (4.25, y), (3.5, y), color=GRADIENT, width=2)
        label(ax, 3.8, y + 0.55, factor, GRADIENT, size=1.05)
        if name != "reset gate":
            start = (9.4, MIDDLE + 0.4 * side) if outer else (9.3, MIDDLE + 0.2 * side)
            arrow(ax, start, (8.6, y), color=GRADIENT, width=2)
    arrow(ax, (7.25, 2.2), (7.25, 1.5), color=GRADIENT, width=2)
    label(ax, 4.95, 0.3, "by the sums", size=0.95)
    save(ax, __file__)


if __name__ == "__main__":
    main()
