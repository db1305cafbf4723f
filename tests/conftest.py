"""What every test may count on: a store of its own, and rows of conversions to work with."""

import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from svg_quality.conversion.parameters import Parameters
from svg_quality.conversion.similarity import DEFINITION
from svg_quality.dataset.tables import conversions_table

PSNR_OF_40 = 32.11020369539948  # dB: 10 log10(255^2 / 40)


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the repository's own store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlruns/mlflow.db")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    monkeypatch.delenv("MLFLOW_EXPERIMENT_ID", raising=False)


@pytest.fixture(scope="session")
def bare_environment() -> dict[str, str]:
    """What a new shell has, with this environment's programs, and no conda.

    Without coverage too: it doubles the time of short commands, and the tests that run dozens of
    them as written in a document run nothing that others do not measure.
    """
    ours = ("MLFLOW_", "AWS_", "CONDA_", "SVG_QUALITY_", "COVERAGE_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def make_row() -> Callable[..., dict[str, Any]]:
    """A valid row of the conversions table; what is named replaces the default."""

    def row(image: str = "a", **changes: Any) -> dict[str, Any]:
        parameters = {
            name: changes.pop(name) for name in list(changes) if hasattr(Parameters(), name)
        }
        chosen = Parameters(**parameters)
        made = {
            "image_id": digest(image), "image_path": f"{image}.png", "source": f"test/{image}.png",
            "derived_from": None, "synthetic": False, "method": "sobol", "logo_type": "simple",
            "logo_type_estimated": True, "width": 64, "height": 64,
            "working_size": 512, "source_width": 64, "source_height": 64,
            "format": "PNG", "complexity": 0.5,
            "perceptual_hash": digest(image)[:16], **chosen.as_dict(), "ssim": 0.9,
            "ssim_worst_tile": 0.0, "mse": 40.0, "psnr": PSNR_OF_40,
            "svg_bytes": 1000, "path_count": 3,
            "trace_ms": 1.0, "render_ms": 1.0, "created_at": "2026-11-21T00:00:00+00:00",
            "vtracer_version": "0.6.15", "renderer_version": "resvg-py 0.5.0",
            "ssim_definition": DEFINITION, "error": None, **changes,
        }  # fmt: skip
        key = f"{image} {sorted(chosen.as_dict().items())} {changes}"
        return {"conversion_id": digest(key), **made}

    return row


@pytest.fixture
def many_rows(make_row: Callable[..., dict[str, Any]]) -> pd.DataFrame:
    """120 logos of four types with 5 conversions each; every fifth has a JPEG copy."""
    rng = np.random.default_rng(0)
    rows = []
    for number in range(120):
        common = {"logo_type": ("simple", "text", "gradient", "complex")[number % 4]}
        names = [f"logo{number}"] + ([f"logo{number}-copy"] if number % 5 == 0 else [])
        for name in names:
            original = digest(names[0]) if name != names[0] else None
            for level in (0, 8, 16, 32, 64):
                ssim = float(np.clip(rng.normal(0.6 + 0.3 * (number % 2), 0.05), -1, 0.999))
                rows.append(
                    make_row(
                        name, layer_difference=level, ssim=ssim, derived_from=original, **common
                    )
                )
    return conversions_table(rows)
