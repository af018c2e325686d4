"""The SlideRunner databases of CMC and CCMCT: one for each variant of the labels, one of outlines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from mitoscope.errors import TrainingDataError
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.registry import read_study
from mitoscope.experiments.exact.files import find_file
from mitoscope.experiments.exact.wsi_made import make_databases
from mitoscope.experiments.exact.wsi_published import CCMCT_VARIANTS
from mitoscope.experiments.experiment import Desk, Size
from mitoscope.fsio import make_directory
from mitoscope.geometry import SizePx
from mitoscope.store import Study
from mitoscope.store.quarantine import CROSSES_ITSELF

WSI_MPP: Final = 0.2533
"""µm/px of the slides of both sets: their ten high-power fields are 7017 × 5263 px."""


@dataclass(frozen=True, slots=True)
class WsiSet:
    """The databases of a data set.

    Parameters
    ----------
    name : str
        As `mitoscope data` calls it.
    variants : mapping of str to tuple of str
        Variant of the labels → names that its file goes by.
    outlines : tuple of str
        Names of the file with the outlines of the tumours.
    others : tuple of str
        Classes besides mitotic figure and look-alike.
    """

    name: str
    variants: Mapping[str, tuple[str, ...]]
    outlines: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def needs(self) -> str:
        """The data that the full size takes."""
        files = dict.fromkeys(names[0] for names in (*self.variants.values(), self.outlines))
        return f"{self.name}: {', '.join(files)} in databases, no pixels"

    def files(self, desk: Desk, *, only_outlines: bool = False) -> tuple[Path, ...]:
        """Return the file of each variant, then that of the outlines; for the smoke size they are made.

        Raises
        ------
        TrainingDataError
            If one is not there.
        """
        every = (*self.variants.values(), self.outlines)
        wanted = (self.outlines,) if only_outlines else every
        if desk.size is Size.SMOKE:
            folder = make_directory(desk.out / "synthetic" / self.name)
            make_databases(folder, [names[0] for names in every], others=self.others)
            return tuple(folder / names[0] for names in wanted)
        return tuple(find_file(desk.data, *names, data_set=self.name) for names in wanted)


CMC: Final = WsiSet(
    "cmc",
    {
        "MEL": ("MITOS_WSI_CMC_MEL.sqlite",),
        "ODAEL": ("MITOS_WSI_CMC_ODAEL_TR.sqlite", "MITOS_WSI_CMC_ODAEL.sqlite"),
        "CODAEL": ("MITOS_WSI_CMC_CODAEL_TR_ROI.sqlite", "MITOS_WSI_CMC_COADEL_TR_ROI.sqlite"),
    },
    ("MITOS_WSI_CMC_CODAEL_TR_ROI.sqlite", "MITOS_WSI_CMC_COADEL_TR_ROI.sqlite"),
)
"""Canine mammary carcinoma; the authors' scripts also misspell the file with the outlines."""
CCMCT: Final = WsiSet(
    "ccmct",
    {variant: (f"MITOS_WSI_CCMCT_{variant}.sqlite",) for variant in CCMCT_VARIANTS},
    ("MITOS_WSI_CCMCT_Tumorzone.sqlite",),
    others=("tumour cell", "granulocyte"),
)
"""Canine cutaneous mast cell tumour."""


@lru_cache(maxsize=4)
def read_database(path: Path) -> Study:
    """Read a database.

    Raises
    ------
    FormatError
        If it is damaged.
    TrainingDataError
        If it holds no slide.
    """
    study = read_study(path, "sliderunner", ReadOptions())
    if not study.slides:
        raise TrainingDataError("no slide in it", where=path, mend="get the file again")
    return study


def left_out(study: Study) -> int:
    """Return how many outlines are left out because they cross themselves, so that their area is in doubt."""
    return sum(one.why == CROSSES_ITSELF and ": region " in one.where for one in study.quarantine)


def left_out_notes(outlines: int) -> tuple[str, ...]:
    """Return what is to be said of them; nothing of none."""
    what = "Outlines left out because they cross themselves, so that areas of their slides are wrong"
    return (f"{what}: {outlines}.",) if outlines else ()


def extent(study: Study, place: int) -> SizePx:
    """Return the size of a slide; where the database states none, how far its labels and outlines reach."""
    slide = study.slides[place]
    if slide.size is not None:
        return slide.size
    far = [study.cells.bounds_px0[study.cells.slide == place, 2:].reshape(-1, 2)]
    far += [one.vertices_px0 for one in study.regions if one.slide == place]
    reach = [part.max(axis=0).tolist() for part in far if len(part)] or [[0, 0]]
    return SizePx(*(int(max(values)) + 1 for values in zip(*reach, strict=True)))
