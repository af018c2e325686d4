"""Writing the results of a run: tables, pictures, the page, and last the manifest that vouches for them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Thread

import shapely

from mitoscope.count import FIELD_ASPECT, GradingRule
from mitoscope.errors import ConfigError, LedgerMismatchError
from mitoscope.exchange import (
    MANIFEST,
    TABLE,
    TISSUE,
    check_names,
    geojson,
    result_stem,
    write_bytes,
    write_result,
)
from mitoscope.figure import load_plots
from mitoscope.fsio import make_directory
from mitoscope.geometry import Aspect, BoxPx, BoxPx0, PointPx0
from mitoscope.infer import SlideFindings
from mitoscope.region import Region, SlideRegions
from mitoscope.report.compose import compose_page, draw_density
from mitoscope.report.findings import Findings, gather
from mitoscope.report.page import load_templates, render_page
from mitoscope.report.preview import draw_preview
from mitoscope.report.quality import state_quality
from mitoscope.slide import Slide, SlideInfo, open_slide
from mitoscope.written import refuse_foreign

SUFFIXES = {
    "csv": TABLE,
    "json": MANIFEST,
    "geojson": ".geojson",
    "png": ".density.png",
    "html": ".html",
    "jpg": ".preview.jpg",
}
"""What the file of each format is called after the slide's stem."""
FORMATS = tuple(SUFFIXES)
"""What can be written; ``csv`` and ``json`` always are."""
ORIGIN = PointPx0(0.0, 0.0)
"""Corner of the full slide."""
USE = "For research use only. Not for diagnostic use."


def write_outputs(
    run: SlideFindings,
    out_dir: str | Path,
    *,
    formats: Sequence[str] = FORMATS,
    area_mm2: float | None = None,
    aspect: Aspect = FIELD_ASPECT,
    rule: GradingRule | None = None,
    regions: SlideRegions | None = None,
    force: bool = False,
    relative_to_bounds: bool = False,
    slide: Slide | None = None,
) -> list[Path]:
    """Write the results of a run over one slide.

    Parameters
    ----------
    run : SlideFindings
        What was found.
    out_dir : str or Path
        Created if it does not exist. Earlier results of a slide of the same stem are replaced.
    formats : sequence of str
        Of `FORMATS`: ``csv`` (every candidate), ``json`` (manifest), ``geojson`` (QuPath), ``png`` (density
        map), ``html`` (report), ``jpg`` (preview: slide, hot spot and a figure, small). The first two and
        the tissue mask are always written.
    area_mm2, aspect, rule, regions
        What the mitotic count is over, by default 2.37 mm², 4:3, on all tissue that was searched; and a
        grading scheme, which decides the area.
    force : bool
        Count also where the colours of the slide are in doubt.
    relative_to_bounds : bool
        Count the coordinates of the GeoJSON from the corner of the vendor's bounds, as viewers do that show
        the bounds alone. All other files stay in level-0 pixels of the full slide.
    slide : Slide, optional
        Where the report's pictures are read; by default the run's file is opened.

    Returns
    -------
    list of Path
        What was written; the manifest last. The same findings give the same bytes in all files, but for the
        part ``timings`` of the manifest.

    Raises
    ------
    ConfigError
        If a format is not known, or an area is given beside a rule that counts over another one.
    RegionError
        If the area or the aspect is not positive.
    LedgerMismatchError
        If the slide's file is no longer the one that was searched.
    SlideFormatError, SlideReadError
        If the slide's file can no longer be read.
    OutputError
        If a file cannot be written.
    """
    wanted = _wanted(formats)
    request = request_of(
        formats,
        area_mm2=area_mm2,
        aspect=aspect,
        rule=rule,
        regions=regions,
        force=force,
        relative_to_bounds=relative_to_bounds,
    )
    findings = gather(run, area_mm2=area_mm2, aspect=aspect, rule=rule, regions=regions, force=force)
    folder, stem = make_directory(Path(out_dir)), result_stem(run.slide.name)
    origin = _corner(run.slide) if relative_to_bounds else ORIGIN
    # Everything that can fail for the slide's sake comes before the first file is touched.
    pictures = _draw(findings, wanted, slide)
    further: dict[str, Callable[[Path], None]] = {}
    if "geojson" in wanted:
        further[SUFFIXES["geojson"]] = lambda path: _write_geojson(findings, path, origin)
    for name, content in pictures.items():
        further[SUFFIXES[name]] = partial(write_bytes, content=content)
    return write_result(
        folder,
        stem,
        candidates=findings.candidates,
        tissue=run.tissue.mask,
        manifest=_manifest(findings, origin, request),
        further=further,
    )


def check_outputs(slides: Iterable[Path], out_dir: Path, formats: Sequence[str] = FORMATS) -> None:
    """See before the first search that results can be written, and over no file of another origin.

    Raises
    ------
    ConfigError
        If two slides would write the same files.
    OutputError
        Naming the first one, or a slide whose name is too long for files of results.
    """
    slides = list(slides)
    check_names(slides, Path(out_dir))
    for slide in slides:
        for name in output_names(slide, formats):
            refuse_foreign(Path(out_dir) / name)


def output_names(slide: Path, formats: Sequence[str] = FORMATS) -> list[str]:
    """Return the names of the files of a slide's result."""
    suffixes = dict.fromkeys((*(SUFFIXES[name] for name in formats), TABLE, TISSUE, MANIFEST))
    return [f"{result_stem(slide)}{suffix}" for suffix in suffixes]


def load_ahead(formats: Sequence[str]) -> None:
    """Load what these outputs are drawn with, in a thread beside the search whose outcome they show."""
    work = [load_plots] if {"png", "html"} & set(formats) else []
    work += [load_templates] if "html" in formats else []
    Thread(target=lambda: [load() for load in work], name="loading", daemon=True).start()


def render_report(findings: Findings, *, slide: Slide | None = None, density_png: bytes | None = None) -> str:
    """Return the HTML report of one slide.

    Parameters
    ----------
    findings : Findings
        As `gather` returns them.
    slide : Slide, optional
        Where the pictures are read; by default the run's file is opened.
    density_png : bytes, optional
        The density map, where it is drawn already.

    Raises
    ------
    LedgerMismatchError
        If the slide's file is no longer the one that was searched.
    SlideFormatError, SlideReadError
        If the slide's file can no longer be read.
    """
    with _opened(findings.run, slide) as pixels:
        return render_page(compose_page(findings, pixels, density_png=density_png))


def parse_formats(text: str | None) -> tuple[str, ...]:
    """Read names of formats joined by commas; without a text, all.

    Raises
    ------
    ConfigError
        If a format is not known.
    """
    return FORMATS if text is None else tuple(_wanted([name.strip() for name in text.split(",")]))


def _wanted(formats: Sequence[str]) -> list[str]:
    unknown = [name for name in formats if name not in SUFFIXES]
    if unknown:
        raise ConfigError(
            f"unknown format {unknown[0]!r}", where="formats", mend=f"known formats: {', '.join(FORMATS)}"
        )
    return [name for name in FORMATS if name in formats or name in ("csv", "json")]


def _draw(findings: Findings, wanted: Sequence[str], slide: Slide | None) -> dict[str, bytes]:
    """Return what is drawn rather than exported, ready to be written."""
    pictures = {}
    if "png" in wanted:
        pictures["png"] = draw_density(findings)
    if "html" in wanted:
        pictures["html"] = render_report(findings, slide=slide, density_png=pictures.get("png")).encode()
    if "jpg" in wanted:
        with _opened(findings.run, slide) as pixels:
            pictures["jpg"] = draw_preview(findings, pixels)
    return pictures


def _corner(info: SlideInfo) -> PointPx0:
    """Return the corner of the vendor's bounds; that of the slide where there are none."""
    return ORIGIN if info.bounds is None else PointPx0(info.bounds.x, info.bounds.y)


def _write_geojson(findings: Findings, path: Path, origin: PointPx0) -> None:
    drawn = findings.regions or SlideRegions()
    parts = (drawn.tumour, drawn.exclusion)
    regions = [region for region in parts if region is not None and not region.is_empty]
    if findings.refusal:
        regions.append(Region.of_box(findings.hot_spot.box_px0, "Hot spot: the count is refused"))
    geojson.write_findings(
        path,
        findings.candidates,
        hot_spot=None if findings.refusal else findings.window,
        mitotic_count=findings.count,
        regions=regions,
        origin_px0=origin,
    )


@contextmanager
def _opened(run: SlideFindings, slide: Slide | None) -> Iterator[Slide]:
    """Open the slide of a run, or take the one that is given, and see to it that it is still the same."""
    if slide is not None:
        _check_same(run, slide)
        yield slide
        return
    # The file was probed before it was searched.
    path, (mpp, override) = run.slide.path or run.slide.name, run.stated_mpp
    with open_slide(path, mpp=mpp, mpp_override=override, probe=False) as opened:
        _check_same(run, opened)
        yield opened


def _check_same(run: SlideFindings, slide: Slide) -> None:
    if slide.info.fingerprint != run.slide.fingerprint:
        raise LedgerMismatchError(
            "the slide has changed since it was searched",
            where=slide.info.path or slide.info.name,
            mend="repeat the detection with --no-resume",
        )


def request_of(
    formats: Sequence[str],
    *,
    area_mm2: float | None = None,
    aspect: Aspect = FIELD_ASPECT,
    rule: GradingRule | None = None,
    regions: SlideRegions | None = None,
    force: bool = False,
    relative_to_bounds: bool = False,
) -> dict[str, object]:
    """Return what was asked for beside the search, as the manifest states it: parameters as `write_outputs`.

    Another request makes other files of the same search.
    """
    outlines = (
        None if regions is None else [_outline(outline) for outline in (regions.tumour, regions.exclusion)]
    )
    return {
        "formats": _wanted(formats),
        "area_mm2": area_mm2,
        "aspect": [aspect.width, aspect.height],
        "scheme": None if rule is None else [rule.scheme.name, rule.area_mm2],
        "outlines": outlines,
        "force": force,
        "relative_to_bounds": relative_to_bounds,
    }


def _outline(region: Region | None) -> str | None:
    """Return the SHA-256 of an outline's corners; None where there is none."""
    return None if region is None else hashlib.sha256(shapely.to_wkb(region.shape)).hexdigest()


def _manifest(
    findings: Findings, geojson_origin: PointPx0, request: Mapping[str, object]
) -> dict[str, object]:
    """Return what the manifest says of a run; the same findings give the same, but for ``timings``."""
    run = findings.run
    return {
        "use": USE,
        "slide": _slide(findings),
        "detector": dict(run.finder.entry),
        "configuration": run.configuration.model_dump(mode="json"),
        "request": request,
        "threshold": _threshold(run),
        "prior_shift": _prior_shift(findings),
        "search": _search(findings),
        "mitotic_count": _count(findings),
        "quality": state_quality(findings),
        "notes": list(run.notes),
        "versions": dict(sorted(run.versions.items())),
        "geojson_origin_px0": [geojson_origin.x, geojson_origin.y],
        "timings": run.spent,
    }


def _threshold(run: SlideFindings) -> dict[str, object]:
    """Return the threshold with the operating point that it is of, which says on what it was chosen."""
    point = None if run.point is None else run.point.model_dump(mode="json")
    return {"value": run.threshold, "source": run.threshold_source, "point": point}


def _slide(findings: Findings) -> dict[str, object]:
    info = findings.info
    return {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "size_px0": [info.size.width, info.size.height],
        "mpp": [info.mpp.x, info.mpp.y],
        "mpp_source": info.mpp_source,
        "objective_power": info.objective_power,
        "bounds_px0": None if info.bounds is None else _values(info.bounds),
        "vendor": info.vendor,
        "reader": info.reader,
        "reader_reason": info.reader_reason,
        "icc_profile": "not applied" if info.has_icc_profile else "none",
    }


def _prior_shift(findings: Findings) -> dict[str, object] | None:
    """Return the correction for the share of figures: what was assumed, estimated and changed."""
    correction = findings.run.correction
    if correction is None:
        return None
    line = correction.line
    return {
        **asdict(correction.shift),
        "calibrated_on": line.fitted_on,
        "assumed_of": "calibration" if line.laboratory is None else "laboratory",
        "prior_figures": line.prior_figures,
        "log_odds": correction.shift.log_odds,
        "mitotic_figures_without": findings.n_figures_uncorrected,
    }


def _search(findings: Findings) -> dict[str, object]:
    run = findings.run
    return {
        "status": run.status,
        "stage": run.stage,
        "region_px0": _values(run.region_px0),
        "tissue_mm2": run.tissue_mm2,
        "tissue_px0_per_pixel": list(run.tissue.px0_per_pixel),
        "colour_doubt": run.tissue.colour_doubt or None,
        "tissue_unread_px0": [_values(box) for box in run.tissue.unread_px0],
        "gaps_px0": [_values(gap) for gap in run.gaps],
        "gap_mm2": run.gap_mm2,
        "candidates": len(findings.candidates),
        "mitotic_figures": findings.n_figures,
        "subtype": _subtype(findings),
    }


def _subtype(findings: Findings) -> dict[str, object] | None:
    """Return how many of the mitotic figures are of the kind that was looked for; None where none was."""
    if (subtype := findings.run.subtype) is None:
        return None
    return {"label": subtype.finds, "figures": int(findings.of_kind.sum()), "note": subtype.describe()}


def _count(findings: Findings) -> dict[str, object]:
    spot = findings.hot_spot
    stated = None if findings.refusal else spot.per_mm2
    return {
        "count": findings.count,
        "refused": findings.refusal or None,
        "hot_spot_px0": None if findings.window is None else _values(findings.window),
        "area_mm2": spot.area_mm2,
        "requested_mm2": spot.requested_mm2,
        "aspect": [spot.aspect.width, spot.aspect.height],
        "covered_mm2": spot.covered_mm2,
        "fits": spot.fits,
        "per_mm2": stated,
        "note": spot.note or None,
        **({} if findings.refusal else spot.certainty()),
    }


def _values(box: BoxPx0 | BoxPx) -> list[float]:
    """Return x, y, width and height."""
    return [box.x, box.y, box.width, box.height]
