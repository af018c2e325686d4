"""Sampling schemes of the papers, by name; what each draws is a function of the seed and the step."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field as Setting

from mitoscope.data.field import Field
from mitoscope.data.sampling.by_share import (
    CcmctConfig,
    CropsConfig,
    CrowdConfig,
    MidogppConfig,
    plan_ccmct,
    plan_crops,
    plan_crowd,
    plan_midogpp,
)
from mitoscope.data.sampling.candidates import (
    DETECTOR,
    PROPOSAL,
    Candidates,
    CandidatesConfig,
    plan_candidates,
)
from mitoscope.data.sampling.scheme import HardPool, Scheme, anywhere
from mitoscope.data.sampling.semi import SemiConfig, is_crop, plan_semi

__all__ = [
    "DETECTOR",
    "PROPOSAL",
    "Candidates",
    "CandidatesConfig",
    "CcmctConfig",
    "CropsConfig",
    "CrowdConfig",
    "HardPool",
    "MidogppConfig",
    "SamplingConfig",
    "Scheme",
    "SemiConfig",
    "anywhere",
    "is_crop",
    "plan",
]

SamplingConfig = Annotated[
    SemiConfig | CcmctConfig | MidogppConfig | CrowdConfig | CropsConfig | CandidatesConfig,
    Setting(discriminator="kind"),
]
"""The table ``[data.sampling]`` of a recipe."""


def plan(fields: tuple[Field, ...], config: SamplingConfig, *, labels: tuple[str, ...], mpp: float) -> Scheme:
    """Set up a scheme over the training fields.

    Parameters
    ----------
    fields : tuple of Field
    config : SamplingConfig
    labels : tuple of str
        Classes of the model, the mitotic figure first.
    mpp : float
        Resolution of training.

    Raises
    ------
    TrainingDataError
        If a class or a kind of place that the scheme needs is missing.
    ConfigError
        If the model tells other classes apart than the scheme has.
    """
    match config:
        case SemiConfig():
            return plan_semi(fields, config)
        case CcmctConfig():
            return plan_ccmct(fields, config)
        case MidogppConfig():
            return plan_midogpp(fields, config)
        case CrowdConfig():
            return plan_crowd(fields, config, mpp=mpp)
        case CandidatesConfig():
            return plan_candidates(fields, config, labels=labels)
        case _:
            return plan_crops(fields, config, labels=labels)
