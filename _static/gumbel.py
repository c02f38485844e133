"""Draw `gumbel.svg`: scores plus noise, and the largest sum wins; with other noise another character wins.

Alternative text: A table of three characters, a, b and c, with the logits 1.0, 0.0 and minus 1.0. First draw: the noise
0.2, 0.5 and 1.1 is added, the sums are 1.2, 0.5 and 0.1, and a wins. Second draw: the noise minus 0.6, 1.9 and 0.3, the
sums 0.4, 1.9 and minus 0.7, and b wins.
"""

from drawing import BLUE, GRAY, READ, SAID, arrow, canvas, cells, label, save

LOGITS = (1.0, 0.0, -1.0)
NOISE = ((0.2, 0.5, 1.1), (-0.6, 1.9, 0.3))


def shown(numbers):
    """Return a column of numbers with one digit."""
    return [[f"{number:.1f}".replace("-", "−")] for number in numbers]


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.2, 6.4)
    for row, noise in enumerate(NOISE):
        top = 5.4 - 3.0 * row
        sums = [logit + part for logit, part in zip(LOGITS, noise, strict=True)]
        winner = sums.index(max(sums))
        cells(ax, 0.3, top, [["a"], ["b"], ["c"]], READ, 0.9, 0.65)
        cells(ax, 1.9, top, shown(LOGITS), BLUE, 1.3, 0.65)
        label(ax, 3.6, top - 0.98, "+")
        cells(ax, 4.0, top, shown(noise), GRAY, 1.3, 0.65)
        label(ax, 5.7, top - 0.98, "=")
        colors = [[SAID] if number == winner else [GRAY] for number in range(3)]
        cells(ax, 6.1, top, shown(sums), colors, 1.3, 0.65)
        y = top - 0.65 * (winner + 0.5)
        arrow(ax, (7.5, y), (8.2, y))
        label(ax, 8.35, y, f"draws {'abc'[winner]}", side="left")
    label(ax, 2.55, 5.85, "logits")
    label(ax, 4.65, 5.85, "noise")
    label(ax, 6.75, 5.85, "sums")
    save(ax, __file__)


if __name__ == "__main__":
    main()
