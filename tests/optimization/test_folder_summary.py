"""Rows, totals and the gallery of a folder: what failed is a row, never a number."""

import csv
import dataclasses
import io
import json

import pytest

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.base import Answer, Attempt
from svg_quality.optimization.gallery import Shown, render_gallery, shown
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.summary import COLUMNS, LogoRow, as_csv, as_json, totals
from svg_quality.stages.using.optimizing_folder import table_lines


def attempt(ssim: float, svg_bytes: int, **changed: object) -> Attempt:
    measured = {"ssim": ssim, "svg_bytes": svg_bytes}
    return Attempt(Parameters(**changed), "front", None, measured, None)


def row(
    name: str, default: tuple[float, int], chosen: tuple[float, int], floor: float = 0.9
) -> LogoRow:
    best = attempt(*chosen, filter_speckle=8)
    met = chosen[0] >= floor
    answer = Answer(
        status="found" if met else "not_reached", reason="" if met else "too low",
        method="predictive", objective=Objective.smallest(floor), image=name, image_id="0" * 64,
        chosen=best, default=attempt(*default), attempts=(attempt(*default), best),
        n_conversions=2, confidence="verified 1", unlike_training=False, model_version="3",
        seconds=0.5, traced_size=(64, 64), reduced_from=None,
    )  # fmt: skip
    return LogoRow(name, f"{name}.svg" if met else None, 5000, answer, None)


GOOD = row("a.png", (0.95, 4000), (0.94, 1000))
LARGER = row("b.png", (0.95, 1000), (0.94, 1500))
RESCUED = row("c.png", (0.5, 100), (0.91, 9000))  # its default breaks the floor
MISSED = row("d.png", (0.5, 100), (0.6, 300))
BROKEN = LogoRow("e.png", None, None, None, "an image must decode whole")
ROWS = [GOOD, LARGER, RESCUED, MISSED, BROKEN]


def test_savings_are_of_logos_whose_default_does_what_was_asked() -> None:
    assert [one.saving for one in ROWS] == [0.75, -0.5, None, None, None]
    told = totals(ROWS)
    assert (told.n_logos, told.n_compared, told.default_bytes, told.svg_bytes) == (5, 2, 5000, 2500)
    assert told.saving == 0.5
    assert told.median_saving == pytest.approx(0.125)
    assert told.n_by_status == {"found": 3, "not_reached": 1, "failed": 1}
    assert totals([BROKEN]).saving is None


def test_a_default_that_nothing_beats_is_named_as_such() -> None:
    assert GOOD.answer is not None
    kept = dataclasses.replace(
        GOOD, answer=dataclasses.replace(GOOD.answer, chosen=GOOD.answer.default)
    )
    assert [row.keeps_default for row in (kept, GOOD, BROKEN)] == [True, False, False]
    assert kept.saving == 0
    assert "the default itself" in list(table_lines([kept, BROKEN]))[2]


def test_tables_keep_every_row_and_leave_gaps_where_nothing_was_measured() -> None:
    lines = list(csv.DictReader(io.StringIO(as_csv(ROWS))))
    assert [line["logo"] for line in lines] == [one.logo for one in ROWS]
    assert tuple(lines[0]) == COLUMNS
    assert lines[3]["ssim"] == ""
    assert lines[3]["reason"] == "too low"
    assert lines[4]["status"] == "failed"
    assert lines[4]["default_ssim"] == ""
    assert lines[0]["filter_speckle"] == "8"
    objects = json.loads(as_json(ROWS))
    assert objects[0]["answer"]["attempts"][1]["measured"]["svg_bytes"] == 1000
    assert objects[4]["answer"] is None


def test_the_gallery_shows_every_logo_and_takes_no_name_for_markup(draw_logo) -> None:
    logo = Logo.read(draw_logo())
    evil = LogoRow("<script>x</script>.png", None, None, None, "it's <b>broken</b>")
    pictures = [shown(logo.image, None) for _ in ROWS[:-1]] + [Shown(None, None)] * 2
    page = render_gallery(
        [*ROWS, evil], pictures, folder="<i>", objective=Objective.smallest(0.9), method="adaptive",
        seconds=1.0,
    )  # fmt: skip
    assert page.count('<article class="card">') == 6
    assert "<script>" not in page
    assert "<b>broken" not in page
    assert "<i>" not in page
    assert "75% smaller than the default" in page
    assert "The default falls short" in page


def test_a_heavy_tracing_is_shown_as_pixels(draw_logo) -> None:
    logo = Logo.read(draw_logo())
    svg = f"<svg xmlns='http://www.w3.org/2000/svg' width='8' height='8'>{' ' * 70_000}</svg>"
    heavy = shown(logo.image, svg).after
    assert heavy is not None
    assert heavy.startswith("data:image/webp")
