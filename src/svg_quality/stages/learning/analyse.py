"""`analyse`: what the features and descriptors of a release say of quality, as a page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from svg_quality.features.descriptors import DESCRIPTOR_NAMES
from svg_quality.features.inputs import BLOCKS, TABULAR_NAMES
from svg_quality.settings import AnalyseSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.learning.assess import RANDOM_BACKBONE
from svg_quality.stages.learning.extract import EXTRACT
from svg_quality.stages.learning.extracted import Extracted, Part
from svg_quality.stages.pipeline import Stage, StageContext

if TYPE_CHECKING:
    from svg_quality.features.analysis.report import Conversions, Pictures

_TARGETS: Final = ("SSIM", "SSIM, everyday region", "log bytes")


def _analyse(context: StageContext) -> None:
    from svg_quality.features.analysis.page import write_analysis
    from svg_quality.features.analysis.report import analyse_inputs, analyse_pictures

    settings: AnalyseSettings = context.settings
    extracted = Extracted.of(context)
    release = extracted.release
    context.run.log_dataset(release.name, release.digest, release.path, "analysis")
    train, validation = (extracted.part(release.rows(split)) for split in ("train", "validation"))
    with progress_bar(1 + len(_TARGETS), "analysis") as bar:
        report = analyse_pictures(
            _pictures(extracted, train, validation), settings.n_components, settings.seed
        )
        bar.update()
        report["importance"] = analyse_inputs(
            _conversions(train), _conversions(validation), TABULAR_NAMES, BLOCKS,
            settings.n_components, settings.n_repeats, settings.seed, on_target=bar.update,
        )  # fmt: skip
    report["context"] = {
        "run": context.run.run_id,
        "dataset": f"{release.name} {release.version}, digest {release.digest}",
        "logos": "training and validation split, one of each set of near-duplicates; the test"
        " split is not looked at",
        "backbone": f"ResNet-50, {extracted.weights} weights, fingerprint"
        f" {extracted.inputs.features[:12]}",
        "seed": str(settings.seed),
    }
    notes = [RANDOM_BACKBONE] if extracted.weights == "random" else []
    written = write_analysis(report, context.reports / context.run.run_id, notes)
    for path in written.values():
        context.run.log_artifact(path, "analysis")
    context.run.log_metrics(_metrics(report))
    context.run.set_tags({"backbone.weights": extracted.weights})
    _say(report, written["html_report"])


def _targets(part: Part) -> dict[str, np.ndarray]:
    """Each target of a split's rows, float64 ``(n,)``; NaN where a row does not count."""
    ssim = part.frame["ssim"].to_numpy(float)
    everyday = np.where(part.within["everyday"], ssim, np.nan)
    log_bytes = np.log(part.frame["svg_bytes"].to_numpy(float))
    return dict(zip(_TARGETS, (ssim, everyday, log_bytes), strict=True))


def _pictures(extracted: Extracted, *parts: Part) -> Pictures:
    """One picture of each group of near-duplicates: an original where there is one."""
    import pandas as pd

    from svg_quality.features.analysis.report import Pictures

    rows = pd.concat([part.frame.assign(**_targets(part)) for part in parts])
    first = rows.groupby("image_id", sort=True)[["logo_type", "group", "derived_from"]].first()
    originals_first = first["derived_from"].notna().sort_values(kind="stable").index
    chosen = first.loc[originals_first].drop_duplicates("group").index.sort_values()
    means = rows.groupby("image_id")[list(_TARGETS)].mean().loc[chosen]
    image_ids, inputs = [str(image_id) for image_id in chosen], extracted.inputs
    return Pictures(
        features=inputs.store.read(inputs.features, image_ids),
        descriptors=inputs.store.read(inputs.descriptors, image_ids),
        descriptor_names=DESCRIPTOR_NAMES,
        types=tuple(first["logo_type"].loc[chosen]),
        targets={name: means[name].to_numpy(float) for name in _TARGETS},
    )


def _conversions(part: Part) -> Conversions:
    from svg_quality.features.analysis.report import Conversions

    rows = part.rows
    return Conversions(
        tabular=rows.tabular,
        features=rows.features[np.arange(len(rows.features))],
        image_index=rows.image_index,
        targets=_targets(part),
    )


def _metrics(report: dict[str, Any]) -> dict[str, float]:
    metrics = {
        "pictures": report["pictures"]["n"],
        "components_for_90_percent": report["components"]["n_for_share"]["0.9"],
        "clusters": report["clusters"]["n_clusters"],
        "clusters.adjusted_rand": report["clusters"]["adjusted_rand"],
    }
    for target, told in report["importance"].items():
        name = target.replace(", ", "_").replace(" ", "_")
        metrics |= {f"importance.{name}.{each['name']}": each["error_rise"]
                    for each in told["blocks"]}  # fmt: skip
    return metrics


def _say(report: dict[str, Any], page: Path) -> None:
    components, clusters = report["components"], report["clusters"]
    say(
        f"analyse    {report['pictures']['n']:,} distinct logos;"
        f" {components['n_for_share']['0.9']:,} components hold 90% of the features' variance;"
        f" {clusters['n_clusters']} clusters, adjusted Rand index {clusters['adjusted_rand']:.2f}"
        " against the types"
    )
    for target, told in report["correlations"].items():
        if told["found"]:
            best = told["found"][0]
            say(
                f"           {target}: goes most with {best['name']} (Spearman"
                f" {best['spearman']:+.2f})"
            )
    for target, told in report["importance"].items():
        blocks = ", ".join(f"{each['name']} {each['error_rise']:.4f}" for each in told["blocks"])
        say(f"           {target}: rise of the error without a block: {blocks}")
    say(f"analyse    {page}")


ANALYSE = Stage(
    name="analyse",
    after=(EXTRACT,),
    code=(
        "features/analysis",
        "features/templates/analysis.html.j2",
        "features/boosting.py",
        "features/inputs.py",
        "pages",
        "stages/learning/assess.py",
        "stages/learning/extracted.py",
        "stages/learning/analyse.py",
    ),
    act=_analyse,
)
