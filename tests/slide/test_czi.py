"""Zeiss CZI: pixels and places are those that were written, or the file is refused by its true cause.

libCZI writes the files and is a witness of what they show; so is OpenSlide where it reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import openslide
import pytest

from mitoscope.errors import ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import open_slide

from .czi_file import Entry, Tile, czi, write_czi
from .jpeg_tiff import tissue_like

SIDE = 128
RGB = tissue_like(4 * SIDE, 3 * SIDE)
HALF = np.ascontiguousarray(255 - RGB[::2, ::2])
"""Another picture than the first, so that it shows which level was read."""
HEIGHT, WIDTH = RGB.shape[:2]
LEFT, TOP = -300, 70
PIXEL_FORMAT = bytes.fromhex("24c3dd6f034efe4bb1853d77768dc9")
WITHOUT = {(1, 1)}
"""Column and row of a tile that was not scanned."""


def tiles(rgb: np.ndarray, *, without: set[tuple[int, int]] = WITHOUT, **how: object) -> list[Tile]:
    return [
        (rgb[y : y + SIDE, x : x + SIDE], (LEFT + x, TOP + y), dict(how))
        for y in range(0, rgb.shape[0], SIDE)
        for x in range(0, rgb.shape[1], SIDE)
        if (x // SIDE, y // SIDE) not in without
    ]


def whole(path: Path, level: int = 0, *, probe: bool = False) -> tuple[np.ndarray, np.ndarray]:
    with open_slide(path, probe=probe) as slide:
        size = slide.info.level(level).size
        pixels = slide.read(BoxPx(0, 0, size.width, size.height), level=level)
    assert not pixels.damaged
    return pixels.rgb, pixels.valid


def jpeg_xr(rgb: np.ndarray) -> bytes:
    stream = bytearray(imagecodecs.jpegxr_encode(np.ascontiguousarray(rgb)))
    stream[stream.index(PIXEL_FORMAT) + len(PIXEL_FORMAT)] = (
        0x0C  # 24bppBGR, as scanners call it; libCZI insists
    )
    return bytes(stream)


@pytest.mark.parametrize(
    "compression", ["uncompressed:", "zstd0:ExplicitLevel=1", "zstd1:ExplicitLevel=1", "JPEG XR"]
)
def test_a_known_picture_is_read_as_written_and_what_was_not_scanned_is_a_gap(
    tmp_path: Path, compression: str
) -> None:
    written = tiles(RGB)
    coded = compression == "JPEG XR"
    path = write_czi(
        tmp_path / "slide.czi",
        written,
        compression="uncompressed:" if coded else compression,
        change=lambda _, entry: replace(entry, compression=4) if coded else entry,
        payload=(lambda number: jpeg_xr(written[number][0])) if coded else None,
    )
    rgb, valid = whole(path, probe=coded)
    gap = slice(SIDE, 2 * SIDE), slice(SIDE, 2 * SIDE)
    assert not valid[gap].any()
    assert (rgb[gap] == 255).all()
    assert valid.sum() == HEIGHT * WIDTH - SIDE * SIDE
    assert (rgb[valid] == RGB[valid]).all()
    with czi.open_czi(str(path)) as document:
        assert (document.read()[..., ::-1][valid] == rgb[valid]).all()
    with open_slide(path, probe=False) as slide:
        assert (slide.info.mpp.x, slide.info.mpp.y) == pytest.approx((0.25, 0.25))
        part = slide.read(BoxPx(-20, 100, 200, 90))
    assert not part.valid[:, :20].any()
    assert (part.rgb[:, 20:][part.valid[:, 20:]] == RGB[100:190, :180][part.valid[:, 20:]]).all()


def test_openslide_sees_the_same(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "slide.czi", tiles(RGB), change=lambda _, entry: entry.without("ZT"))
    rgb, valid = whole(path)
    with openslide.OpenSlide(path) as slide:
        rgba = np.asarray(slide.read_region((0, 0), 0, slide.dimensions))
    assert (rgba[..., 3] > 0).tolist() == valid.tolist()
    assert (rgba[..., :3][valid] == rgb[valid]).all()


def test_levels_are_read_where_they_show_all_that_was_scanned(tmp_path: Path) -> None:
    lower: list[Tile] = [
        (HALF[:, :SIDE], (0, 0), {}),
        (HALF[:, SIDE:], (0, 0), {}),
        (HALF[::4, ::4], (0, 0), {}),
    ]
    written = tiles(RGB, without=set())
    places = {len(written): (LEFT, TOP, 2), len(written) + 1: (LEFT + 2 * SIDE, TOP, 2)}
    places[len(written) + 2] = (LEFT, TOP, 4)  # a quarter of the slide

    def change(number: int, entry: Entry) -> Entry:
        return entry.showing(*places[number]) if number in places else entry

    path = write_czi(tmp_path / "slide.czi", [*written, *lower], change=change)
    assert (whole(path)[0] == RGB).all()
    rgb, valid = whole(path, level=1)
    assert valid.all()
    assert (rgb == HALF).all()
    with open_slide(path, probe=False) as slide:
        assert [level.size for level in slide.info.levels] == [
            SizePx(WIDTH, HEIGHT),
            SizePx(WIDTH // 2, HEIGHT // 2),
        ]
        assert "reduced by 4 leave out" in slide.info.notes[0]
        window = slide.read(BoxPx(99, 61, 60, 50), level=1)  # libCZI repeats a column at such a seam
    assert (window.rgb == HALF[61:111, 99:159]).all()


def test_scenes_lie_in_one_frame_and_the_topmost_tile_is_seen(tmp_path: Path) -> None:
    below, above, far = RGB[:SIDE, :SIDE], HALF[:SIDE, :SIDE], RGB[SIDE : 2 * SIDE, :SIDE]
    path = write_czi(
        tmp_path / "slide.czi",
        [(below, (10, 20), {}), (above, (60, 20), {}), (far, (500, 400), {"scene": 1})],
    )
    with open_slide(path, probe=False) as slide:
        assert slide.info.size == SizePx(490 + SIDE, 380 + SIDE)
        assert slide.info.notes == ("its 2 scenes are read in one frame, as they lie on the glass",)
        pixels = slide.read(BoxPx(0, 0, 490 + SIDE, 380 + SIDE))
    assert (pixels.rgb[:SIDE, :50] == below[:, :50]).all()
    assert (pixels.rgb[:SIDE, 50 : 50 + SIDE] == above).all()
    assert (pixels.rgb[380:, 490:] == far).all()
    assert pixels.valid.sum() == SIDE * (SIDE + 50) + SIDE * SIDE
    with czi.open_czi(str(path)) as document:
        assert (document.read(roi=(10, 20, 178, SIDE), scene=0)[..., ::-1] == pixels.rgb[:SIDE, :178]).all()


def test_what_a_mask_leaves_out_was_not_scanned(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "slide.czi", [(RGB[:SIDE, :SIDE], (0, 0), {})], compression="uncompressed:")
    content = bytearray(path.read_bytes())
    valid = np.ones((SIDE, SIDE), np.uint8)
    valid[:40, :30] = 0
    bits = np.packbits(valid, axis=1)
    name = bytes.fromhex("67eae3cbfc5b2b49a16aece378031448")
    mask = name + struct.pack("<iIIII", 16 + bits.size, SIDE, SIDE, 0, bits.shape[1]) + bits.tobytes()
    position = content.index(b"ZISRAWSUBBLOCK")
    metadata, _, length = struct.unpack_from("<iiq", content, position + 32)
    end = position + 32 + 256 + metadata + length
    moved = len(content)  # the whole subblock again behind the file, with the mask
    content += content[position:end] + mask
    struct.pack_into("<i", content, moved + 36, len(mask))
    (directory,) = struct.unpack_from("<q", content, 84)
    struct.pack_into("<q", content, directory + 160 + 6, moved)
    path.write_bytes(content)
    rgb, seen = whole(path)
    assert (seen == valid.astype(bool)).all()
    assert (rgb[seen] == RGB[:SIDE, :SIDE][seen]).all()


@pytest.mark.parametrize("compression", ["uncompressed:", "zstd1:ExplicitLevel=1;PreProcess=HiLoByteUnpack"])
def test_16_bits_are_scaled_and_fewer_without_a_word_are_refused(tmp_path: Path, compression: str) -> None:
    deep = tiles(RGB.astype(np.uint16) * 257)
    path = write_czi(tmp_path / "deep.czi", deep, compression=compression)
    rgb, valid = whole(path)
    assert (rgb[valid] == RGB[valid]).all()
    shallow = write_czi(tmp_path / "12.czi", tiles(RGB.astype(np.uint16) * 16), compression=compression)
    with pytest.raises(
        SlideFormatError, match=r"16 bits are stored, but the largest sample is \d+ \(12 bits\)"
    ):
        open_slide(shallow)
    said = b"<PixelType>Bgr48</PixelType>"
    instead = b"<ComponentBitCount>12</ComponentBitCount>"
    content = shallow.read_bytes()
    start = content.index(b"<Channels>")
    channels = content[start : content.index(b"</Channels>") + len(b"</Channels>")]
    assert said in content
    shallow.write_bytes(content.replace(channels, instead.ljust(len(channels))))
    rgb, valid = whole(shallow)
    assert np.abs(rgb[valid].astype(int) - RGB[valid]).max() <= 1


def grey(path: Path) -> Path:
    return write_czi(path, [(RGB[:SIDE, :SIDE, :1], (0, 0), {})])


def stack(path: Path) -> Path:
    return write_czi(path, [*tiles(RGB, plane={"Z": 0}), *tiles(RGB, plane={"Z": 1})])


def channels(path: Path) -> Path:
    return write_czi(path, [*tiles(RGB, plane={"C": 0}), *tiles(RGB, plane={"C": 1})])


def lzw(path: Path) -> Path:
    return write_czi(path, tiles(RGB), change=lambda _, entry: replace(entry, compression=2))


def reduced_only(path: Path) -> Path:
    return write_czi(path, [(RGB[:SIDE, :SIDE], (0, 0), {})], change=lambda _, entry: entry.showing(0, 0, 2))


def impossible(path: Path) -> Path:
    def change(_: int, entry: Entry) -> Entry:
        return replace(entry, dimensions={**entry.dimensions, "X": (0, SIDE * 4, 0.0, SIDE)})

    return write_czi(path, [(RGB[:SIDE, :SIDE], (0, 0), {})], change=change)


def beyond_belief(path: Path) -> Path:
    return write_czi(path, [(RGB[:SIDE, :SIDE], (0, 0), {}), (RGB[:SIDE, :SIDE], (1 << 24, 0), {})])


def cut(share: float) -> Callable[[Path], Path]:
    def write(path: Path) -> Path:
        content = write_czi(path, tiles(RGB)).read_bytes()
        path.write_bytes(content[: int(len(content) * share)])
        return path

    return write


def text(path: Path) -> Path:
    path.write_bytes(b"what a text file holds " * 100)
    return path


def zeros(path: Path) -> Path:
    path.write_bytes(b"ZISRAWFILE".ljust(16, b"\0") + bytes(600))
    return path


REFUSED: dict[str, tuple[Callable[[Path], Path], str]] = {
    "grey": (grey, r"holds pixels of type Gray8, of which Bgr24 and Bgr48 are read"),
    "focal planes": (stack, r"has 2 focal planes \(dimension Z\)"),
    "channels": (channels, r"has 2 channels \(dimension C\)"),
    "LZW": (lzw, r"compression LZW of its tiles cannot be read"),
    "reduced": (reduced_only, r"stores no tile in full resolution"),
    "impossible": (impossible, r"tile 0 shows 512 × 128 px in 128 × 128"),
    "beyond belief": (beyond_belief, r"claims 16777344 × 128 px"),
    "cut before the directory": (cut(0.5), r"has no directory of its tiles"),
    "cut in its head": (cut(0.0001), r"cannot be parsed as CZI"),
    "text": (text, r"not a slide that OpenSlide knows, nor a PNG"),
    "zeros": (zeros, r"has no directory of its tiles"),
}


PROBED = {"cut before the directory", "zeros"}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_read_is_refused_in_one_line_by_its_cause(tmp_path: Path, name: str) -> None:
    write, cause = REFUSED[name]
    path = write(tmp_path / "slide.czi")
    with pytest.raises(SlideFormatError, match=cause) as refused:
        open_slide(path, mpp=0.25, probe=name in PROBED)
    assert "\n" not in str(refused.value)


def test_no_resolution_is_said_and_a_damaged_tile_costs_itself(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "slide.czi", tiles(RGB), mpp=None)
    with pytest.raises(ScaleError, match="states no resolution"):
        open_slide(path)
    content = bytearray(path.read_bytes())
    place = content.index(b"ZISRAWSUBBLOCK")
    (metadata,) = struct.unpack_from("<i", content, place + 32)
    content[place + 288 + metadata : place + 328 + metadata] = bytes(40)
    path.write_bytes(content)
    with open_slide(path, mpp=0.25, probe=False) as slide:
        pixels = slide.read(BoxPx(0, 0, WIDTH, HEIGHT))
    assert pixels.damaged == (BoxPx(0, 0, SIDE, SIDE),)
    assert pixels.valid.sum() == HEIGHT * WIDTH - 2 * SIDE * SIDE
    assert (pixels.rgb[pixels.valid] == RGB[pixels.valid]).all()
