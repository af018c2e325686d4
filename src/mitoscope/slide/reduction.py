"""Reducing pixels by a whole factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.pixels import WHITE, Pixels


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
