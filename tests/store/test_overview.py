"""Agreed classes, versions, areas and the table of what is in a store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import LeakError, StoreDamagedError, StoreError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    Policy,
    Query,
    Rater,
    RaterKind,
    Region,
    RegionKind,
    SlideRecord,
    Source,
    Store,
    StudyBuilder,
)
from mitoscope.store.overview import tumour_area_mm2

SQUARE = np.array([[0.0, 0], [1000, 0], [1000, 1000], [0, 1000]])
MPP = Mpp.square(1.0)  # 1 mm² is 10^6 px


def region(vertices: np.ndarray, kind: RegionKind = RegionKind.TUMOUR, slide: int = 0) -> Region:
    return Region(slide, vertices, kind)


def area(regions: list[Region], mpp: Mpp = MPP, size: SizePx | None = None) -> float | None:
    return tumour_area_mm2(regions, SlideRecord("a", size, mpp))


def test_areas_of_squares() -> None:
    assert area([region(SQUARE)]) == pytest.approx(1.0, abs=1e-9)
    assert area([region(SQUARE), region(SQUARE + 500)]) == pytest.approx(1.75, abs=1e-9)
    hole = region(SQUARE / 2, RegionKind.EXCLUSION)
    assert area([region(SQUARE), hole]) == pytest.approx(0.75, abs=1e-9)
    assert area([hole]) is None
    assert area([region(SQUARE)], Mpp(0.5, 0.49)) == pytest.approx(0.245, abs=1e-6)


def test_nothing_counts_beyond_the_slide() -> None:
    size = SizePx(4000, 4000)
    assert area([region(SQUARE - 500)], size=size) == pytest.approx(0.25, abs=1e-9)
    assert area([region(SQUARE + 9000)], size=size) == 0


def test_the_area_of_a_polygon_that_crosses_itself_is_not_known() -> None:
    bow_tie = np.array([[0.0, 0], [1000, 1000], [1000, 0], [0, 1000]])
    assert area([region(bow_tie)]) is None


def test_the_area_of_a_drawn_outline_is_that_of_the_shoelace_formula() -> None:
    rng = np.random.default_rng(4)
    angle = np.sort(rng.uniform(0, 2 * np.pi, 200))
    radius = rng.uniform(3000, 9000, 200)
    x, y = 10_000 + radius * np.cos(angle), 10_000 + radius * np.sin(angle)
    exact = abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2 * 1e-6
    assert area([region(np.column_stack([x, y]))]) == pytest.approx(exact, rel=1e-9)


@pytest.fixture
def judged(quick_path: Path) -> Store:
    """Return a store of one cell for each way in which raters can agree or not."""
    builder = StudyBuilder(DEFAULT_LABELS)
    slides = [
        builder.slide(SlideRecord(f"{n}.svs", SizePx(2000, 2000), MPP if n else None, case=f"c{n}"))
        for n in range(3)
    ]
    experts = [builder.rater(Rater(f"expert {n}")) for n in (1, 2, 3)]
    crowd = [builder.rater(Rater(f"crowd {n}", RaterKind.CROWD)) for n in range(4)]
    model = builder.rater(Rater("model", RaterKind.MODEL))
    both = builder.rater(Rater("joint", RaterKind.CONSENSUS))
    # experts, crowd, joint
    rows: list[tuple[tuple[int, ...], tuple[int, ...], int | None]] = [
        ((0, 0), (), None),
        ((0, 1), (), None),
        ((0, 1), (), 1),
        ((0, 1, 0), (), None),
        ((0, 0, 1), (), None),
        ((), (0, 0, 0, 1), None),
        ((), (0, 1, 0, 1), None),
        ((1,), (), None),
        ((0, -1), (), None),
    ]
    for number, (of_experts, of_crowd, joint) in enumerate(rows):
        cell = builder.cell(slides[1], (number, number))
        builder.event(cell, model, 1)
        for rater, label in [*zip(experts, of_experts, strict=False), *zip(crowd, of_crowd, strict=False)]:
            builder.event(cell, rater, label)
        if joint is not None:
            builder.event(cell, both, joint)
    builder.regions += [region(SQUARE, slide=slides[1]), region(SQUARE, slide=slides[0])]
    store = Store.create(quick_path / "judged.mito")
    store.import_study(builder.build(), source=Source("made"))
    return store


@pytest.mark.parametrize(
    ("policy", "labels"),
    [
        (Policy.UNANIMOUS, [1, 0, 0, 0, 0, 0, 0, 2, 1]),
        (Policy.CONSENSUS, [1, 0, 2, 0, 1, 0, 0, 0, 0]),
        (Policy.MAJORITY, [1, 0, 0, 1, 1, 0, 0, 0, 0]),
        (Policy.RECORDED, [0, 0, 2, 0, 0, 0, 0, 0, 0]),
        (Policy.CROWD, [0, 0, 0, 0, 0, 1, 1, 0, 0]),
    ],
)
def test_the_agreed_class_by_each_policy(judged: Store, policy: Policy, labels: list[int]) -> None:
    assert judged.agreed(policy).label_id.tolist() == labels
    judged.close()


def test_the_crowd_needs_its_threshold(judged: Store) -> None:
    with judged as store:
        assert store.agreed(Policy.CROWD, threshold=0.6).label_id.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 0]
        assert not store.agreed(Policy.CROWD, threshold=0.8).label_id.any()


def test_variants_are_versions_of_one_study(judged: Store) -> None:
    with judged as store:
        names = [slide.name for slide in store.slides().values()]
        store.freeze("MEL", Query(policy=Policy.MAJORITY), split={names[0]: "train", names[1]: "test"})
        assert store.freeze("ODAEL", Query(policy=Policy.MAJORITY)).manifest.number == 1
        assert store.freeze("ODAEL", Query(policy=Policy.CONSENSUS)).manifest.number == 2
        found = store.overview(Policy.MAJORITY)
        assert found.variants == (("MEL", 1), ("ODAEL", 1), ("ODAEL", 2))
        assert found.total(("MEL", 1)) == {"mitotic figure": 3}
        assert found.total(("ODAEL", 2)) == {"mitotic figure": 2, "look-alike": 1}
        assert found.slides[0].splits == {("MEL", 1): "train"}
        assert found.agreed == {"mitotic figure": 3, "look-alike": 0}
        assert found.disagreed == 6
        for change in ("UPDATE version_cell SET label_id = 2", "DELETE FROM version_split"):
            with pytest.raises(StoreError, match="a version is frozen"), store.writing() as connection:
                connection.execute(change)
        store.verify()


def test_a_case_is_on_one_side_only(judged: Store) -> None:
    with judged as store:
        store.add_slide(SlideRecord("1b.svs", case="c1"))
        names = [slide.name for slide in store.slides().values()]
        with pytest.raises(LeakError, match=r"1b\.svs: the same case as"):
            store.freeze("MEL", split={names[1]: "train", "1b.svs": "test"})
        with pytest.raises(StoreError, match="CHECK constraint"):
            store.freeze("MEL", split={names[1]: "tset"})
        assert store.overview().variants == ()


def test_the_table_has_areas_where_they_are_known(judged: Store) -> None:
    with judged as store:
        found = store.overview()
        assert found.policy is Policy.SETTLED
        assert [row.area_mm2 for row in found.slides] == [None, pytest.approx(1.0), None]
        assert [row.cells for row in found.slides] == [0, 9, 0]
        assert {one.rater.name: one.cells for one in found.raters}["expert 1"] == 7
        assert (found.cells, found.deleted) == (9, 0)


@pytest.mark.parametrize(
    ("damage", "invariant"),
    [
        ("UPDATE cell SET x_min_px0 = 7, x_max_px0 = 7 WHERE id = 1", "the geometry of a cell"),
        ("UPDATE cell SET is_deleted = 1 WHERE id = 1", "a cell is deleted where"),
        ("UPDATE label_now SET label_id = NULL WHERE cell_id = 1", "a rater's label is"),
        ("DELETE FROM label_now WHERE cell_id = 1", "a rater's label is"),
        ("UPDATE label_now SET first_seq = 3 WHERE cell_id = 1 AND rater_id = 1", "a rater's order"),
        ("DELETE FROM cell_index WHERE cell_id = 1", "the index holds the live cells"),
        ("UPDATE scope_tally SET cells = 99 WHERE bucket >= 0", "the cells of a bucket"),
        ("UPDATE rater_tally SET cells = 99 WHERE bucket >= 0", "the labels of a bucket"),
        ("UPDATE scope_tally SET cells = 99 WHERE bucket < 0", "the cells of a slide"),
        ("UPDATE rater_tally SET cells = 99 WHERE bucket < 0", "the labels of a slide"),
        (
            "UPDATE cell_index SET x_min = 9000, x_max = 9001 WHERE cell_id = 1",
            "the index holds their places",
        ),
    ],
)
def test_verify_finds_each_kind_of_damage(judged: Store, damage: str, invariant: str) -> None:
    with judged as store:
        store.verify()
        with store.writing() as connection:
            connection.execute(damage)
        with pytest.raises(StoreDamagedError, match=f"does not hold: {invariant}"):
            store.verify()
