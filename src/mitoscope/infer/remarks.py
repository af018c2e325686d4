"""What a reader of a result should know beside its numbers, one line each."""

from __future__ import annotations

from mitoscope.bundle import ROBUST, Manifest, OperatingPoint
from mitoscope.bundle.network import multiplies_bytes
from mitoscope.geometry import Mpp
from mitoscope.infer.config import DetectConfig, Stage
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.slide_run import Correction, finest_mpp
from mitoscope.infer.survey import Survey
from mitoscope.slide import SlideInfo


def processor_notes(manifest: Manifest) -> list[str]:
    """Write that networks in int8 run more slowly on this processor than they could."""
    if manifest.precision != "int8" or multiplies_bytes():
        return []
    return ["this processor does not multiply bytes: the networks in int8 run in float32, more slowly"]


def stain_notes(
    survey: Survey, manifest: Manifest, odd: str | None, *, point: OperatingPoint | None
) -> list[str]:
    """Write what the colours of a slide mean for it; `point` is what was taken unnamed."""
    if survey.tissue.colour_doubt:
        return [f"{survey.tissue.colour_doubt}: look at the slide before using any number"]
    if odd is None:
        return []
    unlike = f"the stain is unlike that of the training data, optical density in {odd}"
    usual = manifest.point()
    if point is not None and point.name == ROBUST != usual.name:
        return [
            f"{unlike}: the threshold is that of the {ROBUST} point ({point.threshold:.3g}, "
            f"{point.criterion} on {point.chosen_on}) in place of {usual.name} ({usual.threshold:.3g}); "
            f"--point {usual.name} keeps that one"
        ]
    return [
        f"{unlike}: look at the figures by eye, or set the threshold on your own labelled fields "
        "(mitoscope bundle calibrate)"
    ]


def scale_notes(info: SlideInfo, config: DetectConfig) -> list[str]:
    """Write that a resolution was given which the slide did not need."""
    if config.mpp is None or info.mpp == Mpp.square(config.mpp):
        return []
    return [
        f"--mpp {config.mpp:g} was not used: the slide states {info.mpp.mean:.4g} µm/px ({info.mpp_source}), "
        "which only --mpp-override replaces"
    ]


def search_notes(
    survey: Survey,
    manifest: Manifest,
    threshold: float,
    ledger: Ledger,
    *,
    stage: Stage,
    correction: Correction | None,
) -> tuple[str, ...]:
    """Write what became of single parts of the slide, and what that means for the candidates."""
    notes = processor_notes(manifest)
    finest, own = finest_mpp(manifest, stage), survey.tissue.mpp.mean
    if own > finest * (1 + manifest.mpp_tolerance):
        notes.append(
            f"the slide has {own:.2g} µm/px and is enlarged to the {finest:g} µm/px of the detector: detail "
            "that was not scanned is lost, expect more figures missed and more look-alikes found"
        )
    if stage == "proposals" and manifest.verifier is not None:
        notes.append("scores are those of the first stage: the second one was not asked (--stage proposals)")
    lowest = (
        manifest.proposal_floor if correction is None else float(correction.shift(manifest.proposal_floor))
    )
    if stage == "proposals" and threshold < lowest:
        notes.append(
            f"the threshold {threshold:g} is below the bundle's floor {lowest:g}: candidates "
            "between the two were not kept"
        )
    if suspects := ledger.suspects():
        first = suspects[0]
        notes.append(
            f"{len(suspects)} stored tiles look damaged although they can be decoded, the first at "
            f"{first.x:.0f}, {first.y:.0f} px: look at them by eye, or copy the slide again from its source"
        )
    if saturated := ledger.saturated_tiles():
        notes.append(
            f"in {saturated} tiles the network used all its {manifest.top_k} slots: candidates of low score "
            "may be missing there"
        )
    if stage == "verified" and (damaged := ledger.damaged_crops()):
        notes.append(f"{damaged} candidates were verified on crops of which a part could not be read")
    return tuple(notes)
