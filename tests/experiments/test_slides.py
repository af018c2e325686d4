"""Sets of slides: another layout, missing and doubled files, splits by name and by table."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.experiments.experiment import Size
from mitoscope.experiments.shelf import FOLDER, find_experiments, recipes_folder
from mitoscope.experiments.trained.declaration import Declaration, SetDeclaration, read_declaration
from mitoscope.experiments.trained.networks import ArmNetwork, NetworkBuilder
from mitoscope.experiments.trained.slides import check_there, laboratory_of, open_fields, read_set
from tests.experiments.running import workplace

NAMES = ("a.svs", "b.svs", "c.svs", "d.svs")
pytestmark = [pytest.mark.realdata, pytest.mark.train]
LABORATORIES = {"midog21", "midogpp", "brecahad", "negative_fields"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the labels of four slides, and two of these as images of another format."""
    rows = [f"{name},{20 + 10 * place},30,mitotic figure" for place, name in enumerate(NAMES)]
    (tmp_path / "labels.csv").write_text("image,x,y,label\n" + "\n".join(rows) + "\n")
    for name in ("a", "b"):
        picture(tmp_path / "slides" / f"{name}.png")
    return tmp_path


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((96, 96, 3), 200, np.uint8)).save(path)


def declared(**more: object) -> SetDeclaration:
    values = {"labels": "labels.csv", "slides": "slides", "slide_mpp": 0.25, "test": ("b",)} | more
    return SetDeclaration.parse(values, where="test")


def test_all_missing_slides_are_listed(folder: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"2 of 4 slides are missing: c\.svs, d\.svs; get them"):
        read_set("own", declared(), folder)


def test_slides_are_found_below_the_folder_and_in_other_formats(folder: Path) -> None:
    picture(folder / "slides" / "part" / "c.tiff")
    picture(folder / "slides" / "part" / "more" / "d.webp")
    own = read_set("own", declared(), folder)
    assert [path.name for path in own.files.values()] == ["a.png", "b.png", "c.tiff", "d.webp"]
    assert own.tests == {"b.svs"}
    assert [slide.name for slide in own.slides(testing=False)] == ["a.svs", "c.svs", "d.svs"]
    figures = own.field(own.truth.slides[2], mpp=0.25).figures
    assert figures.tolist() == [[40.0, 30.0]]
    assert own.sha256 != read_set("own", declared(test=("a",)), folder).sha256


def test_two_files_of_one_name_are_refused(folder: Path) -> None:
    for name in ("c.png", "d.png", "other/a.tif"):
        picture(folder / "slides" / name)
    with pytest.raises(TrainingDataError) as caught:
        read_set("own", declared(), folder)
    assert "1 slides have several files of their name, the first: a.png and other/a.tif" in str(caught.value)


def test_another_layout_and_unknown_test_slides_are_named(folder: Path) -> None:
    with pytest.raises(TrainingDataError, match="1 of 2 files and folders are not there: WSI; give"):
        read_set("own", declared(slides="WSI"), folder)
    for name in ("c.png", "d.png"):
        picture(folder / "slides" / name)
    with pytest.raises(TrainingDataError, match="1 test slides are not in the labels: z"):
        read_set("own", declared(test=("a", "z")), folder)


def test_all_that_is_not_there_is_listed_at_once(folder: Path) -> None:
    sets = [declared(), declared(labels="more/labels.csv"), declared(slides="WSI", domains="domains.csv")]
    with pytest.raises(TrainingDataError) as caught:
        check_there(sets, folder)
    assert "3 of 5 files and folders are not there: more/labels.csv, domains.csv, WSI; give" in str(
        caught.value
    )
    check_there(sets[:1], folder)


def test_two_labelled_slides_do_not_share_a_file(folder: Path) -> None:
    with (folder / "labels.csv").open("a") as table:
        table.write("a.tiff,40,40,mitotic figure\n")
    for name in ("c", "d"):
        picture(folder / "slides" / f"{name}.png")
    with pytest.raises(
        TrainingDataError, match=r"a\.png: the labels have two slides of one name, a\.(svs|tiff) and"
    ):
        read_set("own", declared(), folder)


def test_a_declaration_with_two_splits_is_refused() -> None:
    with pytest.raises(ConfigError, match="exactly one of them"):
        declared(every_nth=3)


def test_a_folder_without_labels_is_a_set_to_be_mined(folder: Path) -> None:
    unlabelled = {"labels": "", "test": (), "unlabelled": True}
    own = read_set("U", declared(**unlabelled), folder)
    assert sorted(own.files) == ["a.png", "b.png"]
    assert not own.slides(testing=True)
    assert not len(own.truth.by_name["a.png"].cells)
    picture(folder / "slides" / "part" / "c.png")
    assert own.sha256 != read_set("U", declared(**unlabelled), folder).sha256
    picture(folder / "slides" / "more" / "c.png")
    with pytest.raises(TrainingDataError, match=r"the first: more/c\.png and part/c\.png"):
        read_set("U", declared(**unlabelled), folder)
    (folder / "empty").mkdir()
    with pytest.raises(TrainingDataError, match="no slide of the set U there"):
        read_set("U", declared(**unlabelled, slides="empty"), folder)
    with pytest.raises(ConfigError, match="labels, unlabelled or open_data: exactly one of them"):
        declared(**(unlabelled | {"labels": "labels.csv"}))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"mined_by": None}, "unlabelled sets need mined_by, and mined_by needs them"),
        ({"mined_by": "M"}, "builds on 'M', which is no arm before it"),
        ({"sets": ["T", "U"]}, "sets without labels are mined, and they alone"),
        ({"unlabelled": ["M"]}, "sets without labels are mined, and they alone"),
    ],
)
def test_an_arm_that_mines_names_slides_without_labels_and_an_arm_before_it(
    change: dict[str, object], says: str
) -> None:
    path = recipes_folder() / FOLDER / "semi-table1.toml"
    values = read_declaration(path)
    first, mining, *others = values["arms"]
    assert mining["name"] == "T+U"
    mining = {key: value for key, value in (mining | change).items() if value is not None}
    with pytest.raises(ConfigError, match=re.escape(says)):
        Declaration.parse(values | {"arms": [first, mining, *others]}, where=path)


def test_a_published_row_that_is_no_arm_is_refused() -> None:
    path = recipes_folder() / FOLDER / "cmc-table3.toml"
    values = read_declaration(path)
    assert Declaration.parse(values, where=path).paper == "CMC"
    wrong = values | {"published": {"values": {"CODEAL": {"dual stage F1": 0.8}}}}
    with pytest.raises(ConfigError, match="names an arm or a column that is not there"):
        Declaration.parse(wrong, where=path)


@pytest.mark.parametrize(
    ("experiment", "score", "says"),
    [
        ("cmc-table3", "verified/all/F1", "no score 'verified/all/F1' is measured of points"),
        ("cmc-table2", "verified/all/f1", "no score 'verified/all/f1' is measured of cells"),
        ("crowd-table4", "all/tpr@50", "no score 'all/tpr@50' is measured of tiles"),
    ],
)
def test_a_score_that_is_not_measured_is_refused_when_the_file_is_read(
    experiment: str, score: str, says: str
) -> None:
    path = recipes_folder() / FOLDER / f"{experiment}.toml"
    values = read_declaration(path) | {"columns": [{"name": "one", "score": score}], "published": {}}
    with pytest.raises(ConfigError, match=re.escape(says)):
        Declaration.parse(values, where=path)


def test_a_column_of_a_domain_that_no_slide_tests_is_refused_before_training(
    data: Path, tmp_path: Path
) -> None:
    (experiment,) = find_experiments(["midogpp-table6"], recipes_folder())
    own = experiment.at(Size.SMALL)  # type: ignore[attr-defined]
    columns = (own.columns[0].model_copy(update={"score": "proposals/BreCaHED/f1"}),)
    wrong = own.model_copy(update={"small": own.small.model_copy(update={"columns": columns})})
    changed = replace(experiment, declaration=wrong)  # type: ignore[call-arg]
    told = r"belongs to the score 'proposals/BreCaHED/f1'; there are .*BreCaHAD"
    with pytest.raises(ConfigError, match=told):
        changed.plan(workplace(tmp_path, Size.SMALL, data=data))


def test_an_unknown_experiment_is_refused_with_those_like_it() -> None:
    with pytest.raises(ConfigError, match="no experiment 'cmc-tabel3'; for example cmc-table3"):
        find_experiments(["cmc-tabel3"], recipes_folder())


def test_the_laboratory_left_out_is_not_learnt_from_and_neither_is_a_tested_case(
    data: Path, tmp_path: Path
) -> None:
    (experiment,) = find_experiments(["midogpp-table6"], recipes_folder())
    own = experiment.at(Size.SMALL)  # type: ignore[attr-defined]
    sets = {name: read_set(name, one, data) for name, one in own.sets.items()}
    builder = NetworkBuilder(own, workplace(tmp_path, Size.SMALL, data=data), sets)
    tested = {slide.name for one in sets.values() for slide in one.slides(testing=True)}
    for arm in own.arms:
        fields, _ = builder.fields(arm, ArmNetwork("", 0, None), mpp=0.25)
        assert {laboratory_of(field) for field in fields} == LABORATORIES - set(arm.without)
        assert not {field.name for field in fields} & tested
        assert "BreCaHAD/Case_10" not in {field.case for field in fields}
    assert {arm.without for arm in own.arms} == {(), *((one,) for one in LABORATORIES)}
    assert {laboratory_of(one) for one in open_fields(data, only=["brecahad"], without=(), tested=())} == {
        "brecahad"
    }
