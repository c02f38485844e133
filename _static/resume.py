r"""Draw `resume.svg`: what a checkpoint must hold so that a training goes on as if it had never stopped.

Alternative text: A row of batches 0 to 2 leads to a stop. A checkpoint keeps five things: the weights theta, Adam's
running means mu and nu with their step count, the seeds of dropout, the state of every row, and the place in the text.
From the checkpoint training goes on with batches 3 to 5.
"""

from drawing import GATE, GRADIENT, GRAY, READ, STATE, arrow, box, canvas, frame, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 5.3)
    for w in range(6):
        x = 0.7 + 1.6 * w + (1.0 if w > 2 else 0)
        box(ax, x, 4.6, f"$w = {w}$", READ, width=1.2)
        if w not in (2, 5):
            arrow(ax, (x + 0.6, 4.6), (x + 1.0, 4.6))
    label(ax, 5.2, 4.6, "stop", GRADIENT)
    frame(ax, 0.1, 0.3, 10.3, 3.0, GRAY, "checkpoint: one file")
    things = (
        ("weights\n" + r"$\theta$", GATE),
        ("Adam's\n" + r"$\mu$, $\nu$, steps", GRADIENT),
        ("seeds of\ndropout", GRAY),
        ("state of\nevery row", STATE),
        ("place in\nthe text", READ),
    )
    for number, (text, color) in enumerate(things):
        box(ax, 1.2 + 2.0 * number, 1.4, text, color, width=1.85, height=1.5, size=0.92)
    arrow(ax, (3.9, 4.2), (3.9, 3.0))
    arrow(ax, (6.5, 3.0), (6.5, 4.2))
    label(ax, 3.75, 3.6, "save", side="right")
    label(ax, 6.65, 3.6, "load", side="left")
    save(ax, __file__)


if __name__ == "__main__":
    main()
