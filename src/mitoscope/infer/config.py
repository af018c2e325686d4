"""The configuration of a detection run."""

from __future__ import annotations

from typing import Annotated, Literal, Self, get_args

from pydantic import Field, model_validator

from mitoscope.config import Config

CHUNK_PX = 2048
"""Side of a chunk in plane px: some 0.26 mm² at 0.25 µm/px, seconds of work that a killed run loses."""

Positive = Annotated[int, Field(ge=1)]
Stage = Literal["proposals", "verified"]
"""Whose scores candidates have: those of the detector alone, or those of the second stage."""
Quality = Literal["fast", "balanced", "best"]
"""Test-time augmentation of the second stage: none; all views where one leaves doubt; all views."""


Provider = Literal["cpu", "cuda", "openvino"]
STAGES, QUALITIES, PROVIDERS = get_args(Stage), get_args(Quality), get_args(Provider)


class DetectConfig(Config):
    """How to look for mitotic figures on a slide.

    Parameters
    ----------
    roi : tuple of 4 float, optional
        X, Y, width, height in level-0 px; only this part is searched.
    threshold : float, optional
        Score above which a candidate counts; by default that of the operating point.
    point : str, optional
        Name of the bundle's operating point. By default the bundle's own; on a slide whose stain is unlike
        that of the training data its robust one, where it has one.
    mpp : float, optional
        Resolution of level 0 in µm/px of a slide that states none.
    mpp_override : bool
        Let it replace also what a slide states.
    stage : {"proposals", "verified"}, optional
        Report first- or second-stage scores; by default those of the last stage that the bundle has.
    quality : {"fast", "balanced", "best"}, optional
        Test-time augmentation of the second stage; balanced by default.
    subtype : bool
        Tell kinds of mitotic figures apart; a bundle that cannot is refused. Not by default: figures then
        have two names, and whoever counts one of them alone counts too few.
    prior_shift : bool
        Correct calibrated scores for the share of figures among the candidates of the slide, estimated from
        them, where the bundle states the share for which its scores hold.
    window_px : int, optional
        Side of a window; by default the bundle's. A multiple of the bundle's stride.
    halo_px : int, optional
        What windows reach beyond the part they own; by default the bundle's, never less.
    chunk_px : int
        Side of the part of a slide that is recorded at once.
    batch : int
        Windows in one call of the network; halved by itself where memory does not suffice. On a CPU more
        than one gains nothing (0.41 s of one core per megapixel from 1 × 512² to 4 × 1024²) and costs memory.
    threads : int, optional
        Threads in total, see `Workers`; by default one for each core.
    provider : {"cpu", "cuda", "openvino"}
        Where the network runs.
    resume : bool
        Go on with an earlier run of the same slide, bundle and configuration.

    Notes
    -----
    `threshold`, `point`, `stage`, `subtype`, `prior_shift`, `batch`, `threads`, `provider` and `resume` leave
    the candidates as they are; a run can be resumed under other values of them. See `result_fields`.
    """

    roi: tuple[float, float, float, float] | None = None
    threshold: Annotated[float, Field(ge=0, le=1)] | None = None
    point: str | None = None
    mpp: float | None = None
    mpp_override: bool = False
    stage: Stage | None = None
    quality: Quality | None = None
    subtype: bool = False
    prior_shift: bool = True
    window_px: Positive | None = None
    halo_px: Annotated[int, Field(ge=0)] | None = None
    chunk_px: Positive = CHUNK_PX
    batch: Positive = 1
    threads: Positive | None = None
    provider: Provider = "cpu"
    resume: bool = True

    @model_validator(mode="after")
    def _chunk_is_moderate(self) -> Self:
        if self.chunk_px > 8192:
            raise ValueError("chunk_px above 8192 would not fit into memory")
        return self

    @model_validator(mode="after")
    def _one_threshold(self) -> Self:
        if self.threshold is not None and self.point is not None:
            raise ValueError("a threshold and an operating point are given: give one of the two")
        return self

    def result_fields(self) -> dict[str, object]:
        """Return the fields that change which candidates are found."""
        return self.model_dump(mode="json", include={"roi", "mpp"})
