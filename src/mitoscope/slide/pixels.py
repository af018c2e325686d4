"""What a read returns: colours, which are real, which were lost; and reducing them by a whole factor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import BoxPx, SizePx

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


def reduced_size(size: SizePx, reduction: int) -> SizePx:
    """Return a size in reduced pixels; a last pixel that is partly outside counts."""
    return SizePx(-(-size.width // reduction), -(-size.height // reduction))


def reduced_rgb(rgb: NDArray[np.uint8], reduction: int) -> NDArray[np.uint8]:
    """Return the means of blocks of `reduction` × `reduction` pixels (h, w, 3), rounded."""
    return np.array(Image.fromarray(rgb).reduce(reduction))


def block_means(pixels: Pixels, reduction: int) -> Pixels:
    """Return the means of blocks of `reduction` × `reduction` pixels.

    A new pixel is valid where at least half of what it covers is. A last block that reaches beyond the
    pixels continues their border, which is not valid there. Damaged boxes stay in the frame they are in,
    reduced.
    """
    height, width = pixels.valid.shape
    size = reduced_size(SizePx(width, height), reduction)
    around = (0, size.height * reduction - height), (0, size.width * reduction - width)
    colours = np.pad(pixels.rgb, (*around, (0, 0)), mode="edge")
    rgb = reduced_rgb(colours, reduction)
    known = np.pad(pixels.valid, around, constant_values=False)
    blocks = known.reshape(size.height, reduction, size.width, reduction)
    valid = np.asarray(2 * blocks.sum(axis=(1, 3)) >= reduction * reduction)
    rgb[~valid] = WHITE
    return Pixels(rgb, valid, tuple(reduced_box(box, reduction) for box in pixels.damaged))


def reduced_box(box: BoxPx, reduction: int) -> BoxPx:
    """Return the reduced pixels that a box touches."""
    x, y = box.x // reduction, box.y // reduction
    return BoxPx(x, y, -(-box.right // reduction) - x, -(-box.bottom // reduction) - y)
