"""Correspondence: real rows agree with themselves; each kind of untruth is found."""

import cv2
import numpy as np
import pandas as pd
import pytest

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.rendering import RENDERER_VERSION
from svg_quality.conversion.tracing import VTRACER_VERSION
from svg_quality.dataset.cleaning.correspondence import Correspondence, remeasure, sample_rows
from svg_quality.dataset.library import LogoLibrary


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> LogoLibrary:
    return LogoLibrary(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="module")
def measured(library: LogoLibrary) -> pd.DataFrame:
    """Five conversions of a drawn logo, measured here and now."""
    picture = np.full((48, 64, 3), 255, np.uint8)
    cv2.circle(picture, (24, 24), 15, (30, 60, 200), -1)
    cv2.rectangle(picture, (34, 10), (60, 40), (20, 160, 60), 3)
    data = cv2.imencode(".png", picture)[1].tobytes()
    image = load_image(data, 512)
    image_path = library.add(data, image)
    rows = []
    for number, level in enumerate((0, 8, 16, 32, 64)):
        parameters = Parameters(layer_difference=level)
        likeness = measure(image.rgb, parameters)
        rows.append(
            {
                "conversion_id": f"{number:064x}", "image_path": image_path, "working_size": 512,
                **parameters.as_dict(), "ssim": likeness.ssim, "svg_bytes": likeness.svg_bytes,
                "vtracer_version": VTRACER_VERSION, "renderer_version": RENDERER_VERSION,
            }
        )  # fmt: skip
    return pd.DataFrame(rows).astype({"svg_bytes": "Int64"})


def test_rows_agree_with_themselves_and_each_untruth_is_found(
    measured: pd.DataFrame, library: LogoLibrary
) -> None:
    rows = measured.iloc[[4, 0, 3, 1, 2]].set_axis([5, 3, 1, 2, 4])
    rows["ssim"] = rows["ssim"].astype("float64")
    truth = rows["ssim"].tolist()
    rows.loc[5, "ssim"] += 9e-7  # within the tolerance
    rows.loc[3, "ssim"] -= 2e-6
    rows.loc[3, "vtracer_version"] = "0.6.1"
    rows.loc[1, "svg_bytes"] += 1
    rows.loc[2, "image_path"] = "00/lost.png"
    rows.loc[4, "svg_bytes"] = pd.NA  # a log that never said
    watched = []

    def watch(outcomes, total):  # type: ignore[no-untyped-def]
        watched.append(total)
        return outcomes

    table = remeasure(rows, library, n_workers=1, timeout_s=60, watch=watch)
    assert watched == [4]
    assert table["conversion_id"].tolist() == rows["conversion_id"].tolist()
    assert table["ssim_measured"].isna().tolist() == [False, False, False, True, False]
    assert table["ssim_measured"].dropna().tolist() == [*truth[:3], truth[4]]
    assert table["ssim_difference"].iloc[1] == pytest.approx(2e-6, abs=1e-12)
    assert table["svg_bytes_measured"].iloc[0] == rows["svg_bytes"].iloc[0]
    found = Correspondence(table)
    assert found.disagreeing["conversion_id"].tolist() == rows["conversion_id"].iloc[1:4].tolist()
    messages = found.disagreeing["finding"].tolist()
    assert messages[0].startswith("SSIM must be 0.")
    assert messages[0].endswith(f"(vtracer_version 0.6.1, here {VTRACER_VERSION})")
    assert (
        messages[1]
        == f"svg_bytes must be {rows.loc[1, 'svg_bytes'] - 1}, got {rows.loc[1, 'svg_bytes']}"
    )
    assert messages[2] == "cannot be converted again: its picture is not in the library"
    assert found.largest_difference == pytest.approx(2e-6, rel=1e-3)


def test_nothing_to_convert_starts_no_worker(measured: pd.DataFrame, library: LogoLibrary) -> None:
    none = remeasure(measured.iloc[:0], library, n_workers=1, timeout_s=1)
    assert none.empty
    assert Correspondence(none).largest_difference is None
    lost = remeasure(measured.assign(image_path="x.png"), library, n_workers=1, timeout_s=1)
    assert lost["finding"].str.contains("not in the library").all()


def test_a_sample_depends_on_the_seed_and_not_on_the_order(measured: pd.DataFrame) -> None:
    first = sample_rows(measured, 3, seed=1)
    assert len(first) == 3
    shuffled = sample_rows(measured.sample(frac=1, random_state=0), 3, seed=1)
    assert set(first["conversion_id"]) == set(shuffled["conversion_id"])
    chosen = {tuple(sample_rows(measured, 3, seed=s)["conversion_id"]) for s in range(8)}
    assert len(chosen) > 1
    assert len(sample_rows(measured, 99, seed=1)) == 5
