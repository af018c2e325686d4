"""Running a detector under training over whole pictures, as inference will do it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mitoscope.data.picture import Picture
from mitoscope.detections import Detections
from mitoscope.models.points import PointDetector
from mitoscope.tiles.merge import suppress

_BATCH_PX = 4_000_000


def padded(rgb: NDArray[np.uint8], *, halo_px: int, stride_px: int) -> NDArray[np.uint8]:
    """Mirror a picture outwards by the halo, as inference does at a slide's border (Akram et al. 2018)."""
    height, width = rgb.shape[:2]
    halo = -(-halo_px // stride_px) * stride_px
    bottom, right = halo + -height % stride_px, halo + -width % stride_px
    return np.pad(rgb, ((halo, bottom), (halo, right), (0, 0)), mode="symmetric")


def inside(points: NDArray[np.float64], picture: Picture, *, halo_px: int) -> NDArray[np.float64]:
    """Shift points, (n, 3), from the padded picture and keep those on it."""
    points = points - (halo_px, halo_px, 0)
    x, y = points[:, 0], points[:, 1]
    return points[(x >= 0) & (y >= 0) & (x < picture.width) & (y < picture.height)]


def find(
    network: nn.Module,
    pictures: Sequence[Picture],
    *,
    stride_px: int,
    halo_px: int,
    top_k: int = 1024,
    bfloat16: bool = False,
) -> Iterator[NDArray[np.float64]]:
    """Yield for every picture, in order, its points: x, y in px of the picture and score, shape (n, 3)."""
    detector = PointDetector(network, stride_px=stride_px, top_k=top_k)
    was_training = network.training
    network.eval()
    try:
        for group in _groups(pictures):
            windows = np.stack([padded(p.rgb, halo_px=halo_px, stride_px=stride_px) for p in group])
            with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                found = detector(torch.from_numpy(windows)).double().numpy()
            halo = -(-halo_px // stride_px) * stride_px
            for picture, points in zip(group, found, strict=True):
                yield inside(points[points[:, 2] > 0], picture, halo_px=halo)
    finally:
        network.train(was_training)


def _groups(pictures: Sequence[Picture]) -> Iterator[list[Picture]]:
    """Neighbours of one size together, as many as a batch may have."""
    group: list[Picture] = []
    for picture in pictures:
        fits = group and group[0].rgb.shape == picture.rgb.shape
        if group and (not fits or (len(group) + 1) * picture.rgb.size / 3 > _BATCH_PX):
            yield group
            group = []
        group.append(picture)
    if group:
        yield group


def suppressed(points: NDArray[np.float64], *, radius_px: float, floor: float) -> Detections:
    """Turn points into detections above the floor, the lesser of two near ones left out."""
    points = points[points[:, 2] > floor]
    score = np.clip(points[:, 2], 0.0, 1.0)
    return suppress(Detections.of(points[:, :2], score).sort(), radius_px0=radius_px)
