"""Reading a result back: the manifest vouches for the files beside it, and nothing else is believed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitoscope.count import MitoticCount, Region, mitotic_count, window_size
from mitoscope.detections import Detections
from mitoscope.errors import FormatError, ScaleError
from mitoscope.exchange import detections_csv
from mitoscope.fsio import sha256_file
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx
from mitoscope.report.findings import searched
from mitoscope.report.manifest import FORMAT
from mitoscope.report.mask_file import read_mask
from mitoscope.tissue import TissueMask

_MEND = "repeat the detection"
_MARGIN_PX0 = 1
"""A detections table without a manifest says nothing of the slide's size: it ends behind the last cell."""


@dataclass(frozen=True, eq=False)
class Result:
    """What `write_outputs` wrote of one slide, as far as counting needs it.

    Parameters
    ----------
    path : Path
        The manifest.
    name : str
        The slide's file name.
    candidates : Detections
        All above the bundle's floor.
    threshold : float
        The one that the run used.
    mpp : Mpp
    slide_size : SizePx
        Of level 0.
    tissue : TissueMask
        Of the whole slide.
    region_px0 : BoxPx0
        The part of the slide that was searched.
    gaps : tuple of BoxPx0
        What could not be read.
    """

    path: Path
    name: str
    candidates: Detections
    threshold: float
    mpp: Mpp
    slide_size: SizePx
    tissue: TissueMask
    region_px0: BoxPx0
    gaps: tuple[BoxPx0, ...]


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a result.

    Raises
    ------
    FormatError
        If the file is no manifest of a result.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None
    except (ValueError, RecursionError):
        raise FormatError("not JSON", where=path) from None
    if not isinstance(values, dict) or values.get("format") != FORMAT:
        raise FormatError("not the manifest of a result", where=path, mend=f"it would say format {FORMAT}")
    return values


def find_manifests(folder: Path) -> list[Path]:
    """Return the manifests of the results in a folder, by name."""
    return [path for path in sorted(folder.glob("*.json")) if _is_manifest(path)]


def _is_manifest(path: Path) -> bool:
    try:
        read_manifest(path)
    except FormatError:
        return False
    return True


def read_result(path: Path) -> Result:
    """Read a result by its manifest.

    Raises
    ------
    FormatError
        If the file is no manifest, or a file that it names is missing or has changed.
    """
    values = read_manifest(path)
    try:
        slide, search = values["slide"], values["search"]
        mpp, size = Mpp(*slide["mpp"]), SizePx(*slide["size_px0"])
        unread = tuple(BoxPx0(*box) for box in search["tissue_unread_px0"])
        mask = read_mask(_vouched(path, values, ".tissue.png"))
        tissue = TissueMask(mask, tuple(search["tissue_px0_per_pixel"]), mpp, size, unread)
        return Result(
            path=path,
            name=str(slide["name"]),
            candidates=detections_csv.read(_vouched(path, values, ".csv")),
            threshold=float(values["threshold"]["value"]),
            mpp=mpp,
            slide_size=size,
            tissue=tissue,
            region_px0=BoxPx0(*search["region_px0"]),
            gaps=tuple(BoxPx0(*box) for box in search["gaps_px0"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"the manifest is damaged ({error!r})", where=path, mend=_MEND) from None


def find_results(path: Path) -> list[Path]:
    """Return the manifests or tables to count: the file itself, or all manifests of a folder.

    Raises
    ------
    FormatError
        If a folder holds none.
    """
    if not path.is_dir():
        return [path]
    manifests = find_manifests(path)
    if not manifests:
        raise FormatError("no results in this folder", where=path, mend="give the --out folder of detect")
    return manifests


def count_file(
    path: Path,
    *,
    area_mm2: float,
    aspect: Aspect,
    tumour: Region | None = None,
    threshold: float | None = None,
    mpp: float | None = None,
) -> tuple[str, MitoticCount]:
    """Count the mitotic figures of a result, or of a table of detections.

    Parameters
    ----------
    path : Path
        Manifest of a result, or a CSV. A CSV beside its manifest is counted as that result.
    area_mm2, aspect, tumour
        As for `mitotic_count`.
    threshold : float, optional
        By default that of the run; a lone CSV is counted whole.
    mpp : float, optional
        Resolution in µm/px: of a lone CSV, which says nothing of it.

    Returns
    -------
    tuple of str and MitoticCount
        The slide's name and its count.

    Raises
    ------
    FormatError
        If it cannot be read or has changed.
    ScaleError
        If a lone CSV comes without a resolution.
    IncompleteRunError
        If the hot spot touches a gap.
    """
    manifest = path.with_suffix(".json")
    if path.suffix.lower() == ".json" or _is_manifest(manifest):
        result = read_result(manifest)
        counted = mitotic_count(
            result.candidates,
            mpp=result.mpp,
            slide_size=result.slide_size,
            area_mm2=area_mm2,
            aspect=aspect,
            threshold=result.threshold if threshold is None else threshold,
            tissue=result.tissue,
            tumour=searched(result.region_px0, result.slide_size) if tumour is None else tumour,
            gaps=result.gaps,
        )
        return result.name, counted
    found = detections_csv.read(path)
    if mpp is None:
        raise ScaleError("a table without a manifest says nothing of its scale", where=path, mend="add --mpp")
    scale = Mpp.square(mpp)
    counted = mitotic_count(
        found,
        mpp=scale,
        slide_size=_size_behind(found, window_size(area_mm2, aspect=aspect, mpp=scale)),
        area_mm2=area_mm2,
        aspect=aspect,
        threshold=threshold,
        tumour=tumour,
    )
    return path.stem, counted


def _size_behind(found: Detections, window: SizePx) -> SizePx:
    last = found.points_px0.max(axis=0, initial=0.0)
    return SizePx(
        max(window.width, int(last[0]) + _MARGIN_PX0), max(window.height, int(last[1]) + _MARGIN_PX0)
    )


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
