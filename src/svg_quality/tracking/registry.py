"""Writing to the model registry: a new version, and which one is in Production.

Reading is `svg_quality.tracking.resolve`, which does not need MLflow.
"""

from __future__ import annotations

import contextlib
import io
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from svg_quality.errors import TrackingError
from svg_quality.tracking.resolve import BUNDLE, ModelVersion, versions_from_client
from svg_quality.tracking.store import Store, file_lock, open_store, project_root, tracking_errors

if TYPE_CHECKING:
    from mlflow.models.signature import ModelSignature

MODEL: Final = "svg-quality"
PRODUCTION: Final = "Production"
ALIAS: Final = "production"


def register(
    run_id: str,
    bundle: Path,
    python_model: Path,
    *,
    input_example: Any,
    signature: ModelSignature | None = None,
    pip_requirements: Sequence[str],
    code_paths: Sequence[Path] = (),
    tags: Mapping[str, str] | None = None,
) -> int:
    """Log a bundle with a run as a models-from-code pyfunc, and register it.

    The logged model is loaded and given ``input_example`` first: MLflow itself only warns of an
    example that fails, and a broken ``load_context`` would show at the first prediction.

    Args:
        run_id: of the open ``train`` run; the model is linked with it.
        bundle: folder of plain files; in ``load_context`` it is ``context.artifacts["bundle"]``.
        python_model: file that calls ``mlflow.models.set_model``. Annotate its ``model_input`` as
            ``pd.DataFrame``: MLflow warns of a missing annotation, at every load.
        input_example: what the model is given when it is served.
        signature: of inputs, outputs and parameters; inferred from the example when None.
        pip_requirements: explicit, since inferring them takes 3 s and guesses.
        code_paths: packages that must travel with the model.
        tags: of the version.

    Returns:
        The number of the new version.

    Raises:
        TrackingError: the store refuses, or the example does not fit the signature.
        Exception: whatever ``load_context`` or ``predict`` raises on the example.
    """
    open_store()
    _check_open(run_id)
    location = _logged(
        run_id,
        bundle,
        python_model=str(python_model),
        input_example=input_example,
        signature=signature,
        pip_requirements=list(pip_requirements),
        code_paths=[str(path) for path in code_paths] or None,
    )
    _check_prediction(run_id, location, input_example)
    return _registered(location, tags or {})


def put_in_production(store: Store, version: int, model: str = MODEL) -> ModelVersion:
    """Make one version the only one in stage Production, and give it the alias ``production``.

    The caller holds `registry_lock`: without one, two promotions at the same time left two
    versions in Production in four of five rounds. What was written is read back.

    Raises:
        TrackingError: there is no such version, or the registry does not hold exactly it in
            Production afterwards (somebody else promoted from another machine).
    """
    known = {one.version for one in versions_from_client(store.uri, model)}
    if version not in known:
        listed = ", ".join(map(str, sorted(known))) or "none"
        raise TrackingError(
            f"a version of {model} must exist to be promoted, got {version}; there is {listed}"
        )
    with tracking_errors(f"version {version} of {model} must move to {PRODUCTION}"):
        _move(store, model, version)
    return _verified(store, model, version)


def registry_lock(uri: str) -> AbstractContextManager[None]:
    """The lock of whoever changes who is in Production, or writes it down.

    Raises:
        TrackingError: somebody else holds it for too long.
    """
    return file_lock(uri, project_root(), "registry")


def _check_open(run_id: str) -> None:
    import mlflow

    active = mlflow.active_run()
    if active is None or active.info.run_id != run_id:
        raise TrackingError(f"a model must be registered inside its run, and {run_id} is not open")


def _logged(run_id: str, bundle: Path, **model: Any) -> str:
    """Log the model with the open run; gives its address."""
    import mlflow

    with (
        tracking_errors(f"run {run_id} must log {MODEL}"),
        _unchanged_import_path(),
        _named_bundle(bundle) as named,
        _quiet_logging(),
    ):
        info = mlflow.pyfunc.log_model(name="model", artifacts={BUNDLE: str(named)}, **model)
    return str(info.model_uri)


def _check_prediction(run_id: str, location: str, example: Any) -> None:
    """Load the model as whoever serves it does, and give it its example."""
    import mlflow

    with (
        tracking_errors(f"the model of run {run_id} must predict its input example"),
        _unchanged_import_path(),
    ):
        mlflow.pyfunc.load_model(location).predict(example)


def _registered(location: str, tags: Mapping[str, str]) -> int:
    """Make a version of a logged model; gives its number."""
    import mlflow

    # MLflow announces each step on stderr, in the middle of the stage's progress.
    with tracking_errors(f"{MODEL} must be registered"), contextlib.redirect_stderr(io.StringIO()):
        created = mlflow.register_model(location, MODEL, tags=dict(tags))
    return int(created.version)


def _move(store: Store, model: str, version: int) -> None:
    with warnings.catch_warnings():
        # Stages are deprecated in favour of aliases; the project's contract asks for both.
        warnings.filterwarnings(
            "ignore", message=".*transition_model_version_stage.*", category=FutureWarning
        )
        store.client.transition_model_version_stage(
            model, str(version), PRODUCTION, archive_existing_versions=True
        )
    store.client.set_registered_model_alias(model, ALIAS, str(version))


def _verified(store: Store, model: str, version: int) -> ModelVersion:
    versions = versions_from_client(store.uri, model)
    staged = [one.version for one in versions if one.stage == PRODUCTION]
    aliased = [one.version for one in versions if ALIAS in one.aliases]
    if staged != [version] or aliased != [version]:
        raise TrackingError(
            f"exactly version {version} of {model} must be in {PRODUCTION}, and there are"
            f" {staged}, with alias {ALIAS} on {aliased}: promote again"
        )
    return next(one for one in versions if one.version == version)


@contextlib.contextmanager
def _unchanged_import_path() -> Iterator[None]:
    """MLflow puts a loaded model's own code first; workers started later would import that."""
    before = list(sys.path)
    try:
        yield
    finally:
        sys.path[:] = before


@contextlib.contextmanager
def _named_bundle(bundle: Path) -> Iterator[Path]:
    """The bundle under the one name that `resolve` looks for; MLflow keeps a folder's own name."""
    if not bundle.is_dir():
        raise TrackingError(f"a bundle must be a folder, got {bundle}")
    if bundle.name == BUNDLE:
        yield bundle
        return
    with tempfile.TemporaryDirectory(prefix="svg-quality-") as folder:
        # Copied, for MLflow refuses a link that leads out of its folder.
        yield Path(shutil.copytree(bundle, Path(folder) / BUNDLE))


@contextlib.contextmanager
def _quiet_logging() -> Iterator[None]:
    logger = logging.getLogger("mlflow.pyfunc")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)
