"""Sphinx extension: what belongs together stays in one line.

A formula is a box of its own for the browser, which may end a line between it and the comma after it. It may also part
"chapter" from its number, and a mean from its standard error.
"""

import re

from docutils import nodes

AFTER = re.compile(r"[.,;:!?)’”]+")
SPACES = {
    re.compile(r"\b(chapters?|sections?|exercises?|figs?\.) (?=\d)", re.I): "\\1\N{NO-BREAK SPACE}",
    re.compile(r" ± "): "\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}",
}
AS_IT_IS = (nodes.literal, nodes.FixedTextElement, nodes.math, nodes.math_block, nodes.raw)


def keep_spaces(text):
    """Return a text whose numbers cannot leave what they belong to."""
    for pattern, kept in SPACES.items():
        text = pattern.sub(kept, text)
    return text


def is_prose(text):
    """Say whether a text may be changed: it is no code and no mathematics."""
    parent = text.parent
    while parent is not None and not isinstance(parent, AS_IT_IS):
        parent = parent.parent
    return parent is None


def keep_with_formula(formula):
    """Put a formula and the punctuation after it into one element, which CSS keeps in one line."""
    following = formula.next_node(descend=False, siblings=True)
    found = AFTER.match(following) if isinstance(following, nodes.Text) else None
    if found:
        following.parent.replace(following, nodes.Text(following[found.end() :]))
        kept = nodes.inline(classes=["charlm-kept"])
        formula.parent.replace(formula, kept)
        kept.extend([formula, nodes.Text(found[0])])


def keep_together(app, doctree, docname):
    """Do it on a page."""
    if app.builder.format != "html":
        return
    for text in list(doctree.findall(nodes.Text)):
        kept = keep_spaces(text)
        if kept != text and is_prose(text):
            text.parent.replace(text, nodes.Text(kept))
    for formula in list(doctree.findall(nodes.math)):
        keep_with_formula(formula)


def setup(app):
    """Connect the hook."""
    app.connect("doctree-resolved", keep_together)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
