"""A format is told from the beginning of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange import table_columns
from mitoscope.exchange.format import Content

ROW = "slide.tiff,1,2,0.5\n"


def test_columns_of_a_large_table_are_those_of_its_first_rows(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    # The 64 KiB end inside of a row; a quote that does not close comes later and is no business of the head.
    path.write_text("Image,X,Y,score\n" + ROW * 10_000 + '"' + "a" * 70_000)
    assert table_columns(path) == {"image", "x", "y", "score"}
    assert len(Content(path).rows) < 10_000


def test_a_quote_that_does_not_close_in_a_small_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "small.csv"
    path.write_text("image,x,y,score\n" + ROW + '"a\n')
    with pytest.raises(FormatError, match=r"small\.csv:3: not CSV"):
        table_columns(path)


def test_a_quoted_field_across_the_end_of_the_head_costs_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text("image,x,y,score,note\n" + 'slide.tiff,1,2,0.5,"' + "two\nlines " * 10_000 + '"\n')
    assert table_columns(path) == {"image", "x", "y", "score", "note"}


def test_one_line_longer_than_the_head(tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("x," * 100_000 + "y\n")
    assert table_columns(path) == frozenset()
