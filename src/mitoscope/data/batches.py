"""From windows to one batch: cut, transplant, place, colour, texture, targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mitoscope.config import Config
from mitoscope.data.contrast_transfer import build_bank, match, transfer
from mitoscope.data.picture import Picture
from mitoscope.data.placement import Placement
from mitoscope.data.sampling import BatchPlan, HardPool
from mitoscope.data.stain import jitter
from mitoscope.data.target import dense_targets
from mitoscope.data.texture import compress, focus, noise, whiten_edge
from mitoscope.data.window import PATCH_PX, Patch, cut_patch

_FEATHER_PX = 14.0


class AugmentConfig(Config):
    """How windows are changed at random.

    Parameters
    ----------
    scale_min, scale_max : float
        Range of the scale.
    contrast_transfer : float
        Share of the windows that take the colour statistics of another picture, in LAB.
    stain_strength : float
        1 is the amount documented in `stain.jitter`.
    focus, noise, jpeg, slide_edge : float
        Shares of the windows that are blurred or sharpened, get noise, are compressed, lie at a white edge.
    """

    scale_min: float = 0.75
    scale_max: float = 1.4
    contrast_transfer: float = 0.4
    stain_strength: float = 1.0
    focus: float = 0.5
    noise: float = 0.3
    jpeg: float = 0.3
    slide_edge: float = 0.12


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """One batch.

    Parameters
    ----------
    rgb : Tensor of uint8, shape (n, h, w, 3)
    target : Tensor of int8, shape (n, h / stride, w / stride)
        1 figure, 0 background, -1 ignored.
    """

    rgb: Tensor
    target: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Batches:
    """The batches of a training run, each a function of the seed, the step and the pool of hard negatives.

    Nothing is drawn from a state that moves on, so a resumed run needs only the step (promise 19), and any
    batch can be drawn again to look at it.

    Parameters
    ----------
    pictures : tuple of Picture
        The training side of the split.
    plan : BatchPlan
    augment : AugmentConfig
    bank : Tensor
        Colour statistics of all pictures, see `build_bank`.
    window_px, stride_px : int
    figure_radius_px, ignore_radius_px : float
        See `dense_targets`.
    seed : int
    """

    pictures: tuple[Picture, ...]
    plan: BatchPlan
    augment: AugmentConfig
    bank: Tensor
    window_px: int
    stride_px: int
    figure_radius_px: float
    ignore_radius_px: float
    seed: int

    def draw(self, step: int, hard: HardPool) -> Batch:
        """Draw the batch of a step."""
        random = np.random.default_rng((self.seed, step))
        generator = torch.Generator().manual_seed(int(random.integers(2**62)))
        patches = [cut_patch(window, self.pictures) for window in self.plan.draw(random, hard)]
        placement = Placement.draw(
            torch.tensor([patch.centre for patch in patches], dtype=torch.float32),
            generator,
            window_px=self.window_px,
            scales=(self.augment.scale_min, self.augment.scale_max),
        )
        rgb = self._changed(placement.warp(_transplanted(patches)), generator)
        target = dense_targets(
            patches,
            placement,
            stride_px=self.stride_px,
            figure_radius_px=self.figure_radius_px,
            ignore_radius_px=self.ignore_radius_px,
        )
        compress(rgb, random, share=self.augment.jpeg)
        whiten_edge(rgb, target, random, share=self.augment.slide_edge)
        return Batch(torch.from_numpy(rgb), torch.from_numpy(target))

    def _changed(self, rgb: Tensor, generator: torch.Generator) -> NDArray[np.uint8]:
        chosen = torch.rand(len(rgb), generator=generator) < self.augment.contrast_transfer
        index = chosen.nonzero()[:, 0]
        if len(index):
            rgb = rgb.index_copy(0, index, transfer(rgb[index], self.bank, generator))
        rgb = jitter(rgb, generator, strength=self.augment.stain_strength)
        rgb = focus(rgb, generator, share=self.augment.focus)
        rgb = noise(rgb, generator, share=self.augment.noise)
        pixels = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1)
        return np.ascontiguousarray(pixels.numpy())


def _transplanted(patches: list[Patch]) -> Tensor:
    """Stack the patches, float (n, 3, s, s) in [0, 1], figures transplanted with a feathered edge."""
    rgb = torch.from_numpy(np.stack([patch.rgb for patch in patches])).permute(0, 3, 1, 2).float() / 255
    discs = [(index, patch.transplant) for index, patch in enumerate(patches) if patch.transplant is not None]
    if not discs:
        return rgb
    index = torch.tensor([index for index, _ in discs])
    ground = torch.from_numpy(np.stack([disc[0] for _, disc in discs])).permute(0, 3, 1, 2).float() / 255
    x, y, radius = (torch.tensor([disc[i] for _, disc in discs])[:, None, None] for i in (1, 2, 3))
    axis = torch.arange(PATCH_PX) + 0.5
    distance = torch.hypot(axis[None, None, :] - x, axis[None, :, None] - y)
    alpha = ((radius - distance) / _FEATHER_PX + 0.5).clamp(0, 1)[:, None]
    figure, fits = match(rgb[index], ground)
    # A place without tissue has no colours to match: there the window stays whole.
    alpha = torch.where(fits[:, None, None, None], alpha, torch.ones(()))
    figure = torch.where(fits[:, None, None, None], figure, rgb[index])
    return rgb.index_copy(0, index, ground * (1 - alpha) + figure * alpha)


def make_batches(
    pictures: tuple[Picture, ...],
    plan: BatchPlan,
    augment: AugmentConfig,
    *,
    window_px: int,
    stride_px: int,
    figure_radius_px: float,
    ignore_radius_px: float,
    seed: int,
) -> Batches:
    """Take the colour statistics of the pictures and set up the batches."""
    return Batches(
        pictures,
        plan,
        augment,
        build_bank(pictures),
        window_px,
        stride_px,
        figure_radius_px,
        ignore_radius_px,
        seed,
    )
