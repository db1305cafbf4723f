"""A folder of logos, optimized side by side: SVGs, a table, `gallery.html` and `summary.*`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from time import perf_counter
from typing import Final

from svg_quality.conversion.workers import WorkerPool
from svg_quality.errors import ModelError, SettingsError, SvgQualityError
from svg_quality.optimization.gallery import Shown, render_gallery, shown
from svg_quality.optimization.methods import NEED_A_MODEL
from svg_quality.optimization.summary import (
    COLUMNS,
    LogoRow,
    as_csv,
    as_json,
    change_text,
    totals,
)
from svg_quality.settings import OptimizeSettings, PredictorSettings
from svg_quality.stages.console import progress, say
from svg_quality.stages.using.optimizing import NOT_REACHED, Optimizing
from svg_quality.stages.using.svg_files import (
    check_free,
    check_own,
    is_tracing,
    logos_in,
    unique_names,
    write_whole,
)

GALLERY: Final = "gallery.html"
SUMMARY: Final = "summary"
FAILED: Final = 1
_SIGNS: Final = {  # by which earlier ones are known
    GALLERY: "<title>Tracings of",
    f"{SUMMARY}.csv": ",".join(COLUMNS[:4]),
    f"{SUMMARY}.json": '[\n {\n  "logo":',
}
_SHOWN: Final = 40  # rows of the table on a terminal
_NAME_WIDTH: Final = 40

Card = tuple[LogoRow, Shown]


def run_folder(folder: Path, wanted: OptimizeSettings, asked: PredictorSettings) -> int:
    """Optimize every logo of a folder; gives the exit code.

    Raises:
        SvgQualityError: there is no logo or no model, or the output cannot be written.
    """
    began = perf_counter()
    output = _output_folder(folder, wanted.output)
    for name, sign in _SIGNS.items():
        check_own(output / name, sign)
    logos, n_tracings = logos_in(folder, output)
    if n_tracings:
        say(f"left out   {n_tracings} SVGs that VTracer made")
    names = unique_names([logo.relative_to(folder) for logo in logos])
    with WorkerPool(wanted.n_workers, wanted.timeout_s) as pool:
        optimizing = Optimizing(wanted, asked, pool)
        if wanted.method in NEED_A_MODEL:
            _check_model(optimizing)
        cards = _all(optimizing, folder, logos, output, names)
    rows = [row for row, _ in cards]
    page = render_gallery(
        rows,
        [seen for _, seen in cards],
        folder=folder.resolve().name,
        objective=optimizing.objective,
        method=wanted.method,
        seconds=perf_counter() - began,
    )
    write_whole(output / GALLERY, page)
    write_whole(output / f"{SUMMARY}.csv", as_csv(rows))
    write_whole(output / f"{SUMMARY}.json", as_json(rows))
    for line in (*table_lines(rows), *_total_lines(rows, perf_counter() - began)):
        say(line)
    say(f"written    {output / GALLERY}, {SUMMARY}.csv, {SUMMARY}.json and the SVGs beside them")
    say_kept(rows, names, output)
    return exit_code(rows)


def exit_code(rows: Sequence[LogoRow]) -> int:
    """1 where a logo failed; 3 where none failed but one does not meet the objective; else 0."""
    statuses = {row.status for row in rows}
    if "failed" in statuses:
        return FAILED
    return 0 if statuses == {"found"} else NOT_REACHED


def say_kept(rows: Sequence[LogoRow], names: Sequence[Path], output: Path) -> None:
    """Name the SVGs of earlier runs that stay where this run has written none."""
    both = zip(rows, names, strict=True)
    kept = [str(name) for row, name in both if row.svg is None and is_tracing(output / name)]
    if kept:
        say(f"kept       SVGs of earlier runs, which are not these answers: {', '.join(kept)}")


def table_lines(rows: Sequence[LogoRow]) -> Iterator[str]:
    """An aligned table: what went wrong first, then the largest savings."""
    ordered = sorted(rows, key=lambda row: (row.status == "found", -(row.saving or 0), row.logo))
    width = min(max(len(row.logo) for row in rows), _NAME_WIDTH)
    yield f"{'logo':<{width}} default SSIM/bytes  chosen SSIM/bytes  against the default"
    for row in ordered[:_SHOWN]:
        name = row.logo if len(row.logo) <= width else f"…{row.logo[1 - width :]}"
        line = f"{name:<{width}}  {_pair(row.default)}  {_pair(row.chosen)}  {_remark(row)}"
        yield line.rstrip()
    if len(rows) > _SHOWN:
        yield f"… and {len(rows) - _SHOWN:,} more: {SUMMARY}.csv has them all"


def _pair(figures: tuple[float, int] | None) -> str:
    return f"{figures[0]:>6.4f} {figures[1]:>10,}" if figures else " " * 17


def _remark(row: LogoRow) -> str:
    if row.status == "found":
        if row.keeps_default:
            return "the default itself"
        return change_text(row.saving) or "the default falls short"
    best = row.answer.chosen.figures if row.answer and row.answer.chosen else None
    found = f"best found {best[0]:.4f} with {best[1]:,} bytes" if best else row.reason
    return f"{row.status.replace('_', ' ')}: {found}"


def _total_lines(rows: Sequence[LogoRow], seconds: float) -> Iterator[str]:
    told = totals(rows)
    by_status = ", ".join(
        f"{n:,} {status.replace('_', ' ')}" for status, n in told.n_by_status.items()
    )
    yield f"logos      {told.n_logos:,}: {by_status}"
    if told.saving is not None and told.median_saving is not None:
        yield (
            f"bytes      {told.default_bytes:,} with VTracer's defaults, {told.svg_bytes:,} as"
            f" chosen: {change_text(told.saving)} in all, {change_text(told.median_saving)} at the"
            f" median of {told.n_compared:,}"
        )
    yield f"work       {told.n_conversions:,} conversions in {seconds:.1f} s"


def _output_folder(folder: Path, asked: str) -> Path:
    """Where a folder's SVGs go: as asked, or beside the folder.

    Raises:
        SettingsError: there is a file of that name, or its parent does not exist.
    """
    beside = folder.resolve()
    output = Path(asked) if asked else beside.with_name(f"{beside.name}-svg")
    if output.exists() and not output.is_dir():
        raise SettingsError(f"the output of a folder must be a folder, {output} is a file")
    if not output.parent.is_dir():
        raise SettingsError(f"an output's folder must exist, {output.parent} does not")
    return output


def _check_model(optimizing: Optimizing) -> None:
    """No model for one logo is none for all of them."""
    state = optimizing.predictor().availability()
    if not state.available:
        raise ModelError(
            f"the method predictive must have a model: {state.reason}"
            " (`--method search` needs none)"
        )


def _all(
    optimizing: Optimizing, folder: Path, logos: list[Path], output: Path, names: list[Path]
) -> list[Card]:
    """A card for each logo, in their order; one thread keeps one worker busy."""
    threads = ThreadPoolExecutor(optimizing.pool.n_workers)
    try:
        futures = [
            threads.submit(_one, optimizing, folder, logo, output, name)
            for logo, name in zip(logos, names, strict=True)
        ]
        for _ in progress(as_completed(futures), len(futures), "optimizing"):
            pass
        return [future.result() for future in futures]
    finally:
        threads.shutdown(wait=False, cancel_futures=True)  # closing the pool ends what still runs


def _one(optimizing: Optimizing, folder: Path, logo: Path, output: Path, name: Path) -> Card:
    """What came of a logo; what goes wrong with one is that one's reason."""
    called = logo.relative_to(folder).as_posix()
    try:
        check_free(output / name)
        done = optimizing.optimize(logo, output / name)
        seen = shown(done.logo.image, done.svg)
    except SvgQualityError as error:
        return LogoRow(called, None, None, None, str(error)), Shown(None, None)
    svg = name.as_posix() if done.written else None
    return LogoRow(called, svg, len(done.logo.data), done.answer, None), seen
