"""Synthetic logos of each type, drawn as SVG from a seed, for types that have too few real ones.

They look like icons and word marks, not like any real mark: words are made of syllables, shapes
of `motifs`. How far a classifier still tells them from real logos is measured by `realism`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.random import Generator

from svg_quality.dataset.augmentation.lettering import FONTS, Lettering, set_word
from svg_quality.dataset.augmentation.motifs import (
    Motif,
    Part,
    around,
    box,
    circle,
    draw_motif,
    number,
    polygon,
)
from svg_quality.dataset.augmentation.names import invent_name, pick_label
from svg_quality.dataset.augmentation.painting import (
    CANVAS,
    Sheet,
    Style,
    centred,
    lettered,
    palette,
    placed,
    ramp,
)
from svg_quality.errors import DatasetError


def draw_logo(kind: str, seed: int, number: int = 0) -> str:
    """Draw a logo; the same kind, seed and number give the same text on every machine.

    Args:
        kind: ``simple``, ``text``, ``gradient`` or ``complex``.
        seed: of a series.
        number: within the series.

    Returns:
        An SVG without text elements, scripts or references to anything outside itself.

    Raises:
        DatasetError: there is no such kind.
    """
    if kind not in _KINDS:
        raise DatasetError(f"a kind must be one of {', '.join(_KINDS)}, got {kind!r}")
    stream = int(hashlib.sha256(f"{kind}:{seed}:{number}".encode()).hexdigest()[:16], 16)
    return _KINDS[kind](np.random.default_rng(stream)).svg()


def _simple(rng: Generator) -> Sheet:
    """One motif: as an outline, in flat areas, or light on a ground."""
    dark, main, light = palette(rng)
    width = rng.uniform(4, 10)
    outline = Style(main, main, main, main, width, outlined=True)
    flat = Style(main, rng.choice([light, dark]), main, "#ffffff", width, outlined=False)
    white = Style("#ffffff", light, "#ffffff", main, width, outlined=rng.random() < 0.5)
    layout = rng.random()
    if layout < 0.35:
        return Sheet(centred(draw_motif(rng), outline, rng.uniform(200, 250)))
    if layout < 0.6:
        return Sheet(centred(draw_motif(rng), flat, rng.uniform(210, 256)))
    ground = f'<path fill="{main}" d="{_ground(rng)}"/>'
    if layout < 0.75:
        return Sheet(ground + centred(draw_motif(rng), white, rng.uniform(120, 165)))
    if layout < 0.87:
        ring = Style(dark, dark, dark, dark, rng.uniform(4, 9), outlined=True)
        inner = centred(draw_motif(rng), replace(flat, mark="#ffffff"), rng.uniform(110, 140))
        return Sheet(centred(_frame_of(rng), ring, 240) + inner)
    return Sheet(_cropped(draw_motif(rng), white, main, rng))


def _gradient(rng: Generator) -> Sheet:
    """A shaded ground with a light motif, or a motif in shaded areas."""
    dark, main, light = palette(rng)
    defs = ramp("a", dark, main, rng) + ramp("b", main, light, rng)
    if rng.random() < 0.5:
        style = Style("#ffffff", "#ffffff", "#ffffff", "#ffffff", rng.uniform(2.5, 5), True)
        full = rng.random() < 0.6
        r = rng.choice([0.0, 12.0, 24.0, 40.0])
        ground = box(0, 0, CANVAS, CANVAS, r) if full else _ground(rng)
        body = f'<path fill="url(#a)" d="{ground}"/>'
        return Sheet(body + centred(draw_motif(rng), style, rng.uniform(140, 185)), defs=defs)
    style = Style("url(#a)", "url(#b)", main, "#ffffff", rng.uniform(5, 9), outlined=False)
    body = centred(draw_motif(rng), style, rng.uniform(225, 256))
    if rng.random() < 0.45:  # a second sign in a corner
        plain = Style(light, light, light, dark, 9, outlined=False)
        x, y = rng.uniform(180, 200, 2).tolist()
        body += placed(draw_motif(rng), plain, x, y, rng.uniform(85, 105))
    return Sheet(body, defs=defs)


def _text(rng: Generator) -> Sheet:
    """A word: alone, under a motif, beside one, or on a badge."""
    dark, main, light = palette(rng)
    style = Style(main, light, main, "#ffffff", rng.uniform(5, 9), outlined=rng.random() < 0.5)
    ink = rng.choice([main, dark, "#231f20"])
    layout = rng.random()
    if layout < 0.3:
        word = _set(rng, invent_name(rng, 5, 10), 244)
        second = _set(rng, invent_name(rng, 8, 13), 244) if rng.random() < 0.4 else None
        return _word_mark(word, second, ink, main)
    if layout < 0.7:
        word = _set(rng, invent_name(rng, 5, 10), rng.uniform(190, 246))
        sign = placed(draw_motif(rng), style, 128, 92, rng.uniform(130, 165))
        return Sheet(sign + lettered(word, ink, 128, 232))
    if layout < 0.85:
        word = _set(rng, invent_name(rng, 5, 9), 176)
        sign = placed(draw_motif(rng), style, 36, 36, 62)
        return Sheet(sign + lettered(word, ink, 164, 36 + word.cap_height / 2), height=72.0)
    word, line = _set(rng, invent_name(rng, 5, 8), 170), _set(rng, invent_name(rng, 7, 10), 150)
    badge = f'<path fill="none" stroke="{main}" stroke-width="10" d="{box(10, 10, 236, 236, 22)}"/>'
    sign = placed(draw_motif(rng), style, 128, 78, 92)
    return Sheet(badge + sign + lettered(word, ink, 128, 178) + lettered(line, ink, 128, 218))


def _complex(rng: Generator) -> Sheet:
    """Many parts: motifs in a frame or heaped, dashed boxes, discs of dots, small ornament."""
    layouts = (_assembly, _assembly, _heap, _boxes, _disc)
    return layouts[int(rng.integers(len(layouts)))](rng)


def _styles(rng: Generator) -> list[Style]:
    dark, main, light = palette(rng)
    pairs = ((main, light), (dark, main), palette(rng)[1:])
    return [Style(c, d, c, "#ffffff", rng.uniform(5, 9), rng.random() < 0.3) for c, d in pairs]


def _assembly(rng: Generator) -> Sheet:
    """Motifs in a frame, in rows or around a large one."""
    styles = _styles(rng)
    rim = replace(styles[0], outlined=True, width=rng.uniform(2, 3.5),
                  dashes=rng.choice(["", "", "6 4", "9 5"]))  # fmt: skip
    framed = rng.random() < 0.5
    body = centred(_frame_of(rng), rim, 250) if framed else ""
    if rng.random() < 0.5:
        n, r = int(rng.integers(5, 9)), 88 if framed else 98
        places = [(*around(128, 128, r, -90 + 360 * k / n), 330 / n) for k in range(n)]
        places = [*places, (128.0, 128.0, 100.0)]
    else:
        n = int(rng.integers(2, 5))
        cell = (206 if framed else 246) / n
        lines = [128 + cell * (k - (n - 1) / 2) for k in range(n)]
        places = [(x, y, cell * 0.85) for x in lines for y in lines]
    for x, y, size in places:
        style = styles[int(rng.integers(len(styles)))]
        body += placed(draw_motif(rng), style, x, y, min(size, 90.0) * rng.uniform(0.85, 1.05))
    if rng.random() < 0.3:
        body += _ornament(rng, styles[0].tone)
    return Sheet(body)


def _heap(rng: Generator) -> Sheet:
    """Three to five motifs over one another, each with a light rim."""
    styles = _styles(rng)
    rims = Style("#ffffff", "#ffffff", "#ffffff", "#ffffff", 14, outlined=True)
    body = ""
    for _ in range(int(rng.integers(3, 6))):
        motif, style = draw_motif(rng), styles[int(rng.integers(len(styles)))]
        x, y = rng.uniform(80, 176, 2).tolist()
        size = rng.uniform(100, 165)
        body += placed(motif, rims, x, y, size)
        body += placed(motif, replace(style, outlined=False), x, y, size)
    return Sheet(body + (_plate(rng, styles[1].fill) if rng.random() < 0.5 else ""))


def _boxes(rng: Generator) -> Sheet:
    """Boxes in rows, some dashed, with labels and motifs: a diagram."""
    styles, n = _styles(rng), int(rng.integers(2, 4))
    high, body = 236 / n, ""
    for k in range(n):
        style, top = styles[k % 2], 10 + k * high
        dashes = rng.choice(["", 'stroke-dasharray="18 9"', 'stroke-dasharray="12 8"'])
        d = box(10, top, 236, high - 14, rng.choice([0.0, 8.0, 16.0]))
        body += f'<path fill="none" stroke="{style.fill}" stroke-width="8" {dashes} d="{d}"/>'
        middle, size = top + high / 2 - 7, min(high - 44, 64.0)
        if rng.random() < 0.5:
            label = pick_label(rng)
            word = _set(rng, label, len(label) * rng.uniform(23, 29))
            body += lettered(word, style.fill, 165, middle + word.cap_height / 2)
            body += placed(draw_motif(rng), style, 60, middle, size)
        else:
            for x in (56, 128, 200):
                body += placed(draw_motif(rng), styles[int(rng.integers(3))], x, middle, size)
    return Sheet(body)


def _disc(rng: Generator) -> Sheet:
    """Dots or rays in rings that grow outward, a sign in the middle."""
    styles = _styles(rng)
    n, n_rings = int(rng.integers(14, 31)), int(rng.integers(2, 5))
    wide = rng.uniform(0.25, 0.42)
    body = ""
    for ring in range(n_rings):
        r = 118 - 22 * ring
        size = float(min(2 * np.pi * r / n * wide, 10.0))
        turn = 180 / n * (ring % 2)
        points = [around(128, 128, r, turn + 360 * k / n) for k in range(n)]
        dots = "".join(circle(x, y, size) for x, y in points)
        body += f'<path fill="{(styles[ring % 3]).fill}" d="{dots}"/>'
    inner = (236 - 44 * n_rings) * 0.72
    return Sheet(body + placed(draw_motif(rng), styles[0], 128, 128, inner))


def _plate(rng: Generator, colour: str) -> str:
    """A label on a plate in the middle."""
    word = _set(rng, pick_label(rng), rng.uniform(50, 90))
    plate = box(120 - word.width / 2, 100, word.width + 16, word.cap_height + 24, 6)
    lettering = lettered(word, "#ffffff", 128, 112 + word.cap_height)
    return f'<path fill="{colour}" d="{plate}"/>{lettering}'


_KINDS: Final[dict[str, Callable[[Generator], Sheet]]] = {
    "simple": _simple, "text": _text, "gradient": _gradient, "complex": _complex,
}  # fmt: skip
KINDS: Final = tuple(_KINDS)


def _cropped(motif: Motif, style: Style, ground: str, rng: Generator) -> str:
    """Larger than the canvas and a little soft, like a small icon cut out and enlarged."""
    x, y = rng.uniform(100, 156, 2)
    body = f'<path fill="{ground}" d="{box(0, 0, CANVAS, CANVAS)}"/>'
    soft = f'<filter id="soft"><feGaussianBlur stdDeviation="{number(rng.uniform(1, 2.5))}"/>'
    inner = placed(motif, style, x, y, rng.uniform(260, 340))
    return f'{body}<defs>{soft}</filter></defs><g filter="url(#soft)">{inner}</g>'


def _ground(rng: Generator) -> str:
    """A circle, rounded square or polygon that a sign stands on, over the whole canvas."""
    shape = rng.random()
    if shape < 0.35:
        return circle(128, 128, 126)
    if shape < 0.75:
        return box(4, 4, 248, 248, rng.choice([0, 10, 24, 48]))
    n, turn = (6, -90.0) if rng.random() < 0.7 else (8, -67.5)
    points = polygon(n, 126, turn)[1:-1].split("L")
    moved = (
        f"{number(float(x) + 128)} {number(float(y) + 128)}" for x, y in map(str.split, points)
    )
    return f"M{'L'.join(moved)}Z"


def _frame_of(rng: Generator) -> Motif:
    """The outline of a ground, as a motif."""
    shapes = (circle(0, 0, 46), box(-46, -46, 92, 92, 8), polygon(6, 48), box(-46, -46, 92, 92))
    return [Part("line", shapes[int(rng.integers(len(shapes)))])]


def _set(rng: Generator, word: str, width: float) -> Lettering:
    font = str(rng.choice(FONTS))
    spacing = rng.choice([0.0, 0.0, 0.02, 0.06])
    return set_word(word, font, width / set_word(word, font, 1.0, spacing).width, spacing)


def _word_mark(word: Lettering, second: Lettering | None, ink: str, other: str) -> Sheet:
    """One or two lines on a wide canvas, with room for the letters' tails."""
    height = word.cap_height * 1.7
    body = lettered(word, ink, CANVAS / 2, word.cap_height * 1.25)
    if second:
        body += lettered(second, other, CANVAS / 2, height + second.cap_height)
        height += second.cap_height * 1.6
    return Sheet(body, height=max(height, 24.0))


def _ornament(rng: Generator, colour: str) -> str:
    """A row of dots, dashes or rays along the edges."""
    n = int(rng.integers(8, 17))
    if rng.random() < 0.5:
        places = [10 + 236 * k / (n - 1) for k in range(n)]
        dots = "".join(circle(p, y, 4) for p in places for y in (8, 248))
        return f'<path fill="{colour}" d="{dots}"/>'
    ray = f"M128 6V{number(rng.uniform(14, 22))}"
    turned = "".join(f'<path d="{ray}" transform="rotate({number(360 * k / n)} 128 128)"/>'
                     for k in range(n))  # fmt: skip
    return f'<g stroke="{colour}" stroke-width="4">{turned}</g>'
