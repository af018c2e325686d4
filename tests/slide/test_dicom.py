"""DICOM slides: colours are those of the frames, and what is refused is refused by its true cause.

The witness is pydicom with Pillow, which shares no code with OpenSlide's DICOM reader.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
import simplejpeg
from numpy.typing import NDArray
from PIL import Image
from pydicom.uid import (
    JPEG2000,
    UID,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx
from mitoscope.slide import Slide, dicom, open_slide

from .coded_dicom import write_dicom
from .coded_tiff import jpeg_2000
from .jpeg_kinds import JpegKind
from .jpeg_tiff import tissue_like

Picture = NDArray[np.uint8]
SIDE = 256
RGB = tissue_like(2 * SIDE, 2 * SIDE)
TILES = [RGB[y : y + SIDE, x : x + SIDE] for y in (0, SIDE) for x in (0, SIDE)]
SIZE = (2 * SIDE, 2 * SIDE)


def jfif(tile: Picture, subsampling: str = "444") -> bytes:
    return bytes(simplejpeg.encode_jpeg(np.ascontiguousarray(tile), quality=95, colorsubsampling=subsampling))


def coarse(tile: Picture) -> bytes:
    return jfif(tile, "420")


def adobe_rgb(tile: Picture) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(tile).save(stream, "JPEG", quality=95, keep_rgb=True, subsampling=0)
    return stream.getvalue()


def unmarked_rgb(tile: Picture) -> bytes:
    return JpegKind(rgb=True).encode(tile)


def transformed(tile: Picture) -> bytes:
    return jpeg_2000(tile)


def untransformed(tile: Picture) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(tile).save(stream, "JPEG2000", no_jp2=True, mct=0)
    return stream.getvalue()


def ycbcr_2000(tile: Picture) -> bytes:
    return jpeg_2000(tile, ycbcr=True)


def uncoded(tile: Picture) -> bytes:
    return tile.tobytes()


def whole(slide: Slide) -> Picture:
    return slide.read(BoxPx(0, 0, *SIZE)).rgb


def seen_by_pydicom(path: Path) -> Picture:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that the attribute is wrong, and decides by the stream
        frames = pydicom.dcmread(path).pixel_array
    return np.asarray(np.block([[[frames[0]], [frames[1]]], [[frames[2]], [frames[3]]]]), np.uint8)


CODINGS: dict[str, tuple[UID, Callable[[Picture], bytes]]] = {
    "JPEG, JFIF": (JPEGBaseline8Bit, jfif),
    "JPEG, JFIF, 4:2:0": (JPEGBaseline8Bit, coarse),
    "JPEG, Adobe RGB": (JPEGBaseline8Bit, adobe_rgb),
    "JPEG, RGB unmarked": (JPEGBaseline8Bit, unmarked_rgb),
    "JPEG 2000, transformed": (JPEG2000Lossless, transformed),
    "JPEG 2000, lossy, transformed": (JPEG2000, lambda tile: jpeg_2000(tile, lossless=False)),
    "JPEG 2000, untransformed": (JPEG2000Lossless, untransformed),
    "JPEG 2000 of YCbCr": (JPEG2000Lossless, ycbcr_2000),
    "uncoded": (ExplicitVRLittleEndian, uncoded),
}
SAID = ("RGB", "YBR_FULL_422", "YBR_FULL", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420")
UNDECIDED = {("JPEG 2000 of YCbCr", "RGB")}
"""Nothing in the file contradicts it: the check of the colours themselves finds it."""
READ_AS_THEY_ARE = {
    ("JPEG, JFIF", "YBR_FULL_422"),
    ("JPEG, JFIF, 4:2:0", "YBR_FULL_422"),
    ("JPEG, Adobe RGB", "RGB"),
    ("JPEG, RGB unmarked", "RGB"),
    ("JPEG 2000, transformed", "RGB"),
    ("JPEG 2000, transformed", "YBR_RCT"),
    ("JPEG 2000, lossy, transformed", "RGB"),
    ("JPEG 2000, lossy, transformed", "YBR_RCT"),
    ("JPEG 2000, lossy, transformed", "YBR_ICT"),
    ("JPEG 2000, untransformed", "RGB"),
    ("uncoded", "RGB"),
}
DECIDED = {("JPEG, JFIF", "RGB"), ("JPEG, JFIF, 4:2:0", "RGB")}
BELIEVED = {("JPEG 2000, untransformed", "RGB")}
"""The frames do not say that it is so, and a note says that."""
EVERY = [(coding, said) for coding in CODINGS for said in SAID if (coding, said) not in UNDECIDED]


@pytest.mark.parametrize(("coding", "said"), EVERY)
def test_the_colours_are_those_of_the_frames_or_the_attribute_is_named(
    tmp_path: Path, coding: str, said: str
) -> None:
    syntax, encode = CODINGS[coding]
    path = write_dicom(
        tmp_path / "slide.dcm",
        [encode(tile) for tile in TILES],
        syntax=syntax,
        photometric=said,
        size=SIZE,
    )
    if (coding, said) not in READ_AS_THEY_ARE | DECIDED:
        with pytest.raises(SlideFormatError, match=r"PhotometricInterpretation \(0028,0004\) says " + said):
            open_slide(path)
        return
    with open_slide(path) as slide:
        rgb, notes = whole(slide), slide.info.notes
    assert np.abs(rgb.astype(int) - seen_by_pydicom(path)).max() <= 2
    assert np.abs(rgb.astype(int) - RGB).mean() < 2
    if (coding, said) in DECIDED:
        assert notes[0].startswith("PhotometricInterpretation (0028,0004) says RGB, but by the JFIF marker")
    elif (coding, said) in BELIEVED:
        assert notes[0].startswith("PhotometricInterpretation (0028,0004) says RGB, which is believed")
    else:
        assert not notes


@pytest.mark.parametrize("said", ["RGB", "YBR_FULL_422"])
@pytest.mark.parametrize("odd", range(4))
@pytest.mark.parametrize(("most", "other"), [(jfif, adobe_rgb), (adobe_rgb, coarse)])
def test_frames_that_are_not_coded_alike_are_refused(
    tmp_path: Path,
    said: str,
    odd: int,
    most: Callable[[Picture], bytes],
    other: Callable[[Picture], bytes],
) -> None:
    frames = [other(tile) if index == odd else most(tile) for index, tile in enumerate(TILES)]
    path = write_dicom(tmp_path / "slide.dcm", frames, syntax=JPEGBaseline8Bit, photometric=said, size=SIZE)
    with pytest.raises(
        SlideFormatError, match=r"PhotometricInterpretation \(0028,0004\) says .* some of the"
    ):
        open_slide(path)


def test_of_many_frames_the_first_the_last_and_some_between_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dicom, "FRAMES_LOOKED_AT", 2)
    for odd, refused in ((0, True), (1, False), (2, False), (3, True)):
        frames = [adobe_rgb(tile) if index == odd else jfif(tile) for index, tile in enumerate(TILES)]
        path = write_dicom(
            tmp_path / f"{odd}.dcm",
            frames,
            syntax=JPEGBaseline8Bit,
            photometric="YBR_FULL_422",
            size=SIZE,
            series=f"1.2.{odd}",
        )
        with pytest.raises(SlideFormatError, match="some of the frames") if refused else nullcontext():
            open_slide(path).close()


def test_a_head_behind_a_long_profile_is_found(tmp_path: Path) -> None:
    def behind_profile(tile: Picture) -> bytes:
        stream = adobe_rgb(tile)
        return stream[:2] + b"\xff\xe2\xff\xff" + bytes(0xFFFD) + stream[2:]

    frames = [jfif(TILES[0]), *map(behind_profile, TILES[1:])]
    path = write_dicom(
        tmp_path / "slide.dcm", frames, syntax=JPEGBaseline8Bit, photometric="YBR_FULL_422", size=SIZE
    )
    with pytest.raises(SlideFormatError, match="some of the frames"):
        open_slide(path)


def test_a_pyramid_whose_levels_are_all_mislabelled_is_read_at_each(tmp_path: Path) -> None:
    half = np.asarray(Image.fromarray(RGB).reduce(2))
    for name, tiles, size in (("0", TILES, SIZE), ("1", [half], (SIDE, SIDE))):
        frames = [jfif(tile) for tile in tiles]
        write_dicom(tmp_path / f"{name}.dcm", frames, syntax=JPEGBaseline8Bit, photometric="RGB", size=size)
    with open_slide(tmp_path / "0.dcm") as slide:
        assert [level.size.width for level in slide.info.levels] == [2 * SIDE, SIDE]
        found = slide.read(BoxPx(0, 0, SIDE, SIDE), level=1).rgb
    assert np.abs(found.astype(int) - half).mean() < 2


def test_a_pyramid_in_which_one_level_alone_is_mislabelled_is_refused(tmp_path: Path) -> None:
    half = np.asarray(Image.fromarray(RGB).reduce(2))
    for said, tiles, size in (("YBR_FULL_422", TILES, SIZE), ("RGB", [half], (SIDE, SIDE))):
        frames = [jfif(tile) for tile in tiles]
        write_dicom(tmp_path / f"{size[0]}.dcm", frames, syntax=JPEGBaseline8Bit, photometric=said, size=size)
    with pytest.raises(SlideFormatError, match=r"has levels whose PhotometricInterpretation"):
        open_slide(tmp_path / f"{SIZE[0]}.dcm")


def test_a_file_of_another_series_beside_it_says_nothing(tmp_path: Path) -> None:
    frames = [jfif(tile) for tile in TILES]
    path = write_dicom(
        tmp_path / "a.dcm", frames, syntax=JPEGBaseline8Bit, photometric="YBR_FULL_422", size=SIZE
    )
    write_dicom(
        tmp_path / "b.dcm", frames, syntax=JPEGBaseline8Bit, photometric="RGB", size=SIZE, series="1.2.3"
    )
    with open_slide(path) as slide:
        assert slide.info.notes == ()


def in_twelve_bits(tile: Picture) -> bytes:
    """Return a JPEG 2000 stream that says it holds 12 bits a sample."""
    stream = bytearray(untransformed(tile))
    place = stream.index(b"\xff\x51") + 2 + 38
    for component in range(3):
        assert stream[place + 3 * component] == 7  # bits less one
        stream[place + 3 * component] = 11
    return bytes(stream)


def grey(tile: Picture) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(tile).convert("L").save(stream, "JPEG")
    return stream.getvalue()


ONE_SAMPLE: dict[str, Any] = {"SamplesPerPixel": 1, "PlanarConfiguration": None}
SIXTEEN: dict[str, Any] = {"BitsAllocated": 16, "BitsStored": 16, "HighBit": 15}
REFUSED: dict[str, tuple[Callable[[Picture], bytes], UID, str, dict[str, Any], str]] = {
    "JPEG-LS": (uncoded, JPEGLSLossless, "RGB", {}, "compression JPEG-LS .* cannot be read; transcode"),
    "JPEG-LS, lossy": (uncoded, JPEGLSNearLossless, "RGB", {}, "compression JPEG-LS .* cannot be read"),
    "HTJ2K": (uncoded, HTJ2KLossless, "RGB", {}, "compression HTJ2K .* cannot be read; transcode"),
    "RLE": (uncoded, RLELossless, "RGB", {}, "compression RLE .* cannot be read; transcode"),
    "16 bits": (uncoded, ExplicitVRLittleEndian, "RGB", SIXTEEN, r"has 16 bits a sample \(BitsStored"),
    "12 bits": (
        uncoded,
        ExplicitVRLittleEndian,
        "RGB",
        {**SIXTEEN, "BitsStored": 12, "HighBit": 11},
        r"has 12 bits a sample \(BitsStored \(0028,0101\)\)",
    ),
    "12 bits that say 8": (
        in_twelve_bits,
        JPEG2000Lossless,
        "RGB",
        {},
        r"frames of 12 bits, which BitsStored \(0028,0101\) contradicts",
    ),
    "floating point": (
        uncoded,
        ExplicitVRLittleEndian,
        "RGB",
        {"BitsAllocated": 32, "BitsStored": None, "HighBit": None},
        r"has floating-point samples \(BitsAllocated \(0028,0100\) 32\)",
    ),
    "signed": (uncoded, ExplicitVRLittleEndian, "RGB", {"PixelRepresentation": 1}, "has signed samples"),
    "greyscale": (
        uncoded,
        ExplicitVRLittleEndian,
        "MONOCHROME2",
        ONE_SAMPLE,
        r"is greyscale \(PhotometricInterpretation \(0028,0004\) says MONOCHROME2\)",
    ),
    "greyscale that says RGB": (
        grey,
        JPEGBaseline8Bit,
        "RGB",
        {},
        r"frames of 1 components, which SamplesPerPixel \(0028,0002\) contradicts",
    ),
    "palette": (uncoded, ExplicitVRLittleEndian, "PALETTE COLOR", ONE_SAMPLE, "has a palette"),
    "planes": (
        uncoded,
        ExplicitVRLittleEndian,
        "RGB",
        {"PlanarConfiguration": 1},
        r"separate colour planes \(PlanarConfiguration \(0028,0006\) 1\)",
    ),
    "planes of coded frames": (
        jfif,
        JPEGBaseline8Bit,
        "YBR_FULL_422",
        {"PlanarConfiguration": 1},
        r"separate colour planes .*; if the frames are not: dcmodify",
    ),
    "focal planes": (
        uncoded,
        ExplicitVRLittleEndian,
        "RGB",
        {"TotalPixelMatrixFocalPlanes": 3},
        "has 3 focal planes",
    ),
    "label": (
        uncoded,
        ExplicitVRLittleEndian,
        "RGB",
        {"ImageType": ["ORIGINAL", "PRIMARY", "LABEL", "NONE"]},
        r"is no level of a slide \(ImageType \(0008,0008\) says LABEL\); give a file whose ImageType",
    ),
    "another object": (
        uncoded,
        ExplicitVRLittleEndian,
        "RGB",
        {"SOPClassUID": "1.2.840.10008.5.1.4.1.1.2"},
        r"another kind \(CT Image Storage\)",
    ),
    "JPEG that says JPEG 2000": (jfif, JPEG2000, "RGB", {}, r"frames in JPEG, which its TransferSyntaxUID"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_refused_by_its_true_cause(tmp_path: Path, case: str) -> None:
    encode, syntax, said, others, message = REFUSED[case]
    path = write_dicom(
        tmp_path / "slide.dcm",
        [encode(tile) for tile in TILES],
        syntax=syntax,
        photometric=said,
        size=SIZE,
        **others,
    )
    with pytest.raises(SlideFormatError, match=message) as refused:
        open_slide(path)
    assert "damaged" not in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("kept", [132, 200, 400, 800])
def test_a_header_that_ends_early_is_left_to_the_probe(tmp_path: Path, kept: int) -> None:
    path = write_dicom(
        tmp_path / "slide.dcm",
        [jfif(tile) for tile in TILES],
        syntax=JPEGBaseline8Bit,
        photometric="YBR_FULL_422",
        size=SIZE,
    )
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(SlideFormatError):
        open_slide(path)
