"""The page of `explain`: the verdict, a table by effect, and two charts a parameter.

All charts share their vertical axes, so that a flat line means what it looks like: this slider
does nothing here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.explain import Curve
from svg_quality.optimization.gallery import Shown
from svg_quality.optimization.vtracer_command import changed_text
from svg_quality.optimization.worth import Worth
from svg_quality.pages.charts import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Axis,
    Chart,
    Mark,
    Scale,
    round_ticks,
    size_text,
)
from svg_quality.pages.environment import environment

_MARGIN: Final = 0.04  # of an axis
_HALF_BAR: Final = 14.0  # chart units, of a choice
_DOT: Final = 2.6  # chart units, radius
_BYTE_TICKS: Final = (1, 2, 5)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One parameter on the page."""

    curve: Curve
    charts: tuple[Chart, Chart]  # SSIM and bytes


def render_explain(
    curves: Sequence[Curve],
    worth: Worth,
    pictures: Shown,
    *,
    name: str,
    at: Parameters,
    model: str,
    unlike_training: bool,
) -> str:
    """The whole page.

    Args:
        curves: the strongest first.
        worth: the verdict.
        pictures: the logo, and its tracing at the fixed parameters.
        name: of the logo.
        at: what is fixed while one parameter moves.
        model: name and version of the model that was asked.
        unlike_training: whether the logo is unlike all that it has learned from.
    """
    return environment("svg_quality.optimization").get_template("explain.html.j2").render(
        name=name,
        at=changed_text(at) or "VTracer's defaults",
        parts=_parts(curves),
        worth=worth,
        pictures=pictures,
        interval=worth.interval,
        fixed_point=next((p for c in curves for p in c.measured if p.value == c.fixed), None),
        model=model,
        unlike_training=unlike_training,
    )  # fmt: skip


def _parts(curves: Sequence[Curve]) -> list[Part]:
    everything = [(c.ssim_low, c.ssim_high, [p.ssim for p in c.measured]) for c in curves]
    ssim = _scale(np.concatenate([np.concatenate(values) for values in everything]))
    sizes = [(c.bytes_low, c.bytes_high, [p.svg_bytes for p in c.measured]) for c in curves]
    power = _scale(np.log10(np.concatenate([np.concatenate(values) for values in sizes])))
    return [Part(curve, (_ssim_chart(curve, ssim), _bytes_chart(curve, power))) for curve in curves]


def _scale(values: np.ndarray) -> Scale:
    low, high = float(values.min()), float(values.max())
    margin = (high - low) * _MARGIN or 0.01
    return Scale(low - margin, high + margin, BOTTOM, TOP)


def _ssim_chart(curve: Curve, y: Scale) -> Chart:
    ticks = [tick for tick in round_ticks(y.low, y.high) if tick <= 1]
    return _chart(
        curve,
        Axis("SSIM", _ticks(y(np.array(ticks)), [f"{tick:g}" for tick in ticks])),
        y(curve.ssim),
        (y(curve.ssim_low), y(curve.ssim_high)),
        y(np.array([point.ssim for point in curve.measured])),
    )


def _bytes_chart(curve: Curve, y: Scale) -> Chart:
    powers = range(math.floor(y.low), math.ceil(y.high) + 1)
    sizes = [k * 10.0**power for power in powers for k in _BYTE_TICKS]
    shown = [size for size in sizes if y.low <= math.log10(size) <= y.high]
    texts = [size_text(math.log10(size)) for size in shown]

    def placed(values: Sequence[float] | np.ndarray) -> np.ndarray:
        return y(np.log10(np.asarray(values, float)))

    return _chart(
        curve,
        Axis("bytes", _ticks(placed(shown), texts)),
        placed(curve.svg_bytes),
        (placed(curve.bytes_low), placed(curve.bytes_high)),
        placed([point.svg_bytes for point in curve.measured]),
    )


def _chart(
    curve: Curve,
    y: Axis,
    line: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    dots: np.ndarray,
) -> Chart:
    """All arrays in chart units, ``(n,)`` each but ``dots``, one for each measured point."""
    if curve.is_choice:
        slots = len(curve.values)
        across = LEFT + (np.arange(slots) + 0.5) * (RIGHT - LEFT) / slots
        ticks = _ticks(across, list(curve.values))
        marks = [_bars(across, *ends), _steps(across, line)]
    else:
        low, high = float(curve.values[0]), float(curve.values[-1])
        margin = (high - low) * _MARGIN
        x = Scale(low - margin, high + margin, LEFT, RIGHT)
        across = x(np.array(curve.values, float))
        whole = round_ticks(low, high)
        ticks = _ticks(x(np.array(whole)), [f"{tick:g}" for tick in whole])
        marks = [_band(across, *ends), Mark("curve series0", _joined(across, line))]
    at = dict(zip(curve.values, across.tolist(), strict=True))
    measured = [at[point.value] for point in curve.measured]
    if measured:
        marks.append(Mark("bars series1", _dots(measured, dots.tolist())))
    return Chart(
        title=f"{curve.name}: {y.label}",
        description=f"Predicted {y.label} over the range of {curve.name}.",
        x=Axis(curve.name, ticks),
        y=y,
        guide=f"M{at[curve.fixed]:.1f} {BOTTOM}V{TOP}",
        marks=tuple(marks),
    )


def _ticks(places: np.ndarray, texts: Sequence[str]) -> tuple[tuple[float, str], ...]:
    return tuple(zip(places.round(1).tolist(), texts, strict=True))


def _joined(across: np.ndarray, up: np.ndarray) -> str:
    points = zip(across.tolist(), up.tolist(), strict=True)
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points)


def _band(across: np.ndarray, low: np.ndarray, high: np.ndarray) -> Mark:
    around = np.concatenate([across, across[::-1]]), np.concatenate([high, low[::-1]])
    return Mark("band series0", f"{_joined(*around)}Z")


def _bars(across: np.ndarray, low: np.ndarray, high: np.ndarray) -> Mark:
    path = "".join(
        f"M{x - _HALF_BAR:.1f} {bottom:.1f}V{top:.1f}H{x + _HALF_BAR:.1f}V{bottom:.1f}Z"
        for x, bottom, top in zip(across.tolist(), low.tolist(), high.tolist(), strict=True)
    )
    return Mark("band series0", path)


def _steps(across: np.ndarray, up: np.ndarray) -> Mark:
    path = "".join(
        f"M{x - _HALF_BAR:.1f} {y:.1f}H{x + _HALF_BAR:.1f}"
        for x, y in zip(across.tolist(), up.tolist(), strict=True)
    )
    return Mark("curve series0", path)


def _dots(across: Sequence[float], up: Sequence[float]) -> str:
    """Filled circles."""
    r = _DOT
    return "".join(
        f"M{x - r:.1f} {y:.1f}a{r} {r} 0 1 0 {2 * r} 0a{r} {r} 0 1 0 {-2 * r} 0Z"
        for x, y in zip(across, up, strict=True)
    )
