"""Invented names: pronounceable, within their lengths, written in three ways."""

import re

import numpy as np
import pytest

from svg_quality.dataset.augmentation.names import LABELS, SYLLABLES, invent_name, pick_label

MADE_OF_PARTS = re.compile(f"(?:{'|'.join(SYLLABLES)})*[a-z]{{0,2}}(?:{'|'.join(LABELS).lower()})?")


@pytest.mark.parametrize(("shortest", "longest"), [(5, 8), (5, 10), (8, 13)])
def test_names_are_of_syllables_and_keep_their_lengths(shortest: int, longest: int) -> None:
    rng = np.random.default_rng(0)
    names = [invent_name(rng, shortest, longest) for _ in range(500)]
    assert max(map(len, names)) == longest
    assert min(map(len, names)) >= min(shortest, longest - 4 + 2)  # cut before the label, of 2 to 4
    assert all(MADE_OF_PARTS.fullmatch(name.lower()) for name in names), names
    ways = {"upper": str.isupper, "capital": str.istitle, "lower": str.islower}
    assert all(any(is_so(name) for name in names) for is_so in ways.values())


def test_a_quarter_of_names_ends_in_a_label() -> None:
    rng = np.random.default_rng(0)
    names = [invent_name(rng, 5, 13) for _ in range(2000)]
    ends = sum(name.upper().endswith(LABELS) for name in names) / len(names)
    assert 0.2 < ends < 0.35  # some syllables end like a label


def test_a_label_is_one_of_them() -> None:
    rng = np.random.default_rng(0)
    assert {pick_label(rng) for _ in range(1000)} == set(LABELS)
