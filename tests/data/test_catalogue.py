from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.data.open_data import (
    BRECAHAD,
    CATALOGUE,
    NEGATIVE_FIELDS,
    attribution_of,
    content_hash,
    rows_of,
)
from mitoscope.errors import TrainingDataError

pytestmark = pytest.mark.train


def test_midesec_is_not_a_permitted_source() -> None:
    assert all("midesec" not in source.name for source in CATALOGUE)
    assert all(source.licence and source.attribution for source in CATALOGUE)


def test_the_hash_covers_every_byte_and_every_name(tmp_path: Path) -> None:
    folder = tmp_path / BRECAHAD.name
    folder.mkdir()
    (folder / "a").write_bytes(b"1")
    first = content_hash(BRECAHAD, tmp_path)
    (folder / "a").write_bytes(b"2")
    second = content_hash(BRECAHAD, tmp_path)
    (folder / "a").rename(folder / "b")
    assert len({first, second, content_hash(BRECAHAD, tmp_path)}) == 3


def test_a_missing_file_or_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="--data"):
        rows_of(tmp_path / "none.csv", columns=("x",))
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(TrainingDataError, match="no column 'x'"):
        rows_of(tmp_path / "t.csv", columns=("a", "x"))


@pytest.mark.realdata
def test_negative_fields_name_each_origin(data: Path) -> None:
    text = attribution_of(NEGATIVE_FIELDS, data)
    assert "bcss" in text
    assert "oscc" in text
    assert len(text) <= 4000
