"""What nothing here reads is refused in one line that says whose it is and how to convert it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import SlideFormatError
from mitoscope.slide import open_slide

from .jpeg_tiff import tissue_like, write_tiff

CASES = {
    "slide.vsi": r"is Olympus VSI, which is not read; .* bfconvert .* slide\.vsi slide\.ome\.tiff",
    "slide.isyntax": r"is Philips iSyntax, which is not read; .* isyntax-to-tiff slide\.isyntax slide\.tiff",
    "slide.i2syntax": r"is Philips iSyntax, .*; export it as DICOM, SVS or tiled TIFF",
    "slide.nd2": r"is Nikon ND2, which is not read; .* bfconvert",
    "slide.kfb": r"is KFBIO, which is not read; export it",
    "slide.mrxs": r"has no folder slide beside it, .*; copy the file together with its folder",
}


@pytest.mark.parametrize("name", CASES)
def test_the_message_says_how_to_convert_it(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x0f\x10\x11 what a scanner writes" * 100)
    with pytest.raises(SlideFormatError, match=CASES[name]) as refused:
        open_slide(path, mpp=0.25)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_is_told_what_is_read(tmp_path: Path) -> None:
    path = tmp_path / "slide.xyz"
    path.write_bytes(b"nothing known" * 100)
    with pytest.raises(SlideFormatError, match="not a slide that OpenSlide knows, nor a PNG"):
        open_slide(path, mpp=0.25)


def test_the_label_of_a_vsi_is_not_read_as_the_slide(tmp_path: Path) -> None:
    path = write_tiff(tmp_path / "slide.tiff", tissue_like(256, 256)).path.rename(tmp_path / "slide.vsi")
    with pytest.raises(SlideFormatError, match="is Olympus VSI"):
        open_slide(path, mpp=0.25)
