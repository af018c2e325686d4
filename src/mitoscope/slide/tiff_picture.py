"""What a TIFF stores of a slide, as it was judged: see `tiff_layout`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import SizePx
from mitoscope.slide.coded_colours import Colours
from mitoscope.slide.info import StatedScale
from mitoscope.slide.jpeg_tiles import TileTable

if TYPE_CHECKING:
    from tifffile import TiffPage

JPEG = 7
JPEG_2000 = frozenset({33003, 33005, 34712})
WEBP = 50001
WHOLE_PICTURES = frozenset({WEBP, 50002, 52546})
"""WebP and JPEG XL: their streams know their colours."""


class Fourth(IntEnum):
    """What tag 338 says of a fourth sample."""

    UNSPECIFIED = 0
    PREMULTIPLIED = 1
    STRAIGHT = 2


@dataclass(frozen=True, slots=True, eq=False)
class StoredPicture:
    """One page, judged: where its segments lie and what their samples mean.

    Parameters
    ----------
    page : TiffPage
        The parsed tags; the file is not read through it.
    table : TileTable
        Its tiles, or its strips as tiles of the whole width.
    planes : int
        Planes in which the samples are stored apart; 1 where they are together.
    samples : int
        Samples per pixel.
    fourth : Fourth or None
        What a fourth sample is.
    colours : Colours or None
        What the samples are; None for indices into a palette.
    bits : int
        Bits that samples use: the largest value is white.
    palette : ndarray of uint8, shape (n, 3), or None
    contradictions : tuple of str
        Tags that the streams contradict, as notes; other readers get the colours wrong.
    beliefs : tuple of str
        Tags that were believed because the streams say nothing, as notes.
    depth_by : str
        What states the depth.
    orientation : int
        The value of tag 274.
    missing : tuple of int
        Indices of tiles that are not stored.
    filled_up : bool
        Whether the file counts what fills the last tiles as a part of the level.
    """

    page: TiffPage
    table: TileTable
    planes: int
    samples: int
    fourth: Fourth | None
    colours: Colours | None
    bits: int
    palette: NDArray[np.uint8] | None
    contradictions: tuple[str, ...]
    beliefs: tuple[str, ...]
    depth_by: str
    orientation: int
    missing: tuple[int, ...]
    filled_up: bool = False

    @property
    def size(self) -> SizePx:
        """Size in px of the level."""
        return self.table.size

    @property
    def tiled(self) -> bool:
        """Whether it is stored in tiles, not in strips."""
        return bool(self.page.is_tiled)

    @property
    def compression(self) -> int:
        """The value of tag 259."""
        return int(self.page.compression)

    @property
    def unlike_openslide(self) -> str | None:
        """What keeps OpenSlide from reading this page as it is stored, or None."""
        if self.contradictions:
            return "streams contradict tag 262 (PhotometricInterpretation)"
        if self.orientation != 1 and self.compression != JPEG:
            return f"tag 274 (Orientation) is {self.orientation}"
        if self.bits != 8 and self.palette is None:
            return f"has samples of {self.bits} bits"
        if self.planes > 1:
            return "stores its samples in planes"
        if self.fourth is not None:
            return "has a fourth sample"  # libtiff takes any for transparency
        if self.filled_up:
            return "is filled up to whole tiles"
        return None


@dataclass(frozen=True, slots=True, eq=False)
class TiffLayout:
    """The pictures of a TIFF that show the slide, the largest first.

    Parameters
    ----------
    pictures : tuple of StoredPicture
    sub_levels : bool
        Whether levels are stored in sub-directories, where OpenSlide sees none.
    scale : StatedScale or None
        The resolution that the file states.
    left_out : tuple of str
        Sizes of pages that OpenSlide takes for levels and that show something else than level 0.
    """

    pictures: tuple[StoredPicture, ...]
    sub_levels: bool = False
    scale: StatedScale | None = None
    left_out: tuple[str, ...] = ()

    @property
    def unlike_openslide(self) -> str | None:
        """What keeps OpenSlide from reading the slide as it is stored, or None."""
        if self.sub_levels:
            return "keeps its pyramid in sub-directories (tag 330)"
        if self.left_out:
            return f"has a page of {self.left_out[0]} that is no level"
        for index, picture in enumerate(self.pictures):
            if (reason := picture.unlike_openslide) is not None:
                return f"level {index} {reason}"
        return None

    @property
    def notes(self) -> tuple[str, ...]:
        """What was decided where the file is odd."""
        return tuple(self._notes())

    def _notes(self) -> Iterator[str]:
        first, notes = self.pictures[0], dict[str, None]()
        for picture in self.pictures:
            notes.update(dict.fromkeys([*picture.contradictions, *picture.beliefs]))
        yield from notes
        if first.orientation != 1:
            yield (
                f"tag 274 (Orientation) is {first.orientation} and was ignored: positions refer to the pixels"
                " as stored"
            )
        if first.missing:
            count = first.table.across * first.table.down
            yield f"{len(first.missing)} of {count} tiles are not stored in the file: they are gaps"
        if first.fourth is Fourth.UNSPECIFIED:
            yield "a fourth sample, which no tag 338 (ExtraSamples) calls transparency, was left out"
        for size in self.left_out:
            yield f"a page of {size} does not show the slide and is no level"
        if first.bits > 8:
            yield f"samples of {first.bits} bits were scaled to 8"
