"""What a dot of a chart tells when it is pointed at: its logo, parameters and numbers.

The page's script reads it as one JSON object; nothing in it is ever taken for markup.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePath
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd

from svg_quality.conversion.parameters import NAMES, Parameters
from svg_quality.errors import SvgQualityError
from svg_quality.pages.pictures import pixels_uri

THUMBNAIL: Final = 64  # px of the longer side
MAX_THUMBNAILS: Final = 600  # logos with a picture; those with the worst predictions come first
_DIGITS: Final = 4  # of SSIM

LoadRgb = Callable[[str], np.ndarray]


def hover_data(rows: pd.DataFrame, load_rgb: LoadRgb) -> dict[str, Any]:
    """Everything the charts' dots tell.

    Args:
        rows: those that are drawn, with the columns `evaluation.REQUIRED` names and ``region``,
            their style class.
        load_rgb: the image at a path, uint8 ``(H, W, 3)``.

    Returns:
        ``names`` and ``defaults`` of the parameters; ``images``: name, type and thumbnail (a data
        URI, or null where there is none); ``rows``: the place of the image, style class,
        measured and predicted SSIM, the interval's ends, measured and predicted bytes, then the
        parameters.
    """
    miss = (rows["predicted_ssim"] - rows["ssim"]).abs()
    worst_first = rows.iloc[np.argsort(-miss.to_numpy(float), kind="stable")]
    images = worst_first.drop_duplicates("image_id")
    place = {image_id: k for k, image_id in enumerate(images["image_id"])}
    numbers = rows[["ssim", "predicted_ssim", "ssim_low", "ssim_high"]].round(_DIGITS)
    columns = [
        rows["image_id"].map(place).tolist(),
        rows["region"].tolist(),
        *(numbers[name].tolist() for name in numbers),
        rows["svg_bytes"].tolist(),
        rows["predicted_svg_bytes"].round().tolist(),
        *(rows[name].tolist() for name in NAMES),
    ]
    return {
        "names": NAMES,
        "defaults": [Parameters().as_dict()[name] for name in NAMES],
        "images": [
            _image(row, load_rgb if k < MAX_THUMBNAILS else None)
            for k, row in enumerate(images.to_dict("records"))
        ],
        "rows": [list(row) for row in zip(*columns, strict=True)],
    }


def _image(row: dict[Any, Any], load_rgb: LoadRgb | None) -> list[str | None]:
    name = "/".join(PurePath(row["source"]).parts[-2:])
    kind = "" if pd.isna(row["logo_type"]) else str(row["logo_type"])
    return [name, kind, None if load_rgb is None else _thumbnail(row["image_path"], load_rgb)]


def _thumbnail(image_path: str, load_rgb: LoadRgb) -> str | None:
    try:
        rgb = load_rgb(image_path)
    except (SvgQualityError, OSError):
        return None
    scale = THUMBNAIL / max(rgb.shape[:2])
    size = max(round(rgb.shape[1] * scale), 1), max(round(rgb.shape[0] * scale), 1)
    return pixels_uri(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
