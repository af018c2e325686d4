from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitoscope.errors import ConfigError
from mitoscope.slide.synthetic import DOMAINS, SyntheticSlideConfig, domain_named


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("width", 0),
        ("height", 0),
        ("width", -5),
        ("width", 100_001),
        ("height", 100_001),
        ("mpp", 0.0),
        ("mpp", 0.01),
        ("mpp", 25.0),
        ("mpp", float("nan")),
        ("tissue_fraction", 1.5),
        ("tissue_fraction", -0.1),
        ("mitoses_per_mm2", -1.0),
        ("seed", -1),
        ("tile_px", 300),
        ("jpeg_quality", 5),
        ("ink_colour", "pink"),
        ("colour", "pink"),
        ("domain", {"eosin": (0.0, 0.0, 0.0)}),
        ("domain", {"white": (90.0, 240.0, 240.0)}),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=key):
        SyntheticSlideConfig.of(**{key: value})


@pytest.mark.parametrize("side", [1, 256, 100_000])
def test_sizes_from_one_pixel_to_a_hundred_thousand_are_accepted(side: int) -> None:
    assert SyntheticSlideConfig.of(width=side, height=side).width == side


def test_a_configuration_survives_toml(tmp_path: Path) -> None:
    config = SyntheticSlideConfig.of(width=700, domain=DOMAINS["violet"])
    config.to_toml(tmp_path / "slide.toml")
    assert SyntheticSlideConfig.from_toml(tmp_path / "slide.toml") == config


def test_an_unknown_domain_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="known domains: reference, violet"):
        domain_named("sepia")
