"""`main`: every stage in order, as nested runs; what is finished is used again."""

from __future__ import annotations

from pathlib import Path

from svg_quality.conversion.parameters import Parameters
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import read_release
from svg_quality.dataset.tables import parameters_of
from svg_quality.errors import PromotionError
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.settings import Settings
from svg_quality.stages.console import say
from svg_quality.stages.dataset.convert import CONVERT
from svg_quality.stages.dataset.dataset import DATASET
from svg_quality.stages.learning.extract import EXTRACT
from svg_quality.stages.learning.train import REPORT, TRAIN, VERSION_TAG
from svg_quality.stages.pipeline import reuse_or_run
from svg_quality.stages.using.promote import OUTCOME_TAG, PROMOTE, stays_out
from svg_quality.tracking.identity import Work
from svg_quality.tracking.lookup import FinishedRun
from svg_quality.tracking.registry import MODEL
from svg_quality.tracking.runs import stage_run
from svg_quality.tracking.store import project_root

_N_SHOWN = 3


def run_main(settings: Settings) -> None:
    """Run or re-use convert, dataset, extract, train and promote; then predict held-out logos.

    A version that the gates keep out of Production is a result too: it is said, and the run ends
    well. The predictions at the end are then of that version, not of the champion: the champion
    may have learned from logos that this release holds out.
    """
    finished: dict[str, FinishedRun] = {}
    with stage_run(Work("main", settings.model_dump())) as run:
        source: FinishedRun | None = None
        for stage in (CONVERT, DATASET, EXTRACT, TRAIN):
            source = finished[stage.name] = reuse_or_run(stage, settings, source)
        version = finished["train"].tags[VERSION_TAG]
        run.set_tags({OUTCOME_TAG: _promotion(settings, finished)})
        run.set_tags({f"{name}.run": done.run_id for name, done in finished.items()})
        run.log_metrics(finished["train"].metrics)
    _predict_held_out(finished["dataset"].output_path, f"models:/{MODEL}/{version}")
    page = finished["train"].artifact(REPORT)
    say("")
    say(f"Evaluation page: {_from_here(page)}")
    say("All runs:        make ui   (then open http://127.0.0.1:5000)")


def _promotion(settings: Settings, finished: dict[str, FinishedRun]) -> str:
    """Promote what was trained, if the gates let it; gives the outcome in one word."""
    trained = finished["train"]
    kept_out = stays_out(trained.tags[VERSION_TAG], settings.promote)
    if not kept_out:
        try:
            finished["promote"] = reuse_or_run(PROMOTE, settings, trained)
        except PromotionError as refused:
            kept_out = str(refused)
    if not kept_out:
        return "promoted"
    say(f"promote    {kept_out}")
    return "refused"


def _predict_held_out(release_path: Path, model: str) -> None:
    """Predicted beside measured, at VTracer's defaults, for three logos of the test split."""
    rows = read_release(release_path).rows("test")
    default = Parameters()
    rows = rows[[parameters == default for parameters in parameters_of(rows)]]
    rows = rows[rows["format"] != "JPEG"].head(_N_SHOWN)
    library = LogoLibrary(project_root() / "data" / "logos")
    predictor = QualityPredictor(model)
    say("")
    say(f"Held-out logos, VTracer's defaults, {predictor.model_name} {predictor.model_version}:")
    for number, row in enumerate(rows.to_dict(orient="records")):
        said = predictor.predict(library.path(row["image_path"]))
        if number == 0:
            promised = f"predicted ({said.interval:.0%} interval)"
            say(f"{'':<40}{'SSIM':>8}{promised:>28}{'bytes':>10}{'predicted':>12}")
        interval = f"{said.ssim:.3f} ({said.ssim_low:.3f}-{said.ssim_high:.3f})"
        name = "/".join(row["source"].split("/")[-2:])
        say(
            f"{name:<40}{row['ssim']:>8.3f}{interval:>28}{row['svg_bytes']:>10,}{said.svg_bytes:>12,}"
        )


def _from_here(path: Path) -> Path:
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
