from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.errors import LeakError, TrainingDataError
from mitoscope.exchange.domains import published_split
from mitoscope.exchange.registry import read_study
from mitoscope.store.records import SlideRecord
from mitoscope.truth.splits import (
    SlideSplit,
    balanced_folds,
    check_leaks,
    folds_by_case,
    quantile_strata,
    stratified_folds,
)

CASES = {f"slide {n}": f"case {n // 2}" for n in range(20)}


@pytest.mark.parametrize("seed", [0, 7, 42])
@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_equal_scikit_learn(seed: int, folds: int) -> None:
    selection = pytest.importorskip("sklearn.model_selection")
    strata = np.random.default_rng(seed).choice([0, 1, 2], 97, p=[0.5, 0.3, 0.2])
    found = stratified_folds(strata, folds=folds, seed=seed)
    theirs = selection.StratifiedKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, held) in enumerate(theirs.split(np.zeros(97), strata)):
        assert np.flatnonzero(found == fold).tolist() == held.tolist()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 3), min_size=30, max_size=60), st.integers(0, 9))
def test_folds_are_even_in_each_stratum(strata: list[int], seed: int) -> None:
    if min(strata.count(one) for one in set(strata)) < 3:
        with pytest.raises(TrainingDataError, match="a stratum has"):
            stratified_folds(strata, folds=3, seed=seed)
        return
    found = stratified_folds(strata, folds=3, seed=seed)
    for one in set(strata):
        sizes = np.bincount(found[np.array(strata) == one], minlength=3)
        assert sizes.max() - sizes.min() <= 1


def test_strata_are_those_of_quantiles() -> None:
    counts = [0, 1, 2, 3, 4, 5, 50, 60, 70]
    assert quantile_strata(counts, 3).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    many = np.random.default_rng(0).poisson(20, 300)
    low, high = np.quantile(many, [1 / 3, 2 / 3]).tolist()
    assert quantile_strata(many, 3).tolist() == [0 if n <= low else 1 if n <= high else 2 for n in many]


def test_a_single_stratum_holds_all() -> None:
    assert quantile_strata([1, 1, 1], 1).tolist() == [0, 0, 0]


def test_strata_that_would_be_empty_are_refused() -> None:
    with pytest.raises(TrainingDataError, match=r"equal \(0, 0, 0, 9\); ask for fewer strata"):
        quantile_strata([0, 0, 0, 0, 0, 0, 9], 3)
    with pytest.raises(TrainingDataError, match="1 folds"):
        stratified_folds([0, 0], folds=1, seed=0)


def test_slides_of_a_case_share_a_fold() -> None:
    figures = {slide: n for n, slide in enumerate(CASES)}
    folds = folds_by_case(CASES, figures, folds=2, strata=2)
    assert len(set(folds.values())) == 2
    for slide, case in CASES.items():
        assert all(folds[other] == folds[slide] for other, same in CASES.items() if same == case)
    with pytest.raises(TrainingDataError, match="slide 19: no count"):
        folds_by_case(CASES, dict.fromkeys(list(CASES)[:-1], 1))


def test_the_same_slide_on_two_sides_is_refused() -> None:
    split = SlideSplit({"a": "train", "b": "test", "c": "train"})
    hashes: dict[str, str | None] = {"a": "1", "b": "2", "c": "3"}
    cases = {"a": "x", "b": "y", "c": "x"}
    check_leaks(split, hash_of=hashes, case_of=cases)
    with pytest.raises(TrainingDataError, match="b: the same pixels as 'a', which is for train"):
        check_leaks(split, hash_of={**hashes, "b": "1"}, case_of=cases)
    with pytest.raises(TrainingDataError, match="b: the same case as 'a'"):
        check_leaks(split, hash_of=hashes, case_of={**cases, "b": "x"})
    check_leaks(split, hash_of={**hashes, "c": None}, case_of=cases)  # its case is still compared
    with pytest.raises(TrainingDataError, match="c: no case known"):
        check_leaks(split, hash_of=hashes, case_of={"a": "x", "b": "y"})


@pytest.mark.parametrize(
    ("hashes", "cases", "what"),
    [(("a" * 64, "A" * 64), ("one", "two"), "pixels"), ((None, None), ("Dog 3", "dog  3 "), "case")],
)
def test_spelling_hides_no_leak(
    hashes: tuple[str | None, str | None], cases: tuple[str, str], what: str
) -> None:
    names = ("a", "b")
    with pytest.raises(LeakError, match=f"b: the same {what} as 'a'"):
        check_leaks(
            SlideSplit({"a": "train", "b": "test"}),
            hash_of=dict(zip(names, hashes, strict=True)),
            case_of=dict(zip(names, cases, strict=True)),
        )


def test_control_a_check_by_name_sees_no_leak() -> None:
    split = SlideSplit({"a": "train", "copy of a": "test"})
    assert not set(split.slides("train")) & set(split.slides("test"))  # clean by name
    with pytest.raises(TrainingDataError):
        check_leaks(split, hash_of=dict.fromkeys(split.side_of, "1"), case_of={"a": "x", "copy of a": "y"})


def test_sides_have_names() -> None:
    with pytest.raises(TrainingDataError, match="'tets' is not a side"):
        SlideSplit({"a": "tets"})  # type: ignore[dict-item]
    with pytest.raises(TrainingDataError, match="a: no published split"):
        published_split([SlideRecord("a")])


@pytest.mark.realdata
def test_the_published_split_and_folds_of_midogpp(data: Path) -> None:
    split = published_split(read_study(data / "annotations" / "datasets_xvalidation.csv").slides)
    assert (len(split.slides("train")), len(split.slides("test"))) == (392, 111)
    study = json.loads((data / "annotations" / "MIDOG++.json").read_text(encoding="utf-8"))
    names = {image["id"]: image["file_name"] for image in study["images"]}
    figures = dict.fromkeys(names.values(), 0)
    for cell in study["annotations"]:
        figures[names[cell["image_id"]]] += cell["category_id"] == 1
    train = split.slides("train")
    assert sum(figures[slide] for slide in train) == 11_937 - 2_467
    folds = folds_by_case({slide: slide for slide in train}, figures)
    sums = [sum(figures[slide] for slide in train if folds[slide] == fold) for fold in range(5)]
    assert sum(sums) == 9_470
    assert max(sums) < 1.5 * min(sums)
    check_leaks(split, hash_of={s: s for s in split.side_of}, case_of={s: s for s in split.side_of})
    selection = pytest.importorskip("sklearn.model_selection")
    counts = np.array([figures[slide] for slide in train])
    low, high = np.quantile(counts, [1 / 3, 2 / 3])
    strata = (counts > low).astype(int) + (counts > high)
    theirs = selection.StratifiedKFold(5, shuffle=True, random_state=42)
    for fold, (_, held) in enumerate(theirs.split(counts, strata)):
        assert [slide for slide in train if folds[slide] == fold] == [train[n] for n in held]


def test_folds_are_balanced_by_figures_and_not_by_names() -> None:
    figures = {"a": 1, "b": 90, "c": 80, "d": 2, "e": 0, "f": 70}
    for seed in range(20):
        fold_of = balanced_folds(figures, folds=3, seed=seed)
        assert {fold_of[case] for case in "bcf"} == {0, 1, 2}, "each fold has one of the rich cases"
        assert {fold_of[case] for case in "ade"} == {0, 1, 2}
        assert fold_of == balanced_folds(dict(reversed(figures.items())), folds=3, seed=seed)
