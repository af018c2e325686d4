from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import ConfigError, FormatError, ScaleError
from mitoscope.infer import (
    DetectConfig,
    ListedSlide,
    find_slides,
    place_results,
    read_slide_list,
    refuse_same_names,
)


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


def test_what_a_list_says_beyond_the_search_is_kept(tmp_path: Path) -> None:
    text = "Slide,Case_ID,Tumour outline,Scanner,Age\na.png,P 7,a.geojson,AT2,61\nb.png,,,,\n"
    first, second = read_slide_list(written(tmp_path / "list.csv", text))
    assert (first.case, first.tumour) == ("P 7", tmp_path / "a.geojson")
    assert first.columns == {"Scanner": "AT2", "Age": "61"}
    assert (second.case, second.tumour, second.columns) == ("", None, {"Scanner": "", "Age": ""})


def test_two_rows_of_one_result_are_both_named(tmp_path: Path) -> None:
    listed = read_slide_list(written(tmp_path / "list.csv", "slide\na/x.svs\nc.svs\nb/X.tiff\n"))
    with pytest.raises(
        ConfigError, match=r"x\.svs \(.*:2\) and .*X\.tiff \(.*:4\) would write the same results"
    ):
        refuse_same_names(listed)


def test_folders_and_patterns_mean_the_images_in_them(tmp_path: Path) -> None:
    names = ("b.svs", "sub/a.tiff", "notes.txt", ".hidden.svs", "m.mrxs", "m/Slide1.dat", "m/x.jpg")
    beside = ("b.json", "b.density.png", "b.tissue.png", "c.d.png")
    for name in (*names, *beside):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def found(*paths: Path) -> list[str]:
        return [slide.path.relative_to(tmp_path).as_posix() for slide in find_slides(paths)]

    assert found(tmp_path) == ["b.svs", "c.d.png", "m.mrxs", "sub/a.tiff"]
    (tmp_path / "z.svs").symlink_to("not-fetched")
    assert found(tmp_path)[-1] == "z.svs"  # said to be missing, not left out
    (tmp_path / "z.svs").unlink()
    assert found(tmp_path / "*.svs", tmp_path / "none.svs") == ["b.svs", "none.svs"]
    assert found(tmp_path / "**" / "*.tiff") == ["sub/a.tiff"]
    with pytest.raises(ConfigError, match=r"\*\.ndpi: matches no slide"):
        found(tmp_path / "*.ndpi")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="empty: holds no slide"):
        found(tmp_path / "empty")


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
        ("slide,mp\na.png,1\n", r"list\.csv: unknown column 'mp', which resembles 'mpp'; call it mpp if"),
        ("slide,mmp\na.png,1\n", r"list\.csv: unknown column 'mmp', which resembles 'mpp'"),
        ("slide,rio\na.png,1\n", r"list\.csv: unknown column 'rio', which resembles 'roi'"),
        ("slide,MPP_um\na.png,1\n", r"list\.csv: unknown column 'MPP_um', which resembles 'mpp'"),
        ("slide,tumuor\na.png,X\n", r"list\.csv: unknown column 'tumuor', which resembles 'tumour'"),
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


def test_slides_of_one_name_have_results_in_folders_like_their_own(tmp_path: Path) -> None:
    def places(*names: str) -> list[str]:
        return [
            one.below.as_posix() for one in place_results([ListedSlide(tmp_path / name) for name in names])
        ]

    assert places("p1/a.svs", "p2/b.svs") == [".", "."]
    assert places("p1/HE.svs", "p2/HE.svs", "p2/x/other.svs") == ["p1", "p2", "p2/x"]
    # None lies beside the folders, so that a folder of folders is known as one.
    assert places("p1/HE.svs", "HE.tiff") == [f"{tmp_path.name}/p1", tmp_path.name]
    twice = place_results(
        [ListedSlide(tmp_path / "a.svs", where="1"), ListedSlide(tmp_path / "a.tif", where="2")]
    )
    with pytest.raises(ConfigError, match="would write the same"):
        refuse_same_names(twice)
