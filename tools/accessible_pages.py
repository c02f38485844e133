"""Sphinx extension: mends what the theme and docutils write that a screen reader stumbles over.

- The sidebar with title, search and chapters is one landmark, named *Book*.
- An empty corner of a table is an empty cell and no heading without words.
- The buttons that search, and those that open a cell, are called what stands on them.
- A button that is an icon is called what its tip says.
- What opens a cell is a line, where MyST-NB writes a paragraph, which may not stand there.
- Heads of columns say that they are, and the contents of a page are called so.
- What the theme prints before a page is gone: the page has a title of its own, and these contents name no pages.
- The button for a notebook downloads it, where the theme opens a tab with its source.
- Entries of the bibliography are items of their list; docutils gives them a role that is deprecated.
"""

import re
from pathlib import Path

MENDED = {
    r'<div class="bd-sidebar-primary bd-sidebar([^"]*)">': (
        r'<div class="bd-sidebar-primary bd-sidebar\1" role="navigation" aria-label="Book">'
    ),
    r"<th((?: [^>]*)?)>(?:<p></p>)?</th>": r"<td\1></td>",
    r'<td scope="\w+"': "<td",
    r'(search-button-field search-button__button" title="Search") aria-label="Search"': r"\1",
    r'<summary aria-label="Toggle hidden content">': "<summary>",
    r'(<button class="sidebar-toggle[^>]*|<button onclick="[^>]*)title="([^"]*)"': r'\1title="\2" aria-label="\2"',
    r'<p class="(collapsed|expanded) admonition-title">(.*?)</p>': r'<span class="\1 admonition-title">\2</span>',
    r'<th class="head(\b[^>]*)>': r'<th scope="col" class="head\1>',
    '<nav class="bd-toc-nav page-toc">': '<nav class="bd-toc-nav page-toc" aria-label="Contents">',
    r'(?s)<div id="jb-print-docs-body" class="onlyprint">.*?(?=<div id="searchbox">)': "",
    r'(<a href="[^"]*_sources/[^"]*\.ipynb") target="_blank"': r"\1 download",
    r'role="doc-biblioentry"': 'role="listitem"',
}


def mend(text):
    """Return the text of a page as it should be."""
    for written, wanted in MENDED.items():
        text = re.sub(written, wanted, text)
    return text


def mend_pages(app, exception):
    """Mend all pages."""
    if exception is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            page.write_text(mend(page.read_text("utf-8")), "utf-8")


def setup(app):
    """Connect the hook."""
    app.connect("build-finished", mend_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
