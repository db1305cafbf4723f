"""`main`: every stage in order, as nested runs; what is finished is used again."""

from __future__ import annotations

from pathlib import Path

from svg_quality.conversion.parameters import Parameters
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import read_release
from svg_quality.dataset.tables import parameters_of
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.settings import Settings
from svg_quality.stages.console import say
from svg_quality.stages.convert import CONVERT
from svg_quality.stages.dataset import DATASET
from svg_quality.stages.extract import EXTRACT
from svg_quality.stages.pipeline import reuse_or_run
from svg_quality.stages.promote import PROMOTE
from svg_quality.stages.train import REPORT, TRAIN
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import FinishedRun
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import project_root

_N_SHOWN = 3


def run_main(settings: Settings) -> None:
    """Run or re-use convert, dataset, extract, train and promote; then predict held-out logos."""
    finished: dict[str, FinishedRun] = {}
    with stage_run(Work("main", settings.model_dump())) as run:
        source: FinishedRun | None = None
        for stage in (CONVERT, DATASET, EXTRACT, TRAIN, PROMOTE):
            source = finished[stage.name] = reuse_or_run(stage, settings, source)
        run.set_tags({f"{name}.run": done.run_id for name, done in finished.items()})
        run.log_metrics(finished["train"].metrics)
    _predict_held_out(finished["dataset"].output_path)
    page = finished["train"].artifact(REPORT)
    say("")
    say(f"Evaluation page: {_from_here(page)}")
    say("All runs:        make ui   (then open http://127.0.0.1:5000)")


def _predict_held_out(release_path: Path) -> None:
    """Predicted beside measured, at VTracer's defaults, for three logos of the test split."""
    rows = read_release(release_path).rows("test")
    default = Parameters()
    rows = rows[[parameters == default for parameters in parameters_of(rows)]]
    rows = rows[rows["format"] != "JPEG"].head(_N_SHOWN)
    library = LogoLibrary(project_root() / "data" / "logos")
    predictor = QualityPredictor()
    promised = f"predicted ({predictor.bundle.intervals['ssim'].level:.0%} interval)"
    say("")
    say(f"Held-out logos, VTracer's defaults, {predictor.model_name} {predictor.model_version}:")
    say(f"{'':<40}{'SSIM':>8}{promised:>28}{'bytes':>10}{'predicted':>12}")
    for row in rows.to_dict(orient="records"):
        said = predictor.predict(library.path(row["image_path"]))
        interval = f"{said.ssim:.3f} ({said.ssim_low:.3f}-{said.ssim_high:.3f})"
        name = "/".join(row["source"].split("/")[-2:])
        say(
            f"{name:<40}{row['ssim']:>8.3f}{interval:>28}{row['svg_bytes']:>10,}{said.svg_bytes:>12,}"
        )


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
