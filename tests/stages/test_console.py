"""Progress of work that goes on where it was left: the share counts it, the time left does not."""

import pytest

from svg_quality.stages.console import progress, progress_bar


def test_a_bar_starts_where_the_work_stands(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(10, "trials", 6) as bar:
        bar.update()
        figures = bar.format_dict
    assert (figures["n"], figures["initial"], figures["total"]) == (7, 6, 10)
    first, last = (line for line in capsys.readouterr().err.split("\r") if line.strip())
    assert first.startswith("trials ")
    assert " 60% |" in first
    assert "| 6/10 [00:00, ? left]" in first
    assert "| 7/10 [" in last


def test_items_are_passed_through_after_what_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress(iter("ab"), 5, "converting", 3)) == ["a", "b"]
    said = capsys.readouterr().err
    assert "| 3/5 [" in said
    assert "| 5/5 [" in said
    assert "| 0/5 [" not in said
