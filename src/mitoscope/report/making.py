"""The result of one slide: what `mitoscope detect` does for each, in this process or any other."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import Any

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.count import GradingRule, refuse_colours
from mitoscope.detections import Searched
from mitoscope.errors import ColourError, FormatError, MitoscopeError, SlideFormatError
from mitoscope.exchange import MANIFEST, read_manifest, read_tumour, result_stem
from mitoscope.infer import (
    Crew,
    DetectConfig,
    ListedSlide,
    SlideDone,
    SlidesHere,
    Threads,
    check_asked,
    detect_opened,
    software,
)
from mitoscope.report.outputs import FORMATS, request_of, write_outputs
from mitoscope.slide import open_slide
from mitoscope.written import sha256_file

Progress = Callable[[float, float], None]
"""Called with mm² of tissue done and in all."""


@dataclass(frozen=True, slots=True)
class ResultSettings:
    """How results are made, alike for all slides of a command: plain values, which pass between processes.

    Parameters
    ----------
    bundle : str or Path
        Name or folder of the detector.
    out_dir : Path
        Folder of the results.
    config : DetectConfig
        How to look; what a list says of a slide goes before it.
    formats : tuple of str
        Of `FORMATS`.
    area_mm2, rule
        What the mitotic count is over.
    force : bool
        Count also where the colours of the slide are in doubt.
    relative_to_bounds : bool
        As for `write_outputs`.
    """

    bundle: str | Path
    out_dir: Path
    config: DetectConfig
    formats: tuple[str, ...] = FORMATS
    area_mm2: float | None = None
    rule: GradingRule | None = None
    force: bool = False
    relative_to_bounds: bool = False


def open_detector_of(settings: ResultSettings) -> tuple[Bundle, Crew]:
    """Return the bundle and the threads that share its networks; a process opens them once.

    Raises
    ------
    BundleError, ConfigError
        If the bundle is not there, damaged, or cannot do what is asked for.
    """
    config = settings.config
    key = config.model_copy(update={"roi": None, "mpp": None, "resume": True})
    with _OPENING:
        return _opened(settings.bundle, key)


_OPENING = Lock()


@lru_cache(maxsize=2)
def _opened(folder: str | Path, config: DetectConfig) -> tuple[Bundle, Crew]:
    bundle = load_bundle(folder)
    check_asked(bundle, config)
    return bundle, Threads.of(bundle, config)


def make_result(
    slide: ListedSlide,
    settings: ResultSettings,
    *,
    progress: Progress | None = None,
    detector: tuple[Bundle, Crew] | None = None,
    here: SlidesHere | None = None,
) -> SlideDone:
    """Search a slide, count its figures and write its result, or find that this is done already.

    Parameters
    ----------
    slide : ListedSlide
    settings : ResultSettings
    progress : callable, optional
        Called with mm² of tissue done and in all.
    detector : tuple of Bundle and Crew, optional
        What looks; by default the bundle of the settings and threads of this process.
    here : SlidesHere, optional
        Brings slides that lie elsewhere to this machine; by default one by one.

    Returns
    -------
    SlideDone
        Where the count is refused for the colours of the slide, there is a result and an error.

    Raises
    ------
    MitoscopeError
        If there is no result, as `detect_slide` and `write_outputs`.
    """
    started = time.perf_counter()
    bundle, crew = detector or open_detector_of(settings)
    here = here or SlidesHere()
    config = slide.configured(settings.config)
    regions = None if slide.tumour is None else read_tumour(slide.tumour)
    counting: dict[str, Any] = {
        "area_mm2": settings.area_mm2,
        "rule": settings.rule,
        "force": settings.force,
        "regions": regions,
        "relative_to_bounds": settings.relative_to_bounds,
    }
    folder = settings.out_dir / slide.below
    manifest = folder / f"{result_stem(slide.path)}{MANIFEST}"
    made_of = bundle.fingerprint, config, request_of(settings.formats, **counting)
    if config.resume and (values := _kept(slide, here, manifest, made_of)) is not None:
        here.skip(slide)
        return _done(slide, manifest, values, settings, kept=True)
    with (
        here.path_of(slide) as path,
        open_slide(path, mpp=config.mpp, mpp_override=config.mpp_override) as pixels,
    ):
        run = detect_opened(
            pixels,
            bundle,
            folder,
            config=config,
            progress=progress,
            crew=crew,
            started=started,
        )
        write_outputs(run, folder, formats=settings.formats, slide=pixels, **counting)
    seconds = time.perf_counter() - started
    return _done(slide, manifest, read_manifest(manifest), settings, seconds=seconds)


def _kept(
    slide: ListedSlide,
    here: SlidesHere,
    manifest: Path,
    made_of: tuple[str, DetectConfig, Mapping[str, object]],
) -> Mapping[str, Any] | None:
    """Return what a manifest says where making the result again would give the same files; else None."""
    bundle, config, request = made_of
    try:
        values = read_manifest(manifest)
        stated, made_by = values["configuration"], software()
        same = (
            {**stated, "resume": True} == {**config.model_dump(mode="json"), "resume": True}
            and values["request"] == request
            and values["detector"]["fingerprint"] == bundle
            and all(values["versions"][name] == known for name, known in made_by.items())
            and values["slide"]["name"] == slide.path.name
            and values["slide"]["fingerprint"] == here.fingerprint_of(slide)
        )
        if not same:
            return None
        files = {manifest.with_name(name): str(one["sha256"]) for name, one in values["files"].items()}
        intact = all(path.is_file() and sha256_file(path) == digest for path, digest in files.items())
    except (FormatError, SlideFormatError, KeyError, TypeError, AttributeError, OSError):
        return None  # it is made anew, and what is wrong is said then
    return values if intact else None


def _done(
    slide: ListedSlide,
    manifest: Path,
    values: Mapping[str, Any],
    settings: ResultSettings,
    *,
    seconds: float = 0.0,
    kept: bool = False,
) -> SlideDone:
    """Return what a manifest says of what became of a slide: the same whether it is new or was there."""
    search, spent = values["search"], values["timings"]
    search_s = min(spent["wall_s"] + spent["verify_wall_s"] + spent["subtype_wall_s"], seconds)
    error: MitoscopeError | None = None
    try:
        if not settings.force:
            refuse_colours(
                Searched(colour_doubt=search["colour_doubt"] or "", origin=values["slide"]["name"])
            )
    except ColourError as refusal:
        error = refusal
    return SlideDone(
        slide,
        manifest,
        error,
        gaps=search["status"] != "complete",
        kept=kept,
        tissue_mm2=search["tissue_mm2"],
        search_s=search_s,
        other_s=seconds - search_s,
    )
