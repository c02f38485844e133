"""Sphinx extension: two directives that list what the notebooks hold at the time when the book is built.

exercise-index N   the exercises with N stars, with their chapters
notebook-list      the notebooks, to download
"""

import re
from pathlib import Path

import nbformat
from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

_LABEL = re.compile(r"^\((chapter-[\w-]+)\)=$", re.M)
_EXERCISE = re.compile(r"^```\{exercise\} (.+) (★{1,3})☆{0,2}\n:label: (ex-[\w-]+)$", re.M)


def read_prose(path):
    """Return the text cells of a notebook as one text."""
    cells = nbformat.read(path, as_version=4).cells
    return "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")


def find_label(prose):
    """Return the label of a chapter."""
    return _LABEL.search(prose)[1]


def find_exercises(prose):
    """Return title, number of stars and label of every exercise of a chapter."""
    return [(title, len(stars), label) for title, stars, label in _EXERCISE.findall(prose)]


class ChapterTable(SphinxDirective):
    """A table whose rows come from the notebooks."""

    head = ()

    def rows(self, path, prose):
        """Return the cells of the rows for one notebook, in MyST."""
        raise NotImplementedError

    def run(self):
        """Return the table."""
        lines = [self.head, ["---"] * len(self.head)]
        for path in sorted(Path(self.env.srcdir).glob("chapters/*.ipynb")):
            self.env.note_dependency(str(path))
            lines += self.rows(path, read_prose(path))
        source = StringList([f"| {' | '.join(cells)} |" for cells in lines], source=self.env.docname)
        container = nodes.container()
        self.state.nested_parse(source, self.content_offset, container)
        return container.children


class ExerciseIndex(ChapterTable):
    """The exercises that have as many stars as the argument says."""

    required_arguments = 1
    head = ("exercise", "task", "chapter")

    def rows(self, path, prose):
        """Return number, title and chapter of every exercise."""
        chapter = f"{{numref}}`{{number}}. {{name}} <{find_label(prose)}>`"
        found = find_exercises(prose)
        wanted = int(self.arguments[0])
        return [(f"{{numref}}`{label}`", title, chapter) for title, stars, label in found if stars == wanted]


class NotebookList(ChapterTable):
    """A link to every notebook."""

    head = ("chapter", "notebook")

    def rows(self, path, prose):
        """Return a chapter and a link to the copy that Sphinx makes of its source."""
        link = f'<a href="_sources/chapters/{path.name}" download>{path.name}</a>'
        return [(f"{{numref}}`{{number}}. {{name}} <{find_label(prose)}>`", link)]


def setup(app):
    """Make the directives known."""
    app.add_directive("exercise-index", ExerciseIndex)
    app.add_directive("notebook-list", NotebookList)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
