"""How fast `mitoscope detect` is, whether its time grows with the tissue alone, and what memory it takes.

    python benchmarks/detect.py [--sides 8192 16384 40960 81920] [--model M] [--dual] [--write]

Slides are painted (8,192 px a side, 40 % tissue) and laid out side by side for the larger ones. Each is
searched by the command itself in a process of its own; memory is the most that it held. For the largest
slide up to 40,960 px it is also measured how long the pixels alone take, in the same windows and threads.

With --dual the sliding window of the papers' dual-stage detector runs beside it, in torch on the same cores:
the RetinaNet of recipes/ccmct-dual.toml over windows of 512 px in steps of 460 px, read by OpenSlide, in
batches of 8 (their code). Its second stage is left out. They search every window, glass too, so a slide
takes them as many seconds as it has windows times those of one. A stricter figure beside it grants them a
search of tissue alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import openslide
from machine import stamp
from repeated_slide import repeat_slide
from results_page import write_page

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.infer import DetectConfig
from mitoscope.infer.search import read_chunk
from mitoscope.infer.survey import make_survey
from mitoscope.infer.workers import Workers, in_order
from mitoscope.slide import OpenSlideReader, open_slide
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.tissue import find_tissue

PAINTED_PX, MPP = 8192, 0.25
WINDOW_PX, STEP_PX, BATCH, BATCHES = 512, 460, 8, 4
JUDGED_PX = 40_960
RESULT = Path(__file__).parent / "results" / "detection.md"
HEADER = (
    "| Side, px | Tissue, mm² | Seconds | Search | Second look | Opening, report | mm²/s | Memory, GB |",
    "|---|---|---|---|---|---|---|---|",
)


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    side: int
    tissue_mm2: float
    seconds: float
    timings: dict[str, float]
    candidates: int
    memory_gb: float

    @property
    def work_s(self) -> float:
        """Both stages, without opening and report."""
        return self.timings["wall_s"] + self.timings["verify_wall_s"]

    def row(self) -> str:
        """Return a row of the table."""
        own = self.timings
        return (
            f"| {self.side:,} | {self.tissue_mm2:.1f} | {self.seconds:.1f} | {own['wall_s']:.1f} | "
            f"{own['verify_wall_s']:.1f} | {self.seconds - self.work_s:.1f} | "
            f"{self.tissue_mm2 / self.work_s:.2f} | {self.memory_gb:.2f} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sides", type=int, nargs="+", default=[8192, 16_384, 40_960, 81_920], metavar="PX")
    parser.add_argument("--model", help="name or folder of a bundle; by default the shipped one")
    parser.add_argument("--dual", action="store_true", help="the papers' sliding window beside it")
    parser.add_argument("--quality", help="of the second look")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    lines = [stamp(), "", *HEADER]
    print("\n".join(lines), flush=True)
    bundle = load_bundle(options.model) if options.model else load_bundle()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        painted = folder / "painted.tiff"
        write_slide(
            painted, SyntheticSlideConfig.of(width=PAINTED_PX, height=PAINTED_PX, seed=1, tissue_fraction=0.4)
        )
        runs, judged = [], painted
        for side in options.sides:
            slide = folder / f"{side}.tiff"
            repeat_slide(painted, slide, times=side // PAINTED_PX, mpp=MPP)
            runs.append(_detect(slide, folder / f"out-{side}", options.model, options.quality))
            lines.append(runs[-1].row())
            print(lines[-1], flush=True)
            judged = slide if side <= JUDGED_PX else judged
            if slide != judged:
                slide.unlink()
        run = max((one for one in runs if one.side <= JUDGED_PX), key=lambda one: one.side)
        tail = ["", *_shares(run, _reading_s(judged, bundle))]
        if options.dual:
            tail += ["", *_beside(run, _window_s(judged))]
    print("\n".join(tail), flush=True)
    if options.write:
        write_page(RESULT, __doc__, [*lines, *tail])


def _detect(slide: Path, out: Path, model: str | None, quality: str | None) -> Run:
    command = [sys.executable, "-m", "mitoscope", "detect", str(slide), "--out", str(out), "--no-resume"]
    command += ["--model", model] if model else []
    command += ["--quality", quality] if quality else []
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    if status:
        raise SystemExit(f"{slide.name}: status {os.waitstatus_to_exitcode(status)}")
    manifest = json.loads((out / slide.with_suffix(".json").name).read_text(encoding="utf-8"))
    return Run(
        int(slide.stem),
        manifest["search"]["tissue_mm2"],
        seconds,
        manifest["timings"],
        manifest["search"]["candidates"],
        usage.ru_maxrss / 1e6,
    )


def _reading_s(path: Path, bundle: Bundle) -> float:
    """Return the seconds of reading what the first stage reads, without a network."""
    with open_slide(path) as slide:
        survey = make_survey(slide, bundle, DetectConfig(), tissue=find_tissue(slide))
        workers = Workers.of(None).count
        started = time.perf_counter()
        with closing(in_order(partial(read_chunk, survey), survey.chunks, workers=workers)) as chunks:
            for _ in chunks:
                pass
        return time.perf_counter() - started


def _shares(run: Run, reading_s: float) -> list[str]:
    own, threads = run.timings, Workers.of(None).count
    return [
        f"Where the time goes at {run.side:,} px, seconds of {threads} threads: reading {own['read_s']:.0f}, "
        f"first network {own['network_s']:.0f}, second look {own['verify_read_s']:.0f} for reading and "
        f"{own['verify_network_s']:.0f} for the network, {run.candidates:,} candidates "
        f"({run.candidates / run.tissue_mm2:.0f} a mm²).",
        f"The pixels alone take {reading_s:.1f} s of the clock ({run.tissue_mm2 / reading_s:.1f} mm²/s): "
        f"the whole takes {run.work_s / reading_s:.1f} times as long as the decoding.",
    ]


def _beside(run: Run, window_s: float) -> list[str]:
    across = len(range(0, run.side - WINDOW_PX, STEP_PX))
    whole_s = across**2 * window_s
    tissue_s = run.tissue_mm2 / (STEP_PX * MPP / 1000) ** 2 * window_s
    return [
        f"RetinaNet-18 in torch, {window_s:.3f} s a window with reading ({BATCHES * BATCH} windows timed):",
        "",
        "| | Seconds | Here | Times |",
        "|---|---|---|---|",
        f"| every window of the slide, as published ({across**2:,} windows) | {whole_s:,.0f} | "
        f"{run.seconds:.1f} | {whole_s / run.seconds:.1f} |",
        f"| windows of tissue alone | {tissue_s:,.0f} | {run.work_s:.1f} | {tissue_s / run.work_s:.1f} |",
    ]


def _window_s(path: Path) -> float:
    """Return the seconds of a window of the papers' first stage, reading included."""
    import torch

    from mitoscope.models.build import build
    from mitoscope.train.recipe import DualRecipe, read_recipe

    recipe = read_recipe(Path(__file__).parents[1] / "recipes" / "ccmct-dual.toml")
    assert isinstance(recipe, DualRecipe)
    network = build(recipe.detector.model, seed=0).eval().exportable().eval()
    torch.set_num_threads(os.cpu_count() or 1)
    with OpenSlideReader(path) as slide, openslide.OpenSlide(path) as bare, torch.inference_mode():
        tissue = find_tissue(slide)
        steps = np.arange(0, slide.info.size.width - WINDOW_PX, STEP_PX)
        corners = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
        corners = corners[tissue.contains(corners + WINDOW_PX / 2)]
        chosen = corners[:: max(len(corners) // (BATCHES * BATCH + BATCH), 1)]

        def batch(number: int) -> None:
            places = chosen[number * BATCH : (number + 1) * BATCH].tolist()
            windows = [bare.read_region((x, y), 0, (WINDOW_PX, WINDOW_PX)).convert("RGB") for x, y in places]
            network(torch.from_numpy(np.stack([np.asarray(window) for window in windows])))

        batch(BATCHES)
        started = time.perf_counter()
        for number in range(BATCHES):
            batch(number)
        return (time.perf_counter() - started) / (BATCHES * BATCH)


if __name__ == "__main__":
    main()
