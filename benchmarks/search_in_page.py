"""How long a label waits while the application searches a slide of 40 mm².

    PYTHONPATH=. python benchmarks/search_in_page.py [--side 40960] [--write]

A server as `mitoscope serve` starts it, on a slide of 0.25 µm/px that was painted and laid out side by side.
Somebody labels a new cell every 100 ms, over HTTP: first with nothing else going on, then while the slide is
searched in the process of the queue, until its candidates are in the study. Times are those from the request
to the answer, which comes after the label is on disk.
"""

from __future__ import annotations

import argparse
import os
import signal
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from machine import stamp
from repeated_slide import repeat_slide
from results_page import write_page

from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from tests.web.real_server import Caller, RealServer

RESULT = Path(__file__).parent / "results" / "search_in_page.md"
PAINTED_PX = 4096
EVERY_S = 0.1
IDLE_S = 20.0


def main() -> None:
    """Label, search, and print the waiting times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=40_960)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    lines = [stamp(), "", "| | labels | median | 95 % | slowest |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "slides").mkdir()
        painted = folder / "painted.tiff"
        config = SyntheticSlideConfig.of(width=PAINTED_PX, height=PAINTED_PX, seed=1, tissue_fraction=0.4)
        write_slide(painted, config)
        slide = folder / "slides" / "large.tiff"
        repeat_slide(painted, slide, times=options.side // PAINTED_PX, mpp=0.25)
        with RealServer(folder / "study.mito", folder / "slides") as server:
            lead = server.client()
            me = lead.get("/api/me")
            at, round_id = me["slides"][0]["id"], me["rounds"][0]["id"]
            end = time.monotonic() + IDLE_S
            lines.append(_row("nothing else", _label(lead, round_id, at, lambda: time.monotonic() < end)))
            begun = time.monotonic()
            lead.send("POST", "/api/searches", slides=[at], model="cascade")
            waits = _label(lead, round_id, at, lambda: _search(lead)["state"] in ("waiting", "running"))
            took, done = time.monotonic() - begun, _search(lead)
            lines.append(_row("while the slide is searched", waits))
            lines += [
                "",
                f"{done['of_mm2']:.1f} mm² of tissue, {done['candidates']} candidates, {took:.0f} s until "
                f"these were in the study ({done['state']}). All of it ran at niceness {os.nice(0)}; "
                "what others do on the machine shows in the first row.",
            ]
            server.end(signal.SIGINT)
    print("\n".join(lines))
    if options.write:
        write_page(RESULT, __doc__, lines)


def _search(lead: Caller) -> dict[str, float | str]:
    (found,) = lead.get("/api/searches")["searches"]
    return dict(found)


def _label(lead: Caller, round_id: int, slide: int, goes_on: Callable[[], bool]) -> list[float]:
    """Label new cells until something has ended; return what each waited, in seconds."""
    random, waits = np.random.default_rng(0), []
    while goes_on():
        x, y = random.uniform(0, 4000, 2).tolist()
        path = f"/api/rounds/{round_id}/actions"
        start = time.perf_counter()
        answer = lead.send("POST", path, kind="create", slide=slide, x=x, y=y, label=1)
        waits.append(time.perf_counter() - start)
        assert answer.status_code == 200, answer.text
        time.sleep(EVERY_S)
    return waits


def _row(what: str, waits: list[float]) -> str:
    ms = np.array(waits) * 1e3
    shown = " | ".join(f"{value:.0f} ms" for value in (np.median(ms), np.percentile(ms, 95), ms.max()))
    return f"| {what} | {len(waits)} | {shown} |"


if __name__ == "__main__":
    main()
