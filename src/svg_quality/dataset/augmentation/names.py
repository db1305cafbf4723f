"""What synthetic logos are called: names of syllables, and labels such as diagrams carry."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

SYLLABLES: Final = (
    "ka", "ro", "mi", "ve", "lo", "ta", "ne", "su", "zen", "dor", "pix",
    "lum", "qua", "bit", "tri", "nor", "fy", "gra", "hex", "ora", "syn", "vol",
)  # fmt: skip
LABELS: Final = (
    "DB", "API", "VPN", "LOG", "CLI", "HUB", "APP", "NET", "JOB", "MAP", "CDN",
    "IO", "QA", "GW", "SVC", "POD", "DNS", "HTTP", "SYNC", "DATA", "FLOW",
)  # fmt: skip


def invent_name(rng: Generator, shortest: int, longest: int) -> str:
    """A word of syllables, in one of the ways names are written; one in four ends in a label.

    Args:
        rng: where chance comes from.
        shortest: letters that the syllables make at least.
        longest: letters of the name at most.
    """
    word = ""
    while len(word) < shortest:
        word += str(rng.choice(SYLLABLES))
    if rng.random() < 0.25:
        word = word[: longest - 4] + pick_label(rng)
    word = word[:longest]
    return (word.upper(), word.capitalize(), word)[int(rng.integers(3))]


def pick_label(rng: Generator) -> str:
    """Two to four capital letters."""
    return str(rng.choice(LABELS))
