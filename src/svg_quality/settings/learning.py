"""Settings of the stages from a release to a model in Production."""

from __future__ import annotations

import re
from typing import Annotated, Final, Literal

from pydantic import Field, field_validator

from svg_quality.settings.fields import Count, Positive, Section, positional

LATEST: Final = "latest"  # as a version: the one of the newest training


class ExtractSettings(Section):
    """From a release to features."""

    weights: str = Field("auto", description="auto, imagenet, random, or a path to a state dict")
    precision: Literal["auto", "int8", "fp32"] = Field(
        "auto", description="of the backbone: int8, fp32, or auto: int8 where predictions agree"
    )
    fit: Literal["pad", "stretch", "crop"] = Field(
        "pad", description="how a picture becomes a square: pad, stretch or crop"
    )
    batch_size: Positive = Field(16, description="pictures per pass of the backbone")
    seed: Count = Field(42, description="of random weights")


class AnalyseSettings(Section):
    """Which features and descriptors carry quality, and how logos cluster."""

    n_components: Positive = Field(16, description="main components of the features to look at")
    n_repeats: Positive = Field(3, description="shufflings per input, for its importance")
    seed: Count = Field(42, description="of the shufflings and clusters")


class FinetuneSettings(Section):
    """Train the backbone itself on a release's conversions, into a weights file for extract."""

    weights: str = Field("auto", description="to start from: auto, imagenet, random, or a path")
    n_frozen: Annotated[int, Field(ge=0, le=4)] = Field(
        0, description="of the backbone's five stages, those kept as they are, from the input on"
    )
    epochs: Positive = Field(6, description="at most; early stopping may end sooner")
    patience: Positive = Field(3, description="epochs without a better validation loss")
    images_per_batch: Annotated[int, Field(ge=2)] = Field(16, description="pictures per step")
    learning_rate: Annotated[float, Field(gt=0)] = Field(
        3e-4, description="of the backbone, highest of the cycle; the head's is 4 times that"
    )
    max_images: Count = Field(0, description="pictures of a split to use; 0 for all")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto, cpu or cuda")
    seed: Count = Field(42, description="of the head's initial weights and the batches")


class TrainSettings(Section):
    """From features to a registered model."""

    epochs: Positive = Field(40, description="at most; early stopping may end sooner")
    patience: Positive = Field(10, description="epochs without a better validation loss")
    batch_size: Annotated[int, Field(ge=2)] = Field(256, description="rows per step")
    accumulation: Positive = Field(1, description="batches whose gradients make one step")
    optimizer: Literal["adamw", "adam"] = Field("adamw", description="adamw or adam")
    schedule: Literal["one-cycle", "cosine", "plateau", "step", "constant"] = Field(
        "one-cycle", description="one-cycle, cosine, plateau, step or constant"
    )
    learning_rate: Annotated[float, Field(gt=0)] = Field(1e-2, description="highest of the cycle")
    weight_decay: Annotated[float, Field(ge=0)] = Field(0.1, description="of the layers' matrices")
    hidden_dims: str = Field(
        "512-256", pattern=r"^[1-9]\d*(-[1-9]\d*)*$", description="widths of the hidden layers"
    )
    n_members: Positive = Field(3, description="networks whose mean is the prediction")
    d_bottleneck: Count = Field(8, description="numbers the features are reduced to; 0: none")
    dropout_rate: Annotated[float, Field(ge=0, lt=1)] = Field(0.3, description="of hidden units")
    batch_norm: bool = Field(True, description="normalise hidden units over the batch")
    loss: Literal["huber", "mse", "mae", "ssim", "focal", "combined"] = Field(
        "huber", description="of SSIM: huber, mse, mae, ssim, focal or combined"
    )
    ranking_weight: Annotated[float, Field(ge=0)] = Field(
        0.0, description="of the ranking loss beside it"
    )
    bytes_weight: Annotated[float, Field(ge=0)] = Field(0.5, description="of the loss of the size")
    weighting: Literal["fixed", "uncertainty"] = Field(
        "fixed", description="of the two targets: fixed, or learnt (uncertainty)"
    )
    interval: Annotated[float, Field(gt=0, lt=1)] = Field(0.9, description="promised coverage")
    resume: bool = Field(False, description="go on with the newest training that was cut short")
    seed: Count = Field(42, description="of initial weights and batches")


class SearchSettings(Section):
    """Search widths, dropout, losses and rates with Optuna; then the best over several seeds."""

    n_trials: Positive = Field(30, description="finished or pruned trials the study shall have")
    study: str = Field("svg-quality", pattern=r"^\w[\w.-]*$", description="name; resumed if there")
    storage: str = Field("", description="URL of the study's database (default: a file in data/)")
    n_workers: Positive = Field(1, description="processes that run trials at the same time")
    epochs: Positive = Field(16, description="per trial, at most")
    timeout_s: Annotated[float, Field(ge=0)] = Field(0.0, description="for all trials, s; 0: none")
    n_seeds: Positive = Field(5, description="trainings of the winner, for mean and spread")
    seed: Count = Field(42, description="of the sampler and the first training")

    @field_validator("storage")
    @classmethod
    def _hold_no_password(cls, storage: str) -> str:
        if re.search(r"://[^/@]*:[^/@]*@", storage):
            raise ValueError("a url must hold no password, since settings are kept: use ~/.pgpass")
        return storage


class CrossValidateSettings(Section):
    """Train and measure once per fold of a release; the settings of the model are train's."""

    n_folds: Count = Field(0, description="folds to run, from the first on; 0 for all")
    n_draws: Positive = Field(1000, description="of the bootstrap over logos")


class EvaluateSettings(Section):
    """From a registered model and a release's split to a page."""

    version: str = Field(LATEST, description="number of the version, or latest")
    split: str = Field("test", description="train, validation or test")


class CompareSettings(Section):
    """Whether one run's predictions are better than another's, with an interval."""

    runs: str = positional(
        "run ids of train or evaluate, two or more; the first is the reference", many=True
    )
    n_draws: Positive = Field(2000, description="of the bootstrap over logos")
    tolerance: Annotated[float, Field(ge=0)] = Field(
        0.0005, description="difference of MAE that is none"
    )


class ValidateSettings(Section):
    """Whether the network is built right: dimensions, gradients, memory, time, odd inputs."""

    n_calls: Positive = Field(200, description="passes over which memory must not grow")
    backbone: bool = Field(True, description="the backbone too, not the head alone")
    seed: Count = Field(42, description="of the inputs")


class ExportModelSettings(Section):
    """A registered model as ONNX and TorchScript files, checked to say the same."""

    version: str = Field(LATEST, description="number of the version, or latest")
    to: str = Field("", description="folder to write (default: reports/RUN_ID/model)")
