"""Private things in a text: e-mail addresses and the names of people in paths; found and masked."""

from __future__ import annotations

import re
from typing import Final

EMAIL: Final = "e-mail address"
USER_PATH: Final = "user name in a path"

# RFC 5321 allows more; this is what people have, and what a pixel ratio (`logo@2x.png`) is not.
_EMAIL: Final = re.compile(
    r"(?<![\w.+-])[\w.+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}"
    r"(?!(?:png|jpe?g|gif|svg|webp|bmp|tiff?)\b)[A-Za-z]{2,24}\b",
    re.IGNORECASE,
)
_HOME: Final = re.compile(
    r"(?P<before>(?:/home/|/Users/|[A-Za-z]:[\\/]+(?:Users|Documents and Settings)[\\/]+))"
    r"(?P<name>[^\\/:*?\"<>|\r\n\t]{1,64})",
    re.IGNORECASE,
)
# Accounts that machines and images come with: they name nobody.
GENERIC_ACCOUNTS: Final = frozenset(
    {"admin", "administrator", "all users", "build", "builder", "default", "default user",
     "ec2-user", "guest", "jenkins", "jovyan", "public", "root", "runner", "shared", "ubuntu",
     "user", "vagrant", "vscode"}
)  # fmt: skip


def kinds_in(text: str) -> list[str]:
    """Which of the two kinds a text holds.

    Example:
        >>> kinds_in("file:///home/jane/logo.svg"), kinds_in("/home/runner/logo@2x.png")
        (['user name in a path'], [])
    """
    found = [EMAIL] if "@" in text and _EMAIL.search(text) else []
    if any(_names_a_person(match) for match in _HOME.finditer(text)):
        found.append(USER_PATH)
    return found


def masked(text: str) -> str:
    """The same text with the private part of it replaced by ``***``.

    Example:
        >>> masked("/Users/jane/logo.svg of jane@example.org")
        '/Users/***/logo.svg of ***'
    """
    homeless = _HOME.sub(
        lambda match: f"{match['before']}***" if _names_a_person(match) else match[0], text
    )
    return _EMAIL.sub("***", homeless)


def _names_a_person(match: re.Match[str]) -> bool:
    return match["name"].strip().lower() not in GENERIC_ACCOUNTS
