"""Settings: YAML, overrides, refusals; and one definition for MLproject and the command line."""

import shlex
from pathlib import Path

import pytest
import yaml

from svg_quality.cli import STAGES, build_parser
from svg_quality.errors import SettingsError
from svg_quality.settings import (
    COMMANDS,
    DEFAULT_CONFIG,
    FROM_CONFIG,
    OVERRIDES,
    Settings,
    load_settings,
    section_of,
)
from svg_quality.settings.fields import is_positional

ROOT = Path(__file__).parents[1]
PROJECT = yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"]


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    return path


def test_what_a_file_leaves_out_keeps_its_default(tmp_path: Path) -> None:
    settings = load_settings(config(tmp_path, "train: {epochs: 7}"))
    assert settings.train.epochs == 7
    assert settings.train.batch_size == Settings().train.batch_size
    assert load_settings(config(tmp_path, "")) == Settings()


def test_an_override_wins_and_the_word_config_does_not(tmp_path: Path) -> None:
    path = config(tmp_path, "train: {epochs: 7, batch_size: 32}")
    given = {"train": {"epochs": "5", "batch_size": FROM_CONFIG}}
    settings = load_settings(path, given)
    assert (settings.train.epochs, settings.train.batch_size) == (5, 32)
    # what `mlflow run -P epochs=5` hands over is text, and a float where it says so
    assert load_settings(path, {"train": {"epochs": "5.0"}}).train.epochs == 5


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: {epochs: 0}", r"train\.epochs: .*greater than or equal to 1, got 0"),
        ("train: {epoch: 5}", r"train\.epoch: extra inputs are not permitted"),
        ("learn: {}", "learn: extra inputs"),
        ("convert: {jpeg_share: 1.5}", r"convert\.jpeg_share: .*less than or equal to 1"),
        ("- a list", "must be sections of names and values"),
        ("train: 5", "must be sections of names and values"),
        ("dataset: {name: ..}", r"dataset\.name: .*pattern"),
        ("train: {epochs: [", "must be a readable YAML file"),
    ],
)
def test_refuses(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        load_settings(config(tmp_path, text))


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"readable YAML file, .*nowhere\.yaml"):
        load_settings(tmp_path / "nowhere.yaml")


def test_every_committed_configuration_is_valid() -> None:
    paths = sorted((ROOT / "experiments").glob("*.yaml"))
    assert paths
    for path in paths:
        load_settings(path)


@pytest.mark.parametrize("entry", sorted(PROJECT))
def test_mlproject_and_command_line_are_the_same(entry: str) -> None:
    """Same names and same defaults; and the command of each entry point parses."""
    parameters = PROJECT[entry]["parameters"]
    values = {
        name: given["default"] if isinstance(given, dict) and "default" in given else "here"
        for name, given in parameters.items()
    }
    command = PROJECT[entry]["command"].format(
        **{name: shlex.quote(str(value)) for name, value in values.items()}
    )
    words = shlex.split(command)
    assert words[:2] == ["svg-quality", entry]
    through_mlflow = build_parser().parse_args(words[1:])
    alone = build_parser().parse_args([entry, *[x for x in values.values() if x == "here"]])
    if entry == "predict":  # an empty text stands for no assignment at all
        assert through_mlflow.assignments == [""]
        through_mlflow.assignments = alone.assignments
    assert vars(through_mlflow) == vars(alone)
    spelled = {"set": "assignments"}
    options = {spelled.get(name, name) for name in parameters}
    assert options == set(vars(alone)) - {"command", "json"}


def test_mlproject_has_every_stage_and_numbers_are_typed() -> None:
    assert set(PROJECT) == {"main", "predict", *STAGES, *COMMANDS}
    for stage in (*STAGES, *COMMANDS):
        for name, field in section_of(stage).model_fields.items():
            declared = PROJECT[stage]["parameters"][name]
            if is_positional(field):
                assert declared == "string"
                continue
            assert declared["default"] == FROM_CONFIG
            expected = "float" if field.annotation in (int, float) else "string"
            assert declared["type"] == expected, f"{stage}.{name}"
    for command, overrides in OVERRIDES.items():
        assert set(overrides) <= set(PROJECT[command]["parameters"])
    assert PROJECT["main"]["parameters"]["config"]["default"] == DEFAULT_CONFIG


@pytest.mark.parametrize(
    ("words", "said"),
    [([], "config"), (["--upload"], "true"), (["--no-upload"], "false"),
     (["--upload", "false"], "false"), (["--upload", "config"], "config")],
)  # fmt: skip
def test_a_switch_is_a_flag_for_people_and_a_value_for_mlflow(words: list[str], said: str) -> None:
    assert build_parser().parse_args(["dataset", *words]).upload == said
