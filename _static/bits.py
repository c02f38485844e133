r"""Draw `bits.svg`: how three formats spend their bits.

Alternative text: Three rows of cells. float32 has 1 bit for the sign, 8 for the exponent and 23 for the fraction.
bfloat16 has 1, 8 and 7: the first 16 bits of float32. float16 has 1, 5 and 10.
"""

from drawing import GRAY, READ, SAID, canvas, cells, label, save

FORMATS = {"float32": (1, 8, 23), "bfloat16": (1, 8, 7), "float16": (1, 5, 10)}
WIDTH = 0.32


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.6, 5.6)
    for row, (name, parts) in enumerate(FORMATS.items()):
        y = 4.6 - 1.75 * row
        label(ax, 0.3, y + 0.35, name, side="left")
        left = 0.3
        for count, color, word in zip(parts, (GRAY, READ, SAID), ("", "exponent", "fraction"), strict=True):
            cells(ax, left, y, [[""] * count], color, size=WIDTH, height=0.5)
            if count > 1:
                label(ax, left + count * WIDTH / 2, y - 0.8, f"{count} {word}")
            left += count * WIDTH
    label(ax, 0.46, 3.8, "sign")
    save(ax, __file__)


if __name__ == "__main__":
    main()
