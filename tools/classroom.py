"""Sphinx extension: an archive for classrooms without a network, with notebooks, package and data.

A notebook finds the package without an installation, since Python looks into the notebook's own folder first, and the
package finds the data beside itself. The archive is the same in every build of the same files.
"""

import zipfile
from pathlib import Path

ARCHIVE = "_downloads/charlm-book.zip"
PDF = "_downloads/charlm-book.pdf"  # which tools/book_pdf.py makes
FOLDER = "charlm-book"
FILES = [  # folder of the checkout, what of it, and where it lies in the archive
    (".", "LICENSE", "."),
    (".", "requirements.lock", "."),
    ("_static", "*.svg", "_static"),
    ("chapters", "*.ipynb", "chapters"),
    ("charlm_utils", "*.py", "chapters/charlm_utils"),
    ("data", "**/*.*", "chapters/data"),
]
PACKED = (".npz", ".gz")  # to compress them again would take seconds and gain nothing
README = """The notebooks of the book, for machines without a network.

1. Python 3.11 to 3.13 with TensorFlow, Matplotlib and JupyterLab is needed. To fetch the versions with which the book
   is tested, on one machine like the others that has a network:
       pip download --require-hashes -r requirements.lock -d wheels
   and on each of the others:
       pip install --no-index --find-links wheels -r requirements.lock
2. Start Jupyter in the folder chapters. The package that the notebooks share, charlm_utils, lies there and is found.
3. Open a notebook and run all of its cells.
"""


def archived_files(root):
    """Return the names of the files in the archive, in order, each with its path in the checkout."""
    found = {}
    for folder, pattern, place in FILES:
        for path in (root / folder).glob(pattern):
            found[Path(FOLDER, place, path.relative_to(root / folder)).as_posix()] = path
    return {name: found[name] for name in sorted(found) if found[name].is_file()}


def describe_file(name):
    """Return the entry of a file that everybody may read; it has no date, so that the archive is always the same."""
    entry = zipfile.ZipInfo(name)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_STORED if name.endswith(PACKED) else zipfile.ZIP_DEFLATED
    return entry


def write_archive(root, target):
    """Write the archive of a checkout."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(describe_file(f"{FOLDER}/README.txt"), README)
        for name, path in archived_files(root).items():
            archive.writestr(describe_file(name), path.read_bytes())


def add_archive(app, exception):
    """Write the archive into the built book; a PDF to which no page leads is one of an earlier build."""
    if exception is None and app.builder.format == "html":
        folder = Path(app.outdir)
        write_archive(Path(app.srcdir), folder / ARCHIVE)
        if PDF not in (folder / "downloads.html").read_text("utf-8"):
            (folder / PDF).unlink(missing_ok=True)


def setup(app):
    """Connect the hook."""
    app.connect("build-finished", add_archive)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
