"""``mitoscope.detect(…)``: search a slide, and hold what was found, counted, drawn and reported from."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.count import FIELD_ASPECT, GradingRule, MitoticCount, WindowShape
from mitoscope.count.counts import count as count_figures
from mitoscope.detections import Detections
from mitoscope.errors import ColourError, IncompleteRunError, LedgerMismatchError, SlideError
from mitoscope.fsio import atomic_write
from mitoscope.geometry import Aspect, Mpp
from mitoscope.infer import (
    DetectConfig,
    ListedSlide,
    Networks,
    SlideRun,
    SlidesHere,
    check_asked,
    detect_opened,
    detect_slide,
)
from mitoscope.notebook import facts, picture_of
from mitoscope.progress import progress as show_progress
from mitoscope.region import SlideRegions
from mitoscope.report.findings import gather
from mitoscope.report.outputs import FORMATS, render_report, write_outputs
from mitoscope.slide import Slide, read_thumbnail
from mitoscope.slide.showing import THUMBNAIL_PX, opened, plot_detections
from mitoscope.wording import say_area
from mitoscope.written import cache_folder, keep_seals

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

KEPT_DAYS: Final = 30
"""A search that was kept in the cache folder and not used for so long is removed."""
_SECONDS_A_DAY: Final = 86_400


@dataclass(frozen=True, eq=False, repr=False)
class DetectionResult(SlideRun):
    """What was found on a slide, as `detect` returns it; see `SlideRun` for how it was found.

    Examples
    --------
    ``result.figures`` are the detections above the threshold, ``result.candidates`` all of them;
    ``result.count().count`` is the mitotic count, ``result.report("slide.html")`` writes the report.
    """

    pixels: Slide | None = None
    """A slide in memory that was searched; None for a file, which is opened where it is shown."""

    @classmethod
    def of(cls, run: SlideRun, slide: Slide | None = None) -> DetectionResult:
        """Return the result of a run; `slide` is the slide in memory that was searched."""
        return cls(**{field.name: getattr(run, field.name) for field in fields(SlideRun)}, pixels=slide)

    @property
    def candidates(self) -> Detections:
        """All candidates above the detector's floor, by descending score."""
        return self.detections.sort()

    def count(
        self,
        *,
        area_mm2: float | None = None,
        aspect: Aspect | str = FIELD_ASPECT,
        shape: WindowShape | str = WindowShape.RECTANGLE,
        rule: GradingRule | None = None,
        regions: SlideRegions | None = None,
        threshold: float | None = None,
        force: bool = False,
    ) -> MitoticCount:
        """Return the mitotic count; parameters and errors as for `mitoscope.count`."""
        return count_figures(
            self,
            area_mm2=area_mm2,
            aspect=aspect,
            shape=shape,
            rule=rule,
            regions=regions,
            threshold=threshold,
            force=force,
        )

    def report(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the HTML report, one file that needs no other, and return its path.

        Parameters
        ----------
        path : str or Path
            The file.
        force : bool
            Count also a slide whose colours cannot be those of H&E.

        Raises
        ------
        OutputError
            If it cannot be written, or would replace a file that mitoscope did not write.
        LedgerMismatchError, SlideFormatError, SlideReadError
            If the slide is no longer the one that was searched, or can no longer be read.
        """
        target = Path(path)
        keep_seals()  # the cell that writes it can be run again, in a new kernel too
        page = render_report(gather(self, force=force), slide=self.pixels)
        with atomic_write(target) as stream:
            stream.write(page.encode())
        return target

    def save(
        self, folder: str | Path, *, formats: Sequence[str] = FORMATS, force: bool = False
    ) -> list[Path]:
        """Write the files that ``mitoscope detect`` writes and return them, the manifest last.

        Parameters and errors as for `mitoscope.write_outputs`.
        """
        return write_outputs(self, folder, formats=formats, force=force, slide=self.pixels)

    def to_pandas(self) -> pd.DataFrame:
        """Return all candidates as a frame, by descending score; ``figure``: above the threshold.

        Raises
        ------
        ConfigError
            If pandas is not installed (``mitoscope[notebook]``).
        """
        frame = self.candidates.to_pandas()
        frame["figure"] = self.candidates.score > self.threshold
        return frame

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the slide with its figures and the hot spot, in level-0 pixels."""
        with suppress(ColourError, IncompleteRunError):
            return plot_detections(self.figures, self._seen, ax, hot_spot=self.count().box_px0)
        return plot_detections(self.figures, self._seen, ax)

    def gallery(self, *, n: int = 12, side_um: float = 32.0) -> NDArray[Any]:
        """Draw the figures of highest score as crops; see `Detections.gallery`."""
        return self.figures.gallery(self._seen, n=n, side_um=side_um)

    @property
    def _seen(self) -> Slide | Path:
        """Where the pixels are."""
        if self.pixels is not None:
            return self.pixels
        assert self.slide.path is not None  # else it is in memory
        return self.slide.path

    def _repr_html_(self) -> str:
        try:
            with opened(self._seen, mpp=self.slide.mpp) as slide:
                picture = picture_of(read_thumbnail(slide, THUMBNAIL_PX).rgb, alt=self.slide.name)
        except SlideError:
            picture = ""
        try:
            counted = self.count()
            count = f"{counted.count} in {say_area(counted.covered_mm2)}"
        except (ColourError, IncompleteRunError) as error:
            count = error.what
        manifest = self.bundle.manifest
        rows: list[tuple[str, object]] = [
            ("mitotic figures", len(self.figures)),
            ("mitotic count", count),
            ("candidates", len(self.detections)),
            ("tissue searched", say_area(self.tissue_mm2)),
            ("could not be read", say_area(self.gap_mm2) if self.gaps else None),
            ("threshold", f"{self.threshold:.3g} ({self.threshold_source})"),
            ("detector", f"{manifest.name} {manifest.version}"),
            ("resolution", f"{self.slide.mpp.mean:.4g} µm/px ({self.slide.mpp_source})"),
        ]
        return facts(self.slide.name, rows, picture=picture, notes=self.notes)


def detect(
    slide: str | Path | Slide,
    model: Bundle | str | Path | None = None,
    out: str | Path | None = None,
    *,
    threshold: float | None = None,
    point: str | None = None,
    mpp: Mpp | float | None = None,
    mpp_override: bool | None = None,
    roi: tuple[float, float, float, float] | None = None,
    stage: str | None = None,
    quality: str | None = None,
    subtype: bool | None = None,
    prior_shift: bool | None = None,
    threads: int | None = None,
    provider: str | None = None,
    config: DetectConfig | None = None,
    progress: bool | Callable[[float, float], None] = True,
    found: Callable[[Detections], None] | None = None,
    networks: Networks | None = None,
    bundle: Bundle | None = None,
    out_dir: str | Path | None = None,
) -> DetectionResult:
    """Find the mitotic figures of a slide.

    Parameters
    ----------
    slide : str, Path or Slide
        The slide: its file, one that is open or in memory (`MemorySlide`), or its address (``s3://``,
        ``gs://``, ``https://``), from which it is staged as ``mitoscope detect`` does.
    model : Bundle, str or Path, optional
        The detector: a bundle, its name or its folder; by default the shipped one.
    out : str or Path, optional
        Folder where the record of the search is kept, from which a stopped one goes on. By default it lies
        in the user's cache folder: the same call again goes on there, or returns at once what was found. What
        was not used for 30 days is removed there.
    threshold : float, optional
        Score above which a candidate counts; by default that of the operating point.
    point : str, optional
        Name of the bundle's operating point.
    mpp : Mpp or float, optional
        Resolution in µm/px of a slide that states none.
    mpp_override : bool, optional
        Let it replace also what the slide states.
    roi : tuple of 4 float, optional
        X, Y, width, height in level-0 px; only this part is searched.
    stage, quality, subtype, prior_shift, threads, provider
        As in `DetectConfig`.
    config : DetectConfig, optional
        All settings together; what is given by name goes before it.
    progress : bool or callable
        Show a bar in a notebook and on a terminal. Or a function that is called with the mm² of tissue that
        are done and the total.
    found : callable, optional
        Called with the candidates of the first stage as they are found.
    networks : Networks, optional
        The bundle's networks, where several slides share them.
    bundle, out_dir
        Former names of `model` and `out`.

    Returns
    -------
    DetectionResult
        ``figures``, ``candidates``, ``count()``, ``report(path)``, ``to_pandas()``, ``plot()``.

    Raises
    ------
    SlideFormatError, ScaleError, SlideReadError
        If the slide cannot be opened or its file goes away.
    RemoteError, UnreachableError
        If a slide elsewhere cannot be had.
    RegionError, ConfigError, BundleError
        If the region of interest or a setting does not fit, or there is no such bundle.
    OutputError
        If the record cannot be written.
    RunError
        If a network fails.
    StoppedError
        If the user stops it. The same call goes on.
    """
    for old, new, value in (("bundle", "model", bundle), ("out_dir", "out", out_dir)):
        if value is not None:
            warnings.warn(f"detect({old}=…) is now detect({new}=…)", DeprecationWarning, stacklevel=2)
    model, out = model if bundle is None else bundle, out if out_dir is None else out_dir
    detector = model if isinstance(model, Bundle) else load_bundle() if model is None else load_bundle(model)
    scale = Mpp.of(mpp)
    given = {
        "threshold": threshold,
        "point": point,
        "mpp": None if scale is None else scale.mean,
        "mpp_override": mpp_override,
        "roi": roi,
        "stage": stage,
        "quality": quality,
        "subtype": subtype,
        "prior_shift": prior_shift,
        "threads": threads,
        "provider": provider,
    }
    stated = {name: value for name, value in given.items() if value is not None}
    base = (config or DetectConfig()).model_dump()
    settings = DetectConfig.parse(base | stated, where="detect")

    def search(folder: Path, how: DetectConfig, report: Callable[[float, float], None] | None) -> SlideRun:
        if isinstance(slide, Slide):
            check_asked(detector, how)
            return detect_opened(
                slide, detector, folder, config=how, progress=report, found=found, networks=networks
            )
        with SlidesHere().path_of(listed) as path:
            return detect_slide(
                path, detector, folder, config=how, progress=report, found=found, networks=networks
            )

    if isinstance(slide, Slide):
        title, place = slide.info.name, slide.info.fingerprint
    else:
        listed = ListedSlide.named(slide)
        title, address = listed.path.name, listed.address
        place = str(listed.path.absolute()) if address is None else address.identity
    with _reporting(progress, title) as report, _folder(out, place, detector, settings) as folder:
        try:
            run = search(folder, settings, report)
        except LedgerMismatchError:
            if out is not None:
                raise
            # What is kept in the cache is of another version, or the slide has changed.
            run = search(folder, settings.model_copy(update={"resume": False}), report)
    return DetectionResult.of(run, slide if isinstance(slide, Slide) and run.slide.path is None else None)


@contextmanager
def _reporting(
    progress: bool | Callable[[float, float], None], title: str
) -> Iterator[Callable[[float, float], None] | None]:
    if callable(progress):
        yield progress
    elif progress:
        with show_progress(title, unit="mm² of tissue", verb="searched") as report:
            yield report
    else:
        yield None


@contextmanager
def _folder(out: str | Path | None, place: str, bundle: Bundle, config: DetectConfig) -> Iterator[Path]:
    """Yield where the record of a search is kept: the folder named, one in the cache, or a temporary one."""
    if out is not None:
        yield Path(out)
        return
    key = json.dumps([place, bundle.fingerprint, config.result_fields(), config.quality])
    folder = _cached(hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()[:32])
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="mitoscope-") as temporary:
        yield Path(temporary)


def _cached(name: str) -> Path | None:
    """Return a folder of the cache, made where it is not there; None where nothing can be kept."""
    cache = cache_folder()
    if cache is None:
        return None
    runs = cache / "mitoscope" / "runs"
    try:
        (runs / name).mkdir(parents=True, exist_ok=True)
        (runs / name).touch()
        _remove_old(runs)
    except OSError:
        return None
    return runs / name


def _remove_old(runs: Path) -> None:
    oldest = time.time() - KEPT_DAYS * _SECONDS_A_DAY
    for folder in runs.iterdir():
        if folder.stat().st_mtime < oldest:
            shutil.rmtree(folder, ignore_errors=True)
