"""`validate`: whether the networks that `train` and `extract` use are built right."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from svg_quality.errors import CheckError, ImageError
from svg_quality.settings import ValidateSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.learning.extract import EXTRACT
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.identity import file_digest

if TYPE_CHECKING:
    from svg_quality.model.validation.checks import Check
    from svg_quality.model.validation.comparison import Architecture
    from svg_quality.model.validation.report import ValidationReport
    from svg_quality.model.validation.validator import ArchitectureReport
    from svg_quality.stages.learning.extracted import Extracted
    from svg_quality.training.recipe import Recipe
    from svg_quality.training.rows import Rows

_N_PICTURES: Final = 33  # as many as the largest batch that is tried
_N_AREAS: Final = 6


def _validate(context: StageContext) -> None:
    import torch

    from svg_quality.model.validation.comparison import scoring_check
    from svg_quality.model.validation.report import ValidationReport
    from svg_quality.stages.learning.extracted import Extracted
    from svg_quality.stages.learning.recipe import recipe_of

    settings: ValidateSettings = context.settings
    extracted = Extracted.of(context)
    release = extracted.release
    context.run.log_dataset(release.name, release.digest, release.path, "validation")
    train = extracted.part(release.rows("train")).rows
    recipe = recipe_of(context.everything.train)
    torch.set_num_threads(1)  # as `train` does; two wait for each other on a busy machine
    with progress_bar(_N_AREAS * (1 + settings.backbone) + 1, "checks") as bar:
        networks = [_head(train, recipe, settings, lambda area: bar.update())]
        compared = _compared(train, recipe)
        bar.update()
        networks[0] = networks[0].with_checks([scoring_check(compared[0])])
        if settings.backbone:
            networks.append(_backbone(context, extracted, lambda area: bar.update()))
    report = ValidationReport(
        tuple(networks), tuple(compared),
        {
            "run": context.run.run_id,
            "rows": f"{len(train):,} training rows of {release.name} {release.version}",
            "weights of the backbone": extracted.weights,
            "weights of the head": "untrained, as `train` begins",
            "calls for memory": str(settings.n_calls),
        },
    )  # fmt: skip
    _keep(context, report)


def _head(
    train: Rows, recipe: Recipe, settings: ValidateSettings, on_area: Callable[[str], object]
) -> ArchitectureReport:
    """The head as `train` would build it, tried with real rows."""
    import torch
    from torch import Tensor, nn

    from svg_quality.model.losses import TrainingLoss
    from svg_quality.model.quality_head import QualityHead
    from svg_quality.model.validation.examples import Inputs, example_of
    from svg_quality.model.validation.validator import ModelArchitectureValidator
    from svg_quality.training.data import RowLoader, build_head

    torch.manual_seed(recipe.training.seed)
    head = build_head(train, recipe.head, recipe.n_bins)
    picked = np.random.default_rng(settings.seed).permutation(len(train))[: recipe.batch_size]
    batch = next(iter(RowLoader(train.take(picked), max(len(picked), 2))))

    def loss(model: nn.Module, inputs: Inputs) -> Tensor:
        features, tabular = inputs
        n = len(features)
        if not isinstance(model, QualityHead):
            raise TypeError(f"the loss is a QualityHead's, got {type(model).__name__}")
        targets = batch.ssim[:n], batch.log_bytes[:n]
        said: Tensor = TrainingLoss(recipe.training.loss)(
            model.members(features, tabular), *targets, 0.0
        )
        return said

    example = dataclasses.replace(
        example_of(head, settings.seed),
        inputs=lambda n: (_first(batch.features, n), _first(batch.tabular, n)),
        loss=loss,
        n_training=min(64, len(picked)),
        n_timed=min(256, len(picked)),
        build=partial(build_head, train, recipe.head, recipe.n_bins),
    )
    report = ModelArchitectureValidator(
        head, example, name="head", n_calls=settings.n_calls, seed=settings.seed, on_area=on_area
    ).validate_architecture()
    return report.with_checks(_refusals(train))


def _first(values: Any, n: int) -> Any:
    """``n`` rows; a release of few rows gives them again and again."""
    return values[np.arange(n) % len(values)].clone()


def _refusals(train: Rows) -> list[Check]:
    """What makes the inputs of the network must refuse what is no number."""
    from svg_quality.model.validation.odd_inputs import refusal_check
    from svg_quality.training.rows import Rows

    sound: dict[str, np.ndarray] = {
        "features": np.array(train.features[:1], np.float32),
        "image_index": np.zeros(2, np.int64),
        **{name: np.array(getattr(train, name)[:2]) for name in ("tabular", "ssim", "log_bytes")},
    }
    checks = []
    for name in ("features", "tabular", "ssim", "log_bytes"):
        for value in (np.nan, np.inf):
            corrupted = sound[name].copy()
            corrupted.flat[0] = value
            act = partial(Rows, **{**sound, name: corrupted})
            checks.append(refusal_check(f"training rows with {value} in {name}", act))
    return checks


def _backbone(
    context: StageContext, extracted: Extracted, on_area: Callable[[str], object]
) -> ArchitectureReport:
    """ResNet-50 with the weights that `extract` took, tried with real pictures."""
    import torch

    from svg_quality.features.backbone import ResNetFeatureExtractor, build_backbone
    from svg_quality.model.validation.examples import example_of
    from svg_quality.model.validation.gradients import frozen_check
    from svg_quality.model.validation.validator import ModelArchitectureValidator

    settings: ValidateSettings = context.settings
    pictures = _pictures(context, extracted)
    seed = context.everything.extract.seed
    extractor = build_backbone(extracted.weights, pictures, seed).extractor
    images = torch.from_numpy(pictures)
    example = dataclasses.replace(
        example_of(extractor, settings.seed), inputs=lambda n: (_first(images, n),)
    )
    report = ModelArchitectureValidator(
        extractor, example, name="backbone", n_calls=settings.n_calls, seed=settings.seed,
        on_area=on_area,
    ).validate_architecture()  # fmt: skip
    frozen = ResNetFeatureExtractor(n_frozen=3)
    frozen.load_state_dict(extractor.state_dict())
    said = frozen_check(frozen, example, settings.seed)
    return report.with_checks([dataclasses.replace(said, name="three frozen stages stay frozen")])


def _pictures(context: StageContext, extracted: Extracted) -> np.ndarray:
    """Preprocessed pictures of the training split, float32 ``(up to 33, 3, 224, 224)``."""
    from svg_quality.conversion.images import load_image
    from svg_quality.dataset.library import LogoLibrary
    from svg_quality.features.preprocessing import preprocess

    release = extracted.release
    library = LogoLibrary(context.data / "logos")
    fit = extracted.summary["fit"]
    images = release.images[release.images["split"] == "train"].sort_index()
    read: list[np.ndarray] = []
    for path in images["image_path"]:
        try:
            picture = load_image(library.path(str(path)), release.working_size)
        except ImageError:
            continue  # `extract` has said so
        read.append(preprocess(picture.rgb, fit))
        if len(read) == _N_PICTURES:
            break
    if not read:
        raise ImageError(
            f"a release must have a readable training picture, {release.name} has none"
        )
    return np.stack(read)


def _compared(train: Rows, recipe: Recipe) -> list[Architecture]:
    """The head of the recipe, then others, each scoring 10,000 parameter sets of one image."""
    import torch

    from svg_quality.model.mlp import SSIMPredictor
    from svg_quality.model.validation.comparison import N_SETS, compare_architectures
    from svg_quality.training.data import build_head

    own = recipe.head
    widths = "-".join(map(str, own.hidden_dims))
    heads = {
        f"{widths}, {own.n_members} members, bottleneck {own.d_bottleneck} (train's)": own,
        "the same, one member": dataclasses.replace(own, n_members=1),
        "the same, without features": dataclasses.replace(own, d_bottleneck=0),
        "the same, bottleneck 64": dataclasses.replace(own, d_bottleneck=64),
        "256-256": dataclasses.replace(own, hidden_dims=(256, 256)),
        "1024-512-256-128": dataclasses.replace(own, hidden_dims=(1024, 512, 256, 128)),
    }
    tabular = torch.from_numpy(np.resize(train.tabular, (N_SETS, train.tabular.shape[1])))
    features = torch.from_numpy(np.array(train.features[:1], np.float32))
    models: dict[str, Any] = {
        name: (build_head(train, config, recipe.n_bins), (features, tabular))
        for name, config in heads.items()
    }
    beside = torch.cat([features.expand(N_SETS, -1), tabular], 1)
    models["SSIMPredictor, features beside"] = SSIMPredictor(beside.shape[1]), (beside,)
    return compare_architectures(models)


def _keep(context: StageContext, report: ValidationReport) -> None:
    """Write the report, keep it with the run, say it.

    Raises:
        CheckError: a check failed.
    """
    from svg_quality.model.validation.report import write_validation

    written = write_validation(report, context.reports / context.run.run_id)
    for path in written.values():
        context.run.log_artifact(path)
    own = report.compared[0]
    context.run.log_metrics(
        {
            "passed": float(not report.failed),
            "failed": len(report.failed),
            "warnings": sum(x.outcome == "warn" for one in report.networks for x in one.checks),
            "scoring_ms": own.ms,
            **{f"{x.name}.parameters": x.summary.n_parameters for x in report.networks},
            **{f"{x.name}.threads_ratio": x.threads.ratio for x in report.networks},
        }
    )
    context.run.set_tags({"validation.verdict": "fail" if report.failed else "pass"})
    context.run.set_output(file_digest(written["metrics"]), written["metrics"])
    for one in report.networks:
        _say_network(one)
    say(f"validate   10,000 parameter sets of one image in {own.ms:.3g} ms of one processor")
    say(f"validate   {_shown(written['html_report'], context.root)}")
    if report.failed:
        raise CheckError(
            f"every check of a network must pass, {len(report.failed)} did not:"
            f" {'; '.join(report.failed)} (the page: {written['html_report']})"
        )


def _say_network(one: ArchitectureReport) -> None:
    n_failed = len(one.failed)
    warned = [f"{x.area}: {x.name}" for x in one.checks if x.outcome == "warn"]
    verdict = f"{n_failed} failed" if n_failed else "pass"
    warning = f"; to look at: {', '.join(warned)}" if warned else ""
    say(
        f"validate   {one.name:<8} {verdict}: {len(one.checks)} checks,"
        f" {one.summary.n_parameters:,} parameters{warning}"
    )


def _shown(path: Path, root: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path


VALIDATION = Stage(
    name="validate",
    after=(EXTRACT,),
    code=(
        "model",
        "features/backbone.py",
        "features/inputs.py",
        "features/preprocessing.py",
        "training/data.py",
        "training/recipe.py",
        "training/rows.py",
        "stages/learning/extracted.py",
        "stages/learning/recipe.py",
        "stages/learning/validation.py",
    ),
    act=_validate,
)
