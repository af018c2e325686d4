"""``datasets_xvalidation.csv`` of MIDOG++: tumour type, scanner, laboratory, species, split of cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

from mitoscope.errors import FormatError, TrainingDataError
from mitoscope.exchange.csv_text import read_rows
from mitoscope.exchange.format import Content, Format, ReadOptions
from mitoscope.geometry import Mpp
from mitoscope.store import SlideRecord, Study
from mitoscope.truth import SIDES, Domain, Side, SlideSplit

COLUMNS = ("slide", "dataset", "tumor", "scanner", "origin", "species")
SPLIT = "midog.split"
"""Attribute of a slide: ``train`` or ``test``."""
SAME_TUMOUR = {"canine lymphoma": "canine lymphosarcoma"}
"""The table's name → the name in ``MIDOG++.json`` (FACTS B4)."""

SCANNER_MPP = {
    "hamamatsu xr": 0.23,
    "hamammatsu xr": 0.23,
    "hamamatsu s360": 0.23,
    "aperio cs2": 0.25,
    "3d histech": 0.25,
}
"""µm/px by scanner as the table names it, one of them misspelt (MIDOG++, Table 1)."""


def read(path: Path, options: ReadOptions) -> Study:
    """Read the table as slides without cells, named as MIDOG++ names its files (``001.tiff``).

    Raises
    ------
    FormatError
        If a column or a value is missing, or a slide is listed twice.
    """
    del options
    rows = read_rows(path, delimiter=";")
    header = [cell.strip().casefold() for cell in rows[0][1]] if rows else []
    absent = [name for name in COLUMNS if name not in header]
    if absent:
        raise FormatError(f"no column {', '.join(absent)}", where=path, mend=f"columns: {';'.join(COLUMNS)}")
    slides: dict[str, SlideRecord] = {}
    for line, cells in rows[1:]:
        if len(cells) != len(header):
            raise FormatError(f"{len(header)} columns expected, got {len(cells)}", where=f"{path}:{line}")
        slide = _slide(dict(zip(header, (cell.strip() for cell in cells), strict=True)), f"{path}:{line}")
        if slides.setdefault(slide.name, slide) is not slide:
            raise FormatError(f"slide {slide.name} is listed twice", where=f"{path}:{line}")
    return Study(slides=tuple(slides.values()))


def _slide(row: dict[str, str], where: str) -> SlideRecord:
    if not row["slide"].isdecimal():
        raise FormatError(f"a case number expected, got {row['slide'][:40]!r}", where=where)
    domain = Domain(
        tumour_type=SAME_TUMOUR.get(row["tumor"], row["tumor"]) or None,
        scanner=row["scanner"] or None,
        species=row["species"] or None,
        laboratory=row["origin"] or None,
    )
    attributes = {SPLIT: row["dataset"]} if row["dataset"] else {}
    mpp = SCANNER_MPP.get(row["scanner"].casefold())
    return SlideRecord(
        f"{int(row['slide']):03d}.tiff",
        mpp=None if mpp is None else Mpp.square(mpp),
        domain=domain,
        attributes=attributes,
    )


def published_split(slides: Iterable[SlideRecord]) -> SlideSplit:
    """Return the split that a table states of each slide (MIDOG++ ``datasets_xvalidation.csv``).

    Raises
    ------
    TrainingDataError
        If the table does not say of a slide on which side it is.
    """
    sides: dict[str, Side] = {}
    for slide in slides:
        side = slide.attributes.get(SPLIT)
        if side not in SIDES:
            raise TrainingDataError(
                "no published split", where=slide.name, mend="leave it out, or split anew"
            )
        sides[slide.name] = side
    return SlideSplit(sides)


def add_domains(study: Study, table: Study) -> Study:
    """Return the study with what a table of domains says of its slides, where it says nothing itself."""
    known = {slide.name: slide for slide in table.slides}
    return replace(study, slides=tuple(_complete(slide, known.get(slide.name)) for slide in study.slides))


def _complete(slide: SlideRecord, more: SlideRecord | None) -> SlideRecord:
    if more is None:
        return slide
    merged = {
        field.name: getattr(slide.domain, field.name) or getattr(more.domain, field.name)
        for field in fields(Domain)
    }
    attributes = {**more.attributes, **slide.attributes}
    return replace(slide, mpp=slide.mpp or more.mpp, domain=Domain(**merged), attributes=attributes)


def _recognises(content: Content) -> bool:
    first = content.rows[0] if content.rows else []
    return [cell.casefold() for cell in ",".join(first).split(";")] == list(COLUMNS)


FORMAT = Format(
    name="midog-domains",
    title="MIDOG++ table of domains (datasets_xvalidation.csv)",
    suffix=".csv",
    recognises=_recognises,
    read=read,
)
