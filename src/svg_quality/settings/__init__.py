"""Settings of every stage: YAML in `experiments/`, checked, frozen, and overridden by name.

One model per stage is the only definition of its options: the command line is made from it, and
a test compares `MLproject` with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import BaseModel, ValidationError

from svg_quality.errors import SettingsError
from svg_quality.settings.dataset import (
    DEFAULT_MARKS,
    AugmentSettings,
    BackupSettings,
    CleanSettings,
    CollectSettings,
    ConvertSettings,
    DatasetSettings,
    ExportSettings,
    InspectSettings,
    InventorySettings,
    QaSettings,
    RestoreSettings,
    VerifyPipelineSettings,
    VerifySettings,
)
from svg_quality.settings.fields import Section
from svg_quality.settings.learning import (
    LATEST,
    AnalyseSettings,
    CompareSettings,
    CrossValidateSettings,
    EvaluateSettings,
    ExportModelSettings,
    ExtractSettings,
    FinetuneSettings,
    SearchSettings,
    TrainSettings,
    ValidateSettings,
)
from svg_quality.settings.using import (
    AbReportSettings,
    ExplainSettings,
    HistorySettings,
    MonitorSettings,
    OptimizeSettings,
    PredictorSettings,
    PromoteSettings,
    RollbackSettings,
    ServeSettings,
)

DEFAULT_CONFIG: Final = "experiments/demo.yaml"
FROM_CONFIG: Final = "config"  # as a value: what the YAML says
NEWEST: Final = "newest"  # as an input run: the newest finished one of the stage before
COMMANDS: Final = ("optimize", "explain", "serve", "history")  # not stages: they make no run
ANYWHERE: Final = (*COMMANDS, "predict")  # commands that need no project around them
OVERRIDES: Final = {  # by command: options it takes over, and the stage whose setting each is
    "main": {
        "logos": "convert",
        "max_logos": "convert",
        "sets_per_image": "convert",
        "weights": "extract",
        "epochs": "train",
    },
    "export": {
        "version": "dataset",
        "target_samples": "dataset",
        "seed": "dataset",
        "quality": "dataset",
    },
}

__all__ = [
    "ANYWHERE", "COMMANDS", "DEFAULT_CONFIG", "DEFAULT_MARKS", "FROM_CONFIG", "LATEST",
    "NEWEST", "OVERRIDES", "AbReportSettings", "AnalyseSettings", "AugmentSettings",
    "BackupSettings", "CleanSettings", "CollectSettings", "CompareSettings", "ConvertSettings",
    "CrossValidateSettings", "DatasetSettings", "EvaluateSettings", "ExplainSettings",
    "ExportModelSettings", "ExportSettings", "ExtractSettings", "FinetuneSettings",
    "HistorySettings", "InspectSettings", "InventorySettings", "MonitorSettings",
    "OptimizeSettings", "PredictorSettings", "PromoteSettings", "QaSettings", "RestoreSettings",
    "RollbackSettings", "SearchSettings", "ServeSettings", "Settings", "TrainSettings",
    "ValidateSettings", "VerifyPipelineSettings", "VerifySettings", "load_settings",
    "section_name", "section_of",
]  # fmt: skip


class Settings(Section):
    """Every stage's settings."""

    collect: CollectSettings = CollectSettings()
    convert: ConvertSettings = ConvertSettings()
    inventory: InventorySettings = InventorySettings()
    clean: CleanSettings = CleanSettings()
    augment: AugmentSettings = AugmentSettings()
    inspect: InspectSettings = InspectSettings()
    dataset: DatasetSettings = DatasetSettings()
    export: ExportSettings = ExportSettings()
    qa: QaSettings = QaSettings()
    verify: VerifySettings = VerifySettings()
    backup: BackupSettings = BackupSettings()
    restore: RestoreSettings = RestoreSettings()
    extract: ExtractSettings = ExtractSettings()
    analyse: AnalyseSettings = AnalyseSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    train: TrainSettings = TrainSettings()
    search: SearchSettings = SearchSettings()
    cross_validate: CrossValidateSettings = CrossValidateSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    compare: CompareSettings = CompareSettings()
    validation: ValidateSettings = ValidateSettings()
    export_model: ExportModelSettings = ExportModelSettings()
    promote: PromoteSettings = PromoteSettings()
    rollback: RollbackSettings = RollbackSettings()
    history: HistorySettings = HistorySettings()
    predictor: PredictorSettings = PredictorSettings()
    optimize: OptimizeSettings = OptimizeSettings()
    explain: ExplainSettings = ExplainSettings()
    serve: ServeSettings = ServeSettings()
    ab_report: AbReportSettings = AbReportSettings()
    monitor: MonitorSettings = MonitorSettings()
    verify_pipeline: VerifyPipelineSettings = VerifyPipelineSettings()


def section_of(stage: str) -> type[BaseModel]:
    """The model of a stage's settings."""
    section: type[BaseModel] = getattr(Settings(), section_name(stage)).__class__
    return section


def section_name(stage: str) -> str:
    """The section of a stage: `verify-pipeline` has ``verify_pipeline``.

    That of `validate` is ``validation``: a section of its own name would hide a method of pydantic.
    """
    return {"validate": "validation"}.get(stage, stage.replace("-", "_"))


def load_settings(
    path: Path | None, overrides: Mapping[str, Mapping[str, Any]] | None = None
) -> Settings:
    """Read a YAML file; what it leaves out keeps its default.

    Args:
        path: of the file; None for the defaults alone.
        overrides: values by stage and name that win over the file's; `FROM_CONFIG` does not.

    Raises:
        SettingsError: the file cannot be read, or a name or value is not allowed.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path else {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(f"settings must be a readable YAML file, {path}: {error}") from error
    sections = content.values() if isinstance(content, dict) else [content]
    if not all(isinstance(section, dict) for section in sections):
        raise SettingsError(f"settings must be sections of names and values, {path} is not")
    for stage, values in (overrides or {}).items():
        given = {name: value for name, value in values.items() if value != FROM_CONFIG}
        content[stage] = {**(content.get(stage) or {}), **given}
    try:
        return Settings.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        section, *names = (str(part) for part in first["loc"][:2])  # deeper ones are pydantic's
        asked = (overrides or {}).get(section, {})
        is_option = bool(names) and asked.get(names[0], FROM_CONFIG) != FROM_CONFIG
        where = ".".join([section, *names])
        origin = "an option of the command" if is_option else f"settings of {path}"
        raise SettingsError(
            f"{where}: {first['msg'].lower()}, got {first['input']!r} ({origin})"
        ) from None
