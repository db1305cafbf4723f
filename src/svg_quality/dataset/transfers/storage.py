"""One place in a storage (this disk, S3, Google Cloud Storage): the only module that knows fsspec.

Every call is tried again where that may help (a broken connection, a busy server, a byte altered
on the way) and never where it cannot (no such bucket, no permission, a certificate that is not
trusted). Credentials and endpoints come from the environment (``storage.env.template``), never
from a URL.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

from svg_quality.errors import StorageError

SETTING: Final = "SVG_QUALITY_STORAGE"  # the environment variable
ATTEMPTS: Final = 5  # of each call; the waits between them double from a quarter of a second
_PIECE: Final = 8 * 2**20  # bytes of a file in memory at a time, per thread
_PASSING_ERRNO: Final = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ETIMEDOUT})
_NOT_IMPLEMENTED: Final = 501
_UNTRUSTED: Final = "CERTIFICATE_VERIFY_FAILED"  # OpenSSL's word, in every back end's message
_CLOSE_SECONDS: Final = 10

Result = TypeVar("Result")
Errors = tuple[type[Exception], ...]


class _AlteredError(Exception):
    """What came through is not what was sent."""


def storage_url(setting: str) -> str | None:
    """The storage to use: what the user named, else ``$SVG_QUALITY_STORAGE``, else none."""
    return setting or os.environ.get(SETTING) or None


def is_url(place: str) -> bool:
    """Whether a place is named by a URL of another machine, not by a folder.

    Example:
        >>> is_url("s3://bucket/releases"), is_url("file:///backups"), is_url("backups")
        (True, False, False)
    """
    return "://" in place and not place.startswith("file://")


def local_folder(place: str) -> Path:
    """The folder that a place which `is_url` denies names."""
    return Path(place.removeprefix("file://")).absolute()


class Place:
    """An open place; get one from `opened`.

    Raises:
        StorageError: by every method: the storage cannot be reached, refuses, or alters content.
    """

    def __init__(self, url: str, files: Any, root: str, passing: Errors = (), lasting: Errors = ()):
        self.url = url
        self._files = files  # fsspec's
        self._root = root.rstrip("/")
        self._passing = passing  # the back end's errors that another attempt may not meet
        self._lasting = lasting

    def sizes(self) -> dict[str, int]:
        """Bytes of every file there, by relative name."""
        found = self._tried(self._files.find, self._root, detail=True)
        start = len(self._root) + 1
        return {name[start:]: int(about["size"]) for name, about in found.items() if name[start:]}

    def deliver(self, local: Path, name: str, entry: Mapping[str, Any], size_there: int) -> bool:
        """Send a file and read it back.

        Args:
            local: the file.
            name: of it there.
            entry: its ``sha256`` and ``bytes``.
            size_there: bytes of what lies there under this name; -1 where nothing does.

        Returns:
            False where it was there already.
        """
        n_bytes, sha256 = entry["bytes"], entry["sha256"]
        if size_there == n_bytes and self.digest(name, n_bytes) == sha256:
            return False

        def send() -> None:
            target = f"{self._root}/{name}"
            self._files.put_file(str(local), target, chunksize=_PIECE, max_concurrency=2)
            if self.digest(name, n_bytes) != sha256:
                raise _AlteredError(f"{name} is read back other than it must be")

        self._tried(send)
        return True

    def fetch(self, name: str, target: Path, entry: Mapping[str, Any]) -> None:
        """Write a file to this disk, if it is what ``entry`` says."""

        def receive() -> None:
            target.parent.mkdir(parents=True, exist_ok=True)
            digest = hashlib.sha256()
            with target.open("wb") as file:
                for piece in self._pieces(name, entry["bytes"]):
                    digest.update(piece)
                    file.write(piece)
            if digest.hexdigest() != entry["sha256"]:
                raise _AlteredError(f"{name} comes other than its manifest says")

        self._tried(receive)

    def digest(self, name: str, n_bytes: int) -> str:
        """SHA-256 of the first ``n_bytes`` of a file there."""
        digest = hashlib.sha256()
        for piece in self._pieces(name, n_bytes):
            digest.update(piece)
        return digest.hexdigest()

    def read(self, name: str) -> bytes:
        """The whole content of a small file there."""
        content: bytes = self._tried(self._files.cat_file, f"{self._root}/{name}")
        return content

    def _pieces(self, name: str, n_bytes: int) -> Iterator[bytes]:
        for start in range(0, n_bytes, _PIECE):
            end = min(start + _PIECE, n_bytes)
            yield self._tried(self._files.cat_file, f"{self._root}/{name}", start=start, end=end)

    def _tried(self, call: Callable[..., Result], *arguments: Any, **named: Any) -> Result:
        from tenacity import (
            Retrying,
            retry_if_exception,
            stop_after_attempt,
            wait_exponential_jitter,
        )  # fmt: skip

        retrying = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=wait_exponential_jitter(multiplier=0.25, max=10, jitter=0.25),
            retry=retry_if_exception(self._may_pass),
            reraise=True,
        )
        failures: Errors = (OSError, ValueError, _AlteredError, *self._passing, *self._lasting)
        try:
            return retrying(call, *arguments, **named)
        except StorageError:
            raise
        except failures as error:
            raise StorageError(self._sentence(error)) from error

    def _may_pass(self, error: BaseException) -> bool:
        if isinstance(error, (StorageError, *self._lasting)) or _UNTRUSTED in str(error):
            return False
        if isinstance(error, (_AlteredError, ConnectionError, TimeoutError)):
            return True
        if status := _status(error):
            return status in (408, 429) or (status >= 500 and status != _NOT_IMPLEMENTED)
        return isinstance(error, self._passing) or (
            isinstance(error, OSError) and error.errno in _PASSING_ERRNO
        )

    def _sentence(self, error: Exception) -> str:
        fact = " ".join(str(error).split()) or type(error).__name__
        if self._may_pass(error):
            return f"{self.url} must take and give files whole, {ATTEMPTS} attempts failed: {fact}"
        if isinstance(error, FileNotFoundError):
            return f"{self.url} must be in a storage that exists, this one does not: {fact}"
        refused = isinstance(error, (PermissionError, *self._lasting)) or "Forbidden" in fact
        if refused or _status(error) in (401, 403):
            return f"{self.url} must be open to the credentials in the environment, it says: {fact}"
        return f"{self.url} must take and give files, it says: {fact}"


@contextmanager
def opened(url: str) -> Iterator[Place]:
    """Open a place, and close its connections afterwards.

    Args:
        url: ``s3://BUCKET/...``, ``gs://BUCKET/...``, or a folder. Nothing need be there.

    Raises:
        StorageError: it is something else, holds credentials, or its back end is not installed.
    """
    scheme, netloc = urlsplit(url)[:2] if is_url(url) else ("file", "-")
    if "@" in netloc:
        raise StorageError("a storage's URL must be without credentials, this one holds some")
    if scheme not in _OPENERS or not netloc:
        raise StorageError(f"a storage must be a folder, s3://BUCKET or gs://BUCKET, got {url}")
    with ExitStack() as stack:
        try:
            place = stack.enter_context(_OPENERS[scheme](url))
        except ImportError as error:
            raise StorageError(
                f"{scheme}:// must have its back end, {error.name} is not installed:"
                " `pip install 'svg-quality[cloud]'`"
            ) from error
        yield place


@contextmanager
def _local(url: str) -> Iterator[Place]:
    from fsspec.implementations.local import LocalFileSystem

    yield Place(url, LocalFileSystem(auto_mkdir=True), local_folder(url).as_posix())


@contextmanager
def _s3(url: str) -> Iterator[Place]:
    from aiohttp import ClientError as HttpError
    from botocore import exceptions as boto
    from fsspec.asyn import sync
    from s3fs import S3FileSystem

    files = S3FileSystem(
        skip_instance_cache=True,  # the environment may have changed
        use_listings_cache=False,
        config_kwargs={"retries": {"total_max_attempts": 1}},  # ours are counted
    )
    files.retries = 1
    lasting = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound,
               boto.ParamValidationError)  # fmt: skip
    try:
        yield Place(
            url, files, files._strip_protocol(url), (boto.BotoCoreError, HttpError), lasting
        )
    finally:
        creator = getattr(files, "_s3creator", None)
        if creator is not None:
            sync(files.loop, creator.__aexit__, None, None, None, timeout=_CLOSE_SECONDS)


@contextmanager
def _gs(url: str) -> Iterator[Place]:
    from aiohttp import ClientError as HttpError
    from fsspec.asyn import sync
    from gcsfs.core import GCSFileSystem  # the plain one: `gcsfs` gives one that talks gRPC too
    from gcsfs.retry import HttpError as Answer
    from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError
    from requests.exceptions import RequestException

    class OneAttempt(GCSFileSystem):  # type: ignore[misc]  # gcsfs has no types
        async def _request(self, *arguments: Any, data: Any = None, **named: Any) -> Any:
            if isinstance(data, bytes | bytearray | memoryview):  # aiohttp warns of large ones
                data = io.BytesIO(data)
            once = GCSFileSystem._request.__wrapped__  # without its six: ours are counted
            return await once(self, *arguments, data=data, **named)

    files = OneAttempt(
        skip_instance_cache=True,
        use_listings_cache=False,
        token="anon" if os.environ.get("STORAGE_EMULATOR_HOST") else None,
    )
    passing = (HttpError, Answer, GoogleAuthError, RequestException)
    try:
        yield Place(url, files, files._strip_protocol(url), passing, (DefaultCredentialsError,))
    finally:
        if files.session is not None:
            sync(files.loop, files.session.close, timeout=_CLOSE_SECONDS)


_OPENERS: Final = {"file": _local, "s3": _s3, "gs": _gs}


def _status(error: BaseException) -> int:
    """Of an HTTP answer, where the back end tells it; else 0."""
    answer = getattr(error.__cause__, "response", None)  # s3fs: of botocore's ClientError
    if isinstance(answer, dict):
        return int(answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    code = str(getattr(error, "code", ""))  # gcsfs
    return int(code) if code.isdigit() else 0
