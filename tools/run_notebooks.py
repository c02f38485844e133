"""Run chapters from a fresh kernel and store their outputs, clean: no times, no logs, no editor metadata.

    python tools/run_notebooks.py                      # every chapter
    python tools/run_notebooks.py chapters/01_*.ipynb  # some
    python tools/run_notebooks.py --output /tmp/full chapters/07_keras_stateful_gru.ipynb  # elsewhere

The scale is that of CHARLM_SCALE. A second run on the same machine leaves an empty `git diff`, but for timed cells.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

CHAPTERS = Path(__file__).resolve().parent.parent / "chapters"


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
    return notebook


def run(path, output):
    """Execute one notebook in its own folder and write it, outputs included, to ``output``."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        timeout=None,
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    with tempfile.NamedTemporaryFile("w", dir=output.parent, suffix=".part", delete=False, encoding="utf-8") as file:
        nbformat.write(clean(notebook), file)
    Path(file.name).chmod(0o644)
    Path(file.name).replace(output)


def main():
    """Run what the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("notebooks", nargs="*", type=Path, help="notebooks to run; default: every chapter")
    parser.add_argument("--output", type=Path, help="folder to write to; default: in place")
    options = parser.parse_args()
    if options.output:
        options.output.mkdir(parents=True, exist_ok=True)
    for path in options.notebooks or sorted(CHAPTERS.glob("*.ipynb")):
        path = path.resolve()
        print(f"running {path.name}", file=sys.stderr)
        run(path, options.output / path.name if options.output else path)


if __name__ == "__main__":
    main()
