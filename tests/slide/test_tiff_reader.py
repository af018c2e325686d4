"""Tags that contradict the streams, each other or the file: decided and noted, or refused by their number."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from mitoscope.errors import ScaleError, SlideFormatError, UndecodableError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import ImageSlide, JpegTileReader, OpenSlideReader, Pixels, Slide, TiffReader, open_slide
from mitoscope.slide.info import StatedScale
from mitoscope.slide.ome import find_ome_pixels

from .coded_tiff import APERIO_RGB, APERIO_YCBCR, JPEG, JPEG_2000, SVS, Coding, cut, jpeg_2000, write_coded
from .jpeg_kinds import JpegKind, segments, without_colours
from .jpeg_tiff import tissue_like, write_tiff

RGB = tissue_like(300, 420)
SIZE = SizePx(420, 300)
TILE = SizePx(128, 128)
SCALE: dict[str, Any] = {"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER", "metadata": None}


def read_all(slide: Slide, level: int = 0) -> Pixels:
    size = slide.info.levels[level].size
    return slide.read(BoxPx(0, 0, size.width, size.height), level=level)


def mean_off(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found.astype(int) - expected).mean())


def set_tag(path: Path, tag: int, value: object) -> Path:
    with tifffile.TiffFile(path, mode="r+") as tiff:
        tiff.pages.first.tags[tag].overwrite(value)
    return path


# Colours.


@pytest.mark.parametrize("subsampling", ["444", "422", "420"])
def test_ycbcr_streams_that_a_tag_calls_rgb_are_read_as_ycbcr(tmp_path: Path, subsampling: str) -> None:
    streams = [JpegKind(subsampling=subsampling).encode(tile) for tile in cut(RGB, TILE)]
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=Coding(JPEG, TILE))
    with open_slide(path) as slide, OpenSlideReader(path) as theirs:
        assert mean_off(read_all(slide).rgb, RGB) < 3
        assert mean_off(read_all(theirs).rgb, RGB) > 20, "the readers that follow the tag err"
        (note,) = slide.info.notes
    assert note.startswith("tag 262 says RGB, but the streams are YCbCr by ")


def test_rgb_streams_that_a_tag_calls_ycbcr_are_read_as_rgb(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "slide.tiff",
        RGB,
        photometric="rgb",
        tile=(128, 128),
        compression="jpeg",
        compressionargs={"level": 95, "outcolorspace": "RGB"},
        **SCALE,
    )
    path = set_tag(tmp_path / "slide.tiff", 262, 6)
    with open_slide(path) as slide, OpenSlideReader(path) as theirs:
        assert mean_off(read_all(slide).rgb, RGB) < 3
        assert mean_off(read_all(theirs).rgb, RGB) > 20
        assert "tag 262 says YCbCr, but the streams are RGB" in slide.info.notes[0]


def test_streams_that_say_nothing_leave_the_word_to_the_tag(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "slide.tiff", RGB, kind=JpegKind(rgb=True)).path
    with open_slide(path) as slide:
        assert isinstance(slide, JpegTileReader)
        assert slide.info.notes == ()
        assert mean_off(read_all(slide).rgb, RGB) < 3


def test_streams_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    tiles = list(cut(RGB, TILE))
    streams = [JpegKind().encode(tile) for tile in tiles]
    tifffile.imwrite(
        tmp_path / "rgb.tiff",
        tiles[-1],
        photometric="rgb",
        compression="jpeg",
        compressionargs={"outcolorspace": "RGB"},
    )
    with tifffile.TiffFile(tmp_path / "rgb.tiff") as tiff:
        page = tiff.pages.first
        tiff.filehandle.seek(page.dataoffsets[0])
        streams[-1] = tiff.filehandle.read(page.databytecounts[0])
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=Coding(JPEG, TILE))
    with pytest.raises(SlideFormatError, match=r"slide\.tiff: tag 262 says RGB, and the streams contradict"):
        open_slide(path)


def unmarked(stream: bytes, *, rgb: bool) -> bytes:
    """Return a stream without any marker of its colours."""
    if rgb:
        return without_colours(stream)
    return b"\xff\xd8" + b"".join(data for kind, data in segments(stream) if not 0xE0 <= kind <= 0xEF)


def encode(tile: np.ndarray, *, rgb: bool, quality: int = 90) -> bytes:
    """Return a tile in 4:4:4, RGB with the marker of Adobe or YCbCr with that of JFIF."""
    stream = io.BytesIO()
    Image.fromarray(tile).save(stream, "JPEG", quality=quality, keep_rgb=rgb, subsampling=0)
    return stream.getvalue()


def write_streams(path: Path, streams: list[bytes], *, ycbcr: bool, tables: bytes | None = None) -> Path:
    subsampling = (1, 1) if ycbcr else None
    return write_coded(path, streams, SIZE, coding=Coding(JPEG, TILE, subsampling=subsampling, tables=tables))


@pytest.mark.parametrize("tagged_ycbcr", [False, True], ids=["tag RGB", "tag YCbCr"])
def test_each_tile_is_decoded_as_its_own_head_says(tmp_path: Path, tagged_ycbcr: bool) -> None:
    odd = 6  # no corner, and none of those that take most bytes
    streams = [encode(tile, rgb=not tagged_ycbcr) for tile in cut(RGB, TILE)]
    streams[odd] = encode(list(cut(RGB, TILE))[odd], rgb=tagged_ycbcr, quality=40)
    path = write_streams(tmp_path / "slide.tiff", streams, ycbcr=tagged_ycbcr)
    with open_slide(path) as slide:
        assert isinstance(slide, JpegTileReader), "tag and most streams agree"
        assert mean_off(read_all(slide).rgb, RGB) < 3
        odd_one = RGB[128:256, 256:384]
        assert mean_off(slide.read(BoxPx(256, 128, 128, 128), level=0).rgb, odd_one) < 10
        for reduction in slide.reductions:
            side = 128 // reduction
            reduced = slide.read_reduced(BoxPx(2 * side, side, side, side), reduction=reduction)
            means = odd_one.reshape(side, reduction, side, reduction, 3).mean(axis=(1, 3))
            assert mean_off(reduced.rgb, means) < 10


@pytest.mark.parametrize("rgb", [False, True], ids=["YCbCr", "RGB"])
def test_the_markers_of_shared_tables_count(tmp_path: Path, rgb: bool) -> None:
    parts = [segments(encode(tile, rgb=rgb)) for tile in cut(RGB, TILE)]
    shared, markers = {0xDB, 0xC4}, range(0xE0, 0xF0)
    tables = b"".join(data for kind, data in parts[0] if kind in shared or kind in markers)
    streams = [
        b"".join(data for kind, data in each if kind not in shared and kind not in markers) for each in parts
    ]
    path = write_streams(
        tmp_path / "slide.tiff",
        [b"\xff\xd8" + stream for stream in streams],
        ycbcr=rgb,
        tables=b"\xff\xd8" + tables + b"\xff\xd9",
    )
    with open_slide(path) as slide:
        assert mean_off(read_all(slide).rgb, RGB) < 3
        assert "tag 262 says" in slide.info.notes[0]


def test_coarser_chroma_refutes_a_marker_that_says_rgb(tmp_path: Path) -> None:
    adobe = b"\xff\xee\x00\x0eAdobe\x00\x64\x00\x00\x00\x00\x00"
    streams = [JpegKind(subsampling="420").encode(tile) for tile in cut(RGB, TILE)]
    streams = [b"\xff\xd8" + adobe + unmarked(stream, rgb=False)[2:] for stream in streams]
    coding = Coding(JPEG, TILE, subsampling=(2, 2))
    with open_slide(write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=coding)) as slide:
        assert mean_off(read_all(slide).rgb, RGB) < 4


def test_a_habit_of_encoders_decides_where_no_marker_does(tmp_path: Path) -> None:
    streams = [unmarked(encode(tile, rgb=False), rgb=False) for tile in cut(RGB, TILE)]
    path = write_streams(tmp_path / "slide.tiff", streams, ycbcr=False)
    with open_slide(path) as slide:
        assert mean_off(read_all(slide).rgb, RGB) < 3
        (note,) = slide.info.notes
    assert note.startswith("tag 262 says RGB, but the streams are YCbCr by a quantisation of their own")


def test_streams_that_look_like_rgb_are_not_converted(tmp_path: Path) -> None:
    streams = [unmarked(encode(tile, rgb=True), rgb=True) for tile in cut(RGB, TILE)]
    with pytest.raises(SlideFormatError, match=r"tag 262 says YCbCr, but the streams look like RGB by one"):
        open_slide(write_streams(tmp_path / "slide.tiff", streams, ycbcr=True))


@pytest.mark.parametrize("rgb", [False, True], ids=["YCbCr", "RGB"])
def test_a_tag_that_nothing_confirms_is_believed_and_noted(tmp_path: Path, rgb: bool) -> None:
    streams = [jpeg_2000(tile, ycbcr=not rgb) for tile in cut(RGB, TILE)]
    streams = [without_transform(stream) for stream in streams] if rgb else streams
    coding = Coding(APERIO_RGB if rgb else APERIO_YCBCR, TILE, description=SVS)
    with open_slide(write_coded(tmp_path / "slide.svs", streams, SIZE, coding=coding)) as slide:
        colours = "RGB" if rgb else "YCbCr"
        assert slide.info.notes == (f"tag 259 says {colours} and was believed: the streams do not say",)


def without_transform(stream: bytes) -> bytes:
    """Return a codestream that says it has not transformed its colours."""
    place = stream.index(b"\xff\x52") + 8
    return stream[:place] + b"\0" + stream[place + 1 :]


def test_tiles_that_are_jp2_files_are_refused_as_such(tmp_path: Path) -> None:
    streams = []
    for tile in cut(RGB, TILE):
        stream = io.BytesIO()
        Image.fromarray(tile).save(stream, "JPEG2000", no_jp2=False)
        streams.append(stream.getvalue())
    path = write_coded(tmp_path / "slide.tiff", streams, SIZE, coding=Coding(JPEG_2000, TILE))
    with pytest.raises(
        SlideFormatError, match=r"tag 259 \(Compression\) is 34712, but the tiles are JP2 files"
    ):
        open_slide(path)


def test_a_vendor_whose_tag_contradicts_the_streams(make_leica: Callable[..., Any], tmp_path: Path) -> None:
    """A Leica slide, whose levels OpenSlide puts together: its colours are converted, once."""
    made = make_leica(tmp_path / "slide.scn")
    with open_slide(made.path) as slide:
        right = read_all(slide)
        assert slide.info.notes == ()
    with tifffile.TiffFile(made.path, mode="r+") as tiff:
        pages: list[Any] = list(tiff.pages)
        for page in pages:
            page.tags[262].overwrite(2)
    with open_slide(made.path) as slide:
        found = read_all(slide)
        assert slide.info.notes[0].startswith("tag 262 says RGB, but the streams are YCbCr")
    assert (found.valid == right.valid).all()
    assert np.abs(found.rgb.astype(int) - right.rgb).max() <= 2


def test_a_vendor_whose_pages_contradict_the_streams_in_part(
    make_leica: Callable[..., Any], tmp_path: Path
) -> None:
    made = make_leica(tmp_path / "slide.scn")
    with pytest.raises(SlideFormatError, match=r"tag 262 .* contradicts the streams of some pages"):
        open_slide(set_tag(made.path, 262, 2))


@pytest.mark.parametrize(("compression", "ycbcr"), [(APERIO_YCBCR, False), (APERIO_RGB, False)])
def test_jpeg_2000_that_transforms_its_colours_itself_is_rgb_whatever_the_tag(
    tmp_path: Path, compression: int, ycbcr: bool
) -> None:
    streams = [jpeg_2000(tile, ycbcr=ycbcr) for tile in cut(RGB, TILE)]
    coding = Coding(compression, TILE, description=SVS)
    with open_slide(write_coded(tmp_path / "slide.svs", streams, SIZE, coding=coding)) as slide:
        assert (read_all(slide).rgb == RGB).all()
        assert bool(slide.info.notes) == (compression == APERIO_YCBCR)


# Places.


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("layout", [{"tile": (128, 128)}, {"rowsperstrip": 64}], ids=["tiled", "striped"])
@pytest.mark.parametrize("compression", [None, "zlib", "jpeg"])
def test_pixels_are_those_that_are_stored_whatever_the_orientation(
    tmp_path: Path, orientation: int, layout: dict[str, Any], compression: str | None
) -> None:
    path = tmp_path / "slide.tiff"
    extra = [(274, 3, 1, orientation, True)]
    tifffile.imwrite(
        path, RGB, photometric="rgb", compression=compression, extratags=extra, **layout, **SCALE
    )
    with open_slide(path) as slide:
        assert slide.info.size == SIZE
        assert mean_off(read_all(slide).rgb, RGB) <= (3 if compression == "jpeg" else 0)
        assert any("tag 274" in note for note in slide.info.notes) == (orientation != 1)


def test_a_grid_that_the_header_makes_impossible_is_refused(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "slide.tiff", RGB, reductions=(1,)).path
    set_tag(path, 256, 65_535)
    with pytest.raises(
        SlideFormatError,
        match=r"slide\.tiff: level 0: tag 324 lists 35 tiles, but 65535 × 300 px .* are 5120",
    ):
        open_slide(path)


def test_a_slide_without_a_stored_tile_is_refused(tmp_path: Path) -> None:
    made = write_tiff(tmp_path / "slide.tiff", RGB, reductions=(1,))
    set_tag(made.path, 325, [0] * len(made.tile_bytes[0]))
    with pytest.raises(SlideFormatError, match=r"slide\.tiff: level 0 has no tile that is stored"):
        open_slide(made.path)


@pytest.mark.parametrize("tag", [324, 325])
@pytest.mark.parametrize("jpeg", [True, False], ids=["JPEG", "lossless"])
def test_tiles_that_are_not_stored_are_gaps(tmp_path: Path, tag: int, jpeg: bool) -> None:
    path = tmp_path / "slide.tiff"
    compression = "jpeg" if jpeg else "zlib"
    tifffile.imwrite(path, RGB, photometric="rgb", tile=(128, 128), compression=compression, **SCALE)
    with tifffile.TiffFile(path) as tiff:
        values = list(tiff.pages.first.tags[tag].value)
    values[1] = values[5] = 0
    with open_slide(set_tag(path, tag, values)) as slide:
        pixels = read_all(slide)
        assert {(box.x, box.y) for box in pixels.damaged} == {(128, 0), (128, 128)}
        assert not pixels.valid[:256, 128:256].any()
        assert pixels.valid.sum() == RGB.shape[0] * RGB.shape[1] - 2 * 128 * 128
        assert slide.info.notes == ("2 of 12 tiles are not stored in the file: they are gaps",)


def without_tag(path: Path, tag: int) -> Path:
    """Rename a tag of the first page to one that nobody knows."""
    with tifffile.TiffFile(path) as tiff:
        place = tiff.pages.first.tags[tag].offset
    data = bytearray(path.read_bytes())
    struct.pack_into("<H", data, place, 65_000)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("layout", [{"tile": (128, 128)}, {"rowsperstrip": 50}], ids=["tiled", "striped"])
@pytest.mark.parametrize(
    ("tag", "compression", "reason"),
    [
        (258, "zlib", r"has no tag 258 \(BitsPerSample\)"),
        (259, "zlib", r"tag 259 \(Compression\) is 1, none, but \d+ bytes are stored where"),
        (259, "webp", r"tag 259 \(Compression\) is 1, none, but \d+ bytes are stored where"),
    ],
)
def test_a_tag_that_is_missing_is_not_guessed(
    tmp_path: Path, layout: dict[str, Any], tag: int, compression: str, reason: str
) -> None:
    path = tmp_path / "slide.tiff"
    tifffile.imwrite(path, RGB, photometric="rgb", compression=compression, **layout, **SCALE)
    with pytest.raises(SlideFormatError, match=reason):
        open_slide(without_tag(path, tag))


def test_tiles_of_another_size_than_the_tag_says_are_no_tiles(tmp_path: Path) -> None:
    path = tmp_path / "slide.tiff"
    options: dict[str, Any] = {"compression": "webp", "compressionargs": {"lossless": True}}
    tifffile.imwrite(path, RGB, photometric="rgb", tile=(128, 128), **options, **SCALE)
    with pytest.raises(UndecodableError, match=r"slide\.tiff: has no tile that can be decoded"):
        open_slide(set_tag(path, 322, 112))


def test_directories_that_form_a_loop_are_refused(tmp_path: Path) -> None:
    made = write_tiff(tmp_path / "slide.tiff", RGB)
    data = bytearray(made.path.read_bytes())
    struct.pack_into("<I", data, made.next_ifd[2], made.ifd[1])
    made.path.write_bytes(data)
    with pytest.raises(SlideFormatError, match="form a loop: after page 2 follows page 1 again"):
        open_slide(made.path)


@pytest.mark.parametrize("layout", [{"tile": (128, 128)}, {}], ids=["tiled", "striped"])
def test_planes_are_joined(tmp_path: Path, layout: dict[str, Any]) -> None:
    path, planes = tmp_path / "slide.tiff", np.moveaxis(RGB, -1, 0)
    tifffile.imwrite(path, planes, photometric="rgb", planarconfig="separate", **layout, **SCALE)
    with open_slide(path) as slide:
        assert (read_all(slide).rgb == RGB).all()


def write_pages(path: Path, pages: list[tuple[np.ndarray, int]], tile: int = 128) -> Path:
    """Write pictures with their NewSubfileType as tiled pages."""
    with tifffile.TiffWriter(path) as tiff:
        for rgb, kind in pages:
            pixels = np.ascontiguousarray(rgb)
            tiff.write(pixels, photometric="rgb", tile=(tile, tile), subfiletype=kind & 1, **SCALE)
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for page, (_, kind) in zip(tiff.pages, pages, strict=True):
            assert isinstance(page, tifffile.TiffPage)
            page.tags[254].overwrite(kind)
    return path


HALF, BLACK = RGB[::2, ::2], np.zeros((150, 210, 3), np.uint8)


@pytest.mark.parametrize(
    "other",
    [(BLACK[:60, :180], 1), (BLACK, 5), (np.zeros_like(RGB), 1)],
    ids=["macro", "mask", "page of the same size"],
)
@pytest.mark.parametrize("before", [False, True])
def test_a_page_that_is_no_reduced_picture_is_no_level(
    tmp_path: Path, other: tuple[np.ndarray, int], before: bool
) -> None:
    lower = [other, (HALF, 1)] if before else [(HALF, 1), other]
    path = write_pages(tmp_path / "slide.tiff", [(RGB, 0), *lower])
    with open_slide(path) as slide:
        assert [level.size for level in slide.info.levels] == [SIZE, SizePx(210, 150)]
        assert (read_all(slide, 1).rgb == HALF).all()
        assert "is no level" in slide.info.notes[0]


@pytest.mark.parametrize("pages", [[(HALF, 1), (RGB, 0)], [(HALF, 0), (RGB, 0), (RGB[::4, ::4], 1)]])
def test_a_slide_whose_first_page_is_not_its_largest_is_refused(
    tmp_path: Path, pages: list[tuple[np.ndarray, int]]
) -> None:
    path = write_pages(tmp_path / "slide.tiff", pages)
    with pytest.raises(SlideFormatError, match=r"largest picture \(420 × 300 px\) is page 1, .*page=1"):
        open_slide(path)
    for striped in pages:
        tifffile.imwrite(tmp_path / "strips.tiff", striped[0], photometric="rgb", append=True, **SCALE)
    with pytest.raises(SlideFormatError, match=r"is page 1, not the first"):
        open_slide(tmp_path / "strips.tiff")


@pytest.mark.parametrize("around", [0, 255])
def test_levels_that_are_filled_up_to_whole_tiles_are_cut_at_the_slide(tmp_path: Path, around: int) -> None:
    pages = [(RGB, 0)]
    for step in (2, 4, 8):
        reduced = RGB[::step, ::step]
        beyond = [(0, -side % 64) for side in reduced.shape[:2]]
        pages.append((np.pad(reduced, [*beyond, (0, 0)], constant_values=around), 1))
    with open_slide(write_pages(tmp_path / "slide.tiff", pages, tile=64)) as slide:
        for level, step in enumerate((1, 2, 4, 8)):
            assert slide.info.levels[level].downsample_x == slide.info.levels[level].downsample_y == step
            assert (read_all(slide, level).rgb == RGB[::step, ::step]).all()


@pytest.mark.parametrize(
    ("tag", "what"), [(317, r"tag 317 \(Predictor\) is 9"), (322, r"tags 322 and 323 .* are 100 × 100")]
)
def test_what_libtiff_refuses_tile_by_tile_is_refused_by_its_tag(tmp_path: Path, tag: int, what: str) -> None:
    tile, field = 112, RGB[:200, :200]
    path = tmp_path / "slide.tiff"
    tifffile.imwrite(
        path, field, photometric="rgb", tile=(tile, tile), compression="zlib", predictor=2, **SCALE
    )
    set_tag(path, tag, 9 if tag == 317 else 100)
    if tag == 322:
        set_tag(path, 323, 100)
    with pytest.raises(SlideFormatError, match=what):
        open_slide(path)


def write_ome(path: Path, **metadata: Any) -> Path:
    """Write an OME-TIFF with its pyramid in sub-directories and no resolution but in its XML."""
    options: dict[str, Any] = {"photometric": "rgb", "tile": (128, 128), "compression": "zlib"}
    with tifffile.TiffWriter(path, ome=True) as tiff:
        tiff.write(RGB, subifds=2, metadata={"axes": "YXS", **metadata}, **options)
        for step in (2, 4):
            tiff.write(np.ascontiguousarray(RGB[::step, ::step]), subfiletype=1, **options)
    return path


def test_a_pyramid_in_sub_directories_is_read(tmp_path: Path) -> None:
    with open_slide(write_ome(tmp_path / "slide.ome.tiff"), mpp=0.25) as slide:
        assert isinstance(slide, TiffReader)
        assert [level.downsample_x for level in slide.info.levels] == [1, 2, 4]
        for index, step in enumerate((1, 2, 4)):
            assert (read_all(slide, index).rgb == RGB[::step, ::step]).all()


@pytest.mark.parametrize(
    ("size", "unit", "mpp"),
    [
        (0.25, "µm", 0.25),
        (0.25, "um", 0.25),
        (250.0, "nm", 0.25),
        (0.00025, "mm", 0.25),
        (2500.0, "Å", 0.25),
        (250_000.0, "pm", 0.25),
        (0.01, "thou", 0.254),
        (0.00072, "pt", 0.254),
    ],
)
def test_the_resolution_of_ome_counts_in_its_unit(tmp_path: Path, size: float, unit: str, mpp: float) -> None:
    path = write_ome(
        tmp_path / "slide.ome.tiff",
        PhysicalSizeX=size,
        PhysicalSizeXUnit=unit,
        PhysicalSizeY=size,
        PhysicalSizeYUnit=unit,
    )
    with open_slide(path) as slide:
        assert slide.info.mpp.x == pytest.approx(mpp)
        assert slide.info.mpp_source == "OME PhysicalSizeX"


def test_attributes_of_ome_in_single_quotes_count_and_comments_do_not(tmp_path: Path) -> None:
    path = write_ome(tmp_path / "slide.ome.tiff", PhysicalSizeX=0.25, PhysicalSizeY=0.25)
    with tifffile.TiffFile(path) as tiff:
        text = str(tiff.pages.first.description)
    comment = '<!-- <Pixels SizeX="420" SizeY="300" PhysicalSizeX="1" PhysicalSizeY="1"> -->'
    found = find_ome_pixels(comment + text.replace('"', "'"), (420, 300))
    assert found is not None
    assert found.scale == StatedScale("OME PhysicalSizeX", 0.25, 0.25)


def test_a_size_in_pixels_is_no_resolution(tmp_path: Path) -> None:
    path = write_ome(
        tmp_path / "slide.ome.tiff",
        PhysicalSizeX=1.0,
        PhysicalSizeXUnit="pixel",
        PhysicalSizeY=1.0,
        PhysicalSizeYUnit="pixel",
    )
    with pytest.raises(ScaleError, match="--mpp"):
        open_slide(path)
    with open_slide(path, mpp=0.5) as slide:
        assert slide.info.mpp_source == "--mpp"


@pytest.mark.parametrize("layout", [{"tile": (128, 128)}, {"rowsperstrip": 50}], ids=["tiled", "striped"])
@pytest.mark.parametrize("kind", ["unassalpha", "assocalpha", "unspecified"])
def test_a_fourth_sample_is_transparency_where_the_tag_says_so(
    tmp_path: Path, layout: dict[str, Any], kind: str
) -> None:
    path = tmp_path / "slide.tiff"
    opaque = np.full(RGB.shape[:2], 255, np.uint8)
    opaque[:40, :60] = 0
    rgb = np.where(opaque[..., None] == 0, np.uint8(0), RGB) if kind == "assocalpha" else RGB
    tifffile.imwrite(
        path, np.dstack([rgb, opaque]), photometric="rgb", extrasamples=[kind], **layout, **SCALE
    )
    with open_slide(path) as slide:
        pixels = read_all(slide)
        left_out = kind == "unspecified"
        assert (pixels.valid == (opaque > 0) | left_out).all()
        assert (pixels.rgb[pixels.valid] == RGB[pixels.valid]).all()
        assert any("338" in note for note in slide.info.notes) == left_out


# Depth.

Write = Callable[[Path, int], Path]


def write_deep(path: Path, bits: int, layout: dict[str, Any], extra: list[Any], **more: Any) -> Path:
    deep = (RGB.astype(np.uint32) * ((1 << bits) - 1) // 255).astype(np.uint16)
    options = {**SCALE, **more}
    tifffile.imwrite(path, deep, photometric="rgb", compression="zlib", extratags=extra, **layout, **options)
    return path


LAYOUTS = pytest.mark.parametrize(
    "layout", [{"tile": (128, 128)}, {"rowsperstrip": 50}], ids=["tiled", "striped"]
)


@LAYOUTS
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_stated_depth_is_scaled(tmp_path: Path, layout: dict[str, Any], bits: int) -> None:
    extra = [(281, 3, 3, ((1 << bits) - 1,) * 3, True)]
    with open_slide(write_deep(tmp_path / "slide.tiff", bits, layout, extra)) as slide:
        assert np.abs(read_all(slide).rgb.astype(int) - RGB).max() <= 1
        assert slide.info.notes == (f"samples of {bits} bits were scaled to 8",)


@LAYOUTS
@pytest.mark.parametrize("bits", [10, 12, 14])
def test_a_depth_that_is_not_stated_is_refused(tmp_path: Path, layout: dict[str, Any], bits: int) -> None:
    path = write_deep(tmp_path / "slide.tiff", bits, layout, [])
    with pytest.raises(
        SlideFormatError,
        match=rf"tag 258 \(BitsPerSample\) states 16 bits, but .* \({bits} bits\); .*MaxSampleValue",
    ):
        open_slide(path)


@pytest.mark.parametrize(("stated", "right"), [(3_900, True), (2_200, False), (65_535, False)])
def test_the_largest_sample_says_the_depth_where_it_is_near_it(
    tmp_path: Path, stated: int, right: bool
) -> None:
    extra = [(281, 3, 3, (stated,) * 3, True)]
    path = write_deep(tmp_path / "slide.tiff", 12, {"tile": (128, 128)}, extra)
    if right:
        with open_slide(path) as slide:
            assert np.abs(read_all(slide).rgb.astype(int) - RGB).max() <= 1
    else:
        with pytest.raises(SlideFormatError, match=r"tag 258 \(BitsPerSample\) states 16 bits, but"):
            open_slide(path)


@LAYOUTS
def test_all_16_bits_are_scaled(tmp_path: Path, layout: dict[str, Any]) -> None:
    with open_slide(write_deep(tmp_path / "slide.tiff", 16, layout, [])) as slide:
        assert np.abs(read_all(slide).rgb.astype(int) - RGB).max() <= 1


@LAYOUTS
def test_samples_beyond_the_stated_depth_are_refused(tmp_path: Path, layout: dict[str, Any]) -> None:
    path = write_deep(tmp_path / "slide.tiff", 16, layout, [(281, 3, 3, (4095,) * 3, True)])
    with pytest.raises(
        SlideFormatError, match=r"a sample is \d+, but tag 281 \(MaxSampleValue\) states 12 bits"
    ):
        open_slide(path)


@LAYOUTS
@pytest.mark.parametrize(("bits", "stated"), [(10, 11), (12, 13), (12, 14), (14, 15)])
def test_a_stated_depth_that_no_sample_reaches_half_of_is_refused(
    tmp_path: Path, layout: dict[str, Any], bits: int, stated: int
) -> None:
    extra = [(281, 3, 3, ((1 << stated) - 1,) * 3, True)]
    path = write_deep(tmp_path / "slide.tiff", bits, layout, extra)
    with pytest.raises(
        SlideFormatError, match=rf"tag 281 \(MaxSampleValue\) states {stated} bits, but .* \({bits} bits\)"
    ):
        open_slide(path)


@LAYOUTS
def test_the_significant_bits_of_ome_are_scaled(tmp_path: Path, layout: dict[str, Any]) -> None:
    metadata = {
        "axes": "YXS",
        "SignificantBits": 12,
        "PhysicalSizeX": 0.25,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 0.25,
        "PhysicalSizeYUnit": "µm",
    }
    path = write_deep(tmp_path / "slide.ome.tiff", 12, layout, [], metadata=metadata, ome=True)
    with open_slide(path) as slide:
        assert np.abs(read_all(slide).rgb.astype(int) - RGB).max() <= 1


@LAYOUTS
def test_float_samples_are_refused(tmp_path: Path, layout: dict[str, Any]) -> None:
    path = tmp_path / "slide.tiff"
    tifffile.imwrite(path, (RGB / 255).astype(np.float32), photometric="rgb", **layout, **SCALE)
    with pytest.raises(SlideFormatError, match=r"tag 339 \(SampleFormat\) is 3"):
        open_slide(path)


def test_several_pictures_of_one_size_are_refused_in_tiles_as_in_strips(tmp_path: Path) -> None:
    path = tmp_path / "stack.tiff"
    for append in (False, True):
        tifffile.imwrite(path, RGB, photometric="rgb", tile=(128, 128), append=append, **SCALE)
    with pytest.raises(SlideFormatError, match="holds 2 pictures of the same size"):
        open_slide(path)


def test_a_plain_tiff_is_decoded_without_pillow(tmp_path: Path) -> None:
    path = tmp_path / "field.tiff"
    tifffile.imwrite(path, RGB, photometric="rgb", compression="lzw", **SCALE)
    with open_slide(path) as slide:
        assert isinstance(slide, ImageSlide)
        assert slide.info.reader.startswith("tifffile")
