"""The openly licensed pictures by laboratory: to train on all of them, or on all but one."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

from mitoscope.data.catalogue import CATALOGUE, MITOSIS_CROPS, content_hash
from mitoscope.data.field import Field
from mitoscope.data.sources import OpenData, read_fields
from mitoscope.exchange.names import stem

OPEN_DATA = OpenData(kind="open-data")
_MPP = 0.25


def laboratory_of(field: Field) -> str:
    """Return where a picture comes from: the folder of a crop (``midog21``, ``midogpp``), else its source."""
    return field.name.split("/")[0] if field.source == MITOSIS_CROPS.name else field.source


def open_fields(
    data: Path, *, only: Collection[str], without: Collection[str], tested: Collection[str]
) -> list[Field]:
    """Return the pictures that may be learnt from.

    Parameters
    ----------
    data : Path
        The data folder.
    only, without : collection of str
        Laboratories; all are taken where `only` names none.
    tested : collection of str
        Names of slides that test; their cases are left out.

    Raises
    ------
    TrainingDataError
        If a picture is missing or damaged.
    """
    every, names = _read(data), {stem(name) for name in tested}
    cases = {field.case for field in every if stem(field.name) in names}
    return [
        field
        for field in every
        if field.case not in cases
        and laboratory_of(field) not in without
        and (not only or laboratory_of(field) in only)
    ]


@lru_cache(maxsize=1)
def _read(data: Path) -> tuple[Field, ...]:
    return tuple(read_fields(OPEN_DATA, data, mpp=_MPP))


def open_sha256(data: Path) -> str:
    """Return a hash of all open pictures and their labels."""
    return hashlib.sha256("".join(content_hash(one, data) for one in CATALOGUE).encode()).hexdigest()
