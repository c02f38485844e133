"""Run the chapters under other kernels, threads and first weights, and compare their outputs strictly each time.

    python tools/portable.py                                # every chapter under every setting
    python tools/portable.py --runs 3                       # three times
    python tools/portable.py --settings jitter avx2 --chapters chapters/03_counting.ipynb

Each chapter runs in a process and a kernel of its own, which inherits the setting as environment variables. The table
at the end names the code cells (counted from 0, as nbval does) whose outputs differed; ``_build/portable`` keeps what
nbval said. A kernel that dies, or a chapter that takes longer than ``--limit``, counts as a failure.
"""

import argparse
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CHAPTERS = ROOT / "chapters"
LOGS = ROOT / "_build" / "portable"
SETTINGS = {
    "default": {},
    "avx2": {"ONEDNN_MAX_CPU_ISA": "AVX2"},  # the kernels of a processor without AVX-512
    "no-onednn": {"TF_ENABLE_ONEDNN_OPTS": "0"},  # TensorFlow's own kernels, as on other processors
    "one-thread": {"TF_NUM_INTRAOP_THREADS": "1"},
    "two-threads": {"TF_NUM_INTRAOP_THREADS": "2"},
    "jitter": {"CHARLM_JITTER": "1e-6"},  # see charlm_utils/jitter.py
}


def environment_of(setting):
    """Return this process's environment with the variables of one setting, and without those of the others."""
    environment = dict(os.environ)
    for variables in SETTINGS.values():
        for name in variables:
            environment.pop(name, None)
    environment.update(SETTINGS[setting])
    return environment


def run_chapter(path, setting, log, limit):
    """Run one notebook under one setting.

    Parameters
    ----------
    path, log : Path
        The notebook, and the file for what nbval says.
    setting : str
        A key of ``SETTINGS``.
    limit : float
        Seconds after which the run is ended and counts as failed.

    Returns
    -------
    str
        The numbers of the cells that failed and, where the kernel died or time ran out, in which cell; empty if all
        is well.
    """
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "-p", "no:cacheprovider"]
    command += ["--nbval", "--verbose", "--color=no", f"--nbval-cell-timeout={limit}", str(path)]
    over = False
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment_of(setting), stdout=file, stderr=subprocess.STDOUT
        )
        try:
            process.wait(limit)
        except subprocess.TimeoutExpired:
            over = True
            process.kill()  # its kernel sees that and ends
            process.wait()
    return read_log(log.read_text("utf-8"), process.returncode, over)


def read_log(text, status, over):
    """Return what failed, in a few words, from what nbval said, its exit status and whether the time ran out."""
    results = re.findall(r"::Cell (\d+) (PASSED|FAILED|ERROR|XFAIL|XPASS)", text)
    failed = [cell for cell, result in results if result in ("FAILED", "ERROR")]
    if over:
        return ", ".join([*failed, f"{len(results)} died or too long"])
    if failed:
        return ", ".join(failed)
    return "" if status == 0 and results else "did not run"


def table(found):
    """Return lines that show, per chapter and setting, the cells that failed.

    Parameters
    ----------
    found : dict
        From ``(chapter, setting)`` to a list with what :func:`run_chapter` returned in each run.
    """
    chapters = list(dict.fromkeys(chapter for chapter, _ in found))
    settings = list(dict.fromkeys(setting for _, setting in found))
    rows = [["", *settings]]
    for chapter in chapters:
        cells = []
        for setting in settings:
            failures = [failure for failure in found[chapter, setting] if failure]
            cells.append(" / ".join(failures) or "ok")
        rows.append([chapter, *cells])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def run_all(chapters, settings, *, runs, workers, limit, logs):
    """Run all chapters under all settings, several at a time, and return what :func:`table` takes."""
    logs.mkdir(parents=True, exist_ok=True)
    found = {(path.stem, setting): [] for path in chapters for setting in settings}

    def run_one(job):
        path, setting, run = job
        failure = run_chapter(path, setting, logs / f"{path.stem}.{setting}.{run}.log", limit)
        print(f"run {run}  {setting}  {path.stem}  {failure or 'ok'}", file=sys.stderr, flush=True)
        return path.stem, setting, failure

    jobs = [(path, setting, run) for run in range(1, runs + 1) for setting in settings for path in chapters]
    with ThreadPoolExecutor(workers) as pool:
        for chapter, setting, failure in pool.map(run_one, jobs):
            found[chapter, setting].append(failure)
    return found


def main(arguments=None):
    """Run what the command line names; the exit status is 1 if anything failed."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--chapters", nargs="+", type=Path, help="notebooks to run; default: every chapter")
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS), help="default: all")
    parser.add_argument("--runs", type=int, default=1, help="how often; default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="chapters at a time; default: %(default)s")
    parser.add_argument("--limit", type=int, default=900, help="seconds that a chapter may take; default: %(default)s")
    parser.add_argument("--logs", type=Path, default=LOGS, help="folder for what nbval says; default: _build/portable")
    options = parser.parse_args(arguments)
    chapters = [path.resolve() for path in options.chapters or sorted(CHAPTERS.glob("*.ipynb"))]
    found = run_all(
        chapters,
        options.settings,
        runs=options.runs,
        workers=options.workers,
        limit=options.limit,
        logs=options.logs,
    )
    print("\n".join(table(found)))
    failures = [failure for results in found.values() for failure in results if failure]
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
