"""The table of a cohort: a row for each slide, with what its list says, what became of it and its numbers.

The numbers are those of the slides' manifests; nothing is computed here that stands there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from mitoscope.errors import FormatError
from mitoscope.exchange import (
    COHORT,
    dump_rows,
    find_broken_manifests,
    find_folders,
    find_manifests,
    inert,
    read_manifest,
    result_stem,
    shortest,
    write_bytes,
)
from mitoscope.fsio import make_directory
from mitoscope.infer import ListedSlide, SlideDone, place_results
from mitoscope.written import refuse_foreign

COUNTED, REFUSED, FAILED = "counted", "no count", "failed"
"""What became of a slide: its figures were counted, there is a result without a count, or there is none."""

_TEXT, _NUMBER, _WHOLE = "text", "number", "whole number"
COLUMNS: Final = {
    "slide": _TEXT,
    "case": _TEXT,
    "status": _TEXT,
    "mitotic_count": _WHOLE,
    "count_mm2": _NUMBER,
    "count_tissue_mm2": _NUMBER,
    "expected": _NUMBER,
    "expected_low": _NUMBER,
    "expected_high": _NUMBER,
    "mitotic_figures": _WHOLE,
    "candidates": _WHOLE,
    "tissue_mm2": _NUMBER,
    "figures_per_mm2": _NUMBER,
    "flags": _TEXT,
    "gap_mm2": _NUMBER,
    "blur": _NUMBER,
    "blurred_share": _NUMBER,
    "pen_mm2": _NUMBER,
    "stain_red": _NUMBER,
    "stain_green": _NUMBER,
    "stain_blue": _NUMBER,
    "mpp": _NUMBER,
    "mpp_source": _TEXT,
    "threshold": _NUMBER,
    "roi": _TEXT,
    "tumour": _TEXT,
    "notes": _TEXT,
    "error": _TEXT,
    "detector": _TEXT,
    "mitoscope": _TEXT,
    "onnxruntime": _TEXT,
    "reader": _TEXT,
    "fingerprint": _TEXT,
    "result": _TEXT,
}
"""The columns beside those of the list, and of which type they are in Parquet."""
_LISTED: Final = "list: "
"""Before columns of the list that are called as one of the table."""
_DAMAGED: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What a manifest of other values than its own raises where it is used."""
_BETWEEN: Final = "; "
"""Between flags, and between notes."""


@dataclass(frozen=True, slots=True)
class CohortRow:
    """A slide of a cohort.

    Parameters
    ----------
    values : mapping
        Of `COLUMNS`; None where there is no value.
    listed : mapping of str to str
        What the list says of it beyond that.
    manifest : Path or None
        That of its result.
    flags : tuple of (str, str)
        What is doubtful of it: names, and what was found.
    requested_mm2 : float or None
        The area that was to be counted over.
    """

    values: Mapping[str, Any]
    listed: Mapping[str, str]
    manifest: Path | None = None
    flags: tuple[tuple[str, str], ...] = ()
    requested_mm2: float | None = None


def cohort_row(done: SlideDone) -> CohortRow:
    """Return the row of a slide.

    Raises
    ------
    FormatError
        If the manifest that it names cannot be read, or is damaged.
    """
    slide = done.slide
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    values |= {
        "slide": slide.shown,
        "case": slide.case or None,
        "status": FAILED,
        "tumour": None if slide.tumour is None else str(slide.tumour),
        "error": None if done.error is None else str(done.error),
    }
    if done.manifest is None:
        return CohortRow(values, slide.columns)
    manifest = read_manifest(done.manifest)
    try:
        values |= _of_manifest(manifest) | {"result": (slide.below / done.manifest.stem).as_posix()}
        flags = tuple((flag["name"], flag["text"]) for flag in manifest["quality"]["flags"])
        requested = float(manifest["mitotic_count"]["requested_mm2"])
    except _DAMAGED as error:
        raise _damaged(done.manifest, error) from None
    return CohortRow(values, slide.columns, done.manifest, flags, requested)


def _damaged(path: Path, error: Exception) -> FormatError:
    what = f"the manifest is damaged, or of another version ({error!r})"
    return FormatError(what, where=path, mend="repeat the detection")


def _slide_of(path: Path, below: Path) -> ListedSlide:
    """Return the slide that a manifest names."""
    try:
        return ListedSlide(Path(read_manifest(path)["slide"]["name"]), below=below)
    except _DAMAGED as error:
        raise _damaged(path, error) from None


def _of_manifest(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a row that a manifest states."""
    search, count, slide = manifest["search"], manifest["mitotic_count"], manifest["slide"]
    quality, versions = manifest["quality"], manifest["versions"]
    low, high = count.get("interval") or (None, None)
    red, green, blue = quality["stain_density"] or (None, None, None)
    focus = quality["focus"] or {}
    area, roi = search["tissue_mm2"], search["region_px0"]
    if roi == [0, 0, *slide["size_px0"]]:
        roi = None
    return {
        "status": COUNTED if count["refused"] is None else REFUSED,
        "mitotic_count": count["count"],
        "count_mm2": count["area_mm2"],
        "count_tissue_mm2": count["covered_mm2"],
        "expected": count.get("expected"),
        "expected_low": low,
        "expected_high": high,
        "mitotic_figures": search["mitotic_figures"],
        "candidates": search["candidates"],
        "tissue_mm2": area,
        "figures_per_mm2": search["mitotic_figures"] / area if area else None,
        "flags": _BETWEEN.join(flag["name"] for flag in quality["flags"]) or None,
        "gap_mm2": search["gap_mm2"],
        "blur": focus.get("blur"),
        "blurred_share": focus.get("blurred_share"),
        "pen_mm2": quality["ink_mm2"],
        "stain_red": red,
        "stain_green": green,
        "stain_blue": blue,
        "mpp": sum(slide["mpp"]) / 2,
        "mpp_source": slide["mpp_source"],
        "threshold": manifest["threshold"]["value"],
        "roi": None if roi is None else ",".join(shortest(float(value)) for value in roi),
        "notes": _BETWEEN.join([count["note"] or "", *manifest["notes"]]).removeprefix(_BETWEEN) or None,
        "detector": " ".join(filter(None, (manifest["detector"][key] for key in ("name", "version")))),
        "mitoscope": versions["mitoscope"],
        "onnxruntime": versions.get("onnxruntime"),
        "reader": versions.get("reader"),
        "fingerprint": slide["fingerprint"],
    }


def collect_rows(out_dir: Path, slides: Sequence[ListedSlide] = ()) -> list[CohortRow]:
    """Return the rows of a folder of results as it stands, without the run that made it.

    Parameters
    ----------
    out_dir : Path
        Folder of the results.
    slides : sequence of ListedSlide
        The slides of a list, in whose order the rows are; by default all that have results, by name.

    Raises
    ------
    FormatError
        If there is no result, or one cannot be read.
    """
    folders = find_folders(out_dir) or [out_dir]
    found = {
        (folder.relative_to(out_dir), path.stem): path
        for folder in folders
        for path in find_manifests(folder)
    }
    broken = {
        (folder.relative_to(out_dir), path.stem): path
        for folder in folders
        for path in find_broken_manifests(folder)
    }
    if not found and not broken:
        raise FormatError("no results in this folder", where=out_dir, mend="give the --out folder of detect")
    if not slides:
        done = {place: SlideDone(_slide_of(path, place[0]), path) for place, path in found.items()}
        done |= {
            place: SlideDone(ListedSlide(Path(place[1]), below=place[0]), None, _broken(path))
            for place, path in broken.items()
        }
        return [cohort_row(done[place]) for place in sorted(done)]
    none = "not searched, or it failed: there is no result"
    rows = []
    for slide in place_results(slides):
        path = found.get((slide.below, result_stem(slide.path)))
        lost = broken.get((slide.below, result_stem(slide.path)))
        error = None if path else _broken(lost) if lost else FormatError(none, where=slide.shown)
        rows.append(cohort_row(SlideDone(slide, path, error)))
    return rows


def _broken(path: Path) -> FormatError:
    return FormatError("its manifest is no JSON", where=path, mend="search the slide again with --no-resume")


def write_cohort_table(rows: Sequence[CohortRow], out_dir: Path) -> list[Path]:
    """Write ``cohort.csv``, and where pyarrow is installed ``cohort.parquet``; the same rows, the same bytes.

    Returns
    -------
    list of Path
        What was written.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    further = list(dict.fromkeys(name for row in rows for name in row.listed))
    table = make_directory(out_dir) / f"{COHORT}.csv"
    refuse_foreign(table)
    names = [*COLUMNS, *(listed_name(name) for name in further)]
    cells = ([*map(_cell, _values(row, further))] for row in rows)
    write_bytes(table, dump_rows([names, *cells]))
    parquet = _as_parquet(names, [_values(row, further) for row in rows])
    if parquet is None:
        return [table]
    target = out_dir / f"{COHORT}.parquet"
    refuse_foreign(target)
    write_bytes(target, parquet)
    return [table, target]


def listed_name(name: str) -> str:
    """Return what a column of the list is called in the table: its name, unless the table has one of it.

    A list may itself be the table of an earlier run, with such names in it: no two become one.
    """
    return f"{_LISTED}{name}" if name.casefold().removeprefix(_LISTED) in COLUMNS else name


def _values(row: CohortRow, further: Iterable[str]) -> list[Any]:
    return [*row.values.values(), *(row.listed.get(name, "") for name in further)]


def _cell(value: object) -> str:
    if value is None:
        return ""
    return shortest(float(value)) if isinstance(value, float | int) else inert(" ".join(str(value).split()))


def _as_parquet(names: Sequence[str], rows: Sequence[Sequence[Any]]) -> bytes | None:
    """Return a table as Parquet; None without pyarrow, whose extra is ``parquet``."""
    try:
        pq = import_module("pyarrow.parquet")
    except ImportError:
        return None
    pa = import_module("pyarrow")
    kinds = {_TEXT: pa.string(), _NUMBER: pa.float64(), _WHOLE: pa.int64()}
    schema = pa.schema([(name, kinds[COLUMNS.get(name, _TEXT)]) for name in names])
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in names]
    stream = pa.BufferOutputStream()
    arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
    pq.write_table(pa.Table.from_arrays(arrays, schema=schema), stream)
    return bytes(stream.getvalue())
