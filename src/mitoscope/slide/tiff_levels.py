"""Which pages of a TIFF are levels of the slide, the largest first.

OpenSlide takes for a level whatever page is called a reduced picture (tag 254): the macro, a mask, the same
picture twice. A level here shows the first page reduced, and that page is the largest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import SizePx
from mitoscope.slide.info import without_filling
from mitoscope.slide.jpeg_tiles import MAX_PAGES

if TYPE_CHECKING:
    from tifffile import TiffPage

_MASK = 4
_REDUCED_OR_MASK = 1 | _MASK
_IMAGEJ_IMAGES = re.compile(r"^images=(\d{1,9})\s*$", re.MULTILINE)
_MEND = "convert the file again from its original"


@dataclass(frozen=True)
class TiffLevels:
    """The levels of a TIFF.

    Parameters
    ----------
    pages : list of TiffPage
        The largest first.
    below : bool
        Whether the lower ones are sub-directories of the first.
    left_out : tuple of str
        Sizes of pages that OpenSlide takes for levels and that are none.
    """

    pages: list[TiffPage]
    below: bool
    left_out: tuple[str, ...]


def find_levels(
    pages: Sequence[TiffPage], sizes: Sequence[SizePx] | None, *, path: Path, description: str
) -> TiffLevels:
    """Return the pages that are levels.

    Parameters
    ----------
    pages : sequence of TiffPage
        All of the file.
    sizes : sequence of SizePx, optional
        The levels as OpenSlide sees them: tiled pages of these sizes. By default all that fit.
    path : Path
        The file, for errors.
    description : str
        Of its first page.

    Raises
    ------
    SlideFormatError
        If the first page is not the largest picture, there is a stack, or sub-directories cannot be followed.
    """
    seen = pages if sizes is None else [_tiled_page(pages, size, path) for size in sizes]
    first = seen[0]
    _check_first(first, pages, path)
    lower = _lower(first, seen[1:])
    taken = seen if sizes is not None else []  # by OpenSlide
    odd = [page for place, page in enumerate(taken) if page not in [first, *lower] or page in taken[:place]]
    below = [] if lower else _sub_levels(first, path)
    _refuse_several(first, pages, description, path)
    return TiffLevels([first, *lower, *below], bool(below), tuple(_in_px(size_of(page)) for page in odd))


def size_of(page: TiffPage) -> SizePx:
    """Return the size that a page states."""
    return SizePx(int(page.imagewidth), int(page.imagelength))


def shown_of(size0: SizePx, page: TiffPage) -> SizePx | None:
    """Return how much of a page is level 0 reduced; None where it shows something else."""
    size = size_of(page)
    factor = size0.width / size.width
    if abs(size.height * factor - size0.height) <= 2 * factor:
        return size
    return without_filling(size0, size, SizePx(page.tilewidth, page.tilelength)) if page.is_tiled else None


def _check_first(first: TiffPage, pages: Sequence[TiffPage], path: Path) -> None:
    """Refuse a slide whose first page is not its largest, since OpenSlide takes the scale from that."""
    pictures = [page for page in pages if page.is_tiled or not first.is_tiled]
    largest = max(pictures, key=lambda page: 0 if page.subfiletype & _MASK else size_of(page).area)
    if first is not pages[0] or size_of(largest).area > size_of(first).area:
        number = pages.index(largest)
        raise SlideFormatError(
            f"its largest picture ({_in_px(size_of(largest))}) is page {number}, not the first",
            where=path,
            mend=f'make it the first: vips tiffsave "IN.tif[page={number}]" OUT.tif --tile --pyramid',
        )


def _tiled_page(pages: Sequence[TiffPage], size: SizePx, path: Path) -> TiffPage:
    same = [
        page for page in pages if page.is_tiled and size_of(page) == size and not page.subfiletype & _MASK
    ]
    if not same:
        raise SlideFormatError(f"has no tiled page of {_in_px(size)}", where=path, mend=_MEND)
    return same[0]


def _sub_levels(page: TiffPage, path: Path) -> list[TiffPage]:
    """Return the lower levels in sub-directories."""
    if not page.subifds or page.pages is None:
        return []
    count = len(page.subifds)
    if count > MAX_PAGES or len(set(page.subifds)) != count:
        what = "tag 330 (SubIFDs) lists directories twice, or too many"
        raise SlideFormatError(what, where=path, mend=_MEND)
    subs: list[Any] = [page.pages.get(index) for index in range(count)]
    return _lower(page, subs)


def _lower(page: TiffPage, others: Sequence[TiffPage]) -> list[TiffPage]:
    """Return the pages that show a tiled page reduced: smaller than the one before, of the same shape."""
    levels = [page]
    for other in others:
        if not (page.is_tiled and other.is_tiled) or other.subfiletype & _MASK:
            continue
        if 0 < other.imagewidth < levels[-1].imagewidth and shown_of(size_of(page), other) is not None:
            levels.append(other)
    return levels[1:]


def _refuse_several(page: TiffPage, pages: Sequence[TiffPage], description: str, path: Path) -> None:
    """Refuse a stack: which of its pictures is meant is not for a reader to say."""
    same = sum(size_of(each) == size_of(page) and not each.subfiletype & _REDUCED_OR_MASK for each in pages)
    stack = _IMAGEJ_IMAGES.search(description) if description.startswith("ImageJ=") else None
    count = max(same, int(stack.group(1)) if stack else 1)
    if count > 1:
        raise SlideFormatError(
            f"holds {count} pictures of the same size", where=path, mend="save the one to be read by itself"
        )


def _in_px(size: SizePx) -> str:
    return f"{size.width} × {size.height} px"
