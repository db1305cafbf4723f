"""A browser in which nothing may go wrong, and a logo to bring to the page."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = shutil.which("chromium")
PROGRAM = Path(sys.executable).with_name("svg-quality")
SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(e => e.value)))
    .observe({type: "layout-shift", buffered: true});
"""


Command = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serve_command(trained_project: Path) -> Command:
    """Runs `svg-quality serve` with options, in the trained project; gives its address."""

    @contextmanager
    def run(*options: str) -> Iterator[str]:
        kept = {name: value for name, value in os.environ.items() if "MLFLOW" not in name}
        store = {"MLFLOW_TRACKING_URI": f"sqlite:///{trained_project}/mlruns/mlflow.db"}
        with subprocess.Popen(
            [PROGRAM, "serve", "--port", "0", *options], cwd=trained_project, env=kept | store,
            text=True, stdout=subprocess.PIPE,
            # A shell starts background jobs with Ctrl-C ignored, and their children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:  # fmt: skip
            assert process.stdout is not None
            page = next(line for line in process.stdout if line.startswith("Page:"))
            try:
                yield page.split()[1]
            finally:
                process.send_signal(signal.SIGINT)
                process.communicate(timeout=30)

    return run


@pytest.fixture(scope="session")
def served_url(serve_command: Command) -> Iterator[str]:
    """The address of a server for all tests that need nothing special."""
    with serve_command("--no-log") as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as engine:
        opened = engine.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens tabs in which nothing may go wrong: no script error, no request to elsewhere.

    A failed request that the page foresees is named in ``expected``, a part of the message.
    """
    opened: list[tuple[Page, list[str], str]] = []

    def make(address: str, expected: str = "\0", **options: Any) -> Page:
        tab = browser.new_page(**{"viewport": {"width": 1200, "height": 1000}, **options})
        wrong: list[str] = []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda line: wrong.append(line.text) if line.type == "error" else None)
        tab.on("request", lambda asked: wrong.append(asked.url) if is_foreign(asked.url) else None)
        tab.add_init_script(SHIFTS)
        tab.goto(address)
        expect(tab.locator("#model.ready, #model.missing, #key-form:not([hidden])")).to_be_visible()
        opened.append((tab, wrong, expected))
        return tab

    def is_foreign(address: str) -> bool:
        parts = urlsplit(address)
        return parts.scheme in ("http", "https") and parts.hostname != "127.0.0.1"

    yield make
    for tab, wrong, expected in opened:
        tab.context.close()
        assert [line for line in wrong if expected not in line] == []


@pytest.fixture(scope="module")
def logo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc with a gradient and a bar, transparent around it."""
    path = tmp_path_factory.mktemp("logo") / "two words.png"
    drawn = Image.new("RGBA", (96, 80))
    pen = ImageDraw.Draw(drawn)
    for row in range(8, 72):
        half = int((32**2 - (row - 40) ** 2) ** 0.5)
        pen.line((44 - half, row, 44 + half, row), fill=(250 - 2 * row, 40 + 2 * row, 90, 255))
    pen.rectangle((60, 20, 88, 34), fill=(20, 40, 120, 255))
    drawn.save(path)
    return path


@pytest.fixture(scope="session")
def load() -> Callable[[Page, Any], None]:
    """Picks a file, and waits until all its answers are there."""
    number = re.compile(r"\d")

    def pick(page: Page, file: Any) -> None:
        page.locator("#file").set_input_files(file)
        expect(page.locator("#ssim-measured")).to_have_text(number)
        expect(page.locator("#ssim-predicted")).to_have_text(number)
        expect(page.locator("#front svg")).to_be_visible()

    return pick
