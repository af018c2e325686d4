"""How fast slides are read on this machine: OpenSlide and the fast reader, side by side in one run.

    python benchmarks/reading.py [--side 4096] [--repeats 5] [--write] [SLIDE ...]

Held to: 5 times OpenSlide's megapixels a second of one core on slides of JPEG tiles. Each way of reading is
repeated, both readers in turn, and the median is printed. Seconds are those that the reading thread spent on
a core, so that other work on the machine disturbs the figures little. Every repeat begins with new handles
and empty caches; the file itself is warm.

* bare: a region from OpenSlide, a tile read and decoded by libjpeg-turbo, without this project's `Slide`;
* tile by tile, windows: `Slide.read` on the file's own tiles, and on windows of 2048 px;
* windows with halo: the same with 64 px around, as a detector reads them;
* half scale: the same at twice the µm/px, through `Plane`; OpenSlide's side resamples.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import openslide
from machine import stamp
from results_page import write_page

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import JpegTileReader, OpenSlideReader, Plane, Slide, open_slide
from mitoscope.slide.jpeg_tile_reader import READER, DecodedTileCache
from mitoscope.slide.jpeg_tiles import PositionalFile, TileTable, decode_tile
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

WINDOW_PX, HALO_PX = 2048, 64
HELD_TO = 5.0
RESULT = Path(__file__).parent / "results" / "reading.md"


@dataclass(frozen=True)
class Case:
    """One way of reading a whole slide, by both readers."""

    name: str
    openslide: Callable[[Slide], object]
    fast: Callable[[Slide], object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slides", nargs="*", type=Path, help="slides of your own, besides a synthetic one")
    parser.add_argument("--side", type=int, default=4096, help="side of the synthetic slide in px")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--mpp", type=float, help="resolution of slides that state none")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    lines = []

    def tell(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    tell(f"{stamp()}, Python {platform.python_version()}, {READER}")
    with tempfile.TemporaryDirectory() as folder:
        synthetic = Path(folder) / "synthetic.tiff"
        config = SyntheticSlideConfig.of(width=options.side, height=options.side, seed=1, tissue_fraction=0.6)
        write_slide(synthetic, config)
        for path in (synthetic, *options.slides):
            for line in measure(path.absolute(), repeats=options.repeats, mpp=options.mpp):
                tell(line)
    if options.write:
        write_page(RESULT, __doc__, lines)


def measure(path: Path, *, repeats: int, mpp: float | None) -> Iterator[str]:
    """Measure a slide; yield what is told of it."""
    with OpenSlideReader(path, mpp=mpp) as reference:
        info = reference.info
        try:
            JpegTileReader(reference)
        except SlideFormatError as error:
            yield f"\n{path.name}: {error.what}: read by OpenSlide"
            return
    megapixels = info.size.area / 1e6
    yield (
        f"\n{path.name}: {info.size.width} × {info.size.height} px, "
        f"{path.stat().st_size / info.size.area:.2f} bytes/px, {compared(path, mpp)}; "
        f"MP/s of one core, median of {repeats}\n"
    )
    yield "| | OpenSlide | Fast reader | Ratio |\n|---|---|---|---|"
    ratios = []
    for case in cases(path, mpp):
        slow, fast = timed(case, path, mpp=mpp, repeats=repeats)
        ratios.append(slow / fast)
        yield f"| {case.name} | {megapixels / slow:.1f} | {megapixels / fast:.1f} | {ratios[-1]:.1f} |"
    yield f"\nLeast ratio {min(ratios):.1f}, held to {HELD_TO:g}."


def compared(path: Path, mpp: float | None) -> str:
    """Say what opening costs with the comparison of both readers."""
    seconds = []
    for _ in range(3):
        started = time.thread_time()
        with open_slide(path, mpp=mpp, probe=False) as slide:
            seconds.append(time.thread_time() - started)
            reason = slide.info.reader_reason
    verdict = "both readers agree" if reason is None else f"left to OpenSlide: {reason}"
    return f"opened in {statistics.median(seconds):.2f} s, {verdict}"


def timed(case: Case, path: Path, *, mpp: float | None, repeats: int) -> tuple[float, float]:
    """Return the median seconds of both readers, measured in turn."""

    def slow() -> Slide:
        return OpenSlideReader(path, mpp=mpp)

    def fast() -> Slide:
        return JpegTileReader(OpenSlideReader(path, mpp=mpp), cache=DecodedTileCache())

    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(repeats):
        for opened, work, spent in zip((slow, fast), (case.openslide, case.fast), seconds, strict=True):
            with opened() as slide:
                started = time.thread_time()
                work(slide)
                spent.append(time.thread_time() - started)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def cases(path: Path, mpp: float | None) -> Iterator[Case]:
    with JpegTileReader(OpenSlideReader(path, mpp=mpp)) as slide:
        size, table = slide.info.size, slide.table(0)
    window = SizePx(WINDOW_PX, WINDOW_PX)
    tiles, windows = list(_grid(size, table.tile)), list(_grid(size, window))
    wide = [
        BoxPx(box.x - HALO_PX, box.y - HALO_PX, box.width + 2 * HALO_PX, box.height + 2 * HALO_PX)
        for box in windows
    ]
    halves = list(_grid(SizePx(-(-size.width // 2), -(-size.height // 2)), window))
    yield Case("bare", lambda _: _regions(path, tiles), lambda _: _streams(path, table))
    for name, work in (
        ("tile by tile", partial(_read, boxes=tiles)),
        ("windows", partial(_read, boxes=windows)),
        ("windows with halo", partial(_read, boxes=wide)),
        ("half scale", partial(_read_halves, boxes=halves)),
    ):
        yield Case(name, work, work)


def _grid(size: SizePx, step: SizePx) -> Iterator[BoxPx]:
    for y in range(0, size.height, step.height):
        for x in range(0, size.width, step.width):
            yield BoxPx(x, y, min(step.width, size.width - x), min(step.height, size.height - y))


def _regions(path: Path, boxes: list[BoxPx]) -> None:
    with openslide.OpenSlide(path) as slide:
        for box in boxes:
            np.asarray(slide.read_region((box.x, box.y), 0, (box.width, box.height)))


def _streams(path: Path, table: TileTable) -> None:
    file = PositionalFile(path)
    for index in range(table.across * table.down):
        decode_tile(file.read(*table.place(index)), table.head, table.tile)


def _read(slide: Slide, boxes: list[BoxPx]) -> None:
    for box in boxes:
        slide.read(box)


def _read_halves(slide: Slide, boxes: list[BoxPx]) -> None:
    plane = Plane(slide, 2 * slide.info.mpp.mean)
    for box in boxes:
        plane.read(box)


if __name__ == "__main__":
    main()
