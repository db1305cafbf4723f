"""The command line: one sub-command per stage, its options made from the stage's settings."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from typing import Any, Final

from svg_quality import __version__
from svg_quality.errors import SvgQualityError
from svg_quality.settings import (
    DEFAULT_CONFIG,
    FROM_CONFIG,
    MAIN_OVERRIDES,
    NEWEST,
    section_of,
)

PIPELINE_STAGES: Final = ("convert", "dataset", "extract", "train", "evaluate", "promote")


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
    for stage in PIPELINE_STAGES:
        _add_stage(commands, stage)
    _add_main(commands)
    _add_predict(commands)
    return parser


def _add_stage(commands: Any, stage: str) -> None:
    section = section_of(stage)
    command = commands.add_parser(stage, help=section.__doc__, description=section.__doc__)
    _add_config(command)
    if stage != "convert":
        command.add_argument(
            "--input-run", default=NEWEST, metavar="RUN_ID",
            help="run of the stage before (default: its newest finished run)",
        )  # fmt: skip
    for name, field in section.model_fields.items():
        _add_setting(command, name, field.description or "")


def _add_main(commands: Any) -> None:
    about = "The whole pipeline, from logos to Production; finished stages are used again."
    command = commands.add_parser("main", help=about, description=about)
    _add_config(command)
    for name, stage in MAIN_OVERRIDES.items():
        _add_setting(command, name, section_of(stage).model_fields[name].description or "")


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
    command.add_argument(
        "--model", default="models:/svg-quality/Production", help="model URI, or a bundle's folder"
    )
    command.add_argument("--json", action="store_true", help="write one JSON line per set")


def _add_config(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", default=DEFAULT_CONFIG, help="YAML of settings (default: %(default)s)"
    )


def _add_setting(command: argparse.ArgumentParser, name: str, description: str) -> None:
    command.add_argument(
        f"--{name.replace('_', '-')}", default=FROM_CONFIG, metavar="VALUE",
        help=f"{description} (default: as in --config)",
    )  # fmt: skip
