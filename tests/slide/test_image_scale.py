from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from mitoscope.errors import ScaleError
from mitoscope.slide import ImageSlide

RGB = np.zeros((8, 9, 3), np.uint8)


def tiff(path: Path, **options: Any) -> Path:
    tifffile.imwrite(path, RGB, photometric="rgb", **options)
    return path


def png(path: Path, dpi: tuple[float, float]) -> Path:
    Image.fromarray(RGB).save(path, dpi=dpi)
    return path


def scale(path: Path) -> tuple[float, float, str]:
    info = ImageSlide(path).info
    return round(info.mpp.x, 4), round(info.mpp.y, 4), info.mpp_source


def test_tiff_resolution(tmp_path: Path) -> None:
    cm = tiff(tmp_path / "cm.tiff", resolution=(40_000, 41_000), resolutionunit="CENTIMETER", metadata=None)
    inch = tiff(tmp_path / "inch.tiff", resolution=(101_600, 101_600), resolutionunit="INCH", metadata=None)
    assert scale(cm) == (0.25, 0.2439, "tiff.XResolution")
    assert scale(inch) == (0.25, 0.25, "tiff.XResolution")


def test_imagej(tmp_path: Path) -> None:
    path = tmp_path / "imagej.tiff"
    tifffile.imwrite(path, RGB, imagej=True, resolution=(4.0, 4.0), metadata={"unit": "um"})
    assert scale(path) == (0.25, 0.25, "ImageJ unit, tiff.XResolution")


@pytest.mark.parametrize(
    ("size", "unit", "mpp"), [(0.25, "µm", 0.25), (250.0, "nm", 0.25), (0.00025, "mm", 0.25)]
)
def test_ome(tmp_path: Path, size: float, unit: str, mpp: float) -> None:
    path = tmp_path / "image.ome.tiff"
    metadata = {
        "axes": "YXS",
        "PhysicalSizeX": size,
        "PhysicalSizeXUnit": unit,
        "PhysicalSizeY": size,
        "PhysicalSizeYUnit": unit,
    }
    tifffile.imwrite(path, RGB, photometric="rgb", ome=True, metadata=metadata)
    assert scale(path) == (mpp, mpp, "OME PhysicalSizeX")


def test_png(tmp_path: Path) -> None:
    assert scale(png(tmp_path / "a.png", (101_600, 101_600))) == (0.25, 0.25, "PNG pHYs")


def test_jpeg_in_dots_per_cm(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(RGB).save(path, dpi=(300, 300))
    data = bytearray(path.read_bytes())
    at = data.index(b"JFIF\0") + 7
    data[at : at + 5] = b"\x02" + (40_000).to_bytes(2, "big") * 2
    path.write_bytes(data)
    assert scale(path) == (0.25, 0.25, "JPEG density")


def test_screen_densities_are_no_resolution(tmp_path: Path) -> None:
    cases = [png(tmp_path / f"{dpi}.png", (dpi, dpi)) for dpi in (72, 96, 300)]
    cases.append(tiff(tmp_path / "72.tiff", resolution=(72, 72), resolutionunit="INCH", metadata=None))
    Image.fromarray(RGB).save(tmp_path / "72.jpg", dpi=(72, 72))
    cases.append(tmp_path / "72.jpg")
    for path in cases:
        with pytest.raises(ScaleError, match=r"(pHYs|XResolution|density): resolution .* is not in .*--mpp"):
            ImageSlide(path)
        assert ImageSlide(path, mpp=0.25).info.mpp_source == "--mpp"


def test_ratios_and_nothing_are_missing(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "plain.jpg")
    Image.fromarray(RGB).save(tmp_path / "plain.png")
    ratio = PngImagePlugin.PngInfo()
    ratio.add(b"pHYs", b"\0\0\0\1\0\0\0\1\0")
    Image.fromarray(RGB).save(tmp_path / "ratio.png", pnginfo=ratio)
    tiff(tmp_path / "none.tiff", resolution=(40_000, 40_000), resolutionunit="NONE", metadata=None)
    for name in ("plain.jpg", "plain.png", "ratio.png", "none.tiff"):
        with pytest.raises(ScaleError, match=r"states no resolution \(no (JPEG|PNG|tiff).*--mpp"):
            ImageSlide(tmp_path / name)


def test_different_resolutions_in_x_and_y(tmp_path: Path) -> None:
    with pytest.raises(ScaleError, match="PNG pHYs: resolutions in x and y differ"):
        ImageSlide(png(tmp_path / "a.png", (101_600, 90_000)))
