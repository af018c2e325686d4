"""How long a board of all cells of CMC takes, given their embeddings, and how much memory.

    python benchmarks/board.py [--crops 50286] [--out FOLDER]

Embeddings (512 numbers a crop) and crops are made up: clusters of points with noise, and a coloured pattern a
crop. Goal on 2 cores: 50,286 crops to a board of 80,000 × 60,000 px in less than 10 minutes, memory bounded.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
from machine import stamp

from mitoscope.curation.board import Grid, lay_out, project, quality, suspicion
from mitoscope.geometry import SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.loops.board_image import write_board

Result = TypeVar("Result")
SIDE = 128
CLUSTERS = 24


def make_embeddings(crops: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return embeddings around some centres, and the number of each crop's centre."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 3, (CLUSTERS, 512)).astype(np.float32)
    cluster = rng.choice(CLUSTERS, crops, p=rng.dirichlet(np.full(CLUSTERS, 2.0)))
    return centres[cluster] + rng.normal(0, 1.5, (crops, 512)).astype(np.float32), cluster


def make_crops(path: Path, cluster: np.ndarray, seed: int = 0) -> np.ndarray:
    """Return a mapped file of crops, those of a cluster alike."""
    rng = np.random.default_rng(seed)
    crops = np.lib.format.open_memmap(path, "w+", np.uint8, (len(cluster), SIDE, SIDE, 3))
    noise = rng.integers(0, 40, (64, SIDE, SIDE, 3), dtype=np.uint8)
    base = rng.integers(90, 215, (CLUSTERS, 1, 1, 3), dtype=np.uint8)
    for row, one in enumerate(cluster.tolist()):
        crops[row] = base[one] + noise[row % 64]
    crops.flush()
    return crops


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=int, default=50_286)
    parser.add_argument("--size", default="80000x60000")
    parser.add_argument("--out", type=Path, help="keeps the board there")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    print(stamp())
    embeddings, cluster = make_embeddings(options.crops)
    labels = [MITOTIC_FIGURE.name if one % 3 == 0 else LOOK_ALIKE.name for one in cluster.tolist()]
    with tempfile.TemporaryDirectory(dir=options.out) as name:
        crops = make_crops(Path(name) / "crops.npy", cluster)
        began = time.perf_counter()
        placed = timed("UMAP", lambda: project(embeddings))
        grid = Grid.of_size(SizePx(width, height), cell_px=SIDE)
        layout = timed("layout", lambda: lay_out(placed, grid))
        kept = timed("quality", lambda: quality(embeddings, layout.points))
        timed("suspicious cells", lambda: suspicion(embeddings, labels))
        colours = [
            MITOTIC_FIGURE.colour if one == MITOTIC_FIGURE.name else LOOK_ALIKE.colour for one in labels
        ]
        path = (options.out or Path(name)) / "board.tiff"
        timed("picture", lambda: write_board(path, layout, crops, colours, mpp=0.25))
        print(f"all in all {time.perf_counter() - began:.0f} s; {layout.method}, mean shift "
              f"{layout.shift.mean():.2f} places; {path.stat().st_size / 1e6:.0f} MB")  # fmt: skip
    print(f"trustworthiness {kept.trustworthiness:.4f}, continuity {kept.continuity:.4f}, "
          f"shared neighbours {kept.shared:.3f} ({kept.crops} crops)")  # fmt: skip


def timed(what: str, work: Callable[[], Result]) -> Result:
    """Run a step and print its seconds and the highest memory so far."""
    started = time.perf_counter()
    result = work()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  {what:18s}{time.perf_counter() - started:7.1f} s   peak {peak:6.0f} MB", flush=True)
    return result


if __name__ == "__main__":
    main()
