"""Set the book's one address, in `_config.yml` and in the setup cell of every chapter.

python tools/set_repository.py https://github.com/you/your-fork [BRANCH]
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORM = re.compile(r"(https?://[\w.:-]+|file://[\w./-]*)/[\w.-]+/[\w.-]+", re.ASCII)
CONFIG_URL = re.compile(r"(?<=^  url: )\S+$", re.MULTILINE)
CONFIG_BRANCH = re.compile(r"(?<=^  branch: )\S+$", re.MULTILINE)
PACKAGE = re.compile(r'(?<=PACKAGE = \\"git\+)[^"\\]+')  # as JSON writes the line of the setup cell


def read_repository(root=ROOT):
    """Return the address and the branch that ``_config.yml`` names."""
    config = (root / "_config.yml").read_text(encoding="utf-8")
    return CONFIG_URL.search(config)[0], CONFIG_BRANCH.search(config)[0]


def replaced(path, pattern, value):
    """Return the text of a file with ``value`` in the one place that the pattern finds."""
    text, found = pattern.subn(lambda match: value, path.read_text(encoding="utf-8"))
    if found != 1:
        raise ValueError(f"{path.name} must hold the address once, found {found}")
    return text


def set_repository(address, branch="", root=ROOT):
    """Write an address into every file that holds it; return these files.

    Parameters
    ----------
    address : str
        Such as ``https://github.com/OWNER/NAME``.
    branch : str
        The branch that the Colab buttons point to and that the chapters fetch the package from. Empty: the buttons
        point to ``main``, and the chapters take the repository's default branch.

    Raises
    ------
    ValueError
        If the address is not of the form ``https://HOST/OWNER/NAME`` or ends in ``.git``, or if a file that must hold
        it does not. Then no file is changed.
    """
    if not FORM.fullmatch(address):
        raise ValueError(f"the address must look like https://github.com/OWNER/NAME, got {address!r}")
    if address.endswith(".git"):
        raise ValueError(f"the address must not end in .git: give {address.removesuffix('.git')}")
    if not re.fullmatch(r"[\w./-]*", branch, re.ASCII):
        raise ValueError(f"the branch may have letters, digits, and the signs . / _ -, got {branch!r}")
    config = root / "_config.yml"
    text = replaced(config, CONFIG_URL, address)
    texts = {config: CONFIG_BRANCH.sub(branch or "main", text)}
    for path in sorted(root.glob("chapters/[0-9][0-9]_*.ipynb")):
        texts[path] = replaced(path, PACKAGE, f"{address}@{branch}" if branch else address)
    for path, text in texts.items():
        path.write_text(text, encoding="utf-8", newline="\n")
    return list(texts)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit("usage: make repository URL=https://github.com/you/your-fork")
    try:
        changed = set_repository(*sys.argv[1:])
    except ValueError as error:
        sys.exit(f"error: {error}")
    print(f"{len(changed)} files now name {sys.argv[1]}")
