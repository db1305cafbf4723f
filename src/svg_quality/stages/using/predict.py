"""`predict`: the registered model's answer for one image, for people or as JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from svg_quality.conversion.parameters import Parameters, parameters_from
from svg_quality.errors import ParameterError
from svg_quality.optimization.vtracer_command import changed_text
from svg_quality.prediction.predictor import Prediction, QualityPredictor
from svg_quality.stages.console import say
from svg_quality.stages.using.assignments import assigned


def predict(
    image: str,
    assignments: Sequence[str],
    parameters_file: str,
    model: str,
    *,
    as_json: bool,
    enabled: bool = True,
) -> None:
    """Print predictions for one image; where there is no model, that and why.

    Both are an answer: the exit code is 0, and ``status`` tells them apart.

    Args:
        image: path.
        assignments: ``NAME=VALUE``, also several in one text, apart by spaces or commas.
        parameters_file: JSON lines, one set each; ``assignments`` are added to every set.
        model: model URI, or a bundle's folder.
        as_json: one JSON line per set, which also says whether it was predicted (``status``).
        enabled: whether to ask a model at all.

    Raises:
        SvgQualityError: anything the user can put right.
    """
    common = assigned(assignments)
    sets = _sets(Path(parameters_file), common) if parameters_file else [parameters_from(common)]
    predictions = QualityPredictor(model, enabled=enabled).predict_sets(image, sets)
    for prediction in predictions:
        say(json.dumps(prediction.as_dict()) if as_json else _sentence(prediction))
    if not as_json:
        _say_once(predictions[0])
    _keep_with_run(predictions)


def _sentence(prediction: Prediction) -> str:
    asked = changed_text(prediction.parameters) or "VTracer's default parameters"
    if prediction.status == "unavailable":
        return f"SSIM and bytes unknown, with {asked}"
    return (
        f"SSIM {prediction.ssim:.3f} ({prediction.interval:.0%} interval "
        f"{prediction.ssim_low:.3f} to {prediction.ssim_high:.3f}), "
        f"about {prediction.svg_bytes:,} bytes ({prediction.bytes_low:,} to "
        f"{prediction.bytes_high:,}), with {asked}; "
        f"by {prediction.model_name} version {prediction.model_version}"
    )


def _say_once(prediction: Prediction) -> None:
    """What holds for every set of the image."""
    if prediction.status == "unavailable":
        say(f"unavailable: {prediction.reason}")
        return
    say(
        "SSIM tells how alike SVG and logo look, 1 is the same;"
        f" {prediction.interval:.0%} of real conversions lie in the range in brackets"
    )
    if prediction.unlike_training:
        say(
            "unlike the training logos: this picture lies farther from all of them than they do"
            " from each other, so convert it before you rely on these figures"
        )


def _sets(path: Path, common: dict[str, str]) -> list[Parameters]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ParameterError(
            f"parameter sets must be in a readable file, {path}: {error}"
        ) from None
    sets = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            values = json.loads(line)
            if not isinstance(values, dict):
                raise ParameterError(f"a set must be a JSON object, got {line[:40]}")
            sets.append(parameters_from({**values, **common}))
        except ValueError as error:  # ParameterError and JSONDecodeError are both one
            raise ParameterError(f"{path} line {number}: {error}") from None
    if not sets:
        raise ParameterError(f"a file of parameter sets must hold at least one, {path} holds none")
    return sets


def _keep_with_run(predictions: list[Prediction]) -> None:
    """Under `mlflow run` the answer is kept with the run; a plain prediction needs no MLflow."""
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if run_id:
        from svg_quality.tracking.store import open_store

        lines = [json.dumps(prediction.as_dict()) for prediction in predictions]
        open_store().client.log_text(run_id, "\n".join(lines) + "\n", "predictions.jsonl")
