"""Sphinx extension: a description in the head of every page, no more to load than it uses, and no id twice.

- A description for search engines and for those who share a link: the first sentences of the page; and a picture, where
  the book knows its address.
- MathJax (2.1 MB) only where there is mathematics.
- Icons: the theme loads Font Awesome twice, as fonts, which a page from a disk may not load, and as a script of 1.5 MB.
  What the pages use of it, some thirty icons, goes into the style sheet itself.
- Exercises and the two search boxes of the search page share an id with their like, which HTML does not allow.
"""

import base64
import html
import io
import re
from pathlib import Path

from docutils import nodes
from fontTools import subset
from fontTools.ttLib import TTFont

_LONGEST = 200  # characters of a description
_ICON_RULE = re.compile(r"(?:\.fa-[\w-]+:before,?)+\{content:\"(?:\\(\w+)|[^\"]*)\"\}")
_FONT = re.compile(r'src:url\(\.\./webfonts/([\w-]+)\.woff2\) format\("woff2"\),url\([^)]*\) format\("truetype"\)')
_HEAD_LINES = re.compile(r'<link rel="preload" as="font"[^>]*>\n?|<script src="[^"]*fontawesome[^"]*"></script>\n?')
_SHARED_ID = re.compile(r' id="(?:exercise-content|search-input)"')
_NO_CONTENT = (nodes.Admonition, nodes.block_quote, nodes.figure, nodes.table, nodes.footnote)


def describe(doctree):
    """Return the first sentences of a page, as many as fit into 200 characters; of a longer one, its beginning."""
    for paragraph in doctree.findall(nodes.paragraph):
        parent = paragraph.parent
        while parent is not None and not isinstance(parent, _NO_CONTENT):
            parent = parent.parent
        if parent is None:
            text = " ".join(paragraph.astext().split())
            if len(text) <= _LONGEST:
                return text
            whole = text[: text.rfind(". ", 0, _LONGEST) + 1]
            return whole or text[: text.rfind(" ", 0, _LONGEST - 3)] + "..."
    return ""


def published_address(config):
    """Return where GitHub publishes the book, or nothing while it has no address."""
    repository = config.html_theme_options.get("repository_url", "")
    found = re.fullmatch(r"https://github\.com/([\w.-]+)/([\w.-]+)", repository)
    if not found or found[1] == "SET_THE_OWNER":
        return ""
    host = f"{found[1]}.github.io".lower()
    return f"https://{host}" if found[2].lower() == host else f"https://{host}/{found[2]}"


def add_description(app, pagename, templatename, context, doctree):
    """Add the tags to a page."""
    description = describe(doctree) if doctree is not None else ""
    if description:
        tags = {
            'name="description"': description,
            'property="og:description"': description,
            'property="og:title"': re.sub("<[^>]*>", "", html.unescape(context["title"])),
            'property="og:type"': "article",
            'property="og:site_name"': app.config.html_title or app.config.project,
        }
        address = published_address(app.config)
        if address:
            tags['property="og:image"'] = f"{address}/_static/results.png"
        for name, content in tags.items():
            context["metatags"] += f'<meta {name} content="{html.escape(content)}" />\n'


def drop_mathjax(app, pagename, templatename, context, doctree):
    """Leave MathJax out of a page without mathematics."""
    if 'class="math' not in context.get("body", ""):
        context["script_files"] = [
            script for script in context["script_files"] if "mathjax" not in str(getattr(script, "filename", ""))
        ]


def used_icons(folder, icons):
    """Return the code points of the icons that the pages, scripts and style sheets of a built book use.

    Parameters
    ----------
    folder : Path
        Of the built book.
    icons : str
        Font Awesome's own style sheet.
    """
    styles, named = "", set()
    for path in folder.rglob("*"):
        own = "fontawesome" in path.parts or "weights" in path.parts
        if path.suffix in (".html", ".js", ".css") and not own:
            text = path.read_text("utf-8", "replace")
            if path.suffix == ".css":
                styles += text
            else:
                named.update(re.findall(r"\bfa-[a-z][\w-]*", text))
    used = {ord(character) for character in styles if "\ue000" <= character <= "\uf8ff"}
    used.update(int(code, 16) for code in re.findall(r"\\(f[0-9a-f]{3})\b", styles))
    for rule in _ICON_RULE.finditer(icons):
        if rule[1] and named.intersection(re.findall(r"\.(fa-[\w-]+):before", rule[0])):
            used.add(int(rule[1], 16))
    return used


def cut_font(path, used):
    """Return the address of a font that holds only the characters of ``used``, with the font in it."""
    font = TTFont(path, recalcTimestamp=False)
    cutter = subset.Subsetter(subset.Options(notdef_outline=True))
    cutter.populate(unicodes=used)
    cutter.subset(font)
    font.flavor = "woff"
    file = io.BytesIO()
    font.save(file)
    return f"data:font/woff;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def cut_sheet(icons, used, fonts):
    """Return Font Awesome's style sheet with the icons of ``used`` only, and with their fonts in it.

    Parameters
    ----------
    icons : str
        The style sheet.
    used : set of int
        Code points.
    fonts : Path
        Folder of the fonts.
    """
    data = {path.stem: cut_font(path, used) for path in fonts.glob("*.ttf")}
    icons = _ICON_RULE.sub(lambda rule: rule[0] if rule[1] and int(rule[1], 16) in used else "", icons)
    return _FONT.sub(lambda source: f'src:url({data[source[1]]}) format("woff")', icons)


def cut_icons(app, exception):
    """Keep the icons that are used, in the style sheet; drop fonts and script."""
    if exception is None and app.builder.format == "html":
        folder = Path(app.outdir)
        for sheet in folder.glob("_static/vendor/fontawesome/*/css/all.min.css"):
            icons = sheet.read_text("utf-8")
            vendor = sheet.parent.parent
            sheet.write_text(cut_sheet(icons, used_icons(folder, icons), vendor / "webfonts"), "utf-8")
            for path in (*vendor.glob("webfonts/*"), *vendor.glob("js/*")):
                path.unlink()


def tidy_pages(app, exception):
    """Drop what the pages load of Font Awesome besides its style sheet, and ids that stand more than once."""
    if exception is None and app.builder.format == "html":
        for page in Path(app.outdir).rglob("*.html"):
            text = _HEAD_LINES.sub("", page.read_text("utf-8"))
            page.write_text(_SHARED_ID.sub("", text), "utf-8")


def setup(app):
    """Connect the hooks."""
    app.connect("html-page-context", add_description)
    app.connect("html-page-context", drop_mathjax, priority=900)
    app.connect("build-finished", cut_icons)
    app.connect("build-finished", tidy_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
