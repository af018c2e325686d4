"""Opening a slide: which reader takes the file."""

from __future__ import annotations

import logging
import stat
from dataclasses import replace
from pathlib import Path

import openslide

from mitoscope.errors import SlideFormatError
from mitoscope.slide.image_reader import ImageSlide, check_colours
from mitoscope.slide.jpeg_tile_reader import JpegTileReader
from mitoscope.slide.openslide_reader import OpenSlideReader
from mitoscope.slide.probe import probe_slide
from mitoscope.slide.reader_check import find_disagreement
from mitoscope.slide.slide import Slide

_LOG = logging.getLogger(__name__)
_Content = tuple[str, int, int]
_VERDICTS: dict[_Content, str | None] = {}
"""What the readers disagree about, by file, time of change and size: a slide is compared once a process."""


def open_slide(path: Path | str, *, mpp: float | None = None, probe: bool = True) -> Slide:
    """Open a slide or a plain image.

    What OpenSlide knows (pyramids, tiled TIFF) is opened by OpenSlide and, where it is made of JPEG tiles
    that come out the same, read by libjpeg-turbo; the description says which one reads and why. Any other
    PNG, JPEG, WebP or TIFF is decoded into memory.

    Parameters
    ----------
    path : Path or str
        The file.
    mpp : float, optional
        Resolution in µm per level-0 pixel; replaces what the file says.
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
    if probe:
        probe_slide(file)
    vendor = openslide.OpenSlide.detect_format(file)
    if vendor is None:
        return ImageSlide(file, mpp=mpp)
    if vendor == "generic-tiff":
        check_colours(file)
    return _fastest(OpenSlideReader(file, mpp=mpp))


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
            return fast
        reason = disagreement
        _LOG.warning("%s is read by OpenSlide: the fast reader %s", reference.info.name, reason)
    reference.info = replace(reference.info, reader_reason=reason)
    return reference


def _disagreement(fast: JpegTileReader, reference: OpenSlideReader) -> str | None:
    path = reference.info.path
    assert path is not None  # OpenSlide reads files
    status = path.stat()
    content = str(path), status.st_mtime_ns, status.st_size
    if content not in _VERDICTS:
        _VERDICTS[content] = find_disagreement(fast, reference)
    return _VERDICTS[content]


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
