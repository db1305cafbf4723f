"""A release's report: each fault that is put in is found and named, a sound release passes."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.dataset.assurance.qa_checks import Check, Limit
from svg_quality.dataset.assurance.quality_assurance import (
    QaReport,
    assure_quality,
    read_thresholds,
    report_json,
    write_qa,
)
from svg_quality.dataset.campaign import PlannedConversion, conversion_digest
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.logos import choose_logos, discover_logos
from svg_quality.dataset.survey import SurveyTask, survey_logos
from svg_quality.dataset.tables import conversions_table
from svg_quality.errors import DatasetError, SettingsError


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> tuple[LogoLibrary, pd.DataFrame]:
    """Six real logos, four conversions each, really measured, and their library."""
    root = tmp_path_factory.mktemp("library")
    logos = choose_logos(discover_logos("diagrams"), frozenset(), 6, 1)
    tasks = [SurveyTask(logo, "diagrams", root, 64, 0.0) for logo in logos]
    rows = []
    for outcome in survey_logos(tasks, 1, 60.0):
        assert outcome.result, outcome.error
        for record in outcome.result:
            image = load_image(root / record.image_path, 64)
            for bits in (3, 5, 6, 8):
                parameters = Parameters(color_precision=bits)
                found = measure(image.rgb, parameters)
                figures = {name: getattr(found, name) for name in found.__slots__ if name != "svg"}
                planned = PlannedConversion(
                    conversion_digest(record, parameters), record, parameters
                )
                rows.append(planned.row(figures, None))
    return LogoLibrary(root), conversions_table(rows)


@pytest.fixture
def table(shelf: tuple[LogoLibrary, pd.DataFrame]) -> pd.DataFrame:
    """As a release holds it: three images to train, two to validate, one to test."""
    rows = shelf[1].copy()
    order = sorted(rows["image_id"].unique())
    splits = dict(zip(order, ["train"] * 3 + ["validation"] * 2 + ["test"], strict=True))
    return rows.assign(split=rows["image_id"].map(splits))


def images_of(table: pd.DataFrame) -> pd.DataFrame:
    grouped = table.groupby("image_id", sort=True)
    columns = ["image_path", "source", "logo_type", "format", "split"]
    images = grouped[columns].first().assign(mean_ssim=grouped["ssim"].mean(), n=grouped.size())
    return images.assign(group=range(len(images)))


@pytest.fixture
def library(shelf: tuple[LogoLibrary, pd.DataFrame], tmp_path: Path) -> LogoLibrary:
    """A copy that a test may damage."""
    shutil.copytree(shelf[0].root, tmp_path / "library")
    return LogoLibrary(tmp_path / "library")


def assure(
    table: pd.DataFrame,
    library: LogoLibrary,
    images: pd.DataFrame | None = None,
    n_remeasured: int = 0,
    **options: Any,
) -> QaReport:
    images = images_of(table) if images is None else images
    return assure_quality(
        table, images, library, read_thresholds(),
        n_remeasured=n_remeasured, n_workers=1, seed=0, **options,
    )  # fmt: skip


def check(report: QaReport, name: str) -> Check:
    return next(c for section in report.sections for c in section.checks if c.name == name)


def rows_of(found: Check) -> set[str]:
    return {finding.row for finding in found.findings}


def test_a_sound_release_passes(table: pd.DataFrame, library: LogoLibrary) -> None:
    report = assure(table, library, n_remeasured=5, set_aside=table.iloc[:0].assign(reason=""))
    assert report.passed
    assert [section.name for section in report.sections] == ["quality", "safety", "privacy", "bias"]
    for section in report.sections[:3]:
        assert section.outcome == "pass", section
    assert check(report, "labels_confirmed").value == 1
    assert check(report, "label_difference").value < 1e-9
    assert check(report, "error_ratio_of_types").outcome == "not measured"
    assert check(report, "error_ratio_of_types").note == "no model yet"


Damage = Callable[[pd.DataFrame], pd.DataFrame]


def set_cells(column: str, value: Any, *rows: int) -> Damage:
    def damage(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[list(rows), column] = value
        return table

    return damage


@pytest.mark.parametrize(
    ("damage", "name", "rows"),
    [
        (set_cells("logo_type", "weird", 3), "valid_rows", {3}),
        (set_cells("ssim", 1.5, 3, 4), "valid_rows", {3, 4}),
        (set_cells("psnr", 1.0, 3), "valid_rows", {3}),
        (set_cells("source", None, 3), "complete_columns", {3}),
        (set_cells("source", "/home/jane/a.png", 3, 5), "private_cells", {3, 5}),
    ],
)
def test_a_bad_row_is_named(
    table: pd.DataFrame, library: LogoLibrary, damage: Damage, name: str, rows: set[int]
) -> None:
    images, ids = images_of(table), table["conversion_id"]
    found = check(assure(damage(table), library, images), name)
    assert found.outcome == "fail"
    assert rows_of(found) == {ids[row] for row in rows}
    if name == "valid_rows":
        assert found.value == pytest.approx(1 - len(rows) / len(table))
        assert len(found.findings) == len(rows)  # each for one reason, however many it breaks


def test_a_row_twice_and_two_labels_for_one_thing(
    table: pd.DataFrame, library: LogoLibrary
) -> None:
    again = pd.concat([table, table.iloc[[3]]], ignore_index=True)
    found = assure(again, library)
    assert rows_of(check(found, "repeated_rows")) == {table["conversion_id"][3]}
    other_id = hashlib.sha256(b"other").hexdigest()
    another = table.iloc[[3]].assign(conversion_id=other_id, ssim=table["ssim"][3] - 1e-4)
    found = assure(pd.concat([table, another], ignore_index=True), library)
    assert rows_of(check(found, "contradicting_labels")) == {table["conversion_id"][3], other_id}
    assert check(found, "repeated_rows").outcome == "pass"


def test_a_leak_between_splits_is_named(table: pd.DataFrame, library: LogoLibrary) -> None:
    images = images_of(table)
    leaking = table.copy()
    leaking.loc[0, "split"] = "test" if leaking["split"][0] != "test" else "train"
    found = check(assure(leaking, library, images), "split_leaks")
    assert rows_of(found) == {table["image_id"][0]}
    grouped = images.assign(group=[0, 1, 2, 2, 4, 5])  # the third trains, the fourth validates
    found = check(assure(table, library, grouped), "split_leaks")
    assert rows_of(found) == set(images.index[2:4])
    assert found.outcome == "fail"


def test_images_that_contradict_their_rows_are_named(
    table: pd.DataFrame, library: LogoLibrary
) -> None:
    images = images_of(table)
    changed = table.copy()
    changed.loc[0, "format"] = "GIF"
    found = check(assure(changed, library, images), "contradicting_images")
    assert rows_of(found) == {table["image_id"][0]}
    wrong = images.copy()
    wrong.iloc[1, wrong.columns.get_loc("mean_ssim")] -= 1e-6
    wrong.iloc[2, wrong.columns.get_loc("n")] += 1
    found = check(assure(table, library, wrong), "wrong_summaries")
    assert rows_of(found) == set(images.index[1:3])
    found = check(assure(table, library, images.iloc[1:]), "wrong_summaries")
    assert rows_of(found) == {images.index[0]}


def test_a_lost_or_exchanged_picture_is_named(table: pd.DataFrame, library: LogoLibrary) -> None:
    paths = table.drop_duplicates("image_id").set_index("image_id")["image_path"]
    lost, exchanged, kept = paths.index[0], paths.index[1], paths.index[2]
    library.path(paths[lost]).unlink()
    library.path(paths[exchanged]).write_bytes(library.path(paths[kept]).read_bytes())
    report = assure(table, library, n_remeasured=len(table))
    assert rows_of(check(report, "wrong_pictures")) == {lost, exchanged}
    assert rows_of(check(report, "unreadable_files")) == {lost}
    off = table.loc[table["image_id"].isin([lost, exchanged]), "conversion_id"]
    assert rows_of(check(report, "labels_confirmed")) == set(off)
    assert check(report, "labels_confirmed").outcome == "fail"


def test_a_wrong_label_is_found_by_measuring_again(
    table: pd.DataFrame, library: LogoLibrary
) -> None:
    wrong = table.copy()
    row = wrong["ssim"].idxmin()
    wrong.loc[row, "ssim"] += 0.003
    report = assure(wrong, library, n_remeasured=len(table))
    assert rows_of(check(report, "labels_confirmed")) == {table["conversion_id"][row]}
    assert check(report, "labels_confirmed").value == pytest.approx(1 - 1 / len(table))
    assert check(report, "label_difference").value == pytest.approx(0.003)


def test_dangerous_and_private_files_are_named_and_nothing_private_is_repeated(
    table: pd.DataFrame, library: LogoLibrary, tmp_path: Path
) -> None:
    first = table.drop_duplicates("image_id")
    image_id = first["image_id"].iloc[0]
    library.path(first["image_path"].iloc[0]).write_text(
        "<svg xmlns='http://www.w3.org/2000/svg' onload='x'><title>jane@example.org</title>"
        "<image href='/home/janeroe/a.png'/><script/></svg>"
    )
    table.loc[2, "source"] = "C:\\Users\\janeroe\\a.png"
    report = assure(table, library)
    for name in ("active_content", "external_references", "emails", "user_names_in_paths"):
        assert rows_of(check(report, name)) == {image_id}, name
        assert check(report, name).value == 1, name
    assert len(check(report, "active_content").findings) == 2
    assert not report.passed
    assert {"safety.active_content", "privacy.emails", "privacy.private_cells"} <= set(
        report.failed
    )
    for path in write_qa(report, tmp_path / "qa").values():
        text = path.read_text()
        assert image_id in text
        assert "jane" not in text


def test_rows_that_mean_nothing_are_named_and_not_measured_again(
    table: pd.DataFrame, library: LogoLibrary
) -> None:
    images, ids = images_of(table), table["conversion_id"]
    table.loc[3, "color_precision"] = 12
    table["mse"] = table["mse"].astype(object)
    table.loc[5, "mse"] = "much"
    report = assure(table, library, images, n_remeasured=len(table))
    assert {ids[3], ids[5]} <= rows_of(check(report, "valid_rows"))
    assert check(report, "valid_rows").outcome == "fail"
    assert not {ids[3], ids[5]} & rows_of(check(report, "labels_confirmed"))


def test_what_was_set_aside_counts(table: pd.DataFrame, library: LogoLibrary) -> None:
    aside = table.iloc[:6].assign(reason="conversion failed: cannot read /home/janeroe/x.png")
    found = check(assure(table.iloc[6:], library, set_aside=aside), "kept_rows")
    assert found.value == pytest.approx(18 / 24)
    assert found.outcome == "warn"
    assert rows_of(found) == set(aside["conversion_id"])
    assert "janeroe" not in str(found.findings)


def test_the_json_has_every_finding_and_the_page_twenty(
    table: pd.DataFrame, library: LogoLibrary, tmp_path: Path
) -> None:
    table["source"] = "/home/janeroe/a.png"
    paths = write_qa(assure(table, library), tmp_path, "A title <b>")
    told = json.loads(paths["metrics"].read_text())
    checks = {c["name"]: c for section in told["sections"] for c in section["checks"]}
    assert told["verdict"] == "fail"
    assert len(checks["private_cells"]["findings"]) == checks["private_cells"]["n_findings"] == 30
    page = paths["html_report"].read_text()
    assert page.count("user name in a path in column source") == 20
    assert "30 findings, the first 20 of them" in page.replace("\n", " ")
    assert "A title &lt;b&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "<script" not in page


def test_progress_is_shown_of_what_takes_long(table: pd.DataFrame, library: LogoLibrary) -> None:
    seen: list[tuple[int, str]] = []

    def track(items: Any, total: int, label: str) -> Iterator[Any]:
        done = list(items)
        seen.append((total, label))
        assert len(done) == total
        yield from done

    assure(table, library, n_remeasured=2, track=track)
    assert seen == [(6, "scanning pictures"), (2, "measuring again")]


def test_the_same_seed_gives_the_same_report(table: pd.DataFrame, library: LogoLibrary) -> None:
    first = report_json(assure(table, library, n_remeasured=3))
    shuffled = table.sample(frac=1, random_state=0)
    assert report_json(assure(shuffled, library, n_remeasured=3)) == first


def test_a_table_without_a_column_is_refused(table: pd.DataFrame, library: LogoLibrary) -> None:
    with pytest.raises(DatasetError, match=r"must have all its columns, it lacks ssim, group \(of"):
        assure(table.drop(columns="ssim"), library, images_of(table).drop(columns="group"))


def test_thresholds_are_read_and_changed_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("bias:\n  type_imbalance: {at_most: 0.05, severity: fail}\n")
    changed, usual = read_thresholds(path), read_thresholds()
    assert changed.bias.type_imbalance == Limit(at_most=0.05, severity="fail")
    assert changed.quality == usual.quality
    assert changed.bias.largest_source == usual.bias.largest_source


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "quality:\n  valid_rowz: {at_most: 1, severity: fail}",
            "known checks, quality.valid_rowz",
        ),
        ("qualty:\n  valid_rows: {at_most: 1, severity: fail}", "known checks, qualty"),
        ("quality:\n  valid_rows: 0.9", "known checks, quality.valid_rows"),
        ("quality:\n  valid_rows: {at_most: 1, at_least: 1, severity: fail}", "either at_least or"),
        ("quality:\n  valid_rows: {severity: fail}", "either at_least or at_most"),
        ("quality:\n  valid_rows: {at_least: 1, severity: maybe}", "'fail' or 'warn'"),
        ("quality: 3", "known checks, quality"),
        ("- a", "must be sections of checks"),
        ("a: [", "must be readable YAML"),
    ],
)
def test_thresholds_that_mean_nothing_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        read_thresholds(path)
    assert "\n" not in str(caught.value).removeprefix("thresholds must be readable YAML")[:40]


def test_a_missing_file_of_thresholds_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="must be readable YAML"):
        read_thresholds(tmp_path / "none.yaml")


@pytest.mark.parametrize(
    ("limit", "value", "outcome"),
    [
        (Limit(at_least=0.9, severity="fail"), 0.9, "pass"),
        (Limit(at_least=0.9, severity="fail"), 0.89, "fail"),
        (Limit(at_most=2, severity="warn"), 2.0, "pass"),
        (Limit(at_most=2, severity="warn"), 2.1, "warn"),
        (Limit(at_most=2, severity="fail"), float("nan"), "fail"),
        (Limit(at_most=2, severity="fail"), None, "not measured"),
    ],
)
def test_an_outcome_is_what_the_limit_says(limit: Limit, value: float | None, outcome: str) -> None:
    assert limit.outcome(value) == outcome
