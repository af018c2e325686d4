from __future__ import annotations

import pytest
import torch

from mitoscope.errors import ConfigError
from mitoscope.train.device import check_devices
from mitoscope.train.recipe import RunRecipe

pytestmark = pytest.mark.train


def test_a_gpu_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    check_devices(RunRecipe(device="cpu", devices=4))
    with pytest.raises(ConfigError, match=r"no GPU.*--device cpu"):
        check_devices(RunRecipe(device="cuda"))


def test_more_gpus_than_there_are_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_devices(RunRecipe(device="cuda", devices=2))
    with pytest.raises(ConfigError, match="3 GPUs asked for, 2 found"):
        check_devices(RunRecipe(device="cuda", devices=3))
