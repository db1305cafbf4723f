"""Where tracings go: unique names, and only tracings are ever replaced."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.errors import SettingsError, StorageError
from svg_quality.stages.using.svg_files import (
    check_free,
    check_own,
    is_tracing,
    logos_in,
    output_of,
    unique_names,
    write_whole,
)

TRACING = '<?xml version="1.0"?>\n<!-- Generator: visioncortex VTracer 0.6.12 -->\n<svg/>'
NAMES = st.builds(
    "{}{}.{}".format,
    st.sampled_from(["", "sub/", "SUB/"]),
    st.sampled_from(["a", "A", "a.png", "a.png.2", "b"]),
    st.sampled_from(["png", "PNG", "jpg", "svg", "gif"]),
)


@given(st.sets(NAMES, min_size=1, max_size=25))
def test_no_two_logos_share_a_name_on_any_file_system(names: set[str]) -> None:
    logos = [Path(name) for name in sorted(names)]
    outputs = unique_names(logos)
    assert len({str(path).casefold() for path in outputs}) == len(logos)
    for logo, output in zip(logos, outputs, strict=True):
        assert output.parent == logo.parent
        assert output.suffix == ".svg"
        assert output.name.startswith(logo.stem)


def test_names_stay_plain_where_they_can() -> None:
    logos = [Path("a.jpg"), Path("a.png"), Path("b.png")]
    assert [str(path) for path in unique_names(logos)] == ["a.jpg.svg", "a.png.svg", "b.svg"]


def test_only_a_tracing_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a.svg"
    check_free(path)
    path.write_text(TRACING)
    assert is_tracing(path)
    check_free(path)
    path.write_text("<svg/>")
    with pytest.raises(SettingsError, match="must be new or an earlier tracing"):
        check_free(path)


def test_a_tracing_that_is_traced_again_is_not_replaced_by_that(tmp_path: Path) -> None:
    logo = tmp_path / "a.svg"
    logo.write_text(TRACING)
    (tmp_path / "link.svg").symlink_to(logo)
    for asked in ("", str(logo), str(tmp_path), str(tmp_path / "link.svg")):
        with pytest.raises(SettingsError, match="must not be the logo itself"):
            output_of(logo, asked)


def test_a_page_is_replaced_only_where_it_is_an_earlier_one(tmp_path: Path) -> None:
    page = tmp_path / "gallery.html"
    check_own(page, "<title>Tracings")
    page.write_text("<html><title>Tracings of x</title>")
    check_own(page, "<title>Tracings")
    page.write_text("<html><title>My holidays</title>")
    with pytest.raises(SettingsError, match=r"gallery\.html is something else"):
        check_own(page, "<title>Tracings")


def test_the_output_of_one_logo(tmp_path: Path) -> None:
    logo = tmp_path / "a.png"
    assert output_of(logo, "") == tmp_path / "a.svg"
    assert output_of(logo, str(tmp_path)) == tmp_path / "a.svg"
    with pytest.raises(SettingsError, match=r"must end in \.svg"):
        output_of(logo, str(tmp_path / "b.png"))
    (tmp_path / "drawn.svg").write_text("<svg/>")
    with pytest.raises(SettingsError, match="must be new or an earlier tracing"):
        output_of(tmp_path / "drawn.svg", "")  # the logo itself


def test_what_is_hidden_is_no_logo(tmp_path: Path) -> None:
    folder = tmp_path / ".config" / "logos"  # what leads to the folder does not count
    for name in ("a.png", ".b.png", ".thumbnails/c.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    assert logos_in(folder, tmp_path / "out") == ([folder / "a.png"], 0)


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    write_whole(tmp_path / "new" / "a.svg", "<svg/>")
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a.svg"]
    (tmp_path / "folder.svg").mkdir()
    with pytest.raises(StorageError, match="an output must be writable"):
        write_whole(tmp_path / "folder.svg", "<svg/>")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder.svg", "new"]
    with pytest.raises(StorageError, match="an output must be writable"):  # in no folder
        write_whole(tmp_path / "new" / "a.svg" / "b.svg", "<svg/>")


def test_own_results_are_no_logos(tmp_path: Path) -> None:
    for name in ("a.png", "drawn.svg", "out/a.png", ".hidden.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("<svg/>")
    (tmp_path / "traced.svg").write_text(TRACING)
    logos, n_tracings = logos_in(tmp_path, tmp_path / "out")
    assert [path.name for path in logos] == ["a.png", "drawn.svg"]
    assert n_tracings == 1
    logos, _ = logos_in(tmp_path, tmp_path)
    assert len(logos) == 3
