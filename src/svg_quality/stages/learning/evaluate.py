"""`evaluate`: a registered version against any split of the release it was trained on."""

from __future__ import annotations

from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.releases.release import read_release
from svg_quality.evaluation.metrics import REGIONS
from svg_quality.features.store import FeatureStore
from svg_quality.pages.environment import fixed
from svg_quality.prediction.bundle import Bundle
from svg_quality.settings import LATEST, EvaluateSettings
from svg_quality.stages.console import say
from svg_quality.stages.dataset.convert import descriptors_kind
from svg_quality.stages.learning.assess import ImageInputs, assess, keep_report
from svg_quality.stages.learning.train import TRAIN, VERSION_TAG
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.registry import MODEL
from svg_quality.tracking.resolve import resolve


def _evaluate(context: StageContext) -> None:
    settings: EvaluateSettings = context.settings
    asked = context.source.tags[VERSION_TAG] if settings.version == LATEST else settings.version
    resolved = resolve(f"models:/{MODEL}/{asked}")
    bundle = Bundle(resolved.path)
    dataset = bundle.manifest["dataset"]
    release = read_release(context.data / "releases" / dataset["name"] / dataset["version"])
    inputs = ImageInputs(
        FeatureStore(context.data / "features"),
        bundle.manifest["backbone"]["fingerprint"],
        descriptors_kind(release.working_size),
    )
    report = assess(
        bundle,
        release,
        inputs,
        settings.split,
        LogoLibrary(context.data / "logos"),
        {"run": context.run.run_id, "model": f"{MODEL} version {resolved.version}"},
    )
    context.run.log_dataset(release.name, release.digest, release.path, "evaluation")
    page = keep_report(context, report, settings.split)
    context.run.set_tags({VERSION_TAG: str(resolved.version)})
    for region, heading in REGIONS.items():
        told = report.metrics[region]["ssim"]
        say(
            f"evaluate   {heading.lower():<16} SSIM MAE {fixed(told['mae'], 4)}, R2 "
            f"{fixed(told['r2'])} ({told['n']} rows of {told['n_logos']} distinct logos)"
        )
    say(f"evaluate   {MODEL} version {resolved.version} on {settings.split}: {page}")
    say(f"evaluate   next: `svg-quality compare OTHER_RUN {context.run.run_id}`")


EVALUATE = Stage(
    name="evaluate",
    after=(TRAIN,),
    code=("evaluation", "features/boosting.py", "prediction", "stages/learning/assess.py",
          "stages/learning/evaluate.py"),
    act=_evaluate,
)  # fmt: skip
