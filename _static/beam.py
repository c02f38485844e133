"""Draw `beam.svg`: two steps of a search, in which the likelier first character leads to the less likely text.

Alternative text: A tree. From the start, a has 0.6 and b has 0.4. After a come a with 0.40, b with 0.35 and c with
0.25; the texts aa, ab and ac have 0.24, 0.21 and 0.15. After b come a with 0.9 and b with 0.1; the texts ba and bb have
0.36 and 0.04. Greedy choice takes a and ends at aa. A beam of two keeps a and b, and ends at ba.
"""

from drawing import BLUE, GRAY, SAID, arrow, box, canvas, label, save

FIRST = {"a": 0.6, "b": 0.4}
SECOND = {"a": {"a": 0.40, "b": 0.35, "c": 0.25}, "b": {"a": 0.9, "b": 0.1}}


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.2, 6.0)
    box(ax, 0.9, 2.8, "start", GRAY, width=1.5)
    y = 5.6
    for first, share in FIRST.items():
        middle = y - 0.5 * 1.15 * (len(SECOND[first]) - 1)
        color = BLUE if first == "a" else SAID
        box(ax, 4.1, middle, first, color, width=0.9)
        arrow(ax, (1.7, 2.8), (3.6, middle), color=color, width=2.4)
        label(ax, 2.6, (2.8 + middle) / 2 + (0.55 if first == "a" else -0.55), f"{share}")
        for second, next_share in SECOND[first].items():
            best = second == "a"
            box(ax, 7.2, y, first + second, color if best else GRAY, width=1.1)
            arrow(ax, (4.6, middle), (6.6, y), color=color if best else GRAY, width=2.4 if best else 1.3)
            place = 5.55, (middle + y) / 2 + (0.42 if y > middle else -0.42)
            if abs(y - middle) < 0.1:
                place = 6.0, y + 0.2  # near the end of its arrow, where the arrow above is far
            label(ax, *place, f"{next_share:.2f}", size=0.9)
            label(ax, 7.95, y, f"{share * next_share:.2f}", side="left")
            if best:
                label(ax, 8.8, y, "greedy" if first == "a" else "beam", color=color, side="left")
            y -= 1.15
        y -= 0.35
    save(ax, __file__)


if __name__ == "__main__":
    main()
