from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import PIL
import pytest
import tifffile
from PIL import Image, ImageCms, PngImagePlugin

from mitoscope.errors import ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide import ImageSlide, image_reader, open_slide, read_thumbnail
from mitoscope.slide.tiff_reader import reader_name as tiff_reader_name

RGB = np.random.default_rng(3).integers(0, 256, (24, 32, 3), np.uint8)
ALL = BoxPx(0, 0, 32, 24)


def opened(path: Path) -> ImageSlide:
    return ImageSlide(path, mpp=0.25)


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_lossless_formats_are_exact(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"roi.{suffix}"
    Image.fromarray(RGB).save(path, lossless=True)  # an option of WebP that the others ignore
    with opened(path) as slide:
        pixels = slide.read(ALL)
        assert (pixels.rgb == RGB).all()
        assert pixels.valid.all()
        assert slide.info.reader == (tiff_reader_name() if suffix == "tiff" else f"pillow {PIL.__version__}")
        assert (slide.info.size, slide.info.name) == (SizePx(32, 24), path.name)
        assert len(slide.info.levels) == 1


def test_jpeg_is_near(tmp_path: Path, make_tissue: Callable[..., Any]) -> None:
    rgb = make_tissue(64, 64)
    path = tmp_path / "roi.jpg"
    Image.fromarray(rgb).save(path, quality=95)
    pixels = opened(path).read(BoxPx(0, 0, 64, 64))
    assert np.abs(pixels.rgb.astype(int) - rgb).mean() < 3


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
def test_one_pixel(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"dot.{suffix}"
    Image.new("RGB", (1, 1), (200, 100, 150)).save(path)
    with opened(path) as slide:
        pixels = slide.read(BoxPx(-1, -1, 3, 3))
        assert np.abs(pixels.rgb[1, 1].astype(int) - (200, 100, 150)).max() <= 3
        assert pixels.valid.sum() == 1
        assert read_thumbnail(slide, 100).rgb.shape == (1, 1, 3)


def test_transparency_is_laid_over_white(tmp_path: Path) -> None:
    rgba = np.dstack([RGB, np.full(RGB.shape[:2], 255, np.uint8)])
    rgba[:5, :7, 3] = 0
    rgba[10, 10] = (0, 100, 200, 200)
    path = tmp_path / "roi.png"
    Image.fromarray(rgba).save(path)
    pixels = opened(path).read(ALL)
    assert not pixels.valid[:5, :7].any()
    assert (pixels.rgb[:5, :7] == 255).all()
    assert pixels.valid.sum() == 24 * 32 - 35
    assert pixels.rgb[10, 10].tolist() == [55, 133, 212]
    assert (pixels.rgb[15:] == RGB[15:]).all()


def test_palette_is_read_as_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(RGB).quantize(16)
    path = tmp_path / "roi.png"
    image.save(path, transparency=3)
    pixels = opened(path).read(ALL)
    index = np.asarray(image)
    assert (pixels.valid == (index != 3)).all()
    assert (pixels.rgb[pixels.valid] == np.asarray(image.convert("RGB"))[pixels.valid]).all()


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_16_bits_are_scaled_to_8(tmp_path: Path, suffix: str) -> None:
    deep = (RGB.astype(np.uint16) << 8) + 77
    path = tmp_path / f"deep.{suffix}"
    if suffix == "tiff":
        tifffile.imwrite(path, deep, photometric="rgb", metadata=None)
    else:
        write_png_16(path, deep)
    pixels = opened(path).read(ALL)
    assert np.abs(pixels.rgb.astype(float) - deep / 257).max() <= 1


def write_png_16(path: Path, rgb: np.ndarray) -> None:
    """Write a PNG of 16 bits a channel, which Pillow itself cannot."""
    import struct
    import zlib

    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in rgb)
    header = struct.pack(">IIBBBBB", rgb.shape[1], rgb.shape[0], 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
            for kind, data in chunks
        )
    )


@pytest.mark.parametrize(
    ("mode", "suffix"),
    [
        ("L", "png"),
        ("L", "jpg"),
        ("1", "png"),
        ("LA", "png"),
        ("I;16", "png"),
        ("I;16", "tiff"),
        ("F", "tiff"),
    ],
)
def test_greyscale_is_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"grey.{suffix}"
    Image.new(mode, (8, 8)).save(path)
    with pytest.raises(SlideFormatError, match=r"grey\.\w+: is greyscale .*give the RGB original"):
        opened(path)


@pytest.mark.parametrize(("mode", "suffix"), [("CMYK", "jpg"), ("CMYK", "tiff"), ("LAB", "tiff")])
def test_colours_of_print_are_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"print.{suffix}"
    Image.new(mode, (8, 8)).save(path)
    with pytest.raises(SlideFormatError, match=rf"colour mode {mode}.*; save it as RGB"):
        opened(path)


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_animation_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"moving.{suffix}"
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1].copy())]
    frames[0].save(path, save_all=True, append_images=frames[1:])
    with pytest.raises(SlideFormatError, match="holds 2 pictures"):
        opened(path)


def test_pages_of_a_tiff(tmp_path: Path) -> None:
    stack, reduced = tmp_path / "stack.tiff", tmp_path / "reduced.tiff"
    page = Image.fromarray(RGB)
    page.save(stack, save_all=True, append_images=[page, page])
    page.save(reduced, save_all=True, append_images=[page.resize((16, 12)), page.resize((8, 6))])
    with pytest.raises(SlideFormatError, match="holds 3 pictures"):
        opened(stack)
    assert (opened(reduced).read(ALL).rgb == RGB).all()


def test_exif_orientation_is_ignored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # turn by 90°
    path = tmp_path / "turned.png"
    Image.fromarray(RGB).save(path, exif=exif)
    assert (opened(path).read(ALL).rgb == RGB).all()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tiff"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.9])
def test_truncated_image_is_refused(
    tmp_path: Path, suffix: str, share: float, make_tissue: Callable[..., Any]
) -> None:
    path = tmp_path / f"cut.{suffix}"
    Image.fromarray(make_tissue(120, 120)).save(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(SlideFormatError, match=rf"cut\.{suffix}: (cannot be decoded|not a slide)"):
        opened(path)


def test_too_many_pixels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "wide.png"
    Image.fromarray(RGB).save(path)
    monkeypatch.setattr(image_reader, "MAX_IMAGE_PX", 24 * 32 - 1)
    with pytest.raises(SlideFormatError, match=r"wide\.png: has more than 767 pixels.*tiled pyramidal TIFF"):
        opened(path)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "roi.bmp"
    Image.fromarray(RGB).save(path)
    with pytest.raises(SlideFormatError, match="nor a PNG, JPEG, WebP or TIFF"):
        opened(path)


def test_no_resolution(tmp_path: Path) -> None:
    path = tmp_path / "roi.webp"
    Image.fromarray(RGB).save(path)
    with pytest.raises(ScaleError, match=r"roi\.webp: states no resolution .*--mpp"):
        ImageSlide(path)


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


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp"])
def test_an_icc_profile_is_said_and_not_applied(tmp_path: Path, suffix: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rgb = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    plain, profiled = tmp_path / f"plain.{suffix}", tmp_path / f"profiled.{suffix}"
    Image.fromarray(rgb).save(plain)
    Image.fromarray(rgb).save(profiled, icc_profile=profile)
    box = BoxPx(0, 0, 64, 64)
    with open_slide(plain, mpp=0.25) as one, open_slide(profiled, mpp=0.25) as other:
        assert (one.info.has_icc_profile, other.info.has_icc_profile) == (False, True)
        assert np.array_equal(one.read(box).rgb, other.read(box).rgb)
