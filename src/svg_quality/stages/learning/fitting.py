"""The training itself, with everything that can be watched while it lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from svg_quality.settings import TrainSettings
from svg_quality.stages.console import progress_bar, say
from svg_quality.stages.learning.cut_short import CHECKPOINTS, MONITOR, TENSORBOARD
from svg_quality.stages.pipeline import StageContext
from svg_quality.training.rows import Rows

if TYPE_CHECKING:
    from svg_quality.model.quality_head import QualityHead
    from svg_quality.training.trainer import OnEpoch

SESSION_PAGE: Final = "training.html"
_FIGURES: Final = ("training_time", "epochs_completed", "best_epoch", "best_val_loss")


def fit_watched(
    context: StageContext, train: Rows, validation: Rows, folder: Path
) -> tuple[QualityHead, dict[str, Any]]:
    """Fit the head of the settings; MLflow, TensorBoard and the monitor hear of each epoch.

    Args:
        context: of the stage.
        train, validation: rows.
        folder: for the state, the checkpoints and the logs; what is in it is gone on with.
    """
    from svg_quality.stages.learning.recipe import recipe_of
    from svg_quality.training.monitoring.monitor import TrainingMonitor
    from svg_quality.training.recipe import fit_head
    from svg_quality.training.resume import epochs_done

    settings: TrainSettings = context.settings
    done = epochs_done(folder / CHECKPOINTS)
    if done:
        say(f"train      resumed after epoch {len(done)}")
        context.run.log_history(done, first_step=1)
    with (
        _epoch_events(folder / TENSORBOARD, len(done)) as write_events,
        TrainingMonitor(folder / MONITOR) as monitor,
        progress_bar(settings.epochs, "training", len(done)) as bar,
    ):

        def on_epoch(epoch: int, metrics: dict[str, float]) -> None:
            write_events(epoch, metrics)
            context.run.log_metrics(metrics, step=epoch)
            bar.set_postfix_str(f"validation MAE {metrics['val_ssim_mae']:.4f}", refresh=False)
            bar.update()

        head, fitted = fit_head(
            train, validation, recipe_of(settings), checkpoint_dir=folder / CHECKPOINTS,
            on_epoch=on_epoch, monitor=monitor, resume=bool(done),
        )  # fmt: skip
    context.run.log_metrics({name: fitted[name] for name in _FIGURES})
    page = _keep(context, folder)
    _say(fitted, monitor.get_training_summary()["warnings"], page)
    return head, fitted


@contextmanager
def _epoch_events(folder: Path, n_done: int) -> Iterator[OnEpoch]:
    """TensorBoard's file of scalars; what a killed process wrote of a later epoch is void."""
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(folder), purge_step=n_done + 1) as writer:

        def write(epoch: int, metrics: dict[str, float]) -> None:
            for name, value in metrics.items():
                writer.add_scalar(name, value, epoch)
            writer.flush()

        yield write


def _keep(context: StageContext, folder: Path) -> Path:
    """Checkpoints and logs with the run; the page of the session also among the reports."""
    from svg_quality.training.monitoring.report import write_session_page

    for checkpoint in (folder / CHECKPOINTS).iterdir():
        if checkpoint.is_dir():
            context.run.log_artifact(checkpoint, f"{CHECKPOINTS}/{checkpoint.name}")
    for name in (TENSORBOARD, MONITOR):
        context.run.log_artifact(folder / name, name)
    page = write_session_page(folder / MONITOR, context.reports / context.run.run_id / SESSION_PAGE)
    context.run.log_artifact(page, MONITOR)
    return page


def _say(fitted: dict[str, Any], warnings: Sequence[Mapping[str, Any]], page: Path) -> None:
    say(
        f"train      {fitted['epochs_completed']} epochs in {fitted['training_time']:.0f} s, best: "
        f"epoch {fitted['best_epoch']}, validation MAE of SSIM "
        f"{fitted['final_val_metrics']['ssim_mae']:.4f}"
    )
    if warnings:
        causes = ", ".join(warned["cause"] for warned in warnings)
        say(f"           the monitor warned of: {causes}; see {page}")
