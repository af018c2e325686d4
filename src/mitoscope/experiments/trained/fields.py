"""What is learnt from besides whole slides: the densest part of each, and figures mined without labels."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np

from mitoscope.bundle import Bundle
from mitoscope.count import FIELD_ASPECT, find_hot_spot, window_size
from mitoscope.data.field import Field
from mitoscope.data.slide_field import PartField, SlideField
from mitoscope.data.sources import fields_of
from mitoscope.errors import RegionError, TrainingDataError
from mitoscope.exchange import detections_csv
from mitoscope.experiments.experiment import Size, Workplace
from mitoscope.experiments.trained.slides import SlideSet, mpp_of
from mitoscope.geometry import HPF_AREA_MM2, BoxPx, Mpp, SizePx
from mitoscope.infer import open_detector
from mitoscope.loops.job_folder import JobFolder, tables_of_slides
from mitoscope.loops.mining import MiningConfig, mine_slide
from mitoscope.loops.self_train import mined_slides
from mitoscope.search import Detector
from mitoscope.slide import open_slide

MINED: Final = "mined"
"""Source of the mined fields: what the sampling looks for."""
LOOP: Final = "mining of an experiment"
_SMOKE: Final = MiningConfig(window_px=128, overlap_px=32, floor=0.0, threshold=0.0)
"""A network of a few steps is sure of nothing."""


def part_of(whole: SlideField, *, hpf: int, centre: tuple[float, float] | None = None) -> Field:
    """Return the area of so many high-power fields around a centre (CCMCT, ablation).

    Parameters
    ----------
    whole : SlideField
    hpf : int
    centre : tuple of 2 float, optional
        In px of the field; by default where the slide has most figures.

    Raises
    ------
    RegionError
        If there is not at least one field.
    """
    if hpf < 1:
        raise RegionError(f"{hpf} high-power fields", mend="at least 1")
    size = SizePx(whole.width, whole.height)
    window = window_size(hpf * HPF_AREA_MM2, aspect=FIELD_ASPECT, mpp=Mpp(whole.mpp, whole.mpp))
    side = min(window.width, size.width), min(window.height, size.height)
    if centre is None:
        points = whole.figures
        on_slide = ((points >= 0) & (points < [size.width, size.height])).all(axis=1)
        area = find_hot_spot(points[on_slide], window=window, slide_size=size).box_px0
        corner = (int(np.floor(area.x)), int(np.floor(area.y)))
    else:
        spare = size.width - side[0], size.height - side[1]
        corner = tuple(  # type: ignore[assignment]
            int(min(max(middle - length / 2, 0), most))
            for middle, length, most in zip(centre, side, spare, strict=True)
        )
    width, height = (
        min(length, whole_ - at)
        for length, whole_, at in zip(side, (size.width, size.height), corner, strict=True)
    )
    return PartField.of(whole, BoxPx(*corner, width, height))


def mined_fields(detector: Bundle, slide_set: SlideSet, workplace: Workplace, *, mpp: float) -> list[Field]:
    """Mine the slides of a set, and return those with figures; after a stop the same call goes on.

    Parameters
    ----------
    detector : Bundle
        What mines; the mined figures are kept beside it.
    slide_set : SlideSet
        Without labels.
    workplace : Workplace
    mpp : float
        Resolution of training, µm/px.

    Raises
    ------
    TrainingDataError
        If nothing is mined.
    LedgerMismatchError
        If other slides of this set were mined there before.
    """
    config = _SMOKE if workplace.size is Size.SMOKE else MiningConfig()
    inputs = {
        "detector": detector.fingerprint,
        "settings": config.fingerprint(),
        "unlabelled slides": slide_set.sha256,
    }
    network = open_detector(detector, provider=workplace.device, threads=workplace.threads)
    with JobFolder.open(detector.folder.parent / MINED / slide_set.name, LOOP, inputs) as job:
        tables = tables_of_slides(job.path, slide_set.files)
        for name, path in sorted(slide_set.files.items()):
            mine = partial(
                _mine,
                network,
                path,
                mpp_of(slide_set.truth.by_name[name]),
                config=config,
                table=tables[name],
            )
            if (step := f"mining {name}") not in job.done:
                workplace.tell(step)
            job.step(step, mine)
        labelled = mined_slides(job.path, slide_set.files)
    if not labelled.truth.n_figures:
        raise TrainingDataError(
            f"nothing was mined on the {len(slide_set.files)} slides of the set {slide_set.name}",
            where=detector.folder,
            mend="give more unlabelled slides, or train the network that mines longer",
        )
    known = slide_set.truth.by_name
    truth = labelled.truth.with_slides(replace(slide, mpp=known[slide.name].mpp) for slide in labelled.truth)
    return list(fields_of(truth, labelled.files, mpp=mpp, source=MINED))


def _mine(
    network: Detector, path: Path, mpp: float | None, *, config: MiningConfig, table: Path
) -> dict[str, Any]:
    with open_slide(path, mpp=mpp) as slide:
        mined = mine_slide(slide, network, config, source=MINED)
    detections_csv.write(table, mined.figures)
    return asdict(mined.count)
