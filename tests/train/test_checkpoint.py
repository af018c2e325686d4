"""The checkpoint on a disk that is full: whole or absent."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mitoscope.errors import OutputError
from mitoscope.train.checkpoint import load, save
from mitoscope.train.job import Job, new_state
from mitoscope.written import RECORD

from .weights import weights_hash

pytestmark = pytest.mark.train

RUN = {"run": "r", "architecture": "fcn-resnet12"}


@contextmanager
def _room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond a size: writing fails as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("size", [0, 10_000, 100_000])
def test_a_full_disk_leaves_the_earlier_checkpoint(job: Job, tmp_path: Path, size: int) -> None:
    path, state = tmp_path / "checkpoint.npz", new_state(job)
    save(state, path, **RUN)
    earlier = path.read_bytes()
    state.step = 7
    with _room_for(size), pytest.raises(OutputError, match="cannot be written"):
        save(state, path, **RUN)
    assert path.read_bytes() == earlier
    left = {one.name for one in tmp_path.iterdir() if one.is_file()}
    assert left == {path.name, RECORD}, "nothing half written"
    save(state, path, **RUN)  # the same works once there is space
    fresh = new_state(job)
    load(fresh, path, **RUN)
    assert fresh.step == 7
    assert weights_hash(fresh.network) == weights_hash(state.network)
