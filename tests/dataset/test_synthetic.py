"""Synthetic logos: the same everywhere, drawable, harmless, of the type they are meant to be."""

import hashlib
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svg_quality.conversion.images import load_image
from svg_quality.conversion.rendering import render
from svg_quality.dataset.augmentation.lettering import FONTS, set_word
from svg_quality.dataset.augmentation.painting import rasterise
from svg_quality.dataset.augmentation.scouting import scout_logos
from svg_quality.dataset.augmentation.synthetic import KINDS, draw_logo
from svg_quality.dataset.logos import LOGO_TYPES, LogoFile
from svg_quality.dataset.splits.split import assign_splits
from svg_quality.dataset.survey import SurveyTask
from svg_quality.errors import DatasetError
from svg_quality.features.descriptors import describe
from svg_quality.features.logo_type import estimate_logo_type

SEEDS = st.integers(0, 2**40)


def test_there_is_a_kind_for_every_type():
    assert set(KINDS) == set(LOGO_TYPES)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(KINDS), SEEDS)
def test_any_drawing_is_a_logo_and_holds_nothing_active(kind, seed):
    svg = draw_logo(kind, seed)
    assert svg == draw_logo(kind, seed)
    image = load_image(svg.encode())
    assert image.format == "SVG"
    assert len(np.unique(image.rgb.reshape(-1, 3), axis=0)) > 1  # not blank
    tags = set(re.findall(r"<(\w+)", svg))
    assert tags <= {"svg", "defs", "g", "path", "linearGradient", "radialGradient", "stop",
                    "filter", "feGaussianBlur"}  # fmt: skip
    assert "href" not in svg
    assert not re.search(r"\d\.\d{5}", svg)  # short numbers, the same on every machine
    assert len(svg) < 40_000


def test_the_drawings_are_those_that_were_looked_at():
    """Digests of 20 drawings a kind, made on 2026-11-21 with NumPy 2.4.6 on x86-64."""
    digests = {
        kind: hashlib.sha256("".join(draw_logo(kind, 42, n) for n in range(20)).encode())
        .hexdigest()[:16] for kind in KINDS
    }  # fmt: skip
    assert digests == {
        "simple": "4d4e06091cc4accc",
        "text": "467a159ceb106dea",
        "gradient": "0281e1fcd093009f",
        "complex": "3c2ab52eaf066874",
    }


def test_numbers_and_seeds_make_other_drawings():
    made = {draw_logo(kind, seed, n) for kind in KINDS for seed in range(5) for n in range(10)}
    assert len(made) == 4 * 5 * 10


@pytest.mark.parametrize(
    ("kind", "sharpness", "least"),
    [("simple", 0.7, 15), ("text", 0.7, 5), ("gradient", 0.7, 10), ("complex", 1.0, 10)],
)
def test_enough_drawings_are_of_their_type_by_the_rule_for_real_logos(kind, sharpness, least):
    images = [load_image(rasterise(draw_logo(kind, 0, n), 256, sharpness)) for n in range(18)]
    types = [estimate_logo_type(describe(i.rgb, i.transparent_share)) for i in images]
    assert types.count(kind) >= least


def test_a_png_is_the_drawing_with_its_transparency():
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="20" viewBox="0 0 40 20">'
        '<rect width="20" height="20" fill="#c02040" fill-opacity="0.5"/></svg>'
    )
    with Image.open(io.BytesIO(rasterise(svg, 40))) as image:
        rgba = np.asarray(image).astype(int)
    assert rgba.shape == (20, 40, 4)
    assert rgba[10, 5] == pytest.approx([0xC0, 0x20, 0x40, 128], abs=2)
    assert rgba[10, 30, 3] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_flattened_on_white_it_is_what_the_renderer_draws(kind):
    for n in range(5):
        svg = draw_logo(kind, 1, n)
        flat = load_image(rasterise(svg, 256)).rgb.astype(int)
        drawn = render(svg, flat.shape[1], flat.shape[0]).astype(int)
        assert np.abs(flat - drawn).max() <= 2


def test_a_change_of_size_keeps_the_size_and_softens():
    svg = draw_logo("simple", 0, 0)
    sharp, soft = (load_image(rasterise(svg, 256, share)).rgb for share in (1.0, 0.4))
    assert sharp.shape == soft.shape
    colours = [len(np.unique(x.reshape(-1, 3), axis=0)) for x in (sharp, soft)]
    assert colours[1] > colours[0]


@pytest.mark.parametrize("font", FONTS)
def test_a_word_is_as_wide_as_it_says(font):
    """Against the picture: ink from the first letter's left to the last one's right."""
    word = set_word("HAMBURGhi0123.-&", font, 40.0)
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="600" height="80" viewBox="0 0 600 80">'
        f'<g transform="translate(20 60)">{word.markup}</g></svg>'
    )
    ink = np.flatnonzero((render(svg) < 128).any(axis=(0, 2)))
    assert ink[0] == pytest.approx(20, abs=6)
    assert ink[-1] == pytest.approx(20 + word.width, abs=6)
    rows = np.flatnonzero((render(svg)[:, :60] < 128).any(axis=(1, 2)))
    assert rows[-1] - rows[0] == pytest.approx(word.cap_height, abs=3)


def test_refuses_an_unknown_kind():
    with pytest.raises(DatasetError, match=r"a kind must be one of simple, text, .*, got 'photo'"):
        draw_logo("photo", 0)


def tasks(folder: Path, library: Path, kind: str, n: int) -> list[SurveyTask]:
    folder.mkdir()
    made = []
    for number in range(n):
        path = folder / f"{number}.png"
        path.write_bytes(rasterise(draw_logo(kind, 0, number), 128))
        logo = LogoFile(path, f"{kind}-{number}.svg", None)
        made.append(SurveyTask(logo, "synthetic/0", library, 256, 0.0, True))
    (folder / "broken.png").write_bytes(b"no image")
    broken = LogoFile(folder / "broken.png", "broken.png", None)
    return [SurveyTask(broken, "synthetic/0", library, 256, 0.0, True), *made]


def test_scouting_takes_what_is_wanted_and_no_more(tmp_path):
    library = tmp_path / "library"
    todo = tasks(tmp_path / "drawn", library, "simple", 12)
    taken: list[int] = []
    found = scout_logos(todo, {"simple": 3, "text": 0}, [], 1, 20.0, taken.append)
    assert [record.logo_type for record in found.records] == ["simple"] * 3
    assert sum(taken) == 3
    assert list(found.rejected) == ["broken.png"]
    assert found.n_looked == 3 + 1 + found.n_other_type
    kept = {p.relative_to(library).as_posix() for p in library.rglob("*") if p.is_file()}
    assert kept == {record.image_path for record in found.records}
    assert all(record.synthetic for record in found.records)
    known = [record.image_id for record in found.records]
    again = scout_logos(todo, {"simple": 3}, known, 2, 20.0)
    assert again.n_known == 3
    assert not {record.image_id for record in again.records} & set(known)


def test_synthetic_logos_enter_neither_validation_nor_test():
    rng = np.random.default_rng(0)
    n = 400
    images = pd.DataFrame(
        {"logo_type": rng.choice(LOGO_TYPES, n), "mean_ssim": rng.uniform(0.5, 1, n),
         "group": np.arange(n), "synthetic": rng.random(n) < 0.3},
        index=pd.Index([hashlib.sha256(str(i).encode()).hexdigest() for i in range(n)]),
    )  # fmt: skip
    splits = assign_splits(images, 42)
    assert set(splits[images["synthetic"]]) == {"train"}
    assert {"validation", "test"} <= set(splits)
