"""How findings of another program are to be taken: where their coordinates count from, what scores mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self, get_args

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from mitoscope.config import Config
from mitoscope.errors import ConfigError
from mitoscope.exchange.foreign import Unit

Scores = Literal["probability", "percent", "logit"]
Axes = Literal["xy", "yx"]
Mirror = Literal["x", "y", "xy"]
SCORES, AXES, MIRRORS = get_args(Scores), get_args(Axes), get_args(Mirror)
Box = tuple[float, float, float, float]


class ImportSettings(Config):
    """How a file of another program is read.

    Parameters
    ----------
    program : str, optional
        What found it, with its version; by default the program whose files look like this.
    kind : str, optional
        Kind of the file, see `mitoscope.exchange.foreign.KINDS`; by default what its content says.
    image : str, optional
        Which image of the file this slide is.
    columns : dict of str to str
        Field → column of a table.
    unit : Unit, optional
        Of the coordinates; by default what the file says, else pixels.
    scale : float, optional
        Level-0 pixels per pixel of the file.
    file_mpp : float, optional
        µm per pixel of the file, in place of a scale.
    origin : tuple of 2 float or ``bounds``
        Where the coordinates count from, in level-0 px; ``bounds`` is the corner of the vendor's bounds.
    frame : tuple of 4 float, optional
        X, Y, width and height in level-0 px of the picture that the program saw: coordinates count from its
        corner, and shares are of its sides.
    axes : {"xy", "yx"}
        Which coordinate comes first.
    mirror : {"x", "y", "xy"}, optional
        Axes that run the other way, from the far edge.
    scores : {"probability", "percent", "logit"}, optional
        What scores are; by default probabilities, and others are refused.
    roi : tuple of 4 float, optional
        What was searched, in level-0 px; by default the frame, else the whole slide.
    threshold : float, optional
        Scores above it count; by default 0: all that the program found.
    point : str, optional
        Operating point of the calibration.
    as_is : bool
        Take the places as they are, whatever they look like.
    mpp : float, optional
        Resolution of a slide that states none.
    mpp_override : bool
        Let it replace also what the slide states.
    """

    program: str | None = None
    kind: str | None = None
    image: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    unit: Unit | None = None
    scale: Annotated[float, Field(gt=0)] | None = None
    file_mpp: Annotated[float, Field(gt=0)] | None = None
    origin: tuple[float, float] | Literal["bounds"] = (0.0, 0.0)
    frame: Box | None = None
    axes: Axes = "xy"
    mirror: Mirror | None = None
    scores: Scores | None = None
    roi: Box | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    point: str | None = None
    as_is: bool = False
    mpp: float | None = None
    mpp_override: bool = False

    @model_validator(mode="after")
    def _says_each_thing_once(self) -> Self:
        if self.scale is not None and self.file_mpp is not None:
            raise ValueError("--scale and --file-mpp both say how large a pixel of the file is: give one")
        if self.frame is not None and self.origin != (0.0, 0.0):
            raise ValueError("--frame and --origin both say where coordinates count from: give one")
        if self.threshold is not None and self.point is not None:
            raise ValueError("a threshold and an operating point are given: give one of the two")
        return self


RADIUS_UM = 7.5
"""Within which the challenges of MIDOG take two points for one figure."""


class JoinSettings(Config):
    """How results of several detectors become one.

    Parameters
    ----------
    radius_um : float
        No two findings that are further apart become one.
    weights : tuple of float, optional
        Of each detector, above 0; by default all count alike.
    threshold : float, optional
        Joined scores above it count; by default the weighted mean of the detectors' thresholds.
    point : str, optional
        Operating point of the calibration.
    common : bool
        Join the slides that all have, and leave out others.
    """

    radius_um: Annotated[float, Field(gt=0, le=100)] = RADIUS_UM
    weights: tuple[Annotated[float, Field(gt=0)], ...] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    point: str | None = None
    common: bool = False

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.threshold is not None and self.point is not None:
            raise ValueError("a threshold and an operating point are given: give one of the two")
        return self


def probabilities(score: NDArray[np.float64], stated: Scores | None, *, where: Path) -> NDArray[np.float64]:
    """Return scores of a file as numbers in [0, 1]; NaN, where none is stated, is 1.

    Parameters
    ----------
    score : ndarray of float64, shape (n,)
    stated : {"probability", "percent", "logit"}, optional
        What they are.
    where : Path
        The file, for the error.

    Raises
    ------
    ConfigError
        If they cannot be what they are said to be, naming the option that says what else they may be.
    """
    known = score[~np.isnan(score)]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if stated == "logit":
        from scipy.special import expit

        found = expit(score)
    elif stated == "percent":
        if low < 0 or high > 100:
            raise ConfigError(
                f"scores from {low:g} to {high:g} are no percentages", where=where, mend="give --scores logit"
            )
        found = score / 100
    else:
        if low < 0 or high > 1:
            guess = "percent" if low >= 0 and high <= 100 else "logit"
            what = "percentages" if guess == "percent" else "logits"
            raise ConfigError(
                f"scores from {low:g} to {high:g} are not in [0, 1]; they may be {what}",
                where=where,
                mend=f"--scores {guess} takes them for that",
            )
        found = score
    return np.asarray(np.where(np.isnan(score), 1.0, found), np.float64)
