"""Missed figures (ODAEL): detectors that have not seen a case say what the experts overlooked there.

CCMCT, CMC: per fold of cases a detector is trained on the others and run on the fold at a low threshold, so
that few figures are lost; what is a known cell is dropped; a classifier of cells, trained on the same other
cases, gives the rest its score; in ten bins by score they go before two experts and a third.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mitoscope.cluster import Executor
from mitoscope.config import Config
from mitoscope.curation.candidates import BINS, RADIUS_PX0, Proposal, candidates, propose
from mitoscope.detections import Detections
from mitoscope.exchange import detections_csv
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.loops.job_folder import JobFolder, tables_of_slides
from mitoscope.loops.material import Fold, Learner, Material, Say, SlideFile, named, say_nothing

LOOP = "missed figures"


class MissedConfig(Config):
    """How missed figures are looked for.

    Parameters
    ----------
    folds : int
        Of cases (CCMCT: 3).
    seed : int
        Of the folds.
    refine : bool
        Give candidates the score of a classifier of cells; otherwise they keep the detector's.
    floor : float
        Of the detector's score; what is not above it is no candidate. 0.3 is that of the published code.
    threshold : float
        Of the final score; candidates not above it are left out.
    radius_px0 : float
        A detection within it of a known cell is that cell.
    bins : int
        Rounds by score.
    """

    folds: Annotated[int, Field(ge=2)] = 3
    seed: int = 0
    refine: bool = True
    floor: Annotated[float, Field(ge=0, le=1)] = 0.3
    threshold: Annotated[float, Field(ge=0, le=1)] = 0.0
    radius_px0: Annotated[float, Field(gt=0)] = RADIUS_PX0
    bins: Annotated[int, Field(ge=1)] = BINS


def find_missed(
    material: Material,
    name: str,
    folder: Path,
    *,
    config: MissedConfig | None = None,
    say: Say = say_nothing,
    executor: Executor | None = None,
) -> Proposal:
    """Run the loop to its review in the store; after a stop the same call goes on.

    Parameters
    ----------
    material : Material
        The version to learn from and what is needed for it.
    name : str
        Of the review to be opened.
    folder : Path
        For detectors, detections and the state.
    config : MissedConfig, optional
    say : callable
        Told each step.
    executor : Executor, optional
        What trains and searches, fold by fold and slide by slide; by default this process.

    Raises
    ------
    TrainingDataError
        If there are fewer cases than folds, or a fold would be trained without a class.
    LedgerMismatchError
        If the folder was begun with another version, recipe or setting; names it.
    FormatError, ConflictError
        As ``propose``.
    """
    config = config or MissedConfig()
    labels = material.labels if config.refine else (MITOTIC_FIGURE.name,)
    folds = material.folds(config.folds, labels, seed=config.seed)
    with JobFolder.open(folder, LOOP, material.inputs(name, config)) as job:
        networks = job.steps(_lessons(job.path, material, folds, config), executor=executor, say=say)
        tables = tables_of_slides(job.path, material.slides)
        searches = {
            f"{fold.title}: {slide}": partial(
                _search,
                material.learner,
                material.slide_file(slide),
                material.cells[slide].points_px0,
                tables[slide],
                radius_px0=config.radius_px0,
                floor=config.floor,
                detector=Path(networks[f"{fold.title}: detector"]),
                classifier=Path(networks[f"{fold.title}: classifier"]) if config.refine else None,
            )
            for fold in folds
            for slide in fold.held_out
        }
        job.steps(searches, executor=executor, say=say)
        found = {slide: detections_csv.read(tables[slide]) for slide in material.slides}
        return propose(
            material.store,
            name,
            found,
            model=f"missed figures {material.learner.fingerprint[:12]}",
            bins=config.bins,
            radius_px0=config.radius_px0,
            threshold=config.threshold,
        )


def _lessons(
    folder: Path, material: Material, folds: Sequence[Fold], config: MissedConfig
) -> dict[str, Callable[[], str]]:
    """Return what is trained for each fold."""
    learner, works = material.learner, dict[str, Callable[[], str]]()
    for fold in folds:
        place = folder / fold.folder
        works[f"{fold.title}: detector"] = partial(
            named, learner.learn_detector, fold.others, place / "detector"
        )
        if config.refine:
            works[f"{fold.title}: classifier"] = partial(
                named, learner.learn_classifier, fold.others, place / "classifier"
            )
    return works


def _search(
    learner: Learner,
    file: SlideFile,
    known_px0: NDArray[np.float64],
    table: Path,
    *,
    detector: Path,
    classifier: Path | None,
    radius_px0: float,
    floor: float,
) -> int:
    """Search a slide and write what is new there; return how many that are."""
    found = learner.detect(detector, file, detector.parent / "found")
    new = candidates(found.take(found.score > floor), known_px0, radius_px0=radius_px0)
    if classifier is not None and len(new):
        score = learner.score(classifier, file, [(x, y) for x, y in new.points_px0.tolist()])
        new = Detections(new.x_px0, new.y_px0, score, new.label, new.source)
    detections_csv.write(table, new)
    return len(new)
