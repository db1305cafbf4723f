"""The sample is a fair one, and its cards and page show what they say."""

import base64
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.dataset.inspection.marks import Mark
from svg_quality.dataset.inspection.page import ContactSheet, render_page, stratum_counts
from svg_quality.dataset.inspection.sample import (
    Card,
    images_of,
    make_cards,
    sample_images,
    shown_rows,
    trace_all,
)
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.tables import conversions_table

Row = Callable[..., dict[str, Any]]

strata = st.lists(st.integers(0, 7), min_size=1, max_size=200)
shares = st.one_of(st.just(0.1), st.floats(0, 1))


def pictures(of: list[int]) -> pd.DataFrame:
    ids = [hashlib.sha256(str(place).encode()).hexdigest() for place in range(len(of))]
    return pd.DataFrame({"stratum": [f"s{number}" for number in of]}, index=ids)


@given(strata, shares, st.integers(0, 2**32))
def test_the_sample_has_its_share_and_every_stratum(of: list[int], share: float, seed: int) -> None:
    images = pictures(of)
    taken = sample_images(images, share, seed)
    sizes = images["stratum"].value_counts()
    chosen = images["stratum"][taken].value_counts().reindex(sizes.index, fill_value=0)
    for stratum, size in sizes.items():
        quota = round(size * share, 9)
        assert max(1, math.floor(quota)) <= chosen[stratum] <= max(1, math.ceil(quota))
    least = sum(max(1, math.floor(round(size * share, 9))) for size in sizes)
    assert taken.sum() == max(math.ceil(round(len(images) * share, 9)), least)


@given(strata, shares, st.randoms(use_true_random=False))
def test_the_sample_depends_on_seed_and_pictures_only(
    of: list[int], share: float, rng: Any
) -> None:
    images = pictures(of)
    taken = sample_images(images, share, 42)
    order = list(range(len(images)))
    rng.shuffle(order)
    again = sample_images(images.iloc[order], share, 42)
    pd.testing.assert_series_equal(again.reindex(taken.index), taken, check_names=False)


def test_another_seed_is_another_sample() -> None:
    images = pictures([0] * 200)
    one, two = (sample_images(images, 0.1, seed) for seed in (1, 2))
    assert one.sum() == two.sum() == 20
    assert (one & two).sum() < 10


def test_pictures_are_ranked_by_the_mean_of_what_was_measured(make_row: Row) -> None:
    failed = dict.fromkeys(
        ("ssim", "ssim_worst_tile", "mse", "psnr", "svg_bytes", "path_count", "trace_ms",
         "render_ms")
    )  # fmt: skip
    rows = [
        make_row("a", filter_speckle=1, ssim=0.7),
        make_row("a", filter_speckle=2, ssim=0.96),
        make_row("a", filter_speckle=3, error="panic", **failed),
        make_row("b", error="panic", **failed),
    ]
    images = images_of(conversions_table(rows))
    a, b = rows[0]["image_id"], rows[3]["image_id"]
    assert images.loc[a, ["mean_ssim", "n", "band"]].tolist() == [pytest.approx(0.83), 3, 2]
    assert images.loc[b, ["n", "band"]].tolist() == [1, -1]
    assert images["stratum"].nunique() == 2


@given(
    st.lists(st.sampled_from([0.1, 0.5, 0.5, 0.9, None]), min_size=1, max_size=7),
    st.none() | st.integers(0, 6),
)
def test_the_default_conversion_is_shown_else_the_median(
    values: list[float | None], default: int | None
) -> None:
    names = list(Parameters().as_dict())
    rows = pd.DataFrame(
        [
            Parameters(filter_speckle=4 if place == default else place + 6).as_dict()
            | {"image_id": "x", "conversion_id": f"{place}", "ssim": value,
               "error": "panic" if value is None else None}
            for place, value in enumerate(values)
        ]
    )  # fmt: skip
    chosen = shown_rows(rows.sample(frac=1, random_state=len(values))).loc["x"]
    known = sorted(value for value in values if value is not None)
    if default is not None and default < len(values) and values[default] is not None:
        assert chosen["conversion_id"] == str(default)
        assert chosen[names].tolist() == list(Parameters().as_dict().values())
    elif known:
        assert chosen["ssim"] == known[(len(known) - 1) // 2]
    else:
        assert chosen["conversion_id"] == "0"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> LogoLibrary:
    """A square, one with much detail, and a file that is no picture."""
    root = tmp_path_factory.mktemp("logos")
    square = np.full((48, 64, 3), 255, np.uint8)
    square[8:40, 8:40] = (200, 30, 30)
    Image.fromarray(square).save(root / "square.png")
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "noise.png")
    (root / "broken.png").write_text("no picture")
    return LogoLibrary(root)


@pytest.fixture(scope="module")
def cards(library: LogoLibrary) -> dict[str, Card]:
    def row(name: str, **changes: Any) -> dict[str, Any]:
        chosen = Parameters(**{k: changes.pop(k) for k in list(changes) if hasattr(Parameters, k)})
        made = {
            "conversion_id": hashlib.sha256(name.encode()).hexdigest(),
            "image_id": hashlib.sha256(f"i{name}".encode()).hexdigest(),
            "image_path": f"{name}.png", "source": f"a/b/<i>{name}</i>.png", "derived_from": None,
            "synthetic": False, "method": "sobol", "logo_type": "simple",
            "logo_type_estimated": True, "width": 64, "height": 48, "working_size": 512,
            "source_width": 64, "source_height": 48, "format": "PNG", "complexity": 0.5,
            "perceptual_hash": "0" * 16, **chosen.as_dict(), "ssim": 0.9, "ssim_worst_tile": 0.5,
            "mse": 4.0, "psnr": 42.0, "svg_bytes": 1000, "path_count": 3, "trace_ms": 1.0,
            "render_ms": 1.0, "created_at": "2026-11-21T00:00:00+00:00", "vtracer_version": "1",
            "renderer_version": "1", "ssim_definition": "1", "error": None,
        }  # fmt: skip
        return made | changes

    truth = measure(load_image(library.path("square.png")).rgb, Parameters())
    copied = hashlib.sha256(b"isquare").hexdigest()
    table = conversions_table(
        [
            row("square", ssim=truth.ssim, svg_bytes=truth.svg_bytes),
            row("noise", filter_speckle=0, layer_difference=0, mode="none", derived_from=copied),
            row("broken", logo_type="complex"),
        ]
    )
    images = images_of(table)
    outcomes = list(trace_all(shown_rows(table), library, 1, 30.0))
    made = make_cards(images, shown_rows(table), reversed(outcomes))
    return {card.name.split(">")[1].split("<")[0]: card for card in made}


def test_a_card_shows_the_picture_and_the_very_tracing(
    cards: dict[str, Card], library: LogoLibrary
) -> None:
    card = cards["square"]
    truth = measure(load_image(library.path("square.png")).rgb, Parameters())
    assert card.tracing is not None
    assert card.tracing.is_svg
    assert card.tracing.traced is not None
    assert base64.b64decode(card.tracing.traced.split(",")[1]) == truth.svg.encode()
    assert card.tracing.source.startswith("data:image/webp;base64,")
    assert card.tracing.file_bytes == library.path("square.png").stat().st_size
    assert (card.ssim, card.svg_bytes) == (truth.ssim, truth.svg_bytes)
    assert (card.problem, card.remark, card.changed) == (None, None, {})


def test_a_heavy_tracing_is_pixels_and_other_figures_are_told(cards: dict[str, Card]) -> None:
    card = cards["noise"]
    assert card.tracing is not None
    assert not card.tracing.is_svg
    assert (card.tracing.traced or "").startswith("data:image/webp;base64,")
    assert card.changed == {"mode": "none", "filter_speckle": 0, "layer_difference": 0}
    assert card.ssim == 0.9  # what is recorded
    assert card.remark is not None
    assert "recorded are 0.900000 and 1000" in card.remark


def test_a_picture_that_cannot_be_read_is_a_card_with_its_reason(cards: dict[str, Card]) -> None:
    card = cards["broken"]
    assert card.tracing is None
    assert card.problem is not None
    assert "an image must be PNG" in card.problem


def test_cards_come_by_type(cards: dict[str, Card]) -> None:
    assert [card.logo_type for card in cards.values()] == ["complex", "simple", "simple"]


def sheet(cards: dict[str, Card]) -> ContactSheet:
    images = pd.DataFrame({"logo_type": ["simple", "simple", "complex"], "band": [2, 2, -1]})
    taken = pd.Series([True, True, True])
    counts = stratum_counts(images, taken)
    return ContactSheet(list(cards.values()), counts, 30, "convert run 1", "data/marks.json")


@pytest.mark.parametrize("saves", [True, False])
def test_the_page_needs_nothing_else_and_runs_its_own_script_only(
    saves: bool, cards: dict[str, Card]
) -> None:
    page = render_page(sheet(cards), {}, saves=saves)
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)[0].replace(
        "&#39;", "'"
    )
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert len(scripts) == 1
    digest = base64.b64encode(hashlib.sha256(scripts[0].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")
    assert ("connect-src" in policy) == saves
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert not re.search(r"""\son\w+\s*=\s*["']""", page)
    assert "<i>" not in page  # names are text
    assert page.count('<article class="card"') == 3
    assert ('id="download"' in page) != saves
    assert "<td>2 of 2</td>" in page


def test_the_page_carries_every_mark_and_none_can_end_its_element(cards: dict[str, Card]) -> None:
    marks = {"f" * 64: Mark("reject"), cards["noise"].image_id: Mark("wrong type", "text")}
    hostile = ContactSheet(
        list(cards.values()), sheet(cards).strata, 3, "</script><script>alert(1)</script>", "m.json"
    )
    page = render_page(hostile, marks, saves=False)
    assert "<script>alert" not in page
    data = re.findall(r'<script type="application/json" id="state">(.*?)</script>', page)[0]
    state = json.loads(data)
    assert state["marks"] == {image_id: mark.as_dict() for image_id, mark in marks.items()}
    assert state["originals"][cards["noise"].image_id] == cards["square"].image_id


def test_the_table_counts_what_is_shown_of_what_there_is() -> None:
    images = pd.DataFrame(
        {"logo_type": ["text"] * 3 + ["simple"], "band": [0, 0, 4, 1]}, index=list("abcd")
    )
    counts = stratum_counts(images, pd.Series([True, False, True, False], index=list("abcd")))
    assert counts.to_dict("records") == [
        {"logo_type": "simple", "band": 1, "taken": 0, "of": 1},
        {"logo_type": "text", "band": 0, "taken": 1, "of": 2},
        {"logo_type": "text", "band": 4, "taken": 1, "of": 1},
    ]
