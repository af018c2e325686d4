"""Strict JSON."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import FormatError
from mitoscope.exchange import json_text

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8"), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(values)
def test_what_is_written_is_read(value: Any) -> None:
    assert json_text.parse_json(json_text.dump_json(value).decode(), where="x") == value


@pytest.mark.parametrize("text", ['{"a": 1, "a": 2}', '[{"b": {"a": 1, "a": 1}}]', "{", "[1,]"])
def test_the_library_alone_lets_through_what_is_refused_here(text: str) -> None:
    """Control: json.loads takes the first two of these without a word."""
    with pytest.raises(FormatError):
        json_text.parse_json(text, where="x")
    if not text.endswith(("{", ",]")):
        json.loads(text)


@pytest.mark.parametrize("literal", ["NaN", "Infinity", "-Infinity", "1e400", "-1e400", "9" * 5000])
def test_numbers_that_are_none_are_nothing(literal: str) -> None:
    assert json_text.parse_json(f"[{literal}, 1]", where="x") == [None, 1]


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf[1]")
    assert json_text.read_json(tmp_path / "a.json") == [1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_utf_16_is_read_by_its_mark(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "a.json").write_bytes(f'{mark}["ä"]'.encode(encoding))
    assert json_text.read_json(tmp_path / "a.json") == ["ä"]


@pytest.mark.parametrize("content", [b"[\x001\x00]\x00", "[1]".encode("utf-32"), b'["\xe9"]'])
def test_other_encodings_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.json: not UTF-8 at byte"):
        json_text.read_json(tmp_path / "a.json")


def test_half_a_character_of_utf_16_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="not UTF-16 at byte 4"):
        json_text.text_of("ab".encode("utf-16")[:-1], tmp_path)


def test_missing_and_large_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="No such file"):
        json_text.read_json(tmp_path / "none.json")
    with pytest.raises(FormatError, match="Is a directory"):
        json_text.read_json(tmp_path)
    (tmp_path / "large.json").write_text("[1, 2]", encoding="utf-8")
    with pytest.raises(FormatError, match="split the file"):
        json_text.read_text(tmp_path / "large.json", max_bytes=5)


def test_values_of_a_wrong_kind_are_named_with_their_place() -> None:
    for read, value in (
        (json_text.a_mapping, []),
        (json_text.a_list, {}),
        (json_text.a_text, ""),
        (json_text.an_integer, True),
        (json_text.an_integer, 2**63),
        (json_text.a_number, "1"),
        (json_text.a_number, 10**400),
    ):
        with pytest.raises(FormatError, match=r"^here: .* expected, got "):
            read(value, "here")
    assert math.isnan(json_text.a_number(None, "here"))
    with pytest.raises(FormatError, match="cannot be written"):
        json_text.dump_json({"x": math.nan})
