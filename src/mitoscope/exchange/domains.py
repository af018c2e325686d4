"""``datasets_xvalidation.csv`` of MIDOG++: tumour type, scanner, laboratory, species, split of cases."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from pathlib import Path

from mitoscope.errors import FormatError, TrainingDataError
from mitoscope.exchange.format import Content, Format, ReadOptions
from mitoscope.exchange.table import Row, read_table
from mitoscope.geometry import Mpp
from mitoscope.image_names import stem
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
    slides: dict[str, SlideRecord] = {}
    for row in read_table(path, needed=COLUMNS).rows:
        slide = _slide(row)
        if slides.setdefault(slide.name, slide) is not slide:
            raise FormatError(f"slide {slide.name} is listed twice", where=row.where)
    return Study(slides=tuple(slides.values()))


def _slide(row: Row) -> SlideRecord:
    case, dataset, tumour, scanner, laboratory, species = map(row.text, COLUMNS)
    if not case.isdecimal():
        raise FormatError(f"a case number expected, got {case[:40]!r}", where=row.where)
    mpp = SCANNER_MPP.get(scanner.casefold())
    return SlideRecord(
        f"{int(case):03d}.tiff",
        mpp=None if mpp is None else Mpp.square(mpp),
        domain=Domain(
            tumour_type=SAME_TUMOUR.get(tumour, tumour) or None,
            scanner=scanner or None,
            species=species or None,
            laboratory=laboratory or None,
        ),
        attributes={SPLIT: dataset} if dataset else {},
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
    known = {stem(slide.name): slide for slide in table.slides}
    return replace(
        study, slides=tuple(_complete(slide, known.get(stem(slide.name))) for slide in study.slides)
    )


def _complete(slide: SlideRecord, more: SlideRecord | None) -> SlideRecord:
    if more is None:
        return slide
    attributes = {**more.attributes, **slide.attributes}
    domain = complete(slide.domain, more.domain)
    return replace(slide, mpp=slide.mpp or more.mpp, domain=domain, attributes=attributes)


def complete(domain: Domain, more: Domain) -> Domain:
    """Return a domain with what another one says where it says nothing itself."""
    return Domain(
        **{field.name: getattr(domain, field.name) or getattr(more, field.name) for field in fields(Domain)}
    )


def _recognises(content: Content) -> bool:
    return content.header == set(COLUMNS)


FORMAT = Format(
    name="midog-domains",
    title="MIDOG++ table of domains (datasets_xvalidation.csv)",
    suffix=".csv",
    recognises=_recognises,
    read=read,
)
