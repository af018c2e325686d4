"""Whether a COCO file states boxes as corner and size (COCO) or as two corners (MIDOG), by evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange.format import BoxLayout

_NO_PLACE_PX0 = 1e12
_BAD_MOST = 0.02
"""A layout is ruled out when more than this part of the boxes contradicts it and the other's do not."""


def box_layout(
    annotations: Sequence[dict[str, Any]],
    boxes: NDArray[np.float64],
    sizes: NDArray[np.float64],
    *,
    description: str,
    where: str,
) -> BoxLayout:
    """Return the layout of the boxes.

    Evidence, in order: boxes that cannot be of a layout (a second corner above or left of the first; a centre
    outside the image), the stated ``area`` of boxes, the keys and the description of the file.

    Parameters
    ----------
    annotations : sequence of dict
        The file's annotations.
    boxes : ndarray of float64, shape (n, 4)
        Their boxes as they stand.
    sizes : ndarray of float64, shape (n, 2)
        Width and height of the image of each, infinite where unknown.
    description : str
        Of the file's ``info``.
    where : str
        For the error.

    Raises
    ------
    FormatError
        If the file gives no evidence, naming ``--boxes``.
    """
    whole = np.asarray((np.abs(boxes) < _NO_PLACE_PX0).all(axis=1))
    boxes, sizes = boxes[whole], sizes[whole]
    if not len(boxes):
        return BoxLayout.XYWH
    corner, second = boxes[:, :2], boxes[:, 2:]
    bad_corners = float((second <= corner).any(axis=1).mean())
    bad_sizes = float((((corner + second / 2) > sizes) | (second < 0)).any(axis=1).mean())
    if bad_corners <= _BAD_MOST < bad_sizes:
        return BoxLayout.XYXY
    if bad_sizes <= _BAD_MOST < bad_corners:
        return BoxLayout.XYWH
    stated = _by_area(annotations, whole, boxes) or _by_keys(annotations, description)
    if stated is None:
        raise FormatError(
            "boxes may be corner and size or two corners; the file does not say which",
            where=where,
            mend="name it with --boxes xywh (COCO) or --boxes xyxy (MIDOG)",
        )
    return stated


def _by_area(
    annotations: Sequence[dict[str, Any]], whole: NDArray[np.bool_], boxes: NDArray[np.float64]
) -> BoxLayout | None:
    areas = np.array([_number(annotation.get("area")) for annotation in annotations])[whole]
    known = np.isfinite(areas) & (areas > 0)
    as_sizes = boxes[:, 2] * boxes[:, 3]
    as_corners = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    votes = (np.isclose(areas, as_sizes)[known].sum(), np.isclose(areas, as_corners)[known].sum())
    if votes[0] == votes[1]:
        return None
    return BoxLayout.XYWH if votes[0] > votes[1] else BoxLayout.XYXY


def _by_keys(annotations: Sequence[dict[str, Any]], description: str) -> BoxLayout | None:
    keys = set().union(*(annotation.keys() for annotation in annotations))
    is_midog = "midog" in description.casefold() or "labels" in keys
    is_coco = bool(keys & {"iscrowd", "segmentation", "keypoints"})
    if is_midog == is_coco:
        return None
    return BoxLayout.XYXY if is_midog else BoxLayout.XYWH


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")
