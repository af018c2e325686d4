"""Many slides on one machine: how many at once, what a broken one costs, and how large the page becomes.

    python benchmarks/cohort.py [--slides 300] [--compared 36] [--write]

Slides of three sizes (512, 1,024 and 2,048 px a side) are painted and named many times; ten of them are
broken in different ways. Some are searched with one, two and three at once, in turns, three times each: the
least time counts. All files of all of them must be the same bytes, but for the timings in the manifests and
the ledgers. The command then works through all slides, is repeated, and its table is checked against the
results.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from machine import stamp
from PIL import Image
from results_page import write_page

from mitoscope.bundle import DEFAULT
from mitoscope.infer import DetectConfig, ListedSlide, SlideDone, run_cohort
from mitoscope.report import ResultSettings, make_result, open_detector_of
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

SIDES, SHARES = (512, 1024, 2048), (0.6, 0.3, 0.1)
PAINTED = 4
"""Different slides of each size."""
AT_ONCE, ROUNDS = (1, 2, 3), 3
RESULT = Path(__file__).parent / "results" / "cohort.md"


def paint(folder: Path) -> dict[int, list[Path]]:
    """Paint some slides of each size."""
    found: dict[int, list[Path]] = {}
    for side in SIDES:
        for seed in range(PAINTED):
            path = folder / f"painted-{side}-{seed}.tiff"
            config = SyntheticSlideConfig(width=side, height=side, seed=seed, tissue_fraction=0.6)
            write_slide(path, config)
            found.setdefault(side, []).append(path)
    return found


def name_slides(painted: dict[int, list[Path]], folder: Path, count: int) -> list[Path]:
    """Return slides of three sizes, mixed, as links to the painted ones."""
    folder.mkdir()
    numbers = [round(count * share) for share in SHARES]
    sides = [side for side, number in zip(SIDES, numbers, strict=True) for _ in range(number)]
    slides = []
    for place in range(count):
        side = sides[place * 7919 % len(sides)]
        path = folder / f"slide-{place:04d}.tiff"
        path.symlink_to(painted[side][place % PAINTED])
        slides.append(path)
    return slides


def break_slides(slides: list[Path]) -> list[Path]:
    """Break ten of the slides, spread over all."""
    broken = [slides[place * len(slides) // 10] for place in range(10)]
    for kind, path in enumerate(broken):
        whole = path.read_bytes()
        path.unlink()
        match kind % 5:
            case 0:
                path.write_bytes(whole[: len(whole) // 2])
            case 1:
                path.write_text("not a slide")
            case 2:
                path.write_bytes(b"")
            case 3:
                pass  # it is listed, and not there
            case _:
                Image.new("RGB", (512, 512), (250, 250, 250)).save(path)  # states no resolution
    return broken


def make(settings: ResultSettings, slide: ListedSlide, progress: Callable[[float, float], None]) -> SlideDone:
    """Make the result of a slide."""
    return make_result(slide, settings, progress=progress)


def compare(slides: list[Path], scratch: Path) -> dict[int, float]:
    """Return the least seconds for each number of slides at once; results must be alike."""
    listed = [ListedSlide(path) for path in slides]
    seconds: dict[int, list[float]] = {number: [] for number in AT_ONCE}
    for turn in range(ROUNDS):
        for number in AT_ONCE:
            out = scratch / f"at-once-{number}-{turn}"
            settings = ResultSettings(DEFAULT, out, DetectConfig())
            open_detector_of(settings)
            started = time.perf_counter()
            work = partial(make, settings)
            done = list(run_cohort(listed, work, at_once=number))
            seconds[number].append(time.perf_counter() - started)
            assert all(one.error is None for one in done)
            if number != AT_ONCE[0] or turn:
                check_alike(scratch / f"at-once-{AT_ONCE[0]}-0", out)
            if turn or number != AT_ONCE[0]:
                shutil.rmtree(out)
    return {number: min(found) for number, found in seconds.items()}


def check_alike(first: Path, second: Path) -> None:
    """See that two folders hold the same results."""
    names, others = (
        sorted(path.name for path in folder.iterdir() if path.suffix != ".ledger" and path.name[0] != ".")
        for folder in (first, second)
    )
    assert names == others
    for name in names:
        a, b = (first / name).read_bytes(), (second / name).read_bytes()
        if name.endswith(".json"):
            a, b = (json.dumps({**json.loads(one), "timings": None}).encode() for one in (a, b))
        assert a == b, name


def command(slides: Path, out: Path, *more: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run the command over a list of slides."""
    started = time.perf_counter()
    words = [
        sys.executable,
        "-m",
        "mitoscope",
        "detect",
        "--slides-from",
        str(slides),
        "--out",
        str(out),
        *more,
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return time.perf_counter() - started, done


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slides", type=int, default=300)
    parser.add_argument("--compared", type=int, default=36)
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--scratch", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.scratch) as name:
        scratch = Path(name)
        (scratch / "painted").mkdir()
        painted = paint(scratch / "painted")
        least = compare(name_slides(painted, scratch / "compared", options.compared), scratch)
        slides = name_slides(painted, scratch / "slides", options.slides)
        broken = break_slides(slides)
        listed = scratch / "slides" / "list.csv"
        rows = [f"{path.name},P{place // 3},{'AB'[place % 2]}" for place, path in enumerate(slides)]
        listed.write_text("slide,case,site\n" + "\n".join(rows) + "\n")
        out = scratch / "out"
        first_s, first = command(listed, out)
        before = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".ledger"}
        again_s, again = command(listed, out)
        after = {path.name: path.read_bytes() for path in out.iterdir() if path.suffix != ".ledger"}
        assert (first.returncode, again.returncode) == (1, 1), first.stderr[-2000:]
        with (out / "cohort.csv").open(newline="") as stream:
            table = list(csv.DictReader(stream))
        failed = [Path(row["slide"]).name for row in table if row["status"] == "failed"]
        assert failed == [path.name for path in broken]
        for row in table:
            if row["status"] != "failed":
                count = json.loads((out / f"{row['result']}.json").read_text())["mitotic_count"]["count"]
                assert row["mitotic_count"] == str(count)
        same = {name for name in before if before[name] == after[name]}
        assert same == set(before) == set(after)
        there = scratch / "by-cluster" / out.name  # the page has the name of its folder
        cluster_s, by_cluster = command(listed, there, "--cluster", "local")
        assert by_cluster.returncode == 1, by_cluster.stderr[-2000:]
        check_alike(out, there)
        size_mb, table_mb = ((out / f"cohort.{kind}").stat().st_size / 1e6 for kind in ("html", "csv"))
    rates = [f"| {one} | {took:.1f} | {options.compared / took:.2f} |" for one, took in least.items()]
    lines = [
        *rates,
        "",
        f"The command over {options.slides} slides, {len(failed)} of them broken: {first_s:.0f} s "
        f"({first_s / options.slides:.2f} s a slide), exit status {first.returncode}; the table states the "
        f"error of each of the {len(failed)}. Repeated: {again_s:.0f} s; nothing is searched again, broken "
        "ones are tried twice more, and all files keep their bytes.",
        "",
        f"The same with `--cluster local`: {cluster_s:.0f} s; the results and the table are the same bytes.",
        "",
        f"`cohort.html` {size_mb:.1f} MB, `cohort.csv` {table_mb:.2f} MB.",
    ]
    text = [stamp(), "", "| Slides at once | Seconds | Slides/s |", "|---|---|---|", *lines]
    print("\n".join(text))
    print("\n".join(first.stderr.splitlines()[-3:]))
    if options.write:
        write_page(RESULT, __doc__, text)


if __name__ == "__main__":
    main()
