"""Measured conversions (trace, draw, compare) a minute, and the memory of all processes."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

from record import HERE, write_result

from svg_quality.conversion.images import load_image
from svg_quality.conversion.sampling import sample_parameters
from svg_quality.conversion.workers import ConversionTask, convert_all
from svg_quality.dataset.logos import discover_logos, read_excluded

N_LOGOS, N_SETS, WORKING_SIZE = 200, 16, 256


def tasks() -> list[ConversionTask]:
    held_out = read_excluded(HERE / "held_out_logos.txt")
    logos = [logo for logo in discover_logos("diagrams") if logo.name in held_out][:N_LOGOS]
    return [
        ConversionTask(f"{logo.name}-{i}", logo.path, WORKING_SIZE, parameters)
        for logo in logos
        for i, parameters in enumerate(
            sample_parameters(N_SETS, 0.75, 0, load_image(logo.path).image_id)
        )
    ]


def memory_of_tree() -> int:
    """Proportional set size of this process and its descendants, bytes: shared pages count once."""
    total, waiting = 0, [os.getpid()]
    while waiting:
        pid = waiting.pop()
        try:
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except (OSError, ProcessLookupError):
            continue
    return total


def main() -> None:
    todo = tasks()
    peak, stop = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.wait(0.25):
            peak = max(peak, memory_of_tree())

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    outcomes = list(convert_all(todo, n_workers=2, timeout_s=20))
    seconds = time.perf_counter() - start
    stop.set()
    watcher.join()
    failed = [outcome.error for outcome in outcomes if outcome.error]
    write_result(
        "conversion",
        {
            "conversions": len(outcomes),
            "failed": len(failed),
            "workers": 2,
            "working_size_px": WORKING_SIZE,
            "seconds": round(seconds, 1),
            "conversions_a_minute": round(60 * len(outcomes) / seconds),
            "asked_conversions_a_minute": 3000,
            "peak_memory_mb": round(peak / 1e6),
            "asked_memory_mb": 1000,
        },
    )


if __name__ == "__main__":
    main()
