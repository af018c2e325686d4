"""What requests and answers are made of: types with their limits, and the bases of bodies and answers.

Coordinates, widths and heights are level-0 pixels of the slide and times are seconds since 1970, unless a
class says otherwise. The description of the API is made of these forms, and the page's types of that. Each
answer is checked against its form before it is sent, but for the large ones that are sent as they are: the
cells of a slide, a board, and a signed result with its cells.
"""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any, TypeVar, cast

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
    with_config,
)
from typing_extensions import TypedDict

from mitoscope.config import fault_said
from mitoscope.store import PUBLIC_ID_MAX, TOKEN_DIGITS

FormT = TypeVar("FormT")
ID_MAX = (1 << 53) - 1
NAME_MAX = 200
TEXT_MAX = 4000
DEPTH_MAX = 16
COORDINATE_MAX = 1e7
"""Level-0 pixels; the largest slides have some 3 · 10⁵."""
VERTICES_MAX = 20_000


def _digits(value: Any) -> Any:
    """Refuse what Python would read as a number, but is not plain digits."""
    if isinstance(value, str) and not (value.isascii() and value.isdigit()):
        raise fault_said("is not a number of digits")
    return value


SlideId = Annotated[int, BeforeValidator(_digits), Path(ge=1, le=ID_MAX)]
RoundId = Annotated[int, BeforeValidator(_digits), Path(ge=1, le=ID_MAX)]
RowId = Annotated[int, BeforeValidator(_digits), Path(ge=1, le=ID_MAX)]
CellPath = Annotated[int, BeforeValidator(_digits), Path(ge=0, le=PUBLIC_ID_MAX)]
TileNumber = Annotated[int, BeforeValidator(_digits), Path(ge=0, le=1 << 24)]
LevelNumber = Annotated[int, BeforeValidator(_digits), Path(ge=0, le=64)]
OptionalId = Annotated[int | None, Query(ge=1, le=ID_MAX)]

Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Cell = Annotated[int, Field(ge=0, le=PUBLIC_ID_MAX)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Seen = Annotated[str, Field(pattern=rf"^[0-9a-f]{{{TOKEN_DIGITS}}}$")]
Coordinate = Annotated[float, Field(ge=-COORDINATE_MAX, le=COORDINATE_MAX)]
Extent = Annotated[float, Field(gt=0, le=COORDINATE_MAX)]
Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=1e6)]
Point = tuple[Coordinate, Coordinate]
Box = tuple[Coordinate, Coordinate, Extent, Extent]
Vertices = Annotated[list[Point], Field(min_length=3, max_length=VERTICES_MAX)]


_UNSEEN = frozenset("\u00ad\u061c\u180e\u200b\u200e\u200f\u2028\u2029\ufeff") | frozenset(
    map(chr, (*range(0x202A, 0x202F), *range(0x2060, 0x2070)))
)
"""Characters that nobody sees or that turn the text around: one name must not pass for another."""


def _clean(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise fault_said("is empty")
    if any(unicodedata.category(letter) in ("Cc", "Cs", "Co", "Cn") or letter in _UNSEEN for letter in text):
        raise fault_said("holds control characters")
    return text


Name = Annotated[str, Field(max_length=NAME_MAX), AfterValidator(_clean)]
Text = Annotated[str, Field(max_length=TEXT_MAX)]


Pair = Annotated[list[float], Field(min_length=2, max_length=2)]
"""Along x and along y."""
Rectangle = Annotated[list[float], Field(min_length=4, max_length=4)]
"""x, y, width and height in level-0 px."""
AgreedBox = Annotated[list[float], Field(min_length=5, max_length=5)]
"""x, y, width and height in level-0 px, and the agreement of the crowd in [0, 1]."""


@with_config(ConfigDict(extra="forbid", allow_inf_nan=False))
class Answer(TypedDict):
    """The base of the forms of answers: no other keys than they state, and no NaN: our faults are seen."""


class Done(Answer):
    """Something that is on disk, and whether it was so before this request came."""

    is_repeated: bool


def described(form: type[FormT], source: object, **stated: object) -> FormT:
    """Return an answer of a form: what is stated here, and attributes of the source by the same names."""
    names = form.__annotations__
    return cast("FormT", {name: stated[name] if name in stated else getattr(source, name) for name in names})


class Body(BaseModel):
    """The base of all bodies: nothing unknown, no NaN, no half characters.

    JSON may spell a character in two halves; one half alone is no text and cannot be stored.
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _sound(cls, values: Any) -> Any:
        _check(values, 0)
        return values


class Action(Body):
    """A body of something that is done once."""

    key: Key


def _check(value: Any, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise fault_said("is nested too deeply")
    if isinstance(value, str):
        if any("\ud800" <= letter <= "\udfff" for letter in value):
            raise fault_said("holds half a character")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise fault_said("is NaN or infinite")
    elif isinstance(value, dict):
        for name, one in value.items():
            _check(name, depth)
            _check(one, depth + 1)
    elif isinstance(value, list | tuple):
        for one in value:
            _check(one, depth + 1)
