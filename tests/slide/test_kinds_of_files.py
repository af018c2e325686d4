"""The kinds of files that there are: correct pixels, or a fallback that is logged.

Correct are OpenSlide's pixels where it reads the file (at most 2 grey levels off), otherwise those that were
written. 4:4:4, 4:2:0 and RGB JPEG in square tiles of 64 to 1024 px are in `test_two_readers`.
"""

from __future__ import annotations

import logging
import struct
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.bundle import load_bundle
from mitoscope.errors import ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.infer import DetectConfig, SlideRun, detect_slide
from mitoscope.slide import ImageSlide, JpegTileReader, OpenSlideReader, Pixels, Slide, TiffReader, open_slide
from mitoscope.slide.jpeg_tiles import decode_tile, stream_head
from mitoscope.slide.opening import TOLERANCE_GREY
from mitoscope.slide.synthetic import PaintedTruth, SyntheticSlideConfig, write_slide

from .coded_tiff import (
    APERIO_RGB,
    APERIO_YCBCR,
    DEFLATE,
    JPEG,
    JPEG_2000,
    SVS,
    Coding,
    cut,
    cut_strips,
    jpeg_2000,
    move_segment,
    write_coded,
)
from .conftest import open_fast
from .jpeg_kinds import JpegKind, segments, split_tables
from .jpeg_tiff import tissue_like, write_tiff

Picture = NDArray[np.uint8]
RGB = tissue_like(500, 700)
SIZE = SizePx(700, 500)
TILE = SizePx(240, 240)  # three across, three down
BAD = 4  # the tile in the middle
HUFFMAN = 0xC4
READERS = pytest.mark.parametrize("read_with", [open_fast, OpenSlideReader], ids=["jpeg tiles", "openslide"])


def read_all(slide: Slide, level: int = 0) -> Pixels:
    size = slide.info.levels[level].size
    return slide.read(BoxPx(0, 0, size.width, size.height), level=level)


def off(rgb: Picture, expected: Picture) -> NDArray[np.int_]:
    return np.abs(rgb.astype(int) - expected)


def middle() -> BoxPx:
    return BoxPx(TILE.width, TILE.height, TILE.width, TILE.height)


def is_middle() -> NDArray[np.bool_]:
    mask = np.zeros(RGB.shape[:2], np.bool_)
    mask[TILE.height : 2 * TILE.height, TILE.width : 2 * TILE.width] = True
    return mask


def replaced(streams: list[bytes], change: Callable[[bytes], bytes]) -> list[bytes]:
    return [change(stream) if index == BAD else stream for index, stream in enumerate(streams)]


def zeroed(stream: bytes) -> bytes:
    return bytes(len(stream))


def random(stream: bytes) -> bytes:
    return np.random.default_rng(0).bytes(len(stream))


def cut_short(stream: bytes) -> bytes:
    return stream[: len(stream) // 2]


def blanked_out(stream: bytes) -> bytes:
    return cut_short(stream).ljust(len(stream), b"\0")


# JPEG in tiles.


def in_svs(path: Path, kind: JpegKind) -> Path:
    return write_tiff(path, RGB, reductions=(1, 4), description=SVS, kind=kind).path


def in_oblong_tiles(path: Path, tile: SizePx) -> Path:
    streams = [JpegKind(subsampling="420").encode(part) for part in cut(RGB, tile)]
    return write_coded(path, streams, SIZE, coding=Coding(JPEG, tile, subsampling=(2, 2)))


def with_the_tables_of_the_standard(path: Path) -> Path:
    """Write streams without Huffman tables, as in Motion JPEG: left out are those that the standard gives."""
    streams = []
    for tile in cut(RGB, TILE):
        parts = segments(JpegKind(subsampling="420").encode(tile))
        streams.append(b"\xff\xd8" + b"".join(data for kind, data in parts if kind != HUFFMAN))
    return write_coded(path, streams, SIZE, coding=Coding(JPEG, TILE, subsampling=(2, 2)))


TILED: dict[str, Callable[[Path], Path]] = {
    "SVS, 4:4:4": lambda path: in_svs(path, JpegKind(240)),
    "SVS, 4:2:0": lambda path: in_svs(path, JpegKind(240, "420")),
    "SVS, 4:2:0, shared tables": lambda path: in_svs(path, JpegKind(256, "420", shared_tables=True)),
    "SVS, RGB, shared tables": lambda path: in_svs(path, JpegKind(240, rgb=True, shared_tables=True)),
    "tiles of 240 × 1024": lambda path: in_oblong_tiles(path, SizePx(240, 1024)),
    "tiles of 1024 × 240": lambda path: in_oblong_tiles(path, SizePx(1024, 240)),
    "no Huffman tables": with_the_tables_of_the_standard,
}


@pytest.mark.parametrize("write", TILED.values(), ids=TILED)
def test_jpeg_tiles_are_read_fast_and_as_openslide_reads_them(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    path = write(tmp_path / "slide.svs")
    with open_slide(path) as ours, OpenSlideReader(path) as theirs:
        assert isinstance(ours, JpegTileReader)
        for level in range(len(ours.info.levels)):
            one, other = read_all(ours, level), read_all(theirs, level)
            assert one.valid.all()
            assert one.damaged == other.damaged == ()
            assert off(one.rgb, other.rgb).max() <= TOLERANCE_GREY
        assert off(read_all(ours).rgb, RGB).mean() < 3


def test_a_level_whose_shared_tables_are_missing_is_lost_alone_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mitoscope.slide")
    made = write_tiff(tmp_path / "slide.tiff", RGB, kind=JpegKind(256, shared_tables=True))
    with open_slide(made.path) as slide:
        whole = read_all(slide)
    data = bytearray(made.path.read_bytes())
    struct.pack_into("<H", data, made.entry[1, 347], 65_000)  # the tag becomes one that nobody knows
    made.path.write_bytes(data)
    with open_slide(made.path) as slide:
        assert isinstance(slide, JpegTileReader)
        assert (read_all(slide).rgb == whole.rgb).all()
        lost = read_all(slide, 1)
        assert not lost.valid.any()
        assert len(lost.damaged) == 2
    for index, x in enumerate((0, 256)):
        assert any(f"tile {index} of level 1 is left to OpenSlide" in line for line in caplog.messages)
        assert any(f"the tile at {x}, 0 of level 1 is lost" in line for line in caplog.messages)


@pytest.mark.parametrize("damage", [zeroed, random, cut_short, blanked_out])
@pytest.mark.parametrize("shared_tables", [False, True], ids=["whole streams", "shared tables"])
def test_a_corrupt_jpeg_tile_is_lost_alone_and_logged(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    damage: Callable[[bytes], bytes],
    shared_tables: bool,
) -> None:
    caplog.set_level(logging.INFO, "mitoscope.slide")
    streams, tables = [JpegKind(subsampling="420").encode(tile) for tile in cut(RGB, TILE)], None
    if shared_tables:
        tables, streams = split_tables(streams[0])[0], [split_tables(stream)[1] for stream in streams]
    coding = Coding(JPEG, TILE, subsampling=(2, 2), tables=tables)
    with open_slide(write_coded(tmp_path / "whole.tiff", streams, SIZE, coding=coding)) as slide:
        whole = read_all(slide)
    with open_slide(
        write_coded(tmp_path / "slide.tiff", replaced(streams, damage), SIZE, coding=coding)
    ) as slide:
        assert isinstance(slide, JpegTileReader)
        pixels = read_all(slide)
    check_only_the_middle_is_lost(pixels, whole.rgb)
    assert any(" of level 0 is lost: " in line for line in caplog.messages if line.startswith("slide.tiff: "))


def check_only_the_middle_is_lost(pixels: Pixels, expected: Picture) -> None:
    assert pixels.damaged == (middle(),)
    assert (pixels.valid == ~is_middle()).all()
    assert (pixels.rgb[~pixels.valid] == 255).all()
    assert (pixels.rgb[pixels.valid] == expected[pixels.valid]).all()


# Files beyond 4 GiB, and offsets that a signed number of 32 bits does not hold.


@READERS
@pytest.mark.parametrize(
    ("bigtiff", "place"), [(True, 5 << 30), (False, 3 << 30)], ids=["BigTIFF", "classic"]
)
def test_a_tile_far_behind_the_others_is_read_right(
    tmp_path: Path, read_with: Callable[[Path], Slide], bigtiff: bool, place: int
) -> None:
    streams = [JpegKind(subsampling="420").encode(tile) for tile in cut(RGB, TILE)]
    coding = Coding(JPEG, TILE, subsampling=(2, 2), bigtiff=bigtiff)
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=coding)
    with read_with(path) as slide:
        before = read_all(slide)
    move_segment(path, BAD, to=place)
    check_sparse(path, more_than=place)
    with read_with(path) as slide:
        after = read_all(slide)
    path.unlink()
    assert after.valid.all()
    assert (after.rgb == before.rgb).all()
    assert off(after.rgb, RGB).mean() < 3


@READERS
def test_a_level_whose_directory_lies_beyond_4_gib(
    tmp_path: Path, read_with: Callable[[Path], Slide]
) -> None:
    kind, coding = JpegKind(), Coding(JPEG, TILE, subsampling=(1, 1), bigtiff=True)
    half = np.ascontiguousarray(RGB[::2, ::2])
    streams, halved = ([kind.encode(tile) for tile in cut(rgb, TILE)] for rgb in (RGB, half))
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=coding)
    with path.open("r+b") as file:
        file.truncate(5 << 30)
    write_coded(path, halved, SizePx(350, 250), coding=coding, append=True)
    check_sparse(path, more_than=5 << 30)
    with read_with(path) as slide:
        pixels = [read_all(slide, level) for level in (0, 1)]
    path.unlink()
    for found, written in zip(pixels, (RGB, half), strict=True):
        assert found.valid.all()
        assert off(found.rgb, written).mean() < 3


def test_a_strip_beyond_4_gib(tmp_path: Path) -> None:
    streams = [zlib.compress(strip.tobytes()) for strip in cut_strips(RGB, 32)]
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=Coding(DEFLATE, bigtiff=True))
    move_segment(path, BAD, to=5 << 30)
    check_sparse(path, more_than=5 << 30)
    with open_slide(path) as slide:
        pixels = read_all(slide)
    path.unlink()
    assert (pixels.rgb == RGB).all()


def check_sparse(path: Path, *, more_than: int) -> None:
    status = path.stat()
    assert status.st_size > more_than
    assert status.st_blocks * 512 < 4 << 20


# JPEG 2000: OpenSlide reads what Aperio writes, and nobody else's.


@pytest.mark.parametrize(
    ("compression", "encode", "tolerance"),
    [
        (APERIO_RGB, jpeg_2000, 0),
        (APERIO_RGB, lambda tile: jpeg_2000(tile, lossless=False), 3),
        (APERIO_YCBCR, lambda tile: jpeg_2000(tile, ycbcr=True), 3),  # colours rounded on the way and back
    ],
    ids=["RGB, lossless", "RGB", "YCbCr"],
)
def test_jpeg_2000_of_aperio_is_read_right_by_openslide_and_logged(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    compression: int,
    encode: Callable[[Picture], bytes],
    tolerance: int,
) -> None:
    caplog.set_level(logging.INFO, "mitoscope.slide")
    coding = Coding(compression, TILE, description=SVS)
    path = write_coded(tmp_path / "slide.svs", [encode(tile) for tile in cut(RGB, TILE)], SIZE, coding=coding)
    with open_slide(path) as slide:
        assert isinstance(slide, OpenSlideReader)
        pixels = read_all(slide)
    reason = f"level 0 is not JPEG (compression {compression})"
    assert slide.info.reader_reason == reason
    assert caplog.messages == [f"slide.svs is read by OpenSlide: {reason}"]
    assert pixels.valid.all()
    assert off(pixels.rgb, RGB).max() <= tolerance


@pytest.mark.parametrize("damage", [zeroed, random, cut_short])
def test_a_corrupt_jpeg_2000_tile_is_lost_alone_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[bytes], bytes]
) -> None:
    caplog.set_level(logging.INFO, "mitoscope.slide")
    streams = replaced([jpeg_2000(tile) for tile in cut(RGB, TILE)], damage)
    coding = Coding(APERIO_RGB, TILE, description=SVS)
    with open_slide(write_coded(tmp_path / "slide.svs", streams, SIZE, coding=coding)) as slide:
        check_only_the_middle_is_lost(read_all(slide), RGB)
    assert caplog.messages[-1].startswith("slide.svs: the tile at 240, 240 of level 0 is lost: ")


def test_jpeg_2000_in_other_tiffs_is_read_as_it_is_stored(tmp_path: Path) -> None:
    streams = [jpeg_2000(tile) for tile in cut(RGB, TILE)]
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=Coding(JPEG_2000, TILE))
    with open_slide(path) as slide:
        assert isinstance(slide, TiffReader)
        assert slide.info.mpp.mean == pytest.approx(0.25)
        assert (read_all(slide).rgb == RGB).all()


def test_a_compression_that_nobody_reads_is_refused_with_the_mend(tmp_path: Path) -> None:
    streams = [zlib.compress(tile.tobytes()) for tile in cut(RGB, TILE)]
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=Coding(9, TILE))
    reason = r"slide\.tiff: tag 259 \(Compression\) is 9, which is not read; convert it to a tiled"
    with pytest.raises(SlideFormatError, match=reason):
        open_slide(path)


@pytest.mark.parametrize("suffix", ["jp2", "j2k"])
def test_jpeg_2000_images_are_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"roi.{suffix}"
    Image.fromarray(RGB).save(path, "JPEG2000", no_jp2=suffix == "j2k")
    with pytest.raises(SlideFormatError, match=r"nor a PNG, JPEG, WebP or TIFF image"):
        open_slide(path, mpp=0.25)


# Strips: no pyramid, so an image.


@pytest.mark.parametrize("description", [None, SVS], ids=["plain", "says that it is SVS"])
@pytest.mark.parametrize("bigtiff", [False, True], ids=["classic", "BigTIFF"])
def test_lossless_strips_are_exact(tmp_path: Path, bigtiff: bool, description: str | None) -> None:
    streams = [zlib.compress(strip.tobytes()) for strip in cut_strips(RGB, 32)]
    coding = Coding(DEFLATE, bigtiff=bigtiff, description=description)
    with open_slide(write_coded(tmp_path / "strips.svs", streams, SIZE, coding=coding)) as slide:
        assert isinstance(slide, ImageSlide)
        assert slide.info.mpp.mean == pytest.approx(0.25)
        assert (read_all(slide).rgb == RGB).all()


STRIPED = {"4:4:4": (1, 1), "4:2:2": (2, 1), "4:2:0": (2, 2), "RGB": None}


def write_jpeg_strips(
    path: Path,
    name: str,
    *,
    shared_tables: bool,
    damage: Callable[[bytes], bytes] = bytes,
) -> Picture:
    """Write strips of JPEG and return what libjpeg-turbo makes of them undamaged."""
    kind = JpegKind(subsampling="444" if name == "RGB" else name.replace(":", ""), rgb=name == "RGB")
    head = stream_head(None, ycbcr=name != "RGB")
    strips = cut_strips(RGB, 32)
    streams, tables = [kind.encode(strip) for strip in strips], None
    decoded = [
        decode_tile(stream, head, SizePx(SIZE.width, strip.shape[0]))
        for stream, strip in zip(streams, strips, strict=True)
    ]
    if shared_tables:
        tables, streams = split_tables(streams[0])[0], [split_tables(stream)[1] for stream in streams]
    coding = Coding(JPEG, subsampling=STRIPED[name], tables=tables)
    write_coded(path, replaced(streams, damage), SIZE, coding=coding)
    return np.concatenate(decoded)


@pytest.mark.parametrize("name", STRIPED)
@pytest.mark.parametrize("shared_tables", [False, True], ids=["whole streams", "shared tables"])
def test_strips_of_jpeg_are_read_right(tmp_path: Path, name: str, shared_tables: bool) -> None:
    path = tmp_path / "strips.tiff"
    expected = write_jpeg_strips(path, name, shared_tables=shared_tables)
    with open_slide(path) as slide:
        assert isinstance(slide, ImageSlide)
        pixels = read_all(slide)
    assert pixels.valid.all()
    assert off(pixels.rgb, expected).max() <= TOLERANCE_GREY
    assert off(pixels.rgb, RGB).mean() < 3


@pytest.mark.parametrize("damage", [zeroed, random, cut_short, blanked_out])
@pytest.mark.parametrize("shared_tables", [False, True], ids=["whole streams", "shared tables"])
def test_a_corrupt_strip_is_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes], shared_tables: bool
) -> None:
    path = tmp_path / "strips.tiff"
    write_jpeg_strips(path, "4:2:0", shared_tables=shared_tables, damage=damage)
    with pytest.raises(SlideFormatError, match=r"strips\.tiff: cannot be decoded .*copy it again"):
        open_slide(path)


def ended_early(stream: bytes) -> bytes:
    return cut_short(stream) + b"\xff\xd9"


def gap_in(stream: bytes) -> bytes:
    half = len(stream) // 2
    return stream[:half] + bytes(400) + stream[half + 400 :]


@pytest.mark.parametrize("damage", [ended_early, gap_in])
def test_a_corrupt_jpeg_image_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "roi.jpg"
    path.write_bytes(damage(JpegKind().encode(RGB)))
    with pytest.raises(SlideFormatError, match=r"roi\.jpg: cannot be decoded .*copy it again"):
        open_slide(path, mpp=0.25)


# Slides at 20x, by the range of the shipped detector.

shipped = cache(load_bundle)


@pytest.fixture(scope="module")
def at_20x(tmp_path_factory: pytest.TempPathFactory) -> tuple[PaintedTruth, SlideRun]:
    """Return the truth of a slide of 0.5 µm/px, and what the shipped detector finds on it."""
    folder = tmp_path_factory.mktemp("20x")
    config = SyntheticSlideConfig.of(
        width=768, height=640, seed=5, mpp=0.5, tissue_fraction=0.8, mitoses_per_mm2=60.0
    )
    truth = write_slide(folder / "slide.tiff", config)
    return truth, detect_slide(
        folder / "slide.tiff", shipped(), folder / "out", config=DetectConfig(threads=1)
    )


def test_a_slide_at_20x_is_searched_and_figures_keep_their_places(
    at_20x: tuple[PaintedTruth, SlideRun],
) -> None:
    truth, run = at_20x
    assert run.slide.mpp == Mpp(0.5, 0.5)
    assert run.status == "complete"
    figures = run.figures.points_px0
    near = [np.hypot(*(figures - point).T).min() * 0.5 < 7.5 for point in truth.points()]
    assert sum(near) >= 4  # of 5


def test_a_run_at_20x_says_what_is_lost(at_20x: tuple[PaintedTruth, SlideRun]) -> None:
    _, run = at_20x
    assert any("0.5 µm/px" in note and "0.25" in note for note in run.notes)


@pytest.mark.parametrize("mpp", [0.7, 0.08])
def test_a_slide_out_of_the_range_of_the_bundle_is_refused_in_one_line(tmp_path: Path, mpp: float) -> None:
    path = tmp_path / "slide.tiff"
    write_tiff(path, RGB, reductions=(1,), px_per_cm=10_000 / mpp)
    with pytest.raises(
        ScaleError,
        match=rf"slide\.tiff: {mpp:g} µm/px \(openslide\.mpp-x\) is not in the range of the bundle .*--mpp",
    ) as caught:
        detect_slide(path, shipped(), tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
