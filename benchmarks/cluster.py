"""What a Ray cluster costs and withstands: overhead of a chunk, efficiency, faults, and forms of tasks.

    python benchmarks/cluster.py [overhead] [forms] [efficiency] [faults] [--mm2 40] [--chunks 100000]
                                 [--rounds 3] [--write]

*Overhead*: chunks of a network that does nothing go through the owner of a slide and its ledger, on two
processes of this machine. What is measured is all that is not pixels and networks: Ray, pickling, SQLite.

*Forms*: the same parts (none takes any time, or 50 ms each) as tasks of one part, as tasks of as many
parts as take a quarter of a second (what `infer.cluster` hands out), through a pool of actors, and through
Ray Data.

*Efficiency*: the command on one slide, in one thread and two, and on Ray with one process and two. Beside the
clock on the wall stands the time of the processor of all processes, which other work on the machine lengthens
less. The start of Ray and of its processes, some seconds a command, is left out: each run first takes a part
of the slide.

*Faults*: three nodes of one core; a worker process, a whole node and the driver are killed in mid-run; after
the driver the command is repeated.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from machine import stamp
from repeated_slide import repeat_slide
from results_page import write_page

from mitoscope.bundle import load_bundle
from mitoscope.cluster import LOCAL, Request, check_ray, joined
from mitoscope.geometry import BoxPx
from mitoscope.infer import DetectConfig, ListedSlide
from mitoscope.infer.cluster import Cluster, Sent, for_workers
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.search import ChunkResult
from mitoscope.infer.survey import Chunk
from mitoscope.infer.workers import timed
from mitoscope.report import ResultSettings, makers
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.tiles import Tile

RESULT = Path(__file__).parent / "results" / "cluster.md"
ROOT = Path(__file__).parents[1]
PAINTED_PX, MPP, PAINTED_MM2 = 8192, 0.25, 1.62
SHORT_S = 0.05


class Nothing:
    """The search of chunks by a network that does nothing."""

    def begin(self, networks: Any) -> Callable[[Chunk], ChunkResult]:
        """Return what finds two candidates in every chunk at once."""
        del networks
        points = np.array([[1.0, 2.0], [3.0, 4.0]])
        return lambda chunk: ChunkResult(points + chunk.index, np.array([0.5, 0.25]))


def overhead(folder: Path, chunks: int) -> Iterator[str]:
    """Send chunks through an owner and its ledger."""
    box, config = BoxPx(0, 0, 512, 512), for_workers(DetectConfig())
    parts = [Chunk(index, (Tile(index, box, box),), 0.26) for index in range(chunks)]
    own, memory = psutil.Process(), []
    with joined(LOCAL, Request(), threads=2):
        sent = Sent(check_ray().put(load_bundle().carried()))
        crew = Cluster(sent, config, Request(), ahead=4, alone=0)
        for _ in crew.run(Nothing(), parts[:64]):  # processes are there, networks are loaded
            pass
        crew = Cluster(sent, config, Request(), ahead=4, alone=0)
        with Ledger.open(folder / "nothing.ledger", {"slide": "none"}) as ledger:
            started, done, transactions = time.perf_counter(), 0, 0
            for group in timed(crew.run(Nothing(), parts)):
                with ledger.together():
                    for chunk, result, wall_s in group:
                        ledger.record(chunk.index, result, wall_s=wall_s)
                done, transactions = done + len(group), transactions + 1
                if done // (chunks // 10) > len(memory) - 1:
                    memory.append(own.memory_info().rss / 1e6)
            seconds = time.perf_counter() - started
            assert len(ledger.recorded()) == chunks
    yield "## Overhead"
    yield ""
    yield f"{chunks:,} chunks in {seconds:.1f} s: **{chunks / seconds:,.0f} chunks a second**, "
    yield f"{transactions:,} transactions. Memory of the owner, MB, from one tenth to the next: "
    yield f"{', '.join(f'{value:.0f}' for value in memory)}."


def forms(folder: Path) -> Iterator[str]:
    """Compute the same parts in four forms."""
    del folder
    ray = check_ray()
    yield "## Forms"
    yield ""
    yield "| Form | 2,000 parts of no time, parts/s | 80 of 50 ms: share of two cores | first after, ms |"
    yield "|---|---|---|---|"
    with joined(LOCAL, Request(), threads=2):
        quiet(ray)
        for name, form in {
            "tasks of one part": _tasks,
            "tasks of some parts": _spans,
            "two actors (`ray.util.ActorPool`)": _actors,
            "Ray Data, `map_batches` of two actors": _data,
        }.items():
            list(form(ray, range(40), SHORT_S))  # its processes are there
            quick, _ = _clocked(form(ray, range(2000), 0.0))
            slow, first = _clocked(form(ray, range(80), SHORT_S))
            share = 80 * SHORT_S / 2 / slow
            yield f"| {name} | {2000 / quick:,.0f} | {share:.2f} | {1000 * first:.0f} |"


def quiet(ray: Any) -> None:
    """Let Ray Data show no progress."""
    importlib.import_module("ray.data")
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False


def _clocked(results: Iterator[Any]) -> tuple[float, float]:
    started, first = time.perf_counter(), 0.0
    for _ in results:
        first = first or time.perf_counter() - started
    return time.perf_counter() - started, first


def _part(index: int, seconds: float) -> dict[str, int]:
    time.sleep(seconds)
    return {"index": index}


def _tasks(ray: Any, parts: range, seconds: float) -> Iterator[Any]:
    task = ray.remote(num_cpus=1)(_part)
    queue, pending = list(parts), []
    while queue or pending:
        while queue and len(pending) < 4:
            pending.append(task.remote(queue.pop(), seconds))
        ready, pending = ray.wait(pending)
        yield from ray.get(ready)


class _Parts:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def begin(self, networks: Any) -> Callable[[int], dict[str, int]]:
        del networks
        return lambda index: _part(index, self.seconds)


_SENT: dict[str, Sent] = {}


def _spans(ray: Any, parts: range, seconds: float) -> Iterator[Any]:
    sent = _SENT.setdefault("bundle", Sent(ray.put(load_bundle().carried())))
    crew = Cluster(sent, for_workers(DetectConfig()), Request(), ahead=4, alone=0)
    for group in crew.run(_Parts(seconds), list(parts)):
        yield from group


class _Actor:
    def part(self, index: int, seconds: float) -> dict[str, int]:
        return _part(index, seconds)


_POOL: list[Any] = []


def _actors(ray: Any, parts: range, seconds: float) -> Iterator[Any]:
    pool_type = importlib.import_module("ray.util").ActorPool
    if not _POOL:
        _POOL.extend(ray.remote(num_cpus=1)(_Actor).remote() for _ in range(2))
    pool = pool_type(_POOL)
    yield from pool.map_unordered(lambda actor, index: actor.part.remote(index, seconds), parts)


class _Batch:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        for index in batch["id"]:
            _part(int(index), self.seconds)
        return batch


def _data(ray: Any, parts: range, seconds: float) -> Iterator[Any]:
    while _POOL:  # the cores are Ray Data's now
        ray.kill(_POOL.pop())
    items = [{"id": index} for index in parts]
    # From a source with tasks of its own nothing would come: the actors hold both cores.
    blocks = ray.data.from_items(items, override_num_blocks=max(2, len(parts) // 16))
    done = blocks.map_batches(
        _Batch, fn_constructor_args=(seconds,), batch_size=1 if seconds else 16, concurrency=2, num_cpus=1
    )
    yield from done.iter_rows()


def efficiency(folder: Path, mm2: float) -> Iterator[str]:
    """Run the command on one slide in four ways."""
    times = max(1, math.ceil(math.sqrt(mm2 / PAINTED_MM2)))
    painted, slide = folder / "painted.tiff", folder / "slide.tiff"
    write_slide(
        painted, SyntheticSlideConfig.of(width=PAINTED_PX, height=PAINTED_PX, seed=1, tissue_fraction=0.4)
    )
    repeat_slide(painted, slide, times=times, mpp=MPP)
    found = {}
    for name, threads in (("plain", 1), ("plain", 2), ("ray", 1), ("ray", 2)):
        command = [sys.executable, __file__, "--one", name, str(threads), str(slide), str(folder)]
        found[name, threads] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    assert len({run["digest"] for run in found.values()}) == 1, "other bytes"
    yield "## Efficiency"
    yield ""
    tissue_mm2 = found["plain", 1]["tissue_mm2"]
    yield f"A slide of {tissue_mm2:.1f} mm² of tissue; the files are alike byte for byte."
    yield ""
    yield "| Run | Seconds | Processor, s | Start of Ray, s |"
    yield "|---|---|---|---|"
    for (name, threads), run in found.items():
        title = f"{threads} threads" if name == "plain" else f"Ray, {threads} processes"
        yield f"| {title} | {run['wall_s']:.1f} | {run['cpu_s']:.1f} | {run['start_s']:.1f} |"
    one, two, plain = (found[key]["wall_s"] for key in (("ray", 1), ("ray", 2), ("plain", 2)))
    cpu, cpu_plain = found["ray", 2]["cpu_s"], found["plain", 2]["cpu_s"]
    yield ""
    yield f"Two processes against one: {one / two / 2:.2f}. Ray with two against two threads: "
    yield f"{plain / two:.2f} by the clock, {cpu_plain / cpu:.2f} by the processor."


def one(name: str, threads: int, slide: Path, folder: Path) -> None:
    """Make one result and print what it took; a process of its own."""
    ray = name == "ray"
    out = folder / f"{name}-{threads}"
    config = DetectConfig(threads=None if ray else threads)
    settings = ResultSettings("cascade", out, config, formats=("csv", "json", "geojson"))
    begun = time.perf_counter()
    with makers(settings, cluster=LOCAL if ray else None, threads=threads) as makes:
        # Processes start and load networks in a part of the slide under another name.
        warm = folder / f"warm-{name}-{threads}.tiff"
        os.link(slide, warm)
        makes.work(ListedSlide(warm, roi=(0.0, 0.0, 2.0 * PAINTED_PX, 1.0 * PAINTED_PX)), _silent)
        started, cpu = time.perf_counter(), _processor_s()
        done = makes.work(ListedSlide(slide), _silent)
        wall_s, cpu_s = time.perf_counter() - started, _processor_s() - cpu
    assert done.error is None, done.error
    digest = hash_of((out / f"{slide.stem}.csv").read_bytes() + (out / f"{slide.stem}.geojson").read_bytes())
    values = {"wall_s": wall_s, "cpu_s": cpu_s, "start_s": started - begun, "digest": digest}
    print(json.dumps(values | {"tissue_mm2": done.tissue_mm2}))


def _silent(done: float, total: float) -> None:
    del done, total


def hash_of(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    import hashlib

    return hashlib.sha256(content).hexdigest()


def _processor_s() -> float:
    own = psutil.Process()
    total = 0.0
    for process in (own, *own.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system
    return total


def faults(folder: Path, rounds: int) -> Iterator[str]:
    """Kill parts of a cluster in mid-run, as the test does, at other moments each time."""
    # The slide, the bundle and the log of chunks are those of the test.
    test = _module(ROOT / "tests" / "infer" / "test_cluster.py")
    tiny = _module(ROOT / "tests" / "bundle" / "tiny_detector.py")
    from PIL import Image

    from mitoscope.bundle import write_bundle

    slide = folder / "field.png"
    Image.fromarray(tiny.spotted(257, 331, spots=60, seed=7)).save(slide)
    bundle = write_bundle(
        folder / "tiny",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    test._plain(slide, bundle, folder / "plain")
    chance = random.Random(21)
    yield "## Faults"
    yield ""
    yield "| Killed | Times | Chunks recorded before | Computed again once recorded | Other bytes | Seconds |"
    yield "|---|---|---|---|---|---|"
    for what in ("worker", "node", "driver"):
        before, again, other, seconds = [], 0, 0, []
        for number in range(rounds):
            started = time.perf_counter()
            cluster = test.cluster_utils.Cluster(initialize_head=True, head_node_args=_NODE)
            try:
                for _ in range(2):
                    cluster.add_node(**_NODE)
                job = test.Job(folder / f"{what}-{number}", cluster.address, bundle, [slide], slow_s=0.1)
                before.append(_kill(what, job, cluster, chance.randrange(3, 25)))
                job.end()
            finally:
                cluster.shutdown()
            again += _computed_after_recorded(job)
            same = test._bytes(job.folder / "out", "field") == test._bytes(folder / "plain", "field")
            other, seconds = other + (not same), [*seconds, time.perf_counter() - started]
        told = ", ".join(map(str, before))
        yield f"| {what} | {rounds} | {told} | {again} | {other} | {statistics.median(seconds):.0f} |"


_NODE = {"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False}


def _kill(what: str, job: Any, cluster: Any, at: int) -> int:
    driver = job.start()
    while len(job.noted("recorded")) < at and driver.poll() is None:
        time.sleep(0.01)
    recorded = job.noted("recorded")
    if what == "worker":
        os.kill(int(job.noted("begin")[-1][2]), signal.SIGKILL)
    elif what == "node":
        node = min(cluster.worker_nodes, key=lambda node: node.node_id != recorded[-1][3])
        cluster.remove_node(node, allow_graceful=False)
    else:
        driver.kill()
        driver.wait()
        job.finish()
    driver.wait()
    if not job.rows.exists():
        raise SystemExit((job.folder / "stderr").read_text())
    return len(recorded)


def _computed_after_recorded(job: Any) -> int:
    recorded: set[str] = set()
    again = 0
    for line in job.log.read_text(encoding="ascii").splitlines():
        what, _, chunk, *_ = line.split()
        recorded |= {chunk} if what == "recorded" else set()
        again += what == "begin" and chunk in recorded
    return again


def _module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        name, threads, slide, folder = sys.argv[2:]
        one(name, int(threads), Path(slide), Path(folder))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parts = ("overhead", "forms", "efficiency", "faults")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}; by default all")
    parser.add_argument("--mm2", type=float, default=40.0, help="tissue of the slide of the efficiency")
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3, help="of each fault")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    lines: list[str] = []
    for part in options.parts or parts:
        with tempfile.TemporaryDirectory(prefix="cluster-") as name:
            folder = Path(name)
            measured = {
                "overhead": lambda folder=folder: overhead(folder, options.chunks),
                "forms": lambda folder=folder: forms(folder),
                "efficiency": lambda folder=folder: efficiency(folder, options.mm2),
                "faults": lambda folder=folder: faults(folder, options.rounds),
            }[part]
            before = stamp()
            for line in measured():
                print(line, flush=True)
                lines.append(line)
            lines += ["", f"({before})", ""]
    if options.write:
        write_page(RESULT, __doc__, lines)


if __name__ == "__main__":
    main()
