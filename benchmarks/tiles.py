"""How long a tile takes while several people look at a slide at once.

    python benchmarks/tiles.py [--size 40000x40000] [--viewers 8] [--tiles 250] [--slide FILE]

Writes a slide of JPEG tiles with levels of 1, 4 and 16, serves it by `mitoscope serve`, and lets viewers walk
over it, each asking for one tile after the other: new ones of full size, new ones between two levels of the
file, which are made from four, and ones that were shown before. Goal on 2 cores, slide open: p95 below 30 ms.
The viewers run on the same cores as the server, which real ones do not.
"""

from __future__ import annotations

import argparse
import http.client
import itertools
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from machine import stamp

from mitoscope.geometry import SizePx
from mitoscope.slide import open_slide
from mitoscope.slide.synthetic.pyramid import JpegTiff, encode_tile, tiles_across
from mitoscope.web.deep_zoom import level_size, max_level

TILE = 256
FACTORS = (1, 4, 16)
PATTERNS = 64
GOAL_MS = 30.0


def make_tiles(seed: int = 0) -> list[bytes]:
    """Return JPEG tiles that look like dense tissue and weigh as much (some 16 kB)."""
    rng = np.random.default_rng(seed)
    tiles = []
    for _ in range(PATTERNS):
        grain = np.kron(rng.integers(-40, 30, (64, 64, 3)), np.ones((4, 4, 1)))
        noise = rng.normal(0, 7, (TILE, TILE, 1))
        rgb = np.clip(np.array([190, 120, 180]) + grain + noise, 0, 255).astype(np.uint8)
        tiles.append(encode_tile(rgb, 80))
    return tiles


def write_slide(path: Path, size: SizePx) -> None:
    """Write a pyramid of JPEG tiles at 0.25 µm/px."""
    tiles = make_tiles()
    with path.open("w+b") as stream:
        tiff = JpegTiff(stream, size=size, tile_px=TILE, mpp=0.25, description="benchmark")
        for factor in FACTORS:
            level = SizePx(-(-size.width // factor), -(-size.height // factor))
            columns, rows = tiles_across(level, TILE)
            tiff.add_level(drawn(tiles, columns * rows, seed=factor), level)
        tiff.finish()


def drawn(tiles: list[bytes], count: int, *, seed: int) -> Iterator[bytes]:
    """Draw tiles."""
    rng = random.Random(seed)
    return (rng.choice(tiles) for _ in range(count))


class Server:
    """``mitoscope serve`` in a process of its own."""

    def __init__(self, study: Path, slides: Path) -> None:
        command = [
            sys.executable,
            "-m",
            "mitoscope",
            "serve",
            str(study),
            "--slides",
            str(slides),
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if found := re.match(r"open http://(\S+?)/(\?token=\S+)", line):
                self.host, link = found.groups()
                break
        else:
            raise SystemExit(f"the server did not start: {said}")
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request("GET", f"/{link}")
        answer = connection.getresponse()
        answer.read()
        self.cookie = str(answer.getheader("set-cookie")).split(";")[0]
        connection.close()

    def peak_mb(self) -> float:
        """Return the most memory that the server held so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) / 1024

    def end(self) -> None:
        """Stop it."""
        self.process.terminate()
        self.process.wait(20)


def walk(rng: random.Random, columns: int, rows: int) -> Iterator[tuple[int, int]]:
    """Yield tiles as somebody who pans: screens of 6 × 4 tiles side by side; now and then far off."""
    while True:
        x, y = rng.randrange(max(1, columns - 6)), rng.randrange(max(1, rows - 4))
        for _ in range(8):
            yield from ((c, r) for r in range(y, min(rows, y + 4)) for c in range(x, min(columns, x + 6)))
            x = min(max(0, x + rng.choice((-6, 6))), max(0, columns - 6))
            y = min(max(0, y + rng.choice((-4, 0, 4))), max(0, rows - 4))


def look(server: Server, paths: list[str], seconds: list[float]) -> None:
    """Ask for tiles one after the other, as one viewer."""
    connection = http.client.HTTPConnection(server.host, timeout=60)
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path, headers={"cookie": server.cookie})
        answer = connection.getresponse()
        content = answer.read()
        seconds.append(time.perf_counter() - began)
        if answer.status != 200 or not content.startswith(b"\xff\xd8"):
            raise SystemExit(f"{path}: {answer.status} {content[:200]!r}")
    connection.close()


def measure(what: str, server: Server, paths: list[list[str]]) -> bool:
    """Let all viewers look at once and print how long tiles took; return whether the goal is met."""
    seconds: list[list[float]] = [[] for _ in paths]
    viewers = [
        threading.Thread(target=look, args=(server, *pair)) for pair in zip(paths, seconds, strict=True)
    ]
    began = time.perf_counter()
    for viewer in viewers:
        viewer.start()
    for viewer in viewers:
        viewer.join()
    took = time.perf_counter() - began
    ms = np.array(list(itertools.chain.from_iterable(seconds))) * 1000
    if len(ms) != sum(map(len, paths)):
        raise SystemExit("a viewer stopped: its tile failed")
    p50, p95 = np.percentile(ms, [50, 95])
    print(f"  {what:26s}{len(ms):6d} tiles   p50 {p50:6.1f}   p95 {p95:6.1f}   max {ms.max():6.1f} ms   "
          f"{len(ms) / took:5.0f} tiles/s   peak {server.peak_mb():5.0f} MB", flush=True)  # fmt: skip
    return bool(p95 < GOAL_MS)


def tile_paths(viewers: int, count: int, *, level: int, size: SizePx, seed: int) -> list[list[str]]:
    """Return the tiles that each viewer asks for; no tile is there twice."""
    columns, rows = tiles_across(size, TILE)
    asked: set[tuple[int, int]] = set()
    paths = []
    for viewer in range(viewers):
        new: list[str] = []
        steps = walk(random.Random(1000 * seed + viewer), columns, rows)
        for column, row in itertools.islice(steps, 50 * count):
            if (column, row) not in asked and len(new) < count:
                asked.add((column, row))
                new.append(f"/api/slides/1/tiles/{level}/{column}_{row}.jpg")
        paths.append(new)
    return paths


def run(server: Server, slide: SizePx, *, viewers: int, tiles: int) -> None:
    """Measure all kinds of tiles."""
    top = max_level(slide)
    look(server, [f"/api/slides/1/tiles/{top}/0_0.jpg"], [])  # opens the slide
    full = tile_paths(viewers, tiles, level=top, size=slide, seed=1)
    between = tile_paths(viewers, tiles, level=top - 1, size=level_size(slide, top - 1), seed=2)
    met = [
        measure("new, full size", server, full),
        measure("new, between two levels", server, between),
        measure("shown before", server, full),
    ]
    print(f"goal p95 < {GOAL_MS:.0f} ms: " + ", ".join("met" if one else "missed" for one in met))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="40000x40000")
    parser.add_argument("--viewers", type=int, default=8)
    parser.add_argument("--tiles", type=int, default=250, help="of each viewer")
    parser.add_argument("--slide", type=Path, help="a slide to be served instead of a made one")
    options = parser.parse_args()
    print(f"{stamp()}, {options.viewers} viewers")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "slides")
        folder.mkdir()
        if options.slide is None:
            path = folder / "made.tiff"
            write_slide(path, SizePx(*map(int, options.size.split("x"))))
        else:
            path = folder / options.slide.name
            shutil.copyfile(options.slide, path)
        with open_slide(path) as opened:
            size = opened.info.size
        print(f"{path.name}: {size.width} × {size.height} px, {path.stat().st_size / 1e6:.0f} MB")
        server = Server(Path(name, "study.mito"), folder)
        try:
            run(server, size, viewers=options.viewers, tiles=options.tiles)
        finally:
            server.end()


if __name__ == "__main__":
    main()
