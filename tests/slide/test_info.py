from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.errors import LevelError, ScaleError, SlideFormatError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.slide import fingerprint
from mitoscope.slide.info import (
    BLOCK_BYTES,
    BLOCKS,
    WHOLE_BELOW_BYTES,
    SettledScale,
    StatedScale,
    downsample,
    resolve_scale,
)
from mitoscope.slide.memory_slide import MemorySlide


def settle(
    stated: StatedScale | None,
    *,
    given: float | None = None,
    override: bool = False,
    power: float | None = None,
) -> tuple[Mpp, str]:
    scale = settle_all(stated, given=given, override=override, power=power)
    return scale.mpp, scale.source


def settle_all(
    stated: StatedScale | None,
    *,
    given: float | None = None,
    override: bool = False,
    power: float | None = None,
) -> SettledScale:
    return resolve_scale(
        lambda: stated,
        given=given,
        override=override,
        objective_power=power,
        tag="openslide.mpp-x",
        where="slide.svs",
    )


def test_stated_resolution_is_taken_and_its_tag_recorded() -> None:
    assert settle(StatedScale("openslide.mpp-x", 0.25, 0.252), power=40) == (
        Mpp(0.25, 0.252),
        "openslide.mpp-x",
    )


def test_the_option_fills_what_is_missing_and_replaces_only_when_it_is_to() -> None:
    stated = StatedScale("t", 0.25, 0.25)
    assert settle(stated, given=0.5, power=40) == (Mpp(0.25, 0.25), "t")
    assert settle(stated, given=0.5, override=True, power=40) == (Mpp(0.5, 0.5), "--mpp")
    assert settle(None, given=0.5) == (Mpp(0.5, 0.5), "--mpp")


def test_the_option_fills_in_for_what_cannot_be_believed() -> None:
    assert settle(StatedScale("t", 352.8, 352.8), given=0.5) == (Mpp(0.5, 0.5), "--mpp")


@pytest.mark.parametrize(
    ("stated", "power"),
    [
        (None, None),
        (StatedScale("openslide.mpp-x", 0.04, 0.04), None),
        (StatedScale("openslide.mpp-x", 5.1, 5.1), None),
        (StatedScale("openslide.mpp-x", 352.8, 352.8), None),
        (StatedScale("openslide.mpp-x", 0.25, 0.27), None),
        (StatedScale("openslide.mpp-x", float("nan"), 0.25), None),
        (StatedScale("openslide.mpp-x", 352.8, 352.8), 40),
    ],
)
def test_implausible_resolution_names_tag_and_option(stated: StatedScale | None, power: float | None) -> None:
    with pytest.raises(ScaleError, match=r"slide\.svs: .*openslide\.mpp-x.*--mpp"):
        settle(stated, power=power)


@pytest.mark.parametrize("value", [0.0, -0.25, 0.049, 5.01, float("nan"), float("inf")])
def test_implausible_option_is_refused(value: float) -> None:
    with pytest.raises(ScaleError, match="--mpp"):
        settle(None, given=value)


@pytest.mark.parametrize(
    ("mpp", "power"), [(0.2533, 40), (0.2208, 40), (0.301, 35), (0.499, 20), (1.0, 10), (0.16, 60), (0.3, 40)]
)
def test_scanners_in_use_are_accepted(mpp: float, power: float) -> None:
    assert settle(StatedScale("t", mpp, mpp), power=power)[0].x == mpp


@settings(deadline=None)
@given(st.floats(0.05, 5.0), st.floats(1, 100))
def test_the_objective_is_a_hint_and_its_contradiction_a_note(mpp: float, power: float) -> None:
    scale = settle_all(StatedScale("t", mpp, mpp), power=power)
    assert (scale.mpp, scale.source) == (Mpp.square(mpp), "t")
    off = abs(mpp * power / 10 - 1)
    assert bool(scale.notes) == (off > 0.2) or abs(off - 0.2) < 1e-9


@pytest.mark.parametrize(("mpp", "power"), [(0.2427, 20), (0.172, 40)])
def test_scanners_whose_objective_says_otherwise_are_read_as_stated(mpp: float, power: float) -> None:
    scale = settle_all(StatedScale("openslide.mpp-x", mpp, mpp), power=power)
    assert scale.mpp.x == mpp
    (note,) = scale.notes
    assert f"openslide.mpp-x states {mpp:g} µm/px" in note
    assert f"{power:g}x" in note
    assert "--mpp-override" in note


@pytest.mark.parametrize(
    ("size0", "size", "expected"),
    [
        ((4443, 3567), (2221, 1783), (2.0, 2.0)),  # halved and cut
        ((46000, 32914), (11500, 8228), (4.0, 4.0)),
        ((1001, 1001), (501, 501), (2.0, 2.0)),  # halved and filled
        ((100, 100), (100, 100), (1.0, 1.0)),
        ((300, 200), (200, 133), (1.5, 200 / 133)),  # no whole factor
        ((5, 100_000), (1, 25_000), (4.0, 4.0)),
    ],
)
def test_downsample_is_the_whole_factor_where_one_explains_the_sizes(
    size0: tuple[int, int], size: tuple[int, int], expected: tuple[float, float]
) -> None:
    assert downsample(SizePx(*size0), SizePx(*size)) == pytest.approx(expected)


@pytest.mark.parametrize("level", [-1, 1, 99])
def test_level_that_does_not_exist_raises(make_tissue: object, level: int) -> None:
    assert callable(make_tissue)
    slide = MemorySlide(make_tissue(8, 8), mpp=Mpp.square(0.25), name="m")
    with pytest.raises(LevelError, match="m: there is no level"):
        slide.info.level(level)


def test_small_file_is_hashed_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    data = bytes(range(256)) * 9000
    path.write_bytes(data)
    assert fingerprint(path) == f"sha256:{hashlib.sha256(data).hexdigest()}"


def test_large_file_is_sampled_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "big.svs"
    size = WHOLE_BELOW_BYTES + 3 * BLOCK_BYTES + 17
    with path.open("wb") as stream:
        stream.truncate(size)
    before = fingerprint(path)
    assert before.startswith("sampled-sha256:")
    last = size - BLOCK_BYTES
    for place in (0, size - 1, last * 30 // (BLOCKS - 1)):
        with path.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"x")
        after = fingerprint(path)
        assert after != before
        before = after
    with path.open("r+b") as stream:
        stream.truncate(size + 1)
    assert fingerprint(path) != before


def test_mirax_folder_is_part_of_the_identity(tmp_path: Path) -> None:
    path, folder = tmp_path / "case.mrxs", tmp_path / "case"
    path.write_bytes(b"jpeg")
    alone = fingerprint(path)
    folder.mkdir()
    (folder / "Slidedat.ini").write_text("[GENERAL]")
    (folder / "Data0000.dat").write_bytes(b"1234")
    together = fingerprint(path)
    (folder / "Data0000.dat").write_bytes(b"123")
    shorter = fingerprint(path)
    (folder / "Slidedat.ini").write_text("[GENERAl]")
    assert len({alone, together, shorter, fingerprint(path)}) == 4


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SlideFormatError, match="cannot be read"):
        fingerprint(tmp_path / "none.svs")
