"""Draw `results.svg`: how well models of the book guess a text that they have not seen.

The numbers are those of `data/experiments`. The ground is white, since README.md shows the drawing too. For those who
share a link to a page it is also `results.png`: most places show no SVG there.

Alternative text: Eight bars, one per model, show the loss in nats per character; shorter is better. Knowing nothing
4.17; counts of single characters 3.35; of pairs 2.48; counts with six characters before 1.52; a GRU 1.47; two GRU
layers 1.42; five such networks together 1.37; these and counts 1.34.
"""

import math
from pathlib import Path

from drawing import INCH, SAID, STATE, canvas, label, save, tint
from matplotlib.patches import Rectangle

from charlm_utils.runs import load_results, read_run

CHARACTERS = 65
WIDTH = 10.0
TOP = 6.9
STEP = 0.78
PIXELS = 1200  # width of the picture
SCALE = 1.15  # units of the drawing per nat


def nats(experiment, arm):
    """Return the loss of an arm of an experiment, the mean of its seeds."""
    losses = [row["nats"] for row in load_results(experiment)["results"] if row["arm"] == arm]
    return sum(losses) / len(losses)


def main():
    """Draw the figure beside this script."""
    rows = [
        ("knows nothing", math.log(CHARACTERS), SAID),
        ("counts of characters", nats("counts", "kneser-ney, order 1"), SAID),
        ("counts of pairs", nats("counts", "kneser-ney, order 2"), SAID),
        ("counts, six before", nats("counts", "kneser-ney, order 7"), SAID),
        ("network: one GRU", read_run("shakespeare-gru")[0]["held_out_nats"], STATE),
        ("network: two GRUs", nats("best", "alone, last"), STATE),
        ("five of these", nats("best", "ensemble, last"), STATE),
        ("five, and counts", nats("best", "ensemble and counts by length, last"), STATE),
    ]
    ax = canvas(WIDTH, TOP)
    ax.add_patch(Rectangle((0, 0), WIDTH, TOP, facecolor="white", zorder=0))
    for number, (words, value, color) in enumerate(rows):
        y = TOP - 0.45 - number * STEP
        label(ax, 3.85, y, words, side="right")
        bar = Rectangle((4.05, y - 0.25), SCALE * value, 0.5, facecolor=tint(color, 0.5), edgecolor=color, zorder=3)
        ax.add_patch(bar)
        label(ax, 4.15 + SCALE * value, y, f"{value:.2f}", side="left")
    label(ax, 4.05, 0.3, "nats per character: shorter is better", side="left", size=0.9)
    save(ax, __file__)
    picture = Path(__file__).with_suffix(".png")
    ax.figure.savefig(picture, dpi=PIXELS / WIDTH / INCH, metadata={"Software": None})


if __name__ == "__main__":
    main()
