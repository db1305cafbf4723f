"""Settings of a network as one JSON object, out and in again."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Self

from svg_quality.errors import ModelError


class JsonConfig:
    """Base of a frozen dataclass of plain numbers, texts and tuples of them."""

    __slots__ = ()

    def to_json(self) -> str:
        """One JSON object with every field."""
        return json.dumps(dataclasses.asdict(self))  # type: ignore[call-overload]

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` wrote.

        Raises:
            ModelError: the text is no such object, or a field is missing or unknown.
        """
        law = f"settings must be those of {cls.__name__}"
        try:
            values = json.loads(text)
        except ValueError as error:
            raise ModelError(f"{law} as JSON, got {error}") from None
        if not isinstance(values, dict):
            raise ModelError(f"{law}, got {text}")
        names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
        missing, unknown = sorted(names - values.keys()), sorted(values.keys() - names)
        if missing or unknown:
            raise ModelError(f"{law}, got {missing=}, {unknown=}")
        return cls(**{name: _as_written(value) for name, value in values.items()})


def _as_written(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
