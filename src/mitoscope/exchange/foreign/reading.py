"""Findings of other programs: the one door, which knows a file by its content."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np

from mitoscope.errors import ConfigError, FormatError
from mitoscope.exchange.foreign import annotation_store
from mitoscope.exchange.foreign.findings import ForeignFindings, Unit
from mitoscope.exchange.foreign.layouts import read_json_findings
from mitoscope.exchange.foreign.tables import read_csv_findings, read_parquet_findings
from mitoscope.exchange.foreign.yolo import is_yolo, read_yolo_findings
from mitoscope.exchange.format import BoxLayout, Content, ReadOptions
from mitoscope.exchange.parquet import MAGIC as PARQUET
from mitoscope.exchange.predictions import detections_of
from mitoscope.exchange.registry import detect_format, read_study
from mitoscope.geometry import Mpp

KINDS: Final = ("json", "csv", "parquet", "yolo", "annotation-store")
"""Kinds of files that are told apart by their content; ``--format`` names one where that fails."""
_PICKLES: Final = {
    ".dat": "in TIAToolbox save it as an AnnotationStore (output_type='annotationstore'), or with json.dump",
    ".pkl": "in MMDetection write results with --out as JSON, or with the metric's outfile_prefix",
    ".pickle": "write the findings as CSV x,y,score,label",
    ".pt": "write the findings as CSV x,y,score,label; CellViT writes cells.json beside it",
    ".npy": "write the findings as CSV x,y,score,label",
    ".mat": "write the findings as CSV x,y,score,label; HoVer-Net writes json/ beside mat/",
}


def read_foreign(
    path: Path,
    *,
    kind: str | None = None,
    columns: Mapping[str, str] | None = None,
    boxes: BoxLayout | None = None,
    mpp: Mpp,
) -> ForeignFindings:
    """Read the findings of another program.

    Parameters
    ----------
    path : Path
        JSON of HoVer-Net, HoVer-NeXt, CellViT, TIAToolbox, MMDetection, COCO tools, Grand Challenge or
        QuPath; a CSV or Parquet of any columns; text of YOLO; an AnnotationStore; or any annotation format.
    kind : str, optional
        One of `KINDS`; by default what the content says.
    columns : mapping of str to str, optional
        Field → column of a table; see `tables.FIELDS`.
    boxes : BoxLayout, optional
        How boxes are stated, where the file does not say so.
    mpp : Mpp
        Of the slide, for annotation formats in mm.

    Raises
    ------
    FormatError
        If it cannot be read, or is in no format that is known.
    ConfigError
        If there is no such kind, or columns are named of what is no table.
    """
    if kind is not None and kind not in KINDS:
        raise ConfigError(
            f"unknown kind of file {kind!r}", where="--format", mend=f"use one of: {', '.join(KINDS)}"
        )
    if path.is_dir():
        raise FormatError("a folder, not a file", where=path, mend="import the file of each slide")
    named = columns or {}
    found = kind or _kind_of(path)
    if named and found not in ("csv", "parquet"):
        raise ConfigError("columns are those of a table", where="--column", mend="leave it out")
    if boxes is not None and found in ("yolo", "annotation-store"):
        raise ConfigError("such files state their boxes in one way", where="--boxes", mend="leave it out")
    if found == "json":
        return read_json_findings(path, boxes=boxes)
    if found == "csv":
        return read_csv_findings(path, columns=named, boxes=boxes)
    if found == "parquet":
        return read_parquet_findings(path, columns=named, boxes=boxes)
    if found == "yolo":
        return read_yolo_findings(path)
    if found == "annotation-store":
        return annotation_store.read_store_findings(path)
    return _of_annotations(path, ReadOptions(mpp=mpp, boxes=boxes))


def _kind_of(path: Path) -> str | None:
    """Return the kind that the content says, None for any annotation format."""
    content = Content(path)
    if not content.head.strip():
        if path.suffix.casefold() == ".txt":
            return "yolo"  # which writes nothing where it finds nothing
        raise FormatError(
            "the file is empty", where=path, mend="a result without findings is a header, [] or {}"
        )
    if content.head.startswith(PARQUET):
        return "parquet"
    if content.head.startswith(annotation_store.MAGIC):
        return "annotation-store" if annotation_store.is_annotation_store(path) else None
    if not content.is_text:
        mend = _PICKLES.get(path.suffix.casefold(), "write the findings as CSV x,y,score,label")
        if path.suffix.casefold() in _PICKLES:
            raise FormatError(
                "a file of a program's own objects, which may run code: not read", where=path, mend=mend
            )
        return None
    if content.text_head.lstrip()[:1] in ("{", "["):
        return "json"
    if is_yolo(content.text_head):
        return "yolo"
    return None if content.xml_root or content.numbers is not None else "csv"


def _of_annotations(path: Path, options: ReadOptions) -> ForeignFindings:
    """Read any other format by its own reader: SlideRunner, DICOM, XML of ASAP and others, challenges."""
    try:
        title = detect_format(path).title
    except FormatError as error:  # whose --format is that of annotations
        raise FormatError(error.what, where=path, mend="write the findings as CSV x,y,score,label") from None
    study = read_study(path, options=options)
    found = detections_of(study, where=path)
    parts = list(found.values())
    names = {name: None for part in parts for name in np.unique(part.stated_label).tolist()}
    places = {name: place for place, name in enumerate(names)}
    labels = [places[name] for part in parts for name in part.stated_label.tolist()]
    images = tuple(found) if len(found) > 1 else ("",)
    return ForeignFindings(
        title,
        np.concatenate([np.empty(0), *(part.x_px0 for part in parts)]),
        np.concatenate([np.empty(0), *(part.y_px0 for part in parts)]),
        np.concatenate([np.empty(0), *(part.score for part in parts)]),
        np.array(labels, np.int64),
        tuple(names),
        np.concatenate([np.empty(0, np.int64), *(np.full(len(p), n) for n, p in enumerate(parts))]),
        images,
        Unit.PX,
    )
