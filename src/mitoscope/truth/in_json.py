"""Ground truth as JSON values: what a file of a frozen version holds beside its manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.geometry import MultiPolygon, Polygon

from mitoscope.errors import FormatError, MitoscopeError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import Label, LabelSet
from mitoscope.region import Region, SlideRegions
from mitoscope.truth.agreement import Policy
from mitoscope.truth.examined import ExaminedArea
from mitoscope.truth.ground_truth import Domain, GroundTruth, SlideTruth, TrueCells

_KINDS = ("tumour", "exclusion", "interest")


def to_json(truth: GroundTruth) -> dict[str, Any]:
    """Return ground truth as JSON values; numbers are those that `from_json` gives back."""
    return {
        "source": truth.source,
        "policy": None if truth.policy is None else str(truth.policy),
        "classes": [[label.name, label.colour, list(label.aliases)] for label in truth.classes.labels],
        "label_names": dict(truth.label_names),
        "notes": list(truth.notes),
        "slides": [_slide_to_json(slide) for slide in truth.slides],
    }


def from_json(values: Mapping[str, Any], *, where: str) -> GroundTruth:
    """Read ground truth.

    Raises
    ------
    FormatError
        If the values are not what `to_json` writes.
    """
    try:
        return GroundTruth(
            slides=tuple(_slide_from_json(slide) for slide in values["slides"]),
            source=str(values["source"]),
            classes=LabelSet(tuple(Label(n, c, tuple(aliases)) for n, c, aliases in values["classes"])),
            policy=None if values["policy"] is None else Policy(values["policy"]),
            label_names=dict(values["label_names"]),
            notes=tuple(values["notes"]),
        )
    except MitoscopeError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        what = f"a damaged ground truth ({type(error).__name__}: {error})"
        raise FormatError(what, where=where, mend="write it again with curate freeze --out") from None


def _slide_to_json(slide: SlideTruth) -> dict[str, Any]:
    cells, domain, examined = slide.cells, slide.domain, slide.stated_examined
    return {
        "name": slide.name,
        "case": slide.case,
        "mpp": None if slide.mpp is None else [slide.mpp.x, slide.mpp.y],
        "size_px0": None if slide.size is None else [slide.size.width, slide.size.height],
        "sha256": slide.sha256,
        "domain": [domain.tumour_type, domain.scanner, domain.species, domain.laboratory],
        "split": slide.side,
        "regions": {kind: _region_to_json(getattr(slide.regions, kind)) for kind in _KINDS},
        "examined": None if examined is None else [examined.source, _region_to_json(examined.region)],
        "cells": {
            "points_px0": cells.points_px0.tolist(),
            "label": cells.label.tolist(),
            "size_px0": [None if np.isnan(size).any() else size.tolist() for size in cells.size_px0],
            "agreement": cells.agreement.tolist(),
            "cell_id": cells.cell_id.tolist(),
        },
    }


def _slide_from_json(values: Mapping[str, Any]) -> SlideTruth:
    cells, examined = values["cells"], values["examined"]
    sizes = [(np.nan, np.nan) if size is None else size for size in cells["size_px0"]]
    return SlideTruth(
        name=values["name"],
        cells=TrueCells.of(
            cells["points_px0"],
            np.array(cells["label"], dtype=np.str_),
            size_px0=np.array(sizes, dtype=np.float64).reshape(-1, 2),
            agreement=cells["agreement"],
            cell_id=cells["cell_id"],
        ),
        case=values["case"],
        mpp=None if values["mpp"] is None else Mpp(*values["mpp"]),
        size=None if values["size_px0"] is None else SizePx(*values["size_px0"]),
        sha256=values["sha256"],
        domain=Domain(*values["domain"]),
        side=values["split"],
        regions=_regions_from_json(values["regions"]),
        stated_examined=None
        if examined is None
        else ExaminedArea(_region_from_json(examined[1], "examined"), examined[0]),
    )


def _region_to_json(region: Region | None) -> Any:
    if region is None:
        return None
    return {"name": region.name, "polygons": [[ring.tolist() for ring in rings] for rings in region.polygons]}


def _regions_from_json(values: Mapping[str, Any]) -> SlideRegions:
    tumour, exclusion, interest = (_region_from_json(values[kind], kind) for kind in _KINDS)
    return SlideRegions(tumour, exclusion, interest)


def _region_from_json(values: Mapping[str, Any] | None, kind: str) -> Region | None:
    if values is None:
        return None
    rings: list[list[NDArray[np.float64]]] = values["polygons"]
    parts = [Polygon(exterior, holes) for exterior, *holes in rings]
    return Region(parts[0] if len(parts) == 1 else MultiPolygon(parts), values.get("name", kind))
