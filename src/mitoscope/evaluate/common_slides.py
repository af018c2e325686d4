"""Whether several detectors searched the same slides, and which images can be judged for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mitoscope.detections import Detections
from mitoscope.errors import FormatError, ScaleError
from mitoscope.evaluate.evaluate import listed
from mitoscope.geometry import Mpp, SizePx
from mitoscope.image_names import stem
from mitoscope.region import Region
from mitoscope.truth import GroundTruth, SlideTruth

Found = Mapping[str, Mapping[str, Detections]]
"""Detector → image, by the stem of its name → what was found."""

_SHOWN_MAX = 3


class Missing(StrEnum):
    """What becomes of an image that one of the detectors did not search."""

    LEAVE_OUT = "leave-out"
    """It is judged for none of them."""
    MISS = "miss"
    """All of its figures count as missed by who did not search it: the rule of a challenge."""
    REFUSE = "refuse"
    """Nothing is judged."""


@dataclass(frozen=True, eq=False)
class SameSlides:
    """What several detectors found on images that can be judged for all of them.

    Attributes
    ----------
    found : dict of str to dict of str to Detections
        Detector → image → detections, each with the size, the scale and the searched part that all share.
    truth : GroundTruth
        Of these images alone.
    not_searched : dict of str to tuple of str
        Image of the ground truth → the detectors that did not search it.
    without_truth : dict of str to tuple of str
        Image → the detectors that searched it although the ground truth does not name it.
    parts : tuple of str
        Images of which a part alone was searched by all.
    """

    found: dict[str, dict[str, Detections]]
    truth: GroundTruth
    not_searched: dict[str, tuple[str, ...]]
    without_truth: dict[str, tuple[str, ...]]
    parts: tuple[str, ...]


def same_slides(
    found: Found,
    truth: GroundTruth,
    *,
    missing: Missing = Missing.LEAVE_OUT,
    hashes: Mapping[str, Mapping[str, str]] | None = None,
) -> SameSlides:
    """Gather the images that can be judged for all detectors.

    Parameters
    ----------
    found : mapping of str to mapping of str to Detections
    truth : GroundTruth
    missing : Missing
    hashes : mapping of str to mapping of str to str, optional
        Detector → image → identity of the slide that was searched (``sha256:…``), where it is known.

    Raises
    ------
    FormatError
        If no image is left, an image was not searched and that is refused, or results are of another slide:
        another file, another size, or with detections beyond its edges.
    ScaleError
        If two results state two resolutions of an image.
    """
    slides = {stem(slide.name): slide for slide in truth}
    not_searched = {
        image: without
        for image in slides
        if (without := tuple(name for name, images in found.items() if image not in images))
    }
    others = sorted({image for images in found.values() for image in images} - slides.keys())
    without_truth = {
        image: tuple(name for name, images in found.items() if image in images) for image in others
    }
    kept = _kept(slides, not_searched, missing, without_truth)
    _refuse_other_files(slides, kept, hashes or {})
    agreed: dict[str, dict[str, Detections]] = {name: {} for name in found}
    parts = []
    for image in kept:
        each = {name: images[image] for name, images in found.items() if image in images}
        size, mpp = _size(each, slides[image]), _mpp(each, image)
        part = _common_part(each)
        if part is not None:
            if part.is_empty:
                raise FormatError(
                    "no part of it was searched by all", where=image, mend="search the same part with all"
                )
            parts.append(image)
        for name, one in each.items():
            searched = replace(one.searched, size=size, mpp=mpp, region=part)
            agreed[name][image] = one.with_searched(searched)
    judged = truth.with_slides(slides[image] for image in kept)
    return SameSlides(agreed, judged, not_searched, without_truth, tuple(parts))


def _kept(
    slides: Mapping[str, SlideTruth],
    not_searched: Mapping[str, tuple[str, ...]],
    missing: Missing,
    without_truth: Mapping[str, object],
) -> list[str]:
    if not_searched and missing is Missing.REFUSE:
        image, names = next(iter(not_searched.items()))
        more = f", and {len(not_searched) - 1} more images" if len(not_searched) > 1 else ""
        raise FormatError(
            f"not searched by {', '.join(names)}{more}",
            where=image,
            mend="search it, or judge the other images with --missing leave-out",
        )
    kept = [image for image in slides if missing is Missing.MISS or image not in not_searched]
    if not kept:
        first = [*not_searched.items()][:_SHOWN_MAX]
        what = "; ".join(f"{image} lacks {', '.join(names)}" for image, names in first)
        if without_truth:
            what += f"; searched, but without ground truth: {listed(dict(without_truth))}"
        raise FormatError(
            f"no image was searched by all and has ground truth: {what}",
            where="comparison",
            mend="use the same image names in all of them",
        )
    return kept


def _refuse_other_files(
    slides: Mapping[str, SlideTruth], kept: list[str], hashes: Mapping[str, Mapping[str, str]]
) -> None:
    for image in kept:
        stated = {name: images[image] for name, images in hashes.items() if image in images}
        sha256 = slides[image].sha256
        first: dict[str, tuple[str, str]] = {} if sha256 is None else {"sha256": ("the ground truth", sha256)}
        for name, identity in stated.items():
            kind, _, digest = identity.partition(":")
            who, expected = first.setdefault(kind, (name, digest))
            if digest != expected:
                raise FormatError(
                    f"{name} searched another file than {who}",
                    where=image,
                    mend="search the same slide with all, or name the slides differently",
                )


def _size(each: Mapping[str, Detections], slide: SlideTruth) -> SizePx | None:
    """Return the size of an image that all share, and refuse what lies beyond it."""
    stated = {name: one.searched.size for name, one in each.items()}
    known = {"the ground truth": slide.size, **stated}
    sizes = {name: size for name, size in known.items() if size is not None}
    if not sizes:
        return None
    first, size = next(iter(sizes.items()))
    for name, other in sizes.items():
        if other != size:
            raise FormatError(
                f"{first} states {size.width} × {size.height} px, {name} {other.width} × {other.height}: "
                "two different slides",
                where=slide.name,
                mend="compare results of the same slide",
            )
    for name, one in each.items():
        outside = ~((one.points_px0 >= 0) & (one.points_px0 <= [size.width, size.height])).all(axis=1)
        if outside.any():
            raise FormatError(
                f"{int(outside.sum())} of {len(one)} detections of {name} lie outside of its "
                f"{size.width} × {size.height} px",
                where=slide.name,
                mend="give the results of this slide, in level-0 pixels",
            )
    return size


def _mpp(each: Mapping[str, Detections], image: str) -> Mpp | None:
    scales = {name: one.searched.mpp for name, one in each.items()}
    known = {name: mpp for name, mpp in scales.items() if mpp is not None}
    if not known:
        return None
    first, mpp = next(iter(known.items()))
    for name, other in known.items():
        if mpp.differs_from(other):
            raise ScaleError(
                f"{first} states {mpp.mean:.4g} µm/px, {name} {other.mean:.4g}",
                where=image,
                mend="correct the one that is wrong, or replace both with --mpp F --mpp-override",
            )
    return mpp


def _common_part(each: Mapping[str, Detections]) -> Region | None:
    """Return the part that all searched; None where all searched the whole image."""
    part: Region | None = None
    for detections in each.values():
        region = detections.searched.region
        if region is not None:
            part = region if part is None else part.intersection(region)
    return part
