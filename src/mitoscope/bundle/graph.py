"""A look into an ONNX file before anything runs it.

ONNX Runtime opens files that a graph names as external data and runs operators of any domain that it
knows. A bundle is data from outside, so both are refused here, on the bytes, without the onnx package
(which the base install does not have). The file is a protocol buffer; the field numbers below are those of
``onnx.proto3`` (IR version 3 to 13).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mitoscope.errors import BundleDamagedError

ALLOWED_DOMAINS: Final = frozenset({b"", b"ai.onnx"})
"""Operators of the ONNX standard; nothing else runs."""
CONTRACT_KEY: Final = "mitoscope.contract"
"""Key of the graph's metadata under which the writer repeats what the manifest says."""

_NESTING_MAX: Final = 32
_METADATA_FIELD: Final = 14

# message -> field number -> message found there
_NESTED: Final[dict[str, dict[int, str]]] = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise IndexError


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        kind = key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield key >> 3, value
            continue
        if kind == 2:
            length, at = _varint(data, at)
        elif kind in (1, 5):
            length = 8 if kind == 1 else 4
        else:
            raise IndexError
        if length > len(data) - at:
            raise IndexError
        yield key >> 3, data[at : at + length]
        at += length


def _objection(message: str, number: int, value: int | memoryview) -> str | None:
    if message == "tensor" and (number == 13 or (number == 14 and value != 0)):
        return "it points to external data"
    if message == "model" and number == 25:
        return "it has model-local functions"
    if message == "model" and number == 20:
        return "it has training information"
    if message == "node" and number == 7:
        domain = bytes(value) if isinstance(value, memoryview) else b"?"
        if domain not in ALLOWED_DOMAINS:
            return f"it has an operator of the domain {domain.decode('utf-8', 'replace')[:60]!r}"
    return None


def _inspect(data: memoryview, message: str, nesting: int) -> str | None:
    if nesting > _NESTING_MAX:
        return "its graphs are nested too deeply"
    for number, value in _fields(data):
        objection = _objection(message, number, value)
        nested = _NESTED[message].get(number)
        if objection is None and nested is not None:
            if not isinstance(value, memoryview):
                raise IndexError
            objection = _inspect(value, nested, nesting + 1)
        if objection is not None:
            return objection
    return None


def check_graph(onnx: bytes, *, where: str) -> None:
    """Refuse a graph that is not plain, self-contained ONNX.

    Parameters
    ----------
    onnx : bytes
        Content of an ONNX file.
    where : str
        The file, for the error.

    Raises
    ------
    BundleDamagedError
        If it is no protocol buffer, points to external data, has operators outside of the ONNX standard,
        model-local functions or training information.
    """
    try:
        objection = _inspect(memoryview(onnx), "model", 0)
    except IndexError:
        objection = "it is damaged or not ONNX"
    if objection is not None:
        raise BundleDamagedError(
            f"this graph is not run: {objection}", where=where, mend="export it as one plain ONNX file"
        )


def _length_delimited(number: int, content: bytes) -> bytes:
    return _to_varint(number << 3 | 2) + _to_varint(len(content)) + content


def _to_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def with_metadata(onnx: bytes, key: str, value: str) -> bytes:
    """Return an ONNX file with one more entry of metadata.

    Notes
    -----
    A repeated field of a protocol buffer may stand anywhere, so appending it is enough.
    """
    entry = _length_delimited(1, key.encode()) + _length_delimited(2, value.encode())
    return onnx + _length_delimited(_METADATA_FIELD, entry)
