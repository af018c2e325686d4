"""A result: table, tissue mask and manifest of what was found on one slide, written and read.

``<stem>.csv`` holds every candidate, ``<stem>.tissue.png`` where there is tissue, and ``<stem>.json``, the
manifest, everything that led to the findings and the hash of every other file. The manifest is written last
and vouches for the files beside it; on reading, nothing else is believed.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mitoscope.detections import Detections, Searched
from mitoscope.errors import ConfigError, FormatError, OutputError
from mitoscope.exchange import detections_csv
from mitoscope.exchange.format import Content, Format, ReadOptions
from mitoscope.exchange.json_text import read_text
from mitoscope.fsio import atomic_write, file_key, open_regular, refuse_long, safe_name
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import CANDIDATE, DEFAULT_LABELS, FIELD_LABELS
from mitoscope.region import Region, SlideRegions
from mitoscope.statistics import PriorShift
from mitoscope.store import ModelSearch, Rater, RaterKind, SlideRecord, Study, StudyBuilder
from mitoscope.written import refuse_foreign, sha256_file

if TYPE_CHECKING:
    from mitoscope.tissue import TissueMask

FORMAT_NAME: Final = "mitoscope-result/1"
"""Name and version of the format."""
TABLE, MANIFEST, TISSUE = ".csv", ".json", ".tissue.png"
"""What the files that every result has are called after the slide's stem."""
COHORT = "cohort"
"""What the table and the pages of all slides of a folder are called before their suffixes."""
_COHORT_COLUMNS = frozenset(("slide", "status", "mitotic_count", "tissue_mm2", "fingerprint"))
"""By which its table is told from the result of a slide of that name."""
_LEDGER = ".ledger"
"""By which an interrupted search goes on; it holds nothing that the table lacks."""
_LONGEST = f"{_LEDGER}-journal"
"""Of all that is written of a slide: SQLite does so while it is searched."""
_MEND = "repeat the detection"


@dataclass(frozen=True, eq=False)
class Result:
    """What was found on one slide, and what is known of the search.

    Parameters
    ----------
    name : str
        The slide's file name, or the name of the image in a table.
    candidates : Detections
        With scale, size, threshold, region and gaps as far as they are known.
    tissue : TissueMask or None
        Of the whole slide; None where only a table is there.
    regions : SlideRegions
        Outlines that came with the findings.
    notes : tuple of str
        What must be said beside a number that rests on it.
    label_names : mapping of str to str
        Names in the source → classes, as they were mapped; ``ignore`` where cells were left out.
    """

    name: str
    candidates: Detections
    tissue: TissueMask | None = None
    regions: SlideRegions = field(default_factory=SlideRegions)
    notes: tuple[str, ...] = ()
    label_names: Mapping[str, str] = field(default_factory=dict)


def result_stem(slide: str | Path) -> str:
    """Return what the files of a slide's result are called before their suffixes.

    Parameters
    ----------
    slide : str or Path
        Its file, or the name of that.
    """
    return safe_name(Path(slide).stem)


def check_names(slides: Sequence[Path], folder: Path) -> None:
    """See before the first search that each slide has names of its own for its results, which can be written.

    Raises
    ------
    ConfigError
        If two slides would write the same files.
    OutputError
        If a name is too long.
    """
    seen: dict[str, Path] = {}
    for slide in slides:
        if len(slides) > 1 and file_key(result_stem(slide)) == COHORT:
            raise ConfigError(
                f"its results would have the names of those of all slides ({COHORT}{TABLE})",
                where=slide,
                mend="rename the slide, or search it alone",
            )
        refuse_long(folder / f"{slide.stem}{_LONGEST}", where=slide, mend="give the slide a shorter name")
        earlier = seen.setdefault(file_key(result_stem(slide)), slide)
        if earlier is not slide:
            raise ConfigError(
                f"{earlier} and {slide} would write the same results ({result_stem(slide)})",
                mend="rename one of them, or run them with different --out",
            )


def write_result(
    folder: Path,
    stem: str,
    *,
    candidates: Detections,
    tissue: NDArray[np.bool_],
    manifest: Mapping[str, Any],
    further: Mapping[str, Callable[[Path], None]],
) -> list[Path]:
    """Write a result.

    Parameters
    ----------
    folder : Path
        Is there.
    stem : str
        Of the slide's name.
    candidates : Detections
        Rows of the table, in their order.
    tissue : ndarray of bool, shape (h, w)
        The mask.
    manifest : mapping
        What the manifest says, JSON values; see `read_result` for what has to be among them.
    further : mapping of str to callable
        Suffix → what writes a further file, such as a report.

    Returns
    -------
    list of Path
        What was written, the manifest last.

    Raises
    ------
    OutputError
        If a file cannot be written; there is then no manifest.
    """
    target = folder / f"{stem}{MANIFEST}"
    for suffix in (MANIFEST, TABLE, TISSUE, *further):
        refuse_foreign(folder / f"{stem}{suffix}")
    # A manifest never vouches for files that are not its own, not even if this is interrupted.
    try:
        target.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be replaced ({error.strerror})", where=target, mend="choose another place with --out"
        ) from None
    writers: dict[str, Callable[[Path], None]] = {
        TABLE: lambda path: detections_csv.write(path, candidates),
        **further,
        TISSUE: lambda path: write_bytes(path, _encode_mask(tissue)),
    }
    written = []
    for suffix, write in writers.items():
        written.append(folder / f"{stem}{suffix}")
        write(written[-1])
    files = {path.name: {"bytes": path.stat().st_size, "sha256": sha256_file(path)} for path in written}
    values = {"format": FORMAT_NAME, **manifest, "files": files}
    # ASCII only: a file name that is not Unicode still makes a valid file.
    write_bytes(target, (json.dumps(values, indent=2, allow_nan=False) + "\n").encode("ascii"))
    return [*written, target]


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file completely or not at all; errors as `atomic_write`."""
    with atomic_write(path) as stream:
        stream.write(content)


def _encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """Return a mask, shape (h, w), as PNG of one bit a pixel; the same mask gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def _read_mask(path: Path) -> NDArray[np.bool_]:
    try:
        with open_regular(path) as stream, Image.open(stream, formats=["PNG"]) as image:
            return np.asarray(image.convert("L")) > 0
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"cannot be decoded ({error})", where=path, mend=_MEND) from None


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a result.

    Raises
    ------
    FormatError
        If the file is no manifest of a result.
    """
    try:
        values = json.loads(read_text(path))
    except (ValueError, RecursionError):
        raise FormatError("not JSON", where=path) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT_NAME:
        raise FormatError("not the manifest of a result", where=path, mend=f"its format is {FORMAT_NAME}")
    return values


def prior_shift_of(manifest: Mapping[str, Any], *, where: Path | None = None) -> PriorShift | None:
    """Return the correction of the scores that the manifest of a result states; None where there was none.

    Raises
    ------
    FormatError
        If the statement is damaged.
    """
    stated = manifest.get("prior_shift")
    if stated is None:
        return None
    try:
        alone, *shares = (stated[name] for name in ("alone", "calibrated", "assumed", "estimated"))
        calibrated, assumed, estimated = map(float, shares)
        alone, candidates = None if alone is None else float(alone), int(stated["candidates"])
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(f"prior_shift is damaged ({error!r})", where=where, mend=_MEND) from None
    if not all(0 < share < 1 for share in (calibrated, assumed, estimated)):
        raise FormatError("prior_shift states a share that is not between 0 and 1", where=where, mend=_MEND)
    return PriorShift(calibrated, assumed, alone, estimated, candidates)


def is_manifest(path: Path) -> bool:
    """Return whether a file is the manifest of a result."""
    try:
        read_manifest(path)
    except FormatError:
        return False
    return True


def vouched_by(path: Path) -> Path | None:
    """Return the manifest beside a file that still vouches for it; None where there is none."""
    manifest = path.with_suffix(MANIFEST)
    try:
        expected = read_manifest(manifest)["files"][path.name]["sha256"]
    except (FormatError, KeyError, TypeError):
        return None
    return manifest if path.is_file() and sha256_file(path) == expected else None


def find_manifests(folder: Path) -> list[Path]:
    """Return the manifests of the results in a folder, by name."""
    return [path for path in sorted(folder.glob(f"*{MANIFEST}")) if is_manifest(path)]


def find_broken_manifests(folder: Path) -> list[Path]:
    """Return the files of a folder that have the name of a manifest beside a table, and are no JSON."""
    return [path for path in sorted(folder.glob(f"*{MANIFEST}")) if _is_broken(path)]


def read_all_manifests(folder: Path) -> dict[Path, dict[str, Any]]:
    """Return what all manifests of the results in a folder say, by their path.

    Raises
    ------
    FormatError
        If one is damaged: leaving its slide out would change what the folder counts.
    """
    said = {}
    for path in sorted(folder.glob(f"*{MANIFEST}")):
        try:
            said[path] = read_manifest(path)
        except FormatError:
            if _is_broken(path):
                mend = "make this result again, or remove its files"
                raise FormatError("the manifest is damaged", where=path, mend=mend) from None
    return said


def _is_broken(path: Path) -> bool:
    return path.with_suffix(TABLE).is_file() and not _is_json(path)


def _is_json(path: Path) -> bool:
    try:
        json.loads(read_text(path))
    except (FormatError, ValueError, RecursionError):
        return False
    return True


def is_cohort_table(path: Path) -> bool:
    """Return whether a file is the table of all slides of a folder, which is no result of one of them."""
    return path.name == f"{COHORT}{TABLE}" and Content(path).header >= _COHORT_COLUMNS


def files_of_cohort(folder: Path) -> set[Path]:
    """Return the table and the pages of all slides of a folder of results, where it has them."""
    table = folder / f"{COHORT}{TABLE}"
    if not (table.is_file() and is_cohort_table(table)):
        return set()
    return {
        table,
        folder / f"{COHORT}.parquet",
        *folder.glob(f"{COHORT}.html"),
        *folder.glob(f"{COHORT}.*.html"),
    }


def find_folders(folder: Path) -> list[Path]:
    """Return the folders of results below one that holds none itself: a folder per patient, by name."""
    if find_manifests(folder):
        return []
    return sorted({path.parent for path in folder.rglob(f"*/*{MANIFEST}") if is_manifest(path)})


def files_of_results(paths: Iterable[Path]) -> set[Path]:
    """Return which files belong to a manifest among them: tables, pictures and reports that it vouches for.

    The table and pages of all slides beside them do, too.

    A file that has changed since is not among them: what somebody drew into it is nobody's result.
    """
    paths = list(paths)
    files = {file for folder in {path.parent for path in paths} for file in files_of_cohort(folder)}
    for manifest in paths:
        if manifest.suffix.lower() != MANIFEST or not manifest.with_suffix(TABLE).is_file():
            continue
        try:
            names = dict(read_manifest(manifest)["files"])
        except (FormatError, KeyError, TypeError, ValueError):
            continue
        files.add(manifest.with_suffix(_LEDGER))
        for name, stated in names.items():
            path = manifest.with_name(str(name))
            if path.is_file() and isinstance(stated, dict) and stated.get("sha256") == sha256_file(path):
                files.add(path)
    return files


def read_result(path: Path, *, with_tissue: bool = True) -> Result:
    """Read a result by its manifest.

    Parameters
    ----------
    path : Path
        The manifest.
    with_tissue : bool
        Read the mask of the tissue, too; who judges detections does not need it.

    Raises
    ------
    FormatError
        If the file is no manifest, its table is missing, or a file has changed. Without the tissue mask a
        result can be judged, and counted with a note.
    """
    values = read_manifest(path)
    try:
        slide, search = values["slide"], values["search"]
        mpp, size = Mpp(*slide["mpp"]), SizePx(*slide["size_px0"])
        calibrated = values["detector"].get("calibration") is not None
        if search.get("stage") == "proposals" and values["detector"].get("verifier") is not None:
            calibrated = False  # the scores of the second stage are
        searched = Searched(
            mpp=mpp,
            size=size,
            threshold=float(values["threshold"]["value"]),
            region=searched_part(BoxPx0(*search["region_px0"]), size),
            gaps=tuple(BoxPx0(*box) for box in search["gaps_px0"]),
            calibrated=calibrated,
            origin=path.name,
            colour_doubt=str(search.get("colour_doubt") or ""),
        )
        candidates = detections_csv.read(_vouched(path, values, TABLE), searched=searched)
        tissue = None
        notes: tuple[str, ...] = ()
        if with_tissue and path.with_name(f"{path.stem}{TISSUE}").exists():
            mask = _read_mask(_vouched(path, values, TISSUE))
            unread = tuple(BoxPx0(*box) for box in search["tissue_unread_px0"])
            from mitoscope.tissue import TissueMask  # with the filters of SciPy, for who reads a mask

            tissue = TissueMask(mask, tuple(search["tissue_px0_per_pixel"]), mpp, size, unread)
        elif with_tissue:
            notes = (f"{path.stem}{TISSUE} is missing: how much of the window is tissue is not known.",)
        return Result(str(slide["name"]), candidates, tissue, notes=notes)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"the manifest is damaged ({error!r})", where=path, mend=_MEND) from None


def searched_part(box: BoxPx0, size: SizePx) -> Region | None:
    """Return the part of a slide that was searched; None where it is the whole slide."""
    is_whole = (box.x, box.y, box.right, box.bottom) == (0, 0, size.width, size.height)
    return None if is_whole else Region.of_box(box, "searched")


def _vouched(manifest: Path, values: dict[str, Any], suffix: str) -> Path:
    """Return the file of a suffix, once its hash is the manifest's."""
    name = f"{manifest.stem}{suffix}"
    path = manifest.with_name(name)
    expected = values["files"][name]["sha256"]
    if not path.is_file():
        raise FormatError("missing", where=path, mend=_MEND)
    if sha256_file(path) != expected:
        raise FormatError(f"has changed since {manifest.name} was written", where=path, mend=_MEND)
    return path


def is_beside_manifest(path: Path) -> bool:
    """Return whether a file is the table of a result, whose manifest lies beside it."""
    return path.suffix.lower() == TABLE and is_manifest(path.with_suffix(MANIFEST))


def read_study_of(path: Path, options: ReadOptions) -> Study:
    """Read a result as a study: a slide with its size and scale, and what the detector found on it.

    Parameters
    ----------
    path : Path
        The manifest, or the table beside it.
    options : ReadOptions
        The name of the rater that stands for the detector, by default the detector's own.

    Raises
    ------
    FormatError
        As for `read_result`.
    """
    manifest = path.with_suffix(MANIFEST)
    result = read_result(manifest, with_tissue=False)
    values = read_manifest(manifest)
    kind, _, digest = str(values["slide"].get("fingerprint", "")).partition(":")
    searched = result.candidates.searched
    sha256 = digest if kind == "sha256" else None
    named = (values["detector"].get(key) for key in ("name", "version"))
    detector = options.rater or " ".join(str(part) for part in named if part)
    build = StudyBuilder(DEFAULT_LABELS)
    slide = build.slide(SlideRecord(result.name, searched.size, searched.mpp, sha256))
    rater = build.rater(Rater(detector, RaterKind.MODEL))
    build.searches.append(ModelSearch(result.name, detector, searched))
    known = {label.name: label for label in (*FIELD_LABELS.labels, CANDIDATE)}
    columns = (result.candidates.points_px0, result.candidates.score, result.candidates.stated_label)
    for point, score, name in zip(*(column.tolist() for column in columns), strict=True):
        cell = build.cell(slide, point)
        build.event(cell, rater, build.label(known[name]), score=score)
    return build.build()


def _recognises(content: Content) -> bool:
    return isinstance(content.json, dict) and content.json.get("format") == FORMAT_NAME


FORMAT = Format(
    name="result",
    title="result of mitoscope detect",
    suffix=MANIFEST,
    recognises=_recognises,
    read=read_study_of,
)
