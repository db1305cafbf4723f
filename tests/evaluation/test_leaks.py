"""Which test pictures a challenger learned from."""

import pandas as pd

from svg_quality.evaluation.comparing.leaks import seen_in_training


def images(**hashes: str) -> pd.DataFrame:
    """By name: a perceptual hash, and perhaps the original it was derived from after a blank."""
    parts = {name: text.split() for name, text in hashes.items()}
    return pd.DataFrame(
        {
            "perceptual_hash": [p[0] for p in parts.values()],
            "derived_from": [p[1] if len(p) > 1 else None for p in parts.values()],
        },
        index=pd.Index(list(parts), name="image_id"),
    )


FAR = {"a": "0" * 16, "b": "f" * 16, "c": "00000000ffffffff", "d": "ffffffff00000000"}


def test_the_same_picture_is_seen_and_others_are_not() -> None:
    test = images(**FAR).assign(group=[0, 1, 2, 3])
    seen = seen_in_training(test, images(b="f" * 16), 6)
    assert seen.to_dict() == {"a": False, "b": True, "c": False, "d": False}
    assert not seen_in_training(test, images(x="0f0f0f0f0f0f0f0f"), 6).any()


def test_a_near_duplicate_is_seen_up_to_the_distance() -> None:
    test = images(**FAR).assign(group=[0, 1, 2, 3])
    near = images(x="000000000000003f")  # six bits from a
    assert seen_in_training(test, near, 6)["a"]
    assert not seen_in_training(test, near, 5)["a"]


def test_a_copy_of_a_test_picture_is_seen() -> None:
    test = images(**FAR).assign(group=[0, 1, 2, 3])
    assert seen_in_training(test, images(x="0f0f0f0f0f0f0f0f d"), 6)["d"]


def test_all_of_a_group_are_seen_together() -> None:
    test = images(**FAR).assign(group=[0, 0, 1, 1])
    assert seen_in_training(test, images(b="f" * 16), 6).tolist() == [True, True, False, False]


def test_a_chain_reaches_over_pictures_that_were_learned() -> None:
    """a and x are six bits apart, x and y too: y is no near-duplicate of a, yet the chain is."""
    test = images(**FAR).assign(group=[0, 1, 2, 3])
    learned = images(x="000000000000003f", y="0000000000000fff")
    assert seen_in_training(test, learned, 6)["a"]
