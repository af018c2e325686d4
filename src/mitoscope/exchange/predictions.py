"""What was found, from whatever states it: the one door to detections.

A folder that `detect` wrote, a manifest, a table beside its manifest or alone, or a file of any format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.exchange import detections_csv
from mitoscope.exchange.box_columns import read_points
from mitoscope.exchange.format import Content
from mitoscope.exchange.names import match_stems, stem
from mitoscope.exchange.result import (
    MANIFEST,
    TABLE,
    Result,
    find_manifests,
    is_beside_manifest,
    is_manifest,
    read_result,
    vouched_by,
)
from mitoscope.geometry import Mpp
from mitoscope.labels import LabelMapping

_NUMBERS = ("x", "y", "score")


def read_results(
    path: Path,
    *,
    mapping: LabelMapping | None = None,
    needed: Sequence[str] = _NUMBERS,
    with_tissue: bool = True,
    mpp: Mpp | None = None,
    mpp_override: bool = False,
) -> dict[str, Result]:
    """Read results and tables by the stem of the image's name.

    Parameters
    ----------
    path : Path
        A folder of results or of ``<stem>.csv``, a manifest, a CSV with an image column, or the CSV of one
        image named ``<stem>.csv``. A CSV may hold boxes (x1, y1, x2, y2) in place of centres. One beside its
        manifest is that result, as is any other file that a manifest beside it vouches for.
    mapping : LabelMapping, optional
        What the class names of tables stand for; without it names that are not known stay as they are.
    needed : sequence of str
        Columns that a table must have; without a score it is 1.
    with_tissue : bool
        Read the masks of the tissue, too.
    mpp : Mpp, optional
        Resolution of images that state none.
    mpp_override : bool
        Let it replace also what results state.

    Raises
    ------
    FormatError
        If there is nothing there, or a file cannot be read.
    UnknownLabelError
        If a mapping is given and does not know a name.
    """
    read = partial(read_result, with_tissue=with_tissue)
    if path.is_dir():
        found = _of_folder(path, mapping, needed, read)
    elif path.suffix.lower() == MANIFEST:
        found = {path.stem: read(path)}
    elif not is_table(path) and (manifest := vouched_by(path)) is not None:
        found = {manifest.stem: read(manifest)}
    else:
        found = _of_table(path, mapping, needed, read)
    if mpp is None:
        return found
    return {name: with_scale(result, mpp, override=mpp_override) for name, result in found.items()}


def with_scale(result: Result, mpp: Mpp, *, override: bool) -> Result:
    """Return a result with a resolution where it states none, or in place of the stated one."""
    searched = result.candidates.searched
    if searched.mpp is not None and not override:
        return result
    tissue = None if result.tissue is None else replace(result.tissue, mpp=mpp)
    candidates = result.candidates.with_searched(replace(searched, mpp=mpp))
    return replace(result, candidates=candidates, tissue=tissue)


def read_predictions(path: Path) -> dict[str, Detections]:
    """Read predictions by the stem of the image's name; see `read_results`."""
    return {name: result.candidates for name, result in read_results(path).items()}


def is_table(path: Path) -> bool:
    """Whether it is a CSV with named columns; those of the challenges hold nothing but numbers."""
    return path.suffix.lower() == TABLE and (not path.is_file() or Content(path).numbers is None)


def is_result(path: Path) -> bool:
    """Whether a path is read by `read_results`: a result, a folder with results or tables, or a table."""
    if path.is_dir():
        return any(path.glob(f"*{TABLE}")) or bool(find_manifests(path))
    if path.suffix.lower() == MANIFEST:
        return is_manifest(path)
    return is_table(path) or vouched_by(path) is not None


def _of_folder(
    folder: Path, mapping: LabelMapping | None, needed: Sequence[str], read: Callable[[Path], Result]
) -> dict[str, Result]:
    manifests = {path.stem: path for path in find_manifests(folder)}
    tables = {path.name.removesuffix(TABLE): path for path in sorted(folder.glob(f"*{TABLE}"))}
    names = sorted({*manifests, *tables})
    if not names:
        raise FormatError("no results in this folder", where=folder, mend="give the --out folder of detect")
    stems = match_stems(names, where=folder)
    found: dict[str, Result] = {}
    for name in names:
        if name in manifests:
            found[stems[name]] = read(manifests[name])
            continue
        for image, result in _of_table(tables[name], mapping, needed, read).items():
            if image in found:
                what = f"the image {image!r} stands in two files"
                raise FormatError(what, where=tables[name], mend="remove one of them")
            found[image] = result
    return found


def _of_table(
    path: Path, mapping: LabelMapping | None, needed: Sequence[str], read: Callable[[Path], Result]
) -> dict[str, Result]:
    name = stem(path.name.removesuffix(TABLE))
    if is_beside_manifest(path):
        return {name: read(path.with_suffix(MANIFEST))}
    table = read_points(path, needed=needed)
    if detections_csv.IMAGE_COLUMN in table.columns:
        images = detections_csv.by_image(table, path, mapping=mapping)
        return {image: Result(image, found) for image, found in images.items()}
    found = detections_csv.of_table(table, source=path.name, mapping=mapping, where=path)
    return {name: Result(name, found, notes=(_unknown(found),))}


def _unknown(found: Detections) -> str:
    if found.searched.threshold is None:
        return "There is no manifest beside it: threshold and what was searched are not known."
    return (
        "There is no manifest beside it: what was searched is not known, the threshold is that of its labels."
    )
