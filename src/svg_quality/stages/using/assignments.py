"""``NAME=VALUE`` on a command line."""

from __future__ import annotations

from collections.abc import Sequence

from svg_quality.errors import ParameterError


def assigned(assignments: Sequence[str]) -> dict[str, str]:
    """Values by name.

    Args:
        assignments: ``NAME=VALUE``, also several in one text, apart by blanks or commas.

    Raises:
        ParameterError: one has no equals sign.

    Example:
        >>> assigned(["mode=polygon,filter_speckle=8"])
        {'mode': 'polygon', 'filter_speckle': '8'}
    """
    values = {}
    for part in " ".join(assignments).replace(",", " ").split():
        name, equals, value = part.partition("=")
        if not equals:
            raise ParameterError(f"a parameter must be given as NAME=VALUE, got {part!r}")
        values[name] = value
    return values
