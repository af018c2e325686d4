"""Start, ask and stop a server many times in one process; say what it holds before and after."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
import threading
from pathlib import Path

import httpx
import uvicorn

from mitoscope.slide import open_slide, read_thumbnail
from mitoscope.web.app import create_app
from mitoscope.web.serving import address_of, listen, open_study

WARM_UP = 8
"""Until then caches and the allocator grow most."""


def cycle(study: Path, slides: Path) -> None:
    """Serve a study once, look at a tile and at the cells, and stop."""
    for path in slides.iterdir():
        with open_slide(path, probe=False) as slide:
            read_thumbnail(slide, 64)
    opened = open_study(study, folders=[slides])
    with opened.store as store, listen("127.0.0.1", 0) as listener:
        app = create_app(store, opened.slides)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            ask(address_of(listener, "127.0.0.1"), opened.token)
        finally:
            server.should_exit = True
            thread.join()


def ask(base: str, token: str) -> None:
    """Ask for the page's data, a tile and the cells."""
    with httpx.Client(base_url=base, trust_env=False) as client:
        assert client.get(f"/?token={token}").status_code == 303
        for path in ("/api/me", "/api/slides/1/tiles/9/0_0.jpg", "/api/rounds/1/slides/1/cells"):
            assert client.get(path).status_code == 200, path


def held() -> str:
    """Return what this process holds; memory that is free, but kept by the allocator, is not counted."""
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    kib = pages * os.sysconf("SC_PAGE_SIZE") // 1024
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    threads, objects = threading.active_count(), len(gc.get_objects())
    return f"descriptors={descriptors} threads={threads} objects={objects} kib={kib}"


def main(study: Path, slides: Path, cycles: int) -> None:
    for _ in range(WARM_UP):
        cycle(study, slides)
    print(held())
    for _ in range(cycles):
        cycle(study, slides)
    print(held())


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
