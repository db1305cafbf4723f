"""`search`: trials of an Optuna study, then the winner over several seeds, then one look at test.

What a trial is worth is the validation MAE of SSIM in the everyday region: that is where models
differ, and what users see. It is pruned by the validation MAE over all rows, which every epoch
has. Both are of logos the trial was not trained on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from svg_quality.pages.environment import fixed
from svg_quality.settings import SearchSettings, TrainSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.learning.extract import EXTRACT
from svg_quality.stages.learning.search_trials import (
    STUDY_TAG,
    Trials,
    fit_and_measure,
    measured,
    work_here,
    work_in_processes,
)
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.tracking.child_runs import child_run
from svg_quality.tracking.identity import file_digest

if TYPE_CHECKING:
    from svg_quality.stages.learning.extracted import Extracted, Part
    from svg_quality.training.searching.page import Repeated, SearchReport
    from svg_quality.training.searching.study import StudyPlan, StudyResult

FOLDER: Final = "optuna"  # in data/: never MLflow's file, whose tables have the same names
OBJECTIVE_TEXT: Final = "validation MAE of SSIM, everyday region"


def _search(context: StageContext) -> None:
    from svg_quality.stages.learning.extracted import Extracted
    from svg_quality.training.searching.page import SearchReport, write_search_page
    from svg_quality.training.searching.storage import count_test_look, read_study

    extracted = Extracted.of(context)
    release = extracted.release
    context.run.log_dataset(release.name, release.digest, release.path, "training")
    trials = _trials(context, extracted)
    plan = trials.plan
    context.run.set_tags({STUDY_TAG: plan.name, "optuna.storage": plan.address})
    if plan.first is None:
        say("search     the settings of train lie outside the space: no trial begins from them")
    _run_trials(trials, context.settings.n_workers)
    study = read_study(plan)
    test = extracted.part(release.rows("test"))
    winner, defaults = _repeated(context, trials, study, test)
    report = SearchReport(
        facts=_facts(context, extracted, plan),
        study=study,
        winner=winner,
        defaults=defaults,
        verdict=verdict(winner, defaults),
        n_test_looks=count_test_look(plan),
        command=f"svg-quality train --config reports/{context.run.run_id}/best.yaml",
    )
    written = write_search_page(report, context.reports / context.run.run_id)
    for path in written.values():
        context.run.log_artifact(path)
    _log(context, report)
    context.run.set_output(file_digest(written["best"]), written["best"])
    say(f"search     page: {written['html_report']}")
    say(f"           train with the winner's settings: {report.command}")


def _trials(context: StageContext, extracted: Extracted) -> Trials:
    from svg_quality.training.searching.space import chosen_by
    from svg_quality.training.searching.study import StudyPlan

    settings: SearchSettings = context.settings
    start: TrainSettings = context.everything.train
    base = start.model_copy(update={"epochs": settings.epochs, "seed": settings.seed})
    folder = context.data / FOLDER
    if not settings.storage:
        folder.mkdir(parents=True, exist_ok=True)
    fixed_by_train = base.model_dump(include={
        "epochs", "patience", "optimizer", "schedule", "accumulation", "weighting", "seed",
    })  # fmt: skip
    plan = StudyPlan(
        name=settings.study,
        storage=settings.storage or f"sqlite:///{folder / settings.study}.db",
        n_trials=settings.n_trials,
        n_epochs=settings.epochs,
        seed=settings.seed,
        timeout_s=settings.timeout_s,
        first=chosen_by(start),
        about={
            "objective": OBJECTIVE_TEXT,
            "dataset": extracted.release.digest,
            "inputs": context.source.output_digest,
            **fixed_by_train,
        },
    )
    train, validation = (
        extracted.part(extracted.release.rows(split)) for split in ("train", "validation")
    )
    return Trials(
        plan, base, train.rows, validation.rows, validation.within["everyday"], context.run
    )


def _run_trials(trials: Trials, n_workers: int) -> None:
    from svg_quality.training.searching.storage import n_finished, opened_study

    plan = trials.plan
    with opened_study(plan) as study:
        known = min(n_finished(study), plan.n_trials)
    if known:
        say(f"search     study {plan.name} goes on: {known} of {plan.n_trials} trials are there")
    with progress_bar(plan.n_trials, "trials", known) as bar:
        if known == plan.n_trials:
            return
        if n_workers == 1:
            work_here(trials, bar.update)
        else:
            work_in_processes(trials, n_workers, lambda n_done: bar.update(n_done - bar.n))


def _repeated(
    context: StageContext, trials: Trials, study: StudyResult, test: Part
) -> tuple[Repeated, Repeated]:
    """The winner and the starting point, each trained as `train` would, over the same seeds."""
    from svg_quality.training.searching.space import settings_of

    start: TrainSettings = context.everything.train
    best = settings_of(study.best.chosen, start)
    n_trainings = context.settings.n_seeds * (1 if best == start else 2)
    with progress_bar(n_trainings, "winner over seeds") as bar:
        winner = _over_seeds(context, trials, "winner", best, bar, test)
        if best == start:
            return winner, winner
        return winner, _over_seeds(context, trials, "start", start, bar)


def _over_seeds(
    context: StageContext, trials: Trials, name: str, settings: TrainSettings, bar: Any,
    test: Part | None = None,
) -> Repeated:  # fmt: skip
    from svg_quality.training.searching.page import Repeated

    asked: SearchSettings = context.settings
    seeds = tuple(range(asked.seed, asked.seed + asked.n_seeds))
    found: dict[str, list[dict[str, float]]] = {"validation": [], "test": []}
    for seed in seeds:
        seeded = settings.model_copy(update={"seed": seed})
        tags = {STUDY_TAG: trials.plan.name, "search.role": name}
        with child_run(context.run, f"{name}, seed {seed}", seeded.model_dump(), tags) as run:
            figures, head = fit_and_measure(trials, seeded)
            found["validation"].append(figures)
            run.log_metrics({f"validation.{k}": v for k, v in figures.items()})
            if test:
                looked = measured(head, test.rows, test.within["everyday"])
                found["test"].append(looked)
                run.log_metrics({f"test.{k}": v for k, v in looked.items()})
        bar.update()
    return Repeated(
        name, settings.model_dump(), seeds, _columns(found["validation"]), _columns(found["test"])
    )


def _columns(rows: list[dict[str, float]]) -> dict[str, tuple[float, ...]]:
    """Each figure that every training has."""
    return {
        name: tuple(row[name] for row in rows)
        for name in (rows[0] if rows else {})
        if all(name in row for row in rows)
    }


def verdict(winner: Repeated, defaults: Repeated) -> str:
    """Whether the winner beats the starting point over the seeds, in one sentence."""
    if winner.settings == defaults.settings:
        return "No trial beat the settings the search began from."
    apart = np.subtract(
        winner.validation["everyday_ssim_mae"], defaults.validation["everyday_ssim_mae"]
    )
    mean = float(apart.mean())
    n_better = int((apart < 0).sum())
    over = f"over {len(apart)} seeds ({n_better} of {len(apart)} better)"
    if len(apart) < 3:
        return (
            f"The winner's everyday MAE differs from that of what the search began from by "
            f"{mean:+.4f} {over}: too few seeds to tell."
        )
    from scipy.stats import t

    reach = float(t.ppf(0.975, len(apart) - 1) * apart.std(ddof=1)) / len(apart) ** 0.5
    chance = f"95% of chance {reach:.4f}; on the validation logos that chose it"
    if abs(mean) <= reach:
        return (
            f"The winner is no clear gain on what the search began from: its everyday MAE differs "
            f"by {mean:+.4f} {over} ({chance})."
        )
    word = "beats" if mean < 0 else "is worse than"
    return (
        f"The winner {word} what the search began from: everyday MAE {mean:+.4f} {over} ({chance})."
    )


def _facts(context: StageContext, extracted: Extracted, plan: StudyPlan) -> dict[str, str]:
    release = extracted.release
    return {
        "study": plan.name,
        "storage": plan.address,
        "run": context.run.run_id,
        "dataset": f"{release.name} {release.version}, digest {release.digest}",
        "backbone": f"{extracted.weights} weights",
        "objective": OBJECTIVE_TEXT,
    }


def _log(context: StageContext, report: SearchReport) -> None:
    study = report.study
    states = [row.state for row in study.trials]
    metrics = {
        "trials.finished": states.count("COMPLETE"),
        "trials.pruned": states.count("PRUNED"),
        "trials.failed": states.count("FAIL"),
        "best.value": study.best.value or 0.0,
        "best.trial": study.best.number,
    }
    for repeated, part, prefix in (
        (report.winner, report.winner.validation, "winner.validation"),
        (report.winner, report.winner.test, "winner.test"),
        (report.defaults, report.defaults.validation, "start.validation"),
    ):
        for name, values in part.items():
            mean, deviation = repeated.summary(values)
            metrics[f"{prefix}.{name}.mean"] = mean
            if deviation is not None:
                metrics[f"{prefix}.{name}.std"] = deviation
    context.run.log_metrics(metrics)
    ours, test = (part["everyday_ssim_mae"] for part in
                  (report.winner.validation, report.winner.test))  # fmt: skip
    say(
        f"search     {states.count('COMPLETE')} trials finished, {states.count('PRUNED')} pruned, "
        f"{states.count('FAIL')} failed; best: trial {study.best.number}"
    )
    say(f"           {report.verdict}")
    say(
        f"           winner over {len(ours)} seeds, everyday MAE: validation "
        f"{fixed(float(np.mean(ours)), 4)}, test {fixed(float(np.mean(test)), 4)}"
    )


SEARCH = Stage(
    name="search",
    after=(EXTRACT,),
    code=(
        "model",
        "training",
        "evaluation/metrics.py",
        "features/inputs.py",
        "stages/learning/assess.py",
        "stages/learning/extracted.py",
        "stages/learning/recipe.py",
        "stages/learning/search.py",
        "stages/learning/search_trials.py",
    ),
    act=_search,
)
