from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from mitoscope.errors import SlideFormatError
from mitoscope.slide import fingerprint
from mitoscope.slide.fingerprint import BLOCK_BYTES, BLOCKS, WHOLE_BELOW_BYTES


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
