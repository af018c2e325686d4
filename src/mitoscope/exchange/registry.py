"""The formats by name, and which of them a file is in, by its content."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import fields, replace
from pathlib import Path, PureWindowsPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError, MitoscopeError
from mitoscope.exchange import (
    annotations_csv,
    coco,
    cvat,
    dicom,
    domains,
    frozen_file,
    geojson,
    grand_challenge,
    ome,
    parquet,
    pickled_boxes,
    qupath_tsv,
    result,
    sliderunner,
)
from mitoscope.exchange.challenges import CHALLENGES
from mitoscope.exchange.classes import apply_mapping
from mitoscope.exchange.format import Content, Format, ReadOptions, WriteOptions, left_out
from mitoscope.exchange.outlines_xml import OUTLINES
from mitoscope.exchange.regions import set_aside, with_examined
from mitoscope.fsio import atomic_directory, safe_names
from mitoscope.image_names import IMAGE_SUFFIXES, last_part, without_suffix
from mitoscope.labels import LabelMapping
from mitoscope.store import Cells, LabelEvents, Study, StudyBuilder, sift

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        sliderunner.FORMAT,
        coco.FORMAT,
        geojson.FORMAT,
        grand_challenge.FORMAT,
        dicom.FORMAT,
        annotations_csv.FORMAT,
        domains.FORMAT,
        *CHALLENGES,
        *OUTLINES,
        cvat.FORMAT,
        parquet.FORMAT,
        qupath_tsv.FORMAT,
        ome.FORMAT,
        pickled_boxes.FORMAT,
        result.FORMAT,
        frozen_file.FORMAT,
    )
}
"""Name → format, in the order in which a file is tried."""
ALIASES = {"amida13": "tupac16", "midog": "coco", "qupath": "geojson", "sqlite": "sliderunner"}
"""Other names that ``--format`` takes."""


def find_format(name: str) -> Format:
    """Return a format by its name.

    Raises
    ------
    FormatError
        If there is none, naming those there are.
    """
    key = name.strip().casefold()
    found = FORMATS.get(ALIASES.get(key, key))
    if found is None:
        raise FormatError(
            f"no format of the name {name!r}", mend=f"there are {', '.join([*FORMATS, *ALIASES])}"
        )
    return found


def detect_format(path: Path) -> Format:
    """Return the format of a file, by its content; its name does not count.

    Raises
    ------
    FormatError
        If it cannot be read, is damaged, or is in none of the formats, or in more than one.
    """
    _check_exists(path)
    if path.is_dir():
        return _common_format(path)
    if result.is_beside_manifest(path) or result.vouched_by(path) is not None:
        return result.FORMAT
    content = Content(path)
    if not content.head.strip():
        raise FormatError("empty", where=path, mend="name its format with --format")
    formats = [one for one in FORMATS.values() if one.recognises(content)]
    if len(formats) != 1:
        which = (
            f"could be {' or '.join(one.name for one in formats)}"
            if formats
            else "in no format that is known"
        )
        if not formats and path.suffix.casefold() in IMAGE_SUFFIXES:
            mend = "search a slide with mitoscope detect and give its results"
            raise FormatError("an image, not annotations or results", where=path, mend=mend)
        raise FormatError(which, where=path, mend=f"name it with --format, one of {', '.join(FORMATS)}")
    return formats[0]


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise FormatError("no such file", where=path)


def _common_format(folder: Path) -> Format:
    names = {detect_format(path).name for path in _files(folder) if path.stat().st_size}
    if len(names) != 1:
        which = f"files of the formats {', '.join(sorted(names))}" if names else "no file with content"
        raise FormatError(which, where=folder, mend="name one with --format")
    return FORMATS[names.pop()]


def _files(folder: Path) -> list[Path]:
    paths = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    beside = result.files_of_results(paths)
    return sorted(path for path in paths if path not in beside)


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Look for no cycles meanwhile: readers make many objects and none, and looking doubles the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_study(
    path: str | Path,
    format_name: str | None = None,
    options: ReadOptions | None = None,
    *,
    mapping: LabelMapping | None = None,
) -> Study:
    """Read a file of any format, or a folder of files with one slide each.

    Outlines that cannot be used are in its quarantine. Cells that cannot be taken for their place are still
    among the cells: a store sifts them on import, other users call :func:`mitoscope.store.sift`.

    Parameters
    ----------
    path : str or Path
        File, or folder.
    format_name : str, optional
        Name of the format; without it the content decides.
    options : ReadOptions, optional
        What the file does not say.
    mapping : LabelMapping, optional
        What class names stand for; without it, names that the field does not know stay as they are.

    Raises
    ------
    FormatError, ScaleError
        If it cannot be read.
    UnknownLabelError
        If a mapping is given and does not know a name on a live cell.
    """
    path = Path(path)
    _check_exists(path)
    known = detect_format(path) if format_name is None else find_format(format_name)
    options = options or ReadOptions()
    if mapping is not None:
        options = replace(options, outlines=mapping.outlines)
    with _collection_paused():
        if path.is_dir():
            study = join([known.read(file, _named(options, path, file)) for file in _files(path)])
        else:
            study = known.read(path, options)
    study = set_aside(study, source=path.name)
    return study if mapping is None else apply_mapping(study, mapping, path)[0]


def refuse_quarantined(study: Study, path: Path, allowed: Set[str] = frozenset()) -> Study:
    """Return what a store would take of a study, or refuse it for what a store would quarantine.

    Parameters
    ----------
    study : Study
    path : Path
        The file that it was read from.
    allowed : set of str
        Reasons for which an entry may be in quarantine.

    Raises
    ------
    FormatError
        With the place of the first.
    """
    sifted = sift(study, source=path.name)
    refused = [one for one in sifted.quarantine if one.why not in allowed and not one.is_earlier]
    if refused:
        raise FormatError(
            f"{len(refused)} annotations cannot be judged, the first: {refused[0].why}",
            where=refused[0].where,
            mend="correct or remove them",
        )
    return sifted


def _named(options: ReadOptions, folder: Path, path: Path) -> ReadOptions:
    # AMIDA13 and TUPAC16 name their files 01/01.csv: the case is part of the slide's name.
    inner = path.relative_to(folder).with_suffix("")
    return replace(options, slide=inner.as_posix()) if len(inner.parts) > 1 else options


def write_study(
    study: Study,
    path: str | Path,
    format_name: str,
    options: WriteOptions | None = None,
) -> tuple[str, ...]:
    """Write a study, and return a line for each thing that the format has no room for.

    A format that holds one slide a file is written as a folder of files when the study has several.

    Raises
    ------
    FormatError, ScaleError, OutputError
        If it cannot be written; nothing is left behind.
    """
    path, known, options = Path(path), find_format(format_name), options or WriteOptions()
    if known.write is None:
        raise FormatError(f"{known.name} can only be read", mend=f"there are {', '.join(_writable())}")
    study, unsaid = with_examined(study)
    if known.one_slide and len(study.slides) > 1:
        empty = _write_folder(known, study, path, options)
    else:
        empty = 0
        known.write(study, path, options)
    lines = left_out(study, known.holds, options.policy)
    if unsaid:
        lines = (*lines, f"not written: that slides of unknown size were examined as a whole ({len(unsaid)})")
    return (*lines, f"not written: slides without an annotation ({empty})") if empty else lines


def _write_folder(known: Format, study: Study, path: Path, options: WriteOptions) -> int:
    """Write one file a slide, and return how many slides had nothing that the format could hold."""
    assert known.write is not None
    empty = 0
    with atomic_directory(path) as folder:
        for place, name in enumerate(_file_names(study, known.suffix)):
            part = of_slide(study, study.slides[place].name)
            if not known.holds_nothing and part.cells.deleted.all() and not part.regions:
                empty += 1
                continue
            try:
                known.write(part, folder / name, options)
            except MitoscopeError as error:
                if error.where is None or not error.where.startswith(str(folder)):
                    raise
                # The user knows the folder by the name that it is to have.
                where = f"{path}{error.where.removeprefix(str(folder))}"
                raise type(error)(error.what, where=where, mend=error.mend) from None
    return empty


def _writable() -> Sequence[str]:
    return [one.name for one in FORMATS.values() if one.write is not None]


def _file_names(study: Study, suffix: str) -> list[str]:
    return [f"{stem}{suffix}" for stem in safe_names([_stem(slide.name) for slide in study.slides])]


def _stem(slide: str) -> str:
    # Folders belong to a name (AMIDA13: 01/01), unless they only say where a file lay on some machine.
    is_absolute = slide.startswith("/") or PureWindowsPath(slide).is_absolute()
    name = without_suffix(last_part(slide) if is_absolute else slide)
    return name.lstrip(" .") or "slide"  # a dot in front would hide the file from who reads the folder


def of_slide(study: Study, slide: str) -> Study:
    """Return the part of a study that is of one slide, without versions; labels, raters and rounds stay."""
    return replace(study.part_on((slide,)), versions=())


def join(studies: Sequence[Study]) -> Study:
    """Return several studies as one; what has one name in them is one, versions are left aside.

    Raises
    ------
    FormatError
        If a slide, rater, round or label of one name states different things.
    """
    if len(studies) == 1:
        return studies[0]
    build = StudyBuilder()
    cells, events, first = [], [], 0
    for study in studies:
        slides = _index([build.slide(slide) for slide in study.slides])
        raters = _index([build.rater(rater) for rater in study.raters])
        rounds = _index([build.round(round_) for round_ in study.rounds])
        labels = _index([build.label(label) for label in study.labels.labels] + [-1])
        cells.append(replace(study.cells, slide=slides[study.cells.slide]))
        events.append(
            replace(
                study.events,
                cell=study.events.cell + first,
                rater=raters[study.events.rater],
                label=labels[study.events.label],  # -1, no label, is the last
                round=rounds[study.events.round],
            )
        )
        build.regions += [replace(region, slide=int(slides[region.slide])) for region in study.regions]
        build.quarantine += study.quarantine
        build.searches += study.searches
        first += len(study.cells)
    notes = tuple(note for study in studies for note in study.notes)
    return replace(build.build(), cells=_below(Cells, cells), events=_below(LabelEvents, events), notes=notes)


def _index(values: list[int]) -> NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


_Columns = TypeVar("_Columns", Cells, LabelEvents)


def _below(kind: type[_Columns], parts: Sequence[_Columns]) -> _Columns:
    """Return columns of several studies, one below the other."""
    starts = np.cumsum([0, *map(len, parts)]).tolist()
    joined: dict[str, Any] = {}
    for name in (one.name for one in fields(kind)):
        columns = [getattr(part, name) for part in parts]
        if all(isinstance(column, Mapping) for column in columns):
            placed = zip(starts, columns, strict=False)
            joined[name] = {row + start: value for start, column in placed for row, value in column.items()}
        else:
            joined[name] = np.concatenate(columns)
    return kind.of(**joined) if parts else kind.empty()
