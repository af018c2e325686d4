"""Columns of a CSV that say something of an image: its case, resolution, origin and side of a split."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mitoscope.errors import FormatError
from mitoscope.exchange.csv_text import inert, number, plain
from mitoscope.geometry import Mpp
from mitoscope.store.records import SlideRecord
from mitoscope.truth import SIDES, Domain, Side

IMAGE_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "case": ("case", "patient"),
    "tumour_type": ("tumour_type", "tumor_type", "tumour", "tumor", "domain"),
    "scanner": ("scanner",),
    "species": ("species",),
    "laboratory": ("laboratory", "lab", "origin"),
    "mpp": ("mpp",),
    "split": ("split",),
}
"""What is said of an image → the names that its column may have."""

Rows = Iterable[tuple[str, Mapping[str, str]]]
"""Place in the file and cells by column, of all rows of one image."""


def slide_of(image: str, rows: Rows) -> SlideRecord:
    """Return what the rows of an image say of it.

    Raises
    ------
    FormatError
        If two rows say different things, or a resolution is no number.
    ScaleError
        If a resolution is implausible.
    """
    values = _values(image, rows)
    mpp = values.get("mpp")
    return SlideRecord(
        image,
        mpp=None if mpp is None else Mpp.square(number(mpp[0], mpp[1])),
        case=_text(values, "case"),
        domain=Domain(*(_text(values, name) for name in ("tumour_type", "scanner", "species", "laboratory"))),
    )


def side_of(image: str, rows: Rows) -> Side | None:
    """Return the side of a split on which the rows put an image, None where they say nothing.

    Raises
    ------
    FormatError
        If it is none of train, validation and test, or two rows differ.
    """
    stated = _values(image, rows).get("split")
    if stated is None:
        return None
    side = next((side for side in SIDES if side == stated[0].casefold()), None)
    if side is None:
        mend = f"one of {', '.join(SIDES)}"
        raise FormatError(f"the image {image!r} is on no side {stated[0]!r}", where=stated[1], mend=mend)
    return side


def columns_of(slide: SlideRecord) -> dict[str, str]:
    """Return the columns that say of an image what `slide_of` reads."""
    domain = slide.domain
    stated = {
        "case": slide.case,
        "tumour_type": domain.tumour_type,
        "scanner": domain.scanner,
        "species": domain.species,
        "laboratory": domain.laboratory,
        "mpp": None if slide.mpp is None or slide.mpp.x != slide.mpp.y else repr(slide.mpp.x),
    }
    return {name: inert(value) for name, value in stated.items() if value}


def _text(values: Mapping[str, tuple[str, str]], name: str) -> str | None:
    return values[name][0] if name in values else None


def _values(image: str, rows: Rows) -> dict[str, tuple[str, str]]:
    """Return what is said, with its place in the file."""
    found: dict[str, tuple[str, str]] = {}
    for where, cells in rows:
        for name, columns in IMAGE_COLUMNS.items():
            column = next((column for column in columns if column in cells), None)
            value = "" if column is None else plain(cells[column].strip())
            if not value:
                continue
            before = found.setdefault(name, (value, where))[0]
            if before != value:
                what = f"the image {image!r} has two values of {column}, {before!r} and {value!r}"
                raise FormatError(what, where=where, mend="keep one")
    return found
