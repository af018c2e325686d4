"""Whether files can be read: images by `mitoscope.slide`, annotations by their format.

Readers are imported where they are used: to list the data sets takes none of them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mitoscope.errors import FormatError, SlideError

ASSUMED_MPP = 0.25
"""µm/px taken for images that state none: whether a file opens does not depend on it."""
PATIENCE_S = 60.0
"""Seconds in which a file opens; more than for one slide, since several are opened at a time."""
_THREADS = min(4, os.cpu_count() or 1)


def image_fault(path: Path) -> str | None:
    """Return why an image cannot be opened, or None. Plain images are decoded as a whole."""
    from mitoscope.slide import open_slide
    from mitoscope.slide.probe import probe_slide

    if path.suffix.casefold() == ".bmp":
        return "is BMP, which mitoscope does not read: save it as PNG beside it"
    try:
        probe_slide(path, time_limit_s=PATIENCE_S)
        with open_slide(path, mpp=ASSUMED_MPP, probe=False):
            return None
    except SlideError as error:
        return error.what


def annotations_fault(path: Path, format_name: str | None) -> str | None:
    """Return why a file of annotations is not of its format, or None. One of no bytes holds no figures."""
    from mitoscope.exchange.format import Content
    from mitoscope.exchange.registry import find_format

    try:
        content = Content(path)
        if format_name is None or not content.head.strip():
            return None
        return None if find_format(format_name).recognises(content) else f"is not of the format {format_name}"
    except FormatError as error:
        return error.what


def table_fault(path: Path) -> str | None:
    """Return why a table of the labels of all images cannot be read, or None."""
    from mitoscope.exchange import truth_csv

    try:
        truth_csv.read(path)
    except FormatError as error:
        return error.what
    return None


def faults(
    jobs: Iterable[Callable[[], str | None]], report: Callable[[float, float], None]
) -> list[str | None]:
    """Run jobs in some threads, in their order, and say how far they are."""
    waiting = list(jobs)
    found: list[str | None] = []
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            for fault in pool.map(lambda job: job(), waiting):
                found.append(fault)
                report(len(found), len(waiting))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return found
