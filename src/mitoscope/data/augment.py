"""How windows are changed at random: what a recipe says of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field as Setting
from pydantic import model_validator

from mitoscope.config import Config
from mitoscope.data.placement import Freedom

Share = Annotated[float, Setting(ge=0, le=1)]
Amount = Annotated[float, Setting(ge=0)]


class AugmentConfig(Config):
    """How windows are changed at random; 0 leaves a change out.

    Parameters
    ----------
    rotation : {"free", "right-angle", "none"}
    flips : bool
    affine : float
        Share of the windows that are scaled, stretched, sheared and turned by other than right angles.
    scale_min, scale_max : float
        Range of the scale.
    stretch, shear : float
        One sigma of the change of aspect and of the slant (affine).
    contrast_transfer : float
        Share of the windows that take the colour statistics of another field, in LAB (Akram et al. 2018).
    stain_strength : float
        Stain vectors and amounts in optical density (HED), saturation, gamma; 1 is the amount documented in
        `stain.jitter`.
    lighting, contrast : float
        Greatest change of brightness and of contrast, as ``max_lighting`` of fastai.
    lighting_share : float
        Share of the windows that are lit otherwise.
    focus, noise, jpeg, slide_edge : float
        Shares of the windows that are blurred or sharpened, get noise, are compressed, lie at a white edge.
        Crops of a classifier have no edge, which would hide their cell.
    normalise : {"none", "reinhard", "macenko"}
        Stain normalisation of every window towards one reference, before anything else changes its colours.
    """

    rotation: Literal["free", "right-angle", "none"] = "free"
    flips: bool = True
    affine: Share = 1.0
    scale_min: Annotated[float, Setting(gt=0.2, lt=5)] = 0.75
    scale_max: Annotated[float, Setting(gt=0.2, lt=5)] = 1.4
    stretch: Amount = 0.06
    shear: Amount = 0.0
    contrast_transfer: Share = 0.4
    stain_strength: Amount = 1.0
    lighting: Share = 0.0
    contrast: Share = 0.0
    lighting_share: Share = 1.0
    focus: Share = 0.5
    noise: Share = 0.3
    jpeg: Share = 0.3
    slide_edge: Share = 0.12
    normalise: Literal["none", "reinhard", "macenko"] = "none"

    @model_validator(mode="after")
    def _scales_are_ordered(self) -> AugmentConfig:
        if self.scale_min > self.scale_max:
            raise ValueError("scale_min lies above scale_max")
        return self

    @property
    def freedom(self) -> Freedom:
        """How freely windows lie."""
        return Freedom(
            self.rotation,
            self.flips,
            self.affine,
            self.scale_min,
            self.scale_max,
            self.stretch,
            self.shear,
        )

    @classmethod
    def nothing(cls, normalise: Literal["none", "reinhard", "macenko"] = "none") -> AugmentConfig:
        """Return what leaves windows as they are, for validation."""
        return cls(
            rotation="none", flips=False, affine=0.0, contrast_transfer=0.0, stain_strength=0.0,
            focus=0.0, noise=0.0, jpeg=0.0, slide_edge=0.0, normalise=normalise,
        )  # fmt: skip
