"""What a read returns: colours, which of them are real, and which were lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx

WHITE = 255
_OPAQUE_FROM = 128


@dataclass(frozen=True, eq=False)
class Pixels:
    """Pixels of one box.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        Colours; white wherever `valid` is False.
    valid : ndarray of bool, shape (H, W)
        False outside of the slide, where the scanner left the slide out, and where data are damaged.
    damaged : tuple of BoxPx
        The parts of the box whose data could not be decoded, in the frame in which the box was given. Apart
        from these, an invalid pixel is one that the slide never had.
    """

    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_]
    damaged: tuple[BoxPx, ...] = ()

    @classmethod
    def nothing(cls, width: int, height: int) -> Pixels:
        """Return white, invalid pixels."""
        rgb = np.full((height, width, 3), WHITE, np.uint8)
        return cls(rgb, np.zeros((height, width), np.bool_))

    @classmethod
    def from_rgba(cls, rgba: NDArray[np.uint8]) -> Pixels:
        """Lay straight-alpha pixels (H, W, 4) over white; those less than half opaque are invalid."""
        alpha = rgba[..., 3]
        if int(alpha.min()) == WHITE:
            return cls(np.ascontiguousarray(rgba[..., :3]), np.ones(alpha.shape, np.bool_))
        rgb = np.array(rgba[..., :3])
        valid = alpha >= _OPAQUE_FROM
        rgb[~valid] = WHITE
        mixed = valid & (alpha < WHITE)
        if mixed.any():
            weight = alpha[mixed][:, None].astype(np.uint16)
            laid = rgb[mixed] * weight + WHITE * (WHITE - weight)
            rgb[mixed] = ((laid + WHITE // 2) // WHITE).astype(np.uint8)
        return cls(rgb, valid)
