"""SlideRunner's SQLite databases: the format of CCMCT, CMC and the MIDOG challenges."""

from __future__ import annotations

from mitoscope.exchange.format import Aspect, Content, Format
from mitoscope.exchange.sliderunner.reading import read
from mitoscope.exchange.sliderunner.schema import MAGIC, REQUIRED, tables_of
from mitoscope.exchange.sliderunner.writing import write

__all__ = ["FORMAT", "read", "write"]


def _recognises(content: Content) -> bool:
    return content.head.startswith(MAGIC) and REQUIRED.keys() <= tables_of(content.path)


FORMAT = Format(
    name="sliderunner",
    title="SlideRunner SQLite database",
    suffix=".sqlite",
    recognises=_recognises,
    read=read,
    write=write,
    holds=frozenset(
        {
            Aspect.LOOK_ALIKES,
            Aspect.OTHERS,
            Aspect.RATERS,
            Aspect.TIMES,
            Aspect.SHAPES,
            Aspect.PLANES,
            Aspect.DELETED,
            Aspect.GUIDS,
            Aspect.REGIONS,
        }
    ),
)
