"""How fast `mitoscope detect` is on this machine, and where the time goes.

    python benchmarks/detect.py [--side 8192] [--slide FILE]

Prints the machine, the date and a table: mm² of tissue a minute, and the shares of reading, network and rest.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from mitoscope.bundle import load_bundle
from mitoscope.infer import DetectConfig, SlideRun, detect_slide
from mitoscope.report import write_outputs
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=8192, help="side of the synthetic slide in px")
    parser.add_argument("--slide", type=Path, help="a slide of your own instead")
    parser.add_argument("--mpp", type=float, help="its resolution, where it states none")
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}, {platform.python_version()}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = options.slide or _paint(folder / "slide.tiff", options.side)
        run = detect_slide(slide, load_bundle(), folder / "out", config=DetectConfig(mpp=options.mpp))
        started = time.perf_counter()
        write_outputs(run, folder / "out")
        _print(run, outputs_s=time.perf_counter() - started)


def _paint(path: Path, side: int) -> Path:
    started = time.perf_counter()
    write_slide(path, SyntheticSlideConfig.of(width=side, height=side, seed=1, tissue_fraction=0.4))
    print(f"painted a slide of {side} × {side} px in {time.perf_counter() - started:.1f} s")
    return path


def _print(run: SlideRun, *, outputs_s: float) -> None:
    spent = run.timings
    whole = spent.setup_s + spent.wall_s + outputs_s
    print(f"{run.slide.name}: {run.tissue_mm2:.2f} mm² of tissue in {whole:.1f} s, {run.slide.reader}")
    print(f"  search            {run.mm2_per_minute or 0:.1f} mm² a minute")
    print(f"  all in all        {run.tissue_mm2 / whole * 60:.1f} mm² a minute")
    for what, seconds in (
        ("opening, tissue", spent.setup_s),
        ("network", spent.network_s),
        ("rest of search", spent.rest_s),
        ("outputs, report", outputs_s),
    ):
        print(f"  {what:<18}{seconds:6.1f} s  {seconds / whole:4.0%}")
    print(f"  reading beside    {spent.read_s:6.1f} s  (in threads, hidden behind the network)")


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
