"""The template engine of every page, its filters, and the look the pages share."""

from __future__ import annotations

import base64
import hashlib
import math

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


def environment(package: str) -> Environment:
    """Jinja with a package's ``templates/`` and the shared ones behind them.

    The shared templates are ``base.html.j2`` (a whole page with blocks to fill) and
    ``style.html.j2``. Filters: ``fixed(digits)``, ``signed(digits)``, ``percent``, ``size``;
    what is not defined is drawn as a dash.

    Args:
        package: such as ``svg_quality.evaluation``.
    """
    made = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader("svg_quality.pages")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"fixed": fixed, "signed": signed, "percent": percent, "size": size}
    return made


def inline_script(package: str, name: str) -> tuple[str, str]:
    """A script of ``templates/``, and its hash as a content security policy names it."""
    script = environment(package).get_template(name).render()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return script, f"sha256-{digest}"


def fixed(value: float | None, digits: int = 3) -> str:
    """A number with so many decimals."""
    if value is None or not math.isfinite(value):
        return "\N{EN DASH}"
    text = f"{round(value, digits) + 0.0:.{digits}f}"  # adding 0.0 takes the sign off a zero
    return text.replace("-", "\N{MINUS SIGN}")


def signed(value: float | None, digits: int = 3) -> str:
    """The same with a plus sign above zero."""
    text = fixed(value, digits)
    return f"+{text}" if value is not None and round(value, digits) > 0 else text


def percent(value: float | None) -> str:
    """A share as whole percents."""
    return "\N{EN DASH}" if value is None else f"{100 * value:.0f}%"


def size(value: float) -> str:
    """A whole number in groups of three digits."""
    return f"{value:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
