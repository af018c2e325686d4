"""Sets of labelled slides: read, found on disk, split into those to learn from and those that test."""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from dataclasses import field as setting
from functools import cached_property, lru_cache
from pathlib import Path, PurePosixPath
from typing import Self

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.field import Field
from mitoscope.data.open_data import CATALOGUE, MITOSIS_CROPS, content_hash
from mitoscope.data.slide_field import SlideField
from mitoscope.data.sources import (
    AnnotatedSlides,
    OpenData,
    Provenance,
    fields_of,
    provenance,
    read_fields,
)
from mitoscope.errors import TrainingDataError
from mitoscope.exchange import ReadOptions, is_store, join, published_split, read_ground_truth, read_study
from mitoscope.experiments.trained.declaration import SetDeclaration
from mitoscope.geometry import Mpp
from mitoscope.image_names import IMAGE_SUFFIXES, stem, without_suffix
from mitoscope.labels import AMBIGUOUS, LOOK_ALIKE
from mitoscope.slide import open_slide
from mitoscope.store import Study, agreed_of, ground_truth_of
from mitoscope.truth import NO_CLASS, ExaminedArea, GroundTruth, SlideTruth, TrueCells

_LISTED = 40
"""Missing slides are listed up to this number."""
OPEN_DATA = OpenData(kind="open-data")
_MPP = 0.25


@dataclass(frozen=True)
class SlideSet:
    """Slides with labels.

    Parameters
    ----------
    name : str
    truth : GroundTruth
        Of its slides, each with its resolution where that is known; published sets were screened as a whole,
        other ones where they say so.
    files : mapping of str to Path
        Slide name → file.
    tests : frozenset of str
        Slides that only test.
    data : Path
        Folder that `source` lies in.
    source : AnnotatedSlides or OpenData
        What bundles name as their training data.
    areas_px0 : mapping of str to tuple of float
        Slide name → centre of the area that an expert chose, in level-0 px.
    """

    name: str
    truth: GroundTruth
    files: Mapping[str, Path]
    tests: frozenset[str]
    data: Path
    source: AnnotatedSlides | OpenData
    areas_px0: Mapping[str, tuple[float, float]] = setting(default_factory=dict)

    @classmethod
    def of(
        cls,
        name: str,
        truth: GroundTruth,
        files: Mapping[str, Path],
        *,
        tests: frozenset[str] = frozenset(),
        slide_mpp: float | None = None,
        data: Path,
        source: AnnotatedSlides | OpenData,
    ) -> Self:
        """Build a set; slides that state no resolution get the one of the set, and were screened whole."""
        fill = None if slide_mpp is None else Mpp.square(slide_mpp)
        whole = ExaminedArea.whole("published as screened completely")
        filled = truth.with_slides(
            replace(slide, mpp=slide.mpp or fill, stated_examined=slide.stated_examined or whole)
            for slide in truth
        )
        return cls(name, filled, files, tests, data, source)

    def slides(self, *, testing: bool) -> tuple[SlideTruth, ...]:
        """Return the slides that test, or those that do not, in order."""
        return tuple(one for one in self.truth if (one.name in self.tests) == testing)

    @property
    def is_open(self) -> bool:
        """Whether it stands for the openly licensed pictures, which are no slides."""
        return isinstance(self.source, OpenData)

    def field(self, slide: SlideTruth, *, mpp: float) -> SlideField:
        """Open a slide as a field to be learnt from, at a resolution in µm/px.

        Raises
        ------
        SlideError, TrainingDataError
            If it cannot be opened, or a label lies outside.
        """
        (field,) = fields_of(self.truth.with_slides([slide]), self.files, mpp=mpp, source=self.name)
        return field

    def provenance(self) -> tuple[Provenance, ...]:
        """Return what bundles name of it: its labels and slides, or the openly licensed pictures."""
        if isinstance(self.source, OpenData):
            return provenance(self.source, self.data)
        own = self.source
        return (Provenance(own.title, own.licence, own.attribution, self.sha256),)

    @cached_property
    def sha256(self) -> str:
        """Of labels, split and slides (their fingerprints)."""
        digest = hashlib.sha256(open_sha256(self.data).encode() if self.is_open else b"")
        digest.update(self.truth.sha256.encode())
        for slide in self.truth:
            path = self.files[slide.name]
            print_of = _fingerprint(path, path.stat().st_mtime_ns, mpp_of(slide))
            own = f"{slide.name} {print_of} {slide.name in self.tests} {slide.domain}"
            digest.update(f"{own} {self.areas_px0.get(slide.name)}\n".encode())
        return digest.hexdigest()


@lru_cache(maxsize=4096)
def _fingerprint(path: Path, changed_ns: int, mpp: float | None) -> str:
    """Return the fingerprint of a slide, opened once for all experiments of a process."""
    del changed_ns
    with open_slide(path, mpp=mpp) as opened:
        return opened.info.fingerprint


def mpp_of(slide: SlideTruth) -> float | None:
    """Return the resolution of a slide in µm/px, where it is known without the file."""
    return None if slide.mpp is None else slide.mpp.mean


def domain_of(slide: SlideTruth, other: str) -> str:
    """Return the tumour type of a slide, or the name of its set."""
    return slide.domain.tumour_type or other


def check_there(declared: Iterable[SetDeclaration], data: Path) -> None:
    """Refuse a data folder in which files of labels or folders of slides are not where the sets have them.

    Raises
    ------
    TrainingDataError
        Listing all that is not there.
    """
    wanted = dict.fromkeys(path for declaration in declared for path in declaration.paths)
    if absent := [path for path in wanted if not _is_there(data, path)]:
        raise TrainingDataError(
            f"{len(absent)} of {len(wanted)} files and folders are not there: {', '.join(absent)}",
            where=data,
            mend="give the folder of the data set with --data; mitoscope data check says what it lacks",
        )


def _is_there(data: Path, path: str) -> bool:
    return any(data.glob(path)) if "*" in path else (data / path).exists()


def read_set(name: str, declared: SetDeclaration, data: Path) -> SlideSet:
    """Read the labels of a set and find its slides.

    Parameters
    ----------
    name : str
    declared : SetDeclaration
    data : Path
        The data folder.

    Raises
    ------
    TrainingDataError
        If files or folders are not there, slides are missing (all are listed) or two files have one name.
    FormatError
        If the labels cannot be read.
    """
    if declared.open_data:
        return SlideSet(name, GroundTruth(()), {}, frozenset(), data, declared.source)
    if declared.unlabelled:
        return _unlabelled(name, declared, data)
    check_there([declared], data)
    labels = data / declared.labels
    domains = None if declared.domains is None else data / declared.domains
    truth, tests = _read_truth(labels, declared, ReadOptions(domains=domains))
    if declared.look_alikes:
        more = read_study(data / declared.look_alikes, declared.format, ReadOptions())
        truth = _with_look_alikes(truth, ground_truth_of(more, source=declared.look_alikes))
    folder = data / declared.slides
    if declared.images:
        truth = _completed(truth, folder, declared.images)
    truth = _of_cases(truth, declared)
    tests = tests if tests is not None else _tests(declared, truth)
    files = find_slides(folder, truth, images=declared.images)
    own = SlideSet.of(
        name, truth, files, tests=tests, slide_mpp=declared.slide_mpp, data=data, source=declared.source
    )
    return replace(own, areas_px0=_areas(own, declared.areas)) if declared.areas else own


def _areas(own: SlideSet, areas: str) -> dict[str, tuple[float, float]]:
    """Return the centre of the area that an expert chose on each slide that is learnt from.

    Raises
    ------
    TrainingDataError
        If a slide has none, or several.
    """
    path = min(own.data.glob(areas))
    study = read_study(path, None, ReadOptions())
    drawn: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for place, centre in zip(study.cells.slide.tolist(), study.cells.centres_px0.tolist(), strict=True):
        drawn[stem(study.slides[place].name)].append(tuple(centre))
    for region in study.regions:
        low, high = region.vertices_px0.min(axis=0), region.vertices_px0.max(axis=0)
        drawn[stem(study.slides[region.slide].name)].append(tuple(((low + high) / 2).tolist()))
    slides = own.slides(testing=False)
    if odd := [slide.name for slide in slides if len(drawn[stem(slide.name)]) != 1]:
        raise TrainingDataError(
            f"{len(odd)} slides have no area, or several: {', '.join(odd[:_LISTED])}",
            where=path,
            mend="one rectangle per slide expected",
        )
    return {slide.name: drawn[stem(slide.name)][0] for slide in slides}


def _read_truth(
    labels: Path, declared: SetDeclaration, options: ReadOptions
) -> tuple[GroundTruth, frozenset[str] | None]:
    """Return what is true, and the slides that test where a table of domains states them."""
    if declared.format is None and is_store(labels):
        return read_ground_truth(labels, least_agreement=declared.least_agreement), None
    study = _read_labels(labels, declared.format, options)
    truth = ground_truth_of(study, source=labels.name)
    if declared.ambiguous_as:
        truth = _with_ambiguous(truth, study, declared.ambiguous_as)
    if not declared.by_table:
        return truth, None
    listed = [slide for slide in study.slides if slide.domain.scanner]
    known = truth.with_slides(slide for slide in truth if slide.domain.scanner)
    return known, frozenset(published_split(listed).slides("test"))


def _read_labels(labels: Path, format_name: str | None, options: ReadOptions) -> Study:
    """Read a file or folder of labels, or all files that a name with ``*`` stands for, one an image."""
    if "*" not in str(labels):
        return read_study(labels, format_name, options)
    top = next(folder for folder in labels.parents if "*" not in str(folder))
    files = sorted(top.glob(labels.relative_to(top).as_posix()))
    named = (file.relative_to(top).with_suffix("").as_posix() for file in files)
    return join(
        [
            read_study(file, format_name, replace(options, slide=name))
            for file, name in zip(files, named, strict=True)
        ]
    )


def _with_ambiguous(truth: GroundTruth, study: Study, label: str) -> GroundTruth:
    """Return the truth with cells that are disputed, or called ambiguous, as cells of a class."""
    agreed = agreed_of(study).label
    labelled = np.zeros(len(study.cells), np.bool_)
    labelled[study.events.cell[study.events.label >= 0]] = True
    disputed = (agreed == NO_CLASS) & labelled & ~study.cells.deleted
    slides = []
    for place, slide in enumerate(truth):
        own = slide.cells
        renamed = np.where(own.label == AMBIGUOUS.name, label, own.label).astype(np.str_)
        points = study.cells.centres_px0[disputed & (study.cells.slide == place)]
        added = TrueCells.of(
            np.concatenate([own.points_px0, points]),
            np.concatenate([renamed, np.full(len(points), label)]).astype(np.str_),
        )
        slides.append(replace(slide, cells=added))
    return truth.with_slides(slides)


def _with_look_alikes(truth: GroundTruth, more: GroundTruth) -> GroundTruth:
    """Return the truth with all cells of another one as look-alikes; each slide by its name."""
    added = {slide.name: slide.cells.points_px0 for slide in more}
    slides = [*truth, *(SlideTruth(name) for name in added if name not in truth.by_name)]
    return truth.with_slides(
        replace(slide, cells=_joined(slide.cells, added.get(slide.name, np.empty((0, 2)))))
        for slide in slides
    )


def _joined(cells: TrueCells, points: NDArray[np.float64]) -> TrueCells:
    return TrueCells.of(
        np.concatenate([cells.points_px0, points]),
        np.concatenate([cells.label, np.full(len(points), LOOK_ALIKE.name)]).astype(np.str_),
    )


def _completed(truth: GroundTruth, folder: Path, images: str) -> GroundTruth:
    """Return the truth with the images of a folder that it does not name: there is no figure on them."""
    found = sorted(path for path in folder.glob(images) if path.suffix.casefold() in IMAGE_SUFFIXES)
    named = {path for slide in truth for path in _alike(slide.name, found)}
    others = (path.relative_to(folder).as_posix() for path in found if path not in named)
    return truth.with_slides((*truth, *(SlideTruth(name, case=name) for name in others)))


def _alike(name: str, files: Iterable[Path]) -> list[Path]:
    """Return the files that a slide's name may stand for: of its stem; of several, those in its folder."""
    own = [path for path in files if stem(path.name) == stem(name)]
    folder = PurePosixPath(without_suffix(name.replace("\\", "/"))).parts
    if len(own) < 2 or len(folder) < 2:
        return own
    return [path for path in own if path.parts[-len(folder) : -1] == folder[:-1]]


def _of_cases(truth: GroundTruth, declared: SetDeclaration) -> GroundTruth:
    """Return the slides of the declared cases, each with the case that its name states.

    Raises
    ------
    TrainingDataError
        If a name states none, or a declared case has no slide.
    """
    if declared.case_of:
        slides = []
        for slide in truth:
            stated = re.search(declared.case_of, without_suffix(slide.name))
            if stated is None:
                raise TrainingDataError(
                    f"the name {slide.name!r} states no case",
                    where=declared.labels,
                    mend=f"names of this set are like {declared.case_of}",
                )
            slides.append(replace(slide, case=stated.group(1)))
        truth = truth.with_slides(slides)
    if not declared.cases:
        return truth
    if lost := set(declared.cases) - {slide.case for slide in truth}:
        raise TrainingDataError(
            f"{len(lost)} cases have no slide: {', '.join(sorted(lost))}",
            where=declared.slides,
            mend="these labels are of another data set or an incomplete copy",
        )
    return truth.with_slides(slide for slide in truth if slide.case in declared.cases)


def _unlabelled(name: str, declared: SetDeclaration, data: Path) -> SlideSet:
    check_there([declared], data)
    folder = data / declared.slides
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.casefold() in IMAGE_SUFFIXES]
    if not found:
        raise TrainingDataError(f"no slide of the set {name} there", where=folder, mend="put slides there")
    truth = GroundTruth(tuple(map(SlideTruth, dict.fromkeys(path.name for path in found))))
    files = find_slides(folder, truth)
    return SlideSet.of(name, truth, files, slide_mpp=declared.slide_mpp, data=data, source=declared.source)


def find_slides(folder: Path, slides: Iterable[SlideTruth], *, images: str = "") -> dict[str, Path]:
    """Return the file of each slide, in a folder or below it, of whatever image format.

    Parameters
    ----------
    folder : Path
    slides : iterable of SlideTruth
        Of names such as ``01/01`` the folder counts where several files have the name.
    images : str
        Which files, with ``*``; by default all.

    Raises
    ------
    TrainingDataError
        If slides are missing, all of them listed, or a name stands for several files or slides.
    """
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.glob(images) if images else folder.rglob("*")):
        if path.suffix.casefold() in IMAGE_SUFFIXES and path.is_file():
            by_stem[stem(path.name)].append(path)
    names = [slide.name for slide in slides]
    files_of = {name: _alike(name, by_stem[stem(name)]) for name in names}
    missing = [name for name in names if not files_of[name]]
    if missing:
        more = f", and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise TrainingDataError(
            f"{len(missing)} of {len(names)} slides are missing: {', '.join(missing[:_LISTED])}{more}",
            where=folder,
            mend="get them (mitoscope data check says what a data set lacks), or give another --data",
        )
    twice = [name for name in names if len(files_of[name]) > 1]
    if twice:
        both = " and ".join(str(path.relative_to(folder)) for path in files_of[twice[0]][:2])
        raise TrainingDataError(
            f"{len(twice)} slides have several files of their name, the first: {both}",
            where=folder,
            mend="keep one of each",
        )
    known: dict[Path, str] = {}
    for name in names:
        if (other := known.setdefault(files_of[name][0], name)) != name:
            raise TrainingDataError(
                f"the labels have two slides of one name, {other} and {name}",
                where=files_of[name][0],
                mend="keep the labels of one of them, or rename it and its file",
            )
    return {name: files_of[name][0] for name in names}


def _tests(declared: SetDeclaration, truth: GroundTruth) -> frozenset[str]:
    names = [slide.name for slide in truth]
    if declared.only_tests:
        return frozenset(names)
    if declared.only_trains:
        return frozenset()
    if declared.test_cases:
        return frozenset(slide.name for slide in truth if slide.case in declared.test_cases)
    if declared.every_nth:
        cases = sorted({slide.case for slide in truth})[:: declared.every_nth]
        return frozenset(slide.name for slide in truth if slide.case in cases)
    known = {stem(name): name for name in names}
    if lost := [name for name in declared.test if name not in known]:
        raise TrainingDataError(
            f"{len(lost)} test slides are not in the labels: {', '.join(lost)}",
            where=declared.labels,
            mend="these labels are of another data set or an incomplete copy",
        )
    return frozenset(known[name] for name in declared.test)


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
    own = [source for source in CATALOGUE if source.name in OPEN_DATA.sets]
    return hashlib.sha256("".join(content_hash(source, data) for source in own).encode()).hexdigest()
