"""Whole processes: `svg-quality predict` with the model in Production, and `--help`."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from pathlib import Path

from record import HERE, write_result

from svg_quality.dataset.logos import discover_logos, read_excluded

COMMAND = str(Path(sys.executable).parent / "svg-quality")
ROUNDS = 7


def seconds(*arguments: str) -> float:
    start = time.perf_counter()
    subprocess.run([COMMAND, *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    held_out = read_excluded(HERE / "held_out_logos.txt")
    logo = next(str(x.path) for x in discover_logos("diagrams") if x.name in held_out)
    predict = sorted(seconds("predict", logo) for _ in range(ROUNDS))
    usage = sorted(seconds("--help") for _ in range(ROUNDS))
    write_result(
        "startup",
        {
            "rounds": ROUNDS,
            "predict_seconds_median": round(statistics.median(predict), 2),
            "predict_seconds_slowest": round(predict[-1], 2),
            "asked_predict_seconds": 3,
            "help_seconds_median": round(statistics.median(usage), 2),
            "help_seconds_slowest": round(usage[-1], 2),
            "asked_help_seconds": 0.5,
        },
    )


if __name__ == "__main__":
    main()
