"""Hard examples (HEAEL): a classifier that has not seen a case doubts the labels there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mitoscope.cluster import Executor
from mitoscope.config import Config
from mitoscope.curation.hard_examples import CONFIDENT, hard_examples
from mitoscope.curation.review import open_review
from mitoscope.loops.job_folder import JobFolder
from mitoscope.loops.material import Learner, Material, Say, SlideFile, named, say_nothing

LOOP = "hard examples"


class HardExamplesConfig(Config):
    """How hard examples are looked for.

    Parameters
    ----------
    folds : int
        Of cases; a cell is judged by a classifier that has not seen its case.
    seed : int
        Of the folds.
    threshold : float
        Cells that are not figures and score above it are read again.
    """

    folds: Annotated[int, Field(ge=2)] = 3
    seed: int = 0
    threshold: Annotated[float, Field(ge=0, le=1)] = CONFIDENT


@dataclass(frozen=True, slots=True)
class Doubts:
    """What is doubtful.

    Parameters
    ----------
    asked : tuple of int
        Cells that are read again, by descending score.
    score_of : mapping of int to float
        Score of every cell of the version.
    new : int
        Cells that are new in the review.
    """

    asked: tuple[int, ...]
    score_of: Mapping[int, float]
    new: int


def find_hard_examples(
    material: Material,
    name: str,
    folder: Path,
    *,
    config: HardExamplesConfig | None = None,
    say: Say = say_nothing,
    executor: Executor | None = None,
) -> Doubts:
    """Run the loop to its review in the store; after a stop the same call goes on.

    Parameters
    ----------
    material, name, folder, say, executor
        See :func:`mitoscope.loops.missed.find_missed`.
    config : HardExamplesConfig, optional

    Returns
    -------
    Doubts
        With nothing asked where no cell is above the threshold; no review is opened then.

    Raises
    ------
    TrainingDataError, LedgerMismatchError
        As ``find_missed``.
    """
    config = config or HardExamplesConfig()
    score_of: dict[int, float] = {}
    folds = material.folds(config.folds, material.labels, seed=config.seed)
    with JobFolder.open(folder, LOOP, material.inputs(name, config)) as job:
        learn = material.learner.learn_classifier
        lessons = {
            f"{fold.title}: classifier": partial(
                named, learn, fold.others, job.path / fold.folder / "classifier"
            )
            for fold in folds
        }
        learnt = job.steps(lessons, executor=executor, say=say)
        looks = {
            (fold.title, slide): partial(
                _judge,
                material.learner,
                material.slide_file(slide),
                material.cells[slide].points_px0,
                Path(learnt[f"{fold.title}: classifier"]),
            )
            for fold in folds
            for slide in fold.held_out
        }
        works = {f"{title}: {slide}": work for (title, slide), work in looks.items()}
        judged = job.steps(works, executor=executor, say=say)
        for title, slide in looks:
            ids = material.cells[slide].cell_id.tolist()
            score_of |= dict(zip(ids, judged[f"{title}: {slide}"], strict=True))
    cells = material.frozen.label_of
    rows = hard_examples(list(cells.values()), [score_of[cell] for cell in cells], threshold=config.threshold)
    ids = list(cells)
    asked = tuple(ids[row] for row in rows.tolist())
    return Doubts(asked, score_of, open_review(material.store, name, asked) if asked else 0)


def _judge(
    learner: Learner, file: SlideFile, points_px0: NDArray[np.float64], classifier: Path
) -> list[float]:
    points = [(x, y) for x, y in points_px0.tolist()]
    return learner.score(classifier, file, points).tolist() if points else []
