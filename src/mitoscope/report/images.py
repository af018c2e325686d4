"""Pictures inside the page: encoded small, carried as data URIs."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Encoding = Literal["webp", "jpeg", "png"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture ready for the page.

    Parameters
    ----------
    uri : str
        ``data:image/...;base64,...``
    width, height : int
        Size in picture pixels.
    """

    uri: str
    width: int
    height: int


def encode(rgb: NDArray[np.uint8], *, encoding: Encoding = "webp", quality: int = 82) -> bytes:
    """Return an encoded picture; the same pixels give the same bytes.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
        Pixels.
    encoding : {"webp", "jpeg", "png"}
        WebP for crops and views, PNG for drawings.
    quality : int
        For WebP and JPEG.
    """
    buffer = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(rgb))
    match encoding:
        case "webp":
            image.save(buffer, "WEBP", quality=quality, method=4)
        case "jpeg":
            image.save(buffer, "JPEG", quality=quality, subsampling=0, optimize=True)
        case "png":
            image.save(buffer, "PNG", compress_level=6)
    return buffer.getvalue()


def picture(rgb: NDArray[np.uint8], *, encoding: Encoding = "webp", quality: int = 82) -> Picture:
    """Return pixels, uint8, shape (h, w, 3), as a picture for the page."""
    text = base64.b64encode(encode(rgb, encoding=encoding, quality=quality)).decode("ascii")
    return Picture(f"data:image/{encoding};base64,{text}", rgb.shape[1], rgb.shape[0])
