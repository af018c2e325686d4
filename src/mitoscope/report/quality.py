"""Whether a slide is fit to be counted: what was measured of it, and what a reader of its number must see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Final

from mitoscope.report.findings import Findings
from mitoscope.slide import MPP_TIMES_POWER, POWER_TOLERANCE
from mitoscope.wording import say_area, say_share

BLURRED_SHARE: Final = 0.25
"""Share of fields out of focus from which a slide is flagged: one field may lie on a fold or in mucus."""
INK_SHARE: Final = 0.05
INK_MM2: Final = 0.25
"""Marker pen that is flagged: so much of it beside the tissue, and at least a dot."""

FLAGS: Final = {
    "colours": "Colours that cannot be those of H&E",
    "stain": "Stain outside of the range of the training data",
    "blur": "Out of focus",
    "pen": "Marker pen",
    "gaps": "Parts that could not be read",
    "little tissue": "Less tissue than the count needs",
    "resolution": "Coarser than the detector, or unlike the objective",
}
"""Each flag and what it means in a few words, the gravest first."""


@dataclass(frozen=True, slots=True)
class Flag:
    """Something that makes a number doubtful: its name, one of `FLAGS`, and what was found."""

    name: str
    text: str


def find_flags(findings: Findings) -> tuple[Flag, ...]:
    """Return what is doubtful of a slide, in the order of `FLAGS`."""
    return tuple(Flag(name, text) for name, text in _found(findings))


def _found(findings: Findings) -> Iterator[tuple[str, str]]:
    run, spot = findings.run, findings.hot_spot
    tissue, focus = run.tissue, run.focus
    if tissue.colour_doubt:
        yield "colours", tissue.colour_doubt
    elif run.odd_stain:
        yield "stain", f"optical density in {run.odd_stain}"
    if focus is not None and focus.blurred_share >= BLURRED_SHARE:
        share = say_share(focus.blurred_share)
        yield "blur", f"{share} of {focus.fields} fields are out of focus (blur {focus.blur:.2f})"
    ink = tissue.ink_mm2 or 0.0
    if ink >= max(INK_MM2, INK_SHARE * tissue.area_mm2):
        yield "pen", f"{say_area(ink)} of marker pen, or as dark and even as that"
    if run.gaps:
        yield "gaps", f"{say_area(run.gap_mm2)} could not be read"
    if not spot.fits:
        yield "little tissue", f"{say_area(spot.covered_mm2)} of {say_area(spot.requested_mm2)} are tissue"
    yield from (("resolution", text) for text in _resolution(findings))


def _resolution(findings: Findings) -> Iterator[str]:
    info, finest = findings.info, findings.run.enlarged_to
    if finest is not None:
        yield f"{info.mpp.mean:.3g} µm/px, enlarged to {finest:g}"
    elif info.objective_power:
        usual = MPP_TIMES_POWER / info.objective_power
        if abs(info.mpp.mean / usual - 1) > POWER_TOLERANCE:
            yield f"{info.mpp.mean:.3g} µm/px, where {info.objective_power:g}x suggests {usual:.3g}"


def state_quality(findings: Findings) -> dict[str, object]:
    """Return what the manifest says of the quality of a slide: measures, and flags with their reasons."""
    tissue, focus = findings.run.tissue, findings.run.focus
    return {
        "flags": [asdict(flag) for flag in find_flags(findings)],
        "stain_density": None if tissue.stain is None else list(tissue.stain),
        "focus": None if focus is None else asdict(focus),
        "ink_mm2": tissue.ink_mm2,
    }
