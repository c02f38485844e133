"""Draw `fit_epoch.svg`: what `fit` does with a thousand windows in one epoch.

Alternative text: A bar of 1,000 windows in the order of the text is cut into the first 900, for training, and the last
100, for validation. The 900 are shuffled and cut into 28 batches of 32 and one of 4. Each batch makes one step, so
there are 29 steps; the mean of their losses is called loss. After the last step the 100 windows are scored, which
gives val_loss. An arrow leads back to the shuffling: the next epoch.
"""

from drawing import BLUE, GRAY, ORANGE, READ, SAID, arrow, box, canvas, label, save

BATCHES = ["32", "32", "32", "...", "32", "4"]


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.6)
    label(ax, 5.2, 6.3, "1,000 windows in the order of the text")
    box(ax, 4.2, 5.6, "the first 900", READ, width=7.6, height=0.7)
    box(ax, 9.15, 5.6, "last 100", SAID, width=2.1, height=0.7)
    arrow(ax, (4.2, 5.25), (4.2, 4.65))
    box(ax, 4.2, 4.3, "shuffle", GRAY, width=1.9, height=0.7)
    for number, text in enumerate(BATCHES):
        x = 0.95 + 1.3 * number
        arrow(ax, (4.2, 3.95), (x, 3.4), width=1)
        if text == "...":
            label(ax, x, 3.05, text)
            continue
        box(ax, x, 3.05, text, ORANGE, width=0.55 if text == "4" else 1.0, height=0.7)
        arrow(ax, (x, 2.7), (x, 2.2), width=1)
    box(ax, 4.2, 1.85, "29 steps, one per batch", BLUE, width=7.6, height=0.7)
    arrow(ax, (4.2, 1.5), (4.2, 0.85))
    label(ax, 4.2, 0.55, "loss: the mean of the 29")
    arrow(ax, (9.15, 5.25), (9.15, 2.2))
    box(ax, 9.15, 1.85, "score", BLUE, width=1.6, height=0.7)
    arrow(ax, (8.0, 1.85), (8.35, 1.85))
    arrow(ax, (9.15, 1.5), (9.15, 0.85))
    label(ax, 9.15, 0.55, "val_loss")
    arrow(ax, (0.4, 1.85), (0.2, 1.85), (0.2, 4.3), (3.25, 4.3), color=GRAY, dashed=True)
    label(ax, 0.35, 4.6, "next epoch", GRAY, side="left", size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
