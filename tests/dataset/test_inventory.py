"""An inventory's counts add up, its figures are those of numpy, and its page says the same."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from svg_quality.dataset.inventory.coverage import WANTED
from svg_quality.dataset.inventory.distributions import distributions
from svg_quality.dataset.inventory.page import heat_map, write_inventory
from svg_quality.dataset.inventory.report import NEEDED, TEXTS, take_inventory
from svg_quality.dataset.tables import AS_LOGGED, conversions_table
from svg_quality.errors import DatasetError

TO = "\N{EN DASH}"
Row = Callable[..., dict[str, Any]]


def failed(make_row: Row, image: str, reason: str, **changes: Any) -> dict[str, Any]:
    figures = dict.fromkeys(
        ("ssim", "ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count", "trace_ms",
         "render_ms")
    )  # fmt: skip
    return make_row(image, error=reason, **figures, **changes)


@pytest.fixture
def mixed(make_row: Row) -> pd.DataFrame:
    """3 images: an original with its JPEG copy, and a synthetic one; 2 failures, 1 perfect row."""
    original = make_row("a")["image_id"]
    return conversions_table([
        make_row("a", ssim=0.5, svg_bytes=100),
        make_row("a", ssim=1.0, mse=0.0, psnr=None, svg_bytes=10_000, color_precision=2),
        make_row("copy", ssim=0.8, svg_bytes=1000, derived_from=original, format="JPEG"),
        failed(make_row, "copy", "it hung", mode="none", derived_from=original, format="JPEG"),
        make_row("drawn", ssim=0.2, synthetic=True, logo_type="text", source="drawn/1.svg"),
        failed(make_row, "drawn", "it hung", mode="none", synthetic=True, logo_type="text",
               source="drawn/1.svg"),
    ])  # fmt: skip


def take(frame: pd.DataFrame, n_recommended: int = 20, seed: int = 0) -> dict[str, Any]:
    return take_inventory(frame, n_recommended=n_recommended, seed=seed).report


def test_totals_add_up(mixed: pd.DataFrame) -> None:
    totals = take(mixed)["totals"]
    assert (totals["conversions"], totals["measured"], totals["failed"]) == (6, 4, 2)
    assert totals["failed_by_reason"] == {"it hung": 2}
    assert totals["failed_for_other_reasons"] == 0
    assert (totals["images"], totals["originals"], totals["derived_jpeg_copies"]) == (3, 2, 1)
    assert (totals["synthetic_images"], totals["synthetic_conversions"]) == (1, 2)
    assert totals["images_by_source"] == {"test": 2, "drawn": 1}
    assert totals["images_by_format"] == {"PNG": 2, "JPEG": 1}
    assert totals["conversions_by_method"] == {"sobol": 6}
    assert totals["vtracer_versions"] == {"0.6.15": 6}
    assert totals["measured_everyday"] == 3  # one of four has 2 bits


def test_many_reasons_are_counted_even_where_they_are_not_told(make_row: Row) -> None:
    rows = [failed(make_row, f"x{k}", f"reason {k}") for k in range(60)]
    totals = take(conversions_table([make_row("a"), *rows]))["totals"]
    assert len(totals["failed_by_reason"]) == 50
    assert sum(totals["failed_by_reason"].values()) + totals["failed_for_other_reasons"] == 60


def test_a_table_of_failures_is_told_without_a_figure(make_row: Row, tmp_path: Path) -> None:
    report = take(conversions_table([failed(make_row, "a", "it hung")]))
    assert report["distributions"]["ssim"]["full"]["mean"] is None
    assert report["coverage"]["share_of_pair_cells"] == 0
    assert report["recommendation"]["conversions"] == 0  # no picture that can be converted
    assert "Inventory" in page_of(report, [], tmp_path)


def test_distributions_are_those_of_numpy(many_rows: pd.DataFrame) -> None:
    told = take(many_rows)["distributions"]["ssim"]["full"]
    values = many_rows["ssim"].to_numpy()
    assert told["n"] == len(values)
    assert told["mean"] == pytest.approx(values.mean())
    assert told["sd"] == pytest.approx(values.std(ddof=1))
    assert told["quantiles"]["0.25"] == pytest.approx(np.quantile(values, 0.25))
    counts, _ = np.histogram(values, told["histogram"]["edges"])
    assert told["histogram"]["counts"] == counts.tolist()
    assert counts.sum() == len(values)


def test_psnr_of_perfect_tracings_is_missing_and_counted(mixed: pd.DataFrame) -> None:
    told = take(mixed)["distributions"]
    assert told["psnr"]["full"]["n_missing"] == told["mse"]["full"]["n_zero"] == 1
    assert sum(told["mse"]["full"]["histogram"]["counts"]) == 3  # a zero has no logarithm
    assert told["psnr"]["everyday"]["n_missing"] == 0  # the perfect one has 2 bits
    assert told["svg_bytes"]["full"]["histogram"]["edges"][0] == pytest.approx(2)
    assert told["svg_bytes"]["full"]["histogram"]["edges"][-1] == pytest.approx(4)


def test_what_a_collected_log_did_not_give_is_missing_and_said(
    mixed: pd.DataFrame, make_row: Row, tmp_path: Path
) -> None:
    unknown = dict.fromkeys(("ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count"))
    logged = make_row("b", method="collected", ssim_definition=AS_LOGGED, **unknown)
    report = take(pd.concat([mixed, conversions_table([logged])]))
    told = {name: figure["full"]["n_missing"] for name, figure in report["distributions"].items()}
    assert told == {"ssim": 0, "mse": 1, "psnr": 2, "svg_bytes": 1}
    assert "In 1 more rows it is missing because a collected log" in page_of(report, [], tmp_path)


def test_equal_values_can_be_told() -> None:
    frame = pd.DataFrame({"ssim": [0.9] * 3, "mse": 1.0, "psnr": 40.0, "svg_bytes": 7})
    told = distributions(frame, np.array([True, False, False]))
    for figure in told.values():
        assert sum(figure["full"]["histogram"]["counts"]) == 3
        assert sum(figure["everyday"]["histogram"]["counts"]) == 1
    assert told["ssim"]["everyday"]["sd"] is None  # of one value there is none


def test_types_stand_beside_their_targets(mixed: pd.DataFrame) -> None:
    types = take(mixed)["types"]
    assert types["images"] == {"simple": 2, "text": 1, "gradient": 0, "complex": 0}
    assert types["types"]["simple"]["rows"] == 3
    assert types["types"]["simple"]["target_share"] == 0.30
    assert types["below_span"] == 1


def test_only_measured_rows_cover_a_cell_and_failures_are_told_beside_it(
    mixed: pd.DataFrame,
) -> None:
    report = take(mixed)
    modes = report["coverage"]["dimensions"]["mode"]
    assert modes["cells"] == {"spline": 4, "polygon": 0, "none": 0}
    assert modes["everyday"] == {"spline": 3, "polygon": 0, "none": 0}
    assert modes["share_hit"] == pytest.approx(1 / 3)
    gaps = {gap["cell"]: gap for gap in report["gaps"]["ranked"]}
    assert gaps["mode none"] == {
        "kind": "parameter", "cell": "mode none", "n": 0, "wanted": WANTED, "n_failed": 2
    }  # fmt: skip


def test_gaps_are_ranked_from_empty_to_nearly_enough(
    many_rows: pd.DataFrame, make_row: Row
) -> None:
    # 2 rows of the 3 wanted are nearer to enough than 5 of 10.
    thin = [make_row(f"x{k}", color_precision=3) for k in range(5)]
    thin += [make_row(f"y{k}", max_iterations=20) for k in range(2)]
    gaps = take(pd.concat([many_rows, conversions_table(thin)]))["gaps"]
    names = [gap["cell"] for gap in gaps["ranked"]]
    assert names.index("color_precision 3") < names.index(f"max_iterations 19{TO}24")
    lacks = [1 - gap["n"] / gap["wanted"] for gap in gaps["ranked"]]
    assert lacks == sorted(lacks, reverse=True)
    assert min(lacks) > 0
    pairs = [gap for gap in gaps["ranked"] if gap["kind"] == "pair"]
    assert gaps["empty_pair_cells"] + gaps["thin_pair_cells"] == len(pairs)
    cells = {gap["cell"] for gap in gaps["ranked"]}
    assert {"mode polygon", "colormode binary \N{MULTIPLICATION SIGN} mode none"} <= cells
    assert "mode spline" not in cells


def test_pairs_say_how_many_cells_are_hit_and_thin(many_rows: pd.DataFrame) -> None:
    report = take(many_rows)
    for told in report["coverage"]["pairs"]:
        counts = np.array(told["counts"])
        assert counts.sum() == len(many_rows)
        assert told["hit"] == (counts > 0).sum()
        assert told["thin"] == ((counts > 0) & (counts < told["wanted"])).sum()
    n_hit = sum(told["hit"] for told in report["coverage"]["pairs"])
    n_cells = sum(told["cells"] for told in report["coverage"]["pairs"])
    assert report["coverage"]["share_of_pair_cells"] == pytest.approx(n_hit / n_cells)
    assert report["gaps"]["empty_pair_cells"] == n_cells - n_hit


def test_synthetic_and_never_measured_images_are_not_recommended(
    mixed: pd.DataFrame, make_row: Row
) -> None:
    broken = conversions_table([failed(make_row, "broken", "it hung")])
    taken = take_inventory(pd.concat([mixed, broken]), n_recommended=50, seed=0)
    usable = mixed.loc[~mixed["synthetic"], "image_id"]
    assert {each.image_id for each in taken.recommended} <= set(usable)
    assert len(taken.recommended) == 4  # two pictures with two rows each: as many again
    assert taken.report["recommendation"]["cells_left_open"] > 0


def test_texts_may_be_categories_as_a_large_table_is_read(many_rows: pd.DataFrame) -> None:
    narrow = many_rows[list(NEEDED)].astype(dict.fromkeys(TEXTS, "category"))
    first = take_inventory(many_rows, n_recommended=30, seed=0)
    again = take_inventory(narrow, n_recommended=30, seed=0)
    assert first.report == again.report
    assert first.recommended == again.recommended


def test_a_report_is_strict_json(many_rows: pd.DataFrame, mixed: pd.DataFrame) -> None:
    for frame in (many_rows, mixed):
        json.dumps(take(frame), allow_nan=False)


def test_an_empty_table_is_refused(mixed: pd.DataFrame) -> None:
    with pytest.raises(DatasetError, match="must have at least one conversion, the table has none"):
        take(mixed.head(0))


def page_of(report: dict[str, Any], recommendation: list[dict[str, Any]], folder: Path) -> str:
    report["recommendation"] |= {"filled_before": 0, "command": "svg-quality convert --fill-gaps"}
    table = {"run": "abc", "stage": "convert", "digest": "0" * 64}
    written = write_inventory({"table": table, **report}, recommendation, folder)
    assert json.loads(written["metrics"].read_text())["totals"] == report["totals"]
    return written["html_report"].read_text()


def test_the_page_is_one_file_that_says_what_the_report_says(
    many_rows: pd.DataFrame, tmp_path: Path
) -> None:
    taken = take_inventory(many_rows, n_recommended=30, seed=0)
    recommendation = [each.as_dict() for each in taken.recommended]
    page = page_of(taken.report, recommendation, tmp_path)
    assert "svg-quality convert --fill-gaps" in page
    assert recommendation[0]["why"] in page
    assert taken.report["gaps"]["ranked"][0]["cell"] in page
    assert page.count('<figure class="chart">') == 4
    assert not re.search(r"""(src|href)=["'](?!#|data:)""", page)
    assert "<script" not in page


def test_names_from_outside_cannot_write_html(make_row: Row, tmp_path: Path) -> None:
    rows = [make_row("a", source="<b>x</b>/<i>.png"), failed(make_row, "b", "<script>1</script>")]
    taken = take_inventory(conversions_table(rows), n_recommended=3, seed=0)
    page = page_of(taken.report, [each.as_dict() for each in taken.recommended], tmp_path)
    assert "<script>" not in page
    assert "<b>" not in page


def test_the_heat_map_draws_every_cell_once(many_rows: pd.DataFrame, make_row: Row) -> None:
    thin = conversions_table([make_row("thin", mode="polygon")])
    pairs = take(pd.concat([many_rows, thin]))["coverage"]["pairs"]
    heat = heat_map(pairs)
    drawn: dict[str, int] = {}
    corners = []
    for block in heat.blocks:
        for mark in block.marks:
            drawn[mark.style] = drawn.get(mark.style, 0) + mark.path.count("M")
            corners += re.findall(r"M(\d+) (\d+)", mark.path)
    assert sum(drawn.values()) == sum(told["cells"] for told in pairs)
    assert len(set(corners)) == len(corners)
    assert drawn["heat empty"] == sum(told["cells"] - told["hit"] for told in pairs)
    assert drawn["heat thin"] == sum(told["thin"] for told in pairs)
    assert all(0 <= int(x) <= heat.width - 9 and 0 <= int(y) < heat.height for x, y in corners)
