"""What an XML file (an SVG, an XMP packet) holds, read without running or loading anything.

`defusedxml` stops at the first entity that a file declares, so nothing expands; no tree is built.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Final
from xml.sax import SAXException
from xml.sax.handler import (
    ContentHandler,
    LexicalHandler,
    feature_namespaces,
    property_lexical_handler,
)

from defusedxml import DefusedXmlException
from defusedxml.expatreader import DefusedExpatParser

_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
ENTITIES: Final = "declares entities"
MALFORMED: Final = "is not well-formed XML"


@dataclass(frozen=True, slots=True)
class Element:
    """One element; names are local, their namespace stands apart."""

    name: str
    namespace: str
    attributes: Mapping[tuple[str, str], str]  # (namespace or "", name) to value
    parent: int  # place in the document's elements, -1 for the root


@dataclass(slots=True)
class XmlContent:
    """A document as flat lists, in its order."""

    elements: list[Element] = field(default_factory=list)
    texts: list[tuple[int, str]] = field(default_factory=list)  # element's place, its own text
    comments: list[str] = field(default_factory=list)
    instructions: list[tuple[str, str]] = field(default_factory=list)  # target, data
    doctype: tuple[str, str] | None = None  # public and system identifier
    fault: str | None = None  # why reading stopped: ENTITIES or MALFORMED

    def fields(self) -> Iterator[tuple[str, str]]:
        """Every text and attribute with the names it stands under, such as ``creator/Agent``."""
        paths: list[str] = []
        for element in self.elements:
            above = paths[element.parent] if element.parent >= 0 else ""
            own = "" if element.namespace == _RDF else element.name
            paths.append("/".join(part for part in (above, own) if part)[-500:])
            for (_, name), value in element.attributes.items():
                yield f"{paths[-1]}/{name}", value
        for place, text in self.texts:
            yield paths[place], text


def read_xml(data: bytes) -> XmlContent:
    """Read a document up to its end or its first fault; never raises for what is in it."""
    reader = _Reader()
    parser: Any = DefusedExpatParser(forbid_dtd=False, forbid_entities=True, forbid_external=False)
    parser.setFeature(feature_namespaces, True)
    parser.setContentHandler(reader)
    parser.setProperty(property_lexical_handler, reader)
    parser.setEntityResolver(_Nothing())
    try:
        parser.parse(BytesIO(data))
    except DefusedXmlException:
        reader.content.fault = ENTITIES
    except (SAXException, ValueError, LookupError):  # LookupError: an encoding nobody knows
        reader.content.fault = MALFORMED
    return reader.content


class _Nothing:
    """Whatever a document refers to is empty."""

    def resolveEntity(self, public_id: str | None, system_id: str) -> Any:
        from xml.sax.xmlreader import InputSource

        source = InputSource()
        source.setByteStream(BytesIO(b""))
        return source


class _Reader(ContentHandler, LexicalHandler):
    def __init__(self) -> None:
        super().__init__()
        self.content = XmlContent()
        self._open: list[int] = []
        self._pieces: list[list[str]] = []

    def startElementNS(self, name: Any, qname: Any, attrs: Any) -> None:
        attributes = {(space or "", local): value for (space, local), value in attrs.items()}
        parent = self._open[-1] if self._open else -1
        self._open.append(len(self.content.elements))
        self._pieces.append([])
        self.content.elements.append(Element(name[1], name[0] or "", attributes, parent))

    def endElementNS(self, name: Any, qname: Any) -> None:
        place, text = self._open.pop(), "".join(self._pieces.pop()).strip()
        if text:
            self.content.texts.append((place, text))

    def characters(self, content: str) -> None:
        if self._pieces:
            self._pieces[-1].append(content)

    def processingInstruction(self, target: str, data: str) -> None:
        self.content.instructions.append((target, data))

    def comment(self, content: str) -> None:
        self.content.comments.append(content)

    def startDTD(self, name: str, public_id: str | None, system_id: str | None) -> None:
        self.content.doctype = (public_id or "", system_id or "")
