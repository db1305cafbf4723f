"""What synthetic logos are made of: clouds, gears, padlocks, charts, each varied a little.

A motif is a list of parts in a box of 100 units around the origin. A part says what it is, not
how it looks; `synthetic` draws the same parts as outlines, flat areas or gradients.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple

from numpy.random import Generator

Role = Literal["fill", "tone", "line", "mark", "scratch"]


class Part(NamedTuple):
    """One path: a main area, a second tone, a line beside them, or a light mark on top."""

    role: Role  # "mark" is an area on top of areas, "scratch" a line on top of areas
    d: str


Motif = list[Part]
_Point = tuple[float, float]


def number(value: float) -> str:
    """One decimal, so that every machine writes the same text."""
    return f"{round(value, 1) + 0.0:g}"


def polyline(points: Sequence[_Point], *, closed: bool = True) -> str:
    """Straight lines through points."""
    path = "L".join(f"{number(x)} {number(y)}" for x, y in points)
    return f"M{path}{'Z' if closed else ''}"


def circle(x: float, y: float, r: float, ry: float | None = None) -> str:
    """A circle, or with ``ry`` an ellipse."""
    a, b = number(r), number(r if ry is None else ry)
    return (
        f"M{number(x - r)} {number(y)}a{a} {b} 0 1 0 {number(2 * r)} 0"
        f"a{a} {b} 0 1 0 {number(-2 * r)} 0Z"
    )


def box(x: float, y: float, width: float, height: float, r: float = 0.0) -> str:
    """A rectangle with rounded corners."""
    r = min(r, width / 2, height / 2)
    w, h, n = number(width - 2 * r), number(height - 2 * r), number(r)
    return (
        f"M{number(x + r)} {number(y)}h{w}a{n} {n} 0 0 1 {n} {n}v{h}a{n} {n} 0 0 1 -{n} {n}"
        f"h-{w}a{n} {n} 0 0 1 -{n} -{n}v-{h}a{n} {n} 0 0 1 {n} -{n}Z"
    )


def arc(x: float, y: float, r: float, start: float, sweep: float) -> str:
    """A part of a circle, from ``start`` on, in degrees clockwise from the right."""
    (x0, y0), (x1, y1) = around(x, y, r, start), around(x, y, r, start + sweep)
    large = int(abs(sweep) > 180)
    return (
        f"M{number(x0)} {number(y0)}A{number(r)} {number(r)} 0 {large} {int(sweep > 0)}"
        f" {number(x1)} {number(y1)}"
    )


def around(x: float, y: float, r: float, angle: float) -> _Point:
    """The point at an angle of a circle, in degrees."""
    return x + r * math.cos(math.radians(angle)), y + r * math.sin(math.radians(angle))


def polygon(n_corners: int, r: float, turn: float = -90.0) -> str:
    """A regular polygon around the origin."""
    return polyline([around(0, 0, r, turn + 360 * k / n_corners) for k in range(n_corners)])


def _cloud(rng: Generator) -> Motif:
    r = number(rng.uniform(22, 27))
    return [Part("fill", f"M-28 28a19 19 0 0 1 -2 -38a{r} {r} 0 0 1 48 -8a22 22 0 0 1 10 46Z"),
            *_arrow_on(rng, 8)]  # fmt: skip


def _arrow_on(rng: Generator, y: float) -> Motif:
    if rng.random() < 0.4:
        return []
    s = 1 if rng.random() < 0.5 else -1
    points = [(-5.0, 14.0), (-5.0, 0.0), (-13.0, 0.0), (0.0, -14.0),
              (13.0, 0.0), (5.0, 0.0), (5.0, 14.0)]  # fmt: skip
    return [Part("mark", polyline([(px, y + s * py) for px, py in points]))]


def _cylinder(rng: Generator) -> Motif:
    w, n = rng.uniform(28, 36), int(rng.integers(1, 4))
    a, b = number(w), number(w / 3)
    side = f"M-{a} -32V34a{a} {b} 0 0 0 {number(2 * w)} 0V-32Z"
    levels = [-32 + 66 * (k + 1) / (n + 1) for k in range(n)]
    rings = [f"M-{a} {number(y)}a{a} {b} 0 0 0 {number(2 * w)} 0" for y in levels]
    return [Part("fill", side), Part("tone", circle(0, -32, w, w / 3)),
            *(Part("scratch", ring) for ring in rings)]  # fmt: skip


def _gear(rng: Generator) -> Motif:
    n, inner = int(rng.integers(6, 13)), rng.uniform(30, 36)
    points = []
    for k in range(n):
        for r, share in ((inner, -0.32), (46, -0.2), (46, 0.2), (inner, 0.32)):
            points.append(around(0, 0, r, 360 * (k + share) / n))
    return [Part("fill", polyline(points)), Part("mark", circle(0, 0, rng.uniform(10, 18)))]


def _cube(rng: Generator) -> Motif:
    r = rng.uniform(40, 48)
    h, q = r * 0.866, r / 2
    return [Part("tone", polyline([(0, -r), (h, -q), (0, 0), (-h, -q)])),
            Part("fill", polyline([(-h, -q), (0, 0), (0, r), (-h, q)])),
            Part("line", polyline([(h, -q), (0, 0), (0, r), (h, q)]))]  # fmt: skip


def _monitor(rng: Generator) -> Motif:
    rows = [Part("scratch", polyline([(-28, y), (rng.uniform(-5, 28), y)], closed=False))
            for y in (-24, -12, 0)[: int(rng.integers(0, 4))]]  # fmt: skip
    return [Part("fill", box(-46, -40, 92, 60, rng.uniform(2, 9))),
            Part("tone", polyline([(-10, 20), (10, 20), (16, 40), (-16, 40)])), *rows]  # fmt: skip


def _padlock(rng: Generator) -> Motif:
    w = rng.uniform(28, 36)
    return [Part("line", "M-20 -2V-20a20 20 0 0 1 40 0V-2"),
            Part("fill", box(-w, -4, 2 * w, 48, rng.uniform(2, 8))),
            Part("mark", circle(0, 16, 6)), Part("scratch", "M0 18V30")]  # fmt: skip


def _chip(rng: Generator) -> Motif:
    n = int(rng.integers(3, 6))
    places = [-22 + 44 * k / (n - 1) for k in range(n)]
    pins = [(p, s) for p in places for s in (-1, 1)]
    lines = [f"M{number(p)} {30 * s}V{46 * s}M{30 * s} {number(p)}H{46 * s}" for p, s in pins]
    inner = rng.uniform(10, 18)
    return [Part("line", "".join(lines)), Part("fill", box(-32, -32, 64, 64, rng.uniform(0, 8))),
            Part("tone", box(-inner, -inner, 2 * inner, 2 * inner))]  # fmt: skip


def _network(rng: Generator) -> Motif:
    n, r = int(rng.integers(3, 7)), rng.uniform(7, 10)
    start = rng.choice([-90, 0, 30, 45])
    points = [around(0, 0, 37, start + 360 * k / n) for k in range(n)]
    spokes = "".join(polyline([(0, 0), point], closed=False) for point in points)
    rim = [Part("line", polyline(points))] if rng.random() < 0.4 else []
    return [Part("line", spokes), *rim, *(Part("tone", circle(x, y, r)) for x, y in points),
            Part("fill", circle(0, 0, rng.uniform(9, 16)))]  # fmt: skip


def _globe(rng: Generator) -> Motif:
    width = rng.uniform(14, 20)
    lines = circle(0, 0, width, 44) + "M-44 0H44M-38 -21H38M-38 21H38M0 -44V44"
    return [Part("fill", circle(0, 0, 44)), Part("scratch", lines)]


def _shield(rng: Generator) -> Motif:
    half = "M0 -46C14 -36 28 -32 40 -32V-4C40 22 22 38 0 47"
    body = f"{half}C-22 38 -40 22 -40 -4V-32C-28 -32 -14 -36 0 -46Z"
    tick = [Part("scratch", "M-17 2L-4 15L19 -11")] if rng.random() < 0.7 else []
    return [Part("fill", body), Part("tone", f"{half}Z"), *tick]


def _bars(rng: Generator) -> Motif:
    n = int(rng.integers(3, 6))
    step = 88 / n
    tall = [rng.uniform(20, 84) for _ in range(n)]
    kinds: tuple[Role, Role] = ("fill", "tone")
    return [Part(kinds[k % 2], box(-44 + k * step, 42 - tall[k], step * 0.72, tall[k], 2))
            for k in range(n)]  # fmt: skip


def _page(rng: Generator) -> Motif:
    rows = [f"M-20 {y}H{number(rng.uniform(4, 22))}" for y in (-6, 6, 18, 30)]
    return [Part("fill", "M-32 -46H12L32 -26V46H-32Z"), Part("tone", "M12 -46L32 -26H12Z"),
            Part("scratch", "".join(rows[: int(rng.integers(2, 5))]))]  # fmt: skip


def _lens(rng: Generator) -> Motif:
    inside = _arrow_on(rng, -8) if rng.random() < 0.3 else []
    return [Part("line", circle(-8, -8, 30)), Part("line", "M14 14L42 42"), *inside]


def _rings(rng: Generator) -> Motif:
    turns = [(r, rng.choice([0, 45, 90, 180]), rng.choice([180, 225, 270, 315]))
             for r in (44, 30, 16)[: int(rng.integers(2, 4))]]  # fmt: skip
    return [*(Part("line", arc(0, 0, r, a, s)) for r, a, s in turns),
            Part("tone", circle(0, 0, 7))]  # fmt: skip


def _person(rng: Generator) -> Motif:
    r = rng.uniform(15, 20)
    return [Part("fill", circle(0, -22, r)), Part("tone", "M-38 44a38 34 0 0 1 76 0Z")]


def _bolt(rng: Generator) -> Motif:
    k = rng.uniform(4, 12)
    return [Part("fill", polyline([(8, -46), (-28, 8), (-4, 8), (-10, 46), (28, -k), (4, -k)]))]


def _clock(rng: Generator) -> Motif:
    ticks = "".join(
        polyline([around(0, 0, 32, a), around(0, 0, 37, a)], closed=False)
        for a in range(0, 360, int(rng.choice([30, 45, 90])))
    )
    hands = polyline([around(0, 0, 26, rng.uniform(-120, -60)), (0, 0),
                      around(0, 0, 18, rng.uniform(0, 90))], closed=False)  # fmt: skip
    return [Part("fill", circle(0, 0, 45)), Part("scratch", ticks), Part("scratch", hands)]


def _tiles(rng: Generator) -> Motif:
    n = int(rng.integers(2, 4))
    step, r = 90 / n, rng.uniform(0, 6)
    kinds: tuple[Role, Role] = ("fill", "tone")
    return [Part(kinds[int(rng.random() < 0.3)],
                 box(-45 + i * step, -45 + j * step, step * 0.84, step * 0.84, r))
            for i in range(n) for j in range(n)]  # fmt: skip


def _petals(rng: Generator) -> Motif:
    """An abstract mark: one petal, turned about the centre."""
    n, wide, start = int(rng.integers(3, 9)), rng.uniform(8, 20), rng.uniform(0, 14)
    bend = rng.uniform(-10, 10)
    kinds: tuple[Role, Role] = ("fill", "tone")
    petals = []
    for k in range(n):
        (x0, y0), (x1, y1) = (around(0, 0, r, 360 * k / n) for r in (start, 46))
        (a, b), (c, d) = (around(0, 0, 26, 360 * k / n + s * wide * 1.6 + bend) for s in (-1, 1))
        tip = f"{number(x1)} {number(y1)}Q{number(c)} {number(d)} {number(x0)} {number(y0)}Z"
        path = f"M{number(x0)} {number(y0)}Q{number(a)} {number(b)} {tip}"
        petals.append(Part(kinds[k % 2 if n % 2 == 0 else 0], path))
    return petals


def _facets(rng: Generator) -> Motif:
    """An abstract mark: a polygon cut into triangles of two tones."""
    n = int(rng.choice([3, 4, 5, 6, 6, 8]))
    corners = [around(0, 0, 46, -90 + 360 * k / n) for k in range(n)]
    cx, cy = rng.uniform(-8, 8), rng.uniform(-8, 8)
    kinds: tuple[Role, Role] = ("fill", "tone")
    return [Part(kinds[k % 2], polyline([corners[k], corners[(k + 1) % n], (cx, cy)]))
            for k in range(n)]  # fmt: skip


def _pipe(rng: Generator) -> Motif:
    """Boxes joined by arrows, as in a diagram."""
    r = rng.uniform(0, 8)
    return [Part("fill", box(-46, -46, 32, 32, r)), Part("tone", box(14, -46, 32, 32, r)),
            Part("fill", box(14, 14, 32, 32, r)), Part("line", "M-14 -30H10M30 -14V10"),
            Part("line", "M2 -38L11 -30L2 -22M22 2L30 11L38 2")]  # fmt: skip


def _frame(rng: Generator) -> Motif:
    """Corners of a frame around a small shape."""
    s = rng.uniform(12, 20)
    corners = [f"M{a * 46} {b * 24}V{b * 46}H{a * 24}" for a in (-1, 1) for b in (-1, 1)]
    inner = circle(0, 0, s) if rng.random() < 0.5 else polygon(int(rng.integers(4, 7)), s * 1.2)
    return [Part("line", "".join(corners)), Part("fill", inner)]


def _barcode(rng: Generator) -> Motif:
    n = int(rng.integers(4, 8))
    lines = "".join(f"M{number(-32 + 64 * k / (n - 1))} -20V20" for k in range(n))
    return [Part("line", box(-46, -34, 92, 68, rng.uniform(0, 8))), Part("line", lines)]


MOTIFS: Final[tuple[Callable[[Generator], Motif], ...]] = (
    _cloud, _cylinder, _gear, _cube, _monitor, _padlock, _chip, _network, _globe, _shield, _bars,
    _page, _lens, _rings, _person, _bolt, _clock, _tiles, _petals, _facets, _pipe, _frame,
    _barcode,
)  # fmt: skip


def draw_motif(rng: Generator) -> Motif:
    """Any motif."""
    return MOTIFS[int(rng.integers(len(MOTIFS)))](rng)
