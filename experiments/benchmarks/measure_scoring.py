"""What a prediction costs, part by part, and from how many sets on it is cheaper than converting.

Asks the model in Production of ten held-out logos; medians over logos and repetitions.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from held_out import NAMES
from record import write_result

from svg_quality.conversion.images import load_image
from svg_quality.conversion.measure import measure
from svg_quality.conversion.sampling import sobol_sets
from svg_quality.dataset.logos import discover_logos, read_excluded
from svg_quality.features.descriptors import describe
from svg_quality.features.probes import probe
from svg_quality.prediction.bundle import Bundle
from svg_quality.tracking.resolve import resolve

N_LOGOS: Final = 10
COUNTS: Final = (1, 1_000, 10_000)  # parameter sets of one picture
ROUNDS: Final = 3


def main() -> None:
    bundle = Bundle(resolve("models:/svg-quality/Production").path)
    names = read_excluded(NAMES)
    logos = [logo for logo in discover_logos("diagrams") if logo.name in names]
    sets = sobol_sets(max(COUNTS), "everyday", 0)
    taken: dict[str, list[float]] = {}
    for logo in logos[:: len(logos) // N_LOGOS][:N_LOGOS]:
        image = load_image(logo.path, bundle.working_size)
        descriptors = describe(image.rgb, image.transparent_share)
        features = bundle.features(image)
        parts: dict[str, Callable[[], Any]] = {
            "descriptors_with_probes": partial(describe, image.rgb, image.transparent_share),
            "probes_alone": partial(probe, image.rgb),
            "backbone_on_one_thread": partial(bundle.features, image),
            "descriptors_beside_backbone": partial(bundle.inputs, image),
            "likeness_to_training_logos": partial(bundle.reference.similarity, descriptors),
            "one_conversion_measured": partial(measure, image.rgb, sets[0]),
            **{
                f"score_{n}_sets": partial(bundle.score, features, descriptors, sets[:n])
                for n in COUNTS
            },
            "image_and_1000_sets": partial(bundle.score_image, image, sets[:1_000]),
        }
        for name, call in parts.items():
            taken.setdefault(name, []).append(milliseconds(call))
    found = {name: round(statistics.median(times), 2) for name, times in taken.items()}
    once = found["descriptors_beside_backbone"]
    each = found["one_conversion_measured"] - found["score_10000_sets"] / max(COUNTS)
    write_result(
        "scoring",
        {
            "load_average": os.getloadavg()[0],
            "median_ms": found,
            "break_even_sets": round(once / each, 1),
        },
    )


def milliseconds(call: Callable[[], Any]) -> float:
    call()  # the first call allocates
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        call()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times)


if __name__ == "__main__":
    main()
