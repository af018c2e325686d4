"""Sets of labelled slides: read, found on disk, split into those to learn from and those that test."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Self

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
from mitoscope.exchange import ReadOptions, is_store, published_split, read_study
from mitoscope.experiments.trained.declaration import SetDeclaration
from mitoscope.geometry import Mpp
from mitoscope.image_names import IMAGE_SUFFIXES, stem
from mitoscope.slide import open_slide
from mitoscope.store import Store, Study, ground_truth_of, with_examined
from mitoscope.truth import GroundTruth, SlideTruth

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
        Of its slides, each with its resolution where that is known; published sets were screened as a whole.
    files : mapping of str to Path
        Slide name → file.
    tests : frozenset of str
        Slides that only test.
    data : Path
        Folder that `source` lies in.
    source : AnnotatedSlides or OpenData
        What bundles name as their training data.
    """

    name: str
    truth: GroundTruth
    files: Mapping[str, Path]
    tests: frozenset[str]
    data: Path
    source: AnnotatedSlides | OpenData

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
        """Build a set; slides that state no resolution get the one of the set."""
        fill = None if slide_mpp is None else Mpp.square(slide_mpp)
        filled = truth.with_slides(replace(slide, mpp=slide.mpp or fill) for slide in truth)
        return cls(name, with_examined(filled, "whole"), files, tests, data, source)

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
            digest.update(f"{slide.name} {print_of} {slide.name in self.tests} {slide.domain}\n".encode())
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
    if absent := [path for path in wanted if not (data / path).exists()]:
        raise TrainingDataError(
            f"{len(absent)} of {len(wanted)} files and folders are not there: {', '.join(absent)}",
            where=data,
            mend="give the folder of the data set with --data; mitoscope data check says what it lacks",
        )


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
    study = _read_study(labels, declared.format, ReadOptions(domains=domains))
    tests = _tests(declared, study)
    truth = ground_truth_of(study, source=labels.name)
    if declared.by_table:
        truth = truth.with_slides(slide for slide in truth if slide.domain.scanner)
    files = find_slides(data / declared.slides, truth)
    return SlideSet.of(
        name, truth, files, tests=tests, slide_mpp=declared.slide_mpp, data=data, source=declared.source
    )


def _read_study(labels: Path, format_name: str | None, options: ReadOptions) -> Study:
    if format_name is None and is_store(labels):
        with Store.open(labels, write=False) as store:
            return store.export_study()
    return read_study(labels, format_name, options)


def _unlabelled(name: str, declared: SetDeclaration, data: Path) -> SlideSet:
    check_there([declared], data)
    folder = data / declared.slides
    found = [path for path in sorted(folder.rglob("*")) if path.suffix.casefold() in IMAGE_SUFFIXES]
    if not found:
        raise TrainingDataError(f"no slide of the set {name} there", where=folder, mend="put slides there")
    truth = GroundTruth(tuple(map(SlideTruth, dict.fromkeys(path.name for path in found))))
    files = find_slides(folder, truth)
    return SlideSet.of(name, truth, files, slide_mpp=declared.slide_mpp, data=data, source=declared.source)


def find_slides(folder: Path, slides: Iterable[SlideTruth]) -> dict[str, Path]:
    """Return the file of each slide, in a folder or below it, of whatever image format.

    Raises
    ------
    TrainingDataError
        If slides are missing, all of them listed, or a name stands for several files or slides.
    """
    found: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        if path.suffix.casefold() in IMAGE_SUFFIXES and path.is_file():
            found[stem(path.name)].append(path)
    names = [slide.name for slide in slides]
    missing = [name for name in names if not found[stem(name)]]
    if missing:
        more = f", and {len(missing) - _LISTED} more" if len(missing) > _LISTED else ""
        raise TrainingDataError(
            f"{len(missing)} of {len(names)} slides are missing: {', '.join(missing[:_LISTED])}{more}",
            where=folder,
            mend="get them (mitoscope data check says what a data set lacks), or give another --data",
        )
    twice = [name for name in names if len(found[stem(name)]) > 1]
    if twice:
        both = " and ".join(str(path.relative_to(folder)) for path in found[stem(twice[0])][:2])
        raise TrainingDataError(
            f"{len(twice)} slides have several files of their name, the first: {both}",
            where=folder,
            mend="keep one of each",
        )
    known: dict[str, str] = {}
    for name in names:
        if (other := known.setdefault(stem(name), name)) != name:
            raise TrainingDataError(
                f"the labels have two slides of one name, {other} and {name}",
                where=found[stem(name)][0],
                mend="keep the labels of one of them, or rename it and its file",
            )
    return {name: found[stem(name)][0] for name in names}


def _tests(declared: SetDeclaration, study: Study) -> frozenset[str]:
    names = [slide.name for slide in study.slides]
    if declared.only_tests:
        return frozenset(names)
    if declared.by_table:
        listed = [slide for slide in study.slides if slide.domain.scanner]
        return frozenset(published_split(listed).slides("test"))
    if declared.every_nth:
        return frozenset(sorted(names)[:: declared.every_nth])
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
