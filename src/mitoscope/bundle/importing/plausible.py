"""What a network says of a picture, held against what was stated of it before a bundle is written.

Whether scores are log-odds and boxes are fractions can be seen in what the network gives. Whether colours or
scale are those that it was trained with cannot; but a field in which figures are known tells: if the network
finds them when the colours stand the other way round, and as stated it does not, the statement is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle.importing.assemble import Plan, assemble
from mitoscope.bundle.importing.picture import REACH_UM, Field
from mitoscope.bundle.network import ORT_ERRORS, open_network
from mitoscope.errors import BundleDamagedError, BundleError

Floats = NDArray[np.floating]

_SLACK: Final = 1e-3
_FOUND: Final = 0.5
"""Average precision from which on a network is taken to find the figures of a picture."""
_BEST_ROWS: Final = 100
_FRACTION_MAX: Final = 2.0
"""Boxes in fractions of the picture hardly reach further."""
_ROWS_ENOUGH: Final = 5
_MOST: Final = 0.98


@dataclass(frozen=True, eq=False)
class Seen:
    """What a network gave for one picture, as the graph of the bundle reads it and as it was."""

    answer: Floats
    raw_scores: Floats
    raw_boxes: Floats | None


@dataclass(frozen=True)
class Plausibility:
    """How well a network finds the figures that are known in the picture of the self-test.

    Parameters
    ----------
    figures : int
        How many are known.
    found : float
        Average precision as stated; of a classifier that of crops.
    """

    figures: int
    found: float

    @property
    def is_shown(self) -> bool:
        """Whether the picture shows that the network does what it should."""
        return self.figures > 0 and self.found >= _FOUND


def look(plan: Plan, rgb: NDArray[np.uint8]) -> Seen:
    """Run the network on one picture.

    Raises
    ------
    BundleDamagedError
        If it does not run or gives NaN or infinity.
    """
    batch = plan.network.batch or 1
    session = open_network(assemble(plan, batch=batch, shown=True), where=plan.network.where)
    windows = np.repeat(rgb[np.newaxis], batch, axis=0)
    try:
        answer, *raw = session.run(None, {"windows": windows})
    except ORT_ERRORS as error:
        what = " ".join(str(error).split())[:300]
        raise BundleDamagedError(
            f"the network does not run on windows of {plan.window_px} px ({what})", where=plan.network.where
        ) from None
    for values in (answer, *raw):
        if not np.isfinite(values).all():
            raise BundleDamagedError("the network gives NaN or infinity", where=plan.network.where)
    return Seen(answer[0], raw[0][0], raw[1][0] if len(raw) > 1 else None)


def check_scores(seen: Seen, plan: Plan) -> str | None:
    """See that scores are what was stated; return a doubt in words.

    Raises
    ------
    BundleError
        If probabilities lie outside [0, 1].
    """
    if not seen.raw_scores.size:
        return None
    low, high = float(seen.raw_scores.min()), float(seen.raw_scores.max())
    lie = f"scores from {low:.3g} to {high:.3g}"
    within = low >= -_SLACK and high <= 1 + _SLACK
    if plan.interface.scores == "probability" and not within:
        raise BundleError(
            f"{lie} are not probabilities",
            where=plan.network.where,
            mend="for log-odds give --scores sigmoid or --scores softmax",
        )
    if plan.interface.scores != "probability" and within and seen.raw_scores.size > 1:
        return f"{lie} look like probabilities already: if they are, give --scores probability"
    return None


def check_boxes(seen: Seen, plan: Plan) -> None:
    """See that boxes are what was stated.

    Raises
    ------
    BundleError
        If their unit or their coding is another one.
    """
    rows = _best_rows(seen)
    if rows is None or len(rows) < _ROWS_ENOUGH:
        return
    where, interface, far = plan.network.where, plan.interface, float(np.abs(rows).max())
    if interface.box_unit == "px" and far <= _FRACTION_MAX:
        raise BundleError(
            f"no box reaches further than {far:.3g} px", where=where, mend="--box-unit fraction"
        )
    if interface.box_unit == "fraction" and far > 2 * _FRACTION_MAX:
        raise BundleError(f"boxes reach to {far:.4g} pictures", where=where, mend="--box-unit px")
    ordered = ((rows[:, 2] >= rows[:, 0]) & (rows[:, 3] >= rows[:, 1])).mean()
    if interface.boxes == "corners" and ordered < _MOST:
        raise BundleError(
            f"in {1 - ordered:.0%} of the boxes the second corner lies before the first",
            where=where,
            mend="--boxes centre, or --boxes corner-size",
        )
    if interface.boxes != "corners" and ordered >= _MOST:
        raise BundleError(
            "every box is as wide and as high as its place is far from the corner: these are two corners",
            where=where,
            mend="--boxes corners",
        )


def _best_rows(seen: Seen) -> Floats | None:
    if seen.raw_boxes is None:
        return None
    scores = seen.raw_scores.reshape(len(seen.raw_boxes), -1).max(axis=1)
    best = np.argsort(-scores, kind="stable")[:_BEST_ROWS]
    rows: Floats = seen.raw_boxes[best]
    return rows[np.any(rows != 0, axis=1)]


def check_colours(plan: Plan, field: Field, seen: Seen) -> Plausibility:
    """See that no other order of the colours, and no other scale, shows the network the figures better.

    Parameters
    ----------
    plan : Plan
    field : Field
    seen : Seen
        What the network as stated gives for this field, where it gives points.

    Raises
    ------
    BundleError
        If it finds them otherwise and not as stated.
    """
    if not len(field.figures):
        return Plausibility(0, 0.0)
    is_detector = plan.layout.kind == "points"
    own = _precision(plan, field, seen) if is_detector else _precision_of_crops(plan, field)
    if own < _FOUND:
        for option, other in _otherwise(plan):
            precision = (
                _precision(other, field, look(other, field.rgb))
                if is_detector
                else _precision_of_crops(other, field)
            )
            if precision >= _FOUND and precision > 2 * own:
                raise BundleError(
                    f"as stated it does not find the figures of the self-test picture (average precision "
                    f"{own:.2f}), with {option} it does ({precision:.2f})",
                    where=plan.network.where,
                    mend=f"give {option}; or --unchecked, if the statement is right",
                )
    return Plausibility(len(field.figures), own)


def _otherwise(plan: Plan) -> Iterator[tuple[str, Plan]]:
    """Yield the statements that are most easily mistaken, each as an option and a plan."""
    interface = plan.interface
    channels = "rgb" if interface.channels == "bgr" else "bgr"
    changes: list[tuple[str, dict[str, object]]] = [(f"--channels {channels}", {"channels": channels})]
    if not any(interface.mean) and set(interface.std) == {1.0}:
        white = 255 if interface.pixel_max == 1 else 1
        changes.append((f"--pixel-max {white}", {"pixel_max": white}))
    for option, change in changes:
        yield option, replace(plan, interface=interface.model_copy(update=change))


def _precision(plan: Plan, field: Field, seen: Seen) -> float:
    points = seen.answer
    return average_precision(points[points[:, 2] > plan.floor], field.figures, reach=REACH_UM / field.mpp)


def _precision_of_crops(plan: Plan, field: Field) -> float:
    """Return the average precision of crops around figures among others of the field."""
    side, height, width = plan.window_px, *field.rgb.shape[:2]
    places = [(float(x), float(y)) for x, y in field.figures]
    reach = 2 * REACH_UM / field.mpp
    grid = np.mgrid[side // 2 : height : side // 2, side // 2 : width : side // 2].reshape(2, -1).T
    places += [
        (float(x), float(y))
        for y, x in grid
        if np.hypot(field.figures[:, 0] - x, field.figures[:, 1] - y).min() > reach
    ]
    scores = [
        look(plan, Field(field.rgb, np.array([place]), field.mpp).crop(side).rgb).answer[0]
        for place in places
    ]
    rows = np.column_stack([np.array(places), scores])
    # A crop of another cell that scores as high as one of a figure counts before it.
    order = np.lexsort((np.arange(len(rows)) < len(field.figures), -rows[:, 2]))
    if rows[: len(field.figures), 2].max() < _FOUND:
        return 0.0
    return average_precision(rows[order], field.figures, reach=0.5, ordered=True)


def average_precision(points: Floats, figures: Floats, *, reach: float, ordered: bool = False) -> float:
    """Return the mean precision at each figure, 0 at those that are not found.

    Parameters
    ----------
    points : ndarray, shape (n, 3)
        x, y, score. A further point at a figure that was found counts for nothing.
    figures : ndarray, shape (m, 2)
    reach : float
        In the unit of both.
    ordered : bool
        The best point comes first already.
    """
    free = np.ones(len(figures), dtype=np.bool_)
    found = false = 0
    total = 0.0
    for x, y, _ in points if ordered else points[np.argsort(-points[:, 2], kind="stable")]:
        distance = np.hypot(figures[:, 0] - x, figures[:, 1] - y)
        near = distance <= reach
        if not near.any():
            false += 1
        elif (near & free).any():
            free[np.argmin(np.where(free, distance, np.inf))] = False
            found += 1
            total += found / (found + false)
    return total / len(figures)
