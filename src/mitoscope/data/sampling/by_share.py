"""Schemes that draw each kind of window by its share: those of CCMCT and CMC, of MIDOG++, and of classifiers.

* ``ccmct``: half of the windows at mitotic figures, most others at look-alikes. Probabilities 0.5, 0.4, 0.1
  and pseudo-epochs of 5,000 windows (CCMCT, CMC: `lib/sampling.py`). A cell falls anywhere in the window,
  uniformly. Here the shares hold exactly in every pseudo-epoch, the target is the centre of the cell rather
  than the corner of its box, and windows without a cell teach background too.
* ``midogpp``: every image alike often, half of the windows anywhere, half near a figure; 1,000 training (250
  validation) windows an epoch, spread evenly over the images; look-alikes play no part (MIDOG++: training of
  the reference RetinaNet).
* ``crops``: crops around single cells for a classifier, each class as often as it is asked for. CMC
  oversamples the rarer class until all are alike often; CCMCT takes cells as they come. Where a set has no
  labelled look-alikes, places anywhere and mined hard negatives stand for that class.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.curation.crowd import SUB_TILE_STEP_PX, CrowdBoxes
from mitoscope.data.field import Field
from mitoscope.data.sampling.scheme import TRIES, ByShare, HardPool, Turn, anywhere, is_background
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError
from mitoscope.labels import LOOK_ALIKE
from mitoscope.store import box_areas, intersection_areas

AtLeastOne = Annotated[int, Setting(ge=1)]
Share = Annotated[float, Setting(ge=0, le=1)]
_FREE_PX = 40.0
_SUBSET_SEED = 0
"""Of what is drawn once for all runs."""


class CcmctConfig(Config):
    """Shares of windows at figures, at look-alikes and anywhere.

    Parameters
    ----------
    window_px, batch : int
    figure, look_alike, anywhere : float
        Shares; they are divided by their sum.
    epoch : int
        Windows of a pseudo-epoch.
    """

    kind: Literal["ccmct"]
    window_px: Annotated[int, Setting(ge=32, le=2048)] = 512
    batch: AtLeastOne = 8
    figure: Share = 0.5
    look_alike: Share = 0.4
    anywhere: Share = 0.1
    epoch: AtLeastOne = 5000


class MidogppConfig(Config):
    """Windows near figures and anywhere.

    Parameters
    ----------
    window_px, batch, epoch : int
    near_figure : float
        Share of the windows within `near_px` of a figure; the rest lies anywhere.
    near_px : float
    """

    kind: Literal["midogpp"]
    window_px: Annotated[int, Setting(ge=32, le=2048)] = 512
    batch: AtLeastOne = 12
    epoch: AtLeastOne = 1000
    near_figure: Share = 0.5
    near_px: Annotated[float, Setting(gt=0)] = 512.0


class CropsConfig(Config):
    """Crops of a classifier.

    Parameters
    ----------
    window_px : int
        Side of a crop.
    batch, epoch : int
    oversample : bool
        Draw all classes alike often; else as often as they occur.
    jitter_px : float
        How far the cell lies from the middle at most.
    background : float
        Share of the class of look-alikes that is taken from anywhere, away from figures.
    """

    kind: Literal["crops"]
    window_px: Annotated[int, Setting(ge=32, le=1024)] = 128
    batch: AtLeastOne = 16
    epoch: AtLeastOne = 1000
    oversample: bool = True
    jitter_px: Annotated[float, Setting(ge=0)] = 4.0
    background: Share = 0.0


def plan_ccmct(fields: tuple[Field, ...], config: CcmctConfig) -> ByShare:
    """Collect figures and look-alikes; mined hard negatives stand beside the look-alikes.

    Raises
    ------
    TrainingDataError
        If there is no figure, or no look-alike although some are asked for.
    """
    figures = HardPool.of_cells(fields, lambda field: field.figures)
    others = HardPool.of_cells(fields, lambda field: field.look_alikes)
    for name, share, pool in (("figure", config.figure, figures), ("look_alike", config.look_alike, others)):
        if share and not len(pool):
            raise TrainingDataError(
                f"no {name.replace('_', '-')} among the training cases",
                where=f"data.sampling.{name}",
                mend="label some, or set the share to 0",
            )
    reach = config.window_px / 2

    def at_figure(turn: Turn) -> Window:
        return figures.at(turn.random, reach_px=reach) if len(figures) else anywhere(fields, turn.random)

    def at_look_alike(turn: Turn) -> Window:
        pool = others.beside(turn.hard, turn.random)
        return pool.at(turn.random, reach_px=reach) if len(pool) else anywhere(fields, turn.random)

    return ByShare(
        (at_figure, at_look_alike, lambda turn: anywhere(fields, turn.random)),
        (config.figure, config.look_alike, config.anywhere),
        config.batch,
        config.epoch,
        stream=4,
    )


def plan_midogpp(fields: tuple[Field, ...], config: MidogppConfig) -> ByShare:
    """Find the fields with figures; look-alikes and hard negatives play no part.

    Raises
    ------
    TrainingDataError
        If there are none.
    """
    with_figures = [place for place, field in enumerate(fields) if len(field.figures)]
    if not with_figures:
        raise TrainingDataError("no mitotic figure among the training cases", where="data.sampling")

    def near(turn: Turn) -> Window:
        picture = with_figures[_in_turn(turn, len(with_figures))]
        field = fields[picture]
        x, y = field.figures[turn.random.integers(len(field.figures))]
        dx, dy = turn.random.uniform(-config.near_px, config.near_px, 2)
        return Window(
            picture, float(np.clip(x + dx, 0, field.width)), float(np.clip(y + dy, 0, field.height))
        )

    def elsewhere(turn: Turn) -> Window:
        return anywhere(fields, turn.random, first=_in_turn(turn, len(fields)))

    shares = (config.near_figure, 1 - config.near_figure)
    return ByShare((near, elsewhere), shares, config.batch, config.epoch, stream=5)


def _in_turn(turn: Turn, count: int) -> int:
    """Return which of several is next: all of them once, in random order, before any comes again."""
    lap, place = divmod(turn.rank, count)
    return int(np.random.default_rng((turn.seed, lap, 6)).permutation(count)[place])


def plan_crops(fields: tuple[Field, ...], config: CropsConfig, *, labels: tuple[str, ...]) -> ByShare:
    """Collect the cells of each class; the score of a crop is the index of its class.

    Background and hard negatives belong to the look-alikes.

    Raises
    ------
    TrainingDataError
        If a class has no cell.
    """
    pools = tuple(
        HardPool.of_cells(fields, partial(_cells_on, which=which, labels=labels))
        for which in range(len(labels))
    )
    open_class = labels.index(LOOK_ALIKE.name) if LOOK_ALIKE.name in labels else -1
    for index, (label, pool) in enumerate(zip(labels, pools, strict=True)):
        if not len(pool) and not (index == open_class and config.background):
            raise TrainingDataError(
                f"no cell of the class {label!r} among the training cases",
                where="model.labels",
                mend="leave the class out, or label some",
            )

    def of_class(which: int, turn: Turn) -> Window:
        pool = pools[which]
        if which == open_class:
            pool = pool.beside(turn.hard, turn.random)
            if pool is not turn.hard and (turn.random.random() < config.background or not len(pool)):
                return replace(_away_from_figures(fields, turn.random), score=float(which))
        return pool.at(turn.random, reach_px=config.jitter_px, score=float(which))

    return ByShare(
        tuple(partial(of_class, which) for which in range(len(pools))),
        tuple(1.0 if config.oversample else max(len(pool), 1.0) for pool in pools),
        config.batch,
        config.epoch,
        stream=7,
    )


def _cells_on(field: Field, *, which: int, labels: tuple[str, ...]) -> NDArray[np.float64]:
    """Return the cells of a class that lie on a field, shape (n, 2)."""
    points = field.labels.points[field.labels.classes(labels) == which]
    return np.asarray(points[((points >= 0) & (points < (field.width, field.height))).all(axis=1)])


def _away_from_figures(fields: tuple[Field, ...], random: np.random.Generator) -> Window:
    for _ in range(TRIES):
        place = anywhere(fields, random)
        figures = fields[place.picture].figures - (place.x, place.y)
        if not len(figures) or np.hypot(*figures.T).min() > _FREE_PX:
            return place
    raise TrainingDataError(
        f"no place further than {_FREE_PX:g} px from a mitotic figure in {TRIES} tries",
        where="data.sampling.background",
        mend="add fields that are larger or have no figure, or set it to 0",
    )


class CrowdConfig(Config):
    """The two-step sampling of the crowd paper: first an event, then one of the sub-tiles that it lies in.

    Sub-tiles of 250 px at a step of 125 px overlap, so that an event (an agreed box) lies in up to four of
    them; drawing the event first gives every event the same chance. The score of a sub-tile is Σ r·a over its
    events, with r the part of the box inside and a the agreement on it.

    Parameters
    ----------
    window_px : int
        Side of a sub-tile.
    batch, epoch : int
    step_px : int
        Between neighbouring sub-tiles.
    events : int
        So many events, drawn once; a smaller number lies within every larger one. 0 takes all.
    negatives : float
        Sub-tiles without an event for each one with an event, 0 to 10.
    negative_tiles : int
        So many sub-tiles without an event, drawn once; 0 draws anew from all.
    capped : bool
        Let no sub-tile score more than 1.
    as_classes : bool
        Give a sub-tile with an event the score 0 and one without 1, the classes of a classifier (BC), instead
        of its agreement (REG).
    """

    kind: Literal["crowd"]
    window_px: Annotated[int, Setting(ge=32, le=1024)] = 250
    batch: AtLeastOne = 16
    epoch: AtLeastOne = 1000
    step_px: AtLeastOne = SUB_TILE_STEP_PX
    events: Annotated[int, Setting(ge=0)] = 0
    negatives: Annotated[float, Setting(ge=0, le=10)] = 0.0
    negative_tiles: Annotated[int, Setting(ge=0)] = 0
    capped: bool = True
    as_classes: bool = False


def plan_crowd(fields: tuple[Field, ...], config: CrowdConfig, *, mpp: float) -> ByShare:
    """Collect the events.

    Raises
    ------
    TrainingDataError
        If there is none on a field that is as large as a sub-tile, or there are fewer than are asked for.
    """
    side, step = config.window_px, config.step_px
    large = tuple(p for p, field in enumerate(fields) if min(field.width, field.height) >= side)
    boxes = [_event_boxes(field, mpp) for field in fields]
    every = [(p, x, y) for p in large for x, y in _centres(boxes[p])]
    if not every:
        raise TrainingDataError(
            f"no mitotic figure on a field as large as a sub-tile of {side} px", where="data.sampling"
        )
    if config.events > len(every):
        raise TrainingDataError(
            f"{config.events} of {len(every)} mitotic figures are asked for", where="data.sampling.events"
        )
    order = np.random.default_rng(_SUBSET_SEED).permutation(len(every))[: config.events or None]
    events = HardPool.even([every[place] for place in order.tolist()])

    def agreement(picture: int, x: float, y: float) -> float:
        return tile_score(boxes[picture], (x, y, x + side, y + side), capped=config.capped)

    def scored(picture: int, x: float, y: float) -> Window:
        agreed = agreement(picture, x, y)
        score = float(agreed == 0) if config.as_classes else agreed
        return Window(picture, x + side / 2, y + side / 2, score=score)

    def around(place: float, length: int, random: np.random.Generator) -> float:
        """Draw the start of one of the sub-tiles that a place lies in."""
        first = max(int(np.ceil((place - side + 1e-9) / step)), 0)
        last = max(min(int(place // step), (length - side) // step), first)
        return float(random.integers(first, last + 1) * step)

    def positive(turn: Turn) -> Window:
        index = int(turn.random.integers(len(events)))
        picture = int(events.picture[index])
        x = around(events.x[index], fields[picture].width, turn.random)
        y = around(events.y[index], fields[picture].height, turn.random)
        return scored(picture, x, y)

    def without_event(random: np.random.Generator) -> Window:
        for _ in range(TRIES):
            picture = large[random.integers(len(large))]
            field = fields[picture]
            x, y = (
                float(random.integers(max((length - side) // step, 0) + 1) * step)
                for length in (field.width, field.height)
            )
            if not agreement(picture, x, y) and is_background(field, x + side / 2, y + side / 2):
                return scored(picture, x, y)
        raise TrainingDataError(
            "no sub-tile without an event is found in the examined tissue", where="data.sampling.negatives"
        )

    def held(place: int) -> Window:
        """Return one of the sub-tiles that are drawn once: a smaller number lies within every larger one."""
        return without_event(np.random.default_rng((_SUBSET_SEED, place)))

    def negative(turn: Turn) -> Window:
        if config.negative_tiles:
            return held(int(turn.random.integers(config.negative_tiles)))
        return without_event(turn.random)

    return ByShare((positive, negative), (1.0, config.negatives), config.batch, config.epoch, stream=8)


def tile_score(
    boxes: CrowdBoxes, tile_px: tuple[float, float, float, float], *, capped: bool = True
) -> float:
    """Return the score of a tile, Σ r·a, at most 1 if capped: r the part of a box inside, a its agreement."""
    inside = intersection_areas(np.array([tile_px]), boxes.boxes_px0)[0] / box_areas(boxes.boxes_px0)
    score = float(inside @ boxes.agreement)
    return min(score, 1.0) if capped else score


def _event_boxes(field: Field, mpp: float) -> CrowdBoxes:
    """Return the mitotic figures of a field as merged boxes with the agreement on each."""
    own = field.labels.take(field.labels.is_figure)
    half = own.sizes(mpp=mpp) / 2
    return CrowdBoxes(np.concatenate([own.points - half, own.points + half], axis=1), own.agreement)


def _centres(boxes: CrowdBoxes) -> list[tuple[float, float]]:
    corners = boxes.boxes_px0
    return [(x, y) for x, y in ((corners[:, :2] + corners[:, 2:]) / 2).tolist()]
