from __future__ import annotations

import os
from pathlib import Path

import pytest

from mitoscope.errors import SlideFormatError
from mitoscope.slide.positional_file import PositionalFile


@pytest.fixture
def numbers(tmp_path: Path) -> Path:
    path = tmp_path / "numbers.bin"
    path.write_bytes(bytes(range(256)) * 4)
    return path


def test_it_reads_at_places_and_moves_nothing(numbers: Path) -> None:
    file = PositionalFile(numbers)
    assert file.read(250, 10) == bytes([250, 251, 252, 253, 254, 255, 0, 1, 2, 3])
    assert file.read(0, 2) == b"\0\1"
    assert file.read(1020, 100) == bytes([252, 253, 254, 255])
    assert file.read(5000, 9) == b""


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SlideFormatError, match=r"none: cannot be read"):
        PositionalFile(tmp_path / "none")


def test_the_descriptor_lives_as_long_as_a_user(numbers: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    file = PositionalFile(numbers)
    user = file
    del file
    assert user.read(3, 1) == b"\3"
    assert count() == before + 1
    del user
    assert count() == before


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_parent_and_children_read_the_right_bytes_at_once(numbers: Path) -> None:
    file = PositionalFile(numbers)

    def wrong(step: int) -> int:
        return sum(
            file.read(place % 1000, 1) != bytes([place % 1000 % 256]) for place in range(0, 90_000, step)
        )

    children = []
    for step in (7, 11):
        child = os.fork()
        if child == 0:
            os._exit(min(wrong(step), 99))
        children.append(child)
    assert wrong(13) == 0
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
