"""`history`: who was in Production when, and why; newest first, refused ones too."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from svg_quality.errors import CheckError
from svg_quality.settings import Settings
from svg_quality.stages.console import say
from svg_quality.tracking.ledger import MOVES, Entry
from svg_quality.tracking.production import ledger_path, production

_WIDTH: Final = 100
_INDENT: Final = " " * 4


def run(settings: Settings) -> int:
    """Print it; gives the exit code.

    Raises:
        CheckError: the ledger was tampered with.
    """
    with production() as now:
        pass
    path = ledger_path()
    say(f"{'when (UTC)':<18}{'version':<9}{'what':<13}{'in Production until':<21}by")
    for line in table(now.entries):
        say(line)
    if not now.entries:
        say("nobody was ever in Production: `svg-quality promote` puts a version there")
    if "://" in now.registry:
        say("")
        say(f"The history stays with this project, {path}; what other projects promote in")
        say(f"{now.registry} stands here as found.")
    if now.fault:
        raise CheckError(f"the ledger must be as it was written, {path} is not: {now.fault}")
    say("")
    say(f"{path}: {len(now.entries)} lines, none changed, put in or taken out")
    return 0


def table(entries: Sequence[Entry]) -> Iterator[str]:
    """The lines for people.

    Args:
        entries: of one registry, oldest first.
    """
    until = "now"
    shown = []
    for entry in reversed(entries):
        moved = entry.event in MOVES
        ends = "" if not moved or entry.version is None else until
        shown.append((entry, ends))
        until = _minute(entry) if moved else until
    for entry, ends in shown:
        number = str(entry.version.version) if entry.version else "nobody"
        yield f"{_minute(entry):<18}{number:<9}{entry.event:<13}{ends:<21}{entry.who}".rstrip()
        yield from textwrap.wrap(
            entry.reason, _WIDTH, initial_indent=_INDENT, subsequent_indent=_INDENT
        )


def _minute(entry: Entry) -> str:
    return entry.at[:16].replace("T", " ")
