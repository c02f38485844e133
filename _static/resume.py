r"""Draw `resume.svg`: what a checkpoint must hold so that a training goes on as if it had never stopped.

Alternative text: A row of batches 0 to 2 leads to a stop. A checkpoint keeps five things: the weights theta, Adam's
running means mu and nu with their step count, the seeds of dropout, the state of every row, and the place in the text.
From the checkpoint training goes on with batches 3 to 5.
"""

from drawing import GATE, GRADIENT, GRAY, READ, STATE, arrow, box, canvas, frame, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.6)
    for w in range(6):
        x = 0.75 + 1.25 * w + (1.2 if w > 2 else 0)
        box(ax, x, 4.8, f"$w = {w}$", READ, width=1.1)
        if w not in (2, 5):
            arrow(ax, (x + 0.55, 4.8), (x + 0.7, 4.8))
    label(ax, 4.45, 4.8, "stop", GRADIENT)
    frame(ax, 0.1, 0.3, 10.3, 3.2, GRAY, "checkpoint: one file")
    things = (
        ("weights\n" + r"$\theta$", GATE),
        ("Adam's\n" + r"$\mu$, $\nu$, steps", GRADIENT),
        ("seeds of\ndropout", GRAY),
        ("state of\nevery row", STATE),
        ("place in\nthe text", READ),
    )
    for number, (text, color) in enumerate(things):
        box(ax, 1.2 + 2.0 * number, 1.4, text, color, width=1.85, height=1.5, size=0.85)
    arrow(ax, (3.25, 4.4), (3.25, 3.2))
    arrow(ax, (5.7, 3.2), (5.7, 4.4))
    label(ax, 3.1, 3.8, "save", side="right")
    label(ax, 5.85, 3.8, "load", side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
