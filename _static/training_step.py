r"""Draw `training_step.svg`: one training step, from a batch to new weights, and the same as a step downhill.

Alternative text: A batch of inputs goes forward through the network, whose weights are called theta, to
probabilities. With the targets they give the loss. From the loss the gradient leads back to the network: the new
weights are the old ones minus the learning rate times the gradient. Below, a curve of the loss over one weight, with
a step from a point on its slope to a lower one.
"""

import numpy as np
from drawing import GATE, GRADIENT, GRAY, READ, SAID, arrow, box, canvas, dot, label, line, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 7.6)
    box(ax, 1.15, 6.6, "inputs", READ, width=1.9)
    box(ax, 1.15, 4.6, "targets", SAID, width=1.9)
    label(ax, 1.15, 7.3, "a batch")
    box(ax, 4.3, 6.6, "network\nweights " + r"$\theta$", GATE, width=2.4, height=1.1, size=0.9)
    box(ax, 8.65, 6.6, "probabilities", SAID, width=2.7)
    box(ax, 8.65, 4.6, r"loss $\ell$", GRADIENT, width=1.9)
    arrow(ax, (2.1, 6.6), (3.1, 6.6))
    arrow(ax, (5.5, 6.6), (7.3, 6.6))
    label(ax, 6.4, 6.95, "forward")
    arrow(ax, (8.65, 6.2), (8.65, 5.0))
    arrow(ax, (2.1, 4.6), (7.7, 4.6))
    arrow(ax, (7.85, 5.0), (5.2, 6.05), color=GRADIENT, width=2)
    label(ax, 6.0, 5.25, "gradient $g$", GRADIENT, side="right")
    # the hill
    place = {"x": lambda weight: 3.3 + 1.5 * weight, "y": lambda loss: 0.9 + 0.55 * loss}
    weights = np.linspace(-0.05, 3.6, 60)
    heights = (weights - 2.3) ** 2 * 0.85 + 0.3
    ax.plot(place["x"](weights), place["y"](heights), color="black", linewidth=1.5)
    arrow(ax, (2.7, 0.6), (9.0, 0.6), color=GRAY)
    arrow(ax, (2.7, 0.6), (2.7, 3.9), color=GRAY)
    label(ax, 9.1, 0.6, r"$\theta$", side="left")
    label(ax, 2.55, 3.5, r"$\ell$", side="right")
    points = [(place["x"](w), place["y"]((w - 2.3) ** 2 * 0.85 + 0.3)) for w in (0.4, 1.3)]
    for point in points:
        dot(ax, *point, GRADIENT)
    (x0, y0), (x1, y1) = points
    line(ax, (x0, y0), (x1, y0), color=GRADIENT, dashed=True)
    arrow(ax, (x1, y0), (x1, y1 + 0.1), color=GRADIENT, dashed=True)
    label(ax, x1 + 0.15, y0, r"$\theta \leftarrow \theta - \eta\, g$", GRADIENT, side="left", size=1.1)
    label(ax, 6.0, 0.25, "a step downhill")
    save(ax, __file__)


if __name__ == "__main__":
    main()
