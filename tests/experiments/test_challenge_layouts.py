"""The challenges' archives as they unpack: slides by folder and name, cases by name, empty fields."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.errors import TrainingDataError
from mitoscope.exchange import write_study
from mitoscope.experiments.shelf import FOLDER, recipes_folder
from mitoscope.experiments.trained.declaration import Declaration, SetDeclaration, read_declaration
from mitoscope.experiments.trained.slides import read_set
from mitoscope.geometry import SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Rater, Region, RegionKind, SlideRecord, StudyBuilder


def declared(experiment: str, name: str, **changes: object) -> SetDeclaration:
    path = recipes_folder() / FOLDER / experiment
    own = Declaration.parse(read_declaration(path), where=path).sets[name]
    return own.model_copy(update=changes)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((96, 96, 3), 200, np.uint8)).save(path)


def write(path: Path, *rows: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row}\n" for row in rows))


@pytest.fixture
def tupac(tmp_path: Path) -> Path:
    """Return TUPAC16 of 14 cases with two fields each, of which the second has no figure and no file."""
    for case in range(1, 15):
        for field in ("01", "02"):
            picture(tmp_path / f"tupac/mitoses_image_data_part_{1 + case // 10}/{case:02}/{field}.tif")
        write(tmp_path / f"tupac/mitoses_ground_truth/{case:02}/01.csv", f"{20 + case},30")
        write(tmp_path / f"tupac/TUPAC_AL/mitoses_ground_truth/{case:02}/01.csv", "40,50")
        write(tmp_path / f"tupac/TUPAC_AL/nonmitoses_ground_truth/{case:02}/02.csv", "60,70")
    return tmp_path


def test_tupac16_is_split_by_case_and_has_its_fields_without_figures(tupac: Path) -> None:
    own = read_set("T", declared("semi-table1.toml", "T"), tupac)
    assert len(own.truth) == 28
    assert {slide.case for slide in own.truth} == {f"{case:02}" for case in range(1, 15)}
    tested = {slide.case for slide in own.slides(testing=True)}
    assert tested == {"01", "07", "13"}
    assert not tested & {slide.case for slide in own.slides(testing=False)}
    by_file = {"/".join(own.files[one.name].parts[-2:]): one for one in own.truth}
    assert by_file["03/01.tif"].cells.figures_px0.tolist() == [[30.0, 23.0]]
    assert len(by_file["03/02.tif"].cells) == 0


def test_look_alikes_of_their_own_files_stand_beside_the_figures(tupac: Path) -> None:
    changes = {"cases": ("03", "04"), "test_cases": ("04",)}
    own = read_set("A", declared("cmc-table4.toml", "AMIDA, alternative", **changes), tupac)
    assert [slide.case for slide in own.slides(testing=True)] == ["04", "04"]
    counts = {own.files[one.name].stem: len(one.cells.look_alikes_px0) for one in own.slides(testing=False)}
    assert counts == {"01": 0, "02": 1}
    with pytest.raises(TrainingDataError, match="1 cases have no slide: 23"):
        read_set("A", declared("cmc-table4.toml", "AMIDA, alternative", cases=("03", "23")), tupac)


def test_both_scanners_of_mitos_2014_are_one_case(tmp_path: Path) -> None:
    for case in ("03", "04", "05", "07", "10", "11", "12"):
        for scanner in "AH":
            folder = tmp_path / "mitos14" / f"{scanner}{case}"
            for frame in ("00Aa", "01Bb"):
                picture(folder / f"frames/x40/{scanner}{case}_{frame}.tiff")
                picture(folder / f"frames/x20/{scanner}{case}_{frame[:-1]}.tiff")
            write(folder / f"mitosis/{scanner}{case}_00Aa_mitosis.csv", "30,40,0.8")
            write(folder / f"mitosis/{scanner}{case}_00Aa_not_mitosis.csv", "60,40,0.2")
    own = read_set("M", declared("semi-table1.toml", "M"), tmp_path)
    assert len(own.truth) == 28
    sides = {
        testing: {own.files[slide.name].stem[:3] for slide in own.slides(testing=testing)}
        for testing in (True, False)
    }
    assert sides[True] == {"A03", "H03", "A12", "H12"}
    assert not {name[1:] for name in sides[True]} & {name[1:] for name in sides[False]}
    labelled = next(slide for slide in own.truth if own.files[slide.name].stem == "A03_00Aa")
    assert labelled.cells.figures_px0.tolist() == [[30.0, 40.0]]
    assert labelled.cells.look_alikes_px0.tolist() == [[60.0, 40.0]]


def test_disputed_cells_stand_for_look_alikes_where_a_variant_has_none(tmp_path: Path) -> None:
    build = StudyBuilder()
    slide = build.slide(SlideRecord("a.png", size=SizePx(96, 96)))
    experts = [build.rater(Rater(name)) for name in ("first", "second")]
    figure, other = build.label(MITOTIC_FIGURE), build.label(LOOK_ALIKE)
    for place, said in (
        ((20, 20), (figure, figure)),
        ((50, 50), (figure, other)),
        ((80, 80), (other, figure)),
    ):
        cell = build.cell(slide, place)
        for expert, label in zip(experts, said, strict=True):
            build.event(cell, expert, label)
    square = np.array([[30.0, 40.0], [70.0, 40.0], [70.0, 80.0], [30.0, 80.0]])
    areas = StudyBuilder()
    areas.regions.append(
        Region(areas.slide(SlideRecord("a.png", size=SizePx(96, 96))), square, RegionKind.INTEREST, "area")
    )
    write_study(build.build(), tmp_path / "labels.sqlite", "sliderunner")
    write_study(areas.build(), tmp_path / "HighMCAreas.sqlite", "sliderunner")
    picture(tmp_path / "slides" / "a.png")
    values = {"labels": "labels.sqlite", "slides": "slides", "slide_mpp": 0.25, "only_trains": True}
    plain = read_set("MEL", SetDeclaration.parse(values, where="test"), tmp_path)
    assert len(plain.truth.slides[0].cells) == 1
    more = values | {"ambiguous_as": "look-alike", "areas": "*HighMCAreas*.sqlite"}
    own = read_set("MEL", SetDeclaration.parse(more, where="test"), tmp_path)
    cells = own.truth.slides[0].cells
    assert cells.figures_px0.tolist() == [[20.0, 20.0]]
    assert sorted(cells.look_alikes_px0.tolist()) == [[50.0, 50.0], [80.0, 80.0]]
    assert own.areas_px0 == {own.truth.slides[0].name: (50.0, 60.0)}
