"""How far a rater is with the fields of a slide."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact
from mitoscope.web.answers.places import Box

_Pass = TypedDict("_Pass", {"pass": int})  # a word of Python's own cannot be written as a field


@exact
class ScreeningProgress(_Pass):
    """A pass, from 1: by field what is covered and the seconds spent; the field where I stopped, if any.

    The fraction is of the tissue, in [0, 1]; a position is what the page has put there, or null.
    """

    covered: list[bool]
    seconds: list[float]
    field: int | None
    position: Any
    covered_fraction: float
    is_complete: bool


@exact
class Screening(ScreeningProgress):
    """The fields of a slide in order, as x, y, width and height in level-0 px, and how far I am."""

    fields: list[Box]


@exact
class FieldVisited(ScreeningProgress, Done):
    """How far I am after a visit."""


@exact
class PassBegun(Screening, Done):
    """How far I am in the pass that was begun."""
