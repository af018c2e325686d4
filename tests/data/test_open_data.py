from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.data.field import Labels
from mitoscope.data.open_data import (
    MITOSIS_CROPS,
    NEGATIVE_FIELDS,
    SORTED_CANDIDATES,
    UNSORTED_FIELDS,
    read_brecahad,
    read_figure_kinds,
    read_midesec,
    read_negative_fields,
    read_rgb,
    read_unsorted_fields,
    rows_of,
    sorted_candidates,
)
from mitoscope.data.picture import Picture
from mitoscope.data.sources import OpenData, provenance, read_fields
from mitoscope.data.window import Window, cut_patch
from mitoscope.errors import TrainingDataError
from mitoscope.labels import AMBIGUOUS, ATYPICAL_FIGURE, LOOK_ALIKE, LOOK_ALIKE_KINDS, MITOTIC_FIGURE

pytestmark = pytest.mark.train
ATYPICAL, FIGURE = ATYPICAL_FIGURE.name, MITOTIC_FIGURE.name


def test_a_file_that_is_no_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.webp"
    path.write_text("no picture")
    with pytest.raises(TrainingDataError, match=r"a\.webp: cannot be decoded"):
        read_rgb(path)


def test_a_folder_without_the_open_data_says_how_to_train_on_other_data(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"a\.csv: no such file; .*--study STUDY@VERSION") as refused:
        rows_of(tmp_path / "a.csv", columns=("x",))
    assert str(refused.value).count("a.csv") == 1
    assert "Errno" not in str(refused.value)
    with pytest.raises(TrainingDataError, match="cannot be read"):
        rows_of(tmp_path, columns=("x",))


@pytest.mark.realdata
def test_brecahad_has_its_figures_and_look_alikes(data: Path) -> None:
    pictures = read_brecahad(data)
    assert {p.case for p in pictures} == {"BreCaHAD/Case_10", "BreCaHAD/Case_12", "BreCaHAD/Case_13"}
    assert sum(len(p.figures) for p in pictures) == 67
    assert sum(len(p.look_alikes) for p in pictures) == 73
    assert sum((p.labels.kind == "apoptosis").sum() for p in pictures) == 73
    for picture in pictures:
        assert (picture.figures >= 0).all()
        assert (picture.figures <= (picture.width, picture.height)).all()


def test_kinds_of_figures_are_those_of_the_table(tmp_path: Path) -> None:
    folder = tmp_path / "mitosis_crops"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for name in "abc":
        Image.fromarray(rng.integers(0, 255, (128, 128, 3), dtype=np.uint8)).save(folder / f"{name}.webp")
    table = folder / "crops.csv"
    table.write_text("file,slide,atypical\na.webp,7.tiff,1\nb.webp,7.tiff,0\nc.webp,,1\n")
    found = read_figure_kinds(tmp_path)
    assert [one.labels.label.tolist() for one in found] == [[ATYPICAL], [FIGURE], [ATYPICAL]]
    assert [one.case for one in found] == ["MIDOG/7.tiff", "MIDOG/7.tiff", "crop/c.webp"]
    classes = [one.labels.classes((ATYPICAL, FIGURE)).tolist() for one in found]
    assert classes == [[0], [1], [0]]
    assert found[0].labels.classes((FIGURE, LOOK_ALIKE.name)).tolist() == [0], "a figure without kinds"
    assert replace(found[0], figure_label=FIGURE).digest() != found[0].digest()
    config = OpenData(kind="open-data", sets=("figure_kinds",))
    assert [one.title for one in provenance(config, tmp_path)] == [MITOSIS_CROPS.title]
    table.write_text("file,slide,atypical\na.webp,7.tiff,maybe\n")
    with pytest.raises(TrainingDataError, match=r"a\.webp: atypical is 'maybe', not 0 or 1"):
        read_figure_kinds(tmp_path)


def test_crops_are_mirrored_unless_they_are_to_end_in_white(tmp_path: Path) -> None:
    folder = tmp_path / "mitosis_crops"
    folder.mkdir()
    Image.fromarray(np.full((128, 128, 3), 90, np.uint8)).save(folder / "a.webp")
    (folder / "crops.csv").write_text("file,source,slide,x,y\na.webp,x,,,\n")
    (tmp_path / "annotations").mkdir()
    (tmp_path / "annotations" / "MIDOG++.json").write_text(
        '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "mitotic figure"}]}'
    )
    beyond = {}
    for mirrored in (True, False):
        config = OpenData(kind="open-data", sets=("mitosis_crops",), mirrored_crops=mirrored)
        (field,) = read_fields(config, tmp_path, mpp=0.25)
        patch = cut_patch(Window(0, 64.0, 64.0), (field,), side=192, border="white")
        beyond[mirrored] = int(patch.rgb[:32].min())
    assert beyond == {True: 90, False: 255}


@pytest.mark.realdata
def test_623_of_3828_figures_are_atypical(data: Path) -> None:
    label = [one.figure_label for one in read_figure_kinds(data)]
    assert (len(label), label.count(ATYPICAL)) == (3828, 623)


@pytest.mark.realdata
def test_figures_are_darker_than_their_surroundings(data: Path) -> None:
    inside, outside = [], []
    for picture in read_midesec(data):
        outside.append(picture.rgb.mean())
        for x, y in picture.figures.astype(int):
            inside.append(picture.rgb[max(y - 5, 0) : y + 5, max(x - 5, 0) : x + 5].mean())
    assert np.median(inside) < np.median(outside) - 40


@pytest.mark.realdata
def test_fields_carry_what_was_sorted_on_them(data: Path) -> None:
    negative, unsorted = read_negative_fields(data), read_unsorted_fields(data)
    assert (len(negative), len(unsorted)) == (106, 62)
    assert sum(len(picture.figures) for picture in negative) == 1
    assert sum(len(picture.figures) for picture in unsorted) == 9
    assert sum(len(picture.look_alikes) for picture in (*negative, *unsorted)) == 463
    kinds = [kind for picture in (*negative, *unsorted) for kind in picture.labels.kind.tolist() if kind]
    assert len(kinds) == 463
    assert kinds.count("pyknosis") == 98
    for picture in (*negative, *unsorted):
        points = picture.labels.points
        assert ((points >= 0) & (points <= (picture.width, picture.height))).all()
    sides = [{picture.case for picture in side if "OSCC" in picture.case} for side in (negative, unsorted)]
    assert len(sides[0] & sides[1]) == 19  # the same photograph is the same case


def test_every_sorted_candidate_has_a_class_and_who_said_so() -> None:
    table = rows_of(SORTED_CANDIDATES, columns=("set", "image", "x", "y", "class", "kind", "who", "date"))
    assert {row["class"] for row in table} == {"mitotic figure", "look-alike", "unsure", "border cut"}
    assert all(row["who"] and row["date"] for row in table)
    places = {(row["set"], row["image"], row["x"], row["y"]) for row in table}
    assert len(places) == len(table)
    read = [sorted_candidates(source) for source in (NEGATIVE_FIELDS, UNSORTED_FIELDS)]
    assert sum(len(labels) for one in read for labels in one.values()) == len(table)


def test_every_sorted_look_alike_has_a_kind_and_nothing_else_has() -> None:
    for row in rows_of(SORTED_CANDIDATES, columns=("class", "kind")):
        assert (row["kind"] in LOOK_ALIKE_KINDS) == (row["class"] == LOOK_ALIKE.name)


def test_a_kind_that_is_none_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "sorted.csv"
    path.write_text("set,image,x,y,class,kind\nnegative_fields,a.webp,1,2,look-alike,pycnosis\n")
    monkeypatch.setattr("mitoscope.data.open_data.SORTED_CANDIDATES", path)
    with pytest.raises(TrainingDataError, match=r"sorted\.csv: no kind of look-alikes: 'pycnosis'; known:"):
        sorted_candidates(NEGATIVE_FIELDS)


def test_look_alikes_keep_their_kind_and_their_digest() -> None:
    rgb = np.full((100, 100, 3), 180, dtype=np.uint8)
    points = np.array([[20.0, 20.0], [60.0, 60.0]])
    plain = Picture("a", "s", "c", rgb, look_alikes=points)
    kinds = np.array(["apoptosis", "pyknosis"])
    told = Picture("a", "s", "c", rgb, look_alikes=points, look_alike_kinds=kinds)
    assert told.labels.kind.tolist() == kinds.tolist()
    assert plain.labels.kind.tolist() == ["", ""]
    assert told.digest() == plain.digest()


def test_what_nobody_could_tell_is_neither_figure_nor_background() -> None:
    rgb = np.full((100, 100, 3), 180, dtype=np.uint8)
    unclear = Labels.of([(30.0, 30.0)], AMBIGUOUS.name)
    picture = Picture("a", "s", "c", rgb, others=unclear)
    points = np.array([[30.0, 45.0], [30.0, 55.0]])
    assert picture.examined(points).tolist() == [False, True]
    assert picture.may_be_background(points).tolist() == [False, True]
    assert not len(picture.figures)
    assert not len(picture.look_alikes)
    other = Picture("a", "s", "c", rgb, others=Labels.of(unclear.points, "granulocyte"))
    assert other.examined(points).all()
    assert other.digest() != picture.digest()
