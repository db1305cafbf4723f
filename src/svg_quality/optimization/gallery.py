"""A folder of logos as one page: each beside its tracing, with figures and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from svg_quality.conversion.images import LogoImage
from svg_quality.conversion.rendering import render
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.summary import LogoRow, change_text, totals
from svg_quality.pages.environment import environment
from svg_quality.pages.pictures import MAX_SVG_BYTES, pixels_uri, svg_uri


@dataclass(frozen=True, slots=True)
class Shown:
    """The two pictures of a card, as data URIs; None where there is none to show."""

    before: str | None
    after: str | None


def shown(image: LogoImage, svg: str | None) -> Shown:
    """A logo and its tracing, which is drawn where it is too heavy to be put into a page.

    Args:
        image: as it was traced.
        svg: None where nothing was converted.
    """
    height, width = image.rgb.shape[:2]
    if svg is None:
        after = None
    elif len(svg) <= MAX_SVG_BYTES:
        after = svg_uri(svg)
    else:
        after = pixels_uri(render(svg, width, height))
    return Shown(pixels_uri(image.rgb), after)


def render_gallery(
    rows: Sequence[LogoRow],
    pictures: Sequence[Shown],
    *,
    folder: str,
    objective: Objective,
    method: str,
    seconds: float,
) -> str:
    """The whole page.

    Args:
        rows: by name.
        pictures: of each row.
        folder: name of the folder of logos.
        objective: as it was asked for.
        method: of choosing.
        seconds: that it all took.
    """
    told = totals(rows)
    cards = [_card(row, seen) for row, seen in zip(rows, pictures, strict=True)]
    return environment("svg_quality.optimization").get_template("gallery.html.j2").render(
        folder=folder,
        objective=str(objective),
        method=method,
        seconds=seconds,
        totals=told,
        in_all=change_text(told.saving),
        at_median=change_text(told.median_saving),
        good=[card for card in cards if card["row"].status == "found"],
        bad=[card for card in cards if card["row"].status != "found"],
    )  # fmt: skip


def _card(row: LogoRow, seen: Shown) -> dict[str, Any]:
    best = row.answer.chosen if row.answer else None
    return {
        "row": row,
        "seen": seen,
        "best": best,
        "figures": best.figures if best else None,
        "changed": best.parameters.changed() if best else {},
        "than_default": change_text(row.saving),
    }
