"""Names of fields are data: what the package's file says, and what a user's may."""

from pathlib import Path
from typing import Any

import pytest

from svg_quality.conversion.parameters import NAMES
from svg_quality.dataset.collection.field_aliases import FIELDS, read_aliases
from svg_quality.dataset.collection.log_records import Reading, read_record
from svg_quality.errors import SettingsError


def read(record: dict[str, Any], aliases: Path | None = None) -> Reading:
    whole = {"image_path": "a.png", "ssim": 0.9, "path_precision": 2, **record}
    return read_record(whole, read_aliases(aliases))


def test_the_packages_file_names_every_field_and_parameter() -> None:
    aliases = read_aliases()
    assert set(aliases.fields) == set(FIELDS) - {"ssim_worst_tile"}
    assert tuple(aliases.parameters) == NAMES
    assert aliases.absent_parameters == set(NAMES) - {"path_precision"}


@pytest.mark.parametrize(
    "record",
    [
        {"segment_length": 5},
        {"params": {"length_threshold": "5.0"}},
        {"parameters.segment_length": 5},
        {"param_length_threshold": 5.0},
        {"parameters": '{"segment_length": 5}'},
        {"parameters": {"length_threshold": None}, "length_threshold": 5},
        {"parameters": {"length_threshold": 5}, "segment_length": "5.00"},
    ],
)
def test_a_parameter_is_found_under_its_names(record: dict[str, Any]) -> None:
    reading = read(record)
    assert reading.faults == []
    assert reading.parameters is not None
    assert reading.parameters.length_threshold == 5


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"length_threshold": 4, "segment_length": 5}, "length_threshold given twice"),
        ({"params": {"mode": "polygon"}, "mode": "none"}, "mode given twice"),
        ({"params": {"blur": 3}}, "parameter unknown"),
        ({"ssim": "1_0"}, "SSIM not a number"),
        ({"ssim": "0,95"}, "SSIM not a number"),
        ({"ssim": [0.9]}, "SSIM missing"),
        ({"ssim_after": 0.2, "ssim": "high"}, "SSIM not a number"),
        ({"mse": -1}, "mse out of range"),
        ({"error": 0.3}, "error not a text"),
        ({"error": "no", "success": True}, "success contradicts error"),
        ({"filter_speckle": "NaN"}, "filter_speckle not allowed"),
        ({"max_iterations": 0}, "max_iterations out of range"),
    ],
)
def test_what_is_unclear_is_a_fault(record: dict[str, Any], kind: str) -> None:
    assert [fault.kind for fault in read(record).faults] == [kind]


@pytest.mark.parametrize(
    "record",
    [
        {"params": {"new_knob": 3}},
        {"params.new_knob": "3"},
        {"params": '{"mode": "none", "new_knob": 3}'},
        {"param_new_knob": 3},
        {"params.mode": "none", "params": {"new_knob": [1, 2]}},
    ],
)
def test_an_unknown_parameter_is_a_fault_in_every_layout(record: dict[str, Any]) -> None:
    (fault,) = read(record).faults
    assert fault.kind == "parameter unknown"
    assert "new_knob" in fault.fact


@pytest.mark.parametrize(
    "record",
    [
        {"params.new_knob": ""},
        {"param_new_knob": None},
        {"params": '{"new_knob": null, "img_format": "png"}'},
        {"params.out_path": "a.svg"},
        {"new_knob": 3},
    ],
)
def test_what_is_empty_or_ignored_or_no_parameter_is_none(record: dict[str, Any]) -> None:
    assert read(record).faults == []


def test_a_ratio_of_sizes_is_no_size() -> None:
    assert read({"file_size_ratio": 0.2}).columns["svg_bytes"] is None


def test_a_users_file_replaces_what_it_names_and_only_that(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        'fields: {ssim: [{path: like.percent, unit: "%"}], svg_bytes: [{path: kb, unit: kB}],'
        " created_at: [{path: at, unit: unix_s}]}\n"
        "values: {logo_type: {wordmark: text}}\nignored_parameters: [blur]"
    )
    record = {"like": {"percent": 95}, "kb": 1.234, "at": 86400, "logo_type": "Wordmark",
              "params": {"blur": 1, "mode": "pixel"}}  # fmt: skip
    reading = read(record, mine)
    assert reading.faults == []
    assert reading.columns["ssim"] == pytest.approx(0.95)
    assert reading.columns["svg_bytes"] == 1234
    assert reading.columns["created_at"] == "1970-01-02T00:00:00.000+00:00"
    assert reading.logo_type == "text"
    assert reading.parameters is not None
    assert reading.parameters.mode == "none"
    assert read({**record, "kb": 1.2345}, mine).faults[0].kind == "svg_bytes not whole"
    assert read({**record, "at": 1e20}, mine).faults[0].kind == "time not readable"


def test_a_users_file_can_switch_vtracers_defaults_off(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("absent_parameters: []")
    reading = read({}, tmp_path / "mine.yaml")
    assert {fault.kind for fault in reading.faults} == {
        f"{name} missing" for name in NAMES if name != "path_precision"
    }
    assert reading.defaults == []
    assert read({}).defaults == [name for name in NAMES if name != "path_precision"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fields: {sim: [a]}", "fields must be of image.*got 'sim'"),
        ("parameters: {blur: [a]}", "parameters must be of colormode.*got 'blur'"),
        ("absent_parameters: [blur]", "got 'blur'"),
        ("fields: {ssim: [{path: a, unit: dB}]}", "a unit of ssim must be %; got 'dB'"),
        ("fields: {mse: [{path: a, unit: s}]}", "a unit of mse must be left out; got 's'"),
        ("fields: {ssim: score}", "fields.ssim"),
        ("colour: 1", "colour"),
        ("- a", "must be sections of names"),
        ("{", "must be a readable YAML file"),
    ],
)
def test_refuses_a_file_that_names_something_unknown(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_aliases(tmp_path / "mine.yaml")
