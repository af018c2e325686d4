"""DICOM Microscopy Bulk Simple Annotations: written for a slide and read back (extra ``dicom``).

Coordinates are two-dimensional, in pixels of the total pixel matrix of the slide, whose origin is the upper
left corner of its upper left pixel (PS3.3 C.37.1.2): the frame px0. One group holds the labels of one name by
one rater on cells of one shape; scores are measurements. The whole study rides along in a private element
(:mod:`~mitoscope.exchange.extension`), so that nothing is lost.
"""

from __future__ import annotations

from mitoscope.exchange.dicom.reading import read
from mitoscope.exchange.dicom.writing import write
from mitoscope.exchange.format import EVERYTHING, Content, Format

__all__ = ["FORMAT", "read", "write"]


def _recognises(content: Content) -> bool:
    return content.head[128:132] == b"DICM"


FORMAT = Format(
    name="dicom",
    title="DICOM Microscopy Bulk Simple Annotations (extra dicom)",
    suffix=".dcm",
    recognises=_recognises,
    read=read,
    write=write,
    holds=EVERYTHING,
    one_slide=True,
    holds_nothing=False,
)
