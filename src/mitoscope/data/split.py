"""Splits by case: no case on both sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.data.field import Field
from mitoscope.errors import TrainingDataError

Count = Annotated[int, Setting(ge=0)]


class SplitConfig(Config):
    """What is held out for validation.

    Parameters
    ----------
    held_out : tuple of str
        Cases by name.
    every_nth : int
        Of the cases of a source of which none is named, in the order of their names, one in so many is held
        out; 0 none. Crops whose slide is not known stay in training.
    """

    held_out: tuple[str, ...] = ()
    every_nth: Count = 0


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Fields for training and fields held out.

    Raises
    ------
    TrainingDataError
        If a case is on both sides, or one side is empty or has no mitotic figure.
    """

    training: tuple[Field, ...]
    validation: tuple[Field, ...]

    def __post_init__(self) -> None:
        both = {f.case for f in self.training} & {f.case for f in self.validation}
        if both:
            raise TrainingDataError(
                "the case is on both sides of the split", where=min(both), mend="split by case"
            )
        for name, side in (("training", self.training), ("validation", self.validation)):
            if not any(len(field.figures) for field in side):
                raise TrainingDataError(
                    f"no mitotic figure on the side of {name}", where="split", mend="hold out other cases"
                )


def split_by_case(fields: Iterable[Field], config: SplitConfig) -> Split:
    """Hold out what the configuration says.

    Raises
    ------
    TrainingDataError
        If a named case does not exist, or nothing is left on one side.
    """
    fields = tuple(fields)
    cases = {field.case for field in fields}
    for case in config.held_out:
        if case not in cases:
            raise TrainingDataError("no such case to hold out", where=case)
    out = set(config.held_out)
    if config.every_nth:
        named = {_family(case) for case in config.held_out}
        for family in {_family(case) for case in cases} - named - {_LONE_CROPS}:
            alike = sorted(case for case in cases if _family(case) == family)
            out |= set(alike[:: config.every_nth])
    return _parted(fields, out)


def split_by_fold(fields: Iterable[Field], *, fold: int, folds: int, seed: int) -> Split:
    """Hold out one of several parts of the cases, stratified by their number of figures.

    Parameters
    ----------
    fold : int
        From 0.
    folds, seed : int

    Raises
    ------
    TrainingDataError
        If there are fewer cases than folds.
    """
    fields = tuple(fields)
    figures: dict[str, int] = {}
    for field in fields:
        figures[field.case] = figures.get(field.case, 0) + len(field.figures)
    cases = sorted(figures)
    if len(cases) < folds:
        raise TrainingDataError(
            f"{len(cases)} cases cannot be parted into {folds} folds", where="run.folds", mend="fewer folds"
        )
    # Dealt in turn by the number of figures, so that folds differ little; equals are shuffled.
    shuffled = np.random.default_rng(seed).permutation(len(cases)).tolist()
    dealt = sorted(shuffled, key=lambda place: -figures[cases[place]])
    return _parted(fields, {cases[place] for place in dealt[fold::folds]})


def _parted(fields: tuple[Field, ...], out: set[str]) -> Split:
    return Split(
        training=tuple(field for field in fields if field.case not in out),
        validation=tuple(field for field in fields if field.case in out),
    )


_LONE_CROPS = "crop"


def _family(case: str) -> str:
    """Return what comes before the first slash: cases of one source are held out evenly."""
    return case.split("/")[0] if "/" in case else ""
