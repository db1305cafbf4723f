"""A picture in numbers: how it looks, and what VTracer is about to do to it.

The first `SIMPLE_NAMES` are plain statistics. Then come tables, to be looked up at the
parameters asked for: by colour precision, and by colour precision x ``filter_speckle`` x
``layer_difference``. They come from the regions VTracer's clustering will find (`regions`).
Last come a few conversions of a reduced copy (`probes`). A picture is described at most at
``WORKING_SIDE`` px, so each costs about the same; areas that the converter measures at the full
size are scaled.
"""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from svg_quality.errors import ImageError
from svg_quality.features.box_ssim import C2, Luminance, box_ssim, luminance_of
from svg_quality.features.probes import PROBE_NAMES, probe
from svg_quality.features.regions import Regions, find_regions

WORKING_SIDE: Final = 256  # px; the longer side at which a picture is described
BITS: Final = (2, 3, 4, 5, 6, 7, 8)  # color_precision; 1 makes one region of any picture
SPECKLES: Final = (0, 2, 4, 7, 11, 16)  # px, grid of filter_speckle
LAYERS: Final = (0, 8, 16, 32, 64, 128, 255)  # grid of layer_difference
MERGE: Final = (4, 16)  # (filter_speckle, layer_difference) at which a merged picture is drawn

SIMPLE_NAMES: Final = (
    "log_height", "log_width", "transparent_share", "mean_luminance", "std_luminance",
    "white_share", "dark_share", "soft_share", "edge_share", "strong_edge_share",
    "sharp_edge_share", "mean_gradient", "active_share", "entropy", "saturation",
    "saturated_share", "log_colors", "top1_share", "top2_share", "top4_share", "top8_share",
    "log_variance", "flatness", "ssim_median3", "ssim_median5", "ssim_blur1", "ssim_blur2",
    "ssim_half", "ssim_quarter", "far2_share", "far4_share", "far8_share",
    "binary_ssim", "binary_error", "binary_share", "binary_boundary",
    "glyph_count", "glyph_height", "glyph_height_spread",
    "shaded_share",
)  # fmt: skip
BY_BITS: Final = (
    "log_regions", "boundary", "corners", "seams", "contrast", "ssim_flat", "rms_flat",
    "ssim_merged", "log_merged", "merged_boundary",
)  # fmt: skip
BY_GRID: Final = ("log_kept", "log_perimeter", "log_error", "lost_area")
BINARY_BY_SPECKLE: Final = ("binary_log_kept", "binary_lost_area")
DESCRIPTOR_NAMES: Final[tuple[str, ...]] = (
    *SIMPLE_NAMES,
    *(f"{name}_f{s}" for name in BINARY_BY_SPECKLE for s in SPECKLES),
    *(f"{name}_p{p}" for p in BITS for name in BY_BITS),
    *(f"{n}_p{p}_f{s}_l{y}" for p in BITS for n in BY_GRID for s in SPECKLES for y in LAYERS),
    *PROBE_NAMES,
)


def describe(rgb: np.ndarray, transparent_share: float) -> np.ndarray:
    """Describe a picture.

    Args:
        rgb: uint8 ``(H, W, 3)`` on white.
        transparent_share: of the source's pixels, in [0, 1].

    Returns:
        float32 ``(len(DESCRIPTOR_NAMES),)``, finite, in the order of ``DESCRIPTOR_NAMES``.

    Raises:
        ImageError: the array is no such picture, or a side is under 2 px.
        ConversionError: VTracer panicked on a reduced copy of it.
    """
    if rgb.dtype != np.uint8 or rgb.ndim != 3 or rgb.shape[2] != 3 or min(rgb.shape[:2]) < 2:
        got = f"{rgb.dtype} {rgb.shape}"
        raise ImageError(f"a picture must be uint8 (H, W, 3) of at least 2 px a side, got {got}")
    small = _reduced(rgb)
    shrink = small.shape[0] * small.shape[1] / (rgb.shape[0] * rgb.shape[1])
    gray = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
    luminance = luminance_of(gray)
    dark = gray < 128
    simple = {
        "log_height": math.log(rgb.shape[0]),
        "log_width": math.log(rgb.shape[1]),
        "transparent_share": transparent_share,
        **_tones(small, gray),
        **_edges(luminance),
        **_colors(small),
        **_losses(luminance, gray),
        **_binary(small, luminance, dark),
    }
    glyphs = cv2.connectedComponentsWithStats(dark.astype(np.uint8), connectivity=4)[2][1:]
    simple |= _glyphs(glyphs, len(small))
    parts = [np.array([simple[name] for name in SIMPLE_NAMES])]
    parts.append(_binary_by_speckle(glyphs[:, cv2.CC_STAT_AREA], shrink, gray.size))
    found = [find_regions(small, bits) for bits in BITS]
    parts += [_by_bits(regions, luminance, shrink) for regions in found]
    parts += [_by_grid(regions, shrink) for regions in found]
    parts.append(probe(small))
    return np.concatenate(parts).astype(np.float32)


def _reduced(rgb: np.ndarray) -> np.ndarray:
    height, width = rgb.shape[:2]
    scale = WORKING_SIDE / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(rgb)
    size = max(round(width * scale), 2), max(round(height * scale), 2)
    return cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)


def _tones(rgb: np.ndarray, gray: np.ndarray) -> dict[str, float]:
    shares = np.bincount(gray.ravel(), minlength=256) / gray.size
    used = shares[shares > 0]
    low = cv2.min(cv2.min(rgb[..., 0], rgb[..., 1]), rgb[..., 2])
    return {
        "mean_luminance": float(gray.mean()),
        "std_luminance": float(gray.std()),
        "white_share": float((low >= 250).mean()),
        "dark_share": float((gray < 64).mean()),
        "entropy": float(-(used * np.log2(used)).sum()),  # bits
    }


def _edges(luminance: Luminance) -> dict[str, float]:
    across = cv2.Sobel(luminance.values, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(luminance.values, cv2.CV_32F, 0, 1)
    slope = np.sqrt(across * across + down * down) / 8  # grey levels per px
    edge = (slope > 4).astype(np.uint8)
    away = cv2.distanceTransform(1 - edge, cv2.DIST_L1, 3)
    soft = (slope > 0.4) & (slope <= 4)
    return {
        "soft_share": float(soft.mean()),
        "shaded_share": float((soft & (away > 8)).mean()),  # beyond the ringing of a JPEG block
        "edge_share": float(edge.mean()),
        "strong_edge_share": float((slope > 16).mean()),
        "sharp_edge_share": float((slope > 48).mean()),
        "mean_gradient": float(slope.mean()),
        "active_share": float(cv2.dilate(edge, np.ones((11, 11), np.uint8)).mean()),
        **{f"far{reach}_share": float((away > reach).mean()) for reach in (2, 4, 8)},
    }


def _colors(rgb: np.ndarray) -> dict[str, float]:
    planes = cv2.split(rgb)
    range_ = cv2.max(cv2.max(*planes[:2]), planes[2]) - cv2.min(cv2.min(*planes[:2]), planes[2])
    red, green, blue = (plane.astype(np.int32) >> 3 for plane in planes)
    counts = np.bincount((red << 10 | green << 5 | blue).ravel())
    counts = np.sort(counts[counts > 0])[::-1]
    return {
        "saturation": float(range_.mean()),
        "saturated_share": float((range_ > 32).mean()),
        "log_colors": math.log1p(len(counts)),  # of 32 levels a channel
        **{f"top{k}_share": float(counts[:k].sum() / range_.size) for k in (1, 2, 4, 8)},
    }


def _losses(luminance: Luminance, gray: np.ndarray) -> dict[str, float]:
    """What smoothing and shrinking would cost: stand-ins for fitted curves."""
    height, width = gray.shape
    values = luminance.values

    def shrunk(factor: int) -> np.ndarray:
        size = max(width // factor, 1), max(height // factor, 1)
        return cv2.resize(cv2.resize(values, size, interpolation=cv2.INTER_AREA), (width, height))

    return {
        "log_variance": float(np.log1p(luminance.variance).mean()),
        "flatness": float((C2 / (luminance.variance + C2)).mean()),
        "ssim_median3": box_ssim(luminance, cv2.medianBlur(gray, 3).astype(np.float32)),
        "ssim_median5": box_ssim(luminance, cv2.medianBlur(gray, 5).astype(np.float32)),
        "ssim_blur1": box_ssim(luminance, cv2.GaussianBlur(values, (5, 5), 1)),
        "ssim_blur2": box_ssim(luminance, cv2.GaussianBlur(values, (9, 9), 2)),
        "ssim_half": box_ssim(luminance, shrunk(2)),
        "ssim_quarter": box_ssim(luminance, shrunk(4)),
    }


def _binary(rgb: np.ndarray, luminance: Luminance, dark: np.ndarray) -> dict[str, float]:
    """What colormode binary will do: black where the luminance is under 128."""
    drawn = np.where(dark, np.uint8(0), np.uint8(255))
    contacts = np.count_nonzero(dark[:, 1:] != dark[:, :-1]) + np.count_nonzero(
        dark[1:] != dark[:-1]
    )
    return {
        "binary_ssim": box_ssim(luminance, drawn.astype(np.float32)),
        "binary_error": cv2.norm(rgb, cv2.merge([drawn] * 3), cv2.NORM_L1) / (rgb.size * 255),
        "binary_share": float(dark.mean()),
        "binary_boundary": contacts / dark.size,
    }


def _glyphs(stats: np.ndarray, height: int) -> dict[str, float]:
    """Dark components of letter-like size: how many, how tall, how alike in height."""
    tall = stats[:, cv2.CC_STAT_HEIGHT] / height
    letters = tall[(tall > 0.02) & (tall < 0.5) & (stats[:, cv2.CC_STAT_AREA] >= 8)]
    mean = float(letters.mean()) if len(letters) else 0.0
    return {
        "glyph_count": math.log1p(len(letters)),
        "glyph_height": mean,
        "glyph_height_spread": float(letters.std()) / mean if mean else 0.0,
    }


def _binary_by_speckle(areas: np.ndarray, shrink: float, size: int) -> np.ndarray:
    kept = areas[None] >= np.square(SPECKLES)[:, None] * shrink
    return np.concatenate([np.log1p(kept.sum(1)), (~kept * areas).sum(1) / size])


def _by_bits(regions: Regions, luminance: Luminance, shrink: float) -> np.ndarray:
    size = luminance.values.size
    first, second = regions.first, regions.second
    total = regions.colors.sum(1)
    tone = (regions.colors @ np.array([0.299, 0.587, 0.114])).astype(np.float32)
    flat = tone.take(regions.labels)
    into = regions.merged(regions.kept(MERGE[0] ** 2 * shrink, MERGE[1]))
    areas = np.bincount(into, regions.areas, regions.n)
    mixed = np.bincount(into, tone * regions.areas, regions.n) / np.maximum(areas, 1)
    merged = mixed.astype(np.float32)[into].take(regions.labels)
    return np.array([
        math.log1p(regions.n),
        len(first) / size,
        _corners(regions.labels) / size,
        (765 - np.minimum(total[first], total[second])).sum() / (765 * size),  # cutout's seams
        regions.differences.sum() / (765 * size),
        box_ssim(luminance, flat),
        cv2.norm(flat, luminance.values, cv2.NORM_L2) / math.sqrt(size),
        box_ssim(luminance, merged),
        math.log1p(np.count_nonzero(areas)),
        np.count_nonzero(into[first] != into[second]) / size,
    ])  # fmt: skip


def _corners(labels: np.ndarray) -> int:
    """Where a boundary between pixels begins, ends or turns."""
    across, down = labels[:, 1:] != labels[:, :-1], labels[1:] != labels[:-1]
    return int(
        np.count_nonzero(across[1:] != across[:-1]) + np.count_nonzero(down[:, 1:] != down[:, :-1])
    )


def _by_grid(regions: Regions, shrink: float) -> np.ndarray:
    """Sums over the kept regions at each grid point, from one two-dimensional histogram."""
    smallest = np.square(SPECKLES) * shrink
    rows = np.searchsorted(smallest, regions.areas)  # grid points below the area
    rows = np.where(regions.thick, rows, 1)  # a thread is kept only where nothing is filtered
    columns = np.searchsorted(LAYERS, regions.contrast)
    shape = len(SPECKLES) + 1, len(LAYERS) + 1
    bins = rows * shape[1] + columns
    size = regions.labels.size
    error = np.minimum(regions.contrast, 765) * regions.areas / (765 * size)

    def kept(weights: np.ndarray) -> np.ndarray:
        table = np.bincount(bins, weights, shape[0] * shape[1]).reshape(shape)
        above: np.ndarray = table[::-1, ::-1].cumsum(0).cumsum(1)[::-1, ::-1][1:, 1:]
        return above

    return np.concatenate([
        np.log1p(kept(np.ones(regions.n))).ravel(),
        np.log1p(kept(regions.perimeters)).ravel(),
        np.log(1e-5 + np.maximum(error.sum() - kept(error), 0)).ravel(),
        (1 - kept(regions.areas) / size).ravel(),
    ])  # fmt: skip
