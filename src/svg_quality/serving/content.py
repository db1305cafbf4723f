"""From a request's content, JSON or form, to pictures and fields; nothing touches the disk."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import orjson
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header

from svg_quality.conversion.parameters import Parameters, parameters_from
from svg_quality.errors import ParameterError
from svg_quality.serving.problems import Refused
from svg_quality.serving.schemas import MAX_SETS
from svg_quality.serving.uploads import Upload

_IN_MEMORY: Final = {"MAX_MEMORY_FILE_SIZE": float("inf")}
_MAX_FIELDS: Final = 32  # of a form, besides its files

Options = TypeVar("Options", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Content:
    """What a request brought."""

    uploads: list[Upload] = field(default_factory=list)
    fields: dict[str, Any] = field(default_factory=dict)

    def options(self, model: type[Options]) -> Options:
        """The fields, checked.

        Raises:
            RequestValidationError: one is unknown or invalid.
        """
        try:
            return model.model_validate(self.fields)
        except ValidationError as error:
            raise RequestValidationError(error.errors(include_url=False)) from None

    def only_upload(self) -> Upload:
        """The one picture there has to be.

        Raises:
            Refused: there are none, or several.
        """
        if len(self.uploads) != 1:
            raise _invalid("image", f"one image must be sent, got {len(self.uploads)}")
        return self.uploads[0]

    def some_uploads(self) -> list[Upload]:
        """The pictures, of which there has to be one.

        Raises:
            Refused: there are none.
        """
        if not self.uploads:
            raise _invalid("images", "at least one image must be sent, got none")
        return self.uploads


def read_content(body: bytes | bytearray, media_type: str, max_images: int) -> Content:
    """Take a request apart.

    Args:
        body: all of it.
        media_type: the header Content-Type.
        max_images: pictures it may bring.

    Raises:
        Refused: it is of another type, malformed, or brings too many pictures.
    """
    kind, options = parse_options_header(media_type)
    if kind == b"application/json":
        return _from_json(body, max_images)
    if kind == b"multipart/form-data":
        return _from_form(bytes(body), options.get(b"boundary"), max_images)
    raise Refused(
        "unsupported_media_type",
        f"a request must be application/json or multipart/form-data, got {media_type or 'none'}",
    )


def parameter_sets(value: Any) -> list[Parameters]:
    """One set, or a list of them.

    Raises:
        ParameterError: it is neither, one is invalid, or there are too many.
    """
    if not isinstance(value, list):
        return [one_set(value)]
    if not 1 <= len(value) <= MAX_SETS:
        raise ParameterError(f"parameter sets must be 1 to {MAX_SETS}, got {len(value)}")
    sets = []
    for number, values in enumerate(value, start=1):
        try:
            sets.append(one_set(values))
        except ParameterError as error:
            raise ParameterError(f"set {number}: {error}") from None
    return sets


def one_set(value: Any) -> Parameters:
    """A set from names and values.

    Raises:
        ParameterError: it is no object, or a name or value is not allowed.
    """
    if not isinstance(value, Mapping):
        raise ParameterError(f"a parameter set must be an object, got {str(value)[:40]}")
    return parameters_from(value)


def _from_json(body: bytes | bytearray, max_images: int) -> Content:
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused("malformed_request", f"JSON must be valid: {error}") from None
    if not isinstance(said, dict):
        raise _invalid("request", "a request must be a JSON object")
    listed = said.pop("images", None)
    one = {key: said.pop(key) for key in ("image", "name") if key in said}
    pictures = [one] if one else []
    if listed is not None:
        if not isinstance(listed, list) or pictures:
            raise _invalid("images", "images must be a list, and image and name stand within it")
        pictures = listed
    _check_count(len(pictures), max_images)
    return Content([_upload(picture, place) for place, picture in enumerate(pictures)], said)


def _upload(picture: Any, place: int) -> Upload:
    if not isinstance(picture, dict) or not set(picture) <= {"image", "name"}:
        raise _invalid(f"images.{place}", "a picture must be an object of image and name")
    text, name = picture.get("image"), picture.get("name", "")
    if not isinstance(text, str) or not isinstance(name, str):
        raise _invalid(f"images.{place}", "image must be given, and be text, as must name")
    try:
        return Upload(_named(name), base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError) as error:
        raise _invalid(f"images.{place}.image", f"image must be in base64: {error}") from None


def _from_form(body: bytes, boundary: bytes | None, max_images: int) -> Content:
    files: list[File] = []
    texts: list[Field] = []

    def on_file(file: File) -> None:
        files.append(file)
        _check_count(len(files), max_images)

    def on_field(text: Field) -> None:
        texts.append(text)
        if len(texts) > _MAX_FIELDS:
            raise _invalid("request", f"a form must have at most {_MAX_FIELDS} fields")

    try:
        parser = FormParser("multipart/form-data", on_field, on_file, boundary=boundary,
                            config=_IN_MEMORY)  # fmt: skip
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise Refused("malformed_request", f"a form must be valid: {error}") from None
    fields: dict[str, Any] = {}
    for name, value in map(_text, texts):
        if name in fields:
            raise _invalid(name, f"{name} must be sent once, got it again")
        fields[name] = value
    return Content([_file(file) for file in files], fields)


def _file(file: File) -> Upload:
    if file.field_name not in (b"image", b"images"):
        name = (file.field_name or b"").decode(errors="replace")
        raise _invalid(name, "a file must be in the field image")
    file.file_object.seek(0)
    name = (file.file_name or b"").decode(errors="replace")
    return Upload(_named(name), file.file_object.read())


def _text(text: Field) -> tuple[str, Any]:
    """A field of a form; objects and lists come as JSON."""
    name = (text.field_name or b"").decode(errors="replace")
    value = (text.value or b"").decode(errors="replace").strip()
    if not value.startswith(("{", "[")):
        return name, value
    try:
        return name, orjson.loads(value)
    except orjson.JSONDecodeError as error:
        raise _invalid(name, f"{name} must be valid JSON: {error}") from None


def _named(name: str) -> str:
    """Only the last part of a path, without what does not print."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(character for character in last if character.isprintable())[:200] or "image"


def _check_count(n_images: int, max_images: int) -> None:
    if n_images > max_images:
        raise _invalid("images", f"at most {max_images} images may be sent, got more")


def _invalid(name: str, message: str) -> Refused:
    return Refused("invalid_request", f"{name}: {message}", errors=[(name, message)])
