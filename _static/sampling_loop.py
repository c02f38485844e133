r"""Draw `sampling_loop.svg`: a network reads the prime "Far", then goes on by reading what it has drawn.

Alternative text: Six steps side by side, with the state passing from one to the next. The first three read the prime,
F, a and r; what steps 1 and 2 would draw is not used. Step 3 draws a space, which step 4 reads; step 4 draws o, which
step 5 reads; step 5 draws f, which step 6 reads.
"""

from drawing import GRAY, READ, SAID, STATE, arrow, box, brace, canvas, cells, label, save

READS = "Far of"
DRAWN = {3: " ", 4: "o", 5: "f"}


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.0)
    place = {t: 0.55 + 1.5 * t for t in range(1, 7)}
    for t, x in place.items():
        cells(ax, x - 0.35, 1.6, [[READS[t - 1]]], READ, 0.7)
        box(ax, x, 2.6, f"$h_{t}$", STATE, width=0.8)
        arrow(ax, (x, 1.6), (x, 2.2))
        arrow(ax, (x - 1.1 if t > 1 else x - 1.0, 2.6), (x - 0.4, 2.6))
        if t in DRAWN:
            cells(ax, x - 0.35, 4.3, [[DRAWN[t]]], SAID, 0.7)
            arrow(ax, (x, 3.0), (x, 3.6))
            arrow(ax, (x + 0.35, 3.95), (x + 0.75, 3.95), (x + 0.75, 1.25), (x + 1.15, 1.25), color=GRAY, dashed=True)
    label(ax, 0.75, 2.6, "$h_0$")
    label(ax, 0.1, 3.95, "draws", side="left")
    label(ax, 0.1, 1.25, "reads", side="left")
    brace(ax, (place[1] - 0.35, 0.8), (place[3] + 0.35, 0.8), "prime")
    brace(ax, (place[4] - 0.35, 0.8), (place[6] + 0.35, 0.8), "its own text")
    save(ax, __file__)


if __name__ == "__main__":
    main()
