"""What several test files share."""

import contextlib
import functools
import http.server
import importlib
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parent.parent
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def script():
    """A function that imports a script of ``benchmarks`` or ``experiments``; these folders are no packages."""

    def import_script(folder, name):
        path = str(ROOT / folder)
        sys.path.insert(0, path)
        try:
            return importlib.import_module(name)
        finally:
            sys.path.remove(path)

    return import_script


@pytest.fixture(scope="session")
def turns(script):
    """What the benchmarks share."""
    return script("benchmarks", "turns")


@pytest.fixture(scope="session")
def torch(turns):
    """PyTorch's process; where there is none, the test is skipped."""
    worker = turns.start_torch()
    if worker is None:
        pytest.skip("no PyTorch: `make bench` installs it into .venv-rivals, or set CHARLM_RIVALS_PYTHON")
    yield worker
    worker.close()


@pytest.fixture(scope="session")
def copy_checkout():
    """A function that copies the files of the checkout, as they are now, into a folder; those that git ignores stay."""

    def copy(folder):
        command = ["git", "ls-files", "-co", "--exclude-standard"]
        names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
        for name in names:
            if (ROOT / name).is_file():
                target = folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, target)

    return copy


@pytest.fixture(scope="session")
def run_steps():
    """A function that runs the commands of one job of a workflow in a folder, and returns the last result."""

    def run(workflow, job, folder, leave_out=(), **environment):
        jobs = yaml.safe_load((ROOT / ".github" / "workflows" / workflow).read_text("utf-8"))["jobs"]
        commands = [step["run"] for step in jobs[job]["steps"] if "run" in step]
        assert set(leave_out) < set(commands)
        for command in commands:
            if command in leave_out:
                continue
            options = {"cwd": folder, "env": os.environ | environment, "capture_output": True, "text": True}
            result = subprocess.run(["bash", "-e", "-c", command], **options)
            if result.returncode != 0:
                break
        return result

    return run


@pytest.fixture(scope="session")
def browser():
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium or Chrome")
        pytest.skip("neither Chromium nor Chrome is installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and writes nothing down."""

    def log_message(self, *arguments):
        """Write nothing."""


@pytest.fixture(scope="session")
def serve():
    """A function that serves a folder on this machine while a block runs, and gives the address."""

    @contextlib.contextmanager
    def serve(folder):
        handler = functools.partial(QuietHandler, directory=str(folder))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield f"http://127.0.0.1:{server.server_port}"
            server.shutdown()

    return serve


@pytest.fixture(scope="session")
def write_widgets():
    """A function that writes page.html with widgets into a folder, beside the scripts and the styles of the book.

    A widget is its class, its data attributes, which become JSON unless they are strings, and its recorded text.
    """

    def write(folder, *widgets):
        shutil.copytree(ROOT / "_static" / "charlm", folder / "charlm")
        shutil.copy(ROOT / "_static" / "book.css", folder)
        page = BeautifulSoup(
            '<!doctype html><html lang="en"><head><title>A page</title></head><body></body></html>', "html.parser"
        )
        page.head.append(page.new_tag("meta", charset="utf-8"))
        page.head.append(page.new_tag("meta", attrs={"name": "viewport", "content": "width=device-width"}))
        page.head.append(page.new_tag("link", rel="icon", href="data:,"))
        page.head.append(page.new_tag("link", rel="stylesheet", href="book.css"))
        for path in sorted((folder / "charlm").glob("*.js")):
            page.head.append(page.new_tag("script", src=f"charlm/{path.name}"))
        for name, data, text in widgets:
            kept = {key: value if isinstance(value, str) else json.dumps(value) for key, value in data.items()}
            widget = page.new_tag("div", attrs={"class": name} | kept)
            widget.append(page.new_tag("pre", string=text))
            page.body.append(widget)
        (folder / "page.html").write_text(str(page), "utf-8")

    return write


def open_tab(browser):
    """A page that keeps the addresses it asked for, what was said on its console and in dialogs, and script errors."""
    page = browser.new_page()
    page.asked, page.said, page.errors, page.dialogs = [], [], [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.said.append(message.text))
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.on("dialog", lambda dialog: page.dialogs.append(dialog.message) or dialog.dismiss())
    return page


@pytest.fixture
def tab(browser):
    """A page of a test's own."""
    page = open_tab(browser)
    yield page
    page.close()


@pytest.fixture(scope="module")
def only_tab(browser):
    page = open_tab(browser)
    yield page
    page.close()


@pytest.fixture
def same_tab(only_tab):
    """The page that the tests of a module use in turn, empty: to open a new one costs four times as much.

    A test that adds scripts to all documents, or counts workers, takes ``tab``.
    """
    only_tab.goto("about:blank")
    only_tab.set_viewport_size({"width": 1280, "height": 720})
    only_tab.emulate_media(reduced_motion="null")
    for kept in (only_tab.asked, only_tab.said, only_tab.errors, only_tab.dialogs):
        kept.clear()
    return only_tab
