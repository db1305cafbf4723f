"""Collecting logs: every record ends in the table or in quarantine, and nothing is guessed."""

import csv
import json
import math
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.conversion.similarity import DEFINITION
from svg_quality.conversion.workers import Outcome
from svg_quality.dataset.campaign import conversion_digest
from svg_quality.dataset.collection.collect import ConversionDataCollector
from svg_quality.dataset.collection.collected import Collected
from svg_quality.dataset.collection.label_errors import planned_again
from svg_quality.dataset.survey import LogoRecord
from svg_quality.dataset.tables import AS_LOGGED, FIGURES, check_conversions
from svg_quality.errors import DatasetError, SettingsError, SvgQualityError

Record = dict[str, Any]
Row = Callable[..., dict[str, Any]]
PARAMETERS = {"color_precision": 6, "length_threshold": 4.0, "path_precision": 3}


def in_process(function: Any, tasks: Any, n_workers: int, timeout_s: float) -> Iterator[Any]:
    """What `run_isolated` does, without the seconds that processes take to start."""
    for task in tasks:
        try:
            yield Outcome(task, function(task), None)
        except SvgQualityError as error:
            yield Outcome(task, None, str(error))


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("svg_quality.dataset.survey.run_isolated", in_process)
    monkeypatch.setattr("svg_quality.conversion.workers.run_isolated", in_process)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Pictures a.png and b.png in a folder `sub`, and one that is none."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for number, name in enumerate("ab"):
        rng = np.random.default_rng(number)
        pixels = np.kron(rng.integers(0, 255, (4, 4, 3)), np.ones((8, 8, 1))).astype(np.uint8)
        Image.fromarray(pixels).save(folder / "sub" / f"{name}.png")
    (folder / "sub" / "broken.png").write_bytes(b"\x89PNG broken")
    return folder


@pytest.fixture
def collector(images: Path, tmp_path: Path) -> ConversionDataCollector:
    return ConversionDataCollector(images, tmp_path / "library", n_workers=1)


def record(**changes: Any) -> Record:
    parameters = {**PARAMETERS, **changes.pop("parameters", {})}
    return {"image_path": "sub/a.png", "ssim": 0.9, "parameters": parameters, **changes}


def write_lines(path: Path, *records: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [each if isinstance(each, str) else json.dumps(each) for each in records]
    path.write_text("\n".join(lines) + "\n")
    return path


def kinds(collected: Collected) -> list[set[str]]:
    return [{reason.kind for reason in entry.reasons} for entry in collected.quarantine]


def flat(entry: Record) -> Record:
    return {**{k: v for k, v in entry.items() if k != "parameters"}, **entry["parameters"]}


def write_csv(path: Path, rows: list[Record]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


WRITERS: dict[str, Callable[[Path, list[Record]], Any]] = {
    "list.json": lambda p, r: p.write_text(json.dumps(r)),
    "nested.json": lambda p, r: p.write_text(json.dumps({"about": {"n": 2}, "a": {"results": r}})),
    "really_lines.json": lambda p, r: write_lines(p, *r),
    "lines.jsonl": lambda p, r: write_lines(p, *r),
    "lines.ndjson": lambda p, r: write_lines(p, *r),
    "flat.csv": lambda p, r: write_csv(p, [flat(each) for each in r]),
    "cell.csv": lambda p, r: write_csv(
        p, [{**each, "parameters": json.dumps(each["parameters"])} for each in r]
    ),
    "nested.parquet": lambda p, r: pd.DataFrame(r).to_parquet(p),
    "flat.parquet": lambda p, r: pd.DataFrame([flat(each) for each in r]).to_parquet(p),
}


@pytest.mark.parametrize("name", WRITERS)
def test_every_format_gives_the_same_rows(
    name: str, tmp_path: Path, collector: ConversionDataCollector
) -> None:
    WRITERS[name](tmp_path / name, [record(), record(image_path="sub/b.png", ssim=0.8)])
    collected = collector.collect(tmp_path / name)
    assert collected.quarantine == ()
    check_conversions(collected.table)
    rows = collected.table.to_dict("records")
    assert [row["ssim"] for row in rows] == [0.9, 0.8]
    for row, image in zip(rows, "ab", strict=True):
        loaded = load_image(tmp_path / "images" / "sub" / f"{image}.png")
        assert row["image_id"] == loaded.image_id
        assert (tmp_path / "library" / row["image_path"]).is_file()
        assert row["source"] == f"{name}/sub/{image}.png"
        assert {key: row[key] for key in NAMES} == Parameters(**PARAMETERS).as_dict()
        assert row["ssim_definition"] == AS_LOGGED
        assert row["method"] == "collected"
        assert pd.isna(row["svg_bytes"])


def test_one_result_in_a_file_is_a_record(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    (tmp_path / "one.json").write_text(json.dumps(record()))
    assert len(collector.collect(tmp_path / "one.json").table) == 1


def test_what_the_log_says_is_kept_with_units_and_method(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    logged = record(
        ssim=None, quality_score="0.75", file_size=1234, processing_time=0.25, mse=10.5,
        psnr="Infinity", optimization_method="Method2", timestamp="2025-09-29T11:18:46.699796",
        metadata={"logo_type": "text_based"}, conversion_success=True, error=None,
    )  # fmt: skip
    collected = collector.collect(write_lines(tmp_path / "log.jsonl", logged))
    (row,) = collected.table.to_dict("records")
    assert (row["ssim"], row["svg_bytes"], row["mse"]) == (0.75, 1234, 10.5)
    assert row["trace_ms"] == 250.0
    assert pd.isna(row["psnr"])
    assert row["method"] == "method-2"
    assert row["created_at"] == "2025-09-29T11:18:46.699+00:00"
    assert (row["logo_type"], row["logo_type_estimated"]) == ("text", False)
    assert row["vtracer_version"] == "unknown"
    assert collected.times == {"as logged, without a zone: taken as UTC": 1}
    assert collected.methods == {"Method2: method-2": 1}
    assert collected.logs[0].fields["ssim"] == {"quality_score": 1}


def test_a_time_that_was_not_logged_is_that_of_collection(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    collected = collector.collect(write_lines(tmp_path / "log.jsonl", record()))
    age = datetime.now(UTC) - datetime.fromisoformat(collected.table["created_at"][0])
    assert timedelta(0) <= age < timedelta(minutes=1)
    assert collected.times == {"not logged: the time of collection": 1}


def test_vtracers_defaults_are_counted(tmp_path: Path, collector: ConversionDataCollector) -> None:
    collected = collector.collect(write_lines(tmp_path / "log.jsonl", record(), {**record(ssim=2)}))
    assert collected.defaults == dict.fromkeys(sorted(set(NAMES) - set(PARAMETERS)), 1)


GOOD_OR_NOT: dict[str, tuple[list[Any], list[Any]]] = {
    "image_path": (["sub/a.png", "./sub/b.png"], [None, "", "sub/c.png", "a.png",
                   "../outside.png", "/etc/hostname", "sub/broken.png", "x" * 300, "\0"]),
    "ssim": ([0.5, "0.95", 1, -1.0], [None, "", "high", 1.5, "-2", True, math.nan, math.inf]),
    "color_precision": ([1, 8, "6", 6.0], [0, 12, 6.5, "six", True]),
    "path_precision": ([0, 2], [None, 17]),
    "mode": (["spline", "polygon", "pixel", None], ["bezier"]),
    "svg_bytes": ([None, 1200, "1200"], [0, -1, 12.5, "big", 1e300]),
    "success": ([True, "true", None], ["perhaps"]),
    "created_at": ([None, "2025-01-01"], ["yesterday", 17]),
}  # fmt: skip


@st.composite
def records(draw: st.DrawFn) -> tuple[Record, bool]:
    """A record in which everything is good, or something is not; and which."""
    flags = {name: draw(st.sampled_from([True] * 5 + [False])) for name in GOOD_OR_NOT}
    values = {name: draw(st.sampled_from(GOOD_OR_NOT[name][not flags[name]])) for name in flags}
    names = ("color_precision", "path_precision", "mode")
    parameters = {name: values.pop(name) for name in names}
    return {**values, "parameters": parameters}, all(flags.values())


@settings(max_examples=40, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(drawn=st.lists(st.one_of(records(), st.sampled_from(["{", "[1]", "7", '{"image']))))
def test_exactly_the_good_records_become_rows(
    drawn: list[Any], tmp_path: Path, collector: ConversionDataCollector
) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes((tmp_path / "images/sub/a.png").read_bytes())
    lines, expected = [json.dumps(record(parameters={"layer_difference": 255}))], [1]
    for number, entry in enumerate(drawn[:200]):
        if isinstance(entry, str):
            lines.append(entry)
            continue
        content, good = entry
        content["parameters"]["layer_difference"] = number  # no two of the same conversion
        lines.append(json.dumps(content))
        expected += [len(lines)] if good else []
    (tmp_path / "logs").mkdir(exist_ok=True)
    collected = collector.collect(write_lines(tmp_path / "logs" / "log.jsonl", *lines))
    aside = {entry.at for entry in collected.quarantine}
    assert aside == {f"line {n}" for n in range(1, len(lines) + 1)} - {
        f"line {n}" for n in expected
    }
    assert len(collected.table) + len(collected.quarantine) == collected.n_records == len(lines)
    assert all(entry.reasons for entry in collected.quarantine)
    json.dumps([entry.as_dict() for entry in collected.quarantine], allow_nan=False)
    json.dumps(collected.as_dict(), allow_nan=False)


@settings(max_examples=20, deadline=None,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(cells=st.lists(st.text(alphabet='ab,"\n\r0.9/', max_size=30), max_size=8))
def test_a_broken_row_takes_no_other_row_with_it(
    cells: list[str], tmp_path: Path, collector: ConversionDataCollector
) -> None:
    good = "sub/a.png,0.5,6,2"
    text = "\n".join(["image_path,ssim,color_precision,path_precision", good, *cells])
    (tmp_path / "log.csv").write_text(text, newline="")
    collected = collector.collect(tmp_path / "log.csv")
    assert len(collected.table) + len(collected.quarantine) == collected.n_records
    assert len(collected.table) == 1


def test_a_quote_without_its_end_spoils_one_row(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    head = "image_path,ssim,color_precision,path_precision,note"
    rows = ['sub/a.png,0.5,6,2,"open', "sub/a.png,0.5,7,2,", "short,1", "", "sub/a.png,0.5,8,2,"]
    (tmp_path / "log.csv").write_text("\n".join([head, *rows]))
    collected = collector.collect(tmp_path / "log.csv")
    assert collected.table["color_precision"].tolist() == [7, 8]
    assert [(entry.at, str(entry.reasons[0])) for entry in collected.quarantine] == [
        ("line 2", "not a record: not CSV: unexpected end of data"),
        ("line 4", "not a record: a row must have 5 cells, got 2"),
    ]
    assert collected.quarantine[0].record == rows[0]


def test_all_reasons_are_given(tmp_path: Path, collector: ConversionDataCollector) -> None:
    bad = record(image_path="sub/broken.png", ssim="high",
                 parameters={"length_threshold": 15, "path_precision": None, "gap": 1})  # fmt: skip
    collected = collector.collect(write_lines(tmp_path / "log.jsonl", bad))
    assert kinds(collected) == [
        {"image unreadable", "SSIM not a number", "length_threshold out of range",
         "path_precision missing", "parameter unknown"}
    ]  # fmt: skip
    assert collected.quarantine[0].record == bad


def test_a_picture_of_quarantine_alone_is_not_kept(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    collector.collect(write_lines(tmp_path / "log.jsonl", record(ssim=None)))
    assert not (tmp_path / "library").exists()


def test_conflicting_records_all_go_and_repeated_ones_but_the_first(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    explicit = {"mode": "spline", "filter_speckle": "4"}  # the defaults, written out
    write_lines(tmp_path / "logs/a.jsonl", record(), record(parameters=explicit, ssim="0.90"))
    write_lines(
        tmp_path / "logs/b.jsonl",
        *(record(image_path="sub/b.png", ssim=ssim) for ssim in (0.5, 0.6, 0.5)),
        record(image_path="sub/b.png", error="out of memory"),
    )
    collected = collector.collect(tmp_path / "logs")
    assert len(collected.table) == 1
    assert [(entry.log, entry.at) for entry in collected.quarantine] == [
        ("a.jsonl", "line 2"), *(("b.jsonl", f"line {n}") for n in (1, 2, 3, 4))
    ]  # fmt: skip
    assert "is that of a.jsonl line 1" in str(collected.quarantine[0].reasons[0])
    assert "SSIM 0.5 here and 0.6 in b.jsonl line 2" in str(collected.quarantine[1].reasons[0])
    assert collected.reasons == {"conflicting duplicate": 3, "repeats a record": 2}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"conversion_success": False}, "as logged: conversion_success false"),
        ({"error": "no file /home/jane/x/a.png", "ssim": 0.0}, "as logged: no file <path>"),
        ({"error": True, "ssim": None}, "as logged: True"),
        ({"status": "FAILED", "ssim": "nonsense"}, "as logged: status failed"),
    ],
)
def test_a_failure_is_a_row_without_figures(
    tmp_path: Path, collector: ConversionDataCollector, changes: Record, error: str
) -> None:
    collected = collector.collect(write_lines(tmp_path / "log.jsonl", record(**changes)))
    (row,) = collected.table.to_dict("records")
    assert row["error"] == error
    assert all(pd.isna(row[name]) for name in FIGURES)


@pytest.mark.parametrize("none", ["", "None", "null", False, None])
def test_no_error_is_no_failure(
    tmp_path: Path, collector: ConversionDataCollector, none: Any
) -> None:
    collected = collector.collect(write_lines(tmp_path / "log.jsonl", record(error=none)))
    assert collected.table["error"].isna().all()
    assert len(collected.table) == 1


def test_paths_of_another_machine(tmp_path: Path, images: Path) -> None:
    (tmp_path / "mine.yaml").write_text('strip_image_prefixes: ["/home/", "/home/jane/work/"]')
    collector = ConversionDataCollector(
        images, tmp_path / "library", tmp_path / "mine.yaml", n_workers=1
    )
    log = write_lines(
        tmp_path / "logs/log.jsonl",
        record(image_path="/home/jane/work/sub/a.png"),
        record(image_path="sub\\b.png"),
        record(image_path=str(images / "sub/a.png"), parameters={"mode": "none"}),
        record(image_path="C:\\Users\\jane\\a.png"),
        record(image_path="/home/joe/a.png"),
        record(image_path=str(tmp_path / "logs/../secret.png")),
    )
    (tmp_path / "secret.png").write_bytes((images / "sub/a.png").read_bytes())
    collected = collector.collect(log)
    sources = ["log.jsonl/sub/a.png", "log.jsonl/sub/b.png", "log.jsonl/sub/a.png"]
    assert collected.table["source"].tolist() == sources
    assert kinds(collected) == [{"image not found"}, {"image not found"}, {"image outside"}]
    assert "jane" not in collected.table.to_csv()


def test_an_image_may_lie_beside_the_log(tmp_path: Path, images: Path) -> None:
    write_lines(images / "sub" / "log.jsonl", record(image_path="a.png"))
    (tmp_path / "empty").mkdir()
    collector = ConversionDataCollector(tmp_path / "empty", tmp_path / "library", n_workers=1)
    assert len(collector.collect(images / "sub").table) == 1


def test_logs_that_disagree_on_a_type_leave_it_to_the_estimate(
    tmp_path: Path, collector: ConversionDataCollector, images: Path
) -> None:
    (images / "twin.bmp").write_bytes(b"")
    Image.open(images / "sub/a.png").save(images / "twin.bmp")
    log = write_lines(
        tmp_path / "log.jsonl",
        record(logo_type="text"),
        record(image_path="twin.bmp", logo_type="gradients", parameters={"mode": "none"}),
        record(image_path="sub/b.png", logo_type="complex"),
        record(image_path="sub/b.png", logo_type="random", parameters={"mode": "none"}),
    )
    table = collector.collect(log).table
    assert table["logo_type_estimated"].tolist() == [True, True, False, False]
    assert table["logo_type"].tolist()[2:] == ["complex", "complex"]
    assert (table.groupby("image_id")[["logo_type", "image_path", "format"]].nunique() == 1).all(
        axis=None
    )


@pytest.fixture
def own_row(make_row: Row, images: Path, tmp_path: Path) -> dict[str, Any]:
    """A row as `convert` logs it, its picture in the library."""
    data = (images / "sub/a.png").read_bytes()
    image_id = load_image(data).image_id
    path = f"{image_id[:2]}/{image_id}.png"
    (tmp_path / "library" / image_id[:2]).mkdir(parents=True)
    (tmp_path / "library" / path).write_bytes(data)
    return make_row(image_id=image_id, image_path=path, width=32, height=32, source_width=32,
                    source_height=32, method="predictive", source="mine/a.png",
                    vtracer_version="0.6.11")  # fmt: skip


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_our_own_rows_stay_as_they_are(
    suffix: str, own_row: dict[str, Any], tmp_path: Path, collector: ConversionDataCollector
) -> None:
    failed = {**own_row, **dict.fromkeys(FIGURES), "error": "a panic", "conversion_id": "0" * 64,
              "layer_difference": 99}  # fmt: skip
    rows = [{**own_row, "predicted_ssim": 0.8}, {**failed, "predicted_ssim": 0.8}]
    path = tmp_path / f"log.{suffix}"
    if suffix == "jsonl":
        write_lines(path, *rows)
    elif suffix == "csv":
        write_csv(path, rows)
    else:
        pd.DataFrame(rows).to_parquet(path)
    collected = collector.collect(path)
    assert collected.quarantine == ()
    again = [{k: None if pd.isna(v) else v for k, v in row.items()}
             for row in collected.table.to_dict("records")]  # fmt: skip
    assert again == [own_row, failed]


def test_own_rows_with_faults_name_them(
    own_row: dict[str, Any], tmp_path: Path, collector: ConversionDataCollector
) -> None:
    changes: list[tuple[dict[str, Any], set[str]]] = [
        ({"ssim": None}, {"SSIM missing"}),
        ({"ssim": 1.5}, {"SSIM out of range"}),
        ({"mode": "curve"}, {"mode not allowed"}),
        ({"color_precision": 9}, {"color_precision out of range"}),
        ({"width": 10.5}, {"width not a number"}),
        ({"synthetic": "maybe"}, {"synthetic not true or false"}),
        ({"image_id": "ab"}, {"image_path not ours"}),
        ({"logo_type": "photo"}, {"breaks the schema"}),
        ({"error": "a panic beside figures"}, {"breaks the schema"}),
        ({"svg_bytes": None}, {"breaks the schema"}),
        ({"format": None}, {"format missing"}),
        ({"image_path": "../../etc/passwd.png"}, {"image_path not ours", "image outside"}),
    ]
    rows = [{**own_row, **change, "conversion_id": f"{number:064}"}
            for number, (change, _) in enumerate(changes)]  # fmt: skip
    del rows[-2]["format"]
    log = write_lines(tmp_path / "logs/log.jsonl", *rows, own_row)
    collected = collector.collect(log)
    assert kinds(collected) == [expected for _, expected in changes]
    assert len(collected.table) == 1


def test_own_rows_take_their_pictures_along_if_the_pixels_agree(
    own_row: dict[str, Any], tmp_path: Path, images: Path
) -> None:
    log = write_lines(tmp_path / "log.jsonl", own_row)
    collector = ConversionDataCollector(tmp_path / "library", tmp_path / "other", n_workers=1)
    assert len(collector.collect(log).table) == 1
    assert (tmp_path / "other" / own_row["image_path"]).is_file()
    elsewhere = tmp_path / "wrong" / own_row["image_path"]
    elsewhere.parent.mkdir(parents=True)
    elsewhere.write_bytes((images / "sub/b.png").read_bytes())
    wrong = ConversionDataCollector(tmp_path / "wrong", tmp_path / "third", n_workers=1)
    assert kinds(wrong.collect(log)) == [{"image differs"}]


def test_a_later_success_replaces_an_own_failure_and_other_definitions_stand_apart(
    own_row: dict[str, Any], tmp_path: Path, collector: ConversionDataCollector
) -> None:
    failed = {**own_row, **dict.fromkeys(FIGURES), "error": "too slow"}
    other = {**own_row, "vtracer_version": "0.6.15", "ssim": 0.7, "conversion_id": "1" * 64}
    same_id = {**own_row, "layer_difference": 7, "conversion_id": "2" * 64}
    log = write_lines(
        tmp_path / "log.jsonl", failed, own_row, other, same_id, {**same_id, "mode": "none"},
        record(parameters=Parameters().as_dict()),
    )  # fmt: skip
    collected = collector.collect(log)
    assert collected.table["ssim"].tolist() == [0.9, 0.7, 0.9]
    assert collected.table["ssim_definition"].tolist() == [DEFINITION, DEFINITION, AS_LOGGED]
    assert [entry.at for entry in collected.quarantine] == ["line 1", "line 4", "line 5"]
    assert collected.reasons == {"conflicting duplicate": 2, "repeats a record": 1}


def test_measuring_again_gives_our_rows_and_the_logs_errors(
    own_row: dict[str, Any], tmp_path: Path, images: Path
) -> None:
    chosen = [Parameters(**PARAMETERS), Parameters(**PARAMETERS, mode="none"), Parameters()]
    rgb = load_image(images / "sub/a.png").rgb
    true = [measure(rgb, parameters).ssim for parameters in chosen]
    off = [0.25, -0.5, 0.0]
    log = write_lines(
        tmp_path / "log.jsonl",
        record(ssim=true[0] - 0.25, optimization_method="Method1"),
        record(ssim=true[1] - 0.5, parameters={"mode": "none"}),
        {**own_row, "ssim": true[2]},
        record(ssim=0.1, parameters=Parameters().as_dict()),  # what the row before it is again
        record(error="out of memory", parameters={"filter_speckle": 8}),
    )
    collector = ConversionDataCollector(images, tmp_path / "library", re_measure=True, n_workers=1)
    collected = collector.collect(log)
    table = collected.table
    assert table["ssim"].tolist()[:3] == pytest.approx(true, abs=1e-12)
    assert table["method"].tolist() == ["method-1", "collected", "predictive", "collected"]
    assert (table["ssim_definition"] == DEFINITION).all()
    assert table["error"].isna().all()
    plan = planned_again(table.iloc[1].to_dict())
    assert isinstance(plan.record, LogoRecord)
    expected = conversion_digest(plan.record, chosen[1])
    assert table["conversion_id"][1] == expected == plan.conversion_id
    assert collected.reasons == {"repeats a record": 1}
    figures = collected.remeasured
    assert figures is not None
    assert (figures["n"], figures["not_compared"], figures["failed_again"]) == (3, 1, 0)
    errors = np.array([-abs(value) for value in off])
    assert figures["mean"] == pytest.approx(errors.mean())
    assert figures["mean_absolute"] == pytest.approx(np.abs(errors).mean())
    assert figures["median_absolute"] == pytest.approx(0.25)
    assert figures["p95_absolute"] == pytest.approx(0.475)  # 0.25 + 0.9 x 0.25, by hand
    assert figures["max_absolute"] == pytest.approx(0.5)
    assert figures["worst"][0]["record"] == "log.jsonl line 2 (sub/a.png)"


def test_an_unknown_layout_says_what_it_found_and_the_others_still_count(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    logs = tmp_path / "logs"
    write_lines(logs / "good.jsonl", record())
    (logs / "deep").mkdir()
    (logs / "deep" / "flowers.csv").write_text("petal,sepal\n1,2\n")
    (logs / "settings.json").write_text('{"results": [{"image_path": "a.png"}], "n": 1}')
    (logs / "cut.json").write_text('[{"image_path": "a.png", ')
    (logs / "empty.jsonl").write_text("")
    (logs / "cut.parquet").write_bytes(b"PAR1")
    (logs / "latin.csv").write_bytes(b"image_path,ssim\n\xe9,1\n")
    (logs / "twice.csv").write_text("ssim,ssim\n1,1\n")
    (logs / "notes.txt").write_text("not looked at")
    collected = collector.collect(logs)
    problems = {log.name: log.problem or "" for log in collected.logs}
    assert problems.pop("good.jsonl") == ""
    law = "a log must list records with an image path and an SSIM or parameters"
    assert problems.pop("deep/flowers.csv") == (
        f"{law}; deep/flowers.csv has petal, sepal, and lacks an image path and an SSIM or"
        " parameters"
    )
    assert problems.pop("settings.json") == (
        f"{law}; settings.json has results, n, and lacks an SSIM or parameters"
    )
    assert problems.pop("empty.jsonl") == f"{law}, empty.jsonl lists no record"
    assert "must be whole, cut.json is not" in problems.pop("cut.json")
    assert "must be whole, cut.parquet is not" in problems.pop("cut.parquet")
    assert "must be UTF-8, latin.csv is not" in problems.pop("latin.csv")
    assert "twice.csv has two 'ssim'" in problems.pop("twice.csv")
    assert problems == {}
    assert len(collected.table) == collected.n_records == 1


def test_lists_that_are_no_records_are_named(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    content = {"results": [record(), None], "skipped": [{"name": "b"}], "names": ["a"]}
    (tmp_path / "log.json").write_text(json.dumps(content))
    collected = collector.collect(tmp_path / "log.json")
    assert collected.logs[0].other_lists == {"skipped": 1}
    assert [entry.at for entry in collected.quarantine] == ["results[1]"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("log.txt", "", "a log must be one of .json"),
        ("log.json", "{}", "^a log must list records"),
        ("missing", None, "missing does not exist$"),
    ],
)
def test_refuses_what_holds_no_log(
    tmp_path: Path, collector: ConversionDataCollector, name: str, content: str | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DatasetError, match=message):
        collector.collect(tmp_path / name)


def test_a_folder_without_logs_is_told_from_one_whose_logs_are_of_no_use(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    with pytest.raises(DatasetError, match=r"logs holds none$"):
        collector.collect(logs)
    (logs / "flowers.csv").write_text("petal,sepal\n1,2\n")
    (logs / "empty.jsonl").write_text("")
    with pytest.raises(DatasetError, match=r"none of the 2 in .*logs is\n") as refusal:
        collector.collect(logs)
    empty, flowers = refusal.value.__notes__
    assert empty.startswith("empty.jsonl: ")
    assert "empty.jsonl lists no record" in empty
    assert flowers.startswith("flowers.csv: ")
    assert "has petal, sepal" in flowers


def test_refuses_images_that_are_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"images must be a folder, .*nowhere is none"):
        ConversionDataCollector(tmp_path / "nowhere", tmp_path / "library")


HALF = "bad \ud83d"  # half of a surrogate pair


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        *(("lines.jsonl", changes) for changes in (
            {"error": HALF}, {"note": [{"deep": HALF}]}, {HALF: 1}, {"image_path": HALF},
        )),
        ("list.json", {"error": HALF}),
        ("nested.json", {"error": HALF}),
        ("flat.csv", {"error": json.dumps({"message": HALF})}),
    ],
)  # fmt: skip
def test_text_that_is_not_unicode_spoils_its_own_record_only(
    name: str, changes: Record, tmp_path: Path, collector: ConversionDataCollector
) -> None:
    other = record(ssim=0.8, error="")
    WRITERS[name](tmp_path / name, [record(**changes), other])
    collected = collector.collect(tmp_path / name)
    assert collected.table["ssim"].tolist() == [0.8]
    (entry,) = collected.quarantine
    assert [reason.kind for reason in entry.reasons] == ["not Unicode"]
    assert json.loads(json.dumps(entry.as_dict()))["record"] == entry.record


def test_a_log_of_which_every_record_is_not_unicode_goes_to_quarantine(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    collected = collector.collect(write_lines(tmp_path / "log.jsonl", record(error=HALF)))
    assert collected.reasons == {"not Unicode": 1}


def test_names_in_a_log_can_be_printed(tmp_path: Path, collector: ConversionDataCollector) -> None:
    content = {HALF: [record()], f"{HALF} 2": [{"name": "b"}]}
    (tmp_path / "log.json").write_text(json.dumps(content))
    collected = collector.collect(tmp_path / "log.json")
    assert len(collected.table) == 1
    assert collected.logs[0].other_lists == {r"bad \ud83d 2": 1}


def test_a_whole_pair_is_a_letter(tmp_path: Path, collector: ConversionDataCollector) -> None:
    log = write_lines(tmp_path / "log.jsonl", record(error="\U0001f600"))
    assert collector.collect(log).table["error"].tolist() == ["as logged: \U0001f600"]


def test_a_blank_picture_is_quarantined(
    tmp_path: Path, images: Path, collector: ConversionDataCollector
) -> None:
    Image.new("RGBA", (32, 32), (255, 255, 255, 0)).save(images / "blank.png")
    log = write_lines(tmp_path / "log.jsonl", record(), record(image_path="blank.png"))
    collected = collector.collect(log)
    assert len(collected.table) == 1
    (entry,) = collected.quarantine
    assert "must show more than one colour on white" in str(entry.reasons[0])


def test_quarantine_is_json_whatever_the_log_holds(
    tmp_path: Path, collector: ConversionDataCollector
) -> None:
    lines = [
        '{"image_path": "sub/a.png", "ssim": NaN}',
        '{"image_path": "sub/a.png", "ssim": 1e999}',
    ]
    write_lines(tmp_path / "logs/log.jsonl", *lines, "\ud83d".encode("utf-8", "replace").decode())
    pd.DataFrame({"image_path": ["a"], "ssim": [math.inf], "at": [datetime(2025, 1, 1)],
                  "blob": [b"\xff"]}).to_parquet(tmp_path / "logs/log.parquet")  # fmt: skip
    collected = collector.collect(tmp_path / "logs")
    said = [json.dumps(entry.as_dict(), allow_nan=False) for entry in collected.quarantine]
    assert len(said) == collected.n_records == 4
    assert '"ssim": "NaN"' in said[0]
    assert '"ssim": "1e999"' in said[1]
    assert '"at": "2025-01-01T00:00:00"' in said[3]
