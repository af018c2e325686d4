"""COCO JSON, and its MIDOG extension: ``labels`` per expert and ``tumor_type``."""

from __future__ import annotations

from mitoscope.exchange.coco.reading import SCORE, read
from mitoscope.exchange.coco.results import is_results
from mitoscope.exchange.coco.writing import write
from mitoscope.exchange.format import EVERYTHING, Content, Format

__all__ = ["FORMAT", "SCORE", "read", "write"]


def _recognises(content: Content) -> bool:
    return {"images", "annotations"} <= content.keys or is_results(content.json)


FORMAT = Format(
    name="coco",
    title="COCO JSON, with MIDOG's labels per expert",
    suffix=".json",
    recognises=_recognises,
    read=read,
    write=write,
    holds=EVERYTHING,
    keeps_numbers=True,
)
