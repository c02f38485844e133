"""Sphinx extension: a link to a word of the glossary carries its definition, which the browser shows on hover.

No script and no request: the definition is the link's ``title``.
"""

import functools
import re

from docutils import nodes
from sphinx import addnodes

PAGE = "glossary"
_INTRODUCED = re.compile(r" \((chapter \{number\}(, )?)+\)$")  # where it is introduced; the number is not known yet


def plain_text(definition):
    """Return the words of a definition, without its citations and without the chapter at its end."""
    definition = definition.deepcopy()
    for reference in list(definition.findall(addnodes.pending_xref)):
        if reference["refdomain"] == "cite":
            reference.parent.remove(reference)
    text = re.sub(r"\s+([:.,]|$)", r"\1", " ".join(definition.astext().split()))
    return _INTRODUCED.sub("", text)


@functools.cache
def definitions(app):
    """Return what the glossary says of each of its words, by the id of the word."""
    found = {}
    for item in app.env.get_doctree(PAGE).findall(nodes.definition_list_item):
        text = plain_text(item[-1])
        for term in item.findall(nodes.term):
            found.update(dict.fromkeys(term["ids"], text))
    return found


def add_titles(app, doctree, docname):
    """Give every link to a word of the glossary its definition."""
    for reference in doctree.findall(nodes.reference):
        inside = reference.children[0] if reference.children else None
        if isinstance(inside, nodes.Element) and "std-term" in inside.get("classes", ()):
            word = (reference.get("refid") or reference.get("refuri", "")).split("#")[-1]
            reference["reftitle"] = definitions(app)[word]


def setup(app):
    """Connect the hook."""
    app.connect("doctree-resolved", add_titles)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
