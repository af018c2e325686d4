"""Detection on one slide: open, find the tissue, search it chunk by chunk, merge, verify."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mitoscope.bundle import ROBUST, Bundle, Manifest, OperatingPoint
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, MitoscopeError, StoppedError
from mitoscope.exchange import check_names, result_stem
from mitoscope.fsio import make_directory
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.infer.cascade import (
    Networks,
    corrected,
    open_networks,
    quality_of,
    refuse_subtype,
    rescored,
    stage_of,
    verify,
)
from mitoscope.infer.config import DetectConfig, Stage
from mitoscope.infer.crew import Crew, Threads
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.remarks import scale_notes, search_notes, stain_notes
from mitoscope.infer.search import ChunkSearch
from mitoscope.infer.slide_list import ListedSlide
from mitoscope.infer.slide_run import Correction, SlideRun, Timings, software, stain_complaint
from mitoscope.infer.subtype import name_subtypes
from mitoscope.infer.survey import Survey, make_survey
from mitoscope.infer.workers import Workers, timed
from mitoscope.slide import Slide, SlideInfo, open_slide
from mitoscope.tiles import merge
from mitoscope.tissue import find_tissue, measure_focus

Progress = Callable[[float, float], None]
"""Called with mm² of tissue done and in all."""
Found = Callable[[Detections], None]
"""Called with what a part of the slide gave, before overlaps are merged and the second stage has looked."""

LEDGER_SUFFIX = ".ledger"


@dataclass(frozen=True, slots=True)
class _Job:
    bundle: Bundle
    config: DetectConfig
    crew: Crew
    progress: Progress | None
    found: Found | None

    @property
    def stage(self) -> Stage:
        return stage_of(self.bundle.manifest, self.config)


def detect_slide(
    path: Path | str,
    bundle: Bundle,
    out_dir: Path,
    *,
    config: DetectConfig | None = None,
    progress: Progress | None = None,
    found: Found | None = None,
    networks: Networks | None = None,
    crew: Crew | None = None,
) -> SlideRun:
    """Find the mitotic figures of a slide.

    Parameters
    ----------
    path : Path or str
        The slide.
    bundle : Bundle
        The detector.
    out_dir : Path
        Where the ledger ``<stem>.ledger`` is kept; created if it does not exist. A run of the same slide,
        bundle and configuration that was stopped there is gone on with.
    config : DetectConfig, optional
        How to look.
    progress : callable, optional
        Called with mm² of tissue done and in all, at the beginning and after each chunk.
    found : callable, optional
        Called with the candidates of the first stage: those of an earlier session, then those of each chunk.
    networks : Networks, optional
        The bundle's networks, where several slides share them.
    crew : Crew, optional
        Who computes the parts of the slide; by default threads of this process.

    Returns
    -------
    SlideRun
        With zero tissue and no detections where the slide has no tissue.

    Raises
    ------
    SlideFormatError, ScaleError, SlideReadError
        If the slide cannot be opened or its file goes away.
    RegionError, ConfigError, BundleError
        If the region of interest, the tiles, the stage or the operating point do not fit.
    LedgerMismatchError, FormatError, OutputError
        If the ledger is of another run, damaged, held by another process or cannot be written.
    NonFiniteError, OutOfMemoryError, RunError
        If a network fails; names the tile or the candidate.
    StoppedError
        If the user stops it. The same command goes on.
    """
    config = config or DetectConfig()
    check_asked(bundle, config)
    check_names([Path(path)], Path(out_dir))
    started = time.perf_counter()
    with open_slide(path, mpp=config.mpp, mpp_override=config.mpp_override) as slide:
        return detect_opened(
            slide,
            bundle,
            out_dir,
            config=config,
            progress=progress,
            found=found,
            networks=networks,
            crew=crew,
            started=started,
        )


def check_asked(bundle: Bundle, config: DetectConfig) -> None:
    """Refuse what a bundle cannot do, before a slide is opened; errors as `detect_slide`."""
    stage_of(bundle.manifest, config)
    quality_of(bundle.manifest, config)
    refuse_subtype(bundle.manifest, config)
    operating_point(bundle.manifest, config)


def detect_opened(
    slide: Slide,
    bundle: Bundle,
    out_dir: Path,
    *,
    config: DetectConfig,
    progress: Progress | None = None,
    found: Found | None = None,
    networks: Networks | None = None,
    crew: Crew | None = None,
    started: float | None = None,
) -> SlideRun:
    """Find the mitotic figures of a slide that is open: what `detect_slide` does once it has opened it.

    Parameters
    ----------
    started : float, optional
        When the work on the slide began, by `time.perf_counter`; opening it is a part of it.
    """
    started = time.perf_counter() if started is None else started
    survey = make_survey(slide, bundle, config, tissue=find_tissue(slide))
    # Everything that can be refused is refused before the first file is written.
    if crew is None:
        crew = Threads(networks or open_networks(bundle, config), Workers.of(config.threads).count)
    ledger_path = make_directory(Path(out_dir)) / (result_stem(slide.info.name) + LEDGER_SUFFIX)
    header = _header(slide.info, bundle, survey, config)
    with Ledger.open(ledger_path, header, resume=config.resume, wait_s=crew.lock_wait_s) as ledger:
        job = _Job(bundle, config, crew, progress, found)
        setup_s = time.perf_counter() - started
        _search(survey, ledger, job)
        return _result(slide, survey, ledger, job, setup_s=setup_s)


def _header(info: SlideInfo, bundle: Bundle, survey: Survey, config: DetectConfig) -> dict[str, object]:
    layout, manifest = survey.layout(), bundle.manifest
    versions = software(info)
    return {
        "slide": info.fingerprint,
        "bundle": f"{manifest.source} {bundle.fingerprint}",
        **{f"configuration: {key}": value for key, value in config.result_fields().items()},
        **({"quality": quality_of(manifest, config)} if manifest.verifier else {}),
        "scale": [info.mpp.x, info.mpp.y],
        "tissue": layout.pop("tissue"),
        **{f"tiling: {key}": value for key, value in layout.items()},
        "software": {key: versions[key] for key in ("mitoscope", "onnxruntime", "reader")},
    }


def _search(survey: Survey, ledger: Ledger, job: _Job) -> None:
    recorded = ledger.recorded()
    waiting = [chunk for chunk in survey.chunks if chunk.index not in recorded]
    total = sum(chunk.tissue_mm2 for chunk in survey.chunks)
    done = sum(chunk.tissue_mm2 for chunk in survey.chunks if chunk.index in recorded)
    report = job.progress or _no_report
    # The list of all chunks is the planner's; who searches one is handed that one.
    work = ChunkSearch(replace(survey, chunks=()), job.config.batch, job.bundle.manifest.score_floor)
    label, source = job.bundle.manifest.detects, job.bundle.manifest.source
    tell = job.found or (lambda _: None)
    if recorded and job.found:
        tell(ledger.candidates(label=label, source=source))
    report(done, total)
    try:
        with closing(job.crew.run(work, waiting)) as groups:
            for group in timed(groups):
                with ledger.together():
                    for chunk, result, wall_s in group:
                        ledger.record(chunk.index, result, wall_s=wall_s)
                for chunk, result, _ in group:
                    done += chunk.tissue_mm2
                    tell(Detections.of(result.points_px0, result.score, label=label, source=source))
                report(done, total)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped after {done:.1f} of {total:.1f} mm²",
            where=ledger.path,
            mend="repeat the same command to continue",
        ) from None


def _no_report(done: float, total: float) -> None:
    pass


def _result(slide: Slide, survey: Survey, ledger: Ledger, job: _Job, *, setup_s: float) -> SlideRun:
    manifest, info = job.bundle.manifest, slide.info
    candidates = ledger.candidates(label=manifest.detects, source=manifest.source)
    merged = merge([candidates], radius_px0=manifest.nms_radius_um / info.mpp.mean)
    proposals = _uncut(merged, info, margin_um=manifest.margin_um)
    detections, correction = _corrected(_verified(slide, proposals, ledger, job), job)
    gaps = ledger.gaps()
    odd = stain_complaint(survey.tissue, manifest)
    point = operating_point(manifest, job.config, odd_stain=odd is not None)
    threshold, threshold_source = _threshold(manifest, job.config, point)
    detections = _with_subtypes(slide, detections, ledger, job, threshold=threshold)
    return SlideRun(
        slide=info,
        bundle=job.bundle,
        config=job.config,
        detections=detections,
        threshold=threshold,
        threshold_source=threshold_source,
        region_px0=survey.region_px0,
        tissue=survey.tissue,
        tissue_mm2=survey.tissue_mm2,
        gaps=gaps,
        gap_mm2=_area_mm2(gaps, info.mpp),
        status="complete_with_gaps" if gaps else "complete",
        timings=_timings(ledger, job.stage, setup_s=setup_s),
        versions=software(info),
        notes=(
            *info.notes,
            *scale_notes(info, job.config),
            *stain_notes(survey, manifest, odd, point=point if job.config.point is None else None),
            *search_notes(survey, manifest, threshold, ledger, stage=job.stage, correction=correction),
        ),
        ledger=ledger.path,
        stage=job.stage,
        point=point,
        correction=correction,
        focus=measure_focus(slide, survey.tissue, region_px0=survey.region_px0),
    )


def _uncut(detections: Detections, info: SlideInfo, *, margin_um: float) -> Detections:
    """Return what lies at least so far from the border of the slide that this does not cut it."""
    if not margin_um:
        return detections
    points, size = detections.points_px0, np.array([info.size.width, info.size.height])
    to_border_um = np.minimum(points, size - points) * (info.mpp.x, info.mpp.y)
    return detections.take(to_border_um.min(axis=1, initial=np.inf) >= margin_um)


def _corrected(detections: Detections, job: _Job) -> tuple[Detections, Correction | None]:
    """Correct the scores of the last stage for the share of figures; those of the first one rank only."""
    manifest = job.bundle.manifest
    if not (job.config.prior_shift and manifest.gives_probabilities(from_proposals=job.stage == "proposals")):
        return detections, None
    return corrected(detections, manifest.calibration)


def _verified(slide: Slide, proposals: Detections, ledger: Ledger, job: _Job) -> Detections:
    manifest = job.bundle.manifest
    verifier = manifest.verifier
    if job.stage == "proposals":
        return proposals if verifier else rescored(proposals, proposals.score, manifest.calibration)
    assert verifier is not None  # `stage_of` saw to it
    return verify(
        slide,
        proposals,
        ledger,
        manifest=manifest,
        verifier=verifier,
        crew=job.crew,
    )


def _with_subtypes(
    slide: Slide, detections: Detections, ledger: Ledger, job: _Job, *, threshold: float
) -> Detections:
    manifest = job.bundle.manifest
    if manifest.subtype is None or not job.config.subtype:
        return detections
    return name_subtypes(
        slide,
        detections,
        ledger,
        manifest=manifest,
        threshold=threshold,
        crew=job.crew,
    )


def _timings(ledger: Ledger, stage: Stage, *, setup_s: float) -> Timings:
    search, sessions = ledger.spent(), ledger.sessions()
    kinds = ledger.spent_on_subtypes()
    first = Timings(
        setup_s,
        search.read_s,
        search.network_s,
        search.wall_s,
        sessions,
        subtype_read_s=kinds.read_s,
        subtype_network_s=kinds.network_s,
        subtype_wall_s=kinds.wall_s,
    )
    if stage == "proposals":
        return first
    second = ledger.spent_on_verification()
    return replace(
        first,
        verify_read_s=second.read_s,
        verify_network_s=second.network_s,
        verify_wall_s=second.wall_s,
    )


def operating_point(
    manifest: Manifest, config: DetectConfig, *, odd_stain: bool = False
) -> OperatingPoint | None:
    """Return the operating point that a run takes: the one named, else the robust one or the default.

    Parameters
    ----------
    manifest : Manifest
    config : DetectConfig
    odd_stain : bool
        Whether the stain of the slide is unlike that of the training data: the robust point is for those,
        where the bundle has one.

    Returns
    -------
    OperatingPoint or None
        None where a threshold is given, and for the first stage of two: points belong to the last one.

    Raises
    ------
    ConfigError
        If the bundle has no such point, or one is asked for of the first stage of two.
    """
    if stage_of(manifest, config) == "proposals" and manifest.verifier is not None:
        if config.point is not None:
            raise ConfigError(
                "operating points are of the second stage",
                where="--point",
                mend="leave out --point or --stage proposals",
            )
        return None
    if config.threshold is not None:
        return None
    has_robust = ROBUST in (point.name for point in manifest.points)
    return manifest.point(ROBUST if config.point is None and odd_stain and has_robust else config.point)


def _threshold(manifest: Manifest, config: DetectConfig, point: OperatingPoint | None) -> tuple[float, str]:
    if config.threshold is not None:
        return config.threshold, "--threshold"
    if point is not None:
        return point.threshold, f"{manifest.source}, {point.describe()}"
    assert manifest.verifier is not None  # a single stage has a point
    return manifest.verifier.proposal_threshold, f"{manifest.source}, first stage alone"


def _area_mm2(boxes: Sequence[BoxPx0], mpp: Mpp) -> float:
    return sum(box.area_mm2(mpp) for box in boxes)


@dataclass(frozen=True, eq=False)
class SlideOutcome:
    """What became of one slide: exactly one of `run` and `error` is given."""

    path: Path
    run: SlideRun | None = None
    error: MitoscopeError | None = None


def detect_slides(
    slides: Sequence[Path | str | ListedSlide],
    bundle: Bundle,
    out_dir: Path,
    *,
    config: DetectConfig | None = None,
    progress: Progress | None = None,
) -> Iterator[SlideOutcome]:
    """Find the mitotic figures of several slides, one after the other.

    Parameters
    ----------
    slides : sequence of Path, str or ListedSlide
        The slides; their results are named by their stems. What a list says of a slide goes before `config`.
    bundle, out_dir, config, progress
        As for `detect_slide`; progress begins anew with each slide.

    Yields
    ------
    SlideOutcome
        In the order of the slides. A slide that fails does not keep the others from being done.

    Raises
    ------
    ConfigError, BundleError
        At once, if two slides have the same stem, the provider is not there, or the bundle
        lacks what is asked for.
    StoppedError
        If the user stops it.
    """
    listed = [slide if isinstance(slide, ListedSlide) else ListedSlide(Path(slide)) for slide in slides]
    common = config or DetectConfig()
    check_names([slide.path for slide in listed], Path(out_dir))
    operating_point(bundle.manifest, common)
    networks = open_networks(bundle, common)

    def outcome(slide: ListedSlide) -> SlideOutcome:
        path, own = slide.path, slide.configured(common)
        try:
            run = detect_slide(path, bundle, out_dir, config=own, progress=progress, networks=networks)
        except StoppedError:
            raise
        except MitoscopeError as error:
            return SlideOutcome(path, error=error)
        return SlideOutcome(path, run=run)

    return map(outcome, listed)
