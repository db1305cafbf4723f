"""A campaign: the same plan every time, and a log that loses and doubles nothing."""

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from svg_quality.conversion.parameters import PRESETS, Parameters
from svg_quality.dataset.campaign import ConversionLog, plan_conversions, plan_recommended
from svg_quality.dataset.survey import LogoRecord
from svg_quality.errors import DatasetError, ParameterError


def record(name: str = "a") -> LogoRecord:
    return LogoRecord(
        image_id=f"{ord(name):064x}", image_path=f"{name}.png", source=f"test/{name}.png",
        derived_from=None, synthetic=False, logo_type="simple", logo_type_estimated=True,
        width=64, height=64,
        working_size=512, source_width=64, source_height=64, format="PNG", complexity=0.5,
        perceptual_hash="0" * 16, descriptors=(1.0, 2.0),
    )  # fmt: skip


def test_a_plan_is_the_same_every_time_and_has_the_presets() -> None:
    first = plan_conversions([record("a"), record("b")], 10, 0.75, seed=1)
    again = plan_conversions([record("a"), record("b")], 10, 0.75, seed=1)
    assert [p.conversion_id for p in first] == [p.conversion_id for p in again]
    of_b = [p.parameters for p in first if p.record.image_path == "b.png"]
    assert set(PRESETS.values()) <= set(of_b)
    assert len({p.conversion_id for p in first}) == len(first) == 20


def test_another_logo_does_not_change_the_plan_of_the_first() -> None:
    alone = plan_conversions([record("a")], 10, 0.75, seed=1)
    both = plan_conversions([record("b"), record("a")], 10, 0.75, seed=1)
    assert {p.conversion_id for p in alone} <= {p.conversion_id for p in both}


def recommended(name: str, **parameters: object) -> dict[str, object]:
    """As it is read from JSON."""
    chosen = Parameters(**parameters)  # type: ignore[arg-type]
    return {"image_id": record(name).image_id, "parameters": chosen.as_dict(), "why": "empty"}


def test_what_is_recommended_is_planned_for_the_pictures_at_hand() -> None:
    wishes = [recommended("b", mode="none"), recommended("a", mode="none"),
              recommended("z", mode="none"), recommended("b", mode="none")]  # fmt: skip
    plan, n_elsewhere = plan_recommended([record("a"), record("b")], wishes)
    assert [p.record.image_path for p in plan] == ["a.png", "b.png"]
    assert all(p.parameters == Parameters(mode="none") for p in plan)
    assert n_elsewhere == 1


def test_a_recommended_conversion_is_the_one_a_campaign_would_plan() -> None:
    planned = plan_conversions([record("a")], 4, 1, seed=1)
    wishes = [{"image_id": p.record.image_id, "parameters": p.parameters.as_dict()}
              for p in planned]  # fmt: skip
    filling = plan_recommended([record("a")], wishes)[0]
    assert [p.conversion_id for p in filling] == [p.conversion_id for p in planned]
    assert {p.row(None, "it hung")["method"] for p in filling} == {"fill-gaps"}


def test_a_recommendation_out_of_range_is_refused() -> None:
    wish = recommended("a")
    wish["parameters"] = {"color_precision": 12}
    with pytest.raises(ParameterError, match="color_precision must be in"):
        plan_recommended([record("a")], [wish])


def test_a_row_says_what_was_measured_or_why_not() -> None:
    planned = plan_conversions([record()], 4, 1, seed=1)[0]
    good = planned.row({"ssim": 0.9}, None)
    bad = planned.row(None, "it hung")
    assert (good["ssim"], good["error"]) == (0.9, None)
    assert (bad["ssim"], bad["error"]) == (None, "it hung")
    assert "descriptors" not in good


def test_an_unfinished_last_line_is_dropped_and_the_rest_kept(tmp_path: Path) -> None:
    log = ConversionLog(tmp_path / "log.jsonl")
    with log.writing():
        log.append({"conversion_id": "1"})
        log.append({"conversion_id": "2"})
    with log.path.open("ab") as file:
        file.write(b'{"conversion_id": "3", "ss')
    assert [row["conversion_id"] for row in log.rows()] == ["1", "2"]
    with log.writing():
        log.append({"conversion_id": "4"})
    assert [row["conversion_id"] for row in log.rows()] == ["1", "2", "4"]


def test_refuses_a_damaged_line_and_names_it(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    path.write_text('{"a": 1}\nnot json\n{"a": 2}\n')
    with pytest.raises(DatasetError, match=r"log\.jsonl line 2 is none"):
        list(ConversionLog(path).rows())


def append_forever(path: Path) -> None:
    log = ConversionLog(path)
    with log.writing():
        number = sum(1 for _ in log.rows())
        while True:
            log.append({"conversion_id": str(number), "padding": "x" * 5000})
            number += 1


@pytest.mark.slow
def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    context = multiprocessing.get_context("spawn")
    for _ in range(4):
        before = path.stat().st_size if path.exists() else 0
        process = context.Process(target=append_forever, args=(path,))
        process.start()
        deadline = time.monotonic() + 60
        while not (path.exists() and path.stat().st_size > before) and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(0.05)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    with ConversionLog(path).writing():
        ids = [row["conversion_id"] for row in ConversionLog(path).rows()]
    assert ids == [str(number) for number in range(len(ids))]
    assert len(ids) > 8
    assert all(json.loads(line) for line in path.read_text().splitlines())


@pytest.mark.slow
def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    process = multiprocessing.get_context("spawn").Process(target=append_forever, args=(path,))
    process.start()
    try:
        deadline = time.monotonic() + 60
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        with pytest.raises(DatasetError, match="one writer"), ConversionLog(path).writing():
            pass
    finally:
        process.kill()
        process.join()
