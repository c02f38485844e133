r"""Draw `lstm_fused.svg`: the twelve variables of an LSTM side by side and one below the other, as one matrix.

Alternative text: On the left a row of three parts: what is read, e_t, then the old state h_(t-1), then a 1. On the
right a matrix of three rows and four columns of blocks. The columns belong to the input gate, the forget gate, the
candidate and the output gate; the first row holds the four W, the second the four U, the third the four biases. Each
part of the row has the color of the blocks that it multiplies. Below the matrix stands the result, four sums a.
"""

from drawing import GATE, GRAY, READ, STATE, arrow, box, canvas, label, save

COLUMNS = {"i": "input", "f": "forget", "c": "candidate", "o": "output"}
ROWS = (("W", READ, 4.6, 1.1), ("U", STATE, 3.25, 1.4), ("b", GRAY, 2.15, 0.6))  # color, middle, height


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.0)
    box(ax, 0.75, 3.25, "$e_t$", READ, width=1.1, height=0.8, size=1.25)
    box(ax, 2.0, 3.25, "$h_{t-1}$", STATE, width=1.4, height=0.8, size=1.25)
    box(ax, 2.95, 3.25, "1", GRAY, width=0.5, height=0.8)
    label(ax, 3.63, 3.25, "@")
    for number, (gate, name) in enumerate(COLUMNS.items()):
        x = 4.8 + 1.5 * number
        for letter, color, y, height in ROWS:
            box(ax, x, y, f"${letter}_{gate}$", color, width=1.45, height=height, size=1.25)
        box(ax, x, 0.5, f"$a_t^{gate}$", GATE, width=1.45, size=1.25)
        label(ax, x, 5.65, name, size=0.95)
    arrow(ax, (7.05, 1.7), (7.05, 1.0))
    label(ax, 2.0, 0.5, "four sums at once:")
    save(ax, __file__)


if __name__ == "__main__":
    main()
