r"""Draw `names_mask.svg`: three names as inputs, targets and mask.

Alternative text: Three grids side by side with one row per name: Mei, Minmi and Yi. The inputs begin with a newline,
then the name, then newlines to the width of the longest name. The targets are the name and one newline; the places
after it are empty. The mask is 1 at every target and 0 at the empty places: 4, 6 and 3 ones, 13 of 18 targets count.
"""

from drawing import GRAY, READ, SAID, canvas, cells, label, save

NAMES = ("Mei", "Minmi", "Yi")
WIDTH = 6  # of the longest name and its end
SIDE = 0.5


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 3.4)
    inputs = [list("\n" + name.ljust(WIDTH - 1, "\n")) for name in NAMES]
    targets = [list(name + "\n") + ["\N{MIDDLE DOT}"] * (WIDTH - 1 - len(name)) for name in NAMES]
    mask = [["1"] * (len(name) + 1) + ["0"] * (WIDTH - 1 - len(name)) for name in NAMES]
    counts = [["white" if entry == "0" else SAID for entry in row] for row in mask]
    read = [[READ if entry == "1" else "white" for entry in row] for row in mask]
    for left, title, rows, colors in (
        (0.15, "inputs", inputs, read),
        (3.7, "targets", targets, counts),
        (7.25, "mask $M_{m,t}$", mask, counts),
    ):
        label(ax, left + 3 * SIDE, 2.95, title)
        cells(ax, left, 2.5, rows, colors, SIDE)
    label(ax, 5.2, 0.4, "13 of 18 targets count; the rest is padding", GRAY)
    save(ax, __file__)


if __name__ == "__main__":
    main()
