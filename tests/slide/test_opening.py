from __future__ import annotations

import logging
import os
import pickle
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from mitoscope.errors import ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx
from mitoscope.slide import (
    ImageSlide,
    JpegTileReader,
    OpenSlideReader,
    jpeg_tile_reader,
    open_slide,
    opening,
)
from mitoscope.slide import jpeg_tile_reader as module
from mitoscope.slide.jpeg_tile_reader import READER, DecodedTileCache
from mitoscope.slide.jpeg_tiles import decode_tile
from mitoscope.slide.opening import find_disagreement

from .jpeg_kinds import JpegKind
from .jpeg_tiff import write_tiff


def test_a_jpeg_pyramid_goes_to_the_fast_reader_and_an_image_to_pillow(
    pyramid: Any, tmp_path: Path, make_tissue: Callable[..., Any]
) -> None:
    image = tmp_path / "roi.png"
    Image.fromarray(make_tissue(30, 40)).save(image)
    with open_slide(pyramid.path) as slide, open_slide(str(image), mpp=0.25) as roi:
        assert isinstance(slide, JpegTileReader)
        assert (slide.info.reader, slide.info.reader_reason) == (READER, None)
        assert isinstance(roi, ImageSlide)


def test_openslide_and_pillow_agree_on_a_file_that_both_can_read(
    tmp_path: Path, make_tissue: Callable[..., Any]
) -> None:
    """Promise 5, lossless: exact."""
    rgb = make_tissue(200, 300)
    path = tmp_path / "tiled.tiff"
    tifffile.imwrite(
        path,
        rgb,
        tile=(64, 64),
        photometric="rgb",
        resolution=(40_000, 40_000),
        resolutionunit="CENTIMETER",
        metadata=None,
    )
    with open_slide(path) as slide, ImageSlide(path) as image:
        assert isinstance(slide, OpenSlideReader)
        assert (slide.info.size, slide.info.mpp) == (image.info.size, image.info.mpp)
        assert slide.info.fingerprint == image.info.fingerprint
        box = BoxPx(-3, -5, 320, 220)
        ours, theirs = slide.read(box), image.read(box)
        assert (ours.rgb == theirs.rgb).all()
        assert (ours.valid == theirs.valid).all()
        assert (ours.rgb[5:205, 3:303] == rgb).all()


def test_which_reader_reads_is_logged_and_why_it_is_openslide_stated(
    tmp_path: Path, pyramid: Any, make_leica: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "mitoscope.slide")
    open_slide(pyramid.path).close()
    assert caplog.messages == ["pyramid.tiff is read by the fast reader, which reads the same as OpenSlide"]
    lossless = tmp_path / "lossless.tiff"
    rgb = np.zeros((128, 128, 3), np.uint8)
    tifffile.imwrite(lossless, rgb, tile=(64, 64), photometric="rgb", compression="zlib")
    leica = make_leica(tmp_path / "slide.scn").path
    for path, reason in (
        (lossless, "level 0 is not JPEG (compression 8)"),
        (leica, "is a slide of leica, not a plain tiled TIFF"),
    ):
        with open_slide(path, mpp=0.25) as slide:
            assert isinstance(slide, OpenSlideReader)
            assert slide.info.reader.startswith("openslide")
            assert slide.info.reader_reason == reason
        assert caplog.records[-1].levelno == logging.INFO
        assert caplog.messages[-1] == f"{path.name} is read by OpenSlide: {reason}"


def test_a_disagreement_is_a_warning_and_the_slide_is_read_right(
    pyramid: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    decode = decode_tile
    monkeypatch.setattr(opening, "_VERDICTS", {})
    monkeypatch.setattr(
        jpeg_tile_reader, "decode_tile", lambda *rest, **more: decode(*rest, **more)[::-1].copy()
    )
    with open_slide(pyramid.path) as slide, OpenSlideReader(pyramid.path) as theirs:
        assert isinstance(slide, OpenSlideReader)
        assert slide.info.reader_reason is not None
        assert slide.info.reader_reason.startswith("decodes tile 0 of level 0")
        box = BoxPx(100, 100, 300, 300)
        assert (slide.read(box).rgb == theirs.read(box).rgb).all()
    (record,) = caplog.records
    assert record.levelno == logging.WARNING


def test_abbreviated_streams_without_their_tables_are_refused(
    tmp_path: Path, make_tiff: Callable[..., Any], make_tissue: Callable[..., Any]
) -> None:
    kind = JpegKind(shared_tables=True)
    made = make_tiff(tmp_path / "slide.tiff", make_tissue(256, 256), reductions=(1,), kind=kind)
    data = bytearray(made.path.read_bytes())
    struct.pack_into("<H", data, made.entry[0, 347], 65_000)  # the tag becomes one that nobody knows
    made.path.write_bytes(data)
    with pytest.raises(SlideFormatError, match="no tile that can be decoded"):
        open_slide(made.path)


@pytest.mark.parametrize("compression", ["jpeg", "zlib"])
def test_striped_tiff_is_an_image(tmp_path: Path, make_tissue: Callable[..., Any], compression: str) -> None:
    rgb, path = make_tissue(200, 300), tmp_path / "striped.tiff"
    Image.fromarray(rgb).save(path, compression="jpeg" if compression == "jpeg" else "tiff_adobe_deflate")
    with open_slide(path, mpp=0.25) as slide:
        assert isinstance(slide, ImageSlide)
        off = np.abs(slide.read(BoxPx(0, 0, 300, 200)).rgb.astype(int) - rgb)
    assert off.max() == 0 if compression == "zlib" else off.mean() < 4


@pytest.mark.parametrize("mode", ["grey", "cmyk"])
def test_tiled_tiff_without_rgb_is_refused(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "tiled.tiff"
    if mode == "grey":
        tifffile.imwrite(path, np.zeros((128, 128), np.uint8), tile=(64, 64), photometric="minisblack")
    else:
        tifffile.imwrite(path, np.zeros((128, 128, 4), np.uint8), tile=(64, 64), photometric="separated")
    with pytest.raises(SlideFormatError, match=r"tiled\.tiff: .*(greyscale|CMYK|decoded)"):
        open_slide(path, mpp=0.25)


def test_missing(tmp_path: Path) -> None:
    with pytest.raises(SlideFormatError, match=r"none\.svs: no such file"):
        open_slide(tmp_path / "none.svs")


def test_directory(tmp_path: Path) -> None:
    with pytest.raises(SlideFormatError, match=r"is a directory; give the slide's file"):
        open_slide(tmp_path)


def test_empty(tmp_path: Path) -> None:
    path = tmp_path / "empty.svs"
    path.touch()
    with pytest.raises(SlideFormatError, match=r"empty\.svs: is empty"):
        open_slide(path)


def test_no_slide(tmp_path: Path) -> None:
    path = tmp_path / "notes.svs"
    path.write_text("Aperio, or so it says")
    with pytest.raises(SlideFormatError, match=r"notes\.svs: not a slide that OpenSlide knows, nor a PNG"):
        open_slide(path)


def test_pipe(tmp_path: Path) -> None:
    path = tmp_path / "pipe.svs"
    os.mkfifo(path)
    with pytest.raises(SlideFormatError, match=r"pipe\.svs: is not a regular file"):
        open_slide(path)


def test_nonsense_name() -> None:
    with pytest.raises(SlideFormatError, match="cannot be read"):
        open_slide("a\0b.svs")
    with pytest.raises(SlideFormatError, match="cannot be read"):
        open_slide("x" * 5000)


def test_permission(pyramid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.tiff"
    path.write_bytes(pyramid.path.read_bytes())
    path.chmod(0)
    if os.access(path, os.R_OK):  # the superuser may read it all the same

        def refuse(self: Path, *_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(
        SlideFormatError, match=r"cannot be read \(Permission denied\); check its permissions"
    ):
        open_slide(path)


def test_no_resolution_names_tag_and_option(
    make_tiff: Callable[..., Any], tmp_path: Path, pyramid: Any
) -> None:
    made = make_tiff(tmp_path / "bare.tiff", pyramid.rgb[:128, :128], reductions=(1,), px_per_cm=None)
    with pytest.raises(ScaleError, match=r"bare\.tiff: .*openslide\.mpp-x.*--mpp"):
        open_slide(made.path)
    with open_slide(made.path, mpp=0.25) as slide:
        assert slide.info.mpp_source == "--mpp"


def test_link_is_followed(pyramid: Any, tmp_path: Path) -> None:
    link = tmp_path / "link.tiff"
    link.symlink_to(pyramid.path)
    with open_slide(link) as slide:
        assert slide.info.name == "link.tiff"


def check(path: Path) -> str | None:
    with OpenSlideReader(path) as reference:
        return find_disagreement(JpegTileReader(reference, cache=DecodedTileCache()), reference)


def decode_otherwise(monkeypatch: pytest.MonkeyPatch, change: Callable[[np.ndarray], np.ndarray]) -> None:
    decode = decode_tile
    monkeypatch.setattr(module, "decode_tile", lambda *rest, **more: change(decode(*rest, **more)))


def test_a_good_slide(pyramid: Any) -> None:
    assert check(pyramid.path) is None


@pytest.mark.parametrize(("off", "agrees"), [(1, True), (2, True), (3, False), (90, False)])
def test_two_grey_levels_are_allowed(
    pyramid: Any, monkeypatch: pytest.MonkeyPatch, off: int, agrees: bool
) -> None:
    def darker(rgb: np.ndarray) -> np.ndarray:
        rgb = rgb.copy()
        rgb[20, 30, 1] -= off  # one sample of each tile
        return rgb

    decode_otherwise(monkeypatch, darker)
    wrong = check(pyramid.path)
    assert wrong is None if agrees else wrong == f"decodes tile 0 of level 0 {off} grey levels apart"


@pytest.mark.parametrize(
    "change",
    [
        lambda rgb: rgb[..., ::-1].copy(),
        lambda rgb: np.roll(rgb, 1, axis=0),
        lambda rgb: rgb.transpose(1, 0, 2).copy(),
    ],
    ids=["colours swapped", "a row too low", "rows for columns"],
)
def test_control_a_decoder_that_errs_is_found(
    pyramid: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    decode_otherwise(monkeypatch, change)
    assert "grey levels apart" in (check(pyramid.path) or "")


def test_a_damaged_tile_proves_nothing(broken: Path) -> None:
    assert check(broken) is None


def test_a_decoder_that_can_do_nothing_is_found(pyramid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: np.ndarray) -> np.ndarray:
        raise ValueError("odd")

    decode_otherwise(monkeypatch, fail)
    assert check(pyramid.path) == "decodes none of 5 tiles of level 0"


def test_levels_that_openslide_shifts_by_fractions(
    tmp_path: Path, make_tissue: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1000 / 334 px: OpenSlide interpolates by up to a sixth of a pixel; the check knows by how much."""
    rgb = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)  # no neighbours alike
    made = write_tiff(tmp_path / "uneven.tiff", rgb, reductions=(1, 3))
    assert check(made.path) is None
    with OpenSlideReader(made.path) as reference:
        fast = JpegTileReader(reference, cache=DecodedTileCache())
        table = fast.table(1)
        last = table.across * table.down - 1
        box = table.box(last - table.across - 1)
        ours, theirs = fast.tile(1, last - table.across - 1), reference.read(box, level=1)
        assert ours is not None
        assert np.abs(ours.astype(int) - theirs.rgb).max() > 2  # control: the bare comparison would refuse
    decode_otherwise(monkeypatch, lambda tile: np.roll(tile, 1, axis=1))
    assert "grey levels apart" in (check(made.path) or "")


def test_a_slide_is_compared_once_until_its_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def find_and_note(fast: JpegTileReader, reference: OpenSlideReader) -> str | None:
        compared.append(reference.info.name)
        return find_disagreement(fast, reference)

    monkeypatch.setattr(opening, "find_disagreement", find_and_note)
    path = tmp_path / "a.tiff"
    write_tiff(path, np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8))
    for _ in range(3):
        with open_slide(path, mpp=0.25, probe=False) as slide:
            assert slide.info.reader.startswith("simplejpeg")
    # Where it arrives as an address, in another process, what was found before holds.
    letter = pickle.dumps(slide)
    opening._VERDICTS.clear()
    pickle.loads(letter).close()
    assert len(compared) == 1
    os.utime(path, ns=(1, 1))
    open_slide(path, mpp=0.25, probe=False).close()
    assert len(compared) == 2
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(SlideFormatError, match="another content"):
        pickle.loads(letter)
    open_slide(path, mpp=0.25, probe=False).close()
    assert len(compared) == 3
