"""Elements that `use` draws again and again are counted as a viewer would draw them."""

from svg_quality.dataset.assurance.drawn_elements import MAX_DRAWN, drawn_elements
from svg_quality.dataset.assurance.safety import BOMB, threats
from svg_quality.dataset.assurance.xml_content import read_xml


def levels(n_levels: int, n_uses: int) -> bytes:
    groups = [
        f"<g id='g{level}'>" + f"<use href='#g{level - 1}'/>" * n_uses + "</g>"
        for level in range(1, n_levels + 1)
    ]
    namespace = "http://www.w3.org/2000/svg"
    return f"<svg xmlns='{namespace}'><path id='g0'/>{''.join(groups)}</svg>".encode()


def test_elements_drawn_by_use_are_counted_as_a_viewer_would() -> None:
    """Independent: unrolled by recursion, as the specification words it."""

    def unrolled(level: int) -> int:
        return 1 if level == 0 else 1 + 3 * (1 + unrolled(level - 1))

    expected = 1 + sum(unrolled(level) for level in range(5))
    assert drawn_elements(read_xml(levels(4, 3))) == expected


def test_counting_stops_and_a_drawing_of_too_many_is_a_bomb() -> None:
    """Over two thousand million elements, of 101 that are written."""
    assert drawn_elements(read_xml(levels(9, 10))) == MAX_DRAWN + 1
    assert [threat.kind for threat in threats(levels(9, 10))] == [BOMB]


def test_a_use_of_itself_counts_as_too_many() -> None:
    assert drawn_elements(read_xml(b"<svg><g id='a'><use href='#a'/></g></svg>")) == MAX_DRAWN + 1
