"""Splits by case: no case on both sides."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mitoscope.data.picture import Picture
from mitoscope.errors import TrainingDataError


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Pictures for training and pictures held out.

    Raises
    ------
    TrainingDataError
        If a case is on both sides, or the training side has no mitotic figure or no background picture.
    """

    training: tuple[Picture, ...]
    validation: tuple[Picture, ...]

    def __post_init__(self) -> None:
        both = {p.case for p in self.training} & {p.case for p in self.validation}
        if both:
            raise TrainingDataError(
                "the case is on both sides of the split", where=min(both), mend="split by case"
            )
        if not any(len(picture.figures) for picture in self.training):
            raise TrainingDataError("no mitotic figure to train on", where="split")
        if all(len(picture.figures) for picture in self.training):
            raise TrainingDataError("no picture without mitotic figures to train on", where="split")


def split_by_case(
    pictures: Iterable[Picture], *, held_out: Sequence[str], every_nth_slide: int, every_nth_field: int
) -> Split:
    """Hold out named cases, every n-th MIDOG slide and every n-th negative field.

    Parameters
    ----------
    held_out : sequence of str
        Cases by name, for example ``"BreCaHAD/Case_10"``.
    every_nth_slide, every_nth_field : int
        0 holds none out.

    Raises
    ------
    TrainingDataError
        If a named case does not exist.
    """
    pictures = tuple(pictures)
    cases = {picture.case for picture in pictures}
    for case in held_out:
        if case not in cases:
            raise TrainingDataError("no such case to hold out", where=case)
    out = set(held_out)
    for prefix, nth in (("MIDOG/", every_nth_slide), ("field/", every_nth_field)):
        if nth:
            out |= set(sorted(case for case in cases if case.startswith(prefix))[::nth])
    return Split(
        training=tuple(picture for picture in pictures if picture.case not in out),
        validation=tuple(picture for picture in pictures if picture.case in out),
    )
