"""One logo, optimized: what a single logo and each logo of a folder have in common."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

from svg_quality.conversion.workers import WorkerPool
from svg_quality.optimization.base import Answer
from svg_quality.optimization.logo import Logo
from svg_quality.optimization.methods import NEED_A_MODEL, optimize_logo, read_logo
from svg_quality.optimization.objective import Objective
from svg_quality.optimization.use_log import UseLog
from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.settings import OptimizeSettings, PredictorSettings
from svg_quality.stages.using.svg_files import write_whole
from svg_quality.tracking.store import project_root

NOT_REACHED: Final = 3  # exit code


@dataclass(frozen=True, slots=True, eq=False)
class Optimized:
    """What came of a logo."""

    logo: Logo
    answer: Answer
    svg: str | None
    written: Path | None  # where the SVG is, if it is

    @property
    def outgrown(self) -> bool:
        """Whether the SVG takes more bytes than the file it was traced from."""
        return self.svg is not None and len(self.svg.encode()) > len(self.logo.data)


@dataclass(slots=True, eq=False)
class Optimizing:
    """Optimizes logos one way; any number of threads may ask at once.

    Args:
        wanted: the command's options.
        asked: which model.
        pool: where conversions run.
    """

    wanted: OptimizeSettings
    asked: PredictorSettings
    pool: WorkerPool
    objective: Objective = field(init=False)
    log: UseLog | None = field(init=False)
    _predictor: QualityPredictor | None = field(init=False, default=None)
    _lock: Lock = field(init=False, default_factory=Lock)

    def __post_init__(self) -> None:
        asked = self.wanted
        self.objective = Objective.from_words(asked.objective, asked.min_ssim, asked.max_bytes)
        self.log = UseLog(project_root() / "data") if self.wanted.log else None

    def optimize(self, path: Path, output: Path) -> Optimized:
        """Choose, verify, and write what meets the objective (or, if asked, what comes nearest).

        Args:
            path: of the logo.
            output: of the SVG.

        Raises:
            SvgQualityError: the logo cannot be read, or the SVG cannot be written.
        """
        method = self.wanted.method
        predictor = self.predictor() if method in NEED_A_MODEL else None
        logo = read_logo(path, predictor)
        answer, svg = optimize_logo(
            logo, self.objective, method, self.predictor, self.pool, self.log, self.wanted.budget
        )
        best_effort = self.wanted.best_effort and answer.status != "unavailable"
        if svg is None or not (answer.status == "found" or best_effort):
            return Optimized(logo, answer, svg, None)
        write_whole(output, svg)
        return Optimized(logo, answer, svg, output)

    def predictor(self) -> QualityPredictor:
        """The model, loaded on first use."""
        with self._lock:
            if self._predictor is None:
                self._predictor = QualityPredictor(self.asked.model, enabled=self.asked.enabled)
            return self._predictor
