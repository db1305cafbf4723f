"""From a parsed command line to the stage it asks for."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svg_quality.settings import (
    NEWEST,
    OVERRIDES,
    Settings,
    load_settings,
    section_name,
    section_of,
)

if TYPE_CHECKING:
    from svg_quality.stages.pipeline import Stage


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; gives the exit code.

    Raises:
        SvgQualityError: anything the user can put right.
    """
    if options.command == "predict":
        from svg_quality.stages.predict import predict

        predict(options.image, options.assignments, options.parameters, options.model,
                as_json=options.json)  # fmt: skip
    elif options.command == "main":
        from svg_quality.stages.main import run_main

        run_main(_settings(options))
    else:
        from svg_quality.stages.pipeline import run_stage

        input_run = getattr(options, "input_run", NEWEST)
        run_stage(
            stage_of(options.command),
            _settings(options),
            None if input_run == NEWEST else input_run,
        )
    return 0


def stage_of(command: str) -> Stage:
    """The stage of a sub-command: `verify-pipeline` is ``VERIFY_PIPELINE`` of its module."""
    name = section_name(command)
    stage: Stage = getattr(import_module(f"svg_quality.stages.{name}"), name.upper())
    return stage


def _settings(options: argparse.Namespace) -> Settings:
    given: dict[str, dict[str, Any]] = {}
    if options.command != "main":
        fields = section_of(options.command).model_fields
        asked = {name: getattr(options, name) for name in fields}
        given[section_name(options.command)] = {
            name: " ".join(value) if isinstance(value, list) else value
            for name, value in asked.items()
        }
    for name, stage in OVERRIDES.get(options.command, {}).items():
        given.setdefault(stage, {})[name] = getattr(options, name)
    return load_settings(Path(options.config), given)
