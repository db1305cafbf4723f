"""Served predictions meet their conversions: every one that can, and no other."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from svg_quality.conversion.parameters import Parameters
from svg_quality.errors import DatasetError
from svg_quality.evaluation.live.joining import Learned, join, measurements, without_learned

Row = Callable[..., dict[str, Any]]
PREDICTED = {"predicted_ssim": 0.9, "ssim_low": 0.8, "ssim_high": 0.95,
             "predicted_svg_bytes": 1100.0, "bytes_low": 900.0, "bytes_high": 1500.0}  # fmt: skip


def predicted(of: dict[str, Any], role: str = "only", version: str = "1", **more: Any) -> Any:
    chosen = {name: of[name] for name in Parameters().as_dict()}
    return {
        "kind": "prediction", "at": "2026-11-20T00:00:00+00:00", "image_id": of["image_id"],
        "working_size": 512, "role": role, "model_name": "svg-quality", "model_version": version,
        "level": 0.9, "n_asked": 1, **chosen, **PREDICTED, **more,
    }  # fmt: skip


def test_picture_size_and_every_parameter_must_be_the_same(make_row: Row) -> None:
    row = make_row("a")
    measured = measurements([row])
    others = [
        make_row("b"), make_row("a", color_precision=5), make_row("a", length_threshold=4.5),
        make_row("a", mode="polygon"),
    ]  # fmt: skip
    lines = [predicted(other) for other in others] + [predicted(row, working_size=256)]
    assert join(lines, measured, 6).rows.empty
    joined = join([*lines, predicted(row)], measured, 6)
    assert joined.n_predictions == 6
    (only,) = joined.rows.to_dict("records")
    assert (only["ssim"], only["predicted_ssim"], only["version"]) == (0.9, 0.9, "svg-quality 1")
    assert only["everyday"] is True
    assert only["at"] == pd.Timestamp("2026-11-21T00:00:00Z")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)  # it only makes rows
@given(st.data())
def test_the_join_is_the_double_loop(make_row: Row, data: st.DataObject) -> None:
    rows = [make_row(image, filter_speckle=k) for image in "abc" for k in range(3)]
    converted = data.draw(st.lists(st.sampled_from(rows), max_size=12))
    said = data.draw(st.lists(st.tuples(st.sampled_from(rows), st.sampled_from("12")), max_size=12))
    lines = [predicted(row, version=version) for row, version in said]
    found = join(lines, measurements(converted), 0).rows
    expected = {(row["conversion_id"], version) for row, version in said
                if any(row is other for other in converted)}  # fmt: skip
    assert len(found) == len(expected)


def test_failures_and_other_measures_are_counted_and_the_last_of_a_conversion_counts(
    make_row: Row,
) -> None:
    failed = make_row("a", ssim=None, error="VTracer panicked")
    foreign = make_row("b", ssim_definition="as logged")
    rows = [make_row("c", ssim=0.5), make_row("c", ssim=0.6)]
    measured = measurements([failed, foreign, *rows])
    joined = join([predicted(row) for row in (failed, foreign, rows[0])], measured, 6)
    assert joined.rows["ssim"].tolist() == [0.6]
    assert joined.counts["Failed, left out"] == 1
    assert joined.counts["Of another SSIM, left out"] == 1
    assert joined.counts["Predictions joined"] == 1


def test_roles_and_versions_stay_apart_and_repeats_are_one(make_row: Row) -> None:
    row = make_row("a")
    said = (("champion", "1"), ("challenger", "2"), ("champion", "1"), ("champion", "3"),
            ("challenger", "3"))  # fmt: skip
    lines = [predicted(row, role, version) for role, version in said]
    rows = join(lines, measurements([row]), 6).rows
    assert rows[["role", "version"]].to_numpy().tolist() == [
        ["champion", "svg-quality 1"], ["challenger", "svg-quality 2"],
        ["champion", "svg-quality 3"], ["challenger", "svg-quality 3"],
    ]  # fmt: skip


def test_near_duplicates_are_one_group(make_row: Row) -> None:
    rows = [make_row("a", perceptual_hash="0" * 16), make_row("b", perceptual_hash="0" * 15 + "3"),
            make_row("c", perceptual_hash="f" * 16)]  # fmt: skip
    groups = join([predicted(row) for row in rows], measurements(rows), 6).rows["group"].tolist()
    assert groups[0] == groups[1] != groups[2]


def test_what_a_version_was_made_from_is_left_out_for_that_version(make_row: Row) -> None:
    rows = [make_row("a", perceptual_hash="0" * 16), make_row("b", perceptual_hash="0" * 15 + "1"),
            make_row("c", perceptual_hash="f" * 16)]  # fmt: skip
    lines = [predicted(row, version=version) for row in rows for version in "12"]
    joined = join(lines, measurements(rows), 6)
    taught = pd.DataFrame(
        {"perceptual_hash": ["0" * 16], "derived_from": [None]},
        index=pd.Index([rows[0]["image_id"]], name="image_id"),
    )
    known = {
        "svg-quality 1": Learned(taught, taught.index),
        "svg-quality 2": Learned(None, [rows[2]["image_id"]], "only the ids are known"),
    }
    left = without_learned(joined, known, 6)
    assert left.n_learned == 3
    by_version = left.rows.groupby("version")["image_id"].agg(list)
    assert by_version["svg-quality 1"] == [rows[2]["image_id"]]  # the near-duplicate is out, too
    assert by_version["svg-quality 2"] == [rows[0]["image_id"], rows[1]["image_id"]]


def test_nothing_measured_is_an_empty_table(make_row: Row) -> None:
    joined = join([predicted(make_row("a"))], measurements([]), 6)
    assert joined.rows.empty
    assert {"group", "everyday", "at", "version"} <= set(joined.rows)
    assert without_learned(joined, {}, 6).rows.empty


def test_refusals(make_row: Row) -> None:
    row = make_row("a")
    measured = measurements([row])
    for lost, message in (("filter_speckle", "a prediction of a log"), ("ssim_low", "a predict")):
        line = predicted(row)
        del line[lost]
        with pytest.raises(DatasetError, match=f"{message}.* must have its fields, one lacks"):
            join([line], measured, 6)
    del row["image_id"]
    with pytest.raises(DatasetError, match="a conversion of a log must have its fields"):
        measurements([row])


def test_ids_are_plain_numbers(make_row: Row) -> None:
    row = make_row("a")
    found = join([predicted(row)], measurements([row]), 6).rows
    assert np.issubdtype(found["group"].dtype, np.integer)
