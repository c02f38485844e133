"""Draw `counter.svg`: a stateful layer that adds up what it reads, over three batches of two rows.

Alternative text: Three batches stand side by side, with two rows each. In batches 0 and 1 row 0 reads four ones and row
1 four tens: the state of row 0 goes from 0 to 4 and on to 8, that of row 1 from 0 to 40 and on to 80. In batch 2 the
ones and the tens have changed places. Row 0 goes on from 8, reads tens and ends at 48; row 1 goes on from 80, reads
ones and ends at 84.
"""

from drawing import GREEN, ORANGE, STATE, arrow, box, canvas, cells, label, save

ROWS = [
    (["0", "4", "8", "48"], ["1", "1", "10"]),
    (["0", "40", "80", "84"], ["10", "10", "1"]),
]
COLORS = {"1": ORANGE, "10": GREEN}
SIDE = 0.53
WIDTH = 0.7  # of a state
GAP = 0.18  # an arrow


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 3.5)
    step = WIDTH + 4 * SIDE + 2 * GAP
    for m, (states, numbers) in enumerate(ROWS):
        y = 1.85 - 1.4 * m
        label(ax, 0.1, y + 0.6, f"row {m}", side="left", size=0.9)
        for w, state in enumerate(states):
            left = 0.1 + step * w
            box(ax, left + WIDTH / 2, y, state, STATE, width=WIDTH, height=0.62)
            if w == len(numbers):
                continue
            number = numbers[w]
            start = left + WIDTH + GAP
            arrow(ax, (left + WIDTH, y), (start, y))
            cells(ax, start, y + 0.28, [[number] * 4], COLORS[number], SIDE, height=0.56)
            arrow(ax, (start + 4 * SIDE, y), (start + 4 * SIDE + GAP, y))
            if m == 0:
                label(ax, start + 2 * SIDE, 3.1, f"batch {w}")
    save(ax, __file__)


if __name__ == "__main__":
    main()
