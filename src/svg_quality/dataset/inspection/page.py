"""The contact sheet as one self-contained HTML page on which pictures can be marked.

Served by `stages.dataset.inspection_server` its marks are saved at once; opened as a file it
offers them for download. Its one script is allowed by its hash, so nothing else on the page can
run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from svg_quality.dataset.inspection.marks import VERDICTS, WRONG_TYPE, Mark
from svg_quality.dataset.inspection.sample import Card, band_name
from svg_quality.dataset.logos import LOGO_TYPES
from svg_quality.pages.environment import environment, inline_script
from svg_quality.pages.pictures import MAX_SVG_BYTES, SHOWN_SIZE
from svg_quality.pages.strict_json import embedded_json


@dataclass(frozen=True, slots=True, eq=False)
class ContactSheet:
    """Everything the page tells but for the marks, which change while it is served."""

    cards: Sequence[Card]
    strata: pd.DataFrame  # of `stratum_counts`
    n_images: int  # of which the cards are a sample
    origin: str  # what the pictures were taken from, such as "convert run 1a2b3c4d"
    marks_file: str  # as a person would name it


def stratum_counts(images: pd.DataFrame, sampled: pd.Series[bool]) -> pd.DataFrame:
    """``of`` pictures ``taken`` by type (rows) and band: what the page's table shows.

    Args:
        images: of `inspection.images_of`.
        sampled: of `inspection.sample_images`.
    """
    grouped = images.assign(taken=sampled).groupby(["logo_type", "band"], observed=True)["taken"]
    return grouped.agg(taken="sum", of="size").reset_index()


def render_page(sheet: ContactSheet, marks: Mapping[str, Mark], *, saves: bool) -> str:
    """The whole page.

    Args:
        sheet: what it shows.
        marks: all of the file, those of other pictures too: a download has to hold them.
        saves: whether a server stands behind it.
    """
    script, script_hash = inline_script("svg_quality.dataset", "inspection.js")
    return environment("svg_quality.dataset").get_template("inspection.html.j2").render(
        sheet=sheet,
        table=_table(sheet.strata),
        types=LOGO_TYPES,
        saves=saves,
        script=script,
        script_hash=script_hash,
        state=embedded_json(_state(sheet, marks, saves)),
        max_svg_bytes=MAX_SVG_BYTES,
        shown_size=SHOWN_SIZE,
    )  # fmt: skip


def _state(sheet: ContactSheet, marks: Mapping[str, Mark], saves: bool) -> dict[str, Any]:
    return {
        "saves": saves,
        "wrong_type": WRONG_TYPE,
        "verdicts": VERDICTS,
        "types": LOGO_TYPES,
        "originals": {card.image_id: card.derived_from for card in sheet.cards},
        "marks": {image_id: mark.as_dict() for image_id, mark in marks.items()},
    }


def _table(strata: pd.DataFrame) -> dict[str, Any]:
    """Headings and, by type, one ``taken of all`` for each band; empty where there is none."""
    bands = sorted(set(strata["band"].tolist()))
    counts = {
        (logo_type, band): f"{taken} of {of}"
        for logo_type, band, taken, of in strata[["logo_type", "band", "taken", "of"]].to_numpy()
    }
    present = [name for name in LOGO_TYPES if name in set(strata["logo_type"])]
    return {
        "bands": [band_name(band) for band in bands],
        "rows": {name: [counts.get((name, band), "") for band in bands] for name in present},
    }
