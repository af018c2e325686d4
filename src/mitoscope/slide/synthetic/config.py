"""Configuration of a synthetic slide: size, scale, seed, content, stain domain."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from mitoscope.config import Config
from mitoscope.errors import ConfigError

SIDE_MAX_PX = 100_000
"""Largest width or height of a synthetic slide in level-0 pixels."""

Vector = tuple[float, float, float]


class StainDomain(Config):
    """One laboratory and scanner: stains, optics, species.

    Parameters
    ----------
    haematoxylin, eosin : tuple of float
        Optical density of one unit of stain in red, green and blue; normalised to length 1 when used.
        Ruifrok and Johnston (2001) give (0.65, 0.70, 0.29) and (0.07, 0.99, 0.11); real slides vary.
    haematoxylin_strength, eosin_strength : float
        Factor on the amount of each stain.
    white : tuple of float
        Grey value of empty glass in red, green and blue, in [200, 255].
    blur_um : float
        Standard deviation of the scanner's point spread in µm.
    sharpening : float
        Strength of the scanner's unsharp mask; 0 switches it off.
    noise_grey : float
        Standard deviation of the sensor's noise in grey levels.
    cell_scale : float
        Factor on the size of tumour cells and their nuclei ("species").
    stain_variation : float
        Relative standard deviation by which the seed varies the strength of each stain from slide to slide.
    """

    haematoxylin: Vector = (0.62, 0.73, 0.29)
    eosin: Vector = (0.14, 0.93, 0.34)
    haematoxylin_strength: float = Field(default=1.0, ge=0.2, le=2.5)
    eosin_strength: float = Field(default=1.0, ge=0.2, le=2.5)
    white: Vector = (246.0, 243.0, 242.0)
    blur_um: float = Field(default=0.20, ge=0.0, le=2.0)
    sharpening: float = Field(default=0.6, ge=0.0, le=2.0)
    noise_grey: float = Field(default=1.6, ge=0.0, le=10.0)
    cell_scale: float = Field(default=1.0, ge=0.6, le=1.6)
    stain_variation: float = Field(default=0.05, ge=0.0, le=0.3)

    @model_validator(mode="after")
    def _plausible(self) -> Self:
        for name in ("haematoxylin", "eosin"):
            vector = getattr(self, name)
            if min(vector) < 0 or max(vector) <= 0:
                raise ValueError(f"{name} needs three densities of at least 0, one of them above 0")
        if min(self.white) < 200 or max(self.white) > 255:
            raise ValueError("white needs three grey values in [200, 255]")
        return self


DOMAINS: dict[str, StainDomain] = {
    "reference": StainDomain(),
    "violet": StainDomain(
        haematoxylin=(0.70, 0.66, 0.27),
        eosin=(0.24, 0.93, 0.27),
        haematoxylin_strength=1.15,
        eosin_strength=0.85,
        white=(240.0, 240.0, 244.0),
        cell_scale=0.92,
    ),
    "salmon": StainDomain(
        haematoxylin=(0.60, 0.68, 0.42),
        eosin=(0.12, 0.86, 0.50),
        haematoxylin_strength=1.05,
        eosin_strength=0.9,
        white=(247.0, 243.0, 238.0),
        blur_um=0.24,
    ),
    "canine": StainDomain(
        haematoxylin=(0.64, 0.71, 0.30),
        eosin=(0.16, 0.95, 0.27),
        eosin_strength=1.15,
        cell_scale=0.85,
        sharpening=0.9,
    ),
}
"""Named domains: different laboratories, scanners and species."""


class SyntheticSlideConfig(Config):
    """What a synthetic slide shows.

    Parameters
    ----------
    width, height : int
        Size in level-0 pixels, from 1 to 100,000 each.
    mpp : float
        Resolution in µm per level-0 pixel, from 0.1 to 1.
    seed : int
        Same seed and configuration, same file, byte by byte.
    tissue_fraction : float
        Part of the slide covered by tissue, from 0 (empty glass) to 1 (no glass).
    mitoses_per_mm2, hot_spot_mitoses_per_mm2 : float
        Expected mitotic figures per mm² of tissue, outside and inside of the hot spot; they lie in viable
        carcinoma.
    look_alikes_per_mm2 : float
        Expected look-alikes per mm² of tissue, placed likewise.
    hot_spot_area_mm2 : float
        Area of the hot spot; 2.37 mm² is ten high-power fields. On small slides it is made smaller: at most a
        quarter of the slide.
    tumour_fraction : float
        Part of the tissue that is carcinoma rather than stroma.
    fat, necrosis, ink, dust, out_of_focus : bool
        Whether the slide has these.
    ink_colour : str
        Colour of the marker pen.
    domain : StainDomain
        Stains, optics, species; see `DOMAINS`.
    tile_px : int
        Side of a stored tile.
    jpeg_quality : int
        Quality of the JPEG compression (4:2:0).
    """

    width: int = Field(default=16_384, ge=1, le=SIDE_MAX_PX)
    height: int = Field(default=12_288, ge=1, le=SIDE_MAX_PX)
    mpp: float = Field(default=0.25, ge=0.1, le=1.0)
    seed: int = Field(default=0, ge=0, lt=2**63)
    tissue_fraction: float = Field(default=0.45, ge=0.0, le=1.0)
    tumour_fraction: float = Field(default=0.62, ge=0.0, le=1.0)
    mitoses_per_mm2: float = Field(default=3.0, ge=0.0, le=300.0)
    hot_spot_mitoses_per_mm2: float = Field(default=18.0, ge=0.0, le=300.0)
    hot_spot_area_mm2: float = Field(default=2.37, gt=0.0, le=50.0)
    look_alikes_per_mm2: float = Field(default=10.0, ge=0.0, le=300.0)
    fat: bool = True
    necrosis: bool = True
    ink: bool = True
    ink_colour: Literal["blue", "green", "black"] = "blue"
    dust: bool = True
    out_of_focus: bool = True
    domain: StainDomain = StainDomain()
    tile_px: Literal[256, 512] = 512
    jpeg_quality: int = Field(default=85, ge=50, le=98)

    @classmethod
    def of(cls, **values: Any) -> Self:
        """Build a configuration from keyword arguments.

        Raises
        ------
        ConfigError
            Naming the first value that is unknown or out of range.
        """
        return cls.parse(values, where="synthetic slide")


def domain_named(name: str) -> StainDomain:
    """Return a named stain domain.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    if name not in DOMAINS:
        raise ConfigError(f"no stain domain {name!r}", mend=f"known domains: {', '.join(DOMAINS)}")
    return DOMAINS[name]
