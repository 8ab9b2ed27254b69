"""
The XML of requests, read. Pure.

Nothing in it is looked up or expanded: a document type, which alone can define
what would be, is refused.  Namespaces mean nothing, as clients write them or not.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from nova_tx.objectstore.faults import MalformedXML

#: Elements of a document, and how deep they are in each other, unless one may be larger.
_MOST, _DEEPEST = 4096, 16
_NOTHING: Mapping[str, str] = {}


@dataclass(slots=True)
class Element:
    """
    An element.

    @ivar name: without its namespace, as those of the attributes.
    @ivar text: all of it that is directly in here, as it was written.
    """

    name: str
    text: str = ""
    attributes: Mapping[str, str] = field(default_factory=lambda: _NOTHING)
    children: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """The elements of a name in here, in order."""
        return (each for each in self.children if each.name == name)

    def find(self, name: str) -> Element | None:
        """
        The element of a name in here, if it is there.

        @raise MalformedXML: there are several.
        """
        found = list(self.all(name))
        if len(found) > 1:
            raise MalformedXML(f"{self.name} has more than one {name}")
        return found[0] if found else None

    def one(self, name: str) -> Element:
        """
        The element of a name in here.

        @raise MalformedXML: there is none, or several.
        """
        found = self.find(name)
        if found is None:
            raise MalformedXML(f"{self.name} has no {name}")
        return found

    def value(self, name: str, default: str | None = None) -> str:
        """
        The text of the element of a name in here.

        @raise MalformedXML: it is not there, and there is no default; or there are several.
        """
        found = self.find(name) if default is not None else self.one(name)
        return found.text if found is not None else str(default)

    def only(self, *names: str) -> Element:
        """
        This element, with none in it but those of these names.

        @raise MalformedXML: there is another.
        """
        other = next((each.name for each in self.children if each.name not in names), None)
        if other is not None:
            raise MalformedXML(f"{self.name} can't have {other}")
        return self


class _Reader:
    """Makes elements of what expat tells."""

    def __init__(self, most: int) -> None:
        self._left = most
        self._open: list[Element] = []
        self._text: list[list[str]] = []
        self.root: Element | None = None

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._left -= 1
        if self._left < 0 or len(self._open) >= _DEEPEST:
            raise MalformedXML("the document has too many elements")
        element = Element(_local(name))
        if attributes:
            element.attributes = {_local(each): value for each, value in attributes.items()}
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)
        self._text.append([])

    def end(self, name: str) -> None:
        self._open.pop().text = "".join(self._text.pop())

    def text(self, text: str) -> None:
        self._text[-1].append(text)

    def refuse(self, *_: object) -> None:
        raise MalformedXML("a document type is not allowed")


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def read_xml(content: bytes, root: str, most: int = _MOST) -> Element:
    """
    The outermost element of a document in UTF-8.

    Blocks for a moment for each element: a document of many is for a thread.

    @param root: what it must be called.
    @param most: elements that there may be.
    @raise MalformedXML: it is no such document.
    """
    reader = _Reader(most)
    parser = expat.ParserCreate("utf-8", " ")
    parser.buffer_text = True
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError) as error:
        raise MalformedXML(f"the body is not well-formed XML: {error}") from None
    if reader.root is None or reader.root.name != root:
        raise MalformedXML(f"the body is no {root}")
    return reader.root
