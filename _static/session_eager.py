"""Draw `session_eager.svg`: TensorFlow 1 builds a graph once and runs it in a session; today one calls a function.

Alternative text: Left, TensorFlow 1: a graph of four operations, drawn once, with placeholders X and Y at its lower
end and the loss on top. A session runs it many times; each time values are fed to the placeholders, and the value of
the loss is fetched. Right, today: a function is called with values and returns a value; nothing is built first.
"""

from drawing import GATE, GRADIENT, GRAY, READ, SAID, arrow, box, canvas, frame, label, line, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.6)
    label(ax, 2.7, 6.3, "TensorFlow 1")
    frame(ax, 0.2, 1.7, 3.9, 5.9, GRAY)
    label(ax, 2.05, 5.6, "graph, built once", size=0.9)
    box(ax, 1.1, 2.3, "X", READ, width=1.1, height=0.7, dashed=True)
    box(ax, 3.0, 2.3, "Y", SAID, width=1.1, height=0.7, dashed=True)
    box(ax, 1.1, 3.6, "network", GATE, width=1.6, height=0.7, size=0.9)
    box(ax, 2.05, 4.9, "loss", GRADIENT, width=1.3, height=0.7)
    arrow(ax, (1.1, 2.65), (1.1, 3.25))
    arrow(ax, (1.1, 3.95), (1.75, 4.55))
    arrow(ax, (3.0, 2.65), (2.35, 4.55))
    arrow(ax, (1.1, 1.1), (1.1, 1.95), color=READ, width=2)
    arrow(ax, (3.0, 1.1), (3.0, 1.95), color=SAID, width=2)
    label(ax, 2.05, 0.8, "feed values")
    arrow(ax, (2.7, 4.9), (4.5, 4.9), color=GRADIENT, width=2)
    label(ax, 4.6, 4.9, "fetch\n2.31", side="left")
    label(ax, 2.7, 0.25, "session.run, once per batch", size=0.9)
    line(ax, (5.8, 0.2), (5.8, 6.4), color=GRAY, width=0.8)
    label(ax, 8.1, 6.3, "today")
    box(ax, 8.1, 3.6, "function\nnetwork, loss", GATE, width=3.0, height=1.6, size=0.9)
    arrow(ax, (7.4, 1.1), (7.4, 2.8), color=READ, width=2)
    arrow(ax, (8.8, 1.1), (8.8, 2.8), color=SAID, width=2)
    label(ax, 8.1, 0.8, "arguments")
    arrow(ax, (8.1, 4.4), (8.1, 5.2), color=GRADIENT, width=2)
    label(ax, 8.1, 5.45, "value 2.31")
    label(ax, 8.1, 0.25, "a call, once per batch", size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
