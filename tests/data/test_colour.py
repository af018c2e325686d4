"""Colour space, contrast transfer and stain jitter."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torchvision.transforms.v2 import RandomPhotometricDistort, functional

from mitoscope.data import colour
from mitoscope.data.colour import jitter
from mitoscope.data.contrast_transfer import (
    build_bank,
    from_lab,
    match,
    tissue_statistics,
    to_lab,
    transfer,
    transfer_whole,
)
from mitoscope.data.picture import Picture

pytestmark = pytest.mark.train


def _tissue(n: int = 4) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    colour = torch.tensor([0.7, 0.45, 0.65]).reshape(1, 3, 1, 1)
    return (colour + 0.12 * torch.randn(n, 3, 32, 32, generator=generator)).clamp(0.02, 0.98)


def test_lab_of_white_grey_and_red() -> None:
    colours = torch.tensor([[1.0, 1, 1], [0.5, 0.5, 0.5], [1, 0, 0]]).reshape(3, 3, 1, 1)
    lab = to_lab(colours)[..., 0, 0]
    assert lab[0].tolist() == pytest.approx([100, 0, 0], abs=0.1)
    assert lab[1].tolist() == pytest.approx([53.9, 0, 0], abs=0.5)  # gamma 2.2 for the sRGB curve
    assert lab[2].tolist() == pytest.approx([53.2, 80.1, 67.2], abs=2.5)


def test_lab_and_back() -> None:
    rgb = _tissue()
    assert (from_lab(to_lab(rgb)) - rgb).abs().max() < 0.01


def test_matched_pictures_have_the_statistics_of_the_others() -> None:
    rgb = _tissue()
    other = (rgb.flip(0) * torch.tensor([0.8, 1.1, 1.0]).reshape(1, 3, 1, 1)).clamp(0.02, 0.98)
    moved, fits = match(rgb, other)
    assert fits.all()
    mean, _ = tissue_statistics(to_lab(moved))
    wanted, _ = tissue_statistics(to_lab(other))
    before, _ = tissue_statistics(to_lab(rgb))
    assert ((mean - wanted).abs().sum(1) < 0.6 * (before - wanted).abs().sum(1)).all()


def test_white_stays_white_in_the_transfer(pictures: tuple[Picture, ...]) -> None:
    bank = build_bank(pictures)
    rgb = _tissue()
    rgb[:, :, :8] = 1.0
    moved = transfer(rgb, bank, torch.Generator().manual_seed(1))
    assert moved[:, :, :8].min() > 0.985
    assert (moved - rgb).abs().mean() > 0.005


def test_the_bank_has_tissue_of_crops_and_fields(pictures: tuple[Picture, ...]) -> None:
    bank = build_bank(pictures)
    assert bank.shape[1] == 6
    assert torch.isfinite(bank).all()
    assert (bank[:, 3] > 3).all()


def test_jitter_without_strength_changes_nothing() -> None:
    rgb = _tissue().clamp_min(0.05)
    assert (jitter(rgb, torch.Generator(), strength=0.0) - rgb).abs().max() < 1e-3


def test_jitter_is_drawn_for_every_picture_and_replayable() -> None:
    rgb = _tissue(1).expand(3, 3, 32, 32)
    first = jitter(rgb, torch.Generator().manual_seed(5), strength=1.0)
    assert torch.equal(first, jitter(rgb, torch.Generator().manual_seed(5), strength=1.0))
    assert (first[0] - first[1]).abs().mean() > 0.01
    assert first.min() >= 0
    assert first.max() <= 1


def test_chromatin_stays_dark_whatever_the_stains_become() -> None:
    dark = torch.tensor([0.002, 0.06, 0.2]).reshape(1, 3, 1, 1).expand(400, 3, 2, 2)  # out of a LAB transfer
    out = jitter(dark, torch.Generator().manual_seed(2), strength=1.0)
    assert (out.mean((1, 2, 3)) < 0.45).float().mean() > 0.98


def test_the_photometric_distortion_is_torchvision_s(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb, theirs = _tissue(16), RandomPhotometricDistort()
    made: list[tuple[torch.Tensor, dict[str, object]]] = []
    generator = torch.Generator().manual_seed(5)
    names = ("brightness", "contrast", "saturation", "hue")
    for name in names:
        own = getattr(functional, f"adjust_{name}")

        def noted(picture: torch.Tensor, factor: float, name: str = name, own: Any = own) -> torch.Tensor:
            made[-1][1][f"{name}_factor"] = factor
            made[-1][1]["order"] = (*made[-1][1]["order"], name)  # type: ignore[misc]
            return torch.as_tensor(own(picture, factor))

        monkeypatch.setattr(functional, f"adjust_{name}", noted)
    changed = []
    for picture in rgb:
        made.append((picture, {"order": ()}))
        changed.append(colour.distort(picture[None], generator)[0])
    monkeypatch.undo()
    orders = set()
    for own, (picture, drawn) in zip(changed, made, strict=True):
        order = drawn.pop("order")
        orders.add(order)
        params = dict.fromkeys([f"{name}_factor" for name in names]) | drawn
        assert isinstance(order, tuple)
        last = "contrast" in order and order[-1] == "contrast" and set(order) & {"saturation", "hue"}
        expected = theirs.transform(
            picture, params | {"contrast_before": not last, "channel_permutation": None}
        )
        assert sorted(own.mean(dim=(1, 2)).tolist()) == pytest.approx(
            sorted(expected.mean(dim=(1, 2)).tolist()), abs=1e-6
        )
    assert len(orders) > 5
    assert any(not torch.equal(own, picture) for own, (picture, _) in zip(changed, made, strict=True))


def test_a_window_is_moved_by_the_statistics_of_its_field_not_its_own() -> None:
    rgb = _tissue(2)
    lab = to_lab(rgb)
    mean, deviation = tissue_statistics(lab)
    own = torch.cat([mean, deviation], 1)
    same = transfer_whole(rgb, own[:1].expand(2, 6), own[:1], torch.Generator().manual_seed(0))
    assert (same - rgb).abs().max() < 0.02  # towards what its field has already
    shifted = own[:1] + torch.tensor([[-10.0, 0, 0, 0, 0, 0]])
    darker = transfer_whole(rgb, own[:1].expand(2, 6), shifted, torch.Generator().manual_seed(0))
    change = to_lab(darker)[:, 0].mean((1, 2)) - lab[:, 0].mean((1, 2))
    assert change.tolist() == pytest.approx([-10, -10], abs=1.0)
    unknown = torch.full((2, 6), float("nan"))
    kept = transfer_whole(rgb, unknown, own, torch.Generator().manual_seed(0))
    assert (kept - rgb).abs().max() < 0.02
