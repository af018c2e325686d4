"""Detection on one slide: open, find the tissue, search it chunk by chunk, merge."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mitoscope.bundle import Bundle, Manifest
from mitoscope.errors import StoppedError
from mitoscope.fsio import make_directory
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.infer.config import DetectConfig
from mitoscope.infer.engine import Engine, Network, open_bundle_network
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.search import ReadChunk, read_chunk, search_chunk
from mitoscope.infer.slide_run import SlideRun, Timings, software
from mitoscope.infer.survey import Chunk, Survey, make_survey
from mitoscope.slide import Slide, SlideInfo, open_slide
from mitoscope.tiles import merge
from mitoscope.tissue import find_tissue

Progress = Callable[[float, float], None]
"""Called with mm² of tissue done and in all."""

LEDGER_SUFFIX = ".ledger"


@dataclass(frozen=True, slots=True)
class _Job:
    bundle: Bundle
    config: DetectConfig
    engine: Engine
    progress: Progress | None


def detect_slide(
    path: Path | str,
    bundle: Bundle,
    out_dir: Path,
    *,
    config: DetectConfig | None = None,
    progress: Progress | None = None,
    network: Network | None = None,
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
    network : Network, optional
        The bundle's network, where several slides share it.

    Returns
    -------
    SlideRun
        With zero tissue and no detections where the slide has no tissue.

    Raises
    ------
    SlideFormatError, ScaleError, SlideReadError
        If the slide cannot be opened or its file goes away.
    RegionError, ConfigError
        If the region of interest or the tiles do not fit.
    LedgerMismatchError, FormatError, OutputError
        If the ledger is of another run, damaged, held by another process or cannot be written.
    NonFiniteError, OutOfMemoryError, RunError
        If the network fails; names the tile.
    StoppedError
        If the user stops it. The same command goes on.
    """
    config = config or DetectConfig()
    started = time.perf_counter()
    with open_slide(path, mpp=config.mpp) as slide:
        survey = make_survey(slide, bundle, config, tissue=find_tissue(slide))
        # Everything that can be refused is refused before the first file is written.
        network = network or open_bundle_network(bundle, provider=config.provider, threads=config.threads)
        ledger_path = make_directory(Path(out_dir)) / (Path(path).stem + LEDGER_SUFFIX)
        header = _header(slide.info, bundle, survey, config)
        with Ledger.open(ledger_path, header, resume=config.resume) as ledger:
            job = _Job(bundle, config, Engine(network, batch=config.batch), progress)
            setup_s = time.perf_counter() - started
            _search(survey, ledger, job)
            return _result(slide, survey, ledger, job, setup_s=setup_s)


def _header(info: SlideInfo, bundle: Bundle, survey: Survey, config: DetectConfig) -> dict[str, object]:
    layout = survey.layout()
    versions = software(info)
    return {
        "slide": info.fingerprint,
        "bundle": f"{bundle.manifest.source} {bundle.fingerprint}",
        **{f"configuration: {key}": value for key, value in config.result_fields().items()},
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
    report(done, total)
    clock = time.perf_counter()
    try:
        with closing(_read_ahead(survey, waiting, readers=job.config.readers)) as chunks:
            for read in chunks:
                result = search_chunk(survey, read, job.engine, floor=job.bundle.manifest.score_floor)
                now = time.perf_counter()
                ledger.record(read.chunk.index, result, wall_s=now - clock)
                clock = now
                done += read.chunk.tissue_mm2
                report(done, total)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped after {done:.1f} of {total:.1f} mm²",
            where=ledger.path,
            mend="repeat the same command to go on",
        ) from None


def _no_report(done: float, total: float) -> None:
    pass


def _read_ahead(survey: Survey, chunks: Sequence[Chunk], *, readers: int) -> Generator[ReadChunk, None, None]:
    """Yield chunks in order while threads read the next ones; the first failure ends all."""
    pool = ThreadPoolExecutor(readers, thread_name_prefix="mitoscope-read")
    ahead: deque[Future[ReadChunk]] = deque()
    try:
        for chunk in chunks:
            ahead.append(pool.submit(read_chunk, survey, chunk))
            if len(ahead) > readers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _result(slide: Slide, survey: Survey, ledger: Ledger, job: _Job, *, setup_s: float) -> SlideRun:
    manifest, info = job.bundle.manifest, slide.info
    candidates = ledger.candidates(label=manifest.detects, source=manifest.source)
    gaps, spent = ledger.gaps(), ledger.spent()
    threshold, threshold_source = _threshold(manifest, job.config)
    return SlideRun(
        slide=info,
        bundle=job.bundle,
        config=job.config,
        detections=merge([candidates], radius_px0=manifest.nms_radius_um / info.mpp.mean),
        threshold=threshold,
        threshold_source=threshold_source,
        region_px0=survey.region_px0,
        tissue=survey.tissue,
        tissue_mm2=survey.tissue_mm2,
        gaps=gaps,
        gap_mm2=_area_mm2(gaps, info.mpp),
        status="complete_with_gaps" if gaps else "complete",
        timings=Timings(setup_s, spent.read_s, spent.network_s, spent.wall_s, ledger.sessions()),
        versions=software(info),
        notes=_notes(manifest, threshold, saturated=ledger.saturated_tiles()),
        ledger=ledger.path,
    )


def _threshold(manifest: Manifest, config: DetectConfig) -> tuple[float, str]:
    if config.threshold is not None:
        return config.threshold, "--threshold"
    return manifest.default_threshold, f"{manifest.source}, protocol {manifest.default_protocol}"


def _area_mm2(boxes: Sequence[BoxPx0], mpp: Mpp) -> float:
    return sum(box.area_mm2(mpp) for box in boxes)


def _notes(manifest: Manifest, threshold: float, *, saturated: int) -> tuple[str, ...]:
    notes = []
    if threshold < manifest.score_floor:
        notes.append(
            f"the threshold {threshold:g} is below the bundle's floor {manifest.score_floor:g}: candidates "
            "between the two were not kept"
        )
    if saturated:
        notes.append(
            f"in {saturated} tiles the network used all its {manifest.top_k} slots: candidates of low score "
            "may be missing there"
        )
    return tuple(notes)
