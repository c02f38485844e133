r"""Draw `gru_by_hand.svg`: the state of one GRU unit over three steps, each a mixture of the old state and a candidate.

Alternative text: The state runs from left to right through four boxes: 0, 0.375, 0.305 and 0.247. Before each of the
last three it is multiplied by the update gate z, 1/4, 3/4 and 3/4, and the candidate times 1 - z is added: 3/4 times
0.5 at the first step, which reads a, then 1/4 times 0.093 and 1/4 times 0.076 at the other two, which read b.
"""

import math

from drawing import GATE, GRAY, READ, STATE, arrow, box, canvas, circle, label, save

READS = ("a", "b", "b")
UPDATE = {"a": 1 / 4, "b": 3 / 4}
RESET = {"a": 1 / 2, "b": 1 / 4}
INPUT = {"a": math.log(3) / 2, "b": 0.0}  # what the character adds to the candidate's sum
SHOWN = {1 / 4: "1/4", 3 / 4: "3/4"}
LANE = 3.7


def compute():
    """Return the states h_0 to h_3, and the candidates of the steps 1 to 3; the weight from the state is 1."""
    states = [0.0]
    candidates = []
    for character in READS:
        candidate = math.tanh(INPUT[character] + RESET[character] * states[-1])
        z = UPDATE[character]
        states.append(z * states[-1] + (1 - z) * candidate)
        candidates.append(candidate)
    return states, candidates


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.56, 4.9)
    states, candidates = compute()
    for t, state in enumerate(states):
        x = 0.7 + 3.05 * t
        box(ax, x, LANE, f"{state:.3f}" if state else "0", STATE, width=1.3)
        label(ax, x, LANE + 0.8, f"$h_{t}$")
        if t == 0:
            continue
        character = READS[t - 1]
        z = UPDATE[character]
        circle(ax, x - 1.85, LANE, r"$\odot$", GATE)
        circle(ax, x - 1.15, LANE, "+", GRAY)
        arrow(ax, (x - 2.4, LANE), (x - 2.15, LANE))
        arrow(ax, (x - 1.55, LANE), (x - 1.45, LANE))
        arrow(ax, (x - 0.85, LANE), (x - 0.65, LANE))
        box(ax, x - 1.5, 0.6, f"reads {character}", READ, width=1.9)
        label(ax, x - 2.0, 1.8, f"z = {SHOWN[z]}", size=0.92)
        arrow(ax, (x - 1.85, 2.1), (x - 1.85, LANE - 0.3))
        label(ax, x - 0.5, 1.8, f"{SHOWN[1 - z]} · {candidates[t - 1]:.3f}".removesuffix("00"), size=0.92)
        arrow(ax, (x - 1.15, 2.1), (x - 1.15, LANE - 0.3))
        arrow(ax, (x - 1.5, 1.0), (x - 1.5, 1.5))
    save(ax, __file__)


if __name__ == "__main__":
    main()
