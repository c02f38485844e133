"""Run chapters from a fresh kernel and store their outputs, clean: no times, no logs, no editor metadata.

    python tools/run_notebooks.py                      # every chapter
    python tools/run_notebooks.py chapters/01_*.ipynb  # some
    python tools/run_notebooks.py --timed chapters/14_speed.ipynb  # with new timings
    python tools/run_notebooks.py --output /tmp/full chapters/08_keras_stateful_gru.ipynb  # elsewhere, all outputs new

The scale is that of CHARLM_SCALE. A second run leaves an empty `git diff`: cells tagged `nbval-ignore-output`, which
are timed or depend on the machine, keep the outputs that were committed last, unless code has changed there or above,
or --timed asks for new ones.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"
TIMED = "nbval-ignore-output"


def clean(notebook):
    """Drop what differs from run to run or machine to machine, or was never meant for readers."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number:02d}"
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in ("tags", "mystnb")}
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            for output in cell.outputs:
                output.pop("metadata", None) if output.output_type == "stream" else output.update(metadata={})
                if "image/svg+xml" in output.get("data", {}):
                    output.data["image/svg+xml"] = compact(output.data["image/svg+xml"])
    return notebook


def compact(svg):
    """Return a drawing of Matplotlib's that looks the same in less than two thirds of the characters.

    Comments, names that nothing refers to, and white space go; numbers keep four digits, a tenth of a point or better;
    names of letters are short, and marks of one style share it.
    """
    svg = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>|<!DOCTYPE.*?>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-z0-9.]+_\d+"', "", svg)
    svg = re.sub(r">\s+<", "><", re.sub(r"\s+", " ", svg))
    svg = re.sub(r"<g>(<path [^>]*/>)</g>", r"\1", svg)
    svg = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.4g}", svg)
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r" ?([MLQCz]) ?", r"\1", path[0]), svg)
    svg = svg.replace("DejaVuSans-", "D")
    return re.sub(r'(<g [^>]*)>((?:<use [^>]* style="[^"]*"/>)+)</g>', share_style, svg)


def share_style(group):
    """Give the style of marks to their group (a match: its tag, and the marks), if all have one that is inherited."""
    tag, marks = group.groups()
    styles = set(re.findall(r' style="[^"]*"', marks))
    style = styles.pop()
    if styles or "opacity" in style or "style" in tag:
        return group[0]
    return f"{tag}{style}>{marks.replace(style, '')}</g>"


def code_cells(notebook):
    """Return the cells that hold code."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def committed(path):
    """Return a notebook as the last commit holds it, or an empty one where it is new."""
    command = ["git", "show", f"HEAD:./{path.name}"]
    done = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, encoding="utf-8")
    return nbformat.v4.new_notebook() if done.returncode != 0 else nbformat.reads(done.stdout, as_version=4)


def keep_timed_outputs(notebook, earlier):
    """Give timed cells their earlier outputs back, down to the first cell of code that has changed."""
    for cell, before in zip(code_cells(notebook), code_cells(earlier), strict=False):
        if cell.source != before.source:
            break
        if TIMED in cell.metadata.get("tags", []):
            cell.outputs = before.outputs


def run(path, output, timed=False):
    """Execute one notebook in its own folder and write it to ``output``; ``timed`` outputs are new or as committed."""
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs = []
        cell.execution_count = None
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        timeout=None,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    if not timed:
        keep_timed_outputs(notebook, committed(path))
    with tempfile.NamedTemporaryFile("w", dir=output.parent, suffix=".part", delete=False, encoding="utf-8") as file:
        nbformat.write(clean(notebook), file)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(output)


def main():
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks to run; default: every chapter")
    parser.add_argument("--timed", action="store_true", help="store new outputs of timed cells, too")
    parser.add_argument("--output", type=Path, help="folder to write to, all outputs new; default: in place")
    options = parser.parse_args()
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    for path in options.notebooks or sorted(CHAPTERS.glob("*.ipynb")):
        path = path.resolve()
        print(f"running {path.name}", file=sys.stderr)
        if options.output:
            run(path, options.output / path.name, timed=True)
        else:
            run(path, path, timed=options.timed)


if __name__ == "__main__":
    main()
