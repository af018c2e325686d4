"""The table of a cohort: a row for each slide, with what its list says, what became of it and its numbers.

The numbers are those of the slides' manifests; nothing is computed here that stands there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    is_cohort_table,
    read_manifest,
    read_rows,
    result_stem,
    shortest,
    write_bytes,
)
from mitoscope.fsio import make_directory
from mitoscope.infer import ListedSlide, SlideDone, place_results
from mitoscope.infer.slide_list import COLUMNS as LIST_COLUMNS
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
_IN_ITS_TABLE: Final = frozenset(COLUMNS) - frozenset(LIST_COLUMNS)
"""What a list has that is the table of an earlier run."""
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


def cohort_row(done: SlideDone, *, beside: Path | None = None) -> CohortRow:
    """Return the row of a slide.

    Parameters
    ----------
    done : SlideDone
    beside : Path, optional
        Folder of the table: paths that are relative count from it, as in every list, and the table can be
        one. By default they are as they were given.

    Raises
    ------
    FormatError
        If the manifest that it names cannot be read, or is damaged.
    """
    slide = done.slide
    values: dict[str, Any] = dict.fromkeys(COLUMNS)
    values |= {
        "slide": slide.shown if slide.address is not None else _seen_from(beside, slide.path),
        "case": slide.case or None,
        "status": FAILED,
        "tumour": None if slide.tumour is None else _seen_from(beside, Path(slide.tumour)),
        "error": None if done.error is None else str(done.error),
    }
    listed = slide.columns
    if listed.keys() >= _IN_ITS_TABLE:  # the list is itself the table of a run
        listed = _of_list(listed)
    if done.manifest is None:
        return CohortRow(values, listed)
    manifest = read_manifest(done.manifest)
    try:
        values |= _of_manifest(manifest) | {"result": (slide.below / done.manifest.stem).as_posix()}
        flags = tuple((flag["name"], flag["text"]) for flag in manifest["quality"]["flags"])
        requested = float(manifest["mitotic_count"]["requested_mm2"])
    except _DAMAGED as error:
        raise _damaged(done.manifest, error) from None
    return CohortRow(values, listed, done.manifest, flags, requested)


def _seen_from(folder: Path | None, path: Path) -> str:
    if folder is None or path.is_absolute():
        return str(path)
    return Path(os.path.relpath(path.absolute(), folder.resolve())).as_posix()


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
        "notes": _BETWEEN.join(filter(None, (count["refused"], count["note"], *manifest["notes"]))) or None,
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
    manifests, broken = _find_results(out_dir), _find_results(out_dir, find_broken_manifests)
    if not manifests and not broken:
        raise FormatError("no results in this folder", where=out_dir, mend="give the --out folder of detect")
    if not slides:
        before = _read_before(out_dir)
        rows_there = {place: _row_there(place[0], path, before) for place, path in manifests.items()}
        rows_there |= {
            place: cohort_row(SlideDone(ListedSlide(Path(place[1]), below=place[0]), None, _broken(path)))
            for place, path in broken.items()
        }
        return [rows_there[place] for place in sorted(rows_there)]
    none = "not searched, or it failed: there is no result"
    rows = []
    for slide in place_results(slides):
        path = manifests.get((slide.below, result_stem(slide.path)))
        lost = broken.get((slide.below, result_stem(slide.path)))
        error = None if path else _broken(lost) if lost else FormatError(none, where=slide.shown)
        rows.append(cohort_row(SlideDone(slide, path, error), beside=out_dir))
    return rows


def _broken(path: Path) -> FormatError:
    return FormatError("its manifest is not JSON", where=path, mend="search the slide again with --no-resume")


def rows_of_run(through: Sequence[SlideDone], out_dir: Path, *, beside: Path | None) -> list[CohortRow]:
    """Return the rows of a run, and after them those of all other results in its folder: none is lost.

    A slide that fails where it has a result of an earlier run keeps that one's numbers, beside the error.

    Parameters
    ----------
    through : sequence of SlideDone
    out_dir : Path
        Folder of the results.
    beside : Path, optional
        As for `cohort_row`.
    """
    manifests = _find_results(out_dir)
    before = _read_before(out_dir) if manifests else {}
    rows = []
    for done in through:
        path = manifests.pop((done.slide.below, result_stem(done.slide.path)), None)
        earlier = path if done.manifest is None and path and _is_of(path, done.slide) else None
        row = cohort_row(replace(done, manifest=earlier or done.manifest), beside=beside)
        if earlier is not None:
            row = _with(row, error=f"{done.error}; the numbers are of an earlier run")
        rows.append(row)
    for (below, stem), path in manifests.items():
        try:
            rows.append(_row_there(below, path, before))
        except FormatError as error:
            rows.append(cohort_row(SlideDone(ListedSlide(below / stem), error=error)))
    return rows


def _find_results(
    out_dir: Path, find: Callable[[Path], Sequence[Path]] = find_manifests
) -> dict[tuple[Path, str], Path]:
    """Return the manifests of a folder of results, by the folder below it and their stem."""
    return {
        (folder.relative_to(out_dir), path.stem): path
        for folder in find_folders(out_dir) or [out_dir]
        for path in find(folder)
    }


def _is_of(manifest: Path, slide: ListedSlide) -> bool:
    try:
        return bool(read_manifest(manifest)["slide"]["name"] == slide.path.name)
    except (FormatError, *_DAMAGED):
        return False


def _row_there(below: Path, path: Path, before: Mapping[str, Mapping[str, str]]) -> CohortRow:
    """Return the row of a result that is there, with what the table of before says of its slide."""
    row = cohort_row(SlideDone(_slide_of(path, below), path))
    known = before.get(str(row.values["result"]))
    if known is None:
        return row
    stated = {name: known[name] or None for name in ("case", "tumour") if name in known}
    return _with(row, slide=known.get("slide") or row.values["slide"], **stated, listed=_of_list(known))


def _of_list(columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns of a table that were of its list, as they are called there."""
    return {
        inner if listed_name(inner) == name else name: value
        for name, value in columns.items()
        if name not in COLUMNS
        for inner in [name.removeprefix(_LISTED)]
    }


def _with(row: CohortRow, *, listed: Mapping[str, str] | None = None, **values: Any) -> CohortRow:
    return replace(row, values={**row.values, **values}, listed=row.listed if listed is None else listed)


def _read_before(out_dir: Path) -> dict[str, dict[str, str]]:
    """Return the rows of the table that is there, by their result; none where it cannot be read."""
    path = out_dir / f"{COHORT}.csv"
    try:
        (_, names), *lines = read_rows(path) if path.is_file() and is_cohort_table(path) else [(0, [])]
    except FormatError:
        return {}
    rows = (dict(zip(names, cells, strict=False)) for _, cells in lines)
    return {row["result"]: row for row in rows if row.get("result")}


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
