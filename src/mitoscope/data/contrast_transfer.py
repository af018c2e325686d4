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

from mitoscope.data.colour_space import from_lab, tissue_statistics, to_lab
from mitoscope.data.field import Field
from mitoscope.data.sampling import is_crop
from mitoscope.errors import TrainingDataError
from mitoscope.geometry import BoxPx

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
