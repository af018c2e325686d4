"""Where fields come from: the open data in memory, or annotations of any format with their slides on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.data.catalogue import CATALOGUE, Source, attribution_of, content_hash
from mitoscope.data.field import Field, Labels
from mitoscope.data.reading import read_brecahad, read_crops, read_negative_fields
from mitoscope.data.slide_field import open_field, with_labels
from mitoscope.errors import StoreError, TrainingDataError
from mitoscope.exchange.classes import UNKNOWN, stated_classes
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.registry import read_study
from mitoscope.fsio import sha256_file
from mitoscope.store import RaterKind, Store, Study

Positive = Annotated[float, Setting(gt=0)]


@dataclass(frozen=True, slots=True)
class Provenance:
    """One source as bundle and model card name it."""

    title: str
    licence: str
    attribution: str
    sha256: str


class OpenData(Config):
    """The openly licensed pictures: crops around figures, BreCaHAD, fields without figures, in memory."""

    kind: Literal["open-data"]


class AnnotatedSlides(Config):
    """Annotations of any format, and the slides or images that they belong to, read by region.

    Parameters
    ----------
    labels : str
        A store, or a file of any format of the exchange; inside the data folder.
    slides : str
        Folder of the slides, inside the data folder.
    format : str, optional
        Of the annotations, where it is not plain.
    slide_mpp : float, optional
        Resolution of slides that do not state it, µm/px.
    domains : str, optional
        Table of domains (``datasets_xvalidation.csv``), inside the data folder.
    title, licence, attribution : str
        For the model card.
    """

    kind: Literal["annotated-slides"]
    labels: str
    slides: str = "."
    format: str | None = None
    slide_mpp: Positive | None = None
    domains: str | None = None
    title: str = "own slides"
    licence: str = "not stated"
    attribution: str = "not stated"


class SyntheticSlides(Config):
    """Synthetic slides with their truth beside them (``mitoscope synth``), read by region.

    Parameters
    ----------
    slides : str
        Folder of the slides, inside the data folder.
    """

    kind: Literal["synthetic-slides"]
    slides: str = "."


SourceConfig = Annotated[OpenData | AnnotatedSlides | SyntheticSlides, Setting(discriminator="kind")]
"""The table ``[data.source]`` of a recipe."""


def read_fields(config: SourceConfig, data: Path, *, mpp: float) -> list[Field]:
    """Read or open all fields of a source.

    Parameters
    ----------
    config : SourceConfig
    data : Path
        The data folder.
    mpp : float
        Resolution of training, µm/px.

    Raises
    ------
    TrainingDataError
        If something is missing or damaged, or a label lies outside of its slide.
    """
    if isinstance(config, OpenData):
        return [*read_crops(data), *read_brecahad(data), *read_negative_fields(data)]
    if isinstance(config, AnnotatedSlides):
        return _annotated(config, data, mpp)
    truths = [
        AnnotatedSlides(kind="annotated-slides", labels=str(table.relative_to(data)), slides=config.slides)
        for table in _truths(config, data)
    ]
    return [field for truth in truths for field in _annotated(truth, data, mpp)]


def provenance(
    config: SourceConfig, data: Path, fields: Iterable[Field] | None = None
) -> tuple[Provenance, ...]:
    """Return whom to name for a source, with hashes of its content.

    Parameters
    ----------
    config : SourceConfig
    data : Path
        The data folder.
    fields : iterable of Field, optional
        What was taken of it; of the open data only what they come from is named. By default all.
    """
    if isinstance(config, OpenData):
        taken = None if fields is None else {field.source for field in fields}
        return tuple(_of_catalogue(one, data) for one in CATALOGUE if taken is None or one.name in taken)
    if isinstance(config, SyntheticSlides):
        return (
            Provenance(
                "synthetic slides", "none needed", "painted by mitoscope", _sha256(_truths(config, data))
            ),
        )
    path = _inside(data, config.labels, "data.source.labels")
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    return (Provenance(config.title, config.licence, config.attribution, _sha256(files)),)


def _truths(config: SyntheticSlides, data: Path) -> list[Path]:
    folder = _inside(data, config.slides, "data.source.slides")
    found = sorted(folder.glob("*.truth.csv"))
    if not found:
        raise TrainingDataError(
            "no synthetic slide with its truth", where=folder, mend="paint some with mitoscope synth"
        )
    return found


def _sha256(files: list[Path]) -> str:
    if len(files) == 1:
        return sha256_file(files[0])
    return hashlib.sha256("".join(f"{one.name} {sha256_file(one)}\n" for one in files).encode()).hexdigest()


def _of_catalogue(source: Source, data: Path) -> Provenance:
    return Provenance(source.title, source.licence, attribution_of(source, data), content_hash(source, data))


def _inside(data: Path, name: str, key: str) -> Path:
    path = data / name
    if not path.exists():
        raise TrainingDataError("no such file or folder", where=path, mend=f"check --data and {key}")
    return path


def _annotated(config: AnnotatedSlides, data: Path, mpp: float) -> list[Field]:
    path = _inside(data, config.labels, "data.source.labels")
    folder = _inside(data, config.slides, "data.source.slides")
    domains = None if config.domains is None else _inside(data, config.domains, "data.source.domains")
    study = read_labels(path, config.format, ReadOptions(domains=domains))
    files = {one.stem: one for one in folder.iterdir() if one.is_file()}
    names = [Path(slide.name) for slide in study.slides]
    missing = [name.name for name in names if not (folder / name.name).is_file() and name.stem not in files]
    if missing:
        raise TrainingDataError(
            f"{len(missing)} of {len(names)} slides are not there, the first: {missing[0]}",
            where=folder,
            mend="check data.source.slides",
        )
    label, agreement = stated_classes(study)[0], agreements(study)
    known = (label != UNKNOWN) & ~study.cells.deleted
    fields: list[Field] = []
    for place, (slide, name) in enumerate(zip(study.slides, names, strict=True)):
        exact = folder / name.name
        opened = open_field(
            exact if exact.is_file() else files[name.stem],
            source=path.stem,
            case=slide.case or slide.name,
            domain=slide.domain.tumour_type or path.stem,
            mpp=mpp,
            stated_mpp=config.slide_mpp or (slide.mpp.mean if slide.mpp else None),
        )
        own = np.flatnonzero(known & (study.cells.slide == place))
        points = study.cells.centres_px0[own]
        labels = Labels.of(points, np.array(study.labels.names)[label[own]], agreement[own])
        fields.append(with_labels(opened, points, labels))
    return fields


def read_labels(path: Path, format_name: str | None, options: ReadOptions) -> Study:
    """Read annotations from a store, or from a file of any format of the exchange."""
    if format_name is None:
        try:
            with Store.open(path, write=False) as store:
                return store.export_study()
        except StoreError:
            pass  # not a store: one of the exchange formats, or refused there
    return read_study(path, format_name, options)


def agreements(study: Study) -> NDArray[np.float64]:
    """Return for each cell the share of its experts and reviewers who gave the label it came to.

    A consensus with a score of its own (the agreement of merged crowd boxes) counts as that score; a cell on
    which nobody but the consensus spoke is agreed on.
    """
    label, score = stated_classes(study)
    events = study.events
    people = {i for i, r in enumerate(study.raters) if r.kind in (RaterKind.EXPERT, RaterKind.CROWD)}
    last = {
        (int(cell), int(rater)): int(said)
        for cell, rater, said in zip(events.cell, events.rater, events.label, strict=True)
        if int(rater) in people
    }
    yes, asked = np.zeros(len(label)), np.zeros(len(label))
    for (cell, _), said in last.items():
        if said >= 0:
            asked[cell] += 1
            yes[cell] += said == label[cell]
    share = np.divide(yes, asked, out=np.ones(len(label)), where=asked > 0)
    merged = any(rater.kind is RaterKind.CONSENSUS for rater in study.raters)
    scored = ~np.isnan(score) & (asked == 0) & merged
    return np.where(scored, np.clip(np.nan_to_num(score), 0, 1), share)
