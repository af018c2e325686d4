"""Strict JSON from files that nobody vouches for: no NaN, no duplicate keys, no nesting without end."""

from __future__ import annotations

import json
import math
import uuid
from pathlib import Path
from typing import Any

from mitoscope.errors import FormatError
from mitoscope.fsio import open_regular

MAX_BYTES = 256 << 20
"""Largest JSON file that is read (promise 21: below 1 GiB of memory)."""


class _BadValueError(ValueError):
    pass


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Read a text file.

    Raises
    ------
    FormatError
        If it is missing, larger than ``max_bytes``, or not UTF-8.
    """
    try:
        if path.stat().st_size > max_bytes:
            raise FormatError(f"larger than {max_bytes >> 20} MiB", where=path, mend="split the file")
        with open_regular(path) as stream:
            return stream.read().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8 at byte {error.start}", where=path, mend="save it as UTF-8") from None
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None


def read_json(path: Path, *, nan_is_null: bool = False) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : Path
    nan_is_null : bool
        Take the literals NaN and Infinity for null: QuPath writes them for what it could not measure.

    Raises
    ------
    FormatError
        If it is not JSON: cut off, NaN or infinite numbers, a key given twice, nested too deep, or text that
        is not Unicode.
    """
    return parse_json(read_text(path), where=path, nan_is_null=nan_is_null)


def parse_json(text: str, *, where: str | Path, nan_is_null: bool = False) -> Any:
    """Parse JSON text; see :func:`read_json`."""
    constant = _null if nan_is_null else _no_constant
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=constant, parse_float=_finite)
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
        raise _BadValueError(f"the key {twice!r} stands twice in one object")
    return mapping


def _null(_: str) -> None:
    return None


def _no_constant(literal: str) -> float:
    raise _BadValueError(f"the literal {literal} is not JSON")


def _finite(literal: str) -> float:
    value = float(literal)
    if not math.isfinite(value):
        raise _BadValueError(f"the number {literal[:20]} is beyond a float")
    return value


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


def as_uuid(value: Any) -> str | None:
    """Return a UUID as its usual text, None where the value is none."""
    if not isinstance(value, str):
        return None
    try:
        return str(uuid.UUID(value)) if len(value) == 36 else None
    except ValueError:
        return None


def _expected(what: str, value: Any, where: str) -> FormatError:
    shown = "nothing" if value is None else f"{type(value).__name__} {str(value)[:40]!r}"
    return FormatError(f"{what} expected, got {shown}", where=where)
