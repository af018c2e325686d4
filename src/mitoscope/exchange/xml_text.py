"""XML from files that nobody vouches for: no document type, no entities."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final, NoReturn
from xml.etree import ElementTree as ET

from mitoscope.errors import FormatError
from mitoscope.exchange.json_text import read_bytes

DEPTH_MAX: Final = 100
"""Levels of elements: annotations have eight."""


HAS_DOCTYPE: Final = "has a DOCTYPE, which is not read"
AS_PLAIN_XML: Final = "export the annotations as plain XML"


class _Builder(ET.TreeBuilder):
    """Builds a tree of bounded depth, without a document type, in which entities are defined."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise FormatError("nested too deep")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)

    def doctype(self, *_: object) -> NoReturn:
        raise FormatError(HAS_DOCTYPE, mend=AS_PLAIN_XML)


def read_xml(path: Path) -> ET.Element:
    """Read an XML file; see `parse_xml`."""
    return parse_xml(read_bytes(path), where=path)


def parse_xml(content: bytes, *, where: Path) -> ET.Element:
    """Parse XML and return its root.

    Raises
    ------
    FormatError
        If it is not XML, nested too deep, or defines a document type.
    """
    try:
        return ET.fromstring(content, ET.XMLParser(target=_Builder()))  # noqa: S314 no entities
    except FormatError as error:
        raise FormatError(error.what, where=where, mend=error.mend) from None
    except (ET.ParseError, ValueError, LookupError) as error:
        raise FormatError(f"not XML ({error})", where=where, mend="is the file complete?") from None


def number_of(text: str | None) -> float | None:
    """Return the finite number of an attribute, None where it is none."""
    try:
        number = math.nan if text is None else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None
