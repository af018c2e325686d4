"""Contrast transfer in LAB between source pictures (Akram et al. 2018, section 2: augmentation).

Every window may take the colour statistics of a random picture of any source, so that the laboratory says
nothing about the class: positives and negatives come from different laboratories here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import torch
from torch import Tensor

from mitoscope.data.augment.colour_space import from_lab, tissue_statistics, to_lab
from mitoscope.data.field import Field
from mitoscope.data.sampling.semi import is_crop

_SIDE_PX: Final = 128
_PARTS_MAX: Final = 64
"""Of one field, about."""
_RATIO: Final = (0.6, 1.6)
"""Limits of the change of contrast, so that noise is not blown up into chromatin."""
_PARTS_MAX: Final = 32
"""Parts of one field: a whole slide would give hundreds of thousands."""
CONTRAST_MIN: Final = 3.0
"""Standard deviation of L* below which a part is empty."""
_FIELD_SHARE: Final = 0.4
"""Share of the bank that comes from whole fields, although there are far more crops."""


def build_bank(fields: Sequence[Field], *, seed: int = 0) -> Tensor:
    """Return mean and standard deviation in LAB of parts of all fields, shape (n, 6).

    Of a large field some parts are taken, drawn by the seed.
    """
    parts: dict[bool, list[Tensor]] = {True: [], False: []}
    for index, field in enumerate(fields):
        for left, top in _corners(field, np.random.default_rng((seed, index, 8))):
            part = field.cut(left=left, top=top, side=_SIDE_PX)[::2, ::2]
            parts[is_crop(field)].append(torch.from_numpy(np.ascontiguousarray(part)))
    banks = {kind: _statistics(tiles) for kind, tiles in parts.items() if tiles}
    if len(banks) == 2:
        wanted = len(banks[True]) * _FIELD_SHARE / (1 - _FIELD_SHARE)
        repeats = max(round(wanted / max(len(banks[False]), 1)), 1)
        banks[False] = banks[False].repeat(repeats, 1)
    return torch.cat([torch.empty(0, 6), *banks.values()])


def _corners(field: Field, random: np.random.Generator) -> list[tuple[int, int]]:
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
    return bank[torch.isfinite(bank).all(1) & (bank[:, 3] > CONTRAST_MIN)]


@dataclass(frozen=True, slots=True)
class Transfer:
    """A move towards the colour statistics of another picture, as drawn.

    Parameters
    ----------
    mean, deviation : tuple of 3 float
        In LAB.
    amount : float
        1 takes them over wholly.
    """

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]
    amount: float

    @classmethod
    def draw(cls, random: np.random.Generator, bank: Tensor) -> Self:
        """Draw an entry of the bank and an amount of 0.4 to 1."""
        return cls.towards(bank[int(random.integers(len(bank)))], amount=random.uniform(0.4, 1.0))

    @classmethod
    def towards(cls, statistics: Tensor, *, amount: float = 1.0) -> Self:
        """Return the move towards statistics, shape (6,)."""
        a, b, c, d, e, f = statistics.tolist()
        return cls((a, b, c), (d, e, f), amount)

    def apply(self, rgb: Tensor) -> Tensor:
        """Move pictures, float (n, 3, h, w) in [0, 1]."""
        lab = to_lab(rgb)
        own = tissue_statistics(lab[:, :, ::4, ::4])
        other = (torch.tensor([self.mean]), torch.tensor([self.deviation]))
        return from_lab(_moved(lab, own, other, self.amount))


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
    moved = from_lab(_moved(lab, own, other, 1.0))
    return moved, other[1][:, 0] > CONTRAST_MIN


def _moved(lab: Tensor, own: tuple[Tensor, Tensor], other: tuple[Tensor, Tensor], amount: float) -> Tensor:
    ratio = 1 + amount * ((other[1] / own[1].clamp_min(2.0)).clamp(*_RATIO) - 1)
    mean = own[0] + amount * (other[0] - own[0])
    # White stays white: the change fades out between L* 80 and 96.
    fade = ((96 - lab[:, :1]) / 16).clamp(0, 1)
    change = lab * (ratio - 1)[:, :, None, None] + (mean - own[0] * ratio)[:, :, None, None]
    return lab + change * fade
