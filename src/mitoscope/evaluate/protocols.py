"""The published rules by which detections are matched with the truth. They are not comparable."""

from __future__ import annotations

from functools import partial

from mitoscope.errors import ConfigError
from mitoscope.evaluate.many_to_many import match_any_near, match_by_balls
from mitoscope.evaluate.one_to_one import (
    match_boxes,
    match_closest_unmatched,
    match_in_truth_order,
    match_most,
)
from mitoscope.evaluate.protocol import SCANNED_MPP, Protocol

MITOSCOPE = Protocol(
    name="mitoscope",
    summary=(
        "one to one within 7.5 µm (30 px), inclusive: at every threshold as many hits as any one-to-one "
        "matching can have, higher scores first"
    ),
    source=(
        "mitoscope's own: the radius of TUPAC16 and MIDOG, with augmenting paths (Kuhn 1955) in place of a "
        "greedy choice, so that neither the order of rows nor a lower threshold takes a hit away"
    ),
    radius_px=30.0,
    radius_um=7.5,
    rule=match_most,
)

TUPAC = Protocol(
    name="tupac",
    summary=(
        "one to one within 30 px (7.5 µm), inclusive: by descending score, each detection takes the closest "
        "true figure that is still unmatched"
    ),
    source=(
        "TUPAC16 challenge (Veta et al. 2019), in the one-to-one reading of Akram et al. 2018: a true figure "
        "is matched once, a second detection of it is a false positive"
    ),
    radius_px=30.0,
    radius_um=7.5,
    rule=match_closest_unmatched,
)

MIDOG = Protocol(
    name="midog",
    summary=(
        "one to one within 7.5 µm (30 px), inclusive: in the order of the truth, each true figure takes the "
        "nearest detection that is still unused"
    ),
    source=(
        "MIDOG 2021, 2022 and 2025 evaluation containers and the MIDOG++ code (Aubreville et al. 2023): "
        "evalutils score_detection, radius 7.5e-3 mm"
    ),
    radius_px=30.0,
    radius_um=7.5,
    rule=match_in_truth_order,
    settles_by_score=False,
)

CMC = Protocol(
    name="cmc",
    summary=(
        "25 px, many to many: detections thinned by score within 25 px, then all members of every 25-px ball "
        "that holds a detection and a true figure are hits"
    ),
    source=(
        "evaluation code of CMC (Aubreville et al. 2020) and CCMCT (Bertram et al. 2019): nms_WSI, "
        "calculate_F1; pixels of level 0, about 0.25 µm/px"
    ),
    radius_px=25.0,
    radius_um=None,
    rule=match_by_balls,
)

AMIDA = Protocol(
    name="amida",
    summary=(
        "within 7.5 µm (30 px), inclusive: a true figure with any detection near it is found, several "
        "detections of it count once, a detection near none is false"
    ),
    source=(
        "AMIDA13 challenge (Veta et al. 2015, section on evaluation); the same rule scores deep-histopath "
        "(CODAIT), the IBM model of Ji et al."
    ),
    radius_px=30.0,
    radius_um=7.5,
    rule=match_any_near,
)

MITOS2012 = Protocol(
    name="mitos2012",
    summary=(
        "within 5 µm (20 px), inclusive, between centroids, one to one: by descending score, each detection "
        "takes the closest true figure that is still unmatched"
    ),
    source=(
        "ICPR 2012 contest (Roux et al. 2013), definition of D, TP and FP; its page names 8 µm in the "
        "introduction and 5 µm in the definitions, which the papers follow (Cireşan et al. 2013). What a "
        "second detection of a figure counts is not stated: here it is false"
    ),
    radius_px=20.0,
    radius_um=5.0,
    rule=match_closest_unmatched,
)

PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol for protocol in (MITOSCOPE, MIDOG, CMC, TUPAC, AMIDA, MITOS2012)
}
"""The protocols by name, the default first; ``iou@t`` is made by :func:`iou_protocol`."""

BOX_SIDE_UM = 22.5
"""Side of the boxes around centres in the evaluation of MIDOG: 2 × 0.01125 mm, so that an overlap of one half
is a shift by 7.5 µm along an axis (evaluation container; MIDOG++ code)."""


def iou_protocol(iou: float, *, side_um: float = BOX_SIDE_UM, side_px: float | None = None) -> Protocol:
    """Return the rule of COCO at one overlap, with squares of one size around the centres.

    Parameters
    ----------
    iou : float
        Least intersection over union, in (0, 1].
    side_um : float, default 22.5
        Side of the squares where the resolution is known.
    side_px : float, optional
        Side in level-0 pixels where it is not; by default `side_um` at 0.25 µm/px: 90 px.

    Raises
    ------
    ConfigError
        If the overlap is not in (0, 1] or a side is not positive.
    """
    if not 0 < iou <= 1:
        raise ConfigError(f"an overlap of {iou:g} is not in (0, 1]", where="--protocol", mend="e.g. iou@0.5")
    px = side_um / SCANNED_MPP if side_px is None else side_px
    if not (side_um > 0 and px > 0):
        raise ConfigError("the side of a box must be positive", where="--protocol")
    return Protocol(
        name=f"iou@{iou:g}",
        summary=(
            f"squares of {side_um:g} µm ({px:g} px) around the centres, one to one: by descending score, "
            f"each takes the unmatched true square of greatest intersection over union, at least {iou:g}"
        ),
        source="COCO (Lin et al. 2014, cocoeval); boxes as in the evaluation of MIDOG and MIDOG++",
        radius_px=px / 2,
        radius_um=side_um / 2,
        rule=partial(match_boxes, iou=iou),
    )


def find_protocol(name: str) -> Protocol:
    """Return a protocol by its name; ``iou@0.5`` and the like at any overlap.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    key = name.strip().casefold()
    if key.startswith("iou@"):
        try:
            return iou_protocol(float(key.removeprefix("iou@")))
        except ValueError:
            raise ConfigError(
                f"no overlap in {name!r}", where="--protocol", mend="write e.g. iou@0.5"
            ) from None
    if key not in PROTOCOLS:
        raise ConfigError(
            f"no protocol {name!r}",
            where="--protocol",
            mend=f"choose one of: {', '.join(PROTOCOLS)}, iou@0.5 (any overlap)",
        )
    return PROTOCOLS[key]
