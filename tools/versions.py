"""Test the package and every chapter with one set of versions, in an environment of its own.

    python tools/versions.py oldest                            # the quick tests and the chapters
    python tools/versions.py colab chapters/07_keras_windows.ipynb
    python tools/versions.py newest --python python3.13

The package's own dependencies are resolved first, at the bounds or pins of the set; what the tests need comes around
them. The environment is made anew each time, by uv, in `_build/versions`; the versions are printed before the tests.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ENVIRONMENTS = ROOT / "_build" / "versions"
#: Per set: Python, which of the allowed versions uv takes, and pins beside the bounds of pyproject.toml.
SETS = {
    "oldest": ("3.11", "lowest-direct", ()),
    "colab": ("3.12", "highest", ("tensorflow==2.19.*", "keras==3.10.*", "numpy==2.0.*")),
    "newest": ("3.13", "highest", ()),
}
SHOW = """
import sys
from importlib.metadata import version
print("Python", sys.version.split()[0])
for name in ("tensorflow", "keras", "numpy", "matplotlib"):
    print(name, version(name))
"""


def find_uv():
    """Return the uv that stands beside this Python, or else the one on the PATH."""
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("uv was not found: install it, or run this with .venv/bin/python")
    return found


def make_environment(name, python=None):
    """Make the environment of a set anew and return its interpreter.

    Parameters
    ----------
    name : str
        A key of ``SETS``.
    python : str, optional
        An interpreter; by default uv finds or fetches one of the set's version.
    """
    version, resolution, pins = SETS[name]
    uv, folder = find_uv(), ENVIRONMENTS / name
    interpreter = str(folder / "bin" / "python")
    install = [uv, "pip", "install", "--quiet", "--python", interpreter]
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", python or version, folder], check=True)
    subprocess.run([*install, "--resolution", resolution, "--editable", ROOT, *pins], check=True)
    subprocess.run([*install, "--editable", f"{ROOT}[test]"], check=True)  # changes nothing that is there and fits
    return interpreter


def main():
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("name", choices=SETS)
    parser.add_argument("paths", nargs="*", default=["tests", "chapters"], help="default: tests and chapters")
    parser.add_argument("--python", help="interpreter; default: uv finds or fetches one")
    parser.add_argument("--workers", default="3", help="processes that test (default: 3)")
    options = parser.parse_intermixed_args()
    interpreter = make_environment(options.name, options.python)
    subprocess.run([interpreter, "-c", SHOW], check=True)
    pytest = [interpreter, "-m", "pytest", "--nbval", "-m", "not slow", "-q", "-n", options.workers]
    pytest += ["--dist=loadfile", "--no-loadscope-reorder"]
    sys.exit(subprocess.run([*pytest, *options.paths], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
