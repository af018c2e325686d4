"""The same figures, classes and regions by every format: the same number of figures, the same area."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.exchange.format import Aspect, ReadOptions, WriteOptions
from mitoscope.exchange.registry import FORMATS, read_study, write_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.region import RegionKind
from mitoscope.store import (
    Cells,
    LabelEvents,
    Rater,
    RaterKind,
    Region,
    Shape,
    SlideRecord,
    Source,
    Store,
    Study,
)

MPP = Mpp.square(0.25)
FIGURES, LOOK_ALIKES = 12, 7
OPTIONS = ReadOptions(mpp=MPP, slide="slide")
SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])


def study() -> Study:
    n = FIGURES + LOOK_ALIKES
    centres = 100.0 + 173.0 * np.column_stack([np.arange(n), np.arange(n) ** 2 % 11])
    shape = np.array([Shape.SPOT, Shape.BOX, Shape.CIRCLE])[np.arange(n) % 3]
    half = np.where(shape == Shape.SPOT, 0.0, 25.0)[:, np.newaxis]
    return Study(
        (SlideRecord("slide", SizePx(5000, 4000), MPP),),
        DEFAULT_LABELS,
        (Rater("consensus", RaterKind.CONSENSUS),),
        cells=Cells.of(np.zeros(n), np.hstack([centres - half, centres + half]), shape=shape),
        events=LabelEvents.of(np.arange(n), np.zeros(n), np.arange(n) >= FIGURES),
        regions=(
            Region(0, SQUARE * 4000, RegionKind.TUMOUR, "Tumor"),
            Region(0, SQUARE * 1000 + 500, RegionKind.EXCLUSION, "Necrosis"),
            Region(0, SQUARE * 3000 + 250, RegionKind.INTEREST, "10 HPF"),
        ),
    )


WRITABLE = [name for name, known in FORMATS.items() if known.write is not None]


@pytest.mark.parametrize("name", WRITABLE)
def test_every_format_says_the_same(tmp_path: Path, name: str) -> None:
    for needed in {"parquet": ["pyarrow"], "dicom": ["highdicom"]}.get(name, []):
        pytest.importorskip(needed)
    known, path = FORMATS[name], tmp_path / f"slide{FORMATS[name].suffix}"
    said = write_study(study(), path, name, WriteOptions(mpp=MPP))
    by_file = read_ground_truth(path, format_name=name, options=OPTIONS)
    with Store.create(tmp_path / "a.mito") as store:
        store.import_study(read_study(path, name, OPTIONS), source=Source(path.name))
        by_store = store.ground_truth()
    for truth in (by_file, by_store):
        counts = truth.counts()
        assert counts["mitotic figure"] == FIGURES
        if Aspect.LOOK_ALIKES in known.holds:
            assert counts["look-alike"] == LOOK_ALIKES
        else:
            assert any("look-alikes (7)" in line for line in said)
        regions = truth.slides[0].regions
        if Aspect.REGIONS in known.holds:
            assert regions.tumour is not None
            assert regions.interest is not None
            assert regions.tumour.area_mm2(MPP) == pytest.approx((16 - 1) * 0.0625)
            assert regions.interest.area_mm2(MPP) == pytest.approx(9 * 0.0625)
        else:
            assert regions.tumour is None
            assert any("regions (3)" in line for line in said)


def test_the_formats_of_the_page_are_all_there_are() -> None:
    page = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert sorted(rows[1:]) == sorted(FORMATS)
