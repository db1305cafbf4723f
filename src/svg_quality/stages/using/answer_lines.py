"""What a person reads of one optimized logo: plain lines, for a terminal and for a log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from svg_quality.optimization.base import Answer, Attempt, best_of
from svg_quality.optimization.summary import change_text
from svg_quality.optimization.vtracer_command import (
    changed_text,
    unlike_command,
    vtracer_command,
)
from svg_quality.stages.using.optimizing import Optimized

UNLIKE: Final = "warning    unlike the logos the model learned from: trust measured figures only"
_SHOWN: Final = 5  # alternatives


def answer_lines(done: Optimized, logo: Path, svg: Path) -> Iterator[str]:
    """Everything but what became of the file.

    Args:
        done: of `Optimizing`.
        logo: path.
        svg: where the SVG goes, for the command line.
    """
    answer = done.answer
    yield f"logo       {answer.image}, {_size(answer)}, {len(done.logo.data):,} bytes"
    yield f"wanted     {answer.objective}"
    if answer.default:
        yield f"default    {_figures(answer.default)}"
    if answer.status == "unavailable" or answer.chosen is None:
        return
    word = "chosen" if answer.status == "found" else "best found"
    yield f"{word:<10} {_figures(answer.chosen)}{_saving(answer)}"
    if answer.chosen.predicted:
        said = answer.chosen.predicted
        yield (
            f"predicted  SSIM {said.ssim:.4f} ({said.ssim_low:.4f} to {said.ssim_high:.4f}),"
            f" {said.svg_bytes:,.0f} bytes ({said.bytes_low:,.0f} to {said.bytes_high:,.0f})"
        )
    parameters = answer.chosen.parameters
    yield f"parameters {changed_text(parameters) or 'the defaults of VTracer'}"
    yield f"command    {vtracer_command(parameters, logo, svg)}"
    transparent = done.logo.image.transparent_share > 0
    unlike = unlike_command(parameters, reduced=done.logo.image.reduced, transparent=transparent)
    if unlike:
        yield f"           run by itself this command gives another SVG than ours: {unlike}"
    yield from _alternatives(answer)
    yield f"confidence {answer.confidence}"
    if answer.unlike_training:
        yield UNLIKE


def _size(answer: Answer) -> str:
    width, height = answer.traced_size
    if answer.reduced_from is None:
        return f"{width} x {height} px"
    source = "{} x {}".format(*answer.reduced_from)
    return f"{source} px, traced at {width} x {height}"


def _figures(attempt: Attempt) -> str:
    if attempt.figures is None:
        return f"failed: {attempt.error}" if attempt.error else "not converted"
    ssim, svg_bytes = attempt.figures
    return f"SSIM {ssim:.4f}, {svg_bytes:,} bytes"


def _saving(answer: Answer) -> str:
    default = answer.default.figures if answer.default else None
    chosen = answer.chosen.figures if answer.chosen else None
    if default is None or chosen is None or answer.chosen == answer.default:
        return " (the default itself)" if default and answer.chosen == answer.default else ""
    return f", {change_text(1 - chosen[1] / default[1])} than the default"


def _alternatives(answer: Answer) -> Iterator[str]:
    """The best of what else was converted."""
    chosen = answer.chosen.figures if answer.chosen else None
    others = [x for x in answer.attempts if x.figures is None or x.figures != chosen]
    failed = sum(x.figures is None for x in others)
    word = "conversion" if answer.n_conversions == 1 else "conversions"
    yield f"tried      {answer.n_conversions} {word}" + (f", {failed} failed" if failed else "")
    shown = 0
    while shown < _SHOWN and (best := best_of(others, answer.objective)):
        # Many sets make one and the same SVG: its first stands for them.
        others = [x for x in others if x.figures is None or x.figures != best.figures]
        shown += 1
        met = best.figures is not None and answer.objective.meets(*best.figures)
        how = changed_text(best.parameters) or "default"
        yield f"  {'meets it' if met else 'does not':<8} {_figures(best)}: {how}"
    left = sum(x.figures is not None for x in others)
    if left:
        yield f"  and {left} more"
