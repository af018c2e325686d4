"""The tiles of a TIFF: the file, the tables, each stream; damaged ones are refused."""

from __future__ import annotations

import io
import os
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import Level, open_slide
from mitoscope.slide.jpeg_tiles import (
    REDUCTIONS,
    PositionalFile,
    TileTable,
    decode_tile,
    read_tile_tables,
    stream_head,
)

from .jpeg_kinds import JpegKind, split_tables
from .jpeg_tiff import TiffMap, cut_tiles, tissue_like

HUGE = 2**31 - 1
SIZE = SizePx(64, 64)
RGB = tissue_like(64, 64)
YCBCR = stream_head(None, ycbcr=True)


def levels(made: TiffMap) -> list[Level]:
    side = made.kind.tile_px
    return [Level(SizePx(1024 // n, 1024 // n), n, n, SizePx(side, side)) for n in (1, 2, 4)]


def test_places(pyramid: Any) -> None:
    tables = read_tile_tables(pyramid.path, levels(pyramid))
    for level, table in enumerate(tables):
        assert table.offsets.tolist() == pyramid.tile_offset[level]
        assert table.counts.tolist() == pyramid.tile_bytes[level]
        assert table.place(3) == (pyramid.tile_offset[level][3], pyramid.tile_bytes[level][3])


def table(*, width: int = 150, height: int = 100, counts: list[int] | None = None) -> TileTable:
    """Return a level of 3 × 2 tiles of 64 px."""
    sizes = np.array(counts or [9, 9, 9, 9, 99, 9])
    return TileTable(SizePx(width, height), SizePx(64, 64), 1000 + np.arange(6), sizes, b"")


def test_tiles_and_boxes() -> None:
    assert (table().across, table().down) == (3, 2)
    assert table().box(4) == BoxPx(64, 64, 64, 64)
    assert [table().holds(index) for index in range(6)] == [True, True, False, False, False, False]
    assert [table(width=192, height=128).holds(index) for index in range(6)] == [True] * 6
    assert [index for index, _ in table().touching(BoxPx(63, 64, 2, 30))] == [3, 4]
    assert [index for index, _ in table().touching(BoxPx(0, 0, 150, 100))] == [0, 1, 2, 3, 4, 5]
    assert list(table().touching(BoxPx(31, 10, 2, 2), 2)) == [
        (0, BoxPx(0, 0, 32, 32)),
        (1, BoxPx(32, 0, 32, 32)),
    ]


def test_the_corners_and_the_fullest_tile_are_looked_at() -> None:
    assert table().samples() == [0, 2, 3, 4, 5]
    assert table(counts=[9, 9, 9, 9, 9, 99]).samples() == [0, 2, 3, 5]


@pytest.mark.parametrize("count", [0, -1, HUGE])
def test_lengths_that_no_tile_has(count: int) -> None:
    with pytest.raises(ValueError, match="bytes at"):
        table(counts=[count] * 6).place(2)


@pytest.mark.parametrize(
    ("tag", "value", "code", "reason"),
    [
        (259, 5, "H", r"level 0 is not JPEG \(compression 5\)"),
        (262, 5, "H", "level 0 has the colours 5, neither RGB nor YCbCr"),
        (277, 4, "H", "level 0 has 4 samples of 8 bits"),
        (322, 128, "I", "level 0 has other tiles than OpenSlide sees"),
        (256, 1000, "I", "has 0 tiled pages of the size of level 0"),
    ],
)
def test_what_keeps_a_level_out(
    pyramid: Any, tmp_path: Path, tag: int, value: int, code: str, reason: str
) -> None:
    data = bytearray(pyramid.path.read_bytes())
    struct.pack_into(f"<{code}", data, pyramid.value[0, tag], value)
    path = tmp_path / "other.tiff"
    path.write_bytes(data)
    with pytest.raises(SlideFormatError, match=reason):
        read_tile_tables(path, levels(pyramid))


def test_two_pages_of_one_size_are_not_told_apart(make_tiff: Any, tmp_path: Path) -> None:
    rgb = tissue_like(256, 256)
    made = make_tiff(tmp_path / "twins.tiff", rgb, reductions=(1,), macro=rgb)
    level = Level(SizePx(256, 256), 1.0, 1.0, SizePx(64, 64))
    with pytest.raises(SlideFormatError, match="has 2 tiled pages of the size of level 0"):
        read_tile_tables(made.path, [level])


@pytest.mark.parametrize(
    "data", [b"", b"II*\0", b"II*\0\xff\xff\xff\x7f", b"II+\0\x08\0\0\0" + b"\xff" * 8, bytes(5000)]
)
def test_what_is_no_tiff(tmp_path: Path, data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "none.tiff"
    path.write_bytes(data)
    with pytest.raises(SlideFormatError, match=r"none\.tiff: (cannot be parsed|has 0 tiled pages)"):
        read_tile_tables(path, [Level(SizePx(64, 64), 1.0, 1.0, SizePx(64, 64))])
    assert capsys.readouterr().err == ""


def test_a_thousand_pages_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "many.tiff"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(300):
            writer.write(np.zeros((16, 16, 3), np.uint8), photometric="rgb", metadata=None)
    with pytest.raises(SlideFormatError, match="has 300 pages"):
        read_tile_tables(path, [Level(SizePx(16, 16), 1.0, 1.0, SizePx(16, 16))])


def write_big_tiff(path: Path, rgb: np.ndarray, *, tiles_from: int) -> None:
    """Write one level as BigTIFF whose tiles lie far behind a hole, which takes no room on the disk."""
    kind = JpegKind(subsampling="420")
    streams = [kind.encode(tile) for tile in cut_tiles(rgb, kind.tile_px)]
    offsets = tiles_from + np.cumsum([0, *(len(stream) for stream in streams[:-1])])
    per_cm = struct.pack("<II", 40_000, 1)
    tags: list[tuple[int, int, int, bytes]] = [
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", rgb.shape[1])),
        (257, 4, 1, struct.pack("<I", rgb.shape[0])),
        (258, 3, 3, struct.pack("<HHH", 8, 8, 8)),
        (259, 3, 1, struct.pack("<H", 7)),
        (262, 3, 1, struct.pack("<H", 6)),
        (277, 3, 1, struct.pack("<H", 3)),
        (282, 5, 1, per_cm),
        (283, 5, 1, per_cm),
        (296, 3, 1, struct.pack("<H", 3)),
        (322, 4, 1, struct.pack("<I", kind.tile_px)),
        (323, 4, 1, struct.pack("<I", kind.tile_px)),
        (324, 16, len(streams), struct.pack(f"<{len(streams)}Q", *offsets.tolist())),
        (325, 16, len(streams), struct.pack(f"<{len(streams)}Q", *(len(stream) for stream in streams))),
        (530, 3, 2, struct.pack("<HH", 2, 2)),
    ]
    directory = struct.pack("<Q", len(tags))
    far = b""
    far_from = 16 + 8 + 20 * len(tags) + 8
    for tag, kind_of_value, count, value in tags:
        here = value.ljust(8, b"\0") if len(value) <= 8 else struct.pack("<Q", far_from + len(far))
        far += value if len(value) > 8 else b""
        directory += struct.pack("<HHQ", tag, kind_of_value, count) + here
    with path.open("wb") as stream:
        stream.write(b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) + directory + bytes(8) + far)
        stream.seek(tiles_from)
        stream.write(b"".join(streams))


def test_tiles_beyond_4_gib(tmp_path: Path) -> None:
    path, rgb = tmp_path / "big.tiff", tissue_like(128, 256)
    write_big_tiff(path, rgb, tiles_from=5 << 30)
    assert path.stat().st_size > 4 << 30
    assert path.stat().st_blocks * 512 < 1 << 20
    with open_slide(path) as slide:
        assert slide.info.reader.startswith("simplejpeg")
        pixels = slide.read(BoxPx(0, 0, 256, 128))
    assert pixels.valid.all()
    assert np.abs(pixels.rgb.astype(int) - rgb).mean() < 3


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.bin"
    path.write_bytes(bytes(range(256)) * 4)
    return path


def test_it_reads_at_places_and_moves_nothing(numbers: Path) -> None:
    file = PositionalFile(numbers)
    assert file.read(250, 10) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
    assert file.read(0, 2) == b"\0\1"
    assert file.read(1020, 100) == bytes([252, 253, 254, 255])
    assert file.read(5000, 9) == b""


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SlideFormatError, match=r"none: cannot be read"):
        PositionalFile(tmp_path / "none")


def test_the_descriptor_lives_as_long_as_a_user(numbers: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    file = PositionalFile(numbers)
    user = file
    del file
    assert user.read(3, 1) == b"\3"
    assert count() == before + 1
    del user
    assert count() == before


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_parent_and_children_read_the_right_bytes_at_once(numbers: Path) -> None:
    file = PositionalFile(numbers)

    def wrong(step: int) -> int:
        return sum(
            file.read(place % 1000, 1) != bytes([place % 1000 % 256]) for place in range(0, 90_000, step)
        )

    children = []
    for step in (7, 11):
        child = os.fork()
        if child == 0:
            os._exit(min(wrong(step), 99))
        children.append(child)
    assert wrong(13) == 0
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]


def pillow(stream: bytes, reduction: int = 1) -> np.ndarray:
    """Decode with the libjpeg-turbo inside Pillow, an independent way through the same library."""
    image = Image.open(io.BytesIO(stream))
    image.draft("RGB", (64 // reduction, 64 // reduction))
    return np.asarray(image.convert("RGB")).astype(int)


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
@pytest.mark.parametrize("reduction", [1, *REDUCTIONS])
def test_it_decodes_as_pillow_does(subsampling: str, reduction: int) -> None:
    stream = JpegKind(subsampling=subsampling).encode(RGB)
    ours = decode_tile(stream, YCBCR, SIZE, reduction=reduction)
    assert ours.shape == (64 // reduction, 64 // reduction, 3)
    assert np.abs(ours - pillow(stream, reduction)).max() <= 2


@pytest.mark.parametrize("subsampling", ["444", "420"])
def test_an_abbreviated_stream_gets_the_shared_tables(subsampling: str) -> None:
    stream = JpegKind(subsampling=subsampling).encode(RGB)
    tables, rest = split_tables(stream)
    whole = decode_tile(stream, YCBCR, SIZE)
    assert (decode_tile(rest, stream_head(tables, ycbcr=True), SIZE) == whole).all()
    with pytest.raises(ValueError, match="not defined"):
        decode_tile(rest, YCBCR, SIZE)


def test_a_streams_own_tables_win_over_shared_ones() -> None:
    stream = JpegKind().encode(RGB)
    coarse = Image.new("RGB", (64, 64))
    buffer = io.BytesIO()
    coarse.save(buffer, "JPEG", quality=5)
    other, _ = split_tables(buffer.getvalue())
    head = stream_head(other, ycbcr=True)
    assert (decode_tile(stream, head, SIZE) == decode_tile(stream, YCBCR, SIZE)).all()


def test_the_tag_says_rgb_where_the_stream_says_nothing() -> None:
    stream = JpegKind(rgb=True).encode(RGB)
    assert b"Adobe" not in stream
    as_rgb = decode_tile(stream, stream_head(None, ycbcr=False), SIZE)
    assert np.abs(as_rgb.astype(int) - RGB).mean() < 2
    wrong = decode_tile(stream, YCBCR, SIZE)
    assert np.abs(wrong.astype(int) - RGB).mean() > 20  # control: the same bytes taken for YCbCr


def test_the_tag_wins_over_a_marker_of_the_stream() -> None:
    """Adobe says RGB, or JFIF says YCbCr, and the TIFF says otherwise: as OpenSlide, we believe the TIFF."""
    buffer = io.BytesIO()
    Image.fromarray(RGB).save(buffer, "JPEG", quality=90, keep_rgb=True, subsampling=0)
    says_rgb = buffer.getvalue()
    assert b"Adobe" in says_rgb
    says_ycbcr = JpegKind().encode(RGB)
    assert b"JFIF" in says_ycbcr
    for stream, ycbcr in ((says_rgb, True), (says_ycbcr, False)):
        trusted = decode_tile(stream, stream_head(None, ycbcr=not ycbcr), SIZE)
        assert np.abs(trusted.astype(int) - RGB).mean() < 2
        assert np.abs(decode_tile(stream, stream_head(None, ycbcr=ycbcr), SIZE).astype(int) - RGB).mean() > 20


def test_it_is_strict() -> None:
    """What libjpeg merely warns about, data that end early, is an error."""
    stream = JpegKind().encode(RGB)
    for damaged in (
        b"",
        bytes(len(stream)),
        stream[:2],
        stream[: len(stream) // 2],
        stream[: len(stream) // 2] + bytes(len(stream) // 2),
    ):
        with pytest.raises(ValueError):  # noqa: PT011 (libjpeg words it)
            decode_tile(damaged, YCBCR, SIZE)


@pytest.mark.parametrize("side", [32, 72])
def test_a_tile_of_another_size_is_refused(side: int) -> None:
    stream = JpegKind().encode(tissue_like(side, side))
    with pytest.raises(ValueError, match=r"instead of|too small"):
        decode_tile(stream, YCBCR, SIZE)


def test_a_header_that_claims_4_gib_takes_no_memory() -> None:
    stream = bytearray(JpegKind().encode(RGB))
    frame = stream.index(b"\xff\xc0")
    stream[frame + 5 : frame + 9] = b"\xff\xdc\xff\xdc"
    with pytest.raises(ValueError, match="too small"):
        decode_tile(bytes(stream), YCBCR, SIZE)


@pytest.mark.parametrize("tables", [b"", b"no tables", b"\xff\xd8\xff"])
def test_tables_that_are_none_are_refused(tables: bytes) -> None:
    with pytest.raises(ValueError, match="tables"):
        stream_head(tables, ycbcr=True)
