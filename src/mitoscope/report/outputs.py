"""Writing the results of a run: tables, pictures, the page, and last the manifest that vouches for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mitoscope.count import TEN_HPF_MM2, Region
from mitoscope.count.mitotic_count import FIELD_ASPECT
from mitoscope.errors import ConfigError, LedgerMismatchError, OutputError
from mitoscope.exchange import detections_csv, geojson
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.geometry import Aspect, PointPx0
from mitoscope.infer import SlideRun
from mitoscope.report.compose import compose_page, draw_density
from mitoscope.report.findings import Findings, box_polygon, gather
from mitoscope.report.manifest import ORIGIN, describe_file, write_manifest
from mitoscope.report.mask_file import encode_mask
from mitoscope.report.page import render_page
from mitoscope.slide import Slide, SlideInfo, open_slide

SUFFIXES = {
    "csv": ".csv",
    "json": ".json",
    "geojson": ".geojson",
    "png": ".density.png",
    "html": ".html",
}
"""What the file of each format is called after the slide's stem."""
TISSUE_SUFFIX = ".tissue.png"
"""The tissue mask, always written: counting again needs it."""
FORMATS = tuple(SUFFIXES)
"""What can be written; ``csv`` and ``json`` always are."""


def write_outputs(
    run: SlideRun,
    out_dir: Path,
    *,
    formats: Sequence[str] = FORMATS,
    area_mm2: float = TEN_HPF_MM2,
    aspect: Aspect = FIELD_ASPECT,
    tumour: Region | None = None,
    relative_to_bounds: bool = False,
    slide: Slide | None = None,
) -> list[Path]:
    """Write the results of a run over one slide.

    Parameters
    ----------
    run : SlideRun
        What was found.
    out_dir : Path
        Created if it does not exist. Earlier results of a slide of the same stem are replaced.
    formats : sequence of str
        Of `FORMATS`: ``csv`` (every candidate), ``json`` (manifest), ``geojson`` (QuPath), ``png`` (density
        map), ``html`` (report). The first two and the tissue mask are always written.
    area_mm2, aspect, tumour
        What the mitotic count is over; by default 2.37 mm², 4:3, on all tissue that was searched.
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
        If a format is not known.
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
    findings = gather(run, area_mm2=area_mm2, aspect=aspect, tumour=tumour)
    folder, stem = make_directory(Path(out_dir)), Path(run.slide.name).stem
    paths = {name: folder / f"{stem}{SUFFIXES[name]}" for name in wanted}
    origin = _corner(run.slide) if relative_to_bounds else ORIGIN
    # Everything that can fail for the slide's sake comes before the first file is touched.
    pictures = _draw(findings, wanted, slide)
    # A manifest never vouches for files that are not its own, not even if this is interrupted.
    _remove(paths["json"])
    detections_csv.write(paths["csv"], findings.candidates)
    if "geojson" in wanted:
        _write_geojson(findings, paths["geojson"], tumour, origin)
    for name, content in pictures.items():
        _write(paths[name], content)
    mask = folder / f"{stem}{TISSUE_SUFFIX}"
    _write(mask, encode_mask(run.tissue.mask))
    others = [*(paths[name] for name in wanted if name != "json"), mask]
    files = [describe_file(path) for path in others]
    _write(paths["json"], write_manifest(findings, files, geojson_origin=origin))
    return [*others, paths["json"]]


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
    return pictures


def _corner(info: SlideInfo) -> PointPx0:
    """Return the corner of the vendor's bounds; that of the slide where there are none."""
    return ORIGIN if info.bounds is None else PointPx0(info.bounds.x, info.bounds.y)


def _write_geojson(findings: Findings, path: Path, tumour: Region | None, origin: PointPx0) -> None:
    regions = () if tumour is None else (tumour,)
    if findings.refusal:
        box = findings.hot_spot.box_px0
        regions = (*regions, Region((box_polygon(box),), name="Hot spot: the count is refused"))
    geojson.write(
        path,
        findings.candidates,
        hot_spot=None if findings.refusal else findings.window,
        mitotic_count=findings.count,
        regions=regions,
        origin_px0=origin,
    )


@contextmanager
def _opened(run: SlideRun, slide: Slide | None) -> Iterator[Slide]:
    """Open the slide of a run, or take the one that is given, and see to it that it is still the same."""
    if slide is not None:
        _check_same(run, slide)
        yield slide
        return
    # The file was probed before it was searched.
    with open_slide(run.slide.path or run.slide.name, mpp=run.config.mpp, probe=False) as opened:
        _check_same(run, opened)
        yield opened


def _check_same(run: SlideRun, slide: Slide) -> None:
    if slide.info.fingerprint != run.slide.fingerprint:
        raise LedgerMismatchError(
            "the slide has changed since it was searched",
            where=slide.info.path or slide.info.name,
            mend="repeat the detection with --no-resume",
        )


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot be replaced ({error.strerror})", where=path, mend="choose another place with --out"
        ) from None


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path) as stream:
        stream.write(content)
