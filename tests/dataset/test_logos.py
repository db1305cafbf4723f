"""Finding logos, choosing among them, and their types."""

from pathlib import Path

import pytest

from svg_quality.dataset.logos import (
    choose_logos,
    discover_logos,
    read_excluded,
    read_logo_types,
    with_types,
)
from svg_quality.errors import DatasetError

HELD_OUT = Path(__file__).parents[2] / "experiments/benchmarks/held_out_logos.txt"


def folder_of(tmp_path: Path, *names: str) -> str:
    for name in names:
        path = tmp_path / "logos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return str(tmp_path / "logos")


def test_a_folder_gives_its_images_by_name_and_types_by_subfolder(tmp_path: Path) -> None:
    source = folder_of(
        tmp_path, "b.PNG", "text/a.jpg", "deep/complex/c.svg", "notes.txt", "text.gif"
    )
    found = [(logo.name, logo.logo_type) for logo in discover_logos(source)]
    assert found == [
        ("b.PNG", None), ("deep/complex/c.svg", "complex"), ("text.gif", None),
        ("text/a.jpg", "text"),
    ]  # fmt: skip


def test_a_list_of_types_wins_over_the_subfolder(tmp_path: Path) -> None:
    logos = discover_logos(folder_of(tmp_path, "text/a.png", "b.png"))
    types = tmp_path / "types.csv"
    types.write_text("name,type\ntext/a.png,gradient\n")
    typed = with_types(logos, read_logo_types(types))
    assert [logo.logo_type for logo in typed] == [None, "gradient"]


def test_a_choice_is_by_hash_and_leaves_out_what_is_excluded(tmp_path: Path) -> None:
    logos = discover_logos(folder_of(tmp_path, *(f"{i}.png" for i in range(40))))
    chosen = choose_logos(logos, frozenset({"3.png"}), 10, seed=1)
    assert len(chosen) == 10
    assert choose_logos(logos[::-1], frozenset({"3.png"}), 10, seed=1) == chosen
    assert chosen != choose_logos(logos, frozenset({"3.png"}), 10, seed=2)
    more = choose_logos(logos, frozenset({"3.png"}), 20, seed=1)
    assert more[:10] == chosen
    assert len(choose_logos(logos, frozenset({"3.png"}), 0, seed=1)) == 39


def test_the_demo_has_its_logos_and_none_of_the_held_out() -> None:
    logos = discover_logos("diagrams")
    excluded = read_excluded(HELD_OUT)
    assert len(logos) == 2457
    assert len(excluded) >= 300
    assert excluded <= {logo.name for logo in logos}
    assert not excluded & {logo.name for logo in choose_logos(logos, excluded, 0, 0)}


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"must be a folder of images, .*nowhere is none"):
        discover_logos(str(tmp_path / "nowhere"))
    (tmp_path / "logos").mkdir()
    with pytest.raises(DatasetError, match="at least one image"):
        discover_logos(str(tmp_path / "logos"))
    with pytest.raises(DatasetError, match="must be readable"):
        read_excluded(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="must be readable"):
        read_logo_types(tmp_path / "nowhere")
    types = tmp_path / "types.csv"
    types.write_text("name,type\na.png,simple\nb.png,photo\n")
    with pytest.raises(DatasetError, match=r"types\.csv line 3 does not"):
        read_logo_types(types)
