"""A whole study as JSON values: what rides in a file of another format so that nothing is lost.

COCO and GeoJSON have room for other members, which their tools leave alone. Where a study says more than the
format does, the whole of it stands under the member ``mitoscope``, with a digest of what the format itself
states. A file that somebody changed no longer has that digest: then the format's own part is taken.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.errors import FormatError, MitoscopeError
from mitoscope.exchange.json_text import a_list, a_mapping, dump_json
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import Label, LabelSet
from mitoscope.store import (
    Cells,
    DatasetVersion,
    LabelEvents,
    QuarantineEntry,
    Rater,
    RaterKind,
    Region,
    RegionKind,
    Round,
    RoundKind,
    SlideRecord,
    Study,
)
from mitoscope.truth import Domain

MEMBER = "mitoscope"
EDITED = (
    "changed by another program since mitoscope wrote it: cells and classes are taken as they stand now, "
    "without the raters, times and rounds that the file carried"
)
_VERSION = 1


def attach(document: dict[str, Any], study: Study) -> dict[str, Any]:
    """Return the document with the study under the member ``mitoscope``."""
    return document | {MEMBER: {"version": _VERSION, "digest": _digest(document), "study": to_json(study)}}


def detach(document: dict[str, Any], where: str) -> tuple[Study | None, tuple[str, ...]]:
    """Return the study that a document brings along, and a note if it cannot be taken.

    Raises
    ------
    FormatError
        If the member is there but is not what mitoscope writes.
    """
    if MEMBER not in document:
        return None, ()
    member = a_mapping(document[MEMBER], f"{where}: {MEMBER}")
    rest = {key: value for key, value in document.items() if key != MEMBER}
    if member.get("version") != _VERSION or member.get("digest") != _digest(rest):
        return None, (f"{Path(where).name}: {EDITED}",)
    return from_json(member.get("study"), f"{where}: {MEMBER}"), ()


def _digest(document: dict[str, Any]) -> str:
    return hashlib.sha256(dump_json(document)).hexdigest()


def to_json(study: Study) -> dict[str, Any]:
    """Return a study as JSON values."""
    return {
        "slides": [_slide_json(slide) for slide in study.slides],
        "labels": [[label.name, label.colour, list(label.aliases)] for label in study.labels.labels],
        "raters": [[rater.name, rater.kind.value, dict(rater.attributes)] for rater in study.raters],
        "rounds": [[round_.name, round_.kind.value] for round_ in study.rounds],
        "cells": _columns_json(study.cells),
        "events": _columns_json(study.events),
        "regions": [
            [region.slide, region.kind.value, region.name, region.vertices_px0.tolist()]
            for region in study.regions
        ],
        "versions": [
            [
                version.variant,
                version.number,
                version.cell.tolist(),
                version.label.tolist(),
                list(version.split.items()),
                version.note,
            ]
            for version in study.versions
        ],
        "quarantine": [
            [refused.where, refused.why, refused.what, refused.slide] for refused in study.quarantine
        ],
    }


def _slide_json(slide: SlideRecord) -> dict[str, Any]:
    return {
        "name": slide.name,
        "size": None if slide.size is None else [slide.size.width, slide.size.height],
        "mpp": None if slide.mpp is None else [slide.mpp.x, slide.mpp.y],
        "sha256": slide.sha256,
        "case": slide.case,
        "domain": asdict(slide.domain),
        "attributes": dict(slide.attributes),
    }


def _columns_json(columns: Cells | LabelEvents) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in columns.__dataclass_fields__:
        value = getattr(columns, name)
        if isinstance(value, np.ndarray):
            found[name] = _null_where_nan(value)
        else:
            found[name] = [
                [row, one.tolist() if isinstance(one, np.ndarray) else dict(one)]
                for row, one in value.items()
            ]
    return found


def _null_where_nan(column: Any) -> list[Any]:
    if column.dtype.kind == "f" and np.isnan(column).any():
        missing, column = np.isnan(column), column.astype(object)
        column[missing] = None
    values: list[Any] = column.tolist()
    return values


def from_json(value: Any, where: str) -> Study:
    """Return the study of JSON values.

    Raises
    ------
    FormatError
        If they are not those of a study.
    """
    members = a_mapping(value, where)
    try:
        return Study(
            slides=tuple(_slide(a_mapping(entry, where)) for entry in a_list(members["slides"], where)),
            labels=LabelSet(
                tuple(Label(name, colour, tuple(more)) for name, colour, more in members["labels"])
            ),
            raters=tuple(Rater(name, RaterKind(kind), more) for name, kind, more in members["raters"]),
            rounds=tuple(Round(name, RoundKind(kind)) for name, kind in members["rounds"]),
            cells=Cells.of(**_columns(members["cells"])),
            events=LabelEvents.of(**_columns(members["events"])),
            regions=tuple(
                Region(slide, np.array(vertices, dtype=np.float64), RegionKind(kind), name)
                for slide, kind, name, vertices in members["regions"]
            ),
            versions=tuple(_version(version) for version in members["versions"]),
            quarantine=tuple(
                QuarantineEntry(where, why, what, slide, is_earlier=True)
                for where, why, what, slide in members["quarantine"]
            ),
        )
    except MitoscopeError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise FormatError(f"not what mitoscope writes ({error})", where=where) from None


def _slide(found: dict[str, Any]) -> SlideRecord:
    size, mpp = found["size"], found["mpp"]
    return SlideRecord(
        found["name"],
        None if size is None else SizePx(*size),
        None if mpp is None else Mpp(*mpp),
        found["sha256"],
        found["case"],
        Domain(**found["domain"]),
        found["attributes"],
    )


def _columns(found: dict[str, Any]) -> dict[str, Any]:
    columns = dict(found)
    columns["attributes"] = dict(found["attributes"])
    if "vertices_px0" in found:
        vertices = found["vertices_px0"]
        columns["vertices_px0"] = {
            row: np.array(one, dtype=np.float64).reshape(-1, 2) for row, one in vertices
        }
        columns["bounds_px0"] = np.array(found["bounds_px0"], dtype=np.float64).reshape(-1, 4)
    return columns


def _version(found: Any) -> DatasetVersion:
    variant, number, cell, label, split, note = found
    return DatasetVersion(
        variant, number, np.array(cell, dtype=np.int64), np.array(label, dtype=np.int64), dict(split), note
    )
