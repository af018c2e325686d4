"""Promise 7: a hostile file cannot take the process down."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mitoscope.errors import SlideFormatError
from mitoscope.slide import open_slide, probe, probe_slide


def png(path: Path, width: int, height: int) -> Path:
    """Write a PNG whose header claims a size; its data are one line of zeros."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(1 << 16))),
        (b"IEND", b""),
    ]
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path


def test_good_files_pass(pyramid: Any, tmp_path: Path) -> None:
    image = tmp_path / "-a b\n'ü.png"  # a name is data, never part of a command
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(image)
    probe_slide(pyramid.path)
    probe_slide(image)


def test_one_bad_tile_passes(pyramid: Any, tmp_path: Path) -> None:
    data = bytearray(pyramid.path.read_bytes())
    offset, count = pyramid.tile_offset[0][0], pyramid.tile_bytes[0][0]
    data[offset : offset + count] = bytes(count)
    path = tmp_path / "first.tiff"
    path.write_bytes(data)
    probe_slide(path)


def test_a_slide_of_bad_tiles_is_refused(pyramid: Any, tmp_path: Path) -> None:
    data = bytearray(pyramid.path.read_bytes())
    start, end = pyramid.tile_offset[0][0], pyramid.tile_offset[0][-1]
    data[start:end] = bytes(end - start)
    data[end : end + 9] = bytes(9)
    path = tmp_path / "zeros.tiff"
    path.write_bytes(data)
    with pytest.raises(SlideFormatError, match="no tile that can be decoded"):
        probe_slide(path)


@pytest.mark.parametrize("side", [2**30, 2**31 - 1])
@pytest.mark.parametrize("tag", [322, 323])
def test_an_abort_of_the_decoder_is_an_error(pyramid: Any, tmp_path: Path, tag: int, side: int) -> None:
    data = bytearray(pyramid.path.read_bytes())
    struct.pack_into("<I", data, pyramid.value[0, tag], side)
    path = tmp_path / "hostile.tiff"
    path.write_bytes(data)
    with pytest.raises(SlideFormatError, match=r"hostile\.tiff: crashes the reader \(SIGABRT\); "):
        probe_slide(path)


def test_a_tile_that_needs_too_much_memory_is_an_error(pyramid: Any, tmp_path: Path) -> None:
    data = bytearray(pyramid.path.read_bytes())
    for tag in (322, 323):
        struct.pack_into("<I", data, pyramid.value[0, tag], 1 << 15)  # 4 GiB decoded
    path = tmp_path / "huge.tiff"
    path.write_bytes(data)
    with pytest.raises(SlideFormatError) as refused:
        probe_slide(path)
    assert "did not open within" not in refused.value.what, "memory ends it, not the clock"


@pytest.mark.parametrize("size", [(100_000, 100_000), (2**31 - 1, 2**31 - 1), (20_000, 20_000)])
def test_decompression_bombs(tmp_path: Path, size: tuple[int, int]) -> None:
    path = png(tmp_path / "bomb.png", *size)
    with pytest.raises(SlideFormatError, match=r"bomb\.png: .*(pixels|decoded)"):
        open_slide(path, mpp=0.25)


LIMITLESS = f"""
import runpy, sys
sys.modules["resource"] = None
sys.argv[0] = {str(probe._CHILD)!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_what_cannot_be_limited_is_said_once(
    pyramid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    probe_slide(pyramid.path)
    assert not caplog.records
    monkeypatch.setattr(probe, "_CHILD", write_child(tmp_path, LIMITLESS))
    probe._warn.cache_clear()
    for _ in range(2):
        probe_slide(pyramid.path)
    (said,) = [record.getMessage() for record in caplog.records]
    assert "no limit to memory, processor time, core dumps, written files" in said


def write_child(tmp_path: Path, body: str) -> Path:
    path = tmp_path / "child.py"
    path.write_text(body)
    return path


def test_a_hang_is_an_error(pyramid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note = tmp_path / "child.pid"
    body = f"import os, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(3600)"
    monkeypatch.setattr(probe, "_CHILD", write_child(tmp_path, body))
    with pytest.raises(SlideFormatError, match=r"did not open within 2 s"):
        probe_slide(pyramid.path, time_limit_s=2.0)
    if note.exists():  # on a busy machine the child may not have begun
        with pytest.raises(ProcessLookupError):
            os.kill(int(note.read_text()), 0)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashes the reader \\(SIGSEGV\\)"),
        ("raise SystemExit(3)", "ends the reader \\(exit status 3\\)"),
        ("print('nonsense')", "ends the reader \\(exit status 0\\)"),
        ("print('[]')", "ends the reader \\(exit status 0\\)"),
    ],
)
def test_a_child_that_fails_is_an_error(
    pyramid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, message: str
) -> None:
    monkeypatch.setattr(probe, "_CHILD", write_child(tmp_path, body))
    with pytest.raises(SlideFormatError, match=message):
        probe_slide(pyramid.path)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"_OWN_BYTES": -(1 << 30)}, "needs more than 1 GiB of memory"),
        ({"_GRACE_S": -8}, "did not open within 60 s"),
    ],
)
def test_a_child_that_no_system_limits_is_watched(
    pyramid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int], message: str
) -> None:
    """As on Windows, which limits neither memory nor time of a process."""
    for name, value in limit.items():
        monkeypatch.setattr(probe, name, value)
    monkeypatch.setattr(probe, "_CHILD", write_child(tmp_path, "while True: pass"))
    with pytest.raises(SlideFormatError, match=message):
        probe_slide(pyramid.path)


def test_the_limits_hold(tmp_path: Path) -> None:
    """The child cannot allocate more than its share, nor write a core."""
    folder = str(Path(probe.__file__).parent)
    body = (
        f"import sys; sys.path.insert(0, {folder!r})\n"
        "import probe_child, resource\n"
        "probe_child.limit()\n"
        "try:\n    bytearray(probe_child.MEMORY_BYTES + (64 << 20))\n"
        "except MemoryError:\n    print('refused', resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
    )
    child = subprocess.run([sys.executable, "-P", "-c", body], capture_output=True, check=True, timeout=30)
    assert child.stdout.split() == [b"refused", b"0"]


def test_it_works_without_standard_streams(pyramid: Any) -> None:
    """As under a daemon: descriptors 0, 1 and 2 closed."""
    body = (
        "import os, sys\n"
        "for descriptor in (0, 1, 2):\n    os.close(descriptor)\n"
        "from pathlib import Path\n"
        "from mitoscope.slide import probe_slide\n"
        f"probe_slide(Path({str(pyramid.path)!r}))\n"
        "os._exit(7)\n"
    )
    child = subprocess.run([sys.executable, "-c", body], check=False, timeout=30)
    assert child.returncode == 7


def test_a_probe_is_cheap_for_it_imports_little(pyramid: Any) -> None:
    command = [sys.executable, "-P", "-X", "importtime", str(probe._CHILD), str(pyramid.path), "100000000"]
    child = subprocess.run(command, check=True, capture_output=True, text=True)
    brought = {line.rpartition("|")[2].strip().partition(".")[0] for line in child.stderr.splitlines()}
    assert "openslide" in brought
    assert not brought & {"mitoscope", "numpy", "onnxruntime", "pydantic", "scipy", "tifffile"}


def test_endless_computing_is_ended_long_before_the_clock(
    pyramid: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body = (probe._CHILD.parent / "probe_child.py").read_text().replace("CPU_SECONDS = 8", "CPU_SECONDS = 1")
    endless = body.partition("def main")[0] + "\nlimit()\nwhile True: pass\n"
    monkeypatch.setattr(probe, "_CHILD", write_child(tmp_path, endless))
    with pytest.raises(SlideFormatError, match=r"crashes the reader \(SIG"):
        probe_slide(pyramid.path)
