"""The tissue mask as a file: a PNG of one bit a pixel, written and read."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mitoscope.errors import FormatError


def encode_mask(mask: NDArray[np.bool_]) -> bytes:
    """Return a mask, shape (h, w), as PNG; the same mask gives the same bytes."""
    buffer = io.BytesIO()
    Image.fromarray(mask).save(buffer, "PNG", compress_level=9)
    return buffer.getvalue()


def read_mask(path: Path) -> NDArray[np.bool_]:
    """Return the mask of a file, shape (h, w).

    Raises
    ------
    FormatError
        If it cannot be decoded.
    """
    try:
        with Image.open(path, formats=["PNG"]) as image:
            return np.asarray(image.convert("L")) > 0
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise FormatError(f"cannot be decoded ({error})", where=path, mend="repeat the detection") from None
