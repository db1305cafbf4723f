"""The page at `/` in a real browser, against a real server with a trained model."""

import base64
import io
import json
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, Response, expect

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import NAMES, RANGES, Parameters
from svg_quality.conversion.tracing import trace
from svg_quality.optimization.vtracer_command import vtracer_command

pytestmark = pytest.mark.slow
Load = Callable[[Page, Any], None]
NUMBER = re.compile(r"-?[\d,]+(\.\d+)?")


def shown(page: Page, *names: str) -> list[float]:
    """Numbers as they stand on the page."""
    return [number(page.locator(f"#{name}").inner_text()) for name in names]


def number(text: str) -> float:
    found = NUMBER.search(text)
    assert found, text
    return float(found[0].replace(",", ""))


def asked(served_url: str, logo: Path, **parameters: Any) -> dict[str, Any]:
    """What the API says of one set, asked without the page."""
    answer = httpx.post(
        f"{served_url}v1/predict", files={"image": ("x.png", logo.read_bytes())},
        data={"parameters": json.dumps(parameters)}, timeout=60,
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return {name: column[0] for name, column in answer.json()["predictions"].items()}


def measured(logo: Path, parameters: Parameters) -> tuple[float, int]:
    """SSIM and bytes of a conversion made here."""
    made = measure(load_image(logo).rgb, parameters)
    return made.ssim, made.svg_bytes


def drawn_alike(page: Page, selector: str, svg: str) -> bool:
    """Whether a picture of the page looks as an SVG does, pixel by pixel."""
    data = "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()
    same: bool = page.locator(selector).evaluate(
        """async (image, data) => {
            const draw = source => {
                const canvas = document.createElement("canvas");
                [canvas.width, canvas.height] = [96, 80];
                canvas.getContext("2d").drawImage(source, 0, 0, 96, 80);
                return canvas.toDataURL();
            };
            const other = new Image();
            other.src = data;
            await other.decode();
            return draw(image) === draw(other);
        }""",
        data,
    )
    return same


def answered(page: Page, route: str) -> Any:
    """Waits for an answer of the API."""
    return page.expect_response(lambda answer: is_answer(answer, route))


def is_answer(answer: Response, route: str) -> bool:
    return urlsplit(answer.url).path == f"/v1/{route}" and answer.status == 200


# ---- a logo comes in


def test_a_logo_stands_beside_its_tracing_with_what_was_predicted_and_measured(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    load(page, logo)
    expect(page.locator("#name")).to_have_text("two words.png")
    expect(page.locator("#source")).to_have_js_property("naturalWidth", 96)
    svg = trace(load_image(logo).rgb, Parameters())
    assert drawn_alike(page, "#tracing", svg)

    foreseen = asked(served_url, logo)
    ssim, size = shown(page, "ssim-predicted", "bytes-predicted")
    assert ssim == pytest.approx(foreseen["ssim"], abs=5e-4)
    assert size == pytest.approx(foreseen["svg_bytes"], abs=1)
    real_ssim, real_size = measured(logo, Parameters())
    assert shown(page, "ssim-measured", "bytes-measured") == [round(real_ssim, 4), real_size]
    shifts = page.evaluate("window.shifts")
    assert sum(shifts) < 0.02, shifts  # below 0.1 is called good (web.dev/cls)


def test_dropped_and_pasted_files_come_in_too(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    for number_of, kind in enumerate(("drop", "paste")):
        page.evaluate(
            """([kind, data, name]) => {
                const bytes = Uint8Array.from(atob(data), c => c.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], name, {type: "image/png"}));
                const init = {bubbles: true, cancelable: true};
                document.body.dispatchEvent(kind === "drop"
                    ? new DragEvent("drop", {...init, dataTransfer: transfer})
                    : new ClipboardEvent("paste", {...init, clipboardData: transfer}));
            }""",
            [kind, base64.b64encode(logo.read_bytes()).decode(), f"{number_of}.png"],
        )
        expect(page.locator("#name")).to_have_text(f"{number_of}.png")
        expect(page.locator("#ssim-measured")).to_have_text(NUMBER)


def test_the_example_is_there_and_an_svg_runs_no_script(
    served_url: str, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    page.get_by_role("button", name="Try an example").click()
    expect(page.locator("#ssim-measured")).to_have_text(NUMBER)
    hostile = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60">'
        '<script>window.parent.document.title = "taken"</script>'
        '<rect width="60" height="30" fill="#c22"/></svg>'
    )
    name = '<img src=x onerror="document.title=1">.svg'
    load(page, {"name": name, "mimeType": "image/svg+xml", "buffer": hostile.encode()})
    expect(page.locator("#name")).to_have_text(name)
    assert "svg-quality" in page.title()


def test_a_broken_file_is_said_plainly_and_the_page_goes_on(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url, expected="422")
    broken = {"name": "broken.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\nno"}
    page.locator("#file").set_input_files(broken)
    expect(page.locator("#alert-text")).to_contain_text("This file cannot be used")
    expect(page.locator("#drop")).to_be_visible()
    load(page, logo)
    expect(page.locator("#alert")).to_be_hidden()

    page.locator("#file").set_input_files(broken)
    expect(page.locator("#alert")).to_be_visible()
    expect(page.locator("#name")).to_have_text("two words.png")
    page.get_by_role("button", name="Dismiss").click()
    page.locator("#p-color_precision").focus()
    page.keyboard.press("ArrowLeft")
    with answered(page, "convert"):
        page.locator("#convert").click()
    expect(page.locator("#status")).to_contain_text("Converted")


# ---- settings


def test_a_slider_moved_by_keyboard_changes_the_prediction_at_once_and_then_asks(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    load(page, logo)
    gone: list[str] = []
    page.on("request", lambda request: gone.append(request.url))
    slider = page.locator("#p-layer_difference")
    slider.focus()
    for _ in range(3):
        page.keyboard.press("PageUp")
    at = int(slider.input_value())
    assert at > 16
    foreseen = asked(served_url, logo, layer_difference=at)
    with answered(page, "predict") as asking:
        page.keyboard.press("ArrowRight")
        ssim, size = shown(page, "ssim-predicted", "bytes-predicted")
    foreseen = asked(served_url, logo, layer_difference=at + 1)
    assert ssim == pytest.approx(foreseen["ssim"], abs=5e-4)
    assert size == pytest.approx(foreseen["svg_bytes"], abs=1)
    assert asking.value.json()["n_sets"] > 700  # every move of every slider from here
    assert f"predicted SSIM {ssim:.3f}" in (slider.get_attribute("aria-valuetext") or "")
    expect(page.locator("#ssim-measured")).not_to_have_text(NUMBER)
    expect(page.locator("#tracing-caption")).to_contain_text("Earlier settings")


def test_no_request_is_needed_while_a_slider_moves(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    load(page, logo)
    page.route("**/v1/predict", lambda route: None)  # never answered
    before = shown(page, "ssim-predicted", "bytes-predicted")
    slider = page.locator("#p-color_precision")
    slider.focus()
    for bits in (5, 4, 3, 2):
        page.keyboard.press("ArrowLeft")
        foreseen = asked(served_url, logo, color_precision=bits)
        assert shown(page, "ssim-predicted")[0] == pytest.approx(foreseen["ssim"], abs=5e-4)
    assert shown(page, "ssim-predicted", "bytes-predicted") != before


def test_every_parameter_has_a_control_with_the_range_of_vtracer(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    load(page, logo)
    page.locator("#more summary").click()
    assert set(page.locator(".setting").evaluate_all("all => all.map(e => e.dataset.name)")) == set(
        NAMES
    )
    for name, (low, high) in RANGES.items():
        slider = page.locator(f"#p-{name}")
        assert float(slider.get_attribute("min") or "nan") == low
        assert float(slider.get_attribute("max") or "nan") == high
        assert float(slider.input_value()) == getattr(Parameters(), name)


@pytest.mark.parametrize("way", ["keys", "click"])
def test_a_point_of_the_front_sets_the_sliders(
    way: str, served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    with answered(page, "front") as asking:
        load(page, logo)
    front = asking.value.json()
    chart = page.locator("#front svg")
    if way == "keys":
        chart.focus()
        page.keyboard.press("End")
        page.keyboard.press("ArrowLeft")
        place = len(front["parameters"]) - 2
        assert chart.get_attribute("aria-valuenow") == str(place + 1)
    else:
        place = 0
        page.locator("#front .point").first.click(force=True)
    wanted = front["parameters"][place]
    page.locator("#more summary").click()
    for name in RANGES:
        text = page.locator(f".setting[data-name={name}] .value").inner_text()
        assert number(text) == pytest.approx(wanted[name], abs=0.005)
    assert page.locator(f"input[name=p-mode][value={wanted['mode']}]").is_checked()
    ssim, size = shown(page, "ssim-predicted", "bytes-predicted")
    assert ssim == pytest.approx(front["predictions"]["ssim"][place], abs=5e-4)
    assert size == pytest.approx(front["predictions"]["svg_bytes"][place], abs=1)


@pytest.mark.parametrize(
    "chosen",
    [{}, {"mode": "none", "colormode": "binary"}, {"length_threshold": 4.5, "color_precision": 3}],
)
def test_copied_settings_are_those_of_the_page(
    chosen: dict[str, Any], served_url: str, logo: Path, new_page: Callable[..., Page], load: Load,
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    page = new_page(served_url, permissions=["clipboard-read", "clipboard-write"])
    load(page, logo)
    page.locator("#more summary").click()
    for name, value in chosen.items():
        if isinstance(value, str):
            page.locator(f"input[name=p-{name}][value={value}]").check(force=True)
        else:
            page.locator(f"#p-{name}").fill(str(value))
    copied = {}
    for kind in ("command", "python", "json"):
        page.locator("#copied").evaluate("e => (e.textContent = '')")
        page.locator(f"[data-copy={kind}]").click()
        expect(page.locator("#copied")).to_contain_text("Copied")
        copied[kind] = page.evaluate("navigator.clipboard.readText()")
    parameters = Parameters(**chosen)
    assert Parameters(**json.loads(copied["json"])) == parameters
    expected = vtracer_command(parameters, Path("two words.png"), Path("two words.svg"))
    assert shlex.split(copied["command"]) == shlex.split(expected)
    shutil.copy(logo, tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(copied["python"], "copied", "exec"), {})
    assert (tmp_path / "two words.svg").read_text().count("<svg") == 1


# ---- conversions


def test_a_conversion_is_measured_shown_and_saved(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load, tmp_path: Path
) -> None:
    page = new_page(served_url)
    load(page, logo)
    page.locator("input[name=p-mode][value=polygon]").check(force=True)
    with answered(page, "convert") as converting:
        page.get_by_role("button", name="Convert", exact=True).click()
    expect(page.locator("#status")).to_contain_text("Converted")
    real_ssim, real_size = measured(logo, Parameters(mode="polygon"))
    assert shown(page, "ssim-measured", "bytes-measured") == [round(real_ssim, 4), real_size]
    expect(page.locator("#tracing-caption")).to_contain_text(f"{real_size:,}")

    page.locator("input[name=view][value=difference]").check(force=True)
    difference = page.locator("#difference")
    expect(difference).to_be_visible()
    expect(difference).to_have_js_property("naturalWidth", 96)
    _, data = (difference.get_attribute("src") or "").split(",", 1)
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(data))).convert("L"))
    assert pixels.min() < 250
    assert pixels.max() == 255
    seen = Image.open(io.BytesIO(difference.screenshot())).convert("L")
    assert np.asarray(seen).std() > 1

    with page.expect_download() as saving:
        page.get_by_role("button", name="Download SVG").click()
    saved = tmp_path / saving.value.suggested_filename
    saving.value.save_as(saved)
    assert saved.name == "two words.svg"
    svg = saved.read_text()
    assert svg == converting.value.json()["svg"]
    assert svg == trace(load_image(logo).rgb, Parameters(mode="polygon"))
    page.locator("input[name=view][value=tracing]").check(force=True)
    assert drawn_alike(page, "#tracing", svg)


def test_download_converts_first_where_that_was_not_done(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load, tmp_path: Path
) -> None:
    page = new_page(served_url)
    load(page, logo)
    page.locator("#p-filter_speckle").fill("9")
    with page.expect_download() as saving:
        page.get_by_role("button", name="Download SVG").click()
    saving.value.save_as(tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert svg == trace(load_image(logo).rgb, Parameters(filter_speckle=9))


def test_the_tracing_follows_where_that_is_wanted(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    load(page, logo)
    page.get_by_label("Convert whenever a slider rests").check()
    page.locator("#p-layer_difference").fill("90")
    expect(page.locator("#ssim-measured")).to_have_text(NUMBER)
    real_ssim, real_size = measured(logo, Parameters(layer_difference=90))
    assert shown(page, "ssim-measured", "bytes-measured") == [round(real_ssim, 4), real_size]


def test_optimise_shows_default_beside_chosen_and_predicted_beside_measured(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    load(page, logo)
    expect(page.locator("#goal-says")).to_contain_text("The smallest file that keeps the default")
    page.get_by_label("Lowest SSIM").fill("0.3")
    expect(page.locator("#goal-says")).to_contain_text("0.3")
    expect(page.locator("#front .bound")).to_have_count(1)
    with answered(page, "optimize") as asking:
        page.get_by_role("button", name="Optimise").click()
    answer = asking.value.json()
    expect(page.locator("#outcome")).to_be_visible()
    assert answer["objective"]["min_ssim"] == 0.3
    expect(page.locator("#reason")).to_have_text(re.compile(re.escape(answer["reason"][1:])))
    cards = page.locator("#verdict > div")
    expect(cards).to_have_count(2)
    expect(cards.nth(0)).to_contain_text(f"{answer['default']['measured']['svg_bytes']:,} B")
    expect(cards.nth(1)).to_contain_text(re.compile(r"[\d.]+ . the default.s size"))
    rows = page.locator("#tried tbody tr")
    expect(rows).to_have_count(len(answer["attempts"]))
    chosen = Parameters(**answer["chosen"]["parameters"])
    real_ssim, real_size = measured(logo, chosen)
    assert shown(page, "ssim-measured", "bytes-measured") == [round(real_ssim, 4), real_size]
    assert drawn_alike(page, "#tracing", trace(load_image(logo).rgb, chosen))

    expect(rows.first).to_have_class("chosen")
    rows.get_by_role("button", name="Use VTracer’s defaults").click()  # noqa: RUF001
    real_ssim, real_size = measured(logo, Parameters())
    assert shown(page, "ssim-measured", "bytes-measured") == [round(real_ssim, 4), real_size]


def test_optimising_can_be_stopped(
    served_url: str, logo: Path, new_page: Callable[..., Page], load: Load
) -> None:
    page = new_page(served_url)
    load(page, logo)
    page.route("**/v1/optimize", lambda route: None)  # never answered
    page.get_by_role("button", name="Optimise").click()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#status")).to_have_text("Stopped.")
    expect(page.get_by_role("button", name="Stop")).to_be_hidden()
    expect(page.locator("#outcome")).to_be_hidden()
