"""Words as SVG paths, set in the bundled glyph outlines (`fonts/README.md`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any, Final

FONTS: Final = ("sans-bold", "sans-light", "slab-bold", "geometric-bold")


@dataclass(frozen=True, slots=True)
class Lettering:
    """A word, drawn: markup whose baseline begins at (0, 0), y down."""

    markup: str  # one ``path`` a letter, in the fill of whatever group holds them
    width: float  # in the units of the size
    cap_height: float


def set_word(word: str, font: str, size: float, spacing: float = 0.0) -> Lettering:
    """Set a word in one line.

    Args:
        word: of the letters ``A-Z a-z 0-9 & . -``.
        font: one of `FONTS`.
        size: of the em, in user units.
        spacing: added after each letter, in em.
    """
    outlines = _outlines(font)
    scale = size / outlines["units_per_em"]
    paths, place = [], 0.0
    for letter in word:
        glyph = outlines["glyphs"][letter]
        moved = f"translate({round(place, 1):g} 0) scale({round(scale, 4):g})"
        paths.append(f'<path transform="{moved}" d="{glyph["path"]}"/>')
        place += glyph["advance"] * scale + spacing * size
    width = place - spacing * size
    return Lettering("".join(paths), width, outlines["cap_height"] * scale)


@lru_cache
def _outlines(font: str) -> dict[str, Any]:
    text = (
        resources.files("svg_quality.dataset.augmentation") / "fonts" / f"{font}.json"
    ).read_text("utf-8")
    outlines: dict[str, Any] = json.loads(text)
    return outlines
