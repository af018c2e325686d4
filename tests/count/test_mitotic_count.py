from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mitoscope.count import MitoticCount, mitotic_count
from mitoscope.detections import NOT_STATED, Detections, Searched
from mitoscope.errors import IncompleteRunError, RegionError, ScaleError
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx
from mitoscope.labels import ATYPICAL_FIGURE, CANDIDATE, LOOK_ALIKE
from mitoscope.region import Region, SlideRegions
from mitoscope.tissue import TissueMask

MPP = Mpp.square(0.25)
SLIDE = SizePx(40_000, 30_000)
CLUSTER = np.random.default_rng(2).random((30, 2)) * 4000 + [20_000, 10_000]
SPREAD = np.random.default_rng(3).random((40, 2)) * [40_000, 30_000]
POINTS = np.concatenate([CLUSTER, SPREAD])
SEARCHED = Searched(MPP, SLIDE, threshold=0.5)
FIGURES = Detections.of(POINTS, np.full(len(POINTS), 0.9), searched=SEARCHED)


def count(detections: Detections = FIGURES, **options: Any) -> MitoticCount:
    return mitotic_count(detections.with_searched(SEARCHED), **options)


def tissue(*boxes: tuple[int, int, int, int]) -> TissueMask:
    """Tissue in boxes of 1000-px cells."""
    mask = np.zeros((30, 40), np.bool_)
    for x, y, width, height in boxes:
        mask[y : y + height, x : x + width] = True
    return TissueMask(mask, (1000.0, 1000.0), MPP, SLIDE)


def box(x: float, y: float, width: float, height: float) -> SlideRegions:
    return SlideRegions(tumour=Region.of_box(BoxPx0(x, y, width, height), "tumour"))


def test_the_hot_spot_holds_the_cluster() -> None:
    found = count()
    assert found.holds(CLUSTER).all()
    assert found.count == found.holds(POINTS).sum()
    assert (found.box_px0.width, found.box_px0.height) == (7110, 5333)
    assert found.area_mm2 == pytest.approx(2.37, rel=1e-3)
    assert found.covered_mm2 == found.area_mm2
    assert found.fits
    assert (found.figures, found.note) == (70, "")
    assert found.per_mm2 == pytest.approx(found.count / 2.37, rel=1e-3)


def test_only_mitotic_figures_strictly_above_the_threshold_count() -> None:
    scores = np.where(np.arange(70) < 10, 0.5, 0.9)
    mixed = Detections.concat(
        [Detections.of(POINTS, scores), Detections.of(CLUSTER, np.ones(30), label=LOOK_ALIKE.name)]
    )
    assert count(mixed).figures == 60
    assert count(mixed).count == count(FIGURES.take(np.arange(10, 70))).count
    assert count(mixed, threshold=0.4).figures == 70


def test_only_figures_on_tissue_and_in_the_tumour_count() -> None:
    elsewhere = tissue((0, 0, 15, 30))
    assert count(tissue=elsewhere).figures == (POINTS[:, 0] < 15_000).sum()
    tumour = box(20_000, 10_000, 2_000, 20_000)
    inside = (POINTS[:, 0] >= 20_000) & (POINTS[:, 0] < 22_000) & (POINTS[:, 1] >= 10_000)
    assert count(regions=tumour).figures == inside.sum()
    assert count(regions=tumour, tissue=elsewhere).figures == 0


def test_a_window_that_the_tissue_does_not_fill_is_said_so() -> None:
    narrow = count(tissue=tissue((20, 8, 4, 10)))
    assert not narrow.fits
    assert narrow.covered_mm2 == pytest.approx(4000 * 5333 * 0.0625e-6, rel=1e-6)
    assert narrow.note == (
        "The window does not fit in the tissue: 1.33 of 2.37 mm² are tissue, so the number is not comparable "
        "with counts over the full area."
    )
    full = count(tissue=tissue((0, 0, 40, 30)))
    assert full.fits
    assert full.note == ""


def test_a_window_that_the_tumour_does_not_fill_is_said_so() -> None:
    found = count(regions=box(20_000, 9_000, 4_000, 8_000))
    assert found.covered_mm2 == pytest.approx(1.33, rel=0.01)
    assert found.note.startswith("The window does not fit in the tumour: 1.33 of 2.37 mm² are tumour")


@pytest.mark.parametrize("mask", [None, tissue((0, 0, 40, 30))])
def test_the_area_is_that_of_the_outline_however_narrow(mask: TissueMask | None) -> None:
    for strip in (box(0, 0, 16, 1280), box(5, 5, 995, 15), box(20, 20, 50, 50)):
        assert strip.tumour is not None
        found = count(Detections.of([[25.0, 19.5], [10.0, 9.0]], [0.9, 0.9]), regions=strip, tissue=mask)
        assert found.count == int(strip.tumour.contains([[25.0, 19.5], [10.0, 9.0]]).sum())
        assert found.covered_mm2 == pytest.approx(strip.tumour.area_mm2(MPP), rel=1e-9)
    half = count(regions=box(20_000, 9_000, 4_000, 8_000), tissue=tissue((0, 0, 22, 30)))
    assert half.covered_mm2 == pytest.approx(2000 * 5333 * 0.0625e-6, rel=1e-9)


def test_a_slide_smaller_than_the_window_is_said_so() -> None:
    points = np.array([[100.0, 100.0], [900.0, 900.0]])
    searched = Searched(MPP, SizePx(1024, 1024), threshold=0.5)
    found = mitotic_count(Detections.of(points, [1, 1], searched=searched))
    assert found.count == 2
    assert found.box_px0 == BoxPx0(0, 0, 1024, 1024)
    assert not found.fits
    assert found.note.startswith("The slide is smaller than the window: 0.0655 of 2.37 mm² were counted over")


def test_no_figure_is_a_count_of_zero_with_a_place() -> None:
    found = count(Detections.empty(), tissue=tissue((25, 15, 15, 15)))
    assert found.count == 0
    assert found.fits
    assert found.box_px0.x >= 25_000
    assert "no mitotic figure" in found.note


def test_a_slide_without_tissue_has_no_density() -> None:
    found = count(tissue=tissue())
    assert (found.count, found.figures, found.covered_mm2, found.per_mm2, found.fits) == (
        0,
        0,
        0.0,
        None,
        False,
    )


def test_figures_outside_the_slide_are_told() -> None:
    outside = Detections.concat([FIGURES, Detections.of([[-1.0, 5.0], [40_000.0, 5.0]], [1, 1])])
    found = count(outside)
    assert found.figures == 70
    assert "2 mitotic figures lie outside of the slide" in found.note


def test_a_count_is_refused_where_the_hot_spot_touches_a_gap() -> None:
    far = BoxPx0(0, 25_000, 256, 256)
    near = BoxPx0(21_000, 11_000, 256, 256)
    assert count(gaps=[far]).count == count().count
    with pytest.raises(IncompleteRunError, match=r"0\.0041 mm² of the hot spot .*--tumour") as caught:
        count(gaps=[far, near])
    assert caught.value.exit_status == 1


def test_a_gap_beside_the_window_is_no_gap_in_it() -> None:
    window = count().box_px0
    assert count(gaps=[BoxPx0(window.right, window.y, 100, 100)]).count == count().count
    with pytest.raises(IncompleteRunError):
        count(gaps=[BoxPx0(window.right - 0.5, window.y, 100, 100)])


@pytest.mark.parametrize(
    ("area", "aspect"), [(0.237, Aspect(4, 3)), (1.0, Aspect(1, 1)), (5.0, Aspect(3, 4))]
)
def test_any_area_and_aspect(area: float, aspect: Aspect) -> None:
    found = count(area_mm2=area, aspect=aspect)
    assert found.area_mm2 == pytest.approx(area, rel=1e-3)
    assert found.box_px0.width / found.box_px0.height == pytest.approx(aspect.width / aspect.height, rel=1e-3)
    assert found.requested_mm2 == area


def test_pixels_that_are_not_square_keep_the_area() -> None:
    found = mitotic_count(FIGURES, mpp=Mpp(0.25, 0.26), slide_size=SLIDE)
    assert found.area_mm2 == pytest.approx(2.37, rel=1e-3)


def test_an_area_that_is_not_positive_is_refused() -> None:
    with pytest.raises(RegionError, match="not positive"):
        count(area_mm2=-2.37)


def test_what_detections_carry_is_used() -> None:
    searched = Searched(MPP, SLIDE, threshold=0.95, region=Region.of_box(BoxPx0(0, 0, 22_000, 30_000)))
    scores = np.where(np.arange(70) % 2, 0.96, 0.95)
    found = mitotic_count(Detections.of(POINTS, scores, searched=searched))
    assert found.threshold == 0.95
    assert found.figures == ((np.arange(70) % 2 == 1) & (POINTS[:, 0] < 22_000)).sum()
    assert mitotic_count(Detections.of(POINTS, scores, searched=searched), threshold=0.5).threshold == 0.5


def test_what_nobody_states_is_said() -> None:
    found = mitotic_count(Detections.of(POINTS, np.full(70, 0.1)), mpp=MPP)
    assert found.count == count().count
    assert "No threshold is known" in found.note
    assert "size of the slide is not known" in found.note
    with pytest.raises(ScaleError, match="--mpp"):
        mitotic_count(FIGURES.with_searched(NOT_STATED))


def test_candidates_of_a_file_count_only_above_a_threshold_that_is_given() -> None:
    mixed = Detections.concat(
        [
            Detections.of(CLUSTER, np.full(30, 0.4), label=CANDIDATE.name),
            Detections.of(SPREAD, np.full(40, 0.3)),
            Detections.of(SPREAD + 1, np.full(40, 0.3), label=ATYPICAL_FIGURE.name),
        ]
    )
    assert mitotic_count(mixed, mpp=MPP, slide_size=SLIDE).figures == 80
    assert "Not counted: 30 candidates." in mitotic_count(mixed, mpp=MPP, slide_size=SLIDE).note
    assert mitotic_count(mixed, mpp=MPP, slide_size=SLIDE, threshold=0.35).figures == 30


def test_exclusions_are_taken_out_with_and_without_a_tumour() -> None:
    necrosis = Region.of_box(BoxPx0(20_000, 10_000, 4_000, 4_000), "exclusion")
    outside = ~necrosis.contains(POINTS)
    assert count(regions=SlideRegions(exclusion=necrosis)).figures == outside.sum()
    tumour = Region.of_box(BoxPx0(10_000, 0, 20_000, 30_000), "tumour").difference(necrosis)
    inside = (POINTS[:, 0] >= 10_000) & (POINTS[:, 0] < 30_000)
    assert count(regions=SlideRegions(tumour, necrosis)).figures == (outside & inside).sum()


def test_verdicts_come_before_scores_classes_and_tissue_but_not_before_regions() -> None:
    verdicts = np.zeros(70, int)
    verdicts[:5], verdicts[5:8], verdicts[20:22] = -1, 1, -1
    low = Detections.of(POINTS, np.where(np.arange(70) < 10, 0.1, 0.9), searched=SEARCHED)
    found = mitotic_count(low, verdicts=verdicts)
    counted = [False] * 5 + [True] * 3 + [False] * 2 + [True] * 10 + [False] * 2 + [True] * 48
    assert found.counted.tolist() == counted
    assert found.eligible.tolist() == [False] * 5 + [True] * 15 + [False] * 2 + [True] * 48
    glass = mitotic_count(low, verdicts=verdicts, tissue=tissue())
    assert glass.figures == 3
    far = SlideRegions(tumour=Region.of_box(BoxPx0(0, 0, 100, 100), "tumour"))
    assert mitotic_count(low, verdicts=verdicts, regions=far).figures == 0


def test_a_window_that_is_chosen_is_cut_off_at_the_slide() -> None:
    chosen = BoxPx0(SLIDE.width - 1000, -500, 7110, 5333)
    found = count(window=chosen)
    assert found.box_px0 == BoxPx0(SLIDE.width - 1000, 0, 1000, 4833)
    assert found.area_mm2 == pytest.approx(1000 * 4833 * 0.0625e-6)
    assert found.count == found.holds(POINTS).sum()
    assert not found.fits
    with pytest.raises(RegionError, match="is outside the slide"):
        count(window=BoxPx0(SLIDE.width, 0, 7110, 5333))
    with pytest.raises(IncompleteRunError):
        count(window=chosen, gaps=[BoxPx0(SLIDE.width - 10, 10, 5, 5)])


def test_a_gap_elsewhere_is_mentioned_where_more_figures_may_lie_in_it() -> None:
    large = BoxPx0(0, 25_000, 4000, 4000)
    assert "1.00 mm² outside of the window could not be examined" in count(gaps=[large]).note
    # 32 µm × 32 µm hold no more than 7 figures, and few are known around it.
    small = BoxPx0(0, 29_000, 128, 128)
    assert count().count > 7 + 10
    assert count(gaps=[small]).note == ""
    beside = BoxPx0(count().box_px0.right + 5, count().box_px0.y, 256, 256)
    assert "true hot spot may lie there" in count(gaps=[beside]).note


def test_a_gap_where_nothing_is_counted_is_no_gap() -> None:
    gap = BoxPx0(21_000, 11_000, 256, 256)
    necrosis = SlideRegions(exclusion=Region.of_box(BoxPx0(20_900, 10_900, 500, 500), "exclusion"))
    with pytest.raises(IncompleteRunError):
        count(gaps=[gap])
    assert "examined" not in count(gaps=[gap], regions=necrosis).note


def test_only_what_was_searched_of_a_tumour_counts() -> None:
    part = replace(SEARCHED, region=Region.of_box(BoxPx0(0, 0, 22_000, 30_000), "searched"))
    tumour = SlideRegions(tumour=Region.of_box(BoxPx0(20_000, 0, 20_000, 30_000), "tumour"))
    found = mitotic_count(FIGURES.with_searched(part), regions=tumour)
    assert found.figures == ((POINTS[:, 0] >= 20_000) & (POINTS[:, 0] < 22_000)).sum()


def test_a_figure_counts_where_nobody_could_tell_whether_there_is_tissue() -> None:
    unread = replace(tissue(), unread_px0=(BoxPx0(20_000, 10_000, 4_000, 4_000),))
    inside = ((POINTS >= [20_000, 10_000]) & (POINTS < [24_000, 14_000])).all(axis=1)
    assert count(tissue=unread).figures == inside.sum() > 0
