"""Folds of cases: what is searched in a fold was not trained on there."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mitoscope.errors import TrainingDataError
from mitoscope.truth import SlideTruth, balanced_folds


def fold_cases(slides: Iterable[SlideTruth], folds: int, *, seed: int = 0) -> dict[str, int]:
    """Return the fold in which each slide is held out; all slides of a case together.

    Parameters
    ----------
    slides : iterable of SlideTruth
        Of a frozen version.
    folds : int
    seed : int

    Raises
    ------
    TrainingDataError
        See :func:`mitoscope.truth.balanced_folds`.
    """
    figures: dict[str, int] = {}
    case_of = {slide.name: slide.case for slide in slides}
    for slide in slides:
        case = case_of[slide.name]
        figures[case] = figures.get(case, 0) + int(slide.cells.is_figure.sum())
    fold_of = balanced_folds(figures, folds=folds, seed=seed)
    return {name: fold_of[case] for name, case in case_of.items()}


def check_classes(
    slides: Iterable[SlideTruth], fold_of: Mapping[str, int], labels: Iterable[str], *, folds: int
) -> None:
    """Refuse folds of which one has to be trained without a class.

    Raises
    ------
    TrainingDataError
        Naming the fold and the class.
    """
    there = {
        (fold_of[slide.name], label)
        for slide in slides
        if slide.name in fold_of
        for label in set(slide.cells.label.tolist())
    }
    for fold in range(folds):
        for label in labels:
            if not any((other, label) in there for other in range(folds) if other != fold):
                what = f"without a {label} outside of fold {fold + 1}, nothing can be trained for it"
                raise TrainingDataError(what, where="folds", mend="fewer folds, or label more cases")
