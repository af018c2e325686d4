"""Splits of slides into training, validation and test: always by case, never the same slide on two sides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import LeakError, TrainingDataError

Side = Literal["train", "validation", "test"]
SIDES: tuple[Side, ...] = ("train", "validation", "test")
MIDOGPP_FOLDS = 5
"""MIDOG++ trains five folds of its 392 training cases (FACTS: MIDOGpp code, StratifiedKFold)."""
MIDOGPP_SEED = 42
MIDOGPP_STRATA = 3


@dataclass(frozen=True)
class SlideSplit:
    """Which slide is on which side; slides in order.

    Raises
    ------
    TrainingDataError
        If a side is none of train, validation and test.
    """

    side_of: Mapping[str, Side]

    def __post_init__(self) -> None:
        for slide, side in self.side_of.items():
            if side not in SIDES:
                raise TrainingDataError(
                    f"{side!r} is not a side of a split", where=slide, mend=f"use one of: {', '.join(SIDES)}"
                )

    def slides(self, side: Side) -> tuple[str, ...]:
        """Return the slides of one side, in order."""
        return tuple(slide for slide, its in self.side_of.items() if its == side)


def quantile_strata(counts: Sequence[int] | NDArray[np.int64], strata: int) -> NDArray[np.intp]:
    """Return the stratum of each count, cut at quantiles as ``pandas.qcut`` does: (low, high].

    Raises
    ------
    TrainingDataError
        If two quantiles are equal, so that a stratum would be empty. A single stratum holds all.
    """
    values = np.asarray(counts, np.float64)
    if strata < 1 or not len(values):
        raise TrainingDataError(f"{len(values)} counts cannot be divided into {strata} strata", where="split")
    edges = np.quantile(values, np.linspace(0.0, 1.0, strata + 1))
    if strata > 1 and (np.diff(edges) <= 0).any():
        raise TrainingDataError(
            f"quantiles of the mitotic counts are equal ({', '.join(f'{edge:g}' for edge in edges)})",
            where="split",
            mend="ask for fewer strata",
        )
    return np.maximum(np.searchsorted(edges, values, side="left") - 1, 0)


def stratified_folds(
    strata: Sequence[object] | NDArray[np.intp], *, folds: int, seed: int
) -> NDArray[np.intp]:
    """Return the fold in which each item is held out; each stratum is spread evenly, in shuffled order.

    The same folds as ``sklearn.model_selection.StratifiedKFold(folds, shuffle=True, random_state=seed)``.

    Parameters
    ----------
    strata : sequence, shape (n,)
        Stratum of each item; the order of the items counts.
    folds, seed : int

    Raises
    ------
    TrainingDataError
        If there are fewer than two folds, or a stratum has fewer items than folds.
    """
    if folds < 2:
        raise TrainingDataError(
            f"a split into {folds} folds is not possible", where="split", mend="use 2 folds or more"
        )
    known = list(dict.fromkeys(strata))
    place = np.array([known.index(stratum) for stratum in strata], np.intp)
    sizes = np.bincount(place, minlength=1)
    if sizes.min() < folds:
        raise TrainingDataError(
            f"a stratum has {sizes.min()} members, fewer than the {folds} folds",
            where="split",
            mend="ask for fewer strata",
        )
    # Dealt in turn over the sorted strata, so that folds differ by one at most in size and in each stratum.
    dealt = np.sort(place)
    shares = [np.bincount(dealt[fold::folds], minlength=len(known)) for fold in range(folds)]
    # The generator of scikit-learn: only with it the published folds come out.
    generator = np.random.RandomState(seed)
    fold_of = np.empty(len(place), np.intp)
    for stratum in range(len(known)):
        held = np.repeat(np.arange(folds), [share[stratum] for share in shares])
        generator.shuffle(held)
        fold_of[place == stratum] = held
    return fold_of


def balanced_folds(figures: Mapping[str, int], *, folds: int, seed: int) -> dict[str, int]:
    """Return the fold of each case, so that folds have alike many figures.

    Cases are dealt out by descending figures, so that every fold holds rich and poor ones; which fold gets
    which is drawn.

    Parameters
    ----------
    figures : mapping of str to int
        Mitotic figures of each case.
    folds : int
    seed : int
        The same seed gives the same folds, whatever the order of the cases.

    Raises
    ------
    TrainingDataError
        If there are fewer than two folds or fewer cases than folds.
    """
    if folds < 2 or len(figures) < folds:
        what = f"{len(figures)} cases for {folds} folds"
        raise TrainingDataError(what, where="folds", mend="at least 2 folds, and a case for each")
    ordered = sorted(figures, key=lambda case: (-figures[case], case))
    rng = np.random.default_rng(seed)
    fold_of: dict[str, int] = {}
    for start in range(0, len(ordered), folds):
        dealt = rng.permutation(folds).tolist()
        fold_of |= dict(zip(ordered[start : start + folds], dealt, strict=False))
    return fold_of


def folds_by_case(
    case_of: Mapping[str, str],
    figures: Mapping[str, int],
    *,
    folds: int = MIDOGPP_FOLDS,
    strata: int = MIDOGPP_STRATA,
    seed: int = MIDOGPP_SEED,
) -> dict[str, int]:
    """Return the fold of each slide: cases stratified by their mitotic figures, all slides of one together.

    With the defaults, every slide its own case, in the order of the file: the folds of MIDOG++.

    Parameters
    ----------
    case_of : mapping of str to str
        Slide → case; the order of the slides counts.
    figures : mapping of str to int
        Mitotic figures of each slide.
    folds, strata, seed : int
        Number of folds, quantile strata of the counts, seed.

    Raises
    ------
    TrainingDataError
        If a slide has no count, or the strata do not work out.
    """
    sums: dict[str, int] = {}
    for slide, case in case_of.items():
        if slide not in figures:
            raise TrainingDataError("no count of mitotic figures", where=slide)
        sums[case] = sums.get(case, 0) + figures[slide]
    held = stratified_folds(quantile_strata(list(sums.values()), strata), folds=folds, seed=seed)
    fold_of = dict(zip(sums, held.tolist(), strict=True))
    return {slide: fold_of[case] for slide, case in case_of.items()}


def check_leaks(
    split: SlideSplit,
    *,
    hash_of: Mapping[str, str | None],
    case_of: Mapping[str, str],
) -> None:
    """Refuse a split with the same pixels, or the same case, on two sides.

    Parameters
    ----------
    split : SlideSplit
    hash_of : mapping of str to str or None
        Slide → hash of its file (or fingerprint): two names may hide one slide, as in the first split of CMC.
        A slide whose hash is not known is compared by its case alone.
    case_of : mapping of str to str
        Slide → case. Of both, letter case and blanks do not count: "Dog 3" and "dog 3 " are one dog.

    Raises
    ------
    LeakError
        Naming two slides.
    TrainingDataError
        If a slide has no case: what cannot be checked is not taken for clean.
    """
    for what, key_of in (("pixels", hash_of), ("case", case_of)):
        seen: dict[str, str] = {}
        for slide, side in split.side_of.items():
            stated = key_of.get(slide)
            key = None if stated is None else " ".join(stated.casefold().split())
            if key is None:
                if what == "case":
                    raise TrainingDataError("no case known, so leaks cannot be ruled out", where=slide)
                continue
            other = seen.setdefault(key, slide)
            if split.side_of[other] != side:
                raise LeakError(
                    f"the same {what} as {other!r}, which is for {split.side_of[other]}, this for {side}",
                    where=slide,
                    mend="put both on one side",
                )
