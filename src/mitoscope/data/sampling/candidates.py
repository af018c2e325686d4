"""Windows for a second look: figures, and what a first stage takes for figures where none are.

The other windows are of four kinds, by their shares: labelled look-alikes; proposals of a first stage far
from every figure, the more often the higher they score; places of crops beside their figure, so that the
middle of a window decides; and places anywhere. What proposals score is at first what the first stage says,
and after each round of mining what the network itself says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting
from pydantic import model_validator

from mitoscope.config import Config
from mitoscope.data.field import Field, visible_figures
from mitoscope.data.sampling.scheme import TRIES, HardPool, anywhere, no_background
from mitoscope.data.sampling.semi import is_crop
from mitoscope.data.window import Window
from mitoscope.errors import ConfigError, TrainingDataError
from mitoscope.labels import LOOK_ALIKE

AtLeastOne = Annotated[int, Setting(ge=1)]
Share = Annotated[float, Setting(ge=0, le=1)]
Length = Annotated[float, Setting(ge=0)]

DETECTOR: Final = "detector"
"""The first part of a dual recipe, where a bundle is named."""
PROPOSAL: Final = "proposal"
"""Label of what a first stage proposes; its score stands for the agreement."""
_APART_PX: Final = 30.0
"""Nearer to a figure a proposal is that figure."""
_SAME_PX: Final = 15.0
"""Nearer to a labelled look-alike a proposal is that look-alike."""
_SCORE_MAX: Final = 0.9
_WEIGHT_MIN: Final = 0.03
"""Weight of a proposal: its score, cut off above, plus a little, so that the mild ones come up as well."""


class CandidatesConfig(Config):
    """Fixed numbers of figures and of other windows in every batch.

    Parameters
    ----------
    window_px : int
        Side of a window.
    figures, others : int
        Windows of a batch.
    look_alikes, proposals, off_centre, anywhere : float
        Shares of the kinds of other windows, divided by their sum; what a kind that no field has would get
        falls to the rest.
    field_share : float
        Of the figures: from whole fields, all others from crops.
    jitter_px : float
        How far a cell lies from the middle of its window at most, in x and in y.
    off_centre_px : tuple of 2 float
        How far off-centre windows lie from the figure of their crop.
    border_px : float
        No cell nearer to the border of its field is shown.
    first_stage : str
        Bundle whose first stage proposes, on all whole fields; in a dual recipe ``detector`` is the network
        that was trained before.
    floor : float
        Proposals with a score above it count.
    noisy : tuple of str
        Sources in which figures may be left that nobody labelled.
    banned : float
        Share of the proposals on these that is left out after a round of mining: the highest, where they are
        no labelled look-alikes.
    """

    kind: Literal["candidates"]
    window_px: Annotated[int, Setting(ge=32, le=256)] = 68
    figures: AtLeastOne = 8
    others: AtLeastOne = 24
    look_alikes: Share = 0.15
    proposals: Share = 0.5
    off_centre: Share = 0.3
    anywhere: Share = 0.05
    field_share: Share = 0.05
    jitter_px: Length = 5.0
    off_centre_px: tuple[Length, Length] = (28.0, 44.0)
    border_px: Length = 10.0
    first_stage: str = "cascade"
    floor: Share = 0.03
    noisy: tuple[str, ...] = ("negative_fields", "unsorted_fields")
    banned: Share = 0.01

    @property
    def batch(self) -> int:
        """Windows of a batch."""
        return self.figures + self.others

    @model_validator(mode="after")
    def _something_is_asked_for(self) -> Self:
        if not self.look_alikes + self.proposals + self.off_centre + self.anywhere:
            raise ValueError("the shares of all kinds of other windows are 0")
        if self.off_centre_px[0] > self.off_centre_px[1]:
            raise ValueError("off_centre_px: the first lies above the second")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Draws the windows of a second look.

    Parameters
    ----------
    config : CandidatesConfig
    fields : tuple of Field
    crops, figures : HardPool
        Figures of crops, and of whole fields.
    look_alikes, proposals : HardPool
        On whole fields.
    doubtful : ndarray of bool, shape (n,)
        Which proposals may be figures that nobody labelled.
    whole : tuple of int
        The fields that are no crops.
    """

    config: CandidatesConfig
    fields: tuple[Field, ...]
    crops: HardPool
    figures: HardPool
    look_alikes: HardPool
    proposals: HardPool
    doubtful: NDArray[np.bool_]
    whole: tuple[int, ...]

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the windows of the batch of a step."""
        random = np.random.default_rng((seed, step, 9))
        draws, shares = self._kinds(hard if len(hard) else self.proposals)
        kinds = random.choice(len(draws), self.config.others, p=shares)
        return [
            *(self._figure(random) for _ in range(self.config.figures)),
            *(replace(draws[kind](random), score=1.0) for kind in kinds.tolist()),
        ]

    def weighed(self, score: NDArray[np.float64]) -> HardPool:
        """Return the proposals with chances by new scores, shape (n,); what may be a figure is left out."""
        banned = np.zeros(len(score), dtype=np.bool_)
        count = int(self.config.banned * self.doubtful.sum())
        rows = np.flatnonzero(self.doubtful)
        banned[rows[np.argsort(-score[rows], kind="stable")[:count]]] = True
        weight = np.where(banned, 0.0, np.minimum(score, _SCORE_MAX) + _WEIGHT_MIN)
        return replace(self.proposals, weight=_by_source(weight, self.proposals.picture, self.fields))

    def _kinds(
        self, proposals: HardPool
    ) -> tuple[list[Callable[[np.random.Generator], Window]], NDArray[np.float64]]:
        """Return what draws each kind of other windows, and their shares."""
        config = self.config
        jitter_px = config.jitter_px
        kinds: list[tuple[Callable[[np.random.Generator], Window], float, bool]] = [
            (
                lambda random: self.look_alikes.at(random, reach_px=jitter_px),
                config.look_alikes,
                len(self.look_alikes) > 0,
            ),
            (
                lambda random: proposals.draw(random, jitter_px=jitter_px),
                config.proposals,
                len(proposals) > 0,
            ),
            (self._off_centre, config.off_centre, len(self.crops) > 0),
            (self._anywhere, config.anywhere, len(self.whole) > 0),
        ]
        chosen = [(draw, share) for draw, share, is_there in kinds if is_there and share]
        if not chosen:
            raise TrainingDataError(
                "no place for windows without a figure",
                where="data.sampling",
                mend="add fields, or give shares to other kinds of windows",
            )
        shares = np.array([share for _, share in chosen])
        return [draw for draw, _ in chosen], shares / shares.sum()

    def _figure(self, random: np.random.Generator) -> Window:
        """Draw a figure; the class of its window is the first."""
        whole = len(self.figures) and (not len(self.crops) or random.random() < self.config.field_share)
        return (self.figures if whole else self.crops).at(random, reach_px=self.config.jitter_px)

    def _off_centre(self, random: np.random.Generator) -> Window:
        near, far = self.config.off_centre_px
        for _ in range(TRIES):
            index = int(random.integers(len(self.crops)))
            picture = int(self.crops.picture[index])
            field = self.fields[picture]
            # Further out the window would show more of what lies beyond the crop.
            free = max((min(field.width, field.height) - self.config.window_px) / 2, 0.0)
            dx, dy = np.clip(random.uniform(-far, far, 2), -free, free)
            x, y = self.crops.x[index] + dx, self.crops.y[index] + dy
            apart = np.hypot(*(field.figures - (x, y)).T)
            if apart.min() >= near and np.hypot(dx, dy) <= far:
                return Window(picture, float(x), float(y))
        raise TrainingDataError(
            f"no place {near:g} to {far:g} px from the figures of crops in {TRIES} tries",
            where="data.sampling.off_centre_px",
            mend="take smaller windows or distances, or set off_centre to 0",
        )

    def _anywhere(self, random: np.random.Generator) -> Window:
        for _ in range(TRIES):
            place = anywhere(self.fields, random, first=self.whole[int(random.integers(len(self.whole)))])
            field, point = self.fields[place.picture], np.array([[place.x, place.y]])
            if not is_crop(field) and _usable(point, field, self.config.border_px)[0]:
                return place
        raise no_background("data.sampling.anywhere")


def plan_candidates(
    fields: tuple[Field, ...], config: CandidatesConfig, *, labels: tuple[str, ...]
) -> Candidates:
    """Collect figures, look-alikes and proposals of the training fields.

    Raises
    ------
    ConfigError
        If the network tells other things apart than figures and look-alikes.
    TrainingDataError
        If there is no figure.
    """
    if labels[1:] != (LOOK_ALIKE.name,):
        raise ConfigError(
            f"windows are figures or look-alikes, not {', '.join(labels)}",
            where="model.labels",
            mend="leave model.labels out",
        )
    rows: list[tuple[int, float, float]] = []
    score: list[float] = []
    doubtful: list[bool] = []
    for index, field in enumerate(fields):
        own = field.labels.take(field.labels.label == PROPOSAL)
        own = own.take(_usable(own.points, field, config.border_px))
        known = _distance(own.points, field.look_alikes) < _SAME_PX
        rows += [(index, x, y) for x, y in own.points.tolist()]
        score += own.agreement.tolist()
        doubtful += (~known & (field.source in config.noisy)).tolist()
    proposals = HardPool.even(rows)
    weight = np.minimum(np.array(score), _SCORE_MAX) + _WEIGHT_MIN
    crops = HardPool.of_cells(fields, lambda field: field.figures[:1] if is_crop(field) else _NONE)
    figures = HardPool.of_cells(
        fields, lambda field: _NONE if is_crop(field) else _inner(visible_figures(field), field, config)
    )
    if not len(crops) + len(figures):
        raise TrainingDataError("no mitotic figure to train on", where="data.sampling")
    return Candidates(
        config,
        fields,
        crops,
        figures,
        HardPool.of_cells(fields, lambda field: _inner(field.look_alikes, field, config)),
        replace(proposals, weight=_by_source(weight, proposals.picture, fields)),
        np.array(doubtful, dtype=np.bool_),
        tuple(index for index, field in enumerate(fields) if not is_crop(field)),
    )


_NONE: Final = np.empty((0, 2))


def _by_source(
    weight: NDArray[np.float64], picture: NDArray[np.int64], fields: tuple[Field, ...]
) -> NDArray[np.float64]:
    """Return chances that add up to one, for every source of fields together as much as for any other."""
    source = np.array([fields[index].source for index in picture.tolist()])
    chance = weight.copy()
    for name in np.unique(source):
        own = source == name
        chance[own] /= max(float(weight[own].sum()), 1e-12)
    return chance / max(float(chance.sum()), 1e-12)


def _inner(points: NDArray[np.float64], field: Field, config: CandidatesConfig) -> NDArray[np.float64]:
    return points[_to_border(points, field) >= config.border_px]


def _usable(points: NDArray[np.float64], field: Field, border_px: float) -> NDArray[np.bool_]:
    """Tell which places are no figure, were examined, and lie far enough from the border."""
    apart = _distance(points, field.figures) > _APART_PX
    return apart & (_to_border(points, field) >= border_px) & field.examined(points)


def _to_border(points: NDArray[np.float64], field: Field) -> NDArray[np.float64]:
    size = np.array([field.width, field.height])
    return np.asarray(np.minimum(points, size - points).min(axis=1))


def _distance(points: NDArray[np.float64], others: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of each point to the nearest of some others; infinite where there is none."""
    apart = np.hypot(*(points[:, np.newaxis] - others).transpose(2, 0, 1))
    return np.asarray(apart.min(axis=1, initial=np.inf))
