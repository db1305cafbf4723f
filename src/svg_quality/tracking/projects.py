"""MLflow Projects: what makes ``mlflow run . -e train`` and ``mlflow ui`` work without a flag.

MLflow 3.17 picks conda for a project with a ``conda.yaml``, has no setting for another choice,
and without conda leaves a run RUNNING for ever. It also keeps its runs in the working directory.
Both can only be told through environment variables, so this module is an MLflow plugin, loaded
by ``import mlflow`` and therefore before its command line reads a single one.

Outside a folder with our MLproject the plugin does nothing. It must stay light and never raise.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from svg_quality.errors import SettingsError
from svg_quality.tracking.store import apply_environment, find_project, open_store

STAND_IN: Final = Path(__file__).parent / "conda"
_USERS_CHOICE: Final = ("MLFLOW_CONDA_HOME", "MLFLOW_CONDA_CREATE_ENV_CMD", "CONDA_EXE")
_SHELL_SAFE: Final = re.compile(r"[\w@%+=:,./-]+", re.ASCII)  # as in shlex


class ProjectContext:
    """Entry point of the group ``mlflow.run_context_provider``: prepares the environment.

    MLflow makes one instance during ``import mlflow``. It contributes no tags.
    """

    def __init__(self) -> None:
        """Prepare the environment, if the working directory lies in a checkout."""
        try:
            root = find_project(Path.cwd())
            if root is not None:
                prepare(root)
        except OSError:
            return  # no readable working directory: nothing of ours is there

    def in_context(self) -> bool:
        """Never: the tags of a run are written by `runs.stage_run`."""
        return False

    def tags(self) -> dict[str, str]:
        """None."""
        return {}


class ProjectExperiment:
    """Entry point of the group ``mlflow.default_experiment_provider``: our experiment.

    MLflow asks only when the user chose no experiment. Making it here, under our lock and with
    an absolute artifact location, keeps ``mlflow run`` from making it in a way of its own.
    """

    def in_context(self) -> bool:
        """Whether the working directory lies in a checkout of this project."""
        try:
            return find_project(Path.cwd()) is not None
        except OSError:
            return False

    def get_experiment_id(self) -> str:
        """Of the experiment ``svg-quality``, created if needed; MLflow reports what is raised."""
        return open_store().experiment_id


def prepare(root: Path) -> None:
    """Set what the user left open: the store and, only where there is no conda, a stand-in."""
    apply_environment(root)
    stand_in = _stand_in_for(Path.cwd())
    if stand_in is not None and not _has_conda():
        os.environ["MLFLOW_CONDA_HOME"] = stand_in
        os.environ["SVG_QUALITY_PYTHON_PATH"] = os.pathsep.join(_python_path())


def _has_conda() -> bool:
    return any(os.environ.get(name) for name in _USERS_CHOICE) or shutil.which("conda") is not None


def _stand_in_for(directory: Path) -> str | None:
    """The stand-in's folder as MLflow can use it: it does not quote the path in its command."""
    if not os.access(STAND_IN / "bin" / "conda", os.X_OK):
        return None
    paths = [str(STAND_IN)]
    if STAND_IN.is_relative_to(directory):  # a .venv inside a folder with a space in its name
        paths.append(str(STAND_IN.relative_to(directory)))
    return next((path for path in paths if _SHELL_SAFE.fullmatch(path)), None)


def _python_path() -> list[str]:
    """Folders of this Python and of the commands installed with it, each once."""
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    return list(dict.fromkeys(folders))


@dataclass(frozen=True, slots=True)
class ProjectParameter:
    """A parameter of an entry point, as MLproject declares it."""

    type: str
    default: str | int | float | bool | None  # None: the caller must give it


def project_entry_points(root: Path) -> dict[str, dict[str, ProjectParameter]]:
    """Entry points of the MLproject in ``root``, each with its parameters by name.

    Raises:
        SettingsError: there is no MLproject, or it declares no entry points.
    """
    import yaml

    file = root / "MLproject"
    try:
        project = yaml.safe_load(file.read_text(encoding="utf-8"))
        points = project["entry_points"]
        return {
            name: {key: _parameter(value) for key, value in (one.get("parameters") or {}).items()}
            for name, one in points.items()
        }
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(f"{file} must declare entry points, got: {error}") from error


def _parameter(declared: str | dict[str, str | int | float | bool]) -> ProjectParameter:
    if isinstance(declared, str):
        return ProjectParameter(type=declared, default=None)
    kind = str(declared.get("type", "string"))
    return ProjectParameter(type=kind, default=declared.get("default"))
