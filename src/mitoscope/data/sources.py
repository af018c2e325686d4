"""Where fields come from: the open data in memory, or ground truth of any origin with its slides on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.data.field import Field, Labels
from mitoscope.data.open_data import (
    CATALOGUE,
    Source,
    attribution_of,
    content_hash,
    read_brecahad,
    read_crops,
    read_figure_kinds,
    read_negative_fields,
    read_unsorted_fields,
)
from mitoscope.data.picture import Picture
from mitoscope.data.slide_field import SlideField, info_of, open_field, with_labels
from mitoscope.errors import TrainingDataError
from mitoscope.exchange import parse_reference, read_ground_truth
from mitoscope.geometry import Mpp
from mitoscope.image_names import IMAGE_SUFFIXES, last_part, stem
from mitoscope.labels import LabelMapping
from mitoscope.truth import GroundTruth, Policy
from mitoscope.written import sha256_file

Positive = Annotated[float, Setting(gt=0)]
_NOT_STATED: Final = "not stated"


@dataclass(frozen=True, slots=True)
class Provenance:
    """One source as bundle and model card name it.

    Parameters
    ----------
    title, licence, attribution : str
    sha256 : str
        Of its content.
    labels : str, optional
        The ground truth: a version of a study, a study under a policy, or a file.
    policy : str, optional
        By which the labels of raters became one.
    """

    title: str
    licence: str
    attribution: str
    sha256: str
    labels: str | None = None
    policy: str | None = None


OpenSet = Literal["mitosis_crops", "figure_kinds", "brecahad", "negative_fields", "unsorted_fields"]
_READERS: Final[dict[OpenSet, Callable[[Path], list[Picture]]]] = {
    "mitosis_crops": read_crops,
    "figure_kinds": read_figure_kinds,
    "brecahad": read_brecahad,
    "negative_fields": read_negative_fields,
    "unsorted_fields": read_unsorted_fields,
}
_SAME_PICTURES: Final[dict[OpenSet, str]] = {"figure_kinds": "mitosis_crops"}
"""Sets of which the pictures are those of another source, with other labels."""


class OpenData(Config):
    """The openly licensed pictures, in memory.

    Parameters
    ----------
    sets : tuple of str
        Crops around figures, BreCaHAD, fields without figures; fields of which only candidates were sorted
        must be asked for, and so must the kinds of figures: the crops with whether their figure is atypical.
    mirrored_crops : bool
        Continue crops by their mirror image; otherwise they end in white, as fields do.
    """

    kind: Literal["open-data"]
    sets: Annotated[tuple[OpenSet, ...], Setting(min_length=1)] = (
        "mitosis_crops",
        "brecahad",
        "negative_fields",
    )
    mirrored_crops: bool = True


class LabelledSlides(Config):
    """Slides or images on disk with the ground truth of them; they are read by region.

    Parameters
    ----------
    slides : str
        Folder of the slides, inside the data folder.
    label_names : tuple of str
        What class names stand for, each ``NAME=CLASS``; see `LabelMapping`.
    examined : {"whole", "tumour", "regions"}, optional
        What was looked at on every slide, where the ground truth does not state it.
    slide_mpp : float, optional
        Resolution of slides that do not state it, µm/px.
    title, licence, attribution : str
        For the model card; the licence is by default that which a version states of its slides.
    """

    slides: str = "."
    label_names: tuple[str, ...] = ()
    examined: Literal["whole", "tumour", "regions"] | None = None
    slide_mpp: Positive | None = None
    title: str = "own slides"
    licence: str = _NOT_STATED
    attribution: str = _NOT_STATED


class AnnotatedSlides(LabelledSlides):
    """Annotations of any format.

    Parameters
    ----------
    labels : str
        A file of any format of the exchange, or a study; inside the data folder.
    format : str, optional
        Of the annotations, where it is not plain.
    policy : Policy, optional
        How the labels of several raters become one; `Policy.SETTLED` by default.
    domains : str, optional
        Table of domains (``datasets_xvalidation.csv``), inside the data folder.
    """

    kind: Literal["annotated-slides"]
    labels: str
    format: str | None = None
    policy: Policy | None = None
    domains: str | None = None


class StudySlides(LabelledSlides):
    """A study, or a frozen version of it.

    Parameters
    ----------
    study : str
        ``study.mito@MEL``, ``study.mito@MEL@2``, or ``study.mito`` as it is now; inside the data folder.
    policy : Policy, optional
        Of a study as it is now; a version has its own.
    """

    kind: Literal["study"]
    study: str
    policy: Policy | None = None


class SyntheticSlides(Config):
    """Synthetic slides with their truth beside them (``mitoscope synth``), read by region.

    Parameters
    ----------
    slides : str
        Folder of the slides, inside the data folder.
    """

    kind: Literal["synthetic-slides"]
    slides: str = "."


SourceConfig = Annotated[
    OpenData | AnnotatedSlides | StudySlides | SyntheticSlides, Setting(discriminator="kind")
]
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
    TruthError
        If the ground truth contradicts itself, or does not state what of a whole slide was examined.
    """
    if isinstance(config, OpenData):
        pictures = [picture for name in config.sets for picture in _READERS[name](data)]
        return (
            [*pictures] if config.mirrored_crops else [replace(picture, mirror_px=0) for picture in pictures]
        )
    if isinstance(config, SyntheticSlides):
        folder = _inside(data, config.slides, "data.source.slides")
        truths = [read_ground_truth(table, examined="whole") for table in _truths(config, data)]
        return [field for truth in truths for field in fields_of(truth, files_of(truth, folder), mpp=mpp)]
    truth = truth_of(config, data)
    files = files_of(truth, _inside(data, config.slides, "data.source.slides"))
    source = Path(config.labels if isinstance(config, AnnotatedSlides) else config.study).stem
    return list(fields_of(truth, files, mpp=mpp, source=source))


def truth_of(config: AnnotatedSlides | StudySlides, data: Path) -> GroundTruth:
    """Return the ground truth that a source names.

    Raises
    ------
    TrainingDataError
        If it is not there.
    MitoscopeError
        As `read_ground_truth`.
    """
    # A source that fills in what slides do not state replaces nothing that they do.
    mapping = LabelMapping.parse(config.label_names) if config.label_names else None
    if isinstance(config, StudySlides):
        file, version = parse_reference(data / config.study)
        path = _inside(data, str(file), "data.source.study")
        reference = path if version is None else f"{path}@{version}"
        truth = read_ground_truth(reference, policy=config.policy, mapping=mapping, examined=config.examined)
    else:
        path = _inside(data, config.labels, "data.source.labels")
        truth = read_ground_truth(
            path,
            format_name=config.format,
            policy=config.policy,
            mapping=mapping,
            domains=None if config.domains is None else _inside(data, config.domains, "data.source.domains"),
            examined=config.examined,
        )
    if config.slide_mpp is None:
        return truth.need_cells()
    stated = Mpp.square(config.slide_mpp)
    return truth.need_cells().with_slides(replace(slide, mpp=slide.mpp or stated) for slide in truth)


def files_of(truth: GroundTruth, folder: Path) -> dict[str, Path]:
    """Return the file of each slide in a folder or below it: of its name, or else the one of its stem.

    Raises
    ------
    TrainingDataError
        If some are not there.
    """
    images = [file for file in sorted(folder.rglob("*")) if file.suffix.casefold() in IMAGE_SUFFIXES]
    by_name = {file.name: file for file in images}
    stems = {stem(file.name): file for file in images}
    known = {slide.name: by_name.get(last_part(slide.name)) or stems.get(stem(slide.name)) for slide in truth}
    found = {name: file for name, file in known.items() if file is not None}
    missing = [slide.name for slide in truth if slide.name not in found]
    if missing:
        raise TrainingDataError(
            f"{len(missing)} of {len(truth)} slides are not there, the first: {missing[0]}",
            where=folder,
            mend="check data.source.slides",
        )
    return found


def same_content(stated: str, found: str) -> bool:
    """Return whether two hashes may be of one file: hashes taken in different ways cannot be compared."""
    (own_way, _, own), (way, _, other) = (text.rpartition(":") for text in (stated, found))
    return (own_way or "sha256") != (way or "sha256") or own == other


def fields_of(
    truth: GroundTruth, files: Mapping[str, Path], *, mpp: float, source: str | None = None
) -> Iterator[SlideField]:
    """Open the slides of a ground truth as fields to be learnt from.

    Whatever is true of a slide travels with its field: class, size and agreement of every cell, case, side of
    the split, and what was examined. Cells outside of the examined area are left out.

    Parameters
    ----------
    truth : GroundTruth
    files : mapping of str to Path
        Slide name → file.
    mpp : float
        Resolution of training, µm/px.
    source : str, optional
        What the fields are called together; by default the stem of each slide's name.

    Raises
    ------
    TrainingDataError
        If a cell lies outside of its slide.
    NotExaminedError
        If nothing is stated of what was looked at on a whole slide.
    SlideError
        If a slide cannot be opened.
    """
    for slide in truth:
        opened = open_field(
            files[slide.name],
            source=source or Path(last_part(slide.name)).stem,
            case=slide.case,
            domain=slide.domain.tumour_type or source or Path(last_part(slide.name)).stem,
            mpp=mpp,
            stated_mpp=None if slide.mpp is None else slide.mpp.mean,
        )
        info = info_of(opened)
        if slide.sha256 is not None and not same_content(slide.sha256, info.fingerprint):
            raise TrainingDataError(
                "is not the file that was labelled",
                where=files[slide.name],
                mend="give the folder of the original slides, or import the changed slide again",
            )
        examined = replace(slide, size=slide.size or info.size, mpp=slide.mpp or info.mpp).examined
        cells = slide.cells.take(examined.contains(slide.cells.points_px0))
        labels = Labels.of(cells.points_px0, cells.label, cells.agreement, size=cells.size_px0)
        field = with_labels(opened, cells.points_px0, labels)
        yield replace(field, side=slide.side, examined_px0=examined.region)


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
        sets = {_SAME_PICTURES.get(name, name) for name in config.sets}
        taken = sets if fields is None else {field.source for field in fields}
        return tuple(_of_catalogue(source, data) for source in CATALOGUE if source.name in taken)
    if isinstance(config, SyntheticSlides):
        return (
            Provenance(
                "synthetic slides", "none needed", "painted by mitoscope", _sha256(_truths(config, data))
            ),
        )
    return (named_as(config, truth_of(config, data)),)


def named_as(config: LabelledSlides, truth: GroundTruth) -> Provenance:
    """Return how a ground truth is named as a source of training data."""
    policy = None if truth.policy is None else str(truth.policy)
    stated = config.licence if config.licence != _NOT_STATED else "; ".join(truth.licences) or _NOT_STATED
    return Provenance(config.title, stated, config.attribution, truth.sha256, truth.source or None, policy)


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
    return hashlib.sha256(
        "".join(f"{file.name} {sha256_file(file)}\n" for file in files).encode()
    ).hexdigest()


def _of_catalogue(source: Source, data: Path) -> Provenance:
    return Provenance(source.title, source.licence, attribution_of(source, data), content_hash(source, data))


def _inside(data: Path, name: str, key: str) -> Path:
    path = data / name
    if not path.exists():
        raise TrainingDataError("no such file or folder", where=path, mend=f"check --data and {key}")
    return path
