"""Splits by case: no case on both sides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Self, cast

from pydantic import Field as Setting
from pydantic import model_validator

from mitoscope.config import Config
from mitoscope.data.field import Field
from mitoscope.data.slide_field import PartField, SlideField
from mitoscope.errors import TrainingDataError
from mitoscope.truth import Side, SlideSplit, balanced_folds, check_leaks

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
    halves : bool
        Train on the upper half of each slide and hold out the lower one, as CCMCT and CMC did. Both are of
        one case, so what the lower ones say is too good; without it no case is on both sides.
    """

    held_out: tuple[str, ...] = ()
    every_nth: Count = 0
    halves: bool = False

    @model_validator(mode="after")
    def _one_rule(self) -> Self:
        if self.halves and (self.held_out or self.every_nth):
            raise ValueError("halves of each slide, or whole cases (held_out, every_nth): not both")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """Fields for training and fields held out.

    Parameters
    ----------
    training, validation : tuple of Field
    of_halves : bool
        Whether they are the halves of the same slides, which shares cases between the sides on purpose.

    Raises
    ------
    LeakError
        If a case, or the same pixels, are on both sides.
    TrainingDataError
        If one side is empty or has no mitotic figure.
    """

    training: tuple[Field, ...]
    validation: tuple[Field, ...]
    of_halves: bool = False

    def __post_init__(self) -> None:
        if not self.of_halves:
            self._check_leaks()
        for name, fields in (("training", self.training), ("validation", self.validation)):
            if not any(len(field.figures) for field in fields):
                raise TrainingDataError(
                    f"no mitotic figure on the side of {name}", where="split", mend="hold out other cases"
                )

    def _check_leaks(self) -> None:
        sides = {"train": self.training, "validation": self.validation}
        named: dict[str, tuple[str, Field]] = {}
        for side, fields in sides.items():
            for field in fields:
                name = f"{field.source}/{field.name}"
                named[name if name not in named else f"{name} ({len(named)})"] = (side, field)
        check_leaks(
            SlideSplit({key: cast(Side, side) for key, (side, _) in named.items()}),
            hash_of={key: field.pixels_sha256() for key, (_, field) in named.items()},
            case_of={key: field.case for key, (_, field) in named.items()},
        )


def split_by_case(fields: Iterable[Field], config: SplitConfig) -> Split:
    """Hold out what the ground truth says; where it says nothing, what the configuration says.

    Fields for test are on neither side: no network is chosen by them.

    Raises
    ------
    TrainingDataError
        If a named case does not exist, or nothing is left on one side.
    """
    fields = tuple(field for field in fields if field.side != "test")
    if any(field.side == "validation" for field in fields):
        return _parted(fields, {field.case for field in fields if field.side == "validation"})
    if config.halves:
        return _halved(fields)
    cases = {field.case for field in fields}
    for case in config.held_out:
        if case not in cases:
            raise TrainingDataError(
                f"the recipe holds out the case {case!r} that your data lack",
                mend="set data.split.held_out=[]",
            )
    out = set(config.held_out)
    if config.every_nth:
        named = {_family(case) for case in config.held_out}
        for family in {_family(case) for case in cases} - named - {_LONE_CROPS}:
            alike = sorted(case for case in cases if _family(case) == family)
            out |= set(alike[:: config.every_nth])
    return _parted(fields, out)


def split_by_fold(fields: Iterable[Field], *, fold: int, folds: int, seed: int) -> Split:
    """Hold out one of several parts of the cases, alike in figures; fields for test are in none.

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
    fields = tuple(field for field in fields if field.side != "test")
    figures: dict[str, int] = {}
    for field in fields:
        figures[field.case] = figures.get(field.case, 0) + len(field.figures)
    fold_of = balanced_folds(figures, folds=folds, seed=seed)
    return _parted(fields, {case for case, own in fold_of.items() if own == fold})


def _halved(fields: tuple[Field, ...]) -> Split:
    slides = [field for field in fields if isinstance(field, SlideField)]
    if len(slides) < len(fields):
        raise TrainingDataError(
            "pictures are not parted into halves, slides are",
            where="data.split.halves",
            mend="set data.split.halves=false and hold out cases",
        )
    upper, lower = zip(*map(PartField.halves, slides), strict=True) if slides else ((), ())
    return Split(tuple(upper), tuple(lower), of_halves=True)


def _parted(fields: tuple[Field, ...], out: set[str]) -> Split:
    return Split(
        training=tuple(field for field in fields if field.case not in out),
        validation=tuple(field for field in fields if field.case in out),
    )


_LONE_CROPS = "crop"


def _family(case: str) -> str:
    """Return what comes before the first slash: cases of one source are held out evenly."""
    return case.split("/")[0] if "/" in case else ""
