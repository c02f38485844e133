"""Set the book's one address, in `_config.yml` and in the setup cell of every chapter.

python tools/set_repository.py https://github.com/you/your-fork
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def read_repository(root=ROOT):
    """Return the address that ``_config.yml`` names."""
    return re.search(r"^repository:\n  url: (\S+)$", (root / "_config.yml").read_text(encoding="utf-8"), re.M)[1]


def set_repository(address, root=ROOT):
    """Replace the old address by a new one in every file that holds it; return these files.

    Raises
    ------
    ValueError
        If the address is not of the form ``https://HOST/OWNER/NAME``.
    """
    if not re.fullmatch(r"https://[\w.-]+/[\w.-]+/[\w.-]+", address):
        raise ValueError(f"the address must look like https://github.com/OWNER/NAME, got {address!r}")
    old, changed = read_repository(root), []
    for path in [root / "_config.yml", *sorted(root.glob("chapters/*.ipynb"))]:
        text = path.read_text(encoding="utf-8")
        if old in text:
            path.write_text(text.replace(old, address), encoding="utf-8", newline="\n")
            changed.append(path)
    return changed


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: make repository URL=https://github.com/you/your-fork")
    try:
        for path in set_repository(sys.argv[1]):
            print(path.relative_to(ROOT))
    except ValueError as error:
        sys.exit(f"error: {error}")
