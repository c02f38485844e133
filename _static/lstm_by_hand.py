"""Draw `lstm_by_hand.svg`: the memory of one unit over three steps, and the gradient of the last memory back along it.

Alternative text: The memory runs from left to right through four boxes: 0, 0.375, 0.281 and 0.211. Before each of the
last three it is multiplied by a forget gate, 1/2, 3/4 and 3/4, and something is added: 3/8 at the first step, which
reads a, and 0 at the other two, which read b. Above, orange arrows lead back from the last box to the second,
each times the forget gate 3/4: the gradient is 1, then 0.75, then 0.5625.
"""

from drawing import GATE, GRADIENT, GRAY, MEMORY, READ, arrow, box, canvas, circle, label, save

READS = ("a", "b", "b")
FORGET = (1 / 2, 3 / 4, 3 / 4)
ADDED = (3 / 8, 0, 0)  # input gate times candidate
SHOWN = {1 / 2: "1/2", 3 / 4: "3/4", 3 / 8: "3/8", 0: "0"}
LANE = 3.5


def compute():
    """Return the memories c_0 to c_3, and the derivatives of c_3 by c_1 to c_3."""
    memories = [0.0]
    for f, added in zip(FORGET, ADDED, strict=True):
        memories.append(f * memories[-1] + added)
    return memories, [FORGET[1] * FORGET[2], FORGET[2], 1.0]


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.8, 5.75)
    memories, gradients = compute()
    for t, memory in enumerate(memories):
        x = 0.8 + 3.05 * t
        box(ax, x, LANE, f"{memory:.3f}" if memory else "0", MEMORY, width=1.3)
        label(ax, x, LANE - 0.8, f"$c_{t}$")
        if t == 0:
            continue
        f, added = FORGET[t - 1], ADDED[t - 1]
        circle(ax, x - 1.85, LANE, r"$\odot$", GATE)
        circle(ax, x - 1.15, LANE, "+", GRAY)
        arrow(ax, (x - 2.4, LANE), (x - 2.15, LANE))
        arrow(ax, (x - 1.55, LANE), (x - 1.45, LANE))
        arrow(ax, (x - 0.85, LANE), (x - 0.65, LANE))
        box(ax, x - 1.5, 0.6, f"reads {READS[t - 1]}", READ, width=1.9)
        label(ax, x - 2.1, 1.75, f"$f$ = {SHOWN[f]}")
        arrow(ax, (x - 1.85, 2.05), (x - 1.85, LANE - 0.3))
        label(ax, x - 0.7, 1.75, f"+ {SHOWN[added]}")
        arrow(ax, (x - 1.15, 2.05), (x - 1.15, LANE - 0.3))
        arrow(ax, (x - 1.5, 1.0), (x - 1.5, 1.45))
        label(ax, x, 5.35, f"{gradients[t - 1]:.4f}".rstrip("0").rstrip("."), GRADIENT)
        if t > 1:
            way = [(x - 0.5, LANE + 0.45), (x - 0.5, 4.75), (x - 2.55, 4.75), (x - 2.55, LANE + 0.45)]
            arrow(ax, *way, color=GRADIENT)
            label(ax, x - 1.5, 5.35, r"$\odot$ 3/4", GRADIENT)
    label(ax, 1.15, 5.35, "back:", GRADIENT)
    save(ax, __file__)


if __name__ == "__main__":
    main()
