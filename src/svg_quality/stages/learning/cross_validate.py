"""`cross-validate`: train and measure once per fold, beside gradient boosting."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from svg_quality.dataset.splits.folds import ALWAYS_TRAINED_ON, HELD_OUT
from svg_quality.errors import DatasetError
from svg_quality.pages.environment import fixed
from svg_quality.settings import CrossValidateSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.learning.assess import flat_metrics
from svg_quality.stages.learning.extract import EXTRACT
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.child_runs import child_run

if TYPE_CHECKING:
    from svg_quality.evaluation.baselines import BaselinePrediction
    from svg_quality.stages.learning.extracted import Part
    from svg_quality.training.cross_validation import Fold, FoldPrediction

PREDICTIONS: Final = "out_of_fold.parquet"
_BASELINES: Final = ("gradient_boosting", "mean")
_KEPT: Final = ("conversion_id", "image_id", "group", "logo_type", "fold", "ssim", "svg_bytes")


def _cross_validate(context: StageContext) -> None:
    from svg_quality.evaluation.fold_page import write_fold_page
    from svg_quality.evaluation.fold_scores import MODEL, score_folds
    from svg_quality.stages.learning.extracted import Extracted
    from svg_quality.training.cross_validation import plan_folds

    settings: CrossValidateSettings = context.settings
    extracted = Extracted.of(context)
    release = extracted.release
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    part = extracted.part(_in_folds(release.conversions))
    folds = plan_folds(
        part.frame["fold"].to_numpy(), part.frame["group"].to_numpy(str), settings.n_folds,
        context.everything.train.seed,
    )  # fmt: skip
    table = pd.concat(
        [_out_of_fold(part, said, guesses) for said, guesses in _predictions(context, part, folds)]
    ).sort_index()
    scores = score_folds(
        table, (MODEL, *_BASELINES), settings.n_draws, context.everything.compare.tolerance
    )
    n_folds = len({*part.frame["fold"]} - {ALWAYS_TRAINED_ON})
    facts = {
        "run": context.run.run_id,
        "dataset": f"{release.name} {release.version}, digest {release.digest}",
        "folds": f"{len(folds)} of {n_folds}, by logo, stratified",
        "predicted": f"{len(table)} conversions of {table['group'].nunique()} distinct logos",
        "backbone": f"{extracted.weights} weights",
        "model": "settings of train: " + _told(context.everything.train.model_dump()),
    }
    written = write_fold_page(scores, facts, context.reports / context.run.run_id)
    for path in written.values():
        context.run.log_artifact(path)
    context.run.log_table(table, PREDICTIONS)
    context.run.log_metrics(
        flat_metrics(scores["pooled"], "pooled") | flat_metrics(scores["spread"], "folds")
    )
    digest = hashlib.sha256(json.dumps(scores).encode()).hexdigest()
    context.run.set_output(digest, written["html_report"])
    _say(scores, len(folds))
    say(f"           page: {written['html_report']}")


def _in_folds(conversions: pd.DataFrame) -> pd.DataFrame:
    """Every row that may be trained on or predicted: all but the test split's."""
    if "fold" not in conversions:
        raise DatasetError("cross-validation needs a release with folds: make it again (`dataset`)")
    return conversions[conversions["fold"] != HELD_OUT].reset_index(drop=True)


def _predictions(
    context: StageContext, part: Part, folds: list[Fold]
) -> Iterator[tuple[FoldPrediction, Mapping[str, BaselinePrediction]]]:
    """Fold after fold, each in a run of its own inside the stage's."""
    from svg_quality.evaluation.baselines import fit_and_predict
    from svg_quality.evaluation.metrics import score
    from svg_quality.stages.learning.recipe import recipe_of
    from svg_quality.training.cross_validation import cross_validate

    train = context.everything.train
    n_epochs = len(folds) * train.epochs
    with progress_bar(n_epochs, "cross-validation") as bar:

        def on_epoch(fold: Fold) -> Any:
            bar.n = (fold.number - folds[0].number) * train.epochs
            bar.set_postfix_str(f"fold {fold.number + 1} of {len(folds)}")
            return lambda epoch, metrics: bar.update()

        predicted = cross_validate(part.rows, folds, recipe_of(train), on_epoch)
        for fold in folds:
            name = f"fold {fold.number}"
            with child_run(context.run, name, {"fold": fold.number}, {"fold": str(fold.number)}) \
                    as run:  # fmt: skip
                said = next(predicted)
                guesses = fit_and_predict(
                    part.rows.take(fold.train), part.rows.take(fold.held), _BASELINES
                )
                run.log_history(said.fitted["training_history"], first_step=1)
                for region, mask in part.within.items():
                    held = mask[fold.held]
                    measured = part.rows.ssim[fold.held][held]
                    run.log_metrics(
                        flat_metrics(score(measured, said.ssim[held]), f"{region}.ssim")
                        | flat_metrics(
                            score(measured, guesses["gradient_boosting"].ssim[held]),
                            f"gradient_boosting.{region}.ssim",
                        )
                    )
            yield said, guesses
        bar.n = n_epochs


def _out_of_fold(
    part: Part, said: FoldPrediction, guesses: Mapping[str, BaselinePrediction]
) -> pd.DataFrame:
    """The rows of a fold with what was said of them, indexed by their place in the part."""
    held = said.fold.held
    columns: dict[str, np.ndarray] = {
        "log_bytes": part.rows.log_bytes[held],
        **{region: mask[held] for region, mask in part.within.items() if region != "full"},
        "model.ssim": said.ssim,
        "model.ssim_spread": said.ssim_spread,
        "model.log_bytes": said.log_bytes,
    }
    for name, guess in guesses.items():
        columns |= {f"{name}.ssim": guess.ssim, f"{name}.log_bytes": guess.log_bytes}
    return part.frame.loc[held, list(_KEPT)].assign(**columns)


def _told(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items() if name != "resume")


def _say(scores: Mapping[str, Any], n_folds: int) -> None:
    pooled = scores["pooled"]
    told = (
        ("full", "ssim", "SSIM, full region"), ("everyday", "ssim", "SSIM, everyday"),
        ("everyday", "log_bytes", "log bytes, everyday"),
    )  # fmt: skip
    for region, target, heading in told:
        ours, theirs = (pooled[name][region][target] for name in ("model", "gradient_boosting"))
        low, high = ours["intervals"]["mae"] or (None, None)
        against = scores["against"].get(region, {}).get(target, {})
        say(
            f"cross-validate  {n_folds} folds, {heading}: MAE {fixed(ours['mae'], 4)} "
            f"(95%: {fixed(low, 4)} to {fixed(high, 4)}), R2 {fixed(ours['r2'])}; gradient "
            f"boosting {fixed(theirs['mae'], 4)}, {fixed(theirs['r2'])}"
            + (f": the model is {_VERDICTS[against['verdict']]}" if against else "")
        )


_VERDICTS: Final = {
    "better": "better", "worse": "worse", "no difference": "neither better nor worse"
}  # fmt: skip

CROSS_VALIDATE = Stage(
    name="cross-validate",
    after=(EXTRACT,),
    code=(
        "model",
        "training",
        "evaluation",
        "features/boosting.py",
        "features/inputs.py",
        "stages/learning/assess.py",
        "stages/learning/cross_validate.py",
        "stages/learning/extracted.py",
        "stages/learning/recipe.py",
    ),
    act=_cross_validate,
)
