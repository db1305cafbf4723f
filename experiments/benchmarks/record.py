"""Write a benchmark's figures beside what they were measured with."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
_PACKAGES = ("torch", "torchvision", "onnxruntime", "numpy", "opencv-python-headless", "vtracer",
             "resvg_py", "mlflow", "scikit-learn", "diagrams")  # fmt: skip


def write_result(name: str, figures: dict[str, Any]) -> Path:
    """``NAME.json`` beside the programs: figures, commit, machine, versions."""
    dirty = _git(
        "status", "--porcelain", "--", "src", "experiments/demo.yaml", "experiments/benchmarks/*.py"
    )
    result = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(dirty),
        "machine": {
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(
                os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1
            ),
            "system": platform.platform(),
            "python": platform.python_version(),
        },
        "versions": {package: version(package) for package in _PACKAGES},
        "figures": figures,
    }
    path = HERE / f"{name}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(figures, indent=2))
    print(f"written to {path}")
    return path


def _git(*arguments: str) -> str:
    answer = subprocess.run(
        ["git", "-C", str(HERE.parents[1]), *arguments], capture_output=True, text=True, check=True
    )
    return answer.stdout.strip()


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
