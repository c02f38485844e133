"""Print the built book into one PDF, and show the link to it on the page of downloads.

    python tools/book_pdf.py _build/html

All pages of the table of contents become one page, which Chromium or Chrome prints: so links between chapters are links
in the PDF, its bookmarks are the headings, and mathematics, figures and code look as they do on the screen. The style
sheet of the book says what is left out on paper, and its script opens solutions. The page is printed twice, since the
numbers in the table of contents are known only after the first time.
"""

import argparse
import io
import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urldefrag

from bs4 import BeautifulSoup
from playwright.sync_api import sync_playwright
from pypdf import PdfReader

PDF = "_downloads/charlm-book.pdf"
SOURCE = "charlm-book.html"  # the one page, while it is printed
LINK = '<p><a href="_downloads/charlm-book.pdf" download>charlm-book.pdf</a></p>'
MISSING = re.compile(r'<p class="charlm-pdf-missing">.*?</p>', re.S)  # what downloads.md says instead of the link
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NO_PAPER = ("downloads.html",)
TITLE = '<article class="bd-article charlm-title"><h1></h1><ul></ul></article>'
LEFT_OUT = "script, .headerlink, .viewcode-link, .charlm-controls"
PLAIN_CODE = "pre span:is(.n, .nn, .p, .w)"  # as dark as the code around it; every part makes the PDF larger
FOOT = '<p style="width: 100%; font-size: 8px; text-align: center"><span class="pageNumber"></span></p>'
SHOW_NUMBERS = """(numbers) => {
    for (const line of document.querySelectorAll(".charlm-title li")) {
        line.querySelector("span").textContent = numbers[line.querySelector("a").hash.slice(1)];
    }
}"""
PAPER = {
    "format": "A4",
    "scale": 0.8,
    "margin": {"top": "15mm", "bottom": "18mm", "left": "15mm", "right": "15mm"},
    "print_background": True,
    "display_header_footer": True,
    "header_template": "<p></p>",
    "footer_template": FOOT,
    "outline": True,
    "tagged": True,
}


def read_page(path):
    """Return a built page."""
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


def list_pages(front):
    """Return the addresses of the pages in the order of the table of contents, which the front page shows."""
    links = [link["href"] for link in front.select("nav.bd-docs-nav a.reference.internal")]
    names = [link for link in links if link != "#" and link not in NO_PAPER]
    return ["intro.html"] + names


def id_prefix(name):
    """Return what distinguishes the ids of a page from those of the others."""
    return re.sub(r"\W", "-", name.removesuffix(".html")) + "--"


def new_address(address, name, pages):
    """Return what the page ``name`` calls ``address`` as an address in the one page; nothing if it is not in there."""
    if re.match(r"[a-z]+:", address):
        return address
    path, place = urldefrag(address)
    folder = name.rpartition("/")[0]
    target = re.sub(r"[\w-]+/\.\./", "", f"{folder}/{path}".lstrip("/")) if path else name
    return f"#{id_prefix(target)}{place}" if target in pages else ""


def take_article(page, name, pages):
    """Return the text of a page as a part of the one page."""
    article = page.select_one("article.bd-article")
    for part in article.select(LEFT_OUT):
        part.decompose()
    for part in article.select(PLAIN_CODE):
        part.unwrap()
    article.smooth()
    for details in article.select("div.cell details"):
        if "Setup" in details.summary.text:
            details.decompose()
    for part in article.find_all(id=True):
        part["id"] = id_prefix(name) + part["id"]
    for link in article.select("a[href]"):
        address = new_address(link["href"], name, pages)
        if address:
            link["href"] = address
        else:
            link.unwrap()
    for image in article.select("img[src]"):
        image["src"] = re.sub(r"^(\.\./)+", "", image["src"])
    article["id"] = id_prefix(name)
    return article


def take_mathjax(pages):
    """Return the two scripts, settings and program, that draw the mathematics; none if no page has any."""
    for page in pages:
        program = page.select_one("script[src*=mathjax]")
        if program:
            settings = next(script for script in page.head.find_all("script") if "window.MathJax" in script.text)
            program["src"] = re.sub(r"^(\.\./)+", "", program["src"])
            return [settings, program]
    return []


def make_title(front, articles):
    """Return the first pages: the title of the book, version and licenses, and the table of contents."""
    title = BeautifulSoup(TITLE, "html.parser").article
    title.h1.string = front.h1.contents[0]
    title.h1.insert_after(front.select_one(".extra_footer"))
    for article in articles:
        line = BeautifulSoup('<li><a></a> <span class="charlm-page"></span></li>', "html.parser").li
        line.a["href"] = f"#{article['id']}"
        line.a.string = article.h1.text.strip()
        title.ul.append(line)
    return title


def join_pages(folder):
    """Return the one page of a built book.

    Parameters
    ----------
    folder : Path
        Of the pages.
    """
    front = read_page(folder / "intro.html")
    names = list_pages(front)
    pages = [read_page(folder / name) for name in names]
    mathjax = take_mathjax(pages)
    articles = [take_article(page, name, names) for page, name in zip(pages, names, strict=True)]
    title = make_title(front, articles)
    for script in front.select("script"):
        script.decompose()
    front.html["data-theme"] = "light"
    front.title.string = title.h1.text
    front.head.extend([*mathjax, front.new_tag("script", src="_static/print.js")])
    front.body.clear()
    content = front.new_tag("main", attrs={"class": "bd-content"})
    content.extend([title, *articles])
    front.body.append(content)
    return front


def print_page(path, browser):
    """Print the one page, wherever it lies, and return the PDF."""
    page = browser.new_page()
    page.set_default_timeout(0)  # it may take minutes
    page.goto(path.as_uri())
    page.evaluate("() => window.MathJax && MathJax.startup.promise")
    page.evaluate(SHOW_NUMBERS, find_numbers(page.pdf(**PAPER)))
    printed = page.pdf(**PAPER)
    page.close()
    return printed


def find_numbers(printed):
    """Return the number of the page to which each place of a PDF leads."""
    reader = PdfReader(io.BytesIO(printed))
    places = reader.named_destinations.values()
    return {place.title.lstrip("/"): reader.get_destination_page_number(place) + 1 for place in places}


def make_pdf(folder, browser):
    """Print a built book, and show the link to it.

    Parameters
    ----------
    folder : Path
        Of the pages.
    browser : playwright.sync_api.Browser
        Chromium or Chrome.

    Returns
    -------
    Path
        Of the PDF.
    """
    source = folder / SOURCE
    source.write_text(str(join_pages(folder)), "utf-8")
    try:
        printed = print_page(source, browser)
    finally:
        source.unlink()
    target = folder / PDF
    target.parent.mkdir(exist_ok=True)
    target.write_bytes(printed)
    downloads = folder / "downloads.html"
    downloads.write_text(MISSING.sub(LINK, downloads.read_text("utf-8")), "utf-8")
    return target


def main():
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path, help="of the built book")
    folder = parser.parse_args().folder.resolve()
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        sys.exit(f"error: one of these programs is needed: {', '.join(PROGRAMS)}")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        print(make_pdf(folder, browser))
        browser.close()


if __name__ == "__main__":
    main()
