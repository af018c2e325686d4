"""``mitoscope detect --dry-run``: what would be searched, and about how long that takes."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from mitoscope.cli.terminal import error_as_json, print_json, shown
from mitoscope.errors import MitoscopeError
from mitoscope.geometry import BoxPx0
from mitoscope.progress import duration
from mitoscope.wording import say_area, say_number

if TYPE_CHECKING:
    from mitoscope.infer import ListedSlide
    from mitoscope.report import ResultSettings
    from mitoscope.slide import SlideInfo
    from mitoscope.tissue import TissueMask

_TRIAL_PX0 = 2048
"""Side of the part of the first slide that is searched to see how fast this machine is."""


@dataclass(frozen=True)
class Planned:
    """A slide that would be searched."""

    slide: ListedSlide
    folder: Path
    tissue_mm2: float = 0.0
    mpp: float | None = None
    trial: tuple[float, float, float, float] | None = None
    error: MitoscopeError | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON."""
        return {
            "slide": self.slide.shown,
            "out": str(self.folder),
            "tissue_mm2": self.tissue_mm2 if self.slide.address is None else None,
            "mpp": self.mpp,
            "error": error_as_json(self.error),
        }


def show_plan(listed: Sequence[ListedSlide], settings: ResultSettings, *, as_json: bool) -> int:
    """Print what would be searched; nothing is written. Return the status of a run in which all goes well."""
    planned = [_plan(slide, settings) for slide in listed]
    per_mm2_s = next((each for one in planned if (each := _seconds_per_mm2(one, settings))), None)
    total_mm2 = sum(one.tissue_mm2 for one in planned)
    seconds = None if per_mm2_s is None else per_mm2_s * total_mm2
    failed = [one for one in planned if one.error is not None]
    if as_json:
        print_json(
            {
                "slides": [one.as_dict() for one in planned],
                "tissue_mm2": total_mm2,
                "estimated_s": seconds,
                "failed": len(failed),
            }
        )
    else:
        for one in planned:
            if one.error is None:
                what = "would be fetched"
                if one.mpp is not None:
                    what = f"{say_area(one.tissue_mm2)} of tissue at {one.mpp:.4g} µm/px"
                typer.echo(shown(f"{one.slide.shown}: {what}, to {one.folder}"))
        about = "" if seconds is None else f", about {duration(seconds)} on this machine"
        n = len(planned) - len(failed)
        typer.echo(
            f"would search {say_number(n, 'slide')}, {say_area(total_mm2)} of tissue{about}; "
            "nothing was written"
        )
    for one in failed:
        typer.echo(f"error: {one.error}", err=True)
    statuses = [one.error.exit_status if one.error else 0 for one in planned]
    return 0 if not any(statuses) else min(statuses) if all(statuses) else 1


def _plan(slide: ListedSlide, settings: ResultSettings) -> Planned:
    from mitoscope.slide import open_slide
    from mitoscope.tissue import find_tissue

    folder = settings.out_dir / slide.below
    if slide.address is not None:
        return Planned(slide, folder)  # nothing is fetched for a plan
    config = slide.configured(settings.config)
    try:
        with open_slide(slide.path, mpp=config.mpp, mpp_override=config.mpp_override) as pixels:
            tissue, info = find_tissue(pixels), pixels.info
    except MitoscopeError as error:
        return Planned(slide, folder, error=error)
    area = tissue.area_mm2 if config.roi is None else tissue.area_in(BoxPx0(*config.roi))
    return Planned(slide, folder, area, info.mpp.mean, _trial(tissue, info) if area else None)


def _trial(tissue: TissueMask, info: SlideInfo) -> tuple[float, float, float, float]:
    """Return the part of a slide with most tissue."""
    side = min(_TRIAL_PX0, info.size.width, info.size.height)
    boxes = (
        BoxPx0(x, y, side, side)
        for y in range(0, info.size.height - side + 1, side)
        for x in range(0, info.size.width - side + 1, side)
    )
    best = max(boxes, key=tissue.area_in)
    return best.x, best.y, best.width, best.height


def _seconds_per_mm2(one: Planned, settings: ResultSettings) -> float | None:
    """Return how long the search of a part of a slide takes; None without tissue."""
    from mitoscope.bundle import load_bundle
    from mitoscope.infer import detect_slide

    if one.trial is None or one.error is not None:
        return None
    config = one.slide.configured(settings.config).model_copy(update={"roi": one.trial})
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="mitoscope-") as folder:
        run = detect_slide(one.slide.path, load_bundle(settings.bundle), Path(folder), config=config)
    spent = time.perf_counter() - started - run.timings.setup_s
    return spent / run.tissue_mm2 if run.tissue_mm2 else None
