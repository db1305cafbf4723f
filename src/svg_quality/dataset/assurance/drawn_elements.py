"""How many elements a viewer draws for an SVG: a bomb needs no bytes, only `use` within `use`."""

from __future__ import annotations

from typing import Final

from svg_quality.dataset.assurance.xml_content import XmlContent

MAX_DRAWN: Final = 1_000_000  # elements, each copy that <use> makes counted


def drawn_elements(content: XmlContent) -> int:
    """How many elements a viewer draws: each `use` draws what it names once more.

    Ten levels of ten `use` are ten thousand million. Counting stops at ``MAX_DRAWN + 1``; a `use`
    of itself counts as that many.
    """
    ids = {element.attributes[("", "id")]: place
           for place, element in reversed(list(enumerate(content.elements)))
           if ("", "id") in element.attributes}  # fmt: skip
    drawn_by: list[list[int]] = [[] for _ in content.elements]
    for place, element in enumerate(content.elements):
        if element.parent >= 0:
            drawn_by[element.parent].append(place)
        if element.name.lower() == "use":
            names = [v.strip() for (_, k), v in element.attributes.items() if k == "href"]
            drawn_by[place] += [ids[n[1:]] for n in names if n[:1] == "#" and n[1:] in ids]
    counts: dict[int, int] = {}
    stack, under_way = [(0, iter(drawn_by[0]))], {0}
    while stack:
        place, rest = stack[-1]
        other = next((other for other in rest if other not in counts), None)
        if other is None:
            total = 1 + sum(counts[below] for below in drawn_by[place])
            counts[place] = min(total, MAX_DRAWN + 1)
            under_way.discard(stack.pop()[0])
        elif other in under_way:
            return MAX_DRAWN + 1
        else:
            under_way.add(other)
            stack.append((other, iter(drawn_by[other])))
    return counts[0]
