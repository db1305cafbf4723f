"""From a parsed command line to the stage it asks for."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from svg_quality.settings import MAIN_OVERRIDES, NEWEST, load_settings, section_of


def run(options: argparse.Namespace) -> int:
    """Do what was asked for; gives the exit code.

    Raises:
        SvgQualityError: anything the user can put right.
    """
    if options.command == "predict":
        from svg_quality.stages.predict import predict

        predict(options.image, options.assignments, options.parameters, options.model,
                as_json=options.json)  # fmt: skip
        return 0
    if options.command == "main":
        from svg_quality.stages.main import run_main

        overrides: dict[str, dict[str, Any]] = {}
        for name, stage in MAIN_OVERRIDES.items():
            overrides.setdefault(stage, {})[name] = getattr(options, name)
        run_main(load_settings(Path(options.config), overrides))
        return 0
    _run_stage(options)
    return 0


def _run_stage(options: argparse.Namespace) -> None:
    from svg_quality.stages.convert import CONVERT
    from svg_quality.stages.dataset import DATASET
    from svg_quality.stages.evaluate import EVALUATE
    from svg_quality.stages.extract import EXTRACT
    from svg_quality.stages.pipeline import run_stage
    from svg_quality.stages.promote import PROMOTE
    from svg_quality.stages.train import TRAIN

    stages = {x.name: x for x in (CONVERT, DATASET, EXTRACT, TRAIN, EVALUATE, PROMOTE)}
    given = {name: getattr(options, name) for name in section_of(options.command).model_fields}
    settings = load_settings(Path(options.config), {options.command: given})
    input_run = getattr(options, "input_run", NEWEST)
    run_stage(stages[options.command], settings, None if input_run == NEWEST else input_run)
