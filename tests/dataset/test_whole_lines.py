"""What a kill left of a last line is cut off, whatever its length."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svg_quality.dataset.whole_lines import drop_unfinished_line


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_what_remains_ends_with_the_last_line_feed(
    tmp_path_factory: pytest.TempPathFactory, head: bytes, tail: bytes
) -> None:
    path = tmp_path_factory.mktemp("log") / "log.jsonl"
    path.write_bytes(head + tail)
    with path.open("rb+") as log:
        remain = drop_unfinished_line(log)
    *whole, _ = (head + tail).split(b"\n")
    assert path.read_bytes() == b"".join(line + b"\n" for line in whole)
    assert remain == path.stat().st_size


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 200_000])
def test_a_line_longer_than_what_is_read_at_once_is_cut_whole(tmp_path: Path, length: int) -> None:
    path = tmp_path / "log.jsonl"
    for before in (b"", b"{}\n"):
        path.write_bytes(before + b"x" * length)
        with path.open("rb+") as log:
            assert drop_unfinished_line(log) == len(before)
        assert path.read_bytes() == before
