"""How windows are changed at random: what a recipe says in the table ``[augment]``."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mitoscope.config import Config

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=2)]
Scale = Annotated[float, Field(gt=0.2, lt=5)]


class AugmentConfig(Config):
    """How windows are changed at random.

    Parameters
    ----------
    flip : bool
        Mirror half of the windows.
    rotation : {"free", "right-angle", "none"}
    affine : float
        Share of the windows that are rotated freely, scaled, stretched and sheared; the others are turned by
        right angles at most.
    scale_min, scale_max : float
        Range of the scale; above 1 enlarges.
    stretch, shear : float
        Standard deviations: of the logarithm of the ratio of the sides, halved, and of the slant.
    contrast_transfer : float
        Share of the windows that take the colour statistics of another picture, in LAB.
    reinhard, macenko : float
        Shares of the windows whose stain is normalised (Reinhard et al. 2001, Macenko et al. 2009).
    hed : float
        Largest change of haematoxylin, eosin and residual, each by itself (Tellez et al. 2018: 0.05 light,
        0.2 strong).
    stain_strength : float
        Changes of stain vectors, amounts and camera; 1 is the amount documented in `Stain`.
    lighting : float
        Largest change of brightness and contrast, on log-odds as in fastai (``max_lighting``).
    lighting_share : float
        Share of the windows that are lit otherwise.
    focus, noise, jpeg, slide_edge : float
        Shares of the windows that are blurred or sharpened, get noise, are compressed, lie at a white edge.
    """

    flip: bool = True
    rotation: Literal["free", "right-angle", "none"] = "free"
    affine: Share = 1.0
    scale_min: Scale = 0.75
    scale_max: Scale = 1.4
    stretch: Amount = 0.06
    shear: Amount = 0.0
    contrast_transfer: Share = 0.4
    reinhard: Share = 0.0
    macenko: Share = 0.0
    hed: Share = 0.0
    stain_strength: Amount = 1.0
    lighting: Annotated[float, Field(ge=0, lt=1)] = 0.0
    lighting_share: Share = 1.0
    focus: Share = 0.5
    noise: Share = 0.3
    jpeg: Share = 0.3
    slide_edge: Share = 0.12

    @model_validator(mode="after")
    def _ranges_hold(self) -> Self:
        if self.scale_min > self.scale_max:
            raise ValueError("scale_min lies above scale_max")
        if self.contrast_transfer + self.reinhard + self.macenko > 1 + 1e-9:
            raise ValueError("contrast_transfer, reinhard and macenko exclude each other; they add up to more than 1")
        return self

    @classmethod
    def off(cls) -> Self:
        """Return what leaves windows as they are."""
        return cls(
            flip=False,
            rotation="none",
            affine=0,
            contrast_transfer=0,
            stain_strength=0,
            focus=0,
            noise=0,
            jpeg=0,
            slide_edge=0,
        )
