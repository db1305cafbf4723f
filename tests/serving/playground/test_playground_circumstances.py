"""The page where something is missing, busy or gone; by keyboard, on a phone, in the dark."""

import re
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, Route, expect

from svg_quality.conversion.images import load_image
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.tracing import trace
from svg_quality.serving.security import PAGE_POLICY

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[3] / "src/svg_quality/serving/playground"
NUMBER = re.compile(r"\d")
Load = Callable[[Page, Any], None]
NewPage = Callable[..., Page]
Command = Callable[..., AbstractContextManager[str]]
CONTRASTS = """() => {
    const paper = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
    const over = colours => {  // those colours painted over each other, as red, green, blue
        paper.clearRect(0, 0, 1, 1);
        for (const colour of colours) {
            paper.fillStyle = colour;
            paper.fillRect(0, 0, 1, 1);
        }
        return [...paper.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = rgb => {  // WCAG 2.2, relative luminance
        const [r, g, b] = rgb.map(v => v / 255).map(
            v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = element => {
        const colours = [];
        for (let at = element; at; at = at.parentElement)
            colours.unshift(getComputedStyle(at).backgroundColor);
        return ["white", ...colours];
    };
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        const text = walker.currentNode.textContent.trim();
        if (!text || !element.checkVisibility() || element.closest("noscript, .hidden, .skip, :disabled"))
            continue;
        const style = getComputedStyle(element);
        const ink = element instanceof SVGElement ? style.fill : style.color;
        const [light, dark] = [over(behind(element)), over([...behind(element), ink])]
            .map(luminance).sort((a, b) => b - a);
        found.push([text.slice(0, 40), (light + 0.05) / (dark + 0.05), Number(style.opacity)]);
    }
    return found;
}"""  # noqa: E501


FOCUS_RING = """e => {  // where the element itself is not seen, of what stands for it
    const stands = e.id === "file" ? document.querySelector("label[for=file]")
        : e.matches(".choice input") ? e.nextElementSibling : e;
    return getComputedStyle(stands).outlineStyle;
}"""


def choose_settings(page: Page) -> None:
    """Open everything that can be open, with text in all places."""
    page.locator("#more summary").click()
    page.locator("input[name=p-mode][value=polygon]").check(force=True)
    page.get_by_label("Lowest SSIM").fill("0.3")
    page.locator("#front .point").first.click(force=True)
    page.locator("[data-copy=json]").click()
    page.get_by_role("button", name="Optimise").click()
    expect(page.locator("#outcome")).to_be_visible(timeout=30_000)
    page.get_by_label("Largest size, bytes").fill("900")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(
    scheme: str, served_url: str, logo: Path, new_page: NewPage, load: Load
) -> None:
    page = new_page(served_url, color_scheme=scheme, permissions=["clipboard-write"])
    before = page.evaluate(CONTRASTS)
    load(page, logo)
    choose_settings(page)
    page.locator("#alert-text").evaluate(
        "e => (e.textContent = 'wrong', e.parentElement.hidden = 0)"
    )
    page.locator("#worth").evaluate("e => (e.textContent = 'not worth it', e.hidden = false)")
    after = page.evaluate(CONTRASTS)
    assert len(before) > 20
    assert len(after) > 100
    assert [row for row in before + after if row[1] < 4.5 or row[2] < 1] == []
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (max(map(int, re.findall(r"\d+", paper))) < 60) == (scheme == "dark")


def test_a_phone_shows_everything_without_scrolling_sideways(
    served_url: str, logo: Path, new_page: NewPage, load: Load
) -> None:
    page = new_page(served_url, viewport={"width": 390, "height": 844}, has_touch=True)
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 390
    load(page, logo)
    choose_settings(page)
    assert page.evaluate(width) <= 390
    page.locator("#p-max_iterations").scroll_into_view_if_needed()
    expect(page.locator("#ssim-predicted")).to_be_in_viewport()
    small = page.locator("button:visible, .button:visible, summary:visible").evaluate_all(
        "all => all.filter(e => e.getBoundingClientRect().height < 24).map(e => e.textContent)"
    )
    assert small == []  # WCAG 2.2, target size


def test_everything_can_be_done_by_keyboard(
    served_url: str, logo: Path, new_page: NewPage, tmp_path: Path
) -> None:
    page = new_page(served_url)
    page.on("filechooser", lambda chooser: chooser.set_files(logo))

    def tab_to(selector: str) -> None:
        for _ in range(60):
            page.keyboard.press("Tab")
            assert page.locator(":focus").count() == 1
            if page.locator(f"{selector}:focus").count():
                break
        else:
            raise AssertionError(f"{selector} cannot be reached")
        ring = page.locator(selector).evaluate(FOCUS_RING)
        assert ring == "solid"

    tab_to("#file")
    page.keyboard.press("Enter")
    expect(page.locator("#front svg")).to_be_visible()
    expect(page.locator("#ssim-predicted")).to_have_text(NUMBER)
    first = page.locator("#ssim-predicted").inner_text()
    tab_to("input[name=zoom]:checked")
    page.keyboard.press("ArrowRight")
    assert page.locator("input[name=zoom][value='2']").is_checked()
    tab_to("#p-color_precision")
    for _ in range(4):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#ssim-predicted")).not_to_have_text(first)
    tab_to("#front svg")
    page.keyboard.press("Home")
    expect(page.locator("#front-says")).to_contain_text("Point 1 of")
    page.keyboard.press("Shift+Tab")
    for _ in range(80):
        if page.locator("#convert:focus").count():
            break
        page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#status")).to_contain_text("Converted")
    tab_to("#download")
    with page.expect_download() as saving:
        page.keyboard.press("Enter")
    saving.value.save_as(tmp_path / "kept.svg")
    assert (tmp_path / "kept.svg").read_text().startswith("<?xml")


def test_pictures_are_enlarged_and_moved_by_keys(
    served_url: str, logo: Path, new_page: NewPage, load: Load
) -> None:
    page = new_page(served_url, reduced_motion="reduce")
    load(page, logo)
    picture = page.locator("#tracing")
    small = picture.bounding_box() or {}
    page.locator("[data-pane]").first.focus()
    page.keyboard.press("+")
    page.keyboard.press("+")
    large = picture.bounding_box() or {}
    assert large["width"] == pytest.approx(4 * small["width"], rel=0.01)
    page.keyboard.press("ArrowRight")
    moved = picture.bounding_box() or {}
    assert moved["x"] < large["x"]  # both panes move, whichever has the focus
    source = page.locator("#source").bounding_box() or {}
    assert source["width"] == pytest.approx(moved["width"])
    assert picture.evaluate("e => getComputedStyle(e).transitionDuration") == "0s"


def test_a_busy_server_is_waited_for(
    served_url: str, logo: Path, new_page: NewPage, load: Load
) -> None:
    page = new_page(served_url, expected="429")
    load(page, logo)
    answers = iter([429])

    def busy_once(route: Route) -> None:
        if next(answers, None):
            route.fulfill(status=429, headers={"Retry-After": "1"}, body="{}")
        else:
            route.continue_()

    page.route("**/v1/convert", busy_once)
    page.locator("#p-filter_speckle").fill("7")
    start = time.monotonic()
    page.locator("#convert").click()
    expect(page.locator("#status")).to_have_text("The server is busy; trying again in 1 s.")
    expect(page.locator("#status")).to_contain_text("Converted")
    assert time.monotonic() - start >= 1
    expect(page.locator("#alert")).to_be_hidden()


def test_without_a_model_sliders_still_convert_for_real(
    serve_command: Command, logo: Path, new_page: NewPage, tmp_path: Path
) -> None:
    (tmp_path / "off.yaml").write_text("predictor: {enabled: false}")
    with serve_command("--no-log", "--config", str(tmp_path / "off.yaml")) as url:
        page = new_page(url)
        expect(page.locator("#model")).to_contain_text("No model")
        page.locator("#file").set_input_files(logo)
        expect(page.locator("#ssim-measured")).to_have_text(NUMBER)
        expect(page.locator("#no-model")).to_contain_text("No predictions")
        expect(page.locator("#fine")).to_be_hidden()
        expect(page.locator("#chart")).to_contain_text("No model answers")
        expect(page.locator("#front .tried")).to_have_count(1)
        expect(page.locator("#ssim-predicted")).not_to_have_text(NUMBER)
        page.locator("#p-color_precision").fill("3")
        page.locator("#convert").click()
        expect(page.locator("#status")).to_contain_text("Converted")
        made = trace(load_image(logo).rgb, Parameters(color_precision=3))
        assert f"{len(made.encode()):,} B" == page.locator("#bytes-measured").inner_text()
        page.get_by_role("button", name="Optimise").click()
        expect(page.locator("#outcome")).to_be_visible(timeout=30_000)
        expect(page.locator("#alert")).to_be_hidden()


def test_a_model_that_comes_later_is_said_so(served_url: str, logo: Path, browser: Browser) -> None:
    none = httpx.get(f"{served_url}v1/model").json() | {
        "available": False, "reason": "none is in Production", "model_version": None,
    }  # fmt: skip
    with browser.new_context() as context:
        context.route("**/v1/model", lambda route: route.fulfill(json=none))
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(served_url)
        expect(page.locator("#no-model")).to_contain_text("none is in Production")
        page.locator("#file").set_input_files(logo)
        expect(page.locator("#model")).to_have_text("Model 1")
        expect(page.locator("#ssim-predicted")).to_have_text(NUMBER)
        expect(page.locator("#fine")).to_contain_text("50 times in 100")  # its own intervals
        expect(page.locator("#no-model")).to_be_hidden()
        assert wrong == []


def test_stop_stays_while_a_newer_wish_is_under_way(
    served_url: str, logo: Path, new_page: NewPage, load: Load
) -> None:
    page = new_page(served_url, expected="Failed to load resource")
    load(page, logo)
    page.route("**/v1/optimize", lambda route: None)  # no answer comes
    page.locator("#optimise").click()
    page.locator("#optimise").click()
    expect(page.locator("#status")).to_contain_text("Optimising")
    expect(page.locator("#stop")).to_be_visible()
    page.wait_for_timeout(200)  # the first one has been given up by now
    expect(page.locator("#stop")).to_be_visible()
    page.locator("#stop").click()
    expect(page.locator("#stop")).to_be_hidden()
    expect(page.locator("#status")).to_have_text("Stopped.")


def test_a_key_is_asked_for_and_a_server_that_went_away_is_said_so(
    serve_command: Command, logo: Path, new_page: NewPage, load: Load, tmp_path: Path,
) -> None:  # fmt: skip
    (tmp_path / "key").write_text("a-key-of-some-length")
    with serve_command("--no-log", "--api-key-file", str(tmp_path / "key")) as url:
        page = new_page(url, expected="Failed to load resource")
        expect(page.locator("#key-form")).to_be_visible()
        page.get_by_label("This server asks for a key").fill("a-wrong-key-of-it")
        page.keyboard.press("Enter")
        expect(page.locator("#key-form")).to_be_visible()
        page.get_by_label("This server asks for a key").fill("a-key-of-some-length")
        page.keyboard.press("Enter")
        expect(page.locator("#model")).to_have_class(re.compile("ready"))
        load(page, logo)
    page.locator("#p-filter_speckle").fill("7")
    page.locator("#convert").click()
    expect(page.locator("#alert-text")).to_contain_text("The server does not answer")
    expect(page.locator("#source")).to_have_js_property("naturalWidth", 96)


def test_a_tiff_is_shown_although_browsers_do_not_draw_it(
    served_url: str, logo: Path, new_page: NewPage, load: Load, tmp_path: Path
) -> None:
    page = new_page(served_url)
    with Image.open(logo) as opened:
        opened.save(tmp_path / "logo.tiff")
    load(page, tmp_path / "logo.tiff")
    expect(page.locator("#source")).to_have_js_property("naturalWidth", 96)
    expect(page.locator("#source")).to_have_attribute("alt", "The logo")
    expect(page.locator("#tracing")).to_be_visible()


def test_the_page_needs_nothing_inline_and_nothing_from_elsewhere(served_url: str) -> None:
    answer = httpx.get(served_url)
    assert answer.headers["Content-Security-Policy"] == PAGE_POLICY
    assert "unsafe" not in PAGE_POLICY
    assert not re.search(r"<style|style=|<script(?! type=\"module\" src=)|\son\w+=", answer.text)
    for file in PAGE.iterdir():
        text = file.read_text()
        addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[\w./]*", text))
        assert addresses <= {"http://www.w3.org/2000/svg"}, file.name
        assert "innerHTML" not in text, file.name
        served = httpx.get(f"{served_url}playground/{file.name}")
        assert served.text == text
        assert len(text.splitlines()) <= 330, file.name
