"""`optimize`: choose a logo's parameters, verify them by real conversions, and write the SVG.

Exit codes: 0 the SVG is written; 1 a logo of a folder failed; 2 what the user can put right, such
as no model; 3 nothing that was found meets the objective. What does not meet it is not written,
unless with ``--best-effort``; the exit code is 3 all the same. An SVG of an earlier run is replaced
only by a new one: where nothing is written it stays, and that is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import ImageError
from svg_quality.settings import Settings
from svg_quality.stages.console import say
from svg_quality.stages.using.answer_lines import answer_lines
from svg_quality.stages.using.optimizing import NOT_REACHED, Optimized, Optimizing
from svg_quality.stages.using.svg_files import output_of

UNAVAILABLE: Final = 2


def run(settings: Settings) -> int:
    """Optimize a logo or a folder of logos; gives the exit code.

    Raises:
        SvgQualityError: anything the user can put right.
    """
    wanted = settings.optimize
    if not wanted.logo:  # as a path it would be the working folder
        raise ImageError("a logo must be named, got an empty name", "unreadable")
    path = Path(wanted.logo)
    if path.is_dir():
        from svg_quality.stages.using.optimizing_folder import run_folder

        return run_folder(path, wanted, settings.predictor)
    output = output_of(path, wanted.output)
    with WorkerPool(wanted.n_workers, wanted.timeout_s) as pool:  # starts while the model loads
        done = Optimizing(wanted, settings.predictor, pool).optimize(path, output)
    for line in (*answer_lines(done, path, output), *_outcome(done, output)):
        say(line)
    return exit_code(done)


def exit_code(done: Optimized) -> int:
    """Of one logo."""
    codes = {"found": 0, "unavailable": UNAVAILABLE}
    return codes.get(done.answer.status, NOT_REACHED)


def _outcome(done: Optimized, output: Path) -> Iterator[str]:
    """The last lines: what was decided, and what became of the file."""
    answer = done.answer
    if answer.status == "unavailable":
        yield f"no answer  {answer.reason}"
        yield (
            "hint       train a model (`svg-quality main`), or choose without one:"
            " `--method search`"
        )
    elif answer.status == "do_not_vectorise":
        yield f"advice     {answer.reason}"
    elif answer.status == "not_reached":
        yield f"missed     {answer.reason}"
    elif done.outgrown:
        yield (
            f"note       the logo file itself takes {len(done.logo.data):,} bytes:"
            " `svg-quality explain` tells whether it is worth vectorising"
        )
    if done.written:
        yield f"written    {done.written} in {answer.seconds:.1f} s"
    else:
        could = done.svg and answer.status != "unavailable"
        hint = "; --best-effort writes the best found" if could else ""
        yield f"written    nothing{hint} ({answer.seconds:.1f} s)"
        if output.exists():
            yield f"kept       {output} of an earlier run: it is not this answer"
