"""A folder against what is published: missing, too much, twice, elsewhere, unreadable, changed."""

from __future__ import annotations

import shutil
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mitoscope.errors import ConfigError, InputError
from mitoscope.experiments.datasets import Dataset, DatasetSurvey, check_dataset, find_dataset
from mitoscope.experiments.datasets.match import path_pattern
from mitoscope.experiments.datasets.receipt import Receipt, Received, write_receipt
from mitoscope.experiments.datasets.record import in_runs
from tests.experiments.datasets.made import dataset, touch

WHOLE = ("WSI/001.tiff", "WSI/002.tiff", "WSI/003.tiff", "labels.json")


def check(one: Dataset, root: Path, *, opening: bool = False, checksums: bool = False) -> DatasetSurvey:
    return check_dataset(one, root, opening=opening, checksums=checksums, report=lambda done, total: None)


def missing(survey: DatasetSurvey) -> dict[str, tuple[str, ...]]:
    return {one.key: one.missing for one in survey.matches if one.missing}


def test_a_whole_folder_is_sound(tmp_path: Path) -> None:
    survey = check(dataset(), touch(tmp_path, *WHOLE, ".hidden", "mitoscope-data.json.bak"))
    assert survey.is_sound
    assert survey.layout == ()
    assert [str(one) for one in survey.extra] == ["mitoscope-data.json.bak"]


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    survey = check(dataset(), touch(tmp_path, "WSI/002.tiff"))
    assert not survey.is_sound
    assert missing(survey) == {"slides": ("001.tiff", "003.tiff"), "labels": ("labels.json",)}


def test_a_folder_above_one_below_and_another_format_are_found_and_said(tmp_path: Path) -> None:
    touch(tmp_path, "sets/little/001.png", "sets/little/002.png", "sets/little/003.png")
    touch(tmp_path, "sets/little/labels.json", "elsewhere.txt")
    survey = check(dataset(), tmp_path)
    assert survey.is_sound
    assert str(survey.home) == "sets/little"
    assert survey.layout == (
        "the data set lies in sets/little",
        "3 of the slides are .png, published as .tiff: other pixels where the conversion lost some",
        "3 of the slides lie in sets/little, not in WSI",
    )
    assert survey.extra == ()
    (images,) = (match for match in survey.matches if "002.tiff" in match.expected)
    assert images.found["002.tiff"].path == PurePosixPath("sets/little/002.png")


def test_one_name_twice_is_no_sound_folder(tmp_path: Path) -> None:
    survey = check(dataset(), touch(tmp_path, *WHOLE, "copy/002.tiff", "WSI/003.svs"))
    assert not survey.is_sound
    assert {name: [str(one.path) for one in files] for name, files in survey.duplicates.items()} == {
        "002.tiff": ["WSI/002.tiff", "copy/002.tiff"],
        "003.tiff": ["WSI/003.tiff", "WSI/003.svs"],
    }


def test_unfinished_and_packed_files_are_said(tmp_path: Path) -> None:
    touch(tmp_path, "WSI/001.tiff", "WSI/002.tiff.part", "other.tiff.part", "part2.zip")
    survey = check(dataset(), tmp_path)
    assert [str(one) for one in survey.unfinished] == ["WSI/002.tiff.part"]
    assert "part2.zip is packed: unpack it where it lies" in survey.layout


def test_a_file_goes_by_its_other_published_names(tmp_path: Path) -> None:
    one = find_dataset("midog22")
    labels = check(one, touch(tmp_path, "MIDOG2022_training.json")).matches[1]
    assert labels.is_complete
    assert str(labels.found["MIDOG2022_training_png.json"].path) == "MIDOG2022_training.json"


def test_what_changed_since_it_came_is_said(tmp_path: Path) -> None:
    touch(tmp_path, *WHOLE)
    came = {
        "WSI/001.tiff": Received(url="u", size_bytes=7, sha256="0" * 64),
        "WSI/002.tiff": Received(url="u", size_bytes=1, sha256="0" * 64),
    }
    write_receipt(tmp_path, Receipt(dataset="little", licence="CC", files=came))
    assert [(str(one.path), one.why) for one in check(dataset(), tmp_path).wrong] == [
        ("WSI/001.tiff", "has 1 bytes, 7 were downloaded")
    ]
    assert [str(one.path) for one in check(dataset(), tmp_path, checksums=True).wrong] == [
        "WSI/001.tiff",
        "WSI/002.tiff",
    ]


def test_a_published_checksum_is_compared(tmp_path: Path) -> None:
    touch(tmp_path, "one.svs")
    group = {"what": "slides", "kind": "image", "names": ["one.svs"], "url": "https://a.org/{name}"}
    right = {"one.svs": "md5:9dd4e461268c8034f5c8564e155c67a6"}  # of "x"
    assert check(dataset(files={"a": {**group, "checksums": right}}), tmp_path, checksums=True).is_sound
    wrong = {"one.svs": "md5:" + "0" * 32}
    survey = check(dataset(files={"a": {**group, "checksums": wrong}}), tmp_path, checksums=True)
    assert not survey.is_sound


def test_a_damaged_receipt_and_no_folder_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, *WHOLE)
    touch(tmp_path, "mitoscope-data.json", body=b"{")
    with pytest.raises(ConfigError, match=r"mitoscope-data\.json: cannot be read.*remove it"):
        check(dataset(), tmp_path)
    with pytest.raises(InputError, match=r"no such folder.*--data"):
        check(dataset(), tmp_path / "none")


def test_files_that_do_not_open_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "WSI/003.bmp", "labels.json")
    Image.fromarray(np.full((40, 40, 3), 200, np.uint8)).save(tmp_path / "WSI" / "001.tiff")
    shutil.copy(tmp_path / "WSI" / "001.tiff", tmp_path / "WSI" / "002.tiff")
    with (tmp_path / "WSI" / "002.tiff").open("r+b") as stream:
        stream.truncate(600)
    survey = check(dataset(), tmp_path, opening=True)
    assert [str(one.path) for one in survey.unreadable] == ["WSI/002.tiff", "WSI/003.bmp"]
    assert "is BMP" in survey.unreadable[1].why


def test_without_opening_empty_files_and_lost_links_are_named(tmp_path: Path) -> None:
    touch(tmp_path, *WHOLE)
    touch(tmp_path, "WSI/001.tiff", body=b"")
    (tmp_path / "WSI" / "002.tiff").unlink()
    (tmp_path / "WSI" / "002.tiff").symlink_to(tmp_path / "gone")
    survey = check(dataset(), tmp_path)
    assert {str(one.path): one.why for one in survey.unreadable} == {
        "WSI/001.tiff": "is empty (0 bytes)",
        "WSI/002.tiff": "is a link that leads nowhere",
    }


def test_annotations_of_another_format_are_named(tmp_path: Path) -> None:
    group = {"what": "labels", "kind": "annotations", "names": ["a.json"], "format": "coco"}
    one = dataset(files={"labels": {**group, "url": "https://a.org/{name}"}})
    touch(tmp_path, "a.json", body=b'{"type": "Multiple points"}')
    assert [each.why for each in check(one, tmp_path, opening=True).unreadable] == [
        "is not of the format coco"
    ]


def test_links_that_lead_back_end(tmp_path: Path) -> None:
    touch(tmp_path, *WHOLE)
    (tmp_path / "WSI" / "again").symlink_to(tmp_path)
    assert check(dataset(), tmp_path).is_sound


def test_cases_whose_file_names_are_not_published_are_counted(tmp_path: Path) -> None:
    tupac = find_dataset("tupac16")
    touch(tmp_path, "TUPAC/mitoses_image_data_part_1/01/01.tif", "TUPAC/mitoses_ground_truth/01/01.csv")
    survey = check(tupac, tmp_path)
    assert str(survey.home) == "TUPAC"
    images = next(one for one in survey.matches if one.key == "images")
    assert len(images.found) == 1
    assert images.missing == tuple(f"{number:02d}" for number in range(2, 74))
    twice = check(tupac, touch(tmp_path, "TUPAC/mitoses_image_data_part_3/01/01.tif"))
    assert list(twice.duplicates) == ["01/01.tif"]


def test_fewer_than_published_is_no_complete_group(tmp_path: Path) -> None:
    touch(tmp_path, "Ami-Br.csv", "patches/MIDOG21_1.png")
    crops = check(find_dataset("ami-br"), tmp_path).matches[1]
    assert (len(crops.found), crops.lacking, crops.is_complete) == (1, 3719, False)


def test_a_copy_that_can_be_read_takes_the_place_of_a_bmp(tmp_path: Path) -> None:
    names = [f"P0_{number:02d}" for number in range(35)]
    touch(
        tmp_path, *(f"train images/{name}.{kind}" for name in names for kind in ("bmp", "png", "jpg", "csv"))
    )
    survey = check(find_dataset("midesec"), tmp_path)
    assert survey.duplicates == {}
    assert survey.extra == ()
    assert str(survey.matches[0].found["P0_00.bmp"].path) == "train images/P0_00.png"
    assert missing(survey).keys() == {"test", "test-labels"}
    scanner = touch(tmp_path / "mitos", "A00_v2/A00_00.bmp", "A00_v2/A00_00.png", "A00_v2/A00_00.csv")
    found = check(find_dataset("mitos12"), scanner).matches[0].found
    assert [str(one.path) for one in found.values()] == ["A00_v2/A00_00.png"]


def test_another_data_set_is_recognised(tmp_path: Path) -> None:
    touch(tmp_path, *(f"images/P0_{number:02d}.bmp" for number in range(35)))
    assert check(find_dataset("cmc"), tmp_path).looks_like == "midesec"
    assert check(find_dataset("midesec"), tmp_path).looks_like is None
    assert check(find_dataset("cmc"), touch(tmp_path / "none", "a.txt")).looks_like is None


@pytest.mark.realdata
@pytest.mark.parametrize("below", ["brecahad", ""])
def test_the_part_of_brecahad_that_is_here(data: Path, below: str) -> None:
    survey = check(find_dataset("brecahad"), data / below)
    images, labels = survey.matches
    assert not survey.is_sound
    assert (len(images.found), len(images.missing)) == (23, 139)
    assert str(images.found["Case_10-03.tif"].path).endswith("images/10011.webp")
    assert str(images.found["Case_13-03.tif"].path).endswith("images/10040.webp")
    assert labels.table is not None
    assert labels.is_complete
    assert survey.extra == ()
    assert "fields are numbered, 10001 for Case_1-01 and so on" in survey.layout


@pytest.mark.realdata
@pytest.mark.parametrize("below", ["midesec", ""])
def test_the_part_of_midesec_that_is_here(data: Path, below: str) -> None:
    survey = check(find_dataset("midesec"), data / below)
    assert missing(survey) == {
        "test": tuple(f"P00_{number:02d}.bmp" for number in range(15)),
        "test-labels": tuple(f"P00_{number:02d}.csv" for number in range(15)),
    }
    assert survey.extra == ()


@pytest.mark.realdata
def test_the_annotations_of_midogpp_open(data: Path) -> None:
    survey = check(find_dataset("midogpp"), data / "annotations", opening=True)
    assert survey.unreadable == ()
    assert [one.key for one in survey.matches if one.is_complete] == ["labels", "domains"]


@given(st.lists(st.booleans(), max_size=30))
def test_runs_name_all_and_nothing_else(wanted: list[bool]) -> None:
    order = [f"n{place:02d}" for place in range(len(wanted))]
    names = [name for name, is_in in zip(order, wanted, strict=True) if is_in]
    told = set()
    for part in in_runs(names, order):
        first, _, rest = part.partition(" … ")
        last = rest.partition(" ")[0] or first
        told |= {name for name in order if first <= name <= last}
    assert told == set(names)


@pytest.mark.parametrize(
    ("glob", "path", "home"),
    [
        ("WSI/*.svs", "a/b/WSI/1.svs", "a/b/"),
        ("WSI/*.svs", "WSI/1.svs", ""),
        ("WSI/*.svs", "WSI/in/1.svs", None),
        ("WSI/*.svs", "MyWSI/1.svs", None),
        ("patches/**/*.png", "x/patches/a/b/1.png", "x/"),
        ("patches/**/*.png", "patches/1.png", ""),
    ],
)
def test_patterns_of_paths(glob: str, path: str, home: str | None) -> None:
    found = path_pattern(glob).fullmatch(path)
    assert (None if found is None else found["home"]) == home
