r"""Draw `five_layouts.svg`: what two batches read in each of the five layouts of chapter 2.

Alternative text: Five panels, one below the other. Each shows two batches of two rows, with the place in the text
where a row begins. Cursor: rows begin at 1 and 5, then at 9 and 13, so no row goes on with itself. Contiguous: rows
begin at 1 and 17, then at 5 and 21; each goes on in the next batch. Sliding: windows begin at 1, 2, 3 and 4. Unrolled:
segments begin at 1 and 21, and go on at 5 and 25, stored with time downwards, each item one step longer. Names: each
row is a word of its own, filled up with newlines. Arrows from batch to batch mark the two layouts that let the state be
carried.
"""

from drawing import GRAY, ORANGE, SKY, arrow, canvas, cells, label, line, save

TEXT = "The tide kept no clock but came on time."
BATCH_SIZE, TIME = 2, 4
SIDE = 0.44
FIRST, SECOND = 2.9, 6.2  # where the batches stand
CONTIGUOUS, UNROLLED, NAMES = 8.2, 5.05, 1.75  # where these panels begin, at the top
COLORS = (ORANGE, SKY)


def rows_panel(ax, top, starts):
    """Draw two batches whose rows begin at these indices."""
    for x, batch in ((FIRST, starts[:2]), (SECOND, starts[2:])):
        for m, start in enumerate(batch):
            y = top - m * SIDE
            cells(ax, x, y, [list(TEXT[start : start + TIME])], COLORS[m], SIDE)
            label(ax, x - 0.12, y - SIDE / 2, str(start + 1), GRAY, side="right", size=0.9)


def carried(ax, y, m):
    """Draw an arrow from a row of the first batch to the same row of the second."""
    arrow(ax, (FIRST + TIME * SIDE + 0.1, y), (SECOND - 0.7, y), color=COLORS[m], width=2)


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 10.6)
    label(ax, FIRST + 0.88, 10.25, "batch 0")
    label(ax, SECOND + 0.88, 10.25, "batch 1")
    label(ax, 9.45, 10.25, "state carried")
    stretch = (len(TEXT) - 1) // (BATCH_SIZE * TIME) * TIME
    segment = len(TEXT) // BATCH_SIZE
    panels = (
        ("cursor", 9.7, [0, 4, 8, 12], "no"),
        ("contiguous", CONTIGUOUS, [0, stretch, TIME, stretch + TIME], "yes"),
        ("sliding", 6.7, [0, 1, 2, 3], "no"),
        ("unrolled", UNROLLED, None, "yes"),
        ("names", NAMES, None, "no"),
    )
    for name, top, starts, answer in panels:
        middle = top - (1.3 if name == "unrolled" else SIDE)
        label(ax, 0.1, middle, name, side="left")
        label(ax, 9.45, middle, answer)
        if starts:
            rows_panel(ax, top, starts)
        if name != "cursor":
            y = top + (0.56 if name == "unrolled" else 0.42)
            line(ax, (0.1, y), (10.3, y), color=GRAY, width=0.6)
    for m in range(BATCH_SIZE):
        carried(ax, CONTIGUOUS - (m + 0.5) * SIDE, m)
    for x, begin in ((FIRST, 0), (SECOND, TIME)):
        columns = [TEXT[m * segment + begin : m * segment + begin + TIME + 1] for m in range(BATCH_SIZE)]
        steps = [list(pair) for pair in zip(*columns, strict=True)]
        cells(ax, x + SIDE, UNROLLED, steps, [list(COLORS)] * len(steps), SIDE)
        for m in range(BATCH_SIZE):
            label(ax, x + (m + 1.5) * SIDE, UNROLLED + 0.22, str(m * segment + begin + 1), GRAY, size=0.9)
    x, y = FIRST + 1.5 * SIDE, UNROLLED - 5 * SIDE
    end = UNROLLED - SIDE / 2
    arrow(ax, (x, y), (x, y - 0.2), (5.2, y - 0.2), (5.2, end), (SECOND + SIDE - 0.05, end), color=ORANGE, width=2)
    words = [word.ljust(5, "\n") for word in TEXT.split()[:4]]
    for x, pair in ((FIRST, words[:2]), (SECOND, words[2:])):
        for m, word in enumerate(pair):
            cells(ax, x, NAMES - m * SIDE, [list(word)], COLORS[m], SIDE)
    label(ax, 5.2, 0.25, "gray: place in the text of the row's first character", GRAY, size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
