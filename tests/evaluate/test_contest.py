"""Several detectors on the same images: found alone, counts, differences, ranks, strata, the schema."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import numpy as np
import pytest

from mitoscope.detections import Detections, Searched
from mitoscope.errors import ConfigError
from mitoscope.evaluate import (
    Contest,
    Entry,
    Evaluation,
    Scoreboard,
    check_rank,
    count_agreement,
    evaluate,
    found_alone,
    judge_entry,
    missed_by_all,
    same_slides,
    scoreboard_of,
    strata_of_fields,
    strata_of_images,
)
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.region import FieldKind, Region, SlideRegions
from mitoscope.statistics import Score
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells
from tests.evaluate.made import make, truth_of

MPP, SIZE = Mpp.square(0.25), SizePx(2100, 2100)
FIGURES = [(100.0, 100.0), (300.0, 100.0), (500.0, 100.0), (700.0, 100.0)]


def detections(points: Any, scores: Any, *, calibrated: bool | None = None) -> Detections:
    searched = Searched(mpp=MPP, size=SIZE, threshold=0.5, calibrated=calibrated)
    return Detections.of(points, scores, searched=searched)


def judged(points: Any, scores: Any) -> Evaluation:
    return evaluate({"a": detections(points, scores)}, truth_of({"a": FIGURES}))


def test_what_only_one_found() -> None:
    sides = {
        "A": judged([(101, 100), (301, 100), (900, 900), (50, 900)], [0.9, 0.8, 0.7, 0.95]),
        "B": judged([(101, 101), (501, 100), (905, 905), (1200, 50), (701, 100)], [0.6, 0.7, 0.9, 0.8, 0.4]),
    }
    alone = found_alone(sides)
    assert [(one.x_px0, one.score) for one in alone["A"].true] == [(301, 0.8)]
    assert [(one.x_px0, one.score) for one in alone["B"].true] == [(501, 0.7)]
    # Both have a false detection at 900, 900: it is nobody's own.
    assert [(one.x_px0, one.y_px0) for one in alone["A"].false] == [(50, 900)]
    assert [(one.x_px0, one.y_px0) for one in alone["B"].false] == [(1200, 50)]
    # The last figure has a candidate of B below its threshold.
    assert [(one.x_px0, one.score) for one in missed_by_all(sides)] == [(700, 0.4)]


def test_the_hot_spot_of_a_detector_against_that_of_the_ground_truth() -> None:
    # 0.01 mm² is a window of 461 × 346 px. The figures lie in two nests: five left, three right.
    left = [(100.0 + 10 * n, 100.0) for n in range(5)]
    right = [(1500.0 + 10 * n, 1500.0) for n in range(3)]
    truth = truth_of({"a": left + right, "b": []})
    right_only = [*right, (1500.0, 1600.0)]
    found = {"a": detections(right_only, [0.9] * 4), "b": detections([(5, 5)], [0.9])}
    agreed = count_agreement(evaluate(found, truth), area_mm2=0.01)
    one = agreed.images["a"]
    assert (one.found, one.true, one.overlap, one.share) == (4, 5, 0.0, 0.6)  # three of five
    assert (agreed.images["b"].found, agreed.images["b"].true, agreed.images["b"].overlap) == (1, 0, None)
    assert agreed.bland_altman is not None
    assert agreed.bland_altman.bias.value == 0.0
    assert agreed.bland_altman.absolute.value == 1.0
    assert agreed.hot_spots == 1
    same = count_agreement(
        evaluate({"a": detections(left, [0.9] * 5), "b": detections([], [])}, truth), area_mm2=0.01
    )
    assert (same.images["a"].overlap, same.images["a"].share) == (1.0, 1.0)
    # A window as large as the image leaves nothing to choose.
    assert count_agreement(evaluate(found, truth), area_mm2=2.0).images["a"].overlap is None


def test_counts_without_a_resolution_are_refused_with_a_reason() -> None:
    agreed = count_agreement(evaluate({"a": Detections.of([(1, 1)], [0.9])}, truth_of({"a": FIGURES})))
    assert list(agreed.refused) == ["a"]
    assert "resolution" in agreed.refused["a"]


def contest(*, images: int = 8, **changes: Any) -> Contest:
    """Return a good detector, a worse one, and a copy of the worse one."""
    figures = make(images, seed=3)[1]
    sides = {
        name: {
            image: detections(found.points_px0.clip(0, 2100), found.score, calibrated=True)
            for image, found in make(images, seed=3, better=better)[0].items()
        }
        for name, better in (("worse", 0.0), ("good", 0.15), ("copy", 0.0))
    }
    truth = truth_of(figures, mpp=MPP)
    slides = same_slides(sides, truth)
    entries = tuple(Entry(name, judge_entry(slides, name, repeats=200)) for name in sides)
    return Contest(entries, slides, area_mm2=0.02, **changes)


def test_ranks_share_places_and_differences_are_paired() -> None:
    made = contest()
    assert made.ranks == {"good": 1, "worse": 2, "copy": 2}
    pairs = {(pair.first, pair.second): pair.differences for pair in made.pairs}
    assert list(pairs) == [("worse", "good"), ("worse", "copy"), ("good", "copy")]
    nothing = pairs["worse", "copy"]
    assert all(found.value == 0 and found.interval is not None for found in nothing.values())
    better = pairs["worse", "good"]
    assert set(better) >= {"f1", "false_per_mm2", "calibration_error", "brier_score", "count_error"}
    scores = {entry.name: entry.judged.score for entry in made.entries}
    area = made.entries[0].judged.examined_mm2
    assert area
    assert better["false_per_mm2"].value == pytest.approx((scores["worse"].fp - scores["good"].fp) / area)
    brier = {name: made.value(name, "brier_score") for name in scores}
    assert brier["worse"] is not None
    assert brier["good"] is not None
    assert better["brier_score"].value == pytest.approx(brier["worse"] - brier["good"])


def test_a_rank_by_an_error_puts_the_smallest_first() -> None:
    made = contest(rank_by="false_per_mm2")
    best = min(made.entries, key=lambda entry: entry.judged.score.fp)
    assert made.ranks[best.name] == 1
    with pytest.raises(ConfigError, match="no measure 'accuracy'"):
        check_rank("accuracy")


def test_a_single_case_has_no_interval() -> None:
    made = contest(images=1)
    assert all(one.interval is None for pair in made.pairs for one in pair.differences.values())
    board = scoreboard_of(made)
    assert all(one.overall.measures["f1"].interval_95 is None for one in board.entries)


def test_strata_of_images_and_of_named_regions() -> None:
    made = contest()
    halves = {image: "left" if int(image[-1]) < 4 else "right" for image in made.slides.found["good"]}
    strata = strata_of_images(made.entries, halves, by="half")
    parts = [stratum.judged.score for stratum in strata.cards["good"].strata]
    assert Score.total(parts) == made.entries[1].judged.score

    fields = {
        FieldKind.HOT_SPOT: Region.of_box(BoxPx0(0, 0, 400, 400), "hot spot"),
        FieldKind.RANDOM: Region.of_box(BoxPx0(400, 0, 400, 400), "random"),
    }
    slide = SlideTruth(
        "a",
        TrueCells.of(FIGURES, "mitotic figure"),
        mpp=MPP,
        size=SIZE,
        regions=SlideRegions(fields=fields),
        stated_examined=ExaminedArea(Region.of_box(BoxPx0(0, 0, 800, 400)), "regions of interest"),
    )
    truth = GroundTruth((slide,), source="a test")
    found = {"a": detections([(101, 100), (501, 100), (600, 300)], [0.9, 0.9, 0.9])}
    slides = same_slides({"A": found, "B": found}, truth)
    entries = [Entry(name, judge_entry(slides, name)) for name in ("A", "B")]
    parted = strata_of_fields(entries, slides.found, slides.truth)
    assert parted is not None
    scores = {stratum.name: stratum.judged.score for stratum in parted.cards["A"].strata}
    assert scores == {"hot spot": Score(1, 0, 1), "random": Score(1, 1, 1)}
    one_kind = replace(slide, regions=SlideRegions(fields={FieldKind.RANDOM: fields[FieldKind.RANDOM]}))
    assert strata_of_fields(entries, slides.found, truth.with_slides([one_kind])) is None


def test_the_scoreboard_fits_its_schema_and_reads_back(project: Path) -> None:
    made = contest()
    halves = {image: "left" if int(image[-1]) < 4 else "right" for image in made.slides.found["good"]}
    board = scoreboard_of(replace(made, strata=(strata_of_images(made.entries, halves, by="half"),)))
    text = board.model_dump_json()
    schema = json.loads((project / "docs/schemas/comparison-1.schema.json").read_text(encoding="utf-8"))
    jsonschema.validate(json.loads(text), schema)
    assert Scoreboard.model_validate_json(text) == board
    # What a later writer of this version adds is left alone.
    assert Scoreboard.model_validate_json(json.dumps({**json.loads(text), "venue": "MIDOG"})) == board
    first = board.entries[0]
    assert (first.name, first.rank) == ("good", 1)
    sums = np.sum([(one.tp, one.fp, one.fn) for one in first.per_image.values()], axis=0).tolist()
    assert sums == [first.overall.tp, first.overall.fp, first.overall.fn]
    assert board.images["image 0"].strata == {"half": "left"}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(text), "entries": [{"name": "x"}]}, schema)
