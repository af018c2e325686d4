"""Hard examples (HEAEL): a classifier that has not seen a case doubts the labels there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated

from pydantic import Field

from mitoscope.config import Config
from mitoscope.curation.hard_examples import CONFIDENT, hard_examples
from mitoscope.curation.review import open_review
from mitoscope.loops.job_folder import JobFolder
from mitoscope.loops.material import Fold, Material, Say, say_nothing

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
) -> Doubts:
    """Run the loop to its review in the store; after a stop the same call goes on.

    Parameters
    ----------
    material, name, folder, say
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
        for fold in folds:
            say(f"{fold.title} of {len(folds)}")
            score_of |= _score_fold(job, material, fold)
    cells = material.frozen.label_of
    rows = hard_examples(list(cells.values()), [score_of[cell] for cell in cells], threshold=config.threshold)
    ids = list(cells)
    asked = tuple(ids[row] for row in rows.tolist())
    return Doubts(asked, score_of, open_review(material.store, name, asked) if asked else 0)


def _score_fold(job: JobFolder, material: Material, fold: Fold) -> dict[int, float]:
    learn = partial(material.learner.learn_classifier, fold.others, job.path / fold.folder / "classifier")
    classifier = Path(job.step(f"{fold.title}: classifier", lambda: str(learn())))
    scores: dict[int, float] = {}
    for slide in fold.held_out:
        judged = job.step(f"{fold.title}: {slide}", partial(_judge, material, slide, classifier))
        scores |= dict(zip(material.cells[slide].cell_id.tolist(), judged, strict=True))
    return scores


def _judge(material: Material, slide: str, classifier: Path) -> list[float]:
    points = [(x, y) for x, y in material.cells[slide].points_px0.tolist()]
    return material.learner.score(classifier, material.slide_file(slide), points).tolist() if points else []
