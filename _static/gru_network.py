r"""Draw `gru_network.svg`: the layers of a character model with a GRU, with the shape of what passes between them.

Alternative text: From left to right: ids of shape B, T go into an embedding, which hands B, T, E to the GRU, which
hands B, T, H to the dense layer, which gives scores of shape B, T, V. Above the GRU, an arrow brings in the state from
the batch before, of shape B, H, and another takes the state on to the batch after it.
"""

from drawing import GATE, GRAY, READ, SAID, SKY, STATE, arrow, box, canvas, label, save

LANE = 2.0


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.6, 4.9)
    parts = [
        (0.85, "ids", READ, 1.2, "$(B, T)$"),
        (3.35, "embedding", GATE, 2.2, "$(B, T, E)$"),
        (6.15, "GRU", GATE, 1.7, "$(B, T, H)$"),
        (8.9, "dense", GATE, 1.6, "$(B, T, V)$"),
    ]
    for number, (x, text, color, width, shape) in enumerate(parts):
        box(ax, x, LANE, text, color, width=width, height=1.0)
        label(ax, x, LANE - 0.95, shape)
        if number:
            before = parts[number - 1]
            arrow(ax, (before[0] + before[3] / 2, LANE), (x - width / 2, LANE))
    label(ax, 3.35, 0.45, "vectors", GRAY, size=0.93)
    label(ax, 6.15, 0.45, "states", GRAY, size=0.93)
    label(ax, 8.9, 0.45, "scores", GRAY, size=0.93)
    box(ax, 3.35, 4.2, "batch before", STATE, width=2.5, height=0.8)
    box(ax, 8.9, 4.2, "batch after", STATE, width=2.3, height=0.8)
    arrow(ax, (4.6, 4.2), (5.8, 4.2), (5.8, LANE + 0.5), color=SKY, width=2.5)
    arrow(ax, (6.5, LANE + 0.5), (6.5, 4.2), (7.75, 4.2), color=SKY, width=2.5)
    label(ax, 6.15, 4.6, "$(B, H)$")
    arrow(ax, (9.7, LANE), (10.4, LANE), color=SAID, width=2)
    save(ax, __file__)


if __name__ == "__main__":
    main()
