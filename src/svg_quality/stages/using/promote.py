"""`promote`: a registered version becomes the one that predictions load, if every gate lets it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from svg_quality.errors import PromotionError, TrackingError
from svg_quality.evaluation.promotion_gates import Gate, refusal
from svg_quality.pages.strict_json import strict_json
from svg_quality.prediction.predictor import PRODUCTION
from svg_quality.settings import LATEST, PromoteSettings
from svg_quality.stages.console import say
from svg_quality.stages.learning.train import TRAIN, VERSION_TAG
from svg_quality.stages.pipeline import Stage, StageContext
from svg_quality.stages.using.promoting import Contender, judge
from svg_quality.tracking.identity import canonical_json, code_digest
from svg_quality.tracking.ledger import Candidate, Event
from svg_quality.tracking.lookup import FinishedRun
from svg_quality.tracking.production import Production, candidate, move, production, write
from svg_quality.tracking.resolve import ModelVersion, resolve

GATES: Final = "promotion/gates.json"
OUTCOME_TAG: Final = "promotion"
CHAMPION_TAG: Final = "champion.version"
_CODE: Final = (
    "evaluation/promotion_gates.py", "evaluation/comparing", "evaluation/metrics.py", "prediction",
    "tracking/ledger.py", "tracking/production.py", "tracking/registry.py",
    "stages/using/answering.py", "stages/using/promote.py", "stages/using/promoting.py",
)  # fmt: skip


def _promote(context: StageContext) -> None:
    settings: PromoteSettings = context.settings
    asked = context.source.tags[VERSION_TAG] if settings.version == LATEST else settings.version
    if not asked.isdecimal():
        raise TrackingError(f"a version must be a number or {LATEST}, got {asked!r}")
    with production() as now:
        version = now.version(int(asked))
    warn_of_tampering(now)
    context.run.set_tags({VERSION_TAG: asked})
    while not _is_there(now, version):
        challenger = Contender.load(version.version)
        gates = _judged(context, now, version, challenger)
        with production() as current:
            if _champion(current) == _champion(now):
                _decide(context, current, version, gates)
                return
        # Others are not kept waiting while the gates are measured, so somebody may be faster.
        say("promote    another version came into Production meanwhile: measured again, against it")
        now = current
    _say_it_is_there(context, now, version)


def warn_of_tampering(now: Production) -> None:
    """Say it; what brings a version into Production must work all the same."""
    if now.fault:
        say(f"{'':<11}the history is not as it was written, {now.fault}: see `svg-quality history`")


def _judged(
    context: StageContext, now: Production, version: ModelVersion, challenger: Contender
) -> list[Gate]:
    champion = _champion(now)
    if champion and champion.bundle and champion.bundle == candidate(version).bundle:
        same = f"the very model of version {champion.version}, registered again"
        return [Gate("same", True, same, {"bundle": champion.bundle})]
    found = judge(
        context.data, context.settings, champion.version if champion else None, challenger
    )
    for gate in found:
        passed = "yes" if gate.passed else "NO"
        say(f"           {gate.name.replace('_', ' '):<11}{passed:<5}{gate.reason}")
        for line in _by_region(gate):
            say(f"{'':<27}{line}")
    plain = _plain(found)
    context.run.log_json(plain, GATES)
    context.run.log_metrics(_numbers(plain))
    return found


def _by_region(gate: Gate) -> Iterator[str]:
    """Both errors in each region of the settings, where a gate compared them."""
    for region, by_target in gate.figures.get("differences", {}).items():
        for target, told in by_target.items():
            named = "SSIM" if target == "ssim" else "log bytes"
            yield (
                f"error of {named}, {region.replace('_', ' ')} region: {told['contender']:.4f}"
                f" against {told['reference']:.4f}, difference {told['difference']:+.4f}"
                f" ({told['low']:+.4f} to {told['high']:+.4f})"
            )


def _plain(gates: Sequence[Gate]) -> list[dict[str, Any]]:
    plain: list[dict[str, Any]] = json.loads(strict_json([gate.as_dict() for gate in gates]))
    return plain


def _decide(
    context: StageContext, now: Production, version: ModelVersion, gates: Sequence[Gate]
) -> None:
    settings: PromoteSettings = context.settings
    why_not = refusal(gates)
    line = {"gates": _plain(gates), "rules": _rules(settings), "run": context.run.run_id}
    event: Event = "promoted" if not why_not else "forced" if settings.force else "refused"
    champion = _champion(now)
    before = f"version {champion.version} remains there" if champion else "nobody is there"
    context.run.set_tags(
        {OUTCOME_TAG: event, CHAMPION_TAG: str(champion.version) if champion else ""}
    )
    if event == "refused":
        write(now, version, event, reason=why_not, **line)
        raise PromotionError(
            f"a version must pass every gate to be promoted, and version {version.version} does"
            f" not, so {before}: {why_not} (`svg-quality promote --version {version.version}"
            " --force --reason WHY` promotes it all the same)"
        )
    moved = move(now, version, event, reason=_reason(settings, gates, champion), **line)
    context.run.set_output(f"{moved.name}/{moved.version}")
    instead = f", instead of version {champion.version}" if champion else ""
    say(f"promote    {moved.name} version {moved.version} is in stage Production{instead}")
    if event == "forced":
        say(f"           by force, and the history says so: {why_not}")


def _reason(settings: PromoteSettings, gates: Sequence[Gate], champion: Candidate | None) -> str:
    """Why it is promoted, for people."""
    why_not = refusal(gates)
    if why_not:
        return f"{settings.reason or 'no reason given'}; although {why_not}"
    told = "; ".join(gate.reason for gate in gates if gate.name in ("same", "better", "covers"))
    measured = told if champion else f"the first in Production; {told}"
    return f"{settings.reason}; {measured}" if settings.reason else measured


def _say_it_is_there(context: StageContext, now: Production, version: ModelVersion) -> None:
    context.run.set_tags({OUTCOME_TAG: "in Production already"})
    context.run.set_output(f"{version.name}/{version.version}")
    since = now.line[-1].at[:16].replace("T", " ") if now.line else ""
    say(
        f"promote    {version.name} version {version.version} is in stage Production already,"
        f" since {since} UTC: nothing to do"
    )


def stays_out(version: str, settings: PromoteSettings) -> str:
    """Why `main` does not ask the gates about a version again; empty where it does.

    Either they refused it against the same champion, by the same rules, or somebody rolled it
    back: what a person took out, only a person brings in again.

    Args:
        version: number of the one that `main` trained or found trained.
        settings: of `promote`.
    """
    with production() as now:
        mine = candidate(now.version(int(version)))
        about = [e for e in now.entries if mine.is_same(e.version) or mine.is_same(e.instead_of)]
        if _is_there(now, now.version(int(version))) or not about:
            return ""
        last, champion = about[-1], _champion(now)
        there = f"version {champion.version} remains there" if champion else "nobody is there"
        when = last.at[:16].replace("T", " ")
        if last.event == "rolled back" and mine.is_same(last.instead_of):
            why = f": {last.reason}" if last.reason else ""
            return (
                f"version {version} stays out of Production, {there}: it was rolled back on"
                f" {when} UTC{why}; `svg-quality promote --version {version}` asks the gates again"
            )
        same = champion.is_same(last.instead_of) if champion else last.instead_of is None
        if last.event == "refused" and same and last.rules == _rules(settings):
            return (
                f"version {version} stays out of Production, {there}: refused on {when} UTC,"
                f" {last.reason}"
            )
    return ""


def _rules(settings: PromoteSettings) -> str:
    """Digest of what decides besides the models and the data."""
    limits = settings.model_dump(include={"max_slowdown", "n_draws"})
    text = canonical_json({"settings": limits, "code": code_digest(_CODE)})
    return hashlib.sha256(text.encode()).hexdigest()


def _champion(now: Production) -> Candidate | None:
    return candidate(now.champion) if now.champion else None


def _is_there(now: Production, version: ModelVersion) -> bool:
    return candidate(version).is_same(_champion(now))


def _numbers(gates: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Figures as MLflow's metrics, under dotted names; whether each gate passed among them."""
    found: dict[str, float] = {}
    for gate in gates:
        found[f"{gate['name']}.passed"] = float(gate["passed"])
        found |= _flat(gate["figures"], gate["name"])
    return found


def _flat(figures: Mapping[str, Any], prefix: str) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in figures.items():
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}.{name}")
        elif isinstance(value, int | float):
            flat[f"{prefix}.{name}"] = float(value)
    return flat


def _is_in_production(run: FinishedRun) -> bool:
    """Nobody promoted another version since."""
    try:
        return str(resolve(PRODUCTION).version) == run.tags[VERSION_TAG]
    except TrackingError:
        return False


PROMOTE = Stage(
    name="promote",
    after=(TRAIN,),
    code=_CODE,
    act=_promote,
    still_holds=_is_in_production,
)
