"""Which case and which domain an image belongs to, from the file of the truth or a table of domains."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal, get_args

from mitoscope.errors import ConfigError, FormatError
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.names import stem
from mitoscope.exchange.predictions import is_table
from mitoscope.exchange.registry import read_study
from mitoscope.exchange.table import read_table
from mitoscope.geometry import Mpp
from mitoscope.store.records import SlideRecord

GroupBy = Literal["slide", "case", "domain", "scanner", "species", "laboratory"]
NOT_STATED = "not stated"
"""Group of an image of which the file says nothing."""
_COLUMNS: dict[str, tuple[str, ...]] = {
    "case": ("case", "patient"),
    "domain": ("domain", "tumour_type", "tumor_type", "tumour", "tumor"),
    "scanner": ("scanner",),
    "species": ("species",),
    "laboratory": ("laboratory", "lab", "origin"),
}


def parse_group(text: str) -> GroupBy:
    """Read what images are grouped by.

    Raises
    ------
    ConfigError
        Naming what there is.
    """
    for known in get_args(GroupBy):
        if text.strip().casefold() == known:
            return known  # type: ignore[no-any-return]
    raise ConfigError(f"no group {text!r}", where="--by", mend=f"one of: {', '.join(get_args(GroupBy))}")


def group_images(
    images: Iterable[str],
    by: GroupBy,
    *,
    truth: Path,
    domains: Path | None = None,
    mpp: Mpp | None = None,
) -> dict[str, str]:
    """Return the group of each image.

    Parameters
    ----------
    images : iterable of str
        Stems of the images' names.
    by : str
        ``domain`` is the tumour type. An image without a stated case is its own case; one without a stated
        domain is in the group "not stated".
    truth : Path
        A table with a column of that name (case, domain, scanner, species, laboratory), or a study.
    domains : Path, optional
        Table of domains (``datasets_xvalidation.csv``), which completes what the truth says.
    mpp : Mpp, optional
        Resolution, for a study in millimetres.

    Raises
    ------
    FormatError
        If an image has two groups, or no image has a stated one.
    """
    names = list(images)
    if by == "slide":
        return {name: name for name in names}
    stated = {} if domains is None else _of_study(domains, by)
    stated |= _of_table(truth, by) if is_table(truth) else _of_study(truth, by, mpp)
    known = [name for name in names if name in stated]
    if not known and by != "case":
        raise FormatError(
            f"no {by} is stated for any image",
            where=truth,
            mend=f"add a column {by} to the table, or give a table with --domains",
        )
    return {name: stated.get(name, name if by == "case" else NOT_STATED) for name in names}


def _of_table(path: Path, by: GroupBy) -> dict[str, str]:
    table = read_table(path, needed=("image",))
    column = next((name for name in _COLUMNS[by] if name in table.columns), None)
    groups: dict[str, str] = {}
    for row in table.rows if column is not None else ():
        image, group = stem(row.text("image")), row.text(column or "")
        if group and groups.setdefault(image, group) != group:
            raise FormatError(
                f"the image {image!r} has two {column}s, {groups[image]!r} and {group!r}", where=row.where
            )
    return groups


def _of_study(path: Path, by: GroupBy, mpp: Mpp | None = None) -> dict[str, str]:
    slides = read_study(path, options=ReadOptions(mpp=mpp)).slides
    stated = {stem(slide.name): _of_slide(slide, by) for slide in slides}
    return {image: group for image, group in stated.items() if group}


def _of_slide(slide: SlideRecord, by: GroupBy) -> str | None:
    if by == "case":
        return slide.case
    return slide.domain.tumour_type if by == "domain" else getattr(slide.domain, by)
