"""Opening a slide: which reader takes the file."""

from __future__ import annotations

import logging
import stat
from dataclasses import replace
from pathlib import Path

import numpy as np
import openslide
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError, UndecodableError
from mitoscope.geometry import BoxPx
from mitoscope.slide.coded_colours import AS_STATED
from mitoscope.slide.czi import is_czi
from mitoscope.slide.czi_reader import CziReader
from mitoscope.slide.dicom import check_dicom, is_dicom
from mitoscope.slide.foreign import refuse_foreign
from mitoscope.slide.image_reader import ImageSlide
from mitoscope.slide.info import OPTION, SlideInfo
from mitoscope.slide.jpeg_tile_reader import VENDORS, JpegTileReader
from mitoscope.slide.openslide_reader import OpenSlideReader
from mitoscope.slide.probe import probe_slide
from mitoscope.slide.slide import Slide
from mitoscope.slide.tiff_directories import is_tiff
from mitoscope.slide.tiff_layout import read_colours, read_layout
from mitoscope.slide.tiff_reader import TiffReader, describe_tiff

_LOG = logging.getLogger(__name__)
_Content = tuple[str, int, int]
_VERDICTS: dict[_Content, str | None] = {}
"""What the readers disagree about, by file, time of change and size: a slide is compared once a process."""
TOLERANCE_GREY = 2
"""Most grey levels by which two JPEG decoders may differ (promise 5)."""
_MARGIN_PX = 2
_APERIO, _GENERIC = "aperio", "generic-tiff"


def open_slide(
    path: Path | str, *, mpp: float | None = None, mpp_override: bool = False, probe: bool = True
) -> Slide:
    """Open a slide or a plain image.

    What OpenSlide knows (pyramids, tiled TIFF) is opened by OpenSlide and, where it is made of JPEG tiles
    that come out the same, read by libjpeg-turbo; a tiled TIFF that OpenSlide would show otherwise than it is
    stored is read by its tags and streams (`TiffReader`), a CZI by its subblocks (`CziReader`). The
    description says which one reads and why. Any other PNG, JPEG, WebP or TIFF is decoded into memory.

    Parameters
    ----------
    path : Path or str
        The file.
    mpp : float, optional
        Resolution in µm per level-0 pixel of a file that states none, or none that can be believed.
    mpp_override : bool
        Let it replace also what the file states.
    probe : bool
        Open the file in a child process first (about 0.2 s), so that a hostile file cannot take this process
        down. Leave it out only for files that were probed before.

    Raises
    ------
    SlideFormatError
        If the file is missing, empty, a directory, no slide, damaged or hostile.
    ScaleError
        If the resolution is missing or implausible and `mpp` is not given.
    """
    file = Path(path).absolute()
    _check_file(file)
    stored = check_dicom(file) if is_dicom(file) else AS_STATED
    if probe:
        _probe(file)
    if is_czi(file):
        return CziReader(file, mpp=mpp, mpp_override=mpp_override)
    vendor = openslide.OpenSlide.detect_format(file)
    if vendor in {None, _GENERIC}:  # an Olympus VSI is a TIFF, of the label alone
        refuse_foreign(file)
    if vendor is None:
        return _open_unknown(file, mpp=mpp, mpp_override=mpp_override)
    if vendor not in VENDORS and is_tiff(file):
        stored = read_colours(file)
    try:
        reference = OpenSlideReader(file, mpp=mpp, mpp_override=mpp_override, stored=stored)
    except UndecodableError:
        if vendor != _GENERIC:
            raise
        return _open_unknown(file, mpp=mpp, mpp_override=mpp_override)
    return _open_tiff(file, reference) if vendor in VENDORS else _fastest(reference)


def reopen_slide(info: SlideInfo) -> Slide:
    """Open a slide again, in another process or on another machine, where it was opened before.

    Raises
    ------
    SlideFormatError
        If the file is not there, or not the same.
    SlideError
        As `open_slide`.
    """
    assert info.path is not None  # a slide in memory travels with its pixels
    stated = info.mpp.x if info.mpp_source == OPTION else None
    # The readers were compared where the run began; that file and readers are those is seen below.
    content = None if info.reader_reason or not info.path.exists() else _content(info.path)
    if content is not None:
        _VERDICTS.setdefault(content, None)
    slide = open_slide(info.path, mpp=stated, mpp_override=stated is not None, probe=False)
    for what, found, before in (
        ("content", slide.info.fingerprint, info.fingerprint),
        ("reader", slide.info.reader, info.reader),
        ("resolution", slide.info.mpp, info.mpp),
    ):
        if found != before:
            slide.close()
            if content is not None:
                _VERDICTS.pop(content, None)
            raise SlideFormatError(
                f"has another {what} here than where the run began ({found}, there {before})",
                where=info.path,
                mend="let all machines see the same files with the same version of mitoscope",
            )
    return slide


def _open_unknown(file: Path, *, mpp: float | None, mpp_override: bool) -> Slide:
    """Open what OpenSlide does not: a plain image, or a TIFF of tiles in a compression that it has not."""
    if is_tiff(file):
        layout = read_layout(file)
        if layout.pictures[0].tiled:
            return TiffReader(describe_tiff(file, layout, mpp=mpp, mpp_override=mpp_override), layout)
    return ImageSlide(file, mpp=mpp, mpp_override=mpp_override)


def _probe(file: Path) -> None:
    """Probe a file; where OpenSlide does not read it, name the tag that is to blame."""
    try:
        probe_slide(file)
    except UndecodableError as error:
        if is_tiff(file):
            read_layout(file)
        refuse_foreign(file, what=error.what)
        raise


def _open_tiff(file: Path, reference: OpenSlideReader) -> Slide:
    """Judge a tiled TIFF; where OpenSlide would show it otherwise than it is stored, read it without."""
    layout = read_layout(file, [level.size for level in reference.info.levels])
    info = reference.info = replace(reference.info, notes=(*reference.info.notes, *layout.notes))
    reason = layout.unlike_openslide
    if reason is not None:
        _LOG.info("%s is read without OpenSlide: %s", info.name, reason)
        reference.close()
        return TiffReader(info, layout)
    for level, picture in enumerate(layout.pictures):
        if level == 0 or info.vendor != _APERIO:  # lower levels of Aperio's are filled up from above
            reference.lose(level, (picture.table.box(index) for index in picture.missing))
    return _fastest(reference)


def _fastest(reference: OpenSlideReader) -> Slide:
    """Return the fast reader where it reads the same as OpenSlide; else OpenSlide with the reason."""
    try:
        fast = JpegTileReader(reference)
    except SlideFormatError as error:
        reason = error.what
        _LOG.info("%s is read by OpenSlide: %s", reference.info.name, reason)
    else:
        disagreement = _disagreement(fast, reference)
        if disagreement is None:
            _LOG.info("%s is read by the fast reader, which reads the same as OpenSlide", fast.info.name)
            return fast
        reason = disagreement
        _LOG.warning("%s is read by OpenSlide: the fast reader %s", reference.info.name, reason)
    reference.info = replace(reference.info, reader_reason=reason)
    return reference


def _disagreement(fast: JpegTileReader, reference: OpenSlideReader) -> str | None:
    path = reference.info.path
    assert path is not None  # OpenSlide reads files
    content = _content(path)
    if content not in _VERDICTS:
        _VERDICTS[content] = find_disagreement(fast, reference)
    return _VERDICTS[content]


def _content(path: Path) -> _Content:
    status = path.stat()
    return str(path), status.st_mtime_ns, status.st_size


def _check_file(file: Path) -> None:
    try:
        status = file.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SlideFormatError(
                "is a directory",
                where=file,
                mend="give the slide's file (of MIRAX the .mrxs, of DICOM any .dcm)",
            )
        if not stat.S_ISREG(status.st_mode):
            raise SlideFormatError("is not a regular file", where=file)
        if status.st_size == 0:
            raise SlideFormatError("is empty (0 bytes)", where=file, mend="copy it again")
        with file.open("rb"):
            pass
    except FileNotFoundError:
        raise SlideFormatError("no such file", where=file) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise SlideFormatError(
            f"cannot be read ({reason})", where=file, mend="check its permissions"
        ) from None


def find_disagreement(fast: JpegTileReader, reference: OpenSlideReader) -> str | None:
    """Compare both readers on each level: the tiles at the corners and the one with most in it.

    Returns
    -------
    str or None
        What differs, as ``"decodes …"``; None where the readers agree. A tile that either cannot decode
        proves nothing, unless the fast reader can decode none.
    """
    for level in range(len(reference.info.levels)):
        compared, undecodable = 0, 0
        for index in fast.table(level).samples():
            worst = _worst_difference(fast, reference, level=level, index=index)
            if worst is None:
                undecodable += 1
                continue
            compared += 1
            if worst > TOLERANCE_GREY:
                return f"decodes tile {index} of level {level} {worst:.0f} grey levels apart"
        if undecodable and not compared:
            return f"decodes none of {undecodable} tiles of level {level}"
    return None


def _worst_difference(
    fast: JpegTileReader, reference: OpenSlideReader, *, level: int, index: int
) -> float | None:
    """Return the largest difference over a tile in grey levels; None where only OpenSlide can decode it."""
    size = reference.info.levels[level].size
    tile = fast.table(level).box(index)
    box = tile.intersection(BoxPx(0, 0, size.width, size.height))
    assert box is not None  # tiles lie on their level
    theirs = reference.read(box, level=level)
    ours = fast.tile(level, index)
    if ours is None:
        return None if theirs.valid.any() else 0.0
    expected = ours[: box.height, : box.width].astype(np.float32)
    found, known = theirs.rgb, theirs.valid
    shift_x, shift_y = (_shift(corner, reference.downsamples[level]) for corner in (box.x, box.y))
    if shift_x or shift_y:
        inner = slice(_MARGIN_PX, -_MARGIN_PX), slice(_MARGIN_PX, -_MARGIN_PX)
        expected = _shifted(_shifted(expected, shift_x, axis=1), shift_y, axis=0)[inner]
        found, known = found[inner], known[inner]
    difference = np.abs(expected - found)
    # Choosing pixels by a mask takes as long as all before it, and most tiles are known as a whole.
    return float((difference if known.all() else difference[known]).max(initial=0.0))


def _shift(corner: int, factor: float) -> float:
    """Return how far beside a tile's corner OpenSlide begins to read it, in px of the level.

    It starts on whole px0; where these are no whole px of the level, it interpolates between two of them.
    """
    return round(corner * factor) / factor - corner


def _shifted(rgb: NDArray[np.float32], shift: float, *, axis: int) -> NDArray[np.float32]:
    """Return the colours between neighbours, as OpenSlide interpolates them; the first and last are wrong."""
    neighbour = np.roll(rgb, -1 if shift > 0 else 1, axis=axis)
    between: NDArray[np.float32] = rgb + abs(shift) * (neighbour - rgb)
    return between
