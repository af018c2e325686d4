"""Errors by kind: what false positives fell on, and which figures were missed, and where in the detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.judged_image import JudgedImage
from mitoscope.evaluate.matching import UNMATCHED
from mitoscope.evaluate.protocols import Protocol
from mitoscope.truth import TrueCells

ELSEWHERE: Final = "not labelled"
"""Kind of a false positive that fell on no labelled cell."""
SIZES_UM: Final = (8.0, 12.0, 16.0)
"""Where sizes of figures are parted: mean of width and height as drawn, in µm."""
_POINT: Final = "size not stated"


@dataclass(frozen=True, slots=True)
class FalseKind:
    """False positives on one kind of cell.

    Attributes
    ----------
    kind : str
        Name of the class, or `ELSEWHERE`.
    false : int
        False positives on such cells.
    cells : int or None
        Such cells in the judged area, None where nobody counted: cells without a label.
    """

    kind: str
    false: int
    cells: int | None


@dataclass(frozen=True, slots=True)
class MissedKind:
    """True figures of one kind: found, or where they were lost.

    Attributes
    ----------
    kind : str
        Class or size.
    figures, found : int
    below_threshold : int
        Missed, but there is a candidate of a lower score.
    no_candidate : int
        Missed without any candidate.
    """

    kind: str
    figures: int
    found: int
    below_threshold: int
    no_candidate: int

    @property
    def recall(self) -> float:
        """Share that was found."""
        return self.found / self.figures


@dataclass(frozen=True)
class ErrorTable:
    """Errors of an evaluation by kind.

    Attributes
    ----------
    false : tuple of FalseKind
        Most errors first.
    missed_by_class, missed_by_size : tuple of MissedKind
        By class (atypical figures apart), and by size where one was drawn.
    """

    false: tuple[FalseKind, ...]
    missed_by_class: tuple[MissedKind, ...]
    missed_by_size: tuple[MissedKind, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            "false": [asdict(row) for row in self.false],
            "missed_by_class": [{**asdict(row), "recall": row.recall} for row in self.missed_by_class],
            "missed_by_size": [{**asdict(row), "recall": row.recall} for row in self.missed_by_size],
        }


def count_errors(judged: Evaluation, kinds: Mapping[str, TrueCells] | None = None) -> ErrorTable:
    """Count the errors of an evaluation by kind.

    Parameters
    ----------
    judged : Evaluation
        False positives are matched, by its protocol, with the cells of its ground truth that are no figures:
        look-alikes, apoptotic cells, granulocytes, whatever is labelled.
    kinds : mapping of str to TrueCells, optional
        By the stem of the image's name, cells of which a list names the kind (apoptosis, pyknosis,
        lymphocyte, crushed, pigment, border cut …); they go before those of the ground truth.
    """
    false: dict[str, int] = {}
    cells: dict[str, int] = {}
    classes: dict[str, list[tuple[bool, bool]]] = {}
    sizes: dict[str, list[tuple[bool, bool]]] = {}
    for name, image in judged.judged_images.items():
        threshold = judged.thresholds[name]
        listed = (kinds or {}).get(name, TrueCells.none())
        sources = [listed.take(image.examined.contains(listed.points_px0))]
        sources.append(image.cells.take(~image.cells.is_figure))
        for kind in kinds_of_false(image, threshold, sources, judged.protocol).tolist():
            false[kind] = false.get(kind, 0) + 1
        for kind in np.concatenate([source.label for source in sources]).tolist():
            cells[kind] = cells.get(kind, 0) + 1
        figures = image.cells.take(image.cells.is_figure)
        found = image.sweep.at(threshold).detection_of != UNMATCHED
        proposed = image.sweep.matching.detection_of != UNMATCHED
        outcomes = list(zip(found.tolist(), proposed.tolist(), strict=True))
        for kind, outcome in zip(figures.label.tolist(), outcomes, strict=True):
            classes.setdefault(kind, []).append(outcome)
        for kind, outcome in zip(_sizes_of(image, figures), outcomes, strict=True):
            sizes.setdefault(kind, []).append(outcome)
    drawn = [kind for kind in _SIZE_NAMES if kind in sizes] if sizes.keys() != {_POINT} else []
    return ErrorTable(
        tuple(
            FalseKind(kind, false.get(kind, 0), cells.get(kind))
            for kind in sorted(false.keys() | cells.keys(), key=lambda kind: (-false.get(kind, 0), kind))
        ),
        tuple(_missed(kind, classes[kind]) for kind in sorted(classes)),
        tuple(_missed(kind, sizes[kind]) for kind in drawn),
    )


def kinds_of_false(
    image: JudgedImage, threshold: float, sources: list[TrueCells], protocol: Protocol
) -> NDArray[np.str_]:
    """Return the kind of cell that each false positive above a threshold fell on, in the order of detections.

    Parameters
    ----------
    image : JudgedImage
    threshold : float
    sources : list of TrueCells
        Cells that are no figures; those of an earlier source go first.
    protocol : Protocol
        By which they are matched.

    Returns
    -------
    ndarray of str, shape (f,)
        `ELSEWHERE` where it fell on no labelled cell.
    """
    false = image.candidates.above(threshold)
    false = false.take(image.sweep.at(threshold).truth_of == UNMATCHED)
    kind = np.full(len(false), ELSEWHERE, dtype=object)
    for source in sources:
        rest = np.flatnonzero(kind == ELSEWHERE)
        points, score = false.points_px0[rest], false.score[rest]
        fell_on = protocol.match(points, score, source.points_px0, mpp=image.mpp).truth_of
        kind[rest[fell_on >= 0]] = source.label[fell_on[fell_on >= 0]]
    return kind.astype(np.str_)


_SIZE_NAMES: Final = (
    f"below {SIZES_UM[0]:g} µm",
    *(f"{low:g} to {high:g} µm" for low, high in pairwise(SIZES_UM)),
    f"{SIZES_UM[-1]:g} µm and more",
    _POINT,
)


def _sizes_of(image: JudgedImage, figures: TrueCells) -> list[str]:
    if image.mpp is None:
        return [_POINT] * len(figures)
    mean = (figures.size_px0 * (image.mpp.x, image.mpp.y)).mean(axis=1)
    place = np.where(np.isnan(mean), len(_SIZE_NAMES) - 1, np.searchsorted(SIZES_UM, mean, side="right"))
    return [_SIZE_NAMES[size] for size in place.tolist()]


def _missed(kind: str, outcomes: list[tuple[bool, bool]]) -> MissedKind:
    found = sum(one for one, _ in outcomes)
    # A rule in which a lower score can take a figure from a higher one may find what all candidates do not.
    proposed = sum(proposed or one for one, proposed in outcomes)
    return MissedKind(kind, len(outcomes), found, proposed - found, len(outcomes) - proposed)
