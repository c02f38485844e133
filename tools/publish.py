"""Publish the chapters, with the package that they need, on the branch that the Colab buttons point to.

    python tools/publish.py check        # refuse while the book has no address of its own
    python tools/publish.py push REMOTE  # commit onto the branch `colab` of that remote, and push

The working tree, the index and the other branches stay as they are. Nothing is forced: each commit stands on the one
before it, and where nothing has changed there is no new one. The workflows stay out: GitHub lets no workflow push
files of workflows. Only the standard library and git are needed.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from set_repository import ROOT, read_repository

BRANCH = "colab"
FILES = [
    "LICENSE",
    "README.md",
    "_static/book.css",
    "_static/charlm",
    "_static/results.svg",
    "chapters",
    "charlm_utils",
    "data",
    "pyproject.toml",
]
AUTHOR = ["-c", "user.name=tools/publish.py", "-c", "user.email=publish@localhost"]


def git(*arguments, root=ROOT, **environment):
    """Run git and return what it prints."""
    command = ["git", *AUTHOR, *arguments]
    done = subprocess.run(
        command, cwd=root, env=os.environ | environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return done.stdout.strip()


def check_address(root=ROOT):
    """Refuse a book that does not know where it is published.

    Raises
    ------
    ValueError
        If ``_config.yml`` holds the placeholder, or another branch than the one that this script publishes.
    """
    address, branch = read_repository(root)
    command = f"make repository URL=https://github.com/OWNER/NAME BRANCH={BRANCH}"
    if "SET_THE_OWNER" in address:
        raise ValueError(f"the book has no address of its own; set it first: {command}")
    if branch != BRANCH:
        raise ValueError(f"the buttons would point to the branch {branch!r}, not to {BRANCH!r}; first: {command}")


def write_tree(root=ROOT):
    """Return the tree of the published files that git tracks, as they are in the working tree."""
    tracked = git("ls-files", "-z", "--", *FILES, root=root).strip("\0").split("\0")
    with tempfile.TemporaryDirectory() as folder:
        index = str(Path(folder) / "index")
        git("add", "--", *tracked, root=root, GIT_INDEX_FILE=index)
        return git("write-tree", root=root, GIT_INDEX_FILE=index)


def push(remote, root=ROOT):
    """Commit the published files onto the remote's branch and push it; return the commit, or None without a change."""
    check_address(root)
    parents = []
    if git("ls-remote", "--heads", remote, f"refs/heads/{BRANCH}", root=root):
        git("fetch", "--quiet", "--depth=1", remote, f"refs/heads/{BRANCH}", root=root)
        parents = ["-p", "FETCH_HEAD"]
    tree = write_tree(root)
    if parents and tree == git("rev-parse", "FETCH_HEAD^{tree}", root=root):
        return None
    commit = git("commit-tree", tree, *parents, "-m", f"Chapters and package of {read_repository(root)[0]}", root=root)
    git("push", "--quiet", remote, f"{commit}:refs/heads/{BRANCH}", root=root)
    return commit


def main(arguments):
    """Do what the command line says."""
    match arguments:
        case ["check"]:
            check_address()
        case ["push", remote]:
            commit = push(remote)
            print(f"pushed {commit} to {BRANCH}" if commit else f"{BRANCH} is up to date")
        case _:
            sys.exit("usage: publish.py check | publish.py push REMOTE")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ValueError as error:
        sys.exit(f"error: {error}")
    except subprocess.CalledProcessError:
        sys.exit("error: git failed; its message stands above")
