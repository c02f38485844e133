"""Draw `trace_cache.svg`: tf.function keeps one traced graph per kind of arguments.

Alternative text: Four calls, one below the other; for each, whether its kind of arguments is known, and which graph
runs. The first call, with integers of shape 64 by 100, is of a new kind: Python runs once and traces graph 1. The
second call, of the same kind, runs graph 1 without Python. Integers of shape 32 by 100 make Python trace graph 2,
floats of shape 64 by 100 graph 3.
"""

from drawing import GATE, GRADIENT, GRAY, READ, arrow, box, canvas, label, save


def main():
    """Draw the figure beside this script."""
    ax = canvas(10.4, 6.0)
    label(ax, 1.7, 5.65, "call with")
    label(ax, 5.35, 5.65, "known kind?")
    label(ax, 8.9, 5.65, "what runs")
    calls = (
        ("int32 (64, 100)", "no: trace", "graph 1", True),
        ("int32 (64, 100)", "yes", "graph 1", False),
        ("int32 (32, 100)", "no: trace", "graph 2", True),
        ("float32 (64, 100)", "no: trace", "graph 3", True),
    )
    for number, (kind, answer, graph, new) in enumerate(calls):
        y = 4.7 - 1.25 * number
        box(ax, 1.7, y, kind, READ, width=3.2, size=0.9)
        arrow(ax, (3.3, y), (4.3, y))
        box(ax, 5.35, y, answer, GRADIENT if new else GRAY, width=2.1, size=0.9)
        arrow(ax, (6.4, y), (7.9, y), dashed=new)
        if new:
            label(ax, 7.15, y + 0.3, "Python", size=0.9)
        box(ax, 8.9, y, graph, GATE, width=1.9, size=0.9)
    save(ax, __file__)


if __name__ == "__main__":
    main()
