"""A search as one self-contained page, one JSON file, and the winner's settings as YAML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import yaml

from svg_quality.pages.charts import Chart
from svg_quality.pages.lines import line_chart
from svg_quality.pages.report_files import write_report_files
from svg_quality.training.searching.space import SPACE
from svg_quality.training.searching.study import StudyResult

BEST_NAME: Final = "best.yaml"
FIGURES: Final = {  # figure: heading
    "everyday_ssim_mae": "Everyday region: SSIM error",
    "everyday_ssim_r2": "Everyday region: SSIM R²",
    "everyday_log_bytes_mae": "Everyday region: log bytes error",
    "everyday_log_bytes_r2": "Everyday region: log bytes R²",
    "ssim_mae": "Full region: SSIM error",
    "ssim_r2": "Full region: SSIM R²",
    "log_bytes_mae": "Full region: log bytes error",
    "log_bytes_r2": "Full region: log bytes R²",
    "training_time": "Training time, s",
}
CHOICES: Final = {  # of `SPACE`, and of `train` in place of the first three: heading
    "width": "Width of the first layer",
    "depth": "Hidden layers",
    "taper": "Width, layer to layer",
    "hidden_dims": "Widths of the hidden layers",
    "dropout_rate": "Dropout",
    "batch_norm": "Batch norm",
    "loss": "Loss of SSIM",
    "ranking_weight": "Weight of the ranking loss",
    "bytes_weight": "Weight of the size's loss",
    "learning_rate": "Learning rate",
    "weight_decay": "Weight decay",
    "batch_size": "Rows per step",
    "d_bottleneck": "Numbers kept of the features",
    "n_members": "Networks",
}


@dataclass(frozen=True, slots=True)
class Repeated:
    """One setting trained with several seeds: each figure's values, in the order of the seeds."""

    name: str
    settings: Mapping[str, Any]  # of `train`
    seeds: tuple[int, ...]
    validation: Mapping[str, tuple[float, ...]]
    test: Mapping[str, tuple[float, ...]]  # empty where nobody looked

    @staticmethod
    def summary(values: Sequence[float]) -> tuple[float, float | None]:
        """Mean and standard deviation of the sample; None for the latter of one value."""
        return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None


@dataclass(frozen=True, slots=True)
class SearchReport:
    """Everything the page tells."""

    facts: Mapping[str, str]
    study: StudyResult
    winner: Repeated
    defaults: Repeated  # the settings the search began from
    verdict: str
    n_test_looks: int
    command: str  # trains with the winner's settings


def write_search_page(report: SearchReport, folder: Path) -> dict[str, Path]:
    """Write ``search.html``, ``search.json`` (see `write_report_files`) and ``best.yaml``."""
    written = write_report_files(
        folder, "search", report, "svg_quality.training", "search.html.j2",
        report=report,
        charts=[history_chart(report.study), *_learning_chart(report.study)],
        names=tuple(SPACE),
        summary=Repeated.summary,
        figures=FIGURES,
        choices=CHOICES,
    )  # fmt: skip
    written["best"] = folder / BEST_NAME
    written["best"].write_text(_best(report), encoding="utf-8")
    return written


def history_chart(study: StudyResult) -> Chart:
    """The value of each finished trial, and the best until then."""
    finished = [(row.number, row.value) for row in study.trials if row.value is not None]
    numbers = [float(number) for number, _ in finished]
    values = [float(value) for _, value in finished]
    return line_chart(
        "Finished trials",
        "The validation MAE of each trial that was not pruned, and the best one so far.",
        {
            "trial": (numbers, values),
            "best so far": (numbers, np.minimum.accumulate(values).tolist()),
        },
        ("trial", "everyday region: mean absolute error of SSIM"),
    )


def _learning_chart(study: StudyResult) -> list[Chart]:
    """How far trials came before they ended; none where nothing was reported."""
    reported = [row for row in study.trials if row.last is not None]
    if not reported:
        return []
    groups = {"finished": "COMPLETE", "pruned": "PRUNED"}
    series = {
        name: (
            [float(row.number) for row in reported if row.state == state],
            [float(row.n_epochs) for row in reported if row.state == state],
        )
        for name, state in groups.items()
    }
    return [
        line_chart(
            "Epochs of each trial",
            "How many epochs each trial got: pruned ones end early.",
            {name: points for name, points in series.items() if points[0]},
            ("trial", "epochs"),
        )
    ]


def _best(report: SearchReport) -> str:
    heading = [
        "The winner of a search, for `svg-quality train --config`.",
        *(f"{name}: {text}" for name, text in report.facts.items()),
        report.verdict,
    ]
    settings = {name: value for name, value in report.winner.settings.items() if name != "resume"}
    comment = "".join(f"# {' '.join(line.split())}\n" for line in heading)
    return comment + yaml.safe_dump({"train": settings}, sort_keys=False)
