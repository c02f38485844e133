"""Sphinx extension: the foot of a page names version and licenses, and what the book was built with.

Nothing of it is typed: the versions are those of the environment that builds. They count as verified if they are those
of `requirements.lock`, with which the tests run every chapter and compare its outputs. When a chapter was last changed
is asked of git, where its whole history is there.
"""

import datetime
import importlib.metadata
import re
import subprocess
from pathlib import Path

PACKAGES = {"tensorflow": "TensorFlow", "keras": "Keras", "numpy": "NumPy"}
LICENSES = "Code: MIT license. Prose: CC BY 4.0."


def ask_git(root, *question):
    """Return what git prints, or nothing where there is no git or no repository."""
    try:
        done = subprocess.run(["git", *question], cwd=root, capture_output=True, text=True)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def last_change(root, path):
    """Return the day on which a file was last changed, or nothing where git does not know it."""
    if ask_git(root, "rev-parse", "--is-shallow-repository") != "false":
        return ""
    return ask_git(root, "log", "-1", "--format=%cs", "--", path)


def locked_versions(root):
    """Return the pairs of package and version in the lock file."""
    lock = (root / "requirements.lock").read_text("utf-8")
    return set(re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.M))


def describe_build(versions, locked, day):
    """Return the sentence about the versions that a book was built with.

    Parameters
    ----------
    versions : dict of str to str
        Package and version, of the environment that builds.
    locked : set of (str, str)
        Package and version, of the lock file.
    day : str
        When it was built.
    """
    *first, last = [f"{PACKAGES[package]} {version}" for package, version in versions.items()]
    named = f"{', '.join(first)} and {last}"
    if set(versions.items()) <= locked:
        tests = "with these the tests run every chapter and compare its outputs"
        return f"Last verified with {named}: {tests}. Built on {day}."
    return f"Built on {day} beside {named}, which are not the versions of the lock file."


def add_foot(app, pagename, templatename, context, doctree):
    """Add the foot to a page."""
    root = Path(app.srcdir)
    versions = {package: importlib.metadata.version(package) for package in PACKAGES}
    day = f"<time>{datetime.date.today().isoformat()}</time>"
    lines = [f"Version {importlib.metadata.version('charlm-utils')}. {LICENSES}"]
    lines.append(describe_build(versions, locked_versions(root), day))
    changed = last_change(root, f"{pagename}.ipynb") if pagename.startswith("chapters/") else ""
    if changed:
        lines.append(f"This chapter was last changed on <time>{changed}</time>.")
    context["theme_extra_footer"] = "\n".join(f"<p>{line}</p>" for line in lines)


def setup(app):
    """Connect the hook."""
    app.connect("html-page-context", add_foot)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
