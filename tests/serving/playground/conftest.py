"""Tabs on the page of a real server, and a logo to bring there."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => window.shifts.push(...list.getEntries().map(e => e.value)))
    .observe({type: "layout-shift", buffered: true});
"""


Command = Callable[..., AbstractContextManager[str]]


@pytest.fixture(scope="session")
def serve_command(trained_project: Path, serve_in: Callable[..., Any]) -> Command:
    """Runs `svg-quality serve` with options, in the trained project; gives its address."""

    @contextmanager
    def run(*options: str) -> Iterator[str]:
        with serve_in(trained_project, "serve", "--port", "0", *options) as (url, _):
            yield url

    return run


@pytest.fixture(scope="session")
def served_url(serve_command: Command) -> Iterator[str]:
    """The address of a server for all tests that need nothing special."""
    with serve_command("--no-log") as url:
        yield url


@pytest.fixture
def new_page(new_tab: Callable[..., Page]) -> Callable[..., Page]:
    """Opens the page, and waits until it knows whether there is a model."""

    def make(address: str, expected: str = "\0", **options: Any) -> Page:
        tab = new_tab(expected, **{"viewport": {"width": 1200, "height": 1000}, **options})
        tab.add_init_script(SHIFTS)
        tab.goto(address)
        expect(tab.locator("#model.ready, #model.missing, #key-form:not([hidden])")).to_be_visible()
        return tab

    return make


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
