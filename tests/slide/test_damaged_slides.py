"""Promise 1: a damaged slide ends in a typed error or a correct read."""

from __future__ import annotations

import json
import statistics
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.geometry import BoxPx
from mitoscope.slide import open_slide

BAD = 100  # the damaged tile: column 4, row 6
BAD_TILE = [4, 6]
WIDTH, HEIGHT, TILE_WIDTH, TILE_HEIGHT = 256, 257, 322, 323
OFFSETS, COUNTS, X_RESOLUTION, Y_RESOLUTION = 324, 325, 282, 283
HUGE = 2**31 - 1

REFUSED = "refused"  # a typed error
NO_SCALE = "no scale"  # ScaleError
WHOLE = "whole"  # every pixel right
ONE_TILE = "one tile"  # the damaged tile is invalid, every other pixel right
PERHAPS = "perhaps"  # a flip in the entropy code: libjpeg may decode the tile to something; the rest is right


def truncated(share: float) -> Callable[[bytearray, Any], bytes]:
    return lambda data, _: bytes(data[: int(len(data) * share)])


def number(level: int, tag: int, value: int, *, at: int = 0, kind: str = "I") -> Callable[..., None]:
    """Write a number over the value of a tag."""
    return lambda data, layout: struct.pack_into(f"<{kind}", data, layout.value[level, tag] + at, value)


def entry(level: int, tag: int, value: int, *, at: int) -> Callable[..., None]:
    """Write a number into the directory entry of a tag."""
    return lambda data, layout: struct.pack_into("<I", data, layout.entry[level, tag] + at, value)


def tile(change: Callable[[bytes], bytes]) -> Callable[..., None]:
    def edit(data: bytearray, layout: Any) -> None:
        offset, count = layout.tile_offset[0][BAD], layout.tile_bytes[0][BAD]
        data[offset : offset + count] = change(bytes(data[offset : offset + count]))

    return edit


def flipped(place: int) -> Callable[[bytes], bytes]:
    return lambda data: data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


def next_ifd(level: int, target: int | None) -> Callable[..., None]:
    """Point the directory after `level` to that of another level, or far beyond the file."""

    def edit(data: bytearray, layout: Any) -> None:
        place = HUGE if target is None else layout.ifd[target]
        struct.pack_into("<I", data, layout.next_ifd[level], place)

    return edit


CASES: dict[str, tuple[str, Callable[..., bytes | None]]] = {
    **{
        f"truncated_{percent:02d}": (REFUSED, truncated(percent / 100))
        for percent in (1, 10, 25, 40, 50, 75, 90, 99)
    },
    "tile_zeroed": (ONE_TILE, tile(lambda data: bytes(len(data)))),
    "tile_random": (ONE_TILE, tile(lambda data: np.random.default_rng(0).bytes(len(data)))),
    "tile_second_half_zeroed": (ONE_TILE, tile(lambda data: data[: len(data) // 2].ljust(len(data), b"\0"))),
    **{f"tile_flip_header_{place}": (ONE_TILE, tile(flipped(place))) for place in (0, 1, 3, 20)},
    **{
        f"tile_flip_entropy_{place}": (PERHAPS, tile(flipped(place))) for place in (100, 700, 1000, 1300, -20)
    },
    "tile_zero_length": (ONE_TILE, number(0, COUNTS, 0, at=4 * BAD)),
    "tile_ten_bytes": (ONE_TILE, number(0, COUNTS, 10, at=4 * BAD)),
    "tile_of_2_gib": (ONE_TILE, number(0, COUNTS, HUGE, at=4 * BAD)),
    "tile_at_0": (ONE_TILE, number(0, OFFSETS, 0, at=4 * BAD)),
    "tile_past_end": (ONE_TILE, number(0, OFFSETS, 2**31, at=4 * BAD)),
    "tile_at_last_byte": (ONE_TILE, number(0, OFFSETS, 2**32 - 2, at=4 * BAD)),
    **{
        f"{name}_{value}": (REFUSED, number(0, tag, value))
        for name, tag in (
            ("width", WIDTH),
            ("height", HEIGHT),
            ("tile_width", TILE_WIDTH),
            ("tile_height", TILE_HEIGHT),
        )
        for value in (0, HUGE)
    },
    "width_1": (REFUSED, number(0, WIDTH, 1)),
    "height_1": (REFUSED, number(0, HEIGHT, 1)),
    "tile_width_2_30": (REFUSED, number(0, TILE_WIDTH, 2**30)),
    "tile_height_2_30": (REFUSED, number(0, TILE_HEIGHT, 2**30)),
    "tile_width_128": (REFUSED, number(0, TILE_WIDTH, 128)),
    "ifd_loop_to_itself": (REFUSED, next_ifd(0, 0)),
    "ifd_loop_last_to_first": (REFUSED, next_ifd(2, 0)),
    "ifd_loop_last_to_second": (REFUSED, next_ifd(2, 1)),
    "ifd_past_end": (REFUSED, next_ifd(1, None)),
    "first_ifd_past_end": (REFUSED, lambda data, _: struct.pack_into("<I", data, 4, HUGE)),
    "ifd_of_65535_entries": (REFUSED, lambda data, at: struct.pack_into("<H", data, at.ifd[0], 65535)),
    "resolution_over_zero": (NO_SCALE, number(0, X_RESOLUTION, 0, at=4)),
    "resolution_y_over_zero": (NO_SCALE, number(0, Y_RESOLUTION, 0, at=4)),
    "resolution_zero": (NO_SCALE, number(0, X_RESOLUTION, 0)),
    "resolution_anisotropic": (NO_SCALE, number(0, X_RESOLUTION, 20_000_000)),
    "resolution_72_dpi": (NO_SCALE, number(0, X_RESOLUTION, 28_346)),
    "unknown_compression": (REFUSED, number(0, 259, 9, kind="H")),
    "unknown_photometric": (REFUSED, number(0, 262, 32844, kind="H")),
    "16_bits": (REFUSED, number(0, 258, 16, kind="H")),
    "60000_samples": (REFUSED, number(0, 277, 60000, kind="H")),
    "offsets_beyond_file": (REFUSED, entry(0, OFFSETS, HUGE, at=4)),
    "width_of_unknown_type": (REFUSED, entry(0, WIDTH, 99, at=2)),
    "empty": (REFUSED, lambda data, _: b""),
    "header_only": (REFUSED, lambda data, _: bytes(data[:8])),
    "bigtiff_header_only": (REFUSED, lambda data, _: b"II+\0\x08\0\0\0" + HUGE.to_bytes(8, "little")),
    "random_bytes": (REFUSED, lambda data, _: np.random.default_rng(1).bytes(5000)),
    "text_named_svs": (REFUSED, lambda data, _: b"Aperio Image Library, or so this text says.\n"),
}


@pytest.fixture(scope="module")
def outcomes(pyramid: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Make every case and have one child examine them all under limits of time and memory."""
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "cases").mkdir()
    with open_slide(pyramid.path) as slide:
        np.save(folder / "whole.npy", slide.read(BoxPx(0, 0, 1024, 1024)).rgb)
    for name, (_, edit) in CASES.items():
        data = bytearray(pyramid.path.read_bytes())
        replaced = edit(data, pyramid)
        (folder / "cases" / f"{name}.svs").write_bytes(data if replaced is None else replaced)
    (folder / "cases" / "directory.svs").mkdir()
    command = [sys.executable, str(Path(__file__).with_name("damage_child.py")), str(folder)]
    child = subprocess.run(command, capture_output=True, timeout=200, check=False)
    lines = [json.loads(line) for line in child.stdout.splitlines()]
    seen = {line.pop("case"): line for line in lines}
    missing = sorted({*CASES, "directory"} - set(seen))
    assert child.returncode == 0, f"status {child.returncode}, not examined: {missing[:3]}, {child.stderr!r}"
    assert not missing
    return seen


def test_there_are_at_least_forty_cases() -> None:
    assert len(CASES) >= 40


@pytest.mark.parametrize("name", [*CASES, "directory"])
def test_damage_ends_in_a_typed_error_or_a_correct_read(name: str, outcomes: dict[str, Any]) -> None:
    expected = CASES[name][0] if name in CASES else REFUSED
    seen = outcomes[name]
    assert seen["leaked"] == 0
    usual = statistics.median(one["seconds"] for one in outcomes.values())
    assert seen["seconds"] < 50 * usual, "it computes on and on, however fast the machine is"
    if expected in {REFUSED, NO_SCALE}:
        check_refusal(seen["outcomes"][0], name, scale=expected == NO_SCALE)
        return
    for outcome in seen["outcomes"]:
        check_pixels(outcome, expected)


def check_refusal(seen: dict[str, Any], name: str, *, scale: bool) -> None:
    assert seen["error"] == ("ScaleError" if scale else "SlideFormatError"), seen
    assert "\n" not in seen["line"]
    assert name in seen["line"]
    if scale:
        assert "--mpp" in seen["line"]
        assert "openslide.mpp-x" in seen["line"] or "openslide.mpp-y" in seen["line"]


def check_pixels(seen: dict[str, Any], expected: str) -> None:
    assert seen["error"] is None, seen
    assert seen["mpp"] == 0.25
    if expected == PERHAPS:
        assert seen["wrong"] in ([], [BAD_TILE])
        assert seen["invalid"] in ([], [BAD_TILE])
    else:
        assert seen["wrong"] == []
        assert seen["invalid"] == ([BAD_TILE] if expected == ONE_TILE else [])


def test_both_readers_were_examined(outcomes: dict[str, Any]) -> None:
    readers = {name: [each.get("reader") for each in seen["outcomes"]] for name, seen in outcomes.items()}
    both = [name for name, names in readers.items() if len(names) == 2]
    assert {name for name in CASES if CASES[name][0] in {ONE_TILE, PERHAPS}} <= set(both)
    assert all(first.startswith("simplejpeg") for first, _ in (readers[name] for name in both))


def test_some_damage_crashes_the_decoder(outcomes: dict[str, Any]) -> None:
    """Without the child process these would end the program: the corpus is as hostile as it claims."""
    assert "crashes the reader (SIGABRT)" in outcomes["tile_height_2_30"]["outcomes"][0]["line"]


@pytest.mark.realdata
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_truncated_real_slide_is_refused_or_says_what_it_lost(
    real_slides: Path, tmp_path: Path, share: float
) -> None:
    source = real_slides / "cmu-1-small-region.svs"
    data = source.read_bytes()
    (tmp_path / "cases").mkdir()
    (tmp_path / "cases" / "cmu.svs").write_bytes(data[: int(len(data) * share)])
    with open_slide(source) as slide:
        np.save(tmp_path / "whole.npy", slide.read(BoxPx(0, 0, 2220, 2967)).rgb)
    command = [sys.executable, str(Path(__file__).with_name("damage_child.py")), str(tmp_path)]
    child = subprocess.run(command, capture_output=True, timeout=60, check=True)
    seen = json.loads(child.stdout)
    assert seen["leaked"] == 0
    for outcome in seen["outcomes"]:
        assert outcome["error"] == "SlideFormatError" or (outcome["wrong"] == [] and outcome["damaged"])
