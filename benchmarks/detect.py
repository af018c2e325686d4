"""How fast `mitoscope detect` is on this machine, and where the time goes.

    python benchmarks/detect.py [--side 8192] [--slide FILE] [--model M] [--dual]

Prints the machine, the date and a table: mm² of tissue a minute, and the shares of reading, network and rest.
With --dual the sliding window of the papers' dual-stage detector runs beside it, in torch on the same cores:
the RetinaNet of recipes/ccmct-dual.toml over windows of 512 px in steps of 460 px, batches of 8 (their code),
its second stage left out. Its mm² are those of the steps, all tissue: it gets no blank glass to search.
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

WINDOW_PX, STEP_PX, BATCH = 512, 460, 8
BATCHES = 3


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--side", type=int, default=8192, help="side of the synthetic slide in px")
    parser.add_argument("--slide", type=Path, help="a slide of your own instead")
    parser.add_argument("--mpp", type=float, help="its resolution, where it states none")
    parser.add_argument("--model", help="name or folder of a bundle; by default the shipped one")
    parser.add_argument("--dual", action="store_true", help="the papers' sliding window beside it")
    parser.add_argument("--threads", type=int, help="of the networks")
    options = parser.parse_args()
    print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {_processor()}, {os.cpu_count()} cores, "
          f"load {os.getloadavg()[0]:.1f}, {platform.python_version()}")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        slide = options.slide or _paint(folder / "slide.tiff", options.side)
        config = DetectConfig(mpp=options.mpp, threads=options.threads)
        bundle = load_bundle(options.model) if options.model else load_bundle()
        run = detect_slide(slide, bundle, folder / "out", config=config)
        started = time.perf_counter()
        write_outputs(run, folder / "out")
        _print(run, outputs_s=time.perf_counter() - started)
        if options.dual:
            own = run.tissue_mm2 / run.timings.both_stages_s
            dual = _dual_mm2_per_s(run.slide.mpp.mean, threads=options.threads)
            print(f"  here              {own:.4f} mm² a second: {own / dual:.1f} times")
            print(f"  RetinaNet-18      {dual:.4f} mm² a second, sliding window in torch")


def _paint(path: Path, side: int) -> Path:
    started = time.perf_counter()
    write_slide(path, SyntheticSlideConfig.of(width=side, height=side, seed=1, tissue_fraction=0.4))
    print(f"painted a slide of {side} × {side} px in {time.perf_counter() - started:.1f} s")
    return path


def _print(run: SlideRun, *, outputs_s: float) -> None:
    spent = run.timings
    whole = spent.setup_s + spent.both_stages_s + outputs_s
    print(f"{run.slide.name}: {run.tissue_mm2:.2f} mm² of tissue in {whole:.1f} s, {run.slide.reader}")
    print(f"  search            {run.mm2_per_minute or 0:.1f} mm² a minute")
    print(f"  all in all        {run.tissue_mm2 / whole * 60:.1f} mm² a minute")
    for what, seconds in (
        ("opening, tissue", spent.setup_s),
        ("network", spent.network_s),
        ("rest of search", spent.rest_s),
        ("second stage", spent.verify_wall_s),
        ("outputs, report", outputs_s),
    ):
        print(f"  {what:<18}{seconds:6.1f} s  {seconds / whole:4.0%}")
    print(f"  reading beside    {spent.read_s:6.1f} s  (in threads, hidden behind the network)")


def _dual_mm2_per_s(mpp: float, *, threads: int | None) -> float:
    """Time the first stage of the papers' detector on windows of tissue."""
    import torch

    from mitoscope.models.build import build
    from mitoscope.train.recipe import DualRecipe, read_recipe

    recipe = read_recipe(Path(__file__).parents[1] / "recipes" / "ccmct-dual.toml")
    assert isinstance(recipe, DualRecipe)
    network = build(recipe.detector.model, seed=0).eval().exportable().eval()
    torch.set_num_threads(threads or os.cpu_count() or 1)
    windows = torch.randint(120, 240, (BATCH, WINDOW_PX, WINDOW_PX, 3), dtype=torch.uint8)
    with torch.inference_mode():
        network(windows)
        started = time.perf_counter()
        for _ in range(BATCHES):
            network(windows)
    return BATCHES * BATCH * (STEP_PX * mpp / 1000) ** 2 / (time.perf_counter() - started)


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
