"""Contrast transfer in LAB between source pictures (Akram et al. 2018, section 2: augmentation).

Every window may take the colour statistics of a random picture of any source, so that the laboratory says
nothing about the class: positives and negatives come from different laboratories here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mitoscope.data.field import Field
from mitoscope.data.sampling import is_crop
from mitoscope.errors import TrainingDataError
from mitoscope.geometry import BoxPx

TISSUE_LIGHTNESS: Final = 88.0
"""Pixels of L* below it count as tissue when statistics are taken."""
# Display gamma 2.2 instead of the exact sRGB curve: one power instead of two branches; the augmentation
# needs a perceptual space, not a colorimetric one.
_GAMMA: Final = 2.2
_XYZ = torch.tensor(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
) / torch.tensor([[0.95047], [1.0], [1.08883]])  # sRGB primaries, D65 white (IEC 61966-2-1)
_XYZ_INVERSE = torch.linalg.inv(_XYZ)
_LAB = torch.tensor([[0.0, 116.0, 0.0], [500.0, -500.0, 0.0], [0.0, 200.0, -200.0]])
_LAB_INVERSE = torch.linalg.inv(_LAB)


def mix(planes: Tensor, matrix: Tensor) -> Tensor:
    """Multiply every pixel's column of three values by a matrix, (3, 3) or (n, 3, 3)."""
    n, _, height, width = planes.shape
    return torch.matmul(matrix, planes.reshape(n, 3, height * width)).reshape(n, 3, height, width)


def to_lab(rgb: Tensor) -> Tensor:
    """Convert RGB in [0, 1] to LAB (CIE 1976, without its linear part near black)."""
    linear = mix(rgb.clamp_min(1e-4).pow(_GAMMA), _XYZ).clamp_min(1e-4)
    lab = mix(torch.exp(torch.log(linear) / 3), _LAB)
    lab[:, 0] -= 16
    return lab


def from_lab(lab: Tensor) -> Tensor:
    """Convert LAB to RGB in [0, 1]."""
    lab = lab.clone()
    lab[:, 0] += 16
    cube_root = mix(lab, _LAB_INVERSE).clamp_min(0.02)
    return mix(cube_root * cube_root * cube_root, _XYZ_INVERSE).clamp(1e-6, 1).pow(1 / _GAMMA)


def tissue_statistics(lab: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation of the tissue pixels, each (n, 3)."""
    mask = (lab[:, :1] < TISSUE_LIGHTNESS).to(lab.dtype)
    count = mask.sum((2, 3)).clamp_min(20)
    mean = (lab * mask).sum((2, 3)) / count
    deviation = (((lab - mean[:, :, None, None]) ** 2 * mask).sum((2, 3)) / count).sqrt()
    return mean, deviation


_SIDE_PX: Final = 128
_RATIO: Final = (0.6, 1.6)
"""Limits of the change of contrast, so that noise is not blown up into chromatin."""
_PARTS_MAX: Final = 64
"""Parts of one field: a whole slide has hundreds of thousands."""
_FIELD_SHARE: Final = 0.4
"""Share of the bank that comes from whole fields, although there are far more crops."""


def build_bank(fields: Sequence[Field]) -> Tensor:
    """Return mean and standard deviation in LAB of parts of all fields, shape (n, 6).

    Raises
    ------
    TrainingDataError
        If no field shows tissue.
    """
    parts: dict[bool, list[Tensor]] = {True: [], False: []}
    for index, field in enumerate(fields):
        for left, top in _corners(field, np.random.default_rng((index, 9))):
            part = field.window(BoxPx(left, top, _SIDE_PX, _SIDE_PX))[::2, ::2]
            parts[is_crop(field)].append(torch.from_numpy(np.ascontiguousarray(part)))
    banks = {kind: _statistics(tiles) for kind, tiles in parts.items() if tiles}
    if len(banks) == 2:
        wanted = len(banks[True]) * _FIELD_SHARE / (1 - _FIELD_SHARE)
        repeats = max(round(wanted / max(len(banks[False]), 1)), 1)
        banks[False] = banks[False].repeat(repeats, 1)
    bank = torch.cat([torch.empty(0, 6), *banks.values()])
    if not len(bank):
        raise TrainingDataError(
            "no tissue to take colours from", where="the training side", mend="augment.contrast_transfer = 0"
        )
    return bank


def _corners(field: Field, random: np.random.Generator) -> list[tuple[int, int]]:
    """Return the corners of the parts of a field; of a whole slide some, drawn."""
    rows = range(0, field.height - _SIDE_PX + 1, _SIDE_PX * 2)
    columns = range(0, field.width - _SIDE_PX + 1, _SIDE_PX * 2)
    count = len(rows) * len(columns)
    chosen = range(count) if count <= _PARTS_MAX else random.choice(count, _PARTS_MAX, replace=False).tolist()
    return [(columns[place % len(columns)], rows[place // len(columns)]) for place in chosen]


def _statistics(tiles: list[Tensor]) -> Tensor:
    rows = []
    for start in range(0, len(tiles), 128):
        planes = torch.stack(tiles[start : start + 128]).permute(0, 3, 1, 2).float() / 255
        rows.append(torch.cat(tissue_statistics(to_lab(planes)), 1))
    bank = torch.cat(rows)
    # Parts that are nearly empty have no contrast to give.
    return bank[torch.isfinite(bank).all(1) & (bank[:, 3] > 3)]


def field_statistics(fields: Sequence[Field]) -> Tensor:
    """Return mean and deviation in LAB of each field over its parts, shape (n, 6); NaN without tissue."""
    rows = []
    for index, field in enumerate(fields):
        corners = _corners(field, np.random.default_rng((index, 9)))
        parts = [field.window(BoxPx(left, top, _SIDE_PX, _SIDE_PX))[::2, ::2] for left, top in corners]
        tiles = [torch.from_numpy(np.ascontiguousarray(part)) for part in parts]
        own = _statistics(tiles) if tiles else torch.empty(0, 6)
        mean, square = own[:, :3].mean(0), (own[:, 3:] ** 2 + own[:, :3] ** 2).mean(0)
        rows.append(torch.cat([mean, (square - mean**2).clamp_min(0).sqrt()]))
    return torch.stack(rows)


def transfer_whole(rgb: Tensor, own: Tensor, bank: Tensor, generator: torch.Generator) -> Tensor:
    """Move every picture all the way from the statistics of its field to those of a random entry of the bank.

    Parameters
    ----------
    rgb : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].
    own, bank : Tensor of float32, shape (n, 6) and (m, 6)
        From `field_statistics`; a picture whose field has none stays as it is.
    """
    known = bank[torch.isfinite(bank).all(1)]
    target = known[torch.randint(len(known), (len(rgb),), generator=generator)]
    stays = ~torch.isfinite(own).all(1, keepdim=True)
    own = torch.where(stays, target, own)
    moved = _moved(
        to_lab(rgb), (own[:, :3], own[:, 3:]), (target[:, :3], target[:, 3:]), torch.ones(len(rgb), 1)
    )
    return from_lab(moved)


def transfer(rgb: Tensor, bank: Tensor, generator: torch.Generator) -> Tensor:
    """Move every picture of a batch towards the statistics of a random entry of the bank.

    Parameters
    ----------
    rgb : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].
    bank : Tensor of float32, shape (m, 6)
        From `build_bank`.
    """
    target = bank[torch.randint(len(bank), (len(rgb),), generator=generator)]
    amount = 0.4 + 0.6 * torch.rand(len(rgb), 1, generator=generator)
    lab = to_lab(rgb)
    mean, deviation = tissue_statistics(lab[:, :, ::4, ::4])
    return from_lab(_moved(lab, (mean, deviation), (target[:, :3], target[:, 3:]), amount))


def match(rgb: Tensor, to: Tensor) -> tuple[Tensor, Tensor]:
    """Give pictures the statistics of others, pairwise; also say which of the others have contrast to give.

    Parameters
    ----------
    rgb, to : Tensor of float32, shape (n, 3, h, w)
        In [0, 1].

    Returns
    -------
    tuple of Tensor
        The changed pictures, and bool (n,).
    """
    lab = to_lab(rgb)
    own = tissue_statistics(lab[:, :, ::4, ::4])
    other = tissue_statistics(to_lab(to[:, :, ::4, ::4]))
    moved = from_lab(_moved(lab, own, other, torch.ones(len(rgb), 1)))
    return moved, other[1][:, 0] > 3


def _moved(lab: Tensor, own: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], amount: Tensor) -> Tensor:
    ratio = 1 + amount * ((other[1] / own[1].clamp_min(2.0)).clamp(*_RATIO) - 1)
    mean = own[0] + amount * (other[0] - own[0])
    # White stays white: the change fades out between L* 80 and 96.
    fade = ((96 - lab[:, :1]) / 16).clamp(0, 1)
    change = lab * (ratio - 1)[:, :, None, None] + (mean - own[0] * ratio)[:, :, None, None]
    return lab + change * fade
