"""`inspect` on a small real project, marked in a real browser."""

import json
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pandas as pd
import pytest
from playwright.sync_api import Browser, Page, expect

from svg_quality.cli import main
from svg_quality.dataset.inspection.marks import apply_marks, read_marks, rejected
from svg_quality.tracking.lookup import newest_finished

pytestmark = pytest.mark.slow
Enter = Callable[[Path, pytest.MonkeyPatch], None]
Served = tuple[str, "subprocess.Popen[str]"]


@pytest.fixture(scope="module")
def project(new_project: Callable[[], Path], enter: Enter) -> Path:
    """A project with 12 real logos, some with JPEG copies, converted with the four presets."""
    folder = new_project()
    with pytest.MonkeyPatch.context() as patch:
        enter(folder, patch)
        assert main(["convert", "--max-logos", "12", "--sets-per-image", "4"]) == 0
    return folder


@pytest.fixture(autouse=True)
def own_store(project: Path, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of the store that other tests get: the project's."""
    enter(project, monkeypatch)


@pytest.fixture
def page(new_tab: Callable[..., Page]) -> Page:
    return new_tab(expected="ERR_CONNECTION_REFUSED")


@pytest.fixture
def served(
    project: Path, serve_in: Callable[..., AbstractContextManager[Served]]
) -> Iterator[Served]:
    """The address that a running `inspect --serve` prints, and its process."""
    (project / "data/marks.json").unlink(missing_ok=True)
    with serve_in(project, "inspect", "--serve", "--share", "0.6") as address_and_process:
        yield address_and_process


def test_marks_set_in_a_browser_are_on_disk_and_come_back(
    served: Served, page: Page, project: Path
) -> None:
    url, process = served
    marks_path = project / "data/marks.json"
    page.goto(url)
    cards = page.locator(".card")
    first, second = (cards.nth(place).get_attribute("data-id") or "" for place in (0, 1))

    cards.nth(0).get_by_role("button", name="Reject").click()
    expect(page.locator("#said")).to_have_text("Saved; the file holds 1 mark.")
    assert read_marks(marks_path)[first].verdict == "reject"

    shown_type = cards.nth(1).get_attribute("data-type")
    key, right = ("2", "text") if shown_type != "text" else ("1", "simple")
    page.keyboard.press("j")
    page.keyboard.press(key)
    expect(page.locator("#said")).to_have_text("Saved; the file holds 2 marks.")
    mark = read_marks(marks_path)[second]
    assert (mark.verdict, mark.logo_type) == ("wrong type", right)
    expect(cards.nth(2)).to_be_focused()  # a key goes on to the next picture

    page.reload()
    expect(page.locator("#count")).to_contain_text("2 of ")
    expect(page.locator("#count")).to_contain_text("marked: 1 rejected, 1 wrong type")
    expect(cards.nth(0).get_by_role("button", name="Reject")).to_have_attribute(
        "aria-pressed", "true"
    )
    expect(cards.nth(1).get_by_role("button", name=right, exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    cards.nth(0).get_by_role("button", name="Reject").click()  # again: taken away
    expect(page.locator("#said")).to_have_text("Saved; the file holds 1 mark.")
    assert list(read_marks(marks_path)) == [second]

    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    said = process.stdout.read()
    assert process.wait(30) == 0
    assert "holds 1 mark (0 accept, 0 reject, 1 wrong type)" in said
    assert "`svg-quality dataset` honours" in said
    run = newest_finished("inspect")
    assert run.artifact("marks.json").read_bytes() == marks_path.read_bytes()
    assert second in run.artifact("inspection.html").read_text().split('id="state">')[1]
    assert run.metrics["marks.wrong_type"] == 1

    page.locator(".card").nth(3).get_by_role("button", name="Accept").click()
    expect(page.locator("#said")).to_contain_text("Not saved: the server does not answer")
    expect(page.locator("#count")).to_contain_text("1 of ")  # and it does not pretend

    table = pd.read_parquet(newest_finished("convert").artifact("conversions.parquet"))
    changed = apply_marks(table, read_marks(marks_path))["logo_type"] != table["logo_type"]
    assert second in set(table.loc[changed, "image_id"])
    assert not rejected(table, read_marks(marks_path)).any()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[str]:
    """Another site on this machine, with an empty page."""
    (tmp_path / "index.html").write_text("<title>elsewhere</title>")
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    ) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_another_site_and_another_token_cannot_post(
    served: Served, browser: Browser, elsewhere: str, project: Path
) -> None:
    url, _ = served
    page = browser.new_page()
    failures: list[str | None] = []
    page.on("requestfailed", lambda request: failures.append(request.failure))
    page.goto(url)
    image_id = page.locator(".card").nth(0).get_attribute("data-id")
    body = json.dumps({"image_id": image_id, "verdict": "reject", "logo_type": None}).encode()
    ours = url.rsplit("/", 2)[0]

    def post(address: str, origin: str) -> int:
        headers = {"Origin": origin, "Content-Type": "application/json"}
        try:
            with urlopen(Request(address, body, headers)) as answer:
                return int(answer.status)
        except HTTPError as error:
            with error:
                return error.code

    assert post(f"{ours}/wrong/marks", ours) == 403
    assert post(f"{url}marks", "https://example.org") == 403
    # A page of another origin in the same browser, that even knows the address.
    page.goto(elsewhere)
    page.evaluate(
        "([to, body]) => fetch(to, {method: 'POST', mode: 'no-cors', body}).catch(() => null)",
        [f"{url}marks", body.decode()],
    )
    page.close()
    assert failures == ["net::ERR_BLOCKED_BY_RESPONSE.NotSameOrigin"]  # so it was answered
    assert not (project / "data/marks.json").exists()
    assert post(f"{url}marks", ours) == 200
    assert list(read_marks(project / "data/marks.json")) == [image_id]


def test_the_page_as_a_file_downloads_marks_that_can_be_read(
    project: Path, page: Page, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    marks_path = project / "data/marks.json"
    elsewhere = {"verdict": "accept", "logo_type": None, "at": "2026-11-21T10:00:00Z"}
    marks_path.write_text(json.dumps({"version": 1, "marks": {"f" * 64: elsewhere}}))
    assert main(["inspect", "--share", "0.6", "--seed", "7"]) == 0
    said = capsys.readouterr().out
    path = next(word for word in said.split() if word.endswith("inspection.html"))
    assert newest_finished("inspect").artifact("inspection.html").read_bytes() == (
        Path(path).read_bytes()
    )
    page.goto(Path(path).as_uri())
    expect(page.get_by_role("note")).to_contain_text("Marks are kept in this page only")
    expect(page.get_by_role("note")).to_contain_text("data/marks.json")
    cards = page.locator(".card")
    for key in ("j", "a", "r"):
        page.keyboard.press(key)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download marks.json").click()
    saved = tmp_path / download.value.suggested_filename
    download.value.save_as(saved)
    assert saved.name == "marks.json"
    marks = read_marks(saved)
    first, second = (cards.nth(place).get_attribute("data-id") or "" for place in (0, 1))
    assert {image_id: mark.verdict for image_id, mark in marks.items()} == {
        first: "accept", second: "reject", "f" * 64: "accept",
    }  # fmt: skip
    assert page.locator("#text").input_value() == saved.read_text()


def test_filters_and_orders(project: Path, page: Page) -> None:
    assert main(["inspect", "--share", "1"]) == 0
    path = newest_finished("inspect").artifact("inspection.html")
    page.goto(path.as_uri())
    shown = page.locator(".card:visible")
    n_images = shown.count()
    ssim = "cards => cards.map(card => Number(card.dataset.ssim))"

    page.get_by_label("Order", exact=True).select_option("worst SSIM first")
    values = shown.evaluate_all(ssim)
    assert len(values) == n_images
    assert values == sorted(values)
    one_type = shown.nth(0).get_attribute("data-type") or ""
    page.get_by_label("Type", exact=True).select_option(one_type)
    types = shown.evaluate_all("cards => cards.map(card => card.dataset.type)")
    assert set(types) == {one_type}
    page.keyboard.press("Escape")
    page.get_by_label("unmarked only").check()
    before = shown.count()
    shown.nth(0).get_by_role("button", name="Accept").click()
    assert shown.count() == before  # nothing jumps away under the pointer
    page.get_by_label("unmarked only").uncheck()
    page.get_by_label("unmarked only").check()
    assert shown.count() == before - 1
    page.get_by_label("Type", exact=True).select_option("all types")
    assert shown.count() == n_images - 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(scheme: str, project: Path, browser: Browser) -> None:
    assert main(["inspect", "--share", "0.3"]) == 0
    path = newest_finished("inspect").artifact("inspection.html")
    size = {"width": 390, "height": 800}
    phone = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
    phone.goto(path.as_uri())
    assert phone.evaluate("document.documentElement.scrollWidth") == 390
    assert phone.evaluate("document.querySelector('.bar').offsetHeight") < 160
    assert phone.locator(".marks button").first.evaluate("b => b.offsetHeight") >= 40
    phone.close()


def test_a_broken_marks_file_is_refused_before_any_work(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "data/broken.json").write_text("{")
    assert main(["inspect", "--marks", "data/broken.json"]) == 2
    assert "marks must be a readable JSON file" in capsys.readouterr().err
