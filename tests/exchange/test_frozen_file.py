"""The file of a frozen version is ground truth by itself, the same as the version in its study."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange import frozen_file
from mitoscope.exchange.registry import read_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, LabelSet
from mitoscope.region import RegionKind
from mitoscope.store import Rater, Region, Shape, SlideRecord, Source, Store, StudyBuilder
from mitoscope.truth import Domain


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """Freeze two slides with boxes, a split, a tumour with a hole of necrosis and a region of interest."""
    build = StudyBuilder(LabelSet((MITOTIC_FIGURE, LOOK_ALIKE)))
    raters = [build.rater(Rater(name)) for name in ("first", "second", "third")]
    labels = [build.label(MITOTIC_FIGURE), build.label(LOOK_ALIKE)]
    for number in range(2):
        slide = build.slide(
            SlideRecord(
                f"{number}.svs",
                size=SizePx(4000, 3000),
                mpp=Mpp.square(0.25),
                sha256=f"{number}" * 64,
                case=f"case {number}",
                domain=Domain("mast cell tumour", "CS2"),
            )
        )
        for place in range(4):
            cell = build.cell(slide, [100 * place + 10.5, 20, 100 * place + 50, 80.25], shape=Shape.BOX)
            for rater, voice in zip(raters, (0, place % 2, 0), strict=True):
                build.event(cell, rater, labels[voice])
        for kind, low, high in ((RegionKind.TUMOUR, 0, 2000), (RegionKind.EXCLUSION, 500, 900)):
            ring = np.array([[low, low], [high, low], [high, high], [low, high]], dtype=np.float64)
            build.regions.append(Region(slide, ring, kind, str(kind)))
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(build.build(), source=Source("made"))
        version = store.freeze("MEL", split={"0.svs": "train", "1.svs": "test"})
        frozen_file.write(tmp_path / "MEL.json", version)
    return tmp_path / "MEL.json"


def test_the_file_and_the_version_are_one_truth(frozen: Path) -> None:
    of_file = read_ground_truth(frozen)
    of_study = read_ground_truth(f"{frozen.with_name('study.mito')}@MEL")
    assert of_file.sha256 == of_study.sha256
    assert of_file.policy == of_study.policy
    for mine, theirs in zip(of_file, of_study, strict=True):
        assert mine.cells == theirs.cells
        assert (mine.case, mine.mpp, mine.size, mine.domain, mine.side) == (
            theirs.case,
            theirs.mpp,
            theirs.size,
            theirs.domain,
            theirs.side,
        )
        assert mine.regions.tumour == theirs.regions.tumour
        assert mine.cells.agreement.tolist() == [1.0, pytest.approx(2 / 3)] * 2


def test_a_changed_file_is_refused(frozen: Path) -> None:
    values = json.loads(frozen.read_text(encoding="utf-8"))
    values["truth"]["slides"][0]["cells"]["agreement"][1] = 1.0
    frozen.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(FormatError, match="not what was frozen"):
        read_ground_truth(frozen)


def test_a_manifest_without_its_cells_names_the_version(frozen: Path) -> None:
    values = json.loads(frozen.read_text(encoding="utf-8"))
    del values["truth"]
    frozen.write_text(json.dumps(values), encoding="utf-8")
    with pytest.raises(FormatError, match="STUDY@MEL@1"):
        read_ground_truth(frozen)


def test_every_door_takes_the_file(frozen: Path, tmp_path: Path) -> None:
    truth = read_ground_truth(frozen)
    with Store.create(tmp_path / "again.mito") as store:
        store.import_study(read_study(frozen), source=Source("MEL.json"))
    again = read_ground_truth(tmp_path / "again.mito")
    assert again.counts() == truth.counts() != {}
    for mine, theirs in zip(again, truth, strict=True):
        assert mine.cells.points_px0 == pytest.approx(theirs.cells.points_px0)
        assert mine.cells.size_px0 == pytest.approx(theirs.cells.size_px0)
        assert mine.cells.agreement.tolist() == theirs.cells.agreement.tolist()
        assert (mine.case, mine.mpp, mine.size, mine.domain) == (
            theirs.case,
            theirs.mpp,
            theirs.size,
            theirs.domain,
        )
        assert mine.regions.tumour is not None
        assert theirs.regions.tumour is not None
        assert mine.regions.tumour.shape.equals(theirs.regions.tumour.shape)
