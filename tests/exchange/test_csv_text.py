"""CSV that nothing runs and nothing bends."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import dump_rows, inert, number, plain, read_rows, shortest

from .studies import HOSTILE


@given(st.text())
@example("'=1")
@example("''=1")
@example("'")
@example("=1")
def test_inert_text_reads_back_and_starts_no_formula(text: str) -> None:
    written = inert(text)
    assert plain(written) == text
    assert not written.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_unmarked_text_starts_formulas() -> None:
    """Control: the names as they are would run."""
    assert any(name.startswith(("=", "+", "-", "@")) for name in HOSTILE)


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(-0.5)
@example(1e22)
def test_numbers_read_back_as_the_same_numbers(value: float) -> None:
    assert number(shortest(value), "x") == value


def test_nan_is_blank_and_blank_is_nan() -> None:
    assert shortest(math.nan) == ""
    assert math.isnan(number("  ", "x"))
    with pytest.raises(FormatError, match="a number expected, got 'far'"):
        number("far", "file:3")


@given(
    st.lists(
        st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=2, max_size=2),
        max_size=4,
    )
)
def test_rows_read_back(rows: list[list[str]]) -> None:
    text = dump_rows(rows).decode()
    assert list(csv.reader(io.StringIO(text, newline=""), strict=True)) == rows


def test_line_numbers_count_lines_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b'x,y\r\n\r\n"two\nlines",1\n\n3,4\n')
    assert read_rows(tmp_path / "a.csv") == [(1, ["x", "y"]), (4, ["two\nlines", "1"]), (6, ["3", "4"])]


@pytest.mark.parametrize(
    ("text", "cells"),
    [
        ("x;y\n1,5;-2,5e3\n", ["1.5", "-2.5e3"]),
        ("x\ty\n1,5\ta,b\n", ["1.5", "a,b"]),
        ("1,5;2\n3,5;4\n", ["3.5", "4"]),
        ("image,x y;z\na,1;2\n", ["a", "1;2"]),
        ("image,vertices\na,1 2;3 4\n", ["a", "1 2;3 4"]),
    ],
)
def test_the_first_line_says_what_separates_columns(tmp_path: Path, text: str, cells: list[str]) -> None:
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    assert read_rows(tmp_path / "a.csv")[1] == (2, cells)


def test_a_line_above_the_first_may_say_what_separates_columns(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"sep=;\r\nx;y\r\n1,5;2\r\n")
    assert read_rows(tmp_path / "a.csv") == [(2, ["x", "y"]), (3, ["1.5", "2"])]


@pytest.mark.parametrize("content", [b'a,"b\n', b'a,"b"c\n', b"\xff\n"])
def test_broken_files_are_refused_with_their_place(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(FormatError, match=r"a\.csv"):
        read_rows(tmp_path / "a.csv")
