"""The charts of the page in a real browser: pointing, the keyboard, hiding, a blocked storage."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Page, expect

from svg_quality.conversion.parameters import Parameters
from svg_quality.evaluation.reporting.evaluation import EvaluationReport
from svg_quality.evaluation.reporting.report import write_report

pytestmark = pytest.mark.slow
SETS = (Parameters(), Parameters(colormode="binary"), Parameters(color_precision=1))


@pytest.fixture(scope="module")
def html(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three logos x three sets; the second logo's black and white is missed by most."""
    folder = tmp_path_factory.mktemp("page")
    path = folder / "logo.png"
    cv2.imwrite(str(path), np.full((40, 40, 3), 200, np.uint8))
    rows = [
        chosen.as_dict()
        | {"image_id": f"image{k}", "image_path": str(path), "source": f"test/<i>logo{k}.png"}
        | {"logo_type": "simple", "everyday": chosen.is_everyday}
        | {"ssim": 0.9 - 0.1 * j - 0.01 * k, "svg_bytes": 1000 * (j + 1)}
        | {"predicted_ssim": 0.89 - 0.1 * j - 0.01 * k, "ssim_low": 0.2, "ssim_high": 0.95}
        | {"predicted_svg_bytes": 1200.0 * (j + 1)}
        for k in range(3)
        for j, chosen in enumerate(SETS)
    ]
    table = pd.DataFrame(rows)
    table.loc[4, "predicted_ssim"] = 0.4
    report = EvaluationReport("Test", {}, table, {}, load_rgb=lambda _: cv2.imread(str(path)))
    return write_report(report, folder)["html_report"]


@pytest.fixture
def page(html: Path, new_tab: Callable[..., Page]) -> Iterator[Page]:
    """The page inside a sandboxed frame, as MLflow shows it; its script may say nothing at all."""
    opened = new_tab(viewport={"width": 1200, "height": 900})
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    viewer = html.with_name("viewer.html")
    viewer.write_text(
        '<iframe sandbox="allow-scripts" src="evaluation.html" width="1150" height="850">'
    )
    opened.goto(viewer.as_uri())
    yield opened
    assert said == []


def test_pointing_and_the_keyboard_show_the_row(page: Page) -> None:
    frame = page.frame_locator("iframe")
    plot, card = frame.locator("[data-plot]").first, frame.locator("#dot-card")
    expect(card).to_be_hidden()
    plot.focus()
    # Straight to the plot: a browser without a window does not always give a frame its keyboard.
    plot.dispatch_event("keydown", {"key": "ArrowRight"})  # the worst comes first
    expect(card).to_be_visible()
    expect(card.locator("h3")).to_have_text("test/<i>logo1.png")
    expect(card.locator("mark")).to_have_text(["binary"])
    expect(card.locator("img")).to_have_attribute("src", re.compile("^data:image/"))
    expect(frame.locator("#dot-spoken")).to_contain_text("SSIM predicted 0.400")
    # Focusing scrolls the frame, and where the ring is drawn is known two frames later.
    plot.evaluate("() => new Promise(done => requestAnimationFrame(() => setTimeout(done, 100)))")
    box = plot.locator(".ring").bounding_box()
    assert box is not None
    plot.dispatch_event("keydown", {"key": "Escape"})
    expect(card).to_be_hidden()

    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=5)
    expect(card).to_be_visible()
    expect(card.locator("mark")).to_have_text(["binary"])
    frame.locator('[data-style="mono"]').click()
    expect(frame.locator(".dots.mono").first).to_be_hidden()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(card).to_be_hidden()
