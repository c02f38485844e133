"""Draw `unrolled.svg`: a recurrent network that reads "sal" and predicts "alt"."""

from pathlib import Path

import matplotlib.pyplot as plt

from charlm_utils.plotting import COLOURS, use_book_style


def box(ax, x, y, text, colour):
    """Draw one box with a word in it."""
    ax.text(x, y, text, ha="center", va="center", bbox={"boxstyle": "round,pad=0.5", "fc": colour, "alpha": 0.35})


def arrow(ax, start, end, text=""):
    """Draw an arrow with a word beside it."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "shrinkA": 14, "shrinkB": 14})
    ax.text((start[0] + end[0]) / 2, (start[1] + end[1]) / 2 + 0.12, text, ha="center")


def main():
    """Draw the figure beside this script."""
    use_book_style()
    plt.rcParams.update({"svg.hashsalt": "charlm", "svg.fonttype": "path"})
    figure, ax = plt.subplots(figsize=(7, 3.2))
    for t, (read, predicted) in enumerate(zip("sal", "alt", strict=True), start=1):
        x = 2 * t
        box(ax, x, 0, f"reads {read}", COLOURS[1])
        box(ax, x, 1, f"state $h_{t}$", COLOURS[4])
        box(ax, x, 2, f"predicts {predicted}", COLOURS[2])
        arrow(ax, (x, 0), (x, 1))
        arrow(ax, (x, 1), (x, 2))
        arrow(ax, (x - 2 + 0.35, 1), (x - 0.35, 1))
    box(ax, 0, 1, "state $h_0 = 0$", COLOURS[4])
    arrow(ax, (6.35, 1), (7.9, 1), "to the next window")
    ax.set(xlim=(-0.9, 8.2), ylim=(-0.5, 2.5))
    ax.axis("off")
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
