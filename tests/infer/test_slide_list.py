from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import FormatError, ScaleError
from mitoscope.infer import DetectConfig, ListedSlide, read_slide_list


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_list_gives_each_slide_its_own_resolution_and_region(tmp_path: Path) -> None:
    path = written(
        tmp_path / "list.csv", 'slide,mpp,roi\na.png,0.25,\nsub/b.svs,,"10,20,300,400"\n/data/c.tiff,,\n'
    )
    listed = read_slide_list(path)
    assert listed == (
        ListedSlide(tmp_path / "a.png", mpp=0.25),
        ListedSlide(tmp_path / "sub" / "b.svs", roi=(10, 20, 300, 400)),
        ListedSlide(Path("/data/c.tiff")),
    )
    run = DetectConfig(mpp=0.5, threshold=0.7)
    configs = [slide.configured(run) for slide in listed]
    assert [config.mpp for config in configs] == [0.25, 0.5, 0.5]
    assert [config.roi for config in configs] == [None, (10, 20, 300, 400), None]
    assert {config.threshold for config in configs} == {0.7}


def test_a_path_as_windows_writes_it_is_found(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").touch()
    path = written(tmp_path / "list.csv", "slide\nsub\\a.png\n..\\none.png\n")
    assert [slide.path for slide in read_slide_list(path)] == [
        tmp_path / "sub" / "a.png",
        tmp_path / "..\\none.png",
    ]


def test_a_list_as_spreadsheets_write_it(tmp_path: Path) -> None:
    path = written(tmp_path / "list.csv", "slide;mpp\na.png;0,25\n")
    assert read_slide_list(path) == (ListedSlide(tmp_path / "a.png", mpp=0.25),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,mpp\na.png,0.25\n", r"list\.csv:1: no column slide"),
        ("slide,scanner\na.png,X\n", r"list\.csv: unknown column scanner; the columns are slide, mpp, roi"),
        ("slide,mpp\n", r"list\.csv: lists no slide"),
        ("slide,mpp\n,0.25\n", r"list\.csv:2: the column slide is empty"),
        ("slide,mpp\na.png,about 0.25\n", r"list\.csv:2, column mpp: a number expected"),
        ('slide,roi\na.png,"1,2,3"\n', r"list\.csv:2, column roi: region '1,2,3' is not four numbers"),
        ('slide,roi\na.png,"1,2,0,5"\n', r"list\.csv:2, column roi: region .* is empty"),
        ('slide,roi\na.png,"1,2,nan,5"\n', r"list\.csv:2, column roi: region .* is empty"),
    ],
)
def test_a_list_that_cannot_be_used_names_the_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_slide_list(written(tmp_path / "list.csv", text))


@pytest.mark.parametrize("mpp", ["0", "-1", "90"])
def test_a_resolution_that_cannot_be_names_the_row(tmp_path: Path, mpp: str) -> None:
    with pytest.raises(ScaleError, match=r"list\.csv:2, column mpp: "):
        read_slide_list(written(tmp_path / "list.csv", f"slide,mpp\na.png,{mpp}\n"))
