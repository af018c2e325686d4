"""A disk that is full: a real one, small, in a mount namespace of its own."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from .making import Json, key
from .real_server import RealServer

DISK_KIB = 1024
_MOUNT = 'mount -t tmpfs -o size="$1"k tmpfs "$2" && shift 2 && exec "$@"'


def on_disk_of(kib: int, folder: Path) -> list[str]:
    """Return what to put before a command that is to find a new disk of that size in a folder."""
    return [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        _MOUNT,
        "sh",
        str(kib),
        str(folder),
    ]


def _can_mount(folder: Path) -> bool:
    if shutil.which("unshare") is None:
        return False
    return subprocess.run([*on_disk_of(64, folder), "true"], capture_output=True, check=False).returncode == 0


def _fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (4096, 512, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue
    return ballast


def test_a_disk_that_is_really_full_is_said_and_the_same_action_works_once_there_is_space(
    tmp_path: Path, slides: Path
) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if not _can_mount(disk):
        pytest.skip("no mount namespaces for this user here")
    with RealServer(disk / "study.mito", slides, before=on_disk_of(DISK_KIB, disk)) as server:
        seen_from_here = Path(f"/proc/{server.process.pid}/root{disk}")
        lead = server.client()
        slide = lead.get("/api/me")["slides"][0]["id"]
        body: Json = {"kind": "create", "slide": slide, "x": 800, "y": 700, "label": 1}
        first = lead.send("POST", "/api/rounds/2/actions", **body)
        assert first.status_code == 200, first.text
        ballast = _fill(seen_from_here)
        kept = key()
        refused = lead.send("POST", "/api/rounds/2/actions", **body | {"key": kept})
        assert refused.status_code == 507
        said = refused.json()
        assert said["code"] == "disk_full"
        assert "full" in said["error"]
        assert "free space" in said["mend"]
        shown = lead.get(f"/api/rounds/2/slides/{slide}/cells")["cell"]
        assert shown == [first.json()["cell"]], "what is there can be looked at"
        ballast.unlink()
        again = lead.send("POST", "/api/rounds/2/actions", **body | {"key": kept})
        assert (again.status_code, again.json()["is_repeated"]) == (200, False)
        assert len(lead.get(f"/api/rounds/2/slides/{slide}/cells")["cell"]) == 2
        lead.close()
        assert server.end(signal.SIGINT) == 0
