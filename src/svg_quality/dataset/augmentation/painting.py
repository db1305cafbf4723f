"""How synthetic logos are painted: styles, colours, places on the canvas, and PNG files of them."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.random import Generator
from PIL import Image

from svg_quality.conversion.rendering import render
from svg_quality.dataset.augmentation.lettering import Lettering
from svg_quality.dataset.augmentation.motifs import Motif, number

CANVAS: Final = 256.0  # px of the longer side in the SVG's own units; most real icons come so
_PALETTES: Final = (  # dark, main, light: families of colours as cloud and tool icons use them
    ("#1a56b8", "#4285f4", "#aecbfa"), ("#0b5394", "#0078d4", "#50e6ff"),
    ("#2b6117", "#3f8624", "#8dc53f"), ("#3b7a1e", "#63ba4d", "#c3e88d"),
    ("#8a1240", "#cd2264", "#f38bb2"), ("#8f141d", "#d6242d", "#fa744e"),
    ("#9c4208", "#d86613", "#ffb34d"), ("#40218a", "#693cc5", "#a67af4"),
    ("#27308f", "#3b48cc", "#8f98f0"), ("#0e5c73", "#198ab3", "#59b4d9"),
    ("#00808f", "#00c1de", "#9cebff"), ("#07685c", "#00bfb3", "#8fe8df"),
    ("#18243d", "#325c80", "#7ac3e1"), ("#201815", "#312d2a", "#8a8580"),
    ("#3a3f4a", "#535966", "#a0a6b4"), ("#3e3e3e", "#757575", "#c4c4c4"),
    ("#a8780a", "#ecc01b", "#ffe58a"), ("#1c5c3a", "#25ba81", "#9be8c4"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Style:
    """How a motif's parts are painted."""

    fill: str
    tone: str
    line: str
    mark: str
    width: float  # of lines, in hundredths of the motif's size
    outlined: bool  # areas as lines too
    dashes: str = ""


@dataclass(frozen=True, slots=True)
class Sheet:
    """What is on the canvas, back to front."""

    body: str
    width: float = CANVAS
    height: float = CANVAS
    defs: str = ""

    def svg(self) -> str:
        """The whole markup."""
        size = f'width="{number(self.width)}" height="{number(self.height)}"'
        view = f'viewBox="0 0 {number(self.width)} {number(self.height)}"'
        defs = f"<defs>{self.defs}</defs>" if self.defs else ""
        start = f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view}>'
        return f"{start}{defs}{self.body}</svg>\n"


def palette(rng: Generator) -> tuple[str, str, str]:
    """A family of colours, each channel moved a little: dark, main, light."""
    family = _PALETTES[int(rng.integers(len(_PALETTES)))]
    moves = rng.integers(-9, 10, 3).tolist()

    def moved(colour: str) -> str:
        channels = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
        pairs = zip(channels, moves, strict=True)
        return "#" + "".join(f"{min(max(c + move, 0), 255):02x}" for c, move in pairs)

    return moved(family[0]), moved(family[1]), moved(family[2])


def _painted(motif: Motif, style: Style) -> str:
    dashes = f' stroke-dasharray="{style.dashes}"' if style.dashes else ""
    stroke = f'stroke-width="{number(style.width)}"{dashes}'
    colours = {"fill": style.fill, "tone": style.tone, "line": style.line,
               "mark": style.mark, "scratch": style.mark}  # fmt: skip
    pieces = []
    for role, d in motif:
        if style.outlined or role in ("line", "scratch"):
            colour = style.line if style.outlined else colours[role]
            pieces.append(f'<path fill="none" stroke="{colour}" {stroke} d="{d}"/>')
        else:
            pieces.append(f'<path fill="{colours[role]}" d="{d}"/>')
    return "".join(pieces)


def placed(motif: Motif, style: Style, x: float, y: float, size: float) -> str:
    """A motif with its centre at (x, y), ``size`` wide."""
    place = f"translate({number(x)} {number(y)}) scale({round(size / 100, 3):g})"
    return f'<g transform="{place}" stroke-linejoin="round">{_painted(motif, style)}</g>'


def centred(motif: Motif, style: Style, size: float) -> str:
    """A motif in the middle of a square canvas, no wider than fits."""
    # Lines reach half their width over the edge of the box.
    fits = CANVAS * 100 / (100 + style.width)
    return placed(motif, style, CANVAS / 2, CANVAS / 2, min(size, fits))


def ramp(name: str, start: str, end: str, rng: Generator) -> str:
    """A linear gradient along a diagonal or the height, now and then a radial one."""
    stops = f'<stop stop-color="{start}"/><stop offset="1" stop-color="{end}"/>'
    if rng.random() < 0.12:
        return f'<radialGradient id="{name}" r="0.8">{stops}</radialGradient>'
    x, y = (("1", "0"), ("0", "0"), ("0", "0"))[int(rng.integers(3))]
    far = 'x1="0" y1="1"' if rng.random() < 0.9 else 'x1="0" y1="0.5"'
    return f'<linearGradient id="{name}" {far} x2="{x}" y2="{y}">{stops}</linearGradient>'


def lettered(word: Lettering, ink: str, x: float, y: float) -> str:
    """A word centred at x, its baseline at y."""
    place = f"translate({number(x - word.width / 2)} {number(y)})"
    return f'<g transform="{place}" fill="{ink}">{word.markup}</g>'


def rasterise(svg: str, longer_side: int, sharpness: float = 1.0) -> bytes:
    """The drawing as a PNG file with transparency, which is how icons usually arrive.

    The renderer draws on white only. The same drawing on black gives the opacity: what differs
    between the two is what shows through.

    Args:
        svg: from `synthetic.draw_logo`.
        longer_side: px.
        sharpness: share of that size at which it is drawn before it is enlarged, in (0, 1]; most
            icons one finds have been through a change of size, and have soft edges.
    """
    head = svg.index(">") + 1
    ratio = _side(svg, "height") / _side(svg, "width")
    width, height = (max(round(longer_side * min(r, 1.0)), 1) for r in (1 / ratio, ratio))
    size = width, height
    drawn = max(round(size[0] * sharpness), 1), max(round(size[1] * sharpness), 1)
    ground = '<rect width="100%" height="100%" fill="#000"/>'
    white = render(svg, *drawn).astype(np.float64)
    black = render(svg[:head] + ground + svg[head:], *drawn).astype(np.float64)
    opacity = np.clip(255 - (white - black).mean(axis=2, keepdims=True), 0, 255)
    colour = np.where(opacity > 0, black * 255 / np.maximum(opacity, 1), 255)
    rgba = np.concatenate([colour, opacity], axis=2).round().clip(0, 255).astype(np.uint8)
    image = Image.fromarray(rgba)
    if drawn != size:
        image = image.resize(size, Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _side(svg: str, name: str) -> float:
    return float(svg.split(f'{name}="', 1)[1].split('"', 1)[0])
