from __future__ import annotations

import numpy as np
import pytest

from mitoscope.detections import Detections, Searched
from mitoscope.errors import FormatError, ScaleError
from mitoscope.evaluate import Missing, same_slides
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.region import Region
from mitoscope.truth import GroundTruth
from tests.evaluate.made import truth_of

SIZE, MPP = SizePx(1000, 800), Mpp.square(0.25)
TRUTH = truth_of({"a.svs": [(10, 10)], "b.svs": [(20, 20)], "c.svs": []})


def found(*points: tuple[float, float], **searched: object) -> Detections:
    known = {"mpp": MPP, "size": SIZE, "threshold": 0.5, **searched}
    return Detections.of(points, np.full(len(points), 0.9), searched=Searched(**known))  # type: ignore[arg-type]


def names(truth: GroundTruth) -> list[str]:
    return [slide.name for slide in truth]


def test_an_image_that_one_did_not_search_is_judged_for_none_and_named() -> None:
    sides = {"A": {"a": found(), "b": found(), "x": found()}, "B": {"a": found(), "c": found()}}
    kept = same_slides(sides, TRUTH)
    assert names(kept.truth) == ["a.svs"]
    assert kept.not_searched == {"b": ("B",), "c": ("A",)}
    assert kept.without_truth == {"x": ("A",)}
    assert {name: list(images) for name, images in kept.found.items()} == {"A": ["a"], "B": ["a"]}


def test_a_challenge_judges_every_image_and_a_strict_user_refuses() -> None:
    sides = {"A": {"a": found(), "b": found()}, "B": {"a": found()}}
    judged = same_slides(sides, TRUTH, missing=Missing.MISS)
    assert names(judged.truth) == ["a.svs", "b.svs", "c.svs"]
    assert list(judged.found["B"]) == ["a"]
    with pytest.raises(FormatError, match=r"b: not searched by B, and 1 more images"):
        same_slides(sides, TRUTH, missing=Missing.REFUSE)


def test_without_a_common_image_there_is_nothing_to_judge() -> None:
    with pytest.raises(FormatError, match=r"no image was searched by all.*a lacks B"):
        same_slides({"A": {"a": found()}, "B": {"b": found(), "y": found()}}, TRUTH)


@pytest.mark.parametrize(
    ("other", "match"),
    [
        (found(size=SizePx(1000, 801)), "A states 1000 × 800 px, B 1000 × 801: two different slides"),
        (found((5, 5), (1200, 5), size=None), "1 of 2 detections of B lie outside of its 1000 × 800 px"),
    ],
)
def test_results_of_another_slide_are_refused(other: Detections, match: str) -> None:
    with pytest.raises(FormatError, match=match):
        same_slides({"A": {"a": found()}, "B": {"a": other}}, TRUTH)


def test_another_file_and_another_resolution_are_refused() -> None:
    sides = {"A": {"a": found()}, "B": {"a": found()}}
    hashes = {"A": {"a": "sha256:11"}, "B": {"a": "sha256:22"}}
    with pytest.raises(FormatError, match="a: B searched another file than A"):
        same_slides(sides, TRUTH, hashes=hashes)
    same_slides(sides, TRUTH, hashes={"A": {"a": "sha256:11"}, "B": {"a": "sampled-sha256:22"}})
    with pytest.raises(ScaleError, match=r"A states 0\.25 µm/px, B 0\.5"):
        same_slides({"A": {"a": found()}, "B": {"a": found(mpp=Mpp.square(0.5))}}, TRUTH)


def test_what_one_does_not_state_of_a_slide_the_others_do() -> None:
    silent = Detections.of([(5, 5)], [0.9])
    kept = same_slides({"A": {"a": found()}, "B": {"a": silent}}, TRUTH)
    searched = kept.found["B"]["a"].searched
    assert (searched.size, searched.mpp, searched.threshold) == (SIZE, MPP, None)


def test_the_part_that_all_searched_is_judged() -> None:
    left = Region.of_box(BoxPx0(0, 0, 500, 800))
    middle = Region.of_box(BoxPx0(300, 0, 400, 800))
    sides = {"A": {"a": found(region=left)}, "B": {"a": found(region=middle)}, "C": {"a": found()}}
    kept = same_slides(sides, TRUTH)
    assert kept.parts == ("a",)
    for images in kept.found.values():
        part = images["a"].searched.region
        assert part is not None
        assert part.bounds_px0 == BoxPx0(300, 0, 200, 800)
    right = Region.of_box(BoxPx0(600, 0, 400, 800))
    with pytest.raises(FormatError, match="a: no part of it was searched by all"):
        same_slides({"A": {"a": found(region=left)}, "B": {"a": found(region=right)}}, TRUTH)
