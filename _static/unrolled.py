"""Draw `unrolled.svg`: a recurrent network that reads "sal" and predicts "alt"."""

from pathlib import Path

import matplotlib.pyplot as plt

from charlm_utils.plotting import COLORS, use_book_style


def box(ax, x, y, text, color):
    """Draw one box with a word in it."""
    ax.text(x, y, text, ha="center", va="center", bbox={"boxstyle": "round,pad=0.5", "fc": color, "alpha": 0.35})


def arrow(ax, start, end):
    """Draw an arrow."""
    ax.annotate("", end, start, arrowprops={"arrowstyle": "->", "shrinkA": 0, "shrinkB": 0})


def main():
    """Draw the figure beside this script."""
    use_book_style()
    plt.rcParams.update({"svg.hashsalt": "charlm", "svg.fonttype": "path"})
    figure, ax = plt.subplots(figsize=(8, 3))
    for t, (read, predicted) in enumerate(zip("sal", "alt", strict=True), start=1):
        x = 2 * t
        box(ax, x, 0, f"reads {read}", COLORS[1])
        box(ax, x, 1, f"state $h_{t}$", COLORS[4])
        box(ax, x, 2, f"predicts {predicted}", COLORS[2])
        arrow(ax, (x, 0.28), (x, 0.72))
        arrow(ax, (x, 1.28), (x, 1.72))
        arrow(ax, (x - 1.3, 1), (x - 0.55, 1))
    box(ax, 0, 1, "state $h_0 = 0$", COLORS[4])
    arrow(ax, (6.55, 1), (7.45, 1))
    box(ax, 8.35, 1, "next window", "white")
    ax.set(xlim=(-0.9, 9.1), ylim=(-0.5, 2.5))
    ax.axis("off")
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None, "Creator": None})


if __name__ == "__main__":
    main()
