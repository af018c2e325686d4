"""The strata that a ground truth itself states: kinds of region as in MIDOG 2025, and tumour types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.evaluate.contest import Entry, Strata
from mitoscope.evaluate.evaluate import evaluate
from mitoscope.evaluate.judging import NOT_STATED, FileJudge, Stratification, group_of
from mitoscope.evaluate.scorecard import Scorecard, StratumScore
from mitoscope.exchange import parse_reference, table_columns
from mitoscope.geometry import Mpp
from mitoscope.image_names import stem
from mitoscope.region import FieldKind, field_kind
from mitoscope.truth import ExaminedArea, GroundTruth

FIELD: Final = "kind of region"
FIELD_COLUMNS: Final = ("region_type", "region", "roi_type", "roi", "field", "kind of region", "stratum")
"""Columns of a table of true cells that may say how an image was chosen."""
TUMOUR_TYPE: Final = "tumour type"


def stated_strata(judge: FileJudge) -> tuple[Stratification, ...]:
    """Return the ways to part images that the ground truth states without being asked.

    Notes
    -----
    A column of `FIELD_COLUMNS` counts where it names the kinds of MIDOG 2025 alone (hot spot, random,
    challenging) and more than one of them; tumour types count where every image has one and there are two.
    """
    found = [_of_column(judge)]
    groups = group_of(judge.truth, "domain") if any(slide.domain.tumour_type for slide in judge.truth) else {}
    kinds = set(groups.values())
    if len(kinds) > 1 and NOT_STATED not in kinds:
        found.append(Stratification(TUMOUR_TYPE, groups, parse_reference(judge.reference)[0]))
    return tuple(stratum for stratum in found if stratum is not None)


def _of_column(judge: FileJudge) -> Stratification | None:
    path, version = parse_reference(judge.reference)
    columns = table_columns(path) if version is None and path.suffix.casefold() == ".csv" else frozenset()
    for column in FIELD_COLUMNS:
        if column not in columns:
            continue
        try:
            (stated,) = judge.read_strata(column)
        except FormatError:
            continue  # not all images have one: no way to part them, as it stands there
        kinds = {image: field_kind(name) for image, name in stated.stratum_of.items()}
        if None not in kinds.values() and len(set(kinds.values())) > 1:
            return Stratification(FIELD, {image: str(kind) for image, kind in kinds.items()}, stated.path)
    return None


def strata_of_fields(
    entries: Sequence[Entry], found: Mapping[str, Mapping[str, Detections]], truth: GroundTruth
) -> Strata | None:
    """Judge each kind of region of interest by itself, where names of regions say how they were chosen.

    Parameters
    ----------
    entries : sequence of Entry
    found : mapping of str to mapping of str to Detections
        Detector → image → what it found.
    truth : GroundTruth
        Of the judged images.

    Returns
    -------
    Strata or None
        None where regions of fewer than two kinds are named. A whole-slide image may have regions of each.
    """
    kinds = [kind for kind in FieldKind if any(kind in slide.regions.fields for slide in truth)]
    if len(kinds) < 2:
        return None
    cards = {}
    for entry in entries:
        scores = []
        for kind in kinds:
            judged = entry.judged
            part = _inside(truth, kind, judged.scales)
            names = {stem(slide.name) for slide in part}
            there = {
                name: one.with_searched(replace(one.searched, mpp=judged.scales[name]))
                for name, one in found[entry.name].items()
                if name in names
            }
            again = evaluate(
                there,
                part,
                protocol=judged.protocol,
                threshold=judged.chosen_threshold,
                repeats=judged.repeats,
                seed=judged.seed,
            )
            scores.append((str(kind), again))
        whole = entry.judged
        common = None if whole.no_area else whole.total_steps.figures / (whole.examined_mm2 or 1.0)
        cards[entry.name] = Scorecard(
            FIELD,
            StratumScore("all", whole, common, whole.no_area),
            tuple(StratumScore(name, again, common, whole.no_area) for name, again in scores),
        )
    return Strata(FIELD, cards, of_regions=True)


def _inside(truth: GroundTruth, kind: FieldKind, scales: Mapping[str, Mpp | None]) -> GroundTruth:
    """Return the slides with regions of a kind, each examined there alone, at the scales of the judgement."""
    return truth.with_slides(
        replace(
            slide,
            mpp=scales[stem(slide.name)],
            stated_examined=ExaminedArea(slide.regions.fields[kind], f"regions of interest: {kind}"),
        )
        for slide in truth
        if kind in slide.regions.fields
    )
