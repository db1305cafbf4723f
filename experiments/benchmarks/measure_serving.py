"""`svg-quality serve` as a process: start, one client's answers, and fifty clients at once.

Memory is looked at after the server has seen more pictures than it keeps, so that what is left to
grow is neither the cache nor what the allocator takes once.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from record import HERE, write_result

from svg_quality.conversion.sampling import sobol_sets
from svg_quality.dataset.logos import discover_logos, read_excluded

COMMAND = str(Path(sys.executable).parent / "svg-quality")
N_SETS, N_REQUESTS = 1000, 60
N_CLIENTS, SECONDS = 50, 180.0
N_WARM = 160  # pictures before that, of which the server keeps the last 64
EARLY_S = 10.0  # when memory is looked at first
MARKS_S = (60, 120, 180)  # and then


@dataclass
class Load:
    """What fifty clients saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)  # of what was answered with 200
    mebibytes: list[tuple[float, float]] = field(default_factory=list)  # at seconds


def main() -> None:
    logos = [logo.path.read_bytes() for logo in _held_out()]
    sets = json.dumps([chosen.as_dict() for chosen in sobol_sets(N_SETS, "everyday", 0)])
    process, url, ready_s = _start()
    try:
        with httpx.Client(base_url=url, timeout=60) as client:
            new = [_ask(client, logo, sets) for logo in logos[:N_REQUESTS]]
            seen = [_ask(client, logos[0], sets) for _ in range(N_REQUESTS)]
            for logo in logos[:N_WARM]:
                _ask(client, logo, sets)
        load = asyncio.run(_load(url, logos, sets, process.pid))
    finally:
        process.terminate()
        code = process.wait(30)
    write_result("serving", _figures(ready_s, new, seen, load, code))


def _held_out() -> Any:
    names = read_excluded(HERE / "held_out_logos.txt")
    return (logo for logo in discover_logos("diagrams") if logo.name in names)


def _start() -> tuple[subprocess.Popen[str], str, float]:
    start = time.perf_counter()
    process = subprocess.Popen([COMMAND, "serve", "--port", "0"], stdout=subprocess.PIPE, text=True)
    for line in process.stdout or ():
        if found := re.search(r"^Page: +(\S+)", line):
            url = found[1]
            break
    else:
        raise SystemExit("the server did not start")
    while httpx.get(f"{url}ready").status_code != 200:
        time.sleep(0.02)
    return process, url, time.perf_counter() - start


def _ask(client: httpx.Client, logo: bytes, sets: str) -> float:
    start = time.perf_counter()
    answer = client.post("v1/predict", files={"image": logo}, data={"parameters": sets})
    said = answer.raise_for_status().json()
    if len(said["predictions"]["ssim"]) != N_SETS:
        raise SystemExit(f"asked {N_SETS} sets, got {said}")
    return 1e3 * (time.perf_counter() - start)


async def _load(url: str, logos: Sequence[bytes], sets: str, pid: int) -> Load:
    load = Load()
    end = time.perf_counter() + SECONDS
    limits = httpx.Limits(max_connections=N_CLIENTS)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        clients = [_client(client, cycle(logos[i:] + logos[:i]), sets, end, load)
                   for i in range(N_CLIENTS)]  # fmt: skip
        await asyncio.gather(_watch(pid, end, load), *clients)
    return load


async def _client(client: httpx.AsyncClient, logos: Any, sets: str, end: float, load: Load) -> None:
    """Asks again as soon as it is answered, and waits where it is told to."""
    while time.perf_counter() < end:
        start = time.perf_counter()
        files, fields = {"image": next(logos)}, {"parameters": sets}
        answer = await client.post("v1/predict", files=files, data=fields)
        load.statuses[answer.status_code] += 1
        if answer.status_code == 429:
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        else:
            load.milliseconds.append(1e3 * (time.perf_counter() - start))


async def _watch(pid: int, end: float, load: Load) -> None:
    start = end - SECONDS
    while (now := time.perf_counter()) < end:
        load.mebibytes.append((now - start, await asyncio.to_thread(_mebibytes, pid)))
        await asyncio.sleep(1)
    load.mebibytes.append((SECONDS, _mebibytes(pid)))


def _mebibytes(pid: int) -> float:
    """Of the server and its workers; what they share is counted once (PSS)."""
    server = psutil.Process(pid)
    family = [server, *server.children(recursive=True)]
    return float(sum(one.memory_full_info().pss for one in family)) / 2**20


def _figures(
    ready_s: float, new: Sequence[float], seen: Sequence[float], load: Load, code: int
) -> dict[str, Any]:
    n_all = sum(load.statuses.values())
    early, *later = (_at(load, second) for second in (EARLY_S, *MARKS_S))
    after = np.array([row for row in load.mebibytes if row[0] >= MARKS_S[0]])
    return {
        "load_average": [round(x, 1) for x in os.getloadavg()],
        "start_to_ready_s": round(ready_s, 2),
        "asked_start_to_ready_s": 5,
        "sets_per_request": N_SETS,
        "new_image_ms": _times(new),
        "seen_image_ms": _times(seen),
        "asked_median_ms": 150,
        "clients": N_CLIENTS,
        "seconds": SECONDS,
        "answers_by_status": {str(k): v for k, v in sorted(load.statuses.items())},
        "server_errors": sum(n for status, n in load.statuses.items() if status >= 500),
        "share_429": round(load.statuses[429] / n_all, 3),
        "answered_per_s": round(load.statuses[200] / SECONDS, 1),
        "answered_ms": _times(load.milliseconds),
        "memory_mib_at_10_s": round(early, 1),
        **{
            f"memory_mib_at_{at}_s": round(size, 1) for at, size in zip(MARKS_S, later, strict=True)
        },
        "memory_growth": round(later[-1] / early - 1, 4),
        "memory_growth_after_60_s": round(later[-1] / later[0] - 1, 4),
        "memory_mib_per_minute_after_60_s": round(60 * np.polyfit(*after.T, 1)[0], 2),
        "asked_memory_growth": 0.05,
        "exit_code_after_sigterm": code,
    }


def _at(load: Load, second: float) -> float:
    """MiB at a time; the last ones before the end count as the end's."""
    return next((size for at, size in load.mebibytes if at >= second), load.mebibytes[-1][1])


def _times(milliseconds: Sequence[float]) -> dict[str, float]:
    ordered = sorted(milliseconds)
    return {
        "n": len(ordered),
        "median": round(statistics.median(ordered), 1),
        "p95": round(ordered[int(0.95 * (len(ordered) - 1))], 1),
    }


if __name__ == "__main__":
    main()
