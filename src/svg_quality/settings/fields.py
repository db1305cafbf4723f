"""What the sections of the settings are made of."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0)]
Positive = Annotated[int, Field(ge=1)]


class Section(BaseModel):
    """Settings of one stage: frozen, and nothing in them that is not known."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def positional(description: str, many: bool = False) -> Any:
    """A setting that the command line takes without a name, and that has to be given.

    Args:
        description: for the help.
        many: whether several words may be given; they become one text with blanks between.
    """
    return Field(
        "", description=description, json_schema_extra={"positional": "+" if many else "1"}
    )


def is_positional(field: FieldInfo) -> bool:
    """Whether the command line takes the setting without a name."""
    return bool(_how_many(field))


def is_plural(field: FieldInfo) -> bool:
    """Whether it then takes several words."""
    return _how_many(field) == "+"


def short_name(field: FieldInfo) -> str:
    """Its one-letter option, or nothing."""
    return _extra(field, "short")


def _how_many(field: FieldInfo) -> str:
    return _extra(field, "positional")


def _extra(field: FieldInfo, key: str) -> str:
    extra = field.json_schema_extra
    return str(extra.get(key, "")) if isinstance(extra, dict) else ""
