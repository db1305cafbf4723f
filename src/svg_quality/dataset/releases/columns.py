"""What every column of a release means: one text, for the datasheet and for Croissant."""

from __future__ import annotations

from typing import Final

CONVERSION_COLUMNS: Final = {
    "conversion_id": "SHA-256 that names the row",
    "image_id": "SHA-256 of the decoded pixels of the picture",
    "image_path": "place of the picture in the logo library or in an export",
    "source": "where the picture came from: the source's name, then the place within it",
    "derived_from": "image_id of the original, where the picture is a JPEG copy",
    "synthetic": "whether our generator drew the picture; only ever in the train split",
    "method": "how the parameters were chosen",
    "logo_type": "simple, text, gradient or complex",
    "logo_type_estimated": "whether the type was estimated from the pixels, not given",
    "width": "px, as traced",
    "height": "px, as traced",
    "working_size": "px of the longer side to which larger pictures were reduced",
    "source_width": "px, before reduction",
    "source_height": "px, before reduction",
    "format": "file format of the picture",
    "complexity": "how much there is to trace, 0 to 1",
    "perceptual_hash": "64-bit DCT hash of the luminance, hexadecimal",
    "colormode": "VTracer: color or binary",
    "hierarchical": "VTracer: stacked or cutout",
    "mode": "VTracer: spline, polygon or none (pixels)",
    "filter_speckle": "VTracer: patches smaller than the square of this are dropped, px",
    "color_precision": "VTracer: bits per colour channel",
    "layer_difference": "VTracer: colour difference between layers",
    "corner_threshold": "VTracer: angle from which a corner is kept, degrees",
    "length_threshold": "VTracer: longest segment after subdivision, px",
    "max_iterations": "VTracer: passes of subdivision",
    "splice_threshold": "VTracer: angle at which splines are parted, degrees",
    "path_precision": "VTracer: decimals of coordinates",
    "ssim": "SSIM of the rendered SVG against the picture, -1 to 1 (Wang et al. 2004)",
    "ssim_worst_tile": "SSIM of the worst tile",
    "mse": "mean squared error of the 8-bit channels",
    "psnr": "dB; empty where the tracing is exact",
    "svg_bytes": "size of the SVG, bytes",
    "path_count": "paths in the SVG",
    "trace_ms": "time of the tracing, ms",
    "render_ms": "time of the rendering, ms",
    "created_at": "when it was measured, ISO 8601",
    "vtracer_version": "version of VTracer",
    "renderer_version": "version of the renderer",
    "ssim_definition": "which SSIM this is",
    "error": "empty: a row of a release has been measured",
    "split": "train, validation or test",
    "fold": "fold for cross-validation, from 0; -1 in the test split; -2 trained on in every fold",
}
IMAGE_COLUMNS: Final = {
    **{
        name: CONVERSION_COLUMNS[name]
        for name in (
            "image_id", "image_path", "source", "derived_from", "synthetic", "logo_type",
            "logo_type_estimated", "width", "height", "format", "complexity", "perceptual_hash",
        )
    },
    "first_created": "when the first of its conversions was measured, ISO 8601",
    "last_created": "when the last of them was",
    "mean_ssim": "mean SSIM of its conversions",
    "n": "its conversions in the release",
    "group": "number of its group of near-duplicates",
    "split": CONVERSION_COLUMNS["split"],
    "fold": CONVERSION_COLUMNS["fold"],
}  # fmt: skip
