"""Figures mined on unlabelled slides, to be learnt from beside the labelled ones (Akram et al. 2018)."""

from __future__ import annotations

from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from mitoscope.bundle import Bundle
from mitoscope.data.field import Field
from mitoscope.errors import TrainingDataError
from mitoscope.exchange import detections_csv
from mitoscope.experiments.experiment import Desk, Size
from mitoscope.experiments.trained.slides import SlideSet
from mitoscope.infer import open_bundle_network
from mitoscope.loops.consistency import Find
from mitoscope.loops.job_folder import JobFolder
from mitoscope.loops.mining import MiningConfig, mine_slide
from mitoscope.loops.self_train import mined_lesson
from mitoscope.slide import open_slide

MINED: Final = "mined"
"""Source of the mined fields: what the sampling looks for."""
LOOP: Final = "mining of an experiment"
_SMOKE: Final = MiningConfig(window_px=128, overlap_px=32, floor=0.0, threshold=0.0)
"""A network of a few steps is sure of nothing."""


def mined_fields(detector: Bundle, one: SlideSet, desk: Desk, *, mpp: float) -> list[Field]:
    """Mine the slides of a set, and return those with figures; after a stop the same call goes on.

    Parameters
    ----------
    detector : Bundle
        What mines; the mined figures are kept beside it.
    one : SlideSet
        Without labels.
    desk : Desk
    mpp : float
        Resolution of training, µm/px.

    Raises
    ------
    TrainingDataError
        If nothing is mined.
    LedgerMismatchError
        If other slides of this set were mined there before.
    """
    config = _SMOKE if desk.size is Size.SMOKE else MiningConfig()
    inputs = {
        "detector": detector.fingerprint,
        "settings": config.fingerprint(),
        "unlabelled slides": one.sha256,
    }
    find = open_bundle_network(detector, provider=desk.device, threads=desk.threads)
    with JobFolder.open(detector.folder.parent / MINED / one.name, LOOP, inputs) as job:
        for name, path in sorted(one.files.items()):
            mine = partial(_mine, find, path, one, detector, config=config, table=job.path / f"{name}.csv")
            if (step := f"mining {name}") not in job.done:
                desk.tell(step)
            job.step(step, mine)
        lesson = mined_lesson(job.path, one.files)
    if not len(lesson.study.cells):
        raise TrainingDataError(
            f"nothing was mined on the {len(one.files)} slides of the set {one.name}",
            where=detector.folder,
            mend="give more unlabelled slides, or train the network that mines longer",
        )
    mined = replace(one, name=MINED, study=lesson.study, files=lesson.files)
    return [mined.field(slide, mpp=mpp) for slide in lesson.study.slides]


def _mine(
    find: Find, path: Path, one: SlideSet, detector: Bundle, *, config: MiningConfig, table: Path
) -> dict[str, Any]:
    with open_slide(path, mpp=one.slide_mpp) as slide:
        mined = mine_slide(slide, find, config, mpp=detector.manifest.mpp, source=MINED)
    detections_csv.write(table, mined.figures)
    return asdict(mined.count)
