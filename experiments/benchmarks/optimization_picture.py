"""The README's picture: what each method has saved after so many conversions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

STYLES: Final = {  # name in the curves: colour, line
    "predictive": ("#c2410c", "-"),
    "search (TPE)": ("#1d4ed8", "-"),
    "TPE among the pool": ("#1d4ed8", ":"),
    "adaptive": ("#15803d", "-"),
    "feature mapping": ("#7e22ce", "-"),
    "random": ("#6b7280", "--"),
}
_INK: Final = "#1f2937"


def draw(path: Path, curves: Mapping[str, np.ndarray], oracle: float, n_logos: int) -> None:
    """Write it as an SVG on a light card, letters as shapes: it needs no font.

    Args:
        path: of the SVG.
        curves: method -> (logos, conversions), share of the default's bytes saved.
        oracle: mean share that the best of all sets saves.
        n_logos: counted in the caption.
    """
    style = {"svg.fonttype": "path", "svg.hashsalt": "svg-quality", "font.size": 10,
             "text.color": _INK, "axes.labelcolor": _INK, "axes.edgecolor": "#9ca3af",
             "xtick.color": _INK, "ytick.color": _INK}  # fmt: skip
    with mpl.rc_context(style):
        figure = Figure(figsize=(7.6, 4.4), facecolor="#fdfcfa", layout="constrained")
        axes = figure.subplots()
        axes.set_facecolor("#fdfcfa")
        axes.axhline(100 * oracle, color=_INK, linewidth=1)
        axes.text(64, 100 * oracle + 0.8, "the best of all 256", ha="right", va="bottom")
        for name, (colour, line) in STYLES.items():
            means = 100 * curves[name].mean(0)[:64]
            width = 2.6 if name == "predictive" else 1.6
            axes.plot(np.arange(1, len(means) + 1), means, line, color=colour, linewidth=width,
                      label=name)  # fmt: skip
        axes.set_xscale("log", base=2)
        axes.set_xticks([1, 2, 4, 8, 16, 32, 64], ["1", "2", "4", "8", "16", "32", "64"])
        axes.set_ylim(0, min(100, 100 * oracle + 8))
        axes.set_xlabel("real conversions spent (VTracer's default is known before)")
        axes.set_ylabel("bytes saved at the default's SSIM, % (mean)")
        axes.grid(color="#e5e7eb", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower right", frameon=False)
        axes.set_title(f"{n_logos} logos never trained on", loc="left", fontsize=11)
        figure.savefig(path, format="svg", metadata={"Date": None})
