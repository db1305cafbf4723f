"""The predicted Pareto front of a picture: sets that no other beats in both quality and bytes."""

from __future__ import annotations

from dataclasses import fields

from svg_quality.conversion.parameters import Parameters
from svg_quality.optimization.front import pareto_front
from svg_quality.prediction.bundle import Scores
from svg_quality.prediction.predictor import Picture


def predicted_front(picture: Picture) -> tuple[list[Parameters], Scores, int]:
    """What the predictive optimizer would choose from.

    Returns:
        The sets of the front and what is predicted of them, smallest SVG first; and how many
        sets were scored.
    """
    from svg_quality.optimization.candidates import everyday_sets  # it needs scipy, slow to import

    sets = list(everyday_sets(picture))
    scores = picture.score(sets)
    places = pareto_front(scores.ssim, scores.svg_bytes)
    kept = {field.name: getattr(scores, field.name)[places] for field in fields(Scores)}
    return [sets[place] for place in places], Scores(**kept), len(sets)
