from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mitoscope.errors import ConfigError, FormatError
from mitoscope.exchange.image_groups import group_images, parse_group

TABLE = """image,x,y,label,case,domain
a.tiff,1,1,mitosis,c1,breast
a.tiff,2,2,mitosis,c1,breast
b.tiff,1,1,mitosis,c1,lung
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_groups_of_a_table(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", TABLE)
    assert group_images(["a", "b", "x"], "case", truth=truth) == {"a": "c1", "b": "c1", "x": "x"}
    found = group_images(["a", "b", "x"], "domain", truth=truth)
    assert found == {"a": "breast", "b": "lung", "x": "not stated"}
    assert group_images(["a", "x"], "slide", truth=truth) == {"a": "a", "x": "x"}


def test_what_is_not_stated_is_said(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.csv", "image,x,y,label\na,1,1,mitosis\n")
    assert group_images(["a"], "case", truth=truth) == {"a": "a"}
    with pytest.raises(FormatError, match="no scanner is stated for any image; add a column scanner"):
        group_images(["a"], "scanner", truth=truth)
    twice = write(tmp_path / "w.csv", TABLE + "a.tiff,3,3,mitosis,c2,breast\n")
    with pytest.raises(FormatError, match=r"w\.csv:5: the image 'a' has two cases, 'c1' and 'c2'"):
        group_images(["a"], "case", truth=twice)
    with pytest.raises(ConfigError, match="no group 'organ'; one of: slide, case, domain"):
        parse_group("organ")
    assert parse_group(" Case") == "case"


@pytest.mark.realdata
def test_domains_of_midogpp(data: Path) -> None:
    table = data / "annotations" / "datasets_xvalidation.csv"
    images = [f"{n:03d}" for n in (1, 60, 120, 210, 505)]
    found = group_images(images, "scanner", truth=data / "annotations" / "MIDOG++.json", domains=table)
    assert len(Counter(found.values())) >= 4
    by_type = group_images(images, "domain", truth=data / "annotations" / "MIDOG++.json")
    assert by_type["001"] == "human breast cancer"
