"""Looking at logos: what each is, its JPEG copy, and a place in the library."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from svg_quality.conversion.images import load_image
from svg_quality.dataset.library import LogoLibrary
from svg_quality.dataset.logos import LOGO_TYPES, discover_logos
from svg_quality.dataset.survey import LogoRecord, SurveyTask, perceptual_hash, survey_logos

pytestmark = pytest.mark.slow


def picture(seed: int) -> np.ndarray:
    small = np.random.default_rng(seed).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    return cv2.resize(small, (60, 60), interpolation=cv2.INTER_NEAREST)


def surveyed(folder: Path, library: Path, share: float) -> tuple[list[LogoRecord], dict[str, str]]:
    tasks = [SurveyTask(logo, "logos", library, 512, share) for logo in discover_logos(str(folder))]
    records: list[LogoRecord] = []
    errors: dict[str, str] = {}
    for outcome in survey_logos(tasks, n_workers=2, timeout_s=20):
        records += outcome.result or []
        if outcome.error:
            errors[outcome.task.logo.name] = outcome.error
    return records, errors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "logos"
    (made / "text").mkdir(parents=True)
    for number in range(6):
        name = f"text/{number}.png" if number < 2 else f"{number}.png"
        cv2.imwrite(str(made / name), picture(number))
    (made / "broken.png").write_text("not an image")
    return made


def test_every_logo_has_a_record_or_a_reason(folder: Path, tmp_path: Path) -> None:
    records, errors = surveyed(folder, tmp_path / "library", share=0)
    assert len(records) == 6
    assert list(errors) == ["broken.png"]
    assert "is none" in errors["broken.png"]
    for record in records:
        given = record.source.startswith("logos/text/")
        assert record.logo_type_estimated is not given
        assert record.logo_type == "text" if given else record.logo_type in LOGO_TYPES
        kept = load_image(LogoLibrary(tmp_path / "library").path(record.image_path))
        assert kept.image_id == record.image_id
        assert (record.width, record.height) == (60, 60)
        assert perceptual_hash(kept.rgb) == record.perceptual_hash


def test_a_logo_of_one_colour_on_white_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "blank"
    folder.mkdir()
    letters = np.full((40, 40, 4), 255, np.uint8)
    letters[..., 3] = 0
    letters[10:30, 10:30, 3] = 255  # white on transparent
    cv2.imwrite(str(folder / "white.png"), letters)
    square = np.full((40, 40, 3), 255, np.uint8)
    square[10:30, 10:30] = 0
    cv2.imwrite(str(folder / "black.png"), square)
    records, errors = surveyed(folder, tmp_path / "library", share=0)
    assert [record.source for record in records] == ["logos/black.png"]
    law = "a logo must show more than one colour on white"
    assert errors == {"white.png": f"{law}, white.png shows one"}


def test_jpeg_copies_are_real_jpegs_that_know_their_original(folder: Path, tmp_path: Path) -> None:
    records, _ = surveyed(folder, tmp_path / "library", share=1)
    originals = {r.image_id: r for r in records if r.derived_from is None}
    copies = [r for r in records if r.derived_from is not None]
    assert len(originals) == len(copies) == 6
    for copy in copies:
        assert copy.derived_from is not None
        original = originals[copy.derived_from]
        assert copy.format == "JPEG"
        assert (copy.logo_type, copy.source) == (original.logo_type, original.source)
        assert copy.image_id != original.image_id
        data = LogoLibrary(tmp_path / "library").path(copy.image_path).read_bytes()
        assert data[:3] == b"\xff\xd8\xff"


def test_the_same_share_of_the_same_logos_every_time(folder: Path, tmp_path: Path) -> None:
    first, _ = surveyed(folder, tmp_path / "a", share=0.5)
    again, _ = surveyed(folder, tmp_path / "b", share=0.5)
    assert sorted(r.image_id for r in first) == sorted(r.image_id for r in again)
    assert 6 < len(first) < 12
