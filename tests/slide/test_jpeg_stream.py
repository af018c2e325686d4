from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from mitoscope.geometry import SizePx
from mitoscope.slide.jpeg_stream import REDUCTIONS, decode_tile, stream_head

from .jpeg_kinds import JpegKind, split_tables
from .jpeg_tiff import tissue_like

SIZE = SizePx(64, 64)
RGB = tissue_like(64, 64)
YCBCR = stream_head(None, ycbcr=True)


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
