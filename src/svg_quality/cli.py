"""The command line: one sub-command per stage, its options made from the stage's settings."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from svg_quality import __version__
from svg_quality.errors import SvgQualityError
from svg_quality.settings import (
    COMMANDS,
    DEFAULT_CONFIG,
    FROM_CONFIG,
    NEWEST,
    OVERRIDES,
    section_of,
)
from svg_quality.settings.fields import is_plural, is_positional, short_name

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

STAGES: Final = (  # in the order a person meets them
    "collect", "convert", "inventory", "clean", "augment", "inspect", "dataset", "export", "qa",
    "extract", "analyse", "finetune", "train", "search", "cross-validate", "evaluate", "compare",
    "validate", "export-model", "promote", "rollback", "ab-report", "monitor", "verify", "backup",
    "restore", "verify-pipeline",
)  # fmt: skip
WITHOUT_INPUT: Final = (
    "collect", "convert", "compare", "rollback", "ab-report", "monitor", "verify", "backup",
    "restore", "verify-pipeline",
)  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a sub-command; gives the exit code (2 for what the user can put right)."""
    options = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s: %(message)s")
    try:
        from svg_quality.stages import dispatch

        return dispatch.run(options)
    except SvgQualityError as error:
        sys.stderr.write(f"svg-quality: {error}\n")
        return error.exit_code
    except BrokenPipeError:  # `| head`: nobody reads on, and closing stdout must not fail too
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except KeyboardInterrupt:
        sys.stderr.write("svg-quality: stopped; what is finished is kept\n")
        return 130


def build_parser() -> argparse.ArgumentParser:
    """The whole command line."""
    parser = argparse.ArgumentParser(
        prog="svg-quality",
        description="Predict how good a vectorised logo will be, before converting it.",
    )
    parser.add_argument("--version", action="version", version=f"svg-quality {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for stage in (*STAGES, *COMMANDS):
        _add_stage(commands, stage)
    _add_main(commands)
    _add_predict(commands)
    return parser


def _add_stage(commands: Any, stage: str) -> None:
    section = section_of(stage)
    command = commands.add_parser(stage, help=section.__doc__, description=section.__doc__)
    _add_config(command)
    if stage not in (*WITHOUT_INPUT, *COMMANDS):
        command.add_argument(
            "--input-run", default=NEWEST, metavar="RUN_ID",
            help="run of the stage before (default: its newest finished run)",
        )  # fmt: skip
    for name, field in section.model_fields.items():
        _add_setting(command, name, field)
    _add_overrides(command, stage)


def _add_main(commands: Any) -> None:
    about = "The whole pipeline, from logos to Production; finished stages are used again."
    command = commands.add_parser("main", help=about, description=about)
    _add_config(command)
    _add_overrides(command, "main")


def _add_predict(commands: Any) -> None:
    about = "Predict SSIM and bytes of a conversion that is not made."
    command = commands.add_parser("predict", help=about, description=about)
    command.add_argument("image", help="logo file: PNG, JPEG, WebP, GIF, BMP, TIFF or SVG")
    command.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="NAME=VALUE", dest="assignments",
        help="VTracer parameters; what is not named keeps VTracer's default",
    )  # fmt: skip
    command.add_argument(
        "--parameters", default="", metavar="FILE",
        help="JSON lines, one parameter set each, to score on the same image",
    )  # fmt: skip
    _add_config(command)
    _add_setting(command, "model", section_of("predictor").model_fields["model"])
    command.add_argument("--json", action="store_true", help="write one JSON line per set")


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", default=DEFAULT_CONFIG,
        help="YAML of settings, which win over the defaults below (default: %(default)s)",
    )  # fmt: skip


def _add_overrides(command: argparse.ArgumentParser, name: str) -> None:
    for setting, stage in OVERRIDES.get(name, {}).items():
        _add_setting(command, setting, section_of(stage).model_fields[setting])


def _add_setting(command: argparse.ArgumentParser, name: str, field: FieldInfo) -> None:
    if is_positional(field):
        command.add_argument(name, help=field.description, nargs="+" if is_plural(field) else None)
        return
    option = name.replace("_", "-")
    default = "" if field.default == "" else f" (default: {field.default})"
    about = f"{field.description}{default}"
    if field.annotation is bool:  # a flag for people, a value for `mlflow run -P`
        command.add_argument(f"--{option}", nargs="?", const="true", default=FROM_CONFIG,
                             metavar="true|false", help=about)  # fmt: skip
        command.add_argument(f"--no-{option}", dest=name, action="store_const", const="false",
                             default=FROM_CONFIG, help=f"the same as --{option} false")  # fmt: skip
    else:
        names = [short_name(field), f"--{option}"] if short_name(field) else [f"--{option}"]
        command.add_argument(*names, default=FROM_CONFIG, metavar="VALUE", help=about)
