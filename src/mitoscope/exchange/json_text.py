"""JSON from files that nobody vouches for: no duplicate keys, no nesting without end; NaN is nothing."""

from __future__ import annotations

import codecs
import json
import math
import re
import uuid
from pathlib import Path
from typing import Any

from mitoscope.errors import FormatError
from mitoscope.fsio import open_regular

MAX_BYTES = 256 << 20
"""Largest JSON file that is read (promise 21: below 1 GiB of memory)."""


UTF16_MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_UNMARKED_UTF16 = re.compile(rb"(?:[\t -~]\0){2}|(?:\0[\t -~]){2}")
_AS_UTF8 = "save it as UTF-8"
_DIGITS_MAX = 309
"""Digits of the largest float."""


class _BadValueError(ValueError):
    pass


def read_bytes(path: Path, *, max_bytes: int = MAX_BYTES) -> bytes:
    """Read a file.

    Raises
    ------
    FormatError
        If it is missing, or larger than ``max_bytes``.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise FormatError(f"larger than {max_bytes >> 20} MiB", where=path, mend="split the file")
        with open_regular(path) as stream:
            return stream.read()
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Read a text file; errors as `read_bytes` and `text_of`."""
    return text_of(read_bytes(path, max_bytes=max_bytes), path)


def text_of(content: bytes, path: Path, *, is_whole: bool = True) -> str:
    """Return the text of a file's content.

    Parameters
    ----------
    content : bytes
        UTF-8, or UTF-16 with its mark (BOM), as spreadsheets save "Unicode text".
    path : Path
        The file.
    is_whole : bool
        Whether it is all of the file; otherwise the last character may be cut.

    Raises
    ------
    FormatError
        If it is in another encoding.
    """
    name = "UTF-16" if content.startswith(UTF16_MARKS) else "UTF-8"
    decoder = codecs.getincrementaldecoder("utf-16" if name == "UTF-16" else "utf-8-sig")()
    try:
        text = decoder.decode(content, final=is_whole)
    except UnicodeDecodeError as error:
        raise FormatError(f"not {name} at byte {error.start}", where=path, mend=_AS_UTF8) from None
    if "\0" in text[:4]:  # of UTF-16 without its mark, or of UTF-32
        raise FormatError("not UTF-8 at byte 0", where=path, mend=_AS_UTF8)
    return text


def is_text(head: bytes) -> bool:
    """Say whether the beginning of a file may be text, in whatever encoding; a NUL alone is no sign."""
    if not head.strip():
        return False
    if b"\0" not in head or head.startswith(UTF16_MARKS) or _UNMARKED_UTF16.match(head):
        return True
    try:
        text_of(head, Path(), is_whole=False)
    except FormatError:
        return False
    return True


def read_json(path: Path) -> Any:
    """Read a JSON file.

    NaN, Infinity and numbers beyond a float, which QuPath and Python write for what they could not measure,
    are taken for null.

    Raises
    ------
    FormatError
        If it is not JSON: cut off, a key given twice, nested too deep, or text that is not Unicode.
    """
    return parse_json(read_text(path), where=path)


def parse_json(text: str, *, where: str | Path) -> Any:
    """Parse JSON text; see :func:`read_json`."""
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=lambda _: None,
            parse_float=_finite,
            parse_int=_integer,
        )
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise FormatError(
            f"not JSON at line {error.lineno}, column {error.colno} ({error.msg})",
            where=where,
            mend="is the file complete?",
        ) from None
    except RecursionError:
        raise FormatError("nested too deep", where=where) from None
    except UnicodeEncodeError:
        raise FormatError("text that is not Unicode (half a surrogate pair)", where=where) from None
    except ValueError as error:
        raise FormatError(str(error), where=where, mend="correct the file") from None
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _BadValueError(f"the key {twice!r} appears twice in one object")
    return mapping


def _finite(literal: str) -> float | None:
    value = float(literal)
    return value if math.isfinite(value) else None


def _integer(literal: str) -> int | None:
    return int(literal) if len(literal) < _DIGITS_MAX else None


def dump_json(value: Any, *, indent: int | None = None) -> bytes:
    """Return compact UTF-8 JSON with a newline at the end.

    Raises
    ------
    FormatError
        If a number is NaN or infinite or a text is not Unicode.
    """
    separators = (",", ":") if indent is None else None
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)
        return (text + "\n").encode()
    except ValueError as error:
        raise FormatError(f"cannot be written as JSON ({error})") from None


def a_mapping(value: Any, where: str) -> dict[str, Any]:
    """Return a JSON object, or raise FormatError."""
    if not isinstance(value, dict):
        raise _expected("an object", value, where)
    return value


def a_list(value: Any, where: str) -> list[Any]:
    """Return a JSON array, or raise FormatError."""
    if not isinstance(value, list):
        raise _expected("a list", value, where)
    return value


def a_text(value: Any, where: str) -> str:
    """Return a non-empty string, or raise FormatError."""
    if not isinstance(value, str) or not value:
        raise _expected("a text", value, where)
    return value


def an_integer(value: Any, where: str) -> int:
    """Return an integer within 64 bits, or raise FormatError."""
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise _expected("an integer", value, where)
    return value


def a_number(value: Any, where: str) -> float:
    """Return a number as float, NaN for null, or raise FormatError."""
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _expected("a number", value, where)
    try:
        return float(value)
    except OverflowError:
        raise _expected("a number", "a very large integer", where) from None


def a_share(value: Any, where: str) -> float:
    """Return a score, probability or agreement in [0, 1], NaN for null, or raise FormatError."""
    number = a_number(value, where)
    if not (math.isnan(number) or 0 <= number <= 1):
        raise FormatError(f"a number in [0, 1] expected, got {number:g}", where=where, mend="rescale them")
    return number


def as_uuid(value: Any) -> str | None:
    """Return a UUID as its usual text, None where the value is none."""
    if not isinstance(value, str):
        return None
    text = value.removeprefix("urn:uuid:").removeprefix("{").removesuffix("}")
    try:
        return str(uuid.UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None


def _expected(what: str, value: Any, where: str) -> FormatError:
    shown = "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
    return FormatError(f"{what} expected, got {shown}", where=where)
