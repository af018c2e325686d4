"""What requests hold: types with their limits, and the base of all bodies."""

from __future__ import annotations

import math
import unicodedata
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from mitoscope.web.veil import OPAQUE_MAX

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
        raise ValueError("is not a number of digits")
    return value


SlideId = Annotated[int, BeforeValidator(_digits), Path(ge=1, le=ID_MAX)]
RoundId = Annotated[int, BeforeValidator(_digits), Path(ge=1, le=ID_MAX)]
RowId = Annotated[int, BeforeValidator(_digits), Path(ge=1, le=ID_MAX)]
CellPath = Annotated[int, BeforeValidator(_digits), Path(ge=0, le=OPAQUE_MAX)]
TileNumber = Annotated[int, BeforeValidator(_digits), Path(ge=0, le=1 << 24)]
LevelNumber = Annotated[int, BeforeValidator(_digits), Path(ge=0, le=64)]
OptionalId = Annotated[int | None, Query(ge=1, le=ID_MAX)]

Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Cell = Annotated[int, Field(ge=0, le=OPAQUE_MAX)]
Key = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{8,64}$")]
Seen = Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
Coordinate = Annotated[float, Field(ge=-COORDINATE_MAX, le=COORDINATE_MAX)]
Extent = Annotated[float, Field(gt=0, le=COORDINATE_MAX)]
Score = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=1e6)]
Point = tuple[Coordinate, Coordinate]
Box = tuple[Coordinate, Coordinate, Extent, Extent]
Vertices = Annotated[list[Point], Field(min_length=3, max_length=VERTICES_MAX)]


def _clean(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        raise ValueError("is empty")
    if any(unicodedata.category(one) in ("Cc", "Cs", "Co", "Cn") for one in text):
        raise ValueError("holds control characters")
    return text


Name = Annotated[str, Field(max_length=NAME_MAX), AfterValidator(_clean)]
Text = Annotated[str, Field(max_length=TEXT_MAX)]


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
        raise ValueError("is nested too deeply")
    if isinstance(value, str):
        if any("\ud800" <= one <= "\udfff" for one in value):
            raise ValueError("holds half a character")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("is NaN or infinite")
    elif isinstance(value, dict):
        for name, one in value.items():
            _check(name, depth)
            _check(one, depth + 1)
    elif isinstance(value, list | tuple):
        for one in value:
            _check(one, depth + 1)
