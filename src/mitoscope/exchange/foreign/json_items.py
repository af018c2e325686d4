"""JSON of any length, one item at a time: a million nuclei with their outlines are a gigabyte of text."""

from __future__ import annotations

import io
import json
from collections.abc import Generator, Iterator, Set
from pathlib import Path
from typing import Any, Final

from mitoscope.errors import FormatError
from mitoscope.exchange.json_text import MAX_BYTES
from mitoscope.fsio import open_regular

BEGIN: Final = object()
"""Key of the beginning of a member that is gone through item by item."""
_BLOCK_CHARS = 1 << 20
_AHEAD_CHARS = 1 << 16
_SPACE = " \t\r\n"

Item = tuple[str, object, Any]
"""Member of the file (empty for a file that is a list), key or number there, and value."""


def read_items(path: Path, members: Set[str], *, is_lines: bool = False) -> Generator[Item]:
    """Yield the values of a JSON file, its long members item by item.

    Parameters
    ----------
    path : Path
    members : set of str
        Members of the file's object that are gone through, each begun by an item of the key `BEGIN`; all
        others are yielded whole, with the key None. A file that is a list is gone through.
    is_lines : bool
        Take the file for a list of the values that stand in it one after the other.

    Raises
    ------
    FormatError
        If it is not JSON, or one item is larger than 256 MiB.
    """
    try:
        with open_regular(path) as stream, io.TextIOWrapper(stream, "utf-8-sig") as text:
            yield from _Reader(text, path).items(members, is_lines=is_lines)
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 ({error.reason})", where=path, mend="save it as UTF-8") from None
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None


class _Reader:
    """Goes through a text that is never held as a whole."""

    def __init__(self, stream: io.TextIOBase, path: Path) -> None:
        self._stream, self._path = stream, path
        self._text, self._at, self._is_ended = "", 0, False
        self._decode = json.JSONDecoder().raw_decode

    def items(self, members: Set[str], *, is_lines: bool) -> Iterator[Item]:
        begin = self._peek()
        if is_lines:
            yield "", BEGIN, None
            place = 0
            while self._peek():
                yield "", place, self._value()
                place += 1
        elif begin == "[":
            yield from self._list("")
        elif begin == "{":
            for name in self._keys():
                if name in members and self._peek() == "[":
                    yield from self._list(name)
                elif name in members and self._peek() == "{":
                    yield name, BEGIN, None
                    yield from ((name, key, self._value()) for key in self._keys())
                else:
                    yield name, None, self._value()
        else:
            raise self._bad("an object or a list expected")
        if self._peek():
            raise self._bad("something after its end")

    def _list(self, name: str) -> Iterator[Item]:
        yield name, BEGIN, None
        self._take("[")
        place = 0
        while self._peek() != "]":
            if place:
                self._take(",")
            yield name, place, self._value()
            place += 1
        self._take("]")

    def _keys(self) -> Iterator[str]:
        """Yield each key of an object, before its value."""
        self._take("{")
        is_first = True
        while self._peek() != "}":
            if not is_first:
                self._take(",")
            is_first = False
            if self._peek() != '"':
                raise self._bad("a key expected")
            key = self._value()
            self._take(":")
            yield key
        self._take("}")

    def _peek(self) -> str:
        """Return the next character that is no space; empty at the end."""
        while True:
            while self._at < len(self._text) and self._text[self._at] in _SPACE:
                self._at += 1
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _take(self, mark: str) -> None:
        if self._peek() != mark:
            raise self._bad(f"{mark!r} expected")
        self._at += 1

    def _value(self) -> Any:
        self._peek()
        if len(self._text) - self._at < _AHEAD_CHARS:
            self._more()
        while True:
            try:
                value, end = self._decode(self._text, self._at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self._bad(error.msg) from None
                continue
            except RecursionError:
                raise self._bad("nested too deep") from None
            except ValueError:
                raise self._bad("a number of too many digits") from None
            # A number that ends with the text may go on.
            if end == len(self._text) and self._more():
                continue
            self._at = end
            return value

    def _more(self) -> bool:
        """Read on, as much as is there already, so that a long item is not decoded time and again."""
        if self._is_ended:
            return False
        rest = self._text[self._at :]
        if len(rest) > MAX_BYTES:
            raise FormatError(f"one item is larger than {MAX_BYTES >> 20} MiB", where=self._path)
        block = self._stream.read(max(_BLOCK_CHARS, len(rest)))
        self._is_ended = not block
        self._text, self._at = rest + block, 0
        return bool(block)

    def _bad(self, what: str) -> FormatError:
        near = self._text[self._at : self._at + 20]
        place = f"near {near!r}" if near else "at its end"
        return FormatError(f"not JSON {place} ({what})", where=self._path, mend="is the file complete?")
