from __future__ import annotations

import pytest
import torch

from mitoscope.data.augment import AugmentConfig
from mitoscope.data.colour import relight
from mitoscope.errors import ConfigError

pytestmark = pytest.mark.train


def test_misspelt_keys_and_ranges_are_refused() -> None:
    with pytest.raises(ConfigError, match="unknown setting 'rotations'; allowed: "):
        AugmentConfig.parse({"rotations": "free"}, where="r.toml")
    with pytest.raises(ConfigError, match="scale_min lies above scale_max"):
        AugmentConfig.parse({"scale_min": 1.2, "scale_max": 1.1}, where="r.toml")
    with pytest.raises(ConfigError, match="key 'jpeg'"):
        AugmentConfig.parse({"jpeg": 1.5}, where="r.toml")


def test_only_a_share_is_lit_and_nothing_is_cut_off() -> None:
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(200, 3, 6, 6, generator=generator)
    out = relight(rgb, generator, lighting=0.3, contrast=0.3, share=0.5)
    changed = (out - rgb).abs().amax((1, 2, 3)) > 1e-6
    assert 70 < changed.sum() < 130
    assert torch.equal(out[~changed], rgb[~changed])
    assert out.min() > 0
    assert out.max() < 1
    one = out[changed][0].flatten()[rgb[changed][0].flatten().argsort()]
    assert (one.diff() >= -1e-6).all()  # lighter stays lighter
