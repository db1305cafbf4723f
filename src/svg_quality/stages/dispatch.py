"""From a parsed command line to the stage it asks for."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from svg_quality.settings import (
    ANYWHERE,
    COMMANDS,
    DEFAULT_CONFIG,
    NEWEST,
    OVERRIDES,
    Settings,
    load_settings,
    section_name,
    section_of,
)
from svg_quality.tracking.store import project_root

if TYPE_CHECKING:
    from svg_quality.stages.pipeline import Stage


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; gives the exit code.

    Raises:
        SvgQualityError: anything the user can put right.
    """
    if options.command == "predict":
        from svg_quality.stages.using.predict import predict

        predictor = _settings(options).predictor
        predict(options.image, options.assignments, options.parameters, predictor.model,
                enabled=predictor.enabled, as_json=options.json)  # fmt: skip
    elif options.command == "main":
        from svg_quality.stages.main import run_main

        run_main(_settings(options))
    elif options.command in COMMANDS:
        code: int = module_of(options.command).run(_settings(options))
        return code
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
    stage: Stage = getattr(module_of(command), section_name(command).upper())
    return stage


def module_of(command: str) -> ModuleType:
    """The module of a sub-command, in the room of its settings."""
    room = section_of(command).__module__.rpartition(".")[2]
    return import_module(f"svg_quality.stages.{room}.{section_name(command)}")


def _settings(options: argparse.Namespace) -> Settings:
    given: dict[str, dict[str, Any]] = {}
    if options.command == "predict":
        given["predictor"] = {"model": options.model}
    elif options.command != "main":
        fields = section_of(options.command).model_fields
        asked = {name: getattr(options, name) for name in fields}
        given[section_name(options.command)] = {
            name: " ".join(value) if isinstance(value, list) else value
            for name, value in asked.items()
        }
    for name, stage in OVERRIDES.get(options.command, {}).items():
        given.setdefault(stage, {})[name] = getattr(options, name)
    path = Path(options.config)
    if options.config == DEFAULT_CONFIG and not path.exists():
        path = project_root() / path  # of a project that this is a folder of
        if options.command in ANYWHERE and not path.exists():
            return load_settings(None, given)
    return load_settings(path, given)
