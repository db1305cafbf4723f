"""From the settings of `train` to a recipe."""

from __future__ import annotations

from svg_quality.features.inputs import N_OF_PICTURE, PARAMETER_NAMES
from svg_quality.features.probes import PROBES
from svg_quality.model.losses import LossConfig
from svg_quality.model.quality_head import HeadConfig
from svg_quality.settings import TrainSettings
from svg_quality.training.recipe import Recipe
from svg_quality.training.trainer import TrainingConfig


def recipe_of(settings: TrainSettings) -> Recipe:
    """The recipe that `train`, `search` and `cross-validate` all follow."""
    return Recipe(
        head=HeadConfig(
            hidden_dims=tuple(int(width) for width in settings.hidden_dims.split("-")),
            n_members=settings.n_members,
            d_bottleneck=settings.d_bottleneck,
            dropout_rate=settings.dropout_rate,
            use_batch_norm=settings.batch_norm,
            d_picture=N_OF_PICTURE,
            d_query=len(PARAMETER_NAMES),
            n_probes=len(PROBES),
        ),
        training=TrainingConfig(
            epochs=settings.epochs,
            learning_rate=settings.learning_rate,
            weight_decay=settings.weight_decay,
            patience=settings.patience,
            seed=settings.seed,
            loss=LossConfig(
                point=settings.loss,
                ranking_weight=settings.ranking_weight,
                bytes_weight=settings.bytes_weight,
                weighting=settings.weighting,
            ),
            optimizer=settings.optimizer,
            schedule=settings.schedule,
            accumulation=settings.accumulation,
        ),
        batch_size=settings.batch_size,
    )
