"""Reads tiles in several processes or threads and prints their hashes; run by test_pool.py.

A script of its own, because the start methods spawn and forkserver import the main module again.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mitoscope.geometry import BoxPx
from mitoscope.slide import acquire

TILE = 64
Job = tuple[str, int]


def hash_tile(job: Job) -> str:
    path, tile = job
    box = BoxPx(tile % 16 * TILE, tile // 16 * TILE, TILE, TILE)
    return hashlib.sha256(acquire(path).read(box).rgb.tobytes()).hexdigest()


def main(method: str, path: str, workers: int, repeats: int) -> list[str]:
    acquire(path)  # a slide that is open before the fork must not be shared
    jobs = [(path, (tile * 37) % 256) for tile in range(256)] * repeats
    if method == "alone":
        return [hash_tile(job) for job in jobs]
    if method == "threads":
        with ThreadPoolExecutor(workers) as threads:
            return list(threads.map(hash_tile, jobs))
    with multiprocessing.get_context(method).Pool(workers) as pool:
        return pool.map(hash_tile, jobs, chunksize=4)


if __name__ == "__main__":
    hashes = main(sys.argv[1], str(Path(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.write(json.dumps(hashes))
