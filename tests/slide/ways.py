"""Every way of writing one known picture as a TIFF, and what a reader makes of it.

A way is a choice on each axis. `every_way` is the full matrix: the axes that decide about samples are crossed
in full, and each such way of storing colours with all orientations and kinds of pyramid; tile size, BigTIFF
and byte order take turns. `covering` picks a few of them that hold every pair of choices.

Run as a program (``python -m tests.slide.ways [PART PARTS]``) it goes through the full matrix and prints how
many ways are equal, refused and wrong.
"""

from __future__ import annotations

import itertools
import struct
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.errors import SlideError
from mitoscope.geometry import BoxPx
from mitoscope.slide import ImageSlide, OpenSlideReader, Slide, TiffReader, open_slide
from mitoscope.slide.tiff_layout import read_layout

from .coded_tiff import SVS
from .jpeg_tiff import tissue_like

RGB = tissue_like(300, 420, seed=7)
RGB[...] = ndimage.gaussian_filter(RGB, (10, 10, 0))
RGB[...] = np.clip((RGB - RGB.mean(axis=(0, 1))) * 4 + (190, 130, 180), 30, 250)
RGB[:40, :60] = 250  # glass
_PALETTE_STEPS = 6
_LOSSY_MEAN, _LOSSY_BLOCK = 4.0, 20.0
"""Grey levels by which JPEG may differ, over all and in blocks of 16 px: halved chroma blurs the one edge."""
_BLOCK_PX = 16
COMPRESSIONS = (
    "none",
    "lzw",
    "zlib",
    "packbits",
    "zstd",
    "lzma",
    "lerc",
    "jpeg",
    "jpeg2000",
    "aperio 33003",
    "aperio 33005",
    "webp",
    "jpegxl",
)
COLOURS = ("rgb", "ycbcr 444", "ycbcr 422", "ycbcr 420", "minisblack", "miniswhite", "palette", "cmyk", "lab")
DEPTHS = ("8", "1", "10", "12", "14", "10 unstated", "12 unstated", "14 unstated", "12 packed", "16", "32f")
PYRAMIDS = ("none", "pages", "sub-directories")
_REFUSED = frozenset({"minisblack", "miniswhite", "cmyk", "lab"})
_OF_BYTES = frozenset({"jpeg", "aperio 33003", "aperio 33005", "webp"})
_OF_COLOURS = frozenset({"jpeg", "aperio 33003", "aperio 33005", "webp", "jpegxl", "jpeg2000"})
_NAMES = {"aperio 33003": "jpeg2000", "aperio 33005": "jpeg2000"}
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "jpeg": {"level": 95},
    "webp": {"lossless": True},
    "jpegxl": {"lossless": True, "effort": 1, "numthreads": 1},
    "jpeg2000": {"reversible": True, "level": 0, "numthreads": 1},
    "zlib": {"level": 1},
    "zstd": {"level": 1},
    "lzma": {"level": 0},
    "lerc": {"level": 0},
}


@dataclass(frozen=True)
class Way:
    """One way of writing the picture."""

    striped: bool = False
    compression: str = "none"
    colours: str = "rgb"
    swapped: bool = False  # tag 262, or 259 of Aperio, says the other colours than the stream
    orientation: int = 1
    planar: bool = False
    depth: str = "8"
    tile: int = 128
    pyramid: str = "none"
    bigtiff: bool = False
    big_endian: bool = False

    def __str__(self) -> str:
        return ", ".join(
            f"{key} {value}" for key, value in asdict(self).items() if value not in {False, "none"}
        )

    @property
    def lossy(self) -> bool:
        """Whether the picture comes back near, not equal."""
        return self.compression == "jpeg"

    @property
    def writable(self) -> bool:
        """Whether tifffile writes such files, and as they should be."""
        return not any((*self._impossible_colours(), *self._impossible_depths(), *self._impossible_layouts()))

    def _impossible_colours(self) -> Iterator[bool]:
        ycbcr, jpeg = self.colours.startswith("ycbcr"), self.compression == "jpeg"
        yield ycbcr and not jpeg
        yield self.swapped and not (jpeg and (ycbcr or self.colours == "rgb"))
        yield self.compression in _OF_COLOURS and self.colours != "rgb" and not ycbcr

    def _impossible_depths(self) -> Iterator[bool]:
        yield self.compression in _OF_BYTES and self.depth != "8"
        yield self.colours in {"palette", "lab", "cmyk"} and self.depth != "8"
        yield self.depth == "1" and self.colours not in {"minisblack", "miniswhite"}
        yield self.depth == "1" and self.compression in {"lerc", *_OF_COLOURS}
        yield self.depth == "12 packed" and self.compression != "none"
        yield self.depth == "32f" and self.compression == "jpeg2000"
        # These are encoded in the byte order of the array in memory, which is wrong for the other one.
        coded = self.compression in {"jpeg2000", "jpegxl", "lerc"} and self.depth not in {"8", "1"}
        yield self.big_endian and (coded or self.depth == "12 packed")

    def _impossible_layouts(self) -> Iterator[bool]:
        aperio = self.compression.startswith("aperio")
        yield aperio and (self.striped or self.planar)
        yield self.planar and self.colours not in {"rgb", "cmyk", "lab"}
        yield self.planar and self.compression in {"jpeg", "webp", "jpegxl", "lerc"}
        yield self.striped and self.pyramid == "sub-directories"


class Outcome(StrEnum):
    """What became of a way."""

    EQUAL = "equal"
    REFUSED = "refused"
    WRONG = "wrong"


def every_way() -> Iterator[Way]:
    """Yield the full matrix."""
    # Thirteen, so that they do not keep step with the places.
    turns = itertools.cycle(
        [*itertools.product((64, 128, 256), (False, True), (False, True)), (192, False, False)]
    )
    places = list(itertools.product(range(1, 9), PYRAMIDS))
    more_places = itertools.cycle(places)
    for striped, compression, colours, swapped, planar, depth in itertools.product(
        (False, True), COMPRESSIONS, COLOURS, (False, True), (False, True), DEPTHS
    ):
        # Colours that are refused are so wherever they lie: their places take turns.
        crossed = colours not in _REFUSED and depth != "32f"
        for orientation, pyramid in places if crossed else itertools.islice(more_places, 3):
            tile, bigtiff, big_endian = next(turns)
            way = Way(
                striped,
                compression,
                colours,
                swapped,
                orientation,
                planar,
                depth,
                128 if striped else tile,
                pyramid,
                bigtiff,
                big_endian,
            )
            if way.writable:
                yield way


def covering(ways: Sequence[Way], *, seed: int = 0, candidates: int = 150) -> list[Way]:
    """Return a few ways in which each pair of choices that there is occurs."""
    names = [each.name for each in fields(Way)]
    choices = np.stack(
        [np.unique([str(getattr(way, name)) for way in ways], return_inverse=True)[1] for name in names],
        axis=1,
    )
    most = int(choices.max()) + 1
    pairs = np.stack(
        [
            (number * most + choices[:, one]) * most + choices[:, other]
            for number, (one, other) in enumerate(itertools.combinations(range(len(names)), 2))
        ],
        axis=1,
    )
    missing = np.zeros(int(pairs.max()) + 1, np.bool_)
    missing[pairs] = True
    random, chosen = np.random.default_rng(seed), []
    while missing.any():
        some = random.integers(0, len(ways), candidates)
        best = int(some[missing[pairs[some]].sum(axis=1).argmax()])
        if not missing[pairs[best]].any():
            best = int(missing[pairs].any(axis=1).argmax())
        missing[pairs[best]] = False
        chosen.append(ways[best])
    return chosen


def picture(way: Way, step: int = 1) -> NDArray[np.uint8]:
    """Return the colours that a correct reader gives for a level."""
    rgb = np.ascontiguousarray(RGB[::step, ::step])
    if way.colours == "palette":
        return (rgb // (256 // _PALETTE_STEPS + 1) * (256 // _PALETTE_STEPS + 1)).astype(np.uint8)
    return rgb


def write(way: Way, path: Path) -> Path:
    """Write the picture; what the library cannot write raises ValueError."""
    steps = (1, 2, 4) if way.pyramid != "none" else (1,)
    with tifffile.TiffWriter(
        path, bigtiff=way.bigtiff, byteorder=">" if way.big_endian else "<", ome=False, shaped=False
    ) as tiff:
        for step in steps:
            below: dict[str, Any] = {"subfiletype": 1} if step > 1 else {}
            if step == 1 and way.pyramid == "sub-directories":
                below = {"subifds": len(steps) - 1}
            samples, options = _samples(way, step)
            tiff.write(samples, **options, **below)
    _overwrite_tags(way, path)
    return path


def _samples(way: Way, step: int) -> tuple[NDArray[Any], dict[str, Any]]:
    """Return the samples as they are handed to the writer, and how it is to write them."""
    options: dict[str, Any] = {
        "metadata": None,
        "description": SVS if way.compression.startswith("aperio") else None,
        "resolution": (40_000 / step, 40_000 / step),
        "resolutionunit": "CENTIMETER",
        "extratags": [(274, 3, 1, way.orientation, True)],
        "compression": None if way.compression == "none" else _NAMES.get(way.compression, way.compression),
        "compressionargs": _ARGUMENTS.get(_NAMES.get(way.compression, way.compression), {}),
        "photometric": "rgb" if way.colours.startswith("ycbcr") else way.colours,
    }
    options |= {"rowsperstrip": 64} if way.striped else {"tile": (way.tile, way.tile)}
    rgb = picture(way, step)
    if way.colours == "palette":
        width = 256 // _PALETTE_STEPS + 1
        places = (rgb // width).astype(np.uint16)
        indices = (places[..., 0] * _PALETTE_STEPS + places[..., 1]) * _PALETTE_STEPS + places[..., 2]
        colours = np.array(list(itertools.product(range(_PALETTE_STEPS), repeat=3))) * width
        table = np.zeros((3, 256), np.uint16)
        table[:, : len(colours)] = (colours * 257).T
        return indices.astype(np.uint8), options | {"colormap": table}
    if way.colours in {"minisblack", "miniswhite"}:
        samples: NDArray[Any] = rgb[..., 1]
    elif way.colours == "cmyk":
        samples = np.dstack([255 - rgb, np.zeros(rgb.shape[:2], np.uint8)])
    else:
        samples = rgb
    samples = _deepened(samples, way, options)
    if way.compression == "jpeg" and way.colours == "rgb":
        options["compressionargs"] = {"level": 95, "outcolorspace": "RGB"}
    if way.colours.startswith("ycbcr"):
        options["subsampling"] = {"444": (1, 1), "422": (2, 1), "420": (2, 2)}[way.colours.split()[1]]
    if way.colours == "cmyk":
        options["photometric"] = "separated"
    if way.colours == "lab":
        options["photometric"] = "cielab"
    if samples.ndim == 3:
        options["planarconfig"] = "separate" if way.planar else "contig"
        samples = np.ascontiguousarray(np.moveaxis(samples, -1, 0)) if way.planar else samples
    return samples, options


def _deepened(samples: NDArray[Any], way: Way, options: dict[str, Any]) -> NDArray[Any]:
    depth, *rest = way.depth.split()
    if depth == "8":
        return samples
    if depth == "1":
        return samples > 128
    if depth == "32f":
        return (samples / 255).astype(np.float32)
    bits = int(depth)
    most = (1 << bits) - 1
    deep = ((samples.astype(np.uint32) * most + 127) // 255).astype(np.uint16)
    if rest == ["packed"]:
        options["bitspersample"] = bits
    elif not rest and bits < 16:
        count = samples.shape[2] if samples.ndim == 3 else 1
        options["extratags"] += [(281, 3, count, most if count == 1 else (most,) * count, True)]
    return deep


def _overwrite_tags(way: Way, path: Path) -> None:
    changes: dict[int, int] = {}
    if way.compression.startswith("aperio"):
        changes[259] = int(way.compression.split()[1])
    if way.swapped:
        changes[262] = 6 if way.colours == "rgb" else 2
    if not changes:
        return
    with tifffile.TiffFile(path, mode="r+") as tiff:
        pages: list[Any] = list(tiff.pages)
        for page in [*pages, *(pages[0].pages or [])]:
            for tag, value in changes.items():
                page.tags[tag].overwrite(value)


def judge(way: Way, path: Path) -> dict[str, tuple[Outcome, str]]:
    """Read a file with every reader that takes it; return what became of each, and why."""
    outcomes = {}
    try:
        with open_slide(path, probe=False) as slide:
            outcomes["open_slide"] = _compared(slide, way)
    except SlideError as error:
        text = str(error)
        outcomes["open_slide"] = (Outcome.REFUSED if "\n" not in text else Outcome.WRONG, text)
        return outcomes
    if isinstance(slide, ImageSlide):
        return outcomes
    if slide.info.vendor is not None:
        with OpenSlideReader(path) as reference:
            layout = read_layout(path, [level.size for level in reference.info.levels])
            if layout.unlike_openslide is None:
                outcomes["OpenSlide"] = _compared(reference, way)
            with TiffReader(reference.info, layout) as stored:
                outcomes["as stored"] = _compared(stored, way)
    return outcomes


def _compared(slide: Slide, way: Way) -> tuple[Outcome, str]:
    for index, level in enumerate(slide.info.levels):
        step = round(level.downsample_x)
        expected = picture(way, step)
        pixels = slide.read(BoxPx(0, 0, level.size.width, level.size.height), level=index)
        if pixels.rgb.shape != expected.shape:
            return Outcome.WRONG, f"level {index} is {pixels.rgb.shape}, not {expected.shape}"
        if not pixels.valid.all():
            return Outcome.WRONG, f"level {index} has invalid pixels"
        off = np.abs(pixels.rgb.astype(np.int16) - expected)
        near = way.lossy and off.mean() <= _LOSSY_MEAN and _worst_block(off) <= _LOSSY_BLOCK
        if off.any() and not near:
            return Outcome.WRONG, f"level {index} is {off.mean():.2f} grey levels off, {off.max()} at most"
    return Outcome.EQUAL, type(slide).__name__


def _worst_block(off: NDArray[np.int16]) -> float:
    height, width = (side // _BLOCK_PX * _BLOCK_PX for side in off.shape[:2])
    blocks = off[:height, :width].reshape(height // _BLOCK_PX, _BLOCK_PX, width // _BLOCK_PX, -1)
    return float(blocks.mean(axis=(1, 3)).max())


def main(part: int = 0, parts: int = 1) -> int:
    """Go through the matrix or a part of it; print counts, reasons for refusals and all that is wrong."""
    counts: Counter[tuple[str, Outcome]] = Counter()
    reasons: Counter[str] = Counter()
    unwritten: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for number, way in enumerate(itertools.islice(every_way(), part, None, parts)):
            path = Path(folder) / f"{number}.tiff"
            try:
                write(way, path)
            except (ValueError, NotImplementedError, RuntimeError, TypeError, struct.error) as error:
                unwritten[f"{way.compression}, {way.colours}, {way.depth}: {error}"[:120]] += 1
                continue
            for reader, (outcome, why) in judge(way, path).items():
                counts[reader, outcome] += 1
                if outcome is Outcome.WRONG:
                    print(f"WRONG {reader}: {way}: {why}", flush=True)
                if outcome is Outcome.REFUSED:
                    reasons[why.split(".tiff: ")[-1]] += 1
            path.unlink()
    for (reader, outcome), count in sorted(counts.items()):
        print(f"{reader:12} {outcome:8} {count:6}")
    for what, count in (*reasons.most_common(60), *unwritten.most_common(40)):
        print(f"{count:6}  {what}")
    return int(any(outcome is Outcome.WRONG for _, outcome in counts))


if __name__ == "__main__":
    sys.exit(main(*(int(word) for word in sys.argv[1:])))
