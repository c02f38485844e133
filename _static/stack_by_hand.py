r"""Draw `stack_by_hand.svg`: two LSTM units, one on top of the other, over three steps.

Alternative text: Two lanes over three steps, which read a, b and b. In the lower lane, layer 1, the memory is 0.375,
0.281, 0.211, and the state 0.179, 0.137, 0.104. Arrows lead each state upward to layer 2, where the memory is 0.307,
0.403, 0.398 and the state 0.149, 0.191, 0.189. Arrows to the right lead from memory to memory within a layer.
"""

import math

from drawing import MEMORY, READ, STATE, arrow, box, canvas, label, save

READS = ("a", "b", "b")
INPUT = {"a": 3 / 4, "b": 1 / 4}  # input gate of layer 1
FORGET = {"a": 1 / 2, "b": 3 / 4}
CANDIDATE = {"a": 1 / 2, "b": 0.0}
WEIGHT = 4.0  # from the state of layer 1 to the candidate of layer 2, whose gates are all 1/2
LANES = {1: 2.7, 2: 6.1}


def compute():
    """Return the memories and the states of both layers at the steps 1 to 3, a dict of lists by layer."""
    memories = {1: [], 2: []}
    states = {1: [], 2: []}
    c1 = c2 = 0.0
    for character in READS:
        c1 = FORGET[character] * c1 + INPUT[character] * CANDIDATE[character]
        states[1].append(math.tanh(c1) / 2)
        c2 = c2 / 2 + math.tanh(WEIGHT * states[1][-1]) / 2
        states[2].append(math.tanh(c2) / 2)
        memories[1].append(c1)
        memories[2].append(c2)
    return memories, states


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.8, 8.9)
    memories, states = compute()
    for layer, lane in LANES.items():
        label(ax, 0.1, lane, f"layer {layer}", side="left")
        for t, character in enumerate(READS):
            x = 3.3 + 2.9 * t
            box(ax, x, lane, f"{memories[layer][t]:.3f}", MEMORY, width=1.4)
            box(ax, x, lane + 1.6, f"{states[layer][t]:.3f}", STATE, width=1.4)
            label(ax, x - 0.85, lane + 0.75, f"$c_{t + 1}^{layer}$")
            label(ax, x - 1.15, lane + 1.6, f"$h_{t + 1}^{layer}$")
            arrow(ax, (x, lane + 0.4), (x, lane + 1.2))
            start = x - 2.2 if t else x - 1.5
            arrow(ax, (start, lane), (x - 0.7, lane), width=2)
            if layer == 1:
                box(ax, x, 0.6, f"reads {character}", READ, width=1.9)
                arrow(ax, (x, 1.0), (x, lane - 0.4))
                arrow(ax, (x, lane + 2.0), (x, LANES[2] - 0.4))
            else:
                arrow(ax, (x, lane + 2.0), (x, lane + 2.7))
    save(ax, __file__)


if __name__ == "__main__":
    main()
