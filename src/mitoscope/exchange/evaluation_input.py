"""The one door to what was found: results, tables and files of any format, by image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from mitoscope.detections import Detections
from mitoscope.exchange.coco.results import is_results_list, read_results_list
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.judged import read_detections
from mitoscope.exchange.predictions import is_result, read_results
from mitoscope.geometry import Mpp
from mitoscope.labels import IGNORED, LabelMapping, is_candidate


def read_any_predictions(
    path: Path,
    *,
    mapping: LabelMapping | None = None,
    mpp: Mpp | None = None,
    names: Path | None = None,
) -> dict[str, Detections]:
    """Read predictions by the stem of the image's name.

    Parameters
    ----------
    path : Path
        A folder that `detect` wrote, a manifest, a CSV ``image,x,y,score`` or ``x,y,score`` (or of boxes: x1,
        y1, x2, y2 in place of x and y), a COCO list of results, or any format of `registry`.
    mapping : LabelMapping, optional
        What class names stand for; without it, names that are not known stay as they are.
    mpp : Mpp, optional
        Resolution, for formats in millimetres.
    names : Path, optional
        The COCO file with the images and classes that the ids of a COCO list of results mean.

    Raises
    ------
    FormatError, ScaleError
        If it cannot be read.
    UnknownLabelError
        If a mapping is given and does not know a name.
    """
    if is_result(path):
        read = read_results(path, mapping=mapping, with_tissue=False)
        return {name: result.candidates for name, result in read.items()}
    if is_results_list(path):
        # Its ids always need the names of another file, so its names always have to be known.
        found = _mapped(read_results_list(path, names or path), mapping or LabelMapping(), where=path)
        return {image: detections.with_candidates_as_figures() for image, detections in found.items()}
    found = read_detections(path, options=ReadOptions(mpp=mpp))
    return found if mapping is None else _mapped(found, mapping, where=path)


def _mapped(found: Mapping[str, Detections], mapping: LabelMapping, *, where: Path) -> dict[str, Detections]:
    counts: dict[str, int] = {}
    for detections in found.values():
        for name, count in zip(*np.unique(detections.label, return_counts=True), strict=True):
            counts[str(name)] = counts.get(str(name), 0) + int(count)
    candidates = {name: name for name in counts if is_candidate(name)}
    named = {name: count for name, count in counts.items() if name not in candidates}
    class_of = mapping.map_names(named, where=where) | candidates
    out = {}
    for image, detections in found.items():
        # A list, because arrays of text would cut longer names off.
        label = np.array([class_of[name] for name in detections.label.tolist()], dtype=np.str_)
        columns = detections.x_px0, detections.y_px0, detections.score, label, detections.source
        out[image] = Detections(*columns, detections.searched).take(label != IGNORED)
    return out
