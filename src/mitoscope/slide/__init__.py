"""Slides: where every pixel comes from.

A `Slide` is a description (`SlideInfo`) and one way to read it: ``read(box, level=...) → Pixels``. What lies
outside of the slide, was not scanned or is damaged comes back white and *invalid*; damaged boxes are listed,
so that a result can say what it did not see. Nothing is ever invented.

`open_slide` takes a file by its path. The file is opened in a child process first (`probe_slide`), because
a header can crash a decoder; then by OpenSlide (`OpenSlideReader`), which is kept alive through bad tiles, or
as a plain image (`ImageSlide`). A slide of JPEG tiles is read six to eight times faster by `JpegTileReader`,
after a comparison with OpenSlide. A tiled TIFF that OpenSlide would show otherwise than it is stored, because
tags and streams contradict each other, is read by `TiffReader`, a Zeiss CZI by `CziReader`. The resolution
comes from a tag or from ``--mpp``, never from a guess.

A detector looks at a `Plane`: the slide resampled to the resolution it was trained at, with exact mapping
back to level-0 pixels (px0). Workers share slides within their process through `acquire`. `MemorySlide` is an
array that reads like a slide; `slide.synthetic` writes slides with known truth.
"""

from mitoscope.slide.czi_reader import CziReader
from mitoscope.slide.image_reader import ImageSlide
from mitoscope.slide.info import MPP_TIMES_POWER, POWER_TOLERANCE, Level, SlideInfo, fingerprint
from mitoscope.slide.jpeg_tile_reader import JpegTileReader
from mitoscope.slide.memory_slide import MemorySlide
from mitoscope.slide.opening import open_slide
from mitoscope.slide.openslide_reader import OpenSlideReader
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.plane import Plane, read_thumbnail
from mitoscope.slide.pool import acquire
from mitoscope.slide.probe import probe_slide
from mitoscope.slide.slide import Slide
from mitoscope.slide.tiff_reader import TiffReader

__all__ = [
    "MPP_TIMES_POWER",
    "POWER_TOLERANCE",
    "CziReader",
    "ImageSlide",
    "JpegTileReader",
    "Level",
    "MemorySlide",
    "OpenSlideReader",
    "Pixels",
    "Plane",
    "Slide",
    "SlideInfo",
    "TiffReader",
    "acquire",
    "fingerprint",
    "open_slide",
    "probe_slide",
    "read_thumbnail",
]
