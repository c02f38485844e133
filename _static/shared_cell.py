"""Draw `shared_cell.svg`: two layers that are one cell, and two layers with a cell each.

Alternative text: Two panels. Left, a list of one cell twice: both layers point to the same weights, so that layer 1 and
layer 2 are the same function. Right, two cells: each layer points to weights of its own.
"""

from drawing import GRAY, READ, SAID, STATE, arrow, box, canvas, label, save

HEIGHTS = {1: 2.3, 2: 4.3}


def panel(ax, x, title, places):
    """Draw two layers at x and beside them the weights, at the heights that the layers point to."""
    label(ax, x + 1.2, 6.9, title)
    box(ax, x, 0.6, "reads", READ, width=1.6)
    box(ax, x, 6.0, "scores", SAID, width=1.6)
    arrow(ax, (x, 1.0), (x, HEIGHTS[1] - 0.4))
    arrow(ax, (x, HEIGHTS[1] + 0.4), (x, HEIGHTS[2] - 0.4))
    arrow(ax, (x, HEIGHTS[2] + 0.4), (x, 5.6))
    for y in set(places.values()):
        box(ax, x + 2.9, y, "weights", GRAY, width=1.7)
    for layer, y in HEIGHTS.items():
        box(ax, x, y, f"layer {layer}", STATE, width=1.7)
        arrow(ax, (x + 0.85, y), (x + 2.05, places[layer]), dashed=True)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.6, 7.3)
    panel(ax, 1.0, "[cell, cell]", {1: 3.3, 2: 3.3})
    panel(ax, 6.4, "[cell 1, cell 2]", HEIGHTS)
    save(ax, __file__)


if __name__ == "__main__":
    main()
