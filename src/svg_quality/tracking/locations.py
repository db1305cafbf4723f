"""From MLflow's artifact locations to paths on this disk, without MLflow."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit


def local_path(uri: str) -> Path | None:
    """The path a location names; None if it is not on this disk.

    Example:
        >>> local_path("/work/mlruns/artifacts"), local_path("file:///work/a%20b")
        (PosixPath('/work/mlruns/artifacts'), PosixPath('/work/a b'))
        >>> local_path("s3://bucket/model") is None
        True
    """
    if uri.startswith("file:"):
        parts = urlsplit(uri)
        return Path(unquote(parts.path)) if parts.netloc in ("", "localhost") else None
    if "://" in uri or uri.startswith(("runs:", "models:", "dbfs:", "mlflow-artifacts:")):
        return None
    return Path(uri)
