"""Results made on a Ray cluster of three nodes: the bytes of one machine, whatever dies."""

from __future__ import annotations

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mitoscope.bundle import Bundle
from mitoscope.cluster import Request
from mitoscope.errors import ClusterError, SlideFormatError
from mitoscope.geometry import BoxPx, Mpp
from mitoscope.infer import DetectConfig, ListedSlide
from mitoscope.infer.cluster import Cluster, Sent
from mitoscope.report import ResultSettings, make_result
from mitoscope.report.makers import ResultTask
from mitoscope.slide import MemorySlide, open_slide

cluster_utils = pytest.importorskip("ray.cluster_utils")

_SCRIPT = Path(__file__).with_name("cluster_in_child.py")
_PATIENCE_S = 120.0
_FORMATS = ("csv", "json", "geojson")
CONFIG = {"mpp": 0.25, "chunk_px": 52}
CHUNKS = 35


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes of one core each on this machine; everything is gone at the end."""
    nodes = cluster_utils.Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False},
    )
    try:
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=80 << 20)
        yield nodes
    finally:
        nodes.shutdown()


@dataclass
class Job:
    """A command that makes results on a cluster, in one process after another."""

    folder: Path
    address: str
    bundle: Bundle
    slides: list[Path]
    slow_s: float = 0.0
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> subprocess.Popen[bytes]:
        values = {
            "address": self.address,
            "bundle": str(self.bundle.folder),
            "slides": [str(slide) for slide in self.slides],
            "out": str(self.folder / "out"),
            "log": str(self.log),
            "rows": str(self.rows),
            "config": CONFIG,
            "formats": _FORMATS,
            "slow_s": self.slow_s,
        }
        self.folder.mkdir(exist_ok=True)
        (self.folder / "job.json").write_text(json.dumps(values), encoding="utf-8")
        command = [sys.executable, str(_SCRIPT), str(self.folder / "job.json")]
        with (self.folder / "stderr").open("ab") as stderr:
            self.children.append(subprocess.Popen(command, stderr=stderr))
        return self.children[-1]

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def rows(self) -> Path:
        return self.folder / "rows.json"

    def noted(self, what: str) -> list[list[str]]:
        """Return what was noted of a kind: slide, chunk, process, node."""
        lines = self.log.read_text(encoding="ascii").splitlines() if self.log.exists() else []
        return [row[1:] for line in lines if (row := line.split())[0] == what]

    def finish(self) -> dict[str, dict[str, str]]:
        process = self.start()
        assert process.wait(_PATIENCE_S) == 0, (self.folder / "stderr").read_text()
        return {row["slide"]: row for row in json.loads(self.rows.read_text(encoding="utf-8"))}

    def end(self) -> None:
        for child in self.children:
            child.kill()
            child.wait()

    def recorded(self, stem: str) -> set[int]:
        """Return what the ledger holds, once whoever held it has gone."""
        connection = sqlite3.connect(self.folder / "out" / f"{stem}.ledger", timeout=_PATIENCE_S)
        try:
            return {index for (index,) in connection.execute("SELECT chunk FROM chunk")}
        finally:
            connection.close()


def _await(condition: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert process.poll() is None, "the command ended before"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def _plain(slide: Path, bundle: Bundle, out: Path) -> None:
    config = DetectConfig.parse(CONFIG, where="test")
    make_result(ListedSlide(slide), ResultSettings(str(bundle.folder), out, config, formats=_FORMATS))


def _bytes(folder: Path, stem: str) -> dict[str, bytes]:
    """Return the files of a result; of the manifest all that is not time."""
    files = {path.name: path.read_bytes() for path in folder.glob(f"{stem}.*") if path.suffix != ".ledger"}
    manifest = json.loads(files[f"{stem}.json"])
    del manifest["timings"]
    return files | {f"{stem}.json": json.dumps(manifest).encode()}


def test_a_worker_a_node_and_the_driver_are_killed_and_the_bytes_are_those_of_one_machine(
    cluster: Any, field: Path, cascade_bundle: Bundle, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tiff"
    broken.write_bytes(b"no slide")
    slides = [field, broken, tmp_path / "absent.tiff"]
    job = Job(tmp_path / "run", cluster.address, cascade_bundle, slides, slow_s=0.15)
    try:
        driver = job.start()
        _await(lambda: len(job.noted("recorded")) >= 3, driver)
        owner = job.noted("recorded")[-1]
        worker = next(row for row in reversed(job.noted("begin")) if row[2] != owner[2])
        os.kill(int(worker[2]), signal.SIGKILL)
        _await(lambda: len(job.noted("recorded")) >= 8, driver)
        # The driver is on the head; of the others the one with the slide's owner, where it is on one.
        node = min(cluster.worker_nodes, key=lambda node: node.node_id != owner[3])
        cluster.remove_node(node, allow_graceful=False)
        _await(lambda: len(job.noted("recorded")) >= 15, driver)
        driver.kill()
        driver.wait(_PATIENCE_S)
        before = job.recorded("field")
        assert 15 <= len(before) < CHUNKS
        begun = len(job.noted("begin"))
        done = job.finish()
    finally:
        job.end()
    assert done["field.png"]["error"] == "None", done
    assert "broken.tiff" in done["broken.tiff"]["error"]
    assert "no such file" in done["absent.tiff"]["error"]
    assert not {int(row[1]) for row in job.noted("begin")[begun:]} & before, "recorded, and computed again"
    assert sorted(int(row[1]) for row in job.noted("recorded")) == list(range(CHUNKS)), "recorded once each"
    _plain(field, cascade_bundle, tmp_path / "plain")
    assert _bytes(tmp_path / "run" / "out", "field") == _bytes(tmp_path / "plain", "field")


def test_a_node_that_does_not_see_a_slide_is_named(tmp_path: Path) -> None:
    task = ResultTask(ResultSettings("cascade", tmp_path, DetectConfig()), Sent(None), alone=8)
    with pytest.raises(ClusterError, match=r"only-there\.tiff: node .* does not see it; put slides"):
        task(ListedSlide(tmp_path / "only-there.tiff"), lambda value: None)


def test_a_slide_travels_as_its_address_and_must_be_the_same_where_it_arrives(tmp_path: Path) -> None:
    path = tmp_path / "slide.png"
    Image.fromarray(np.full((60, 80, 3), 200, np.uint8)).save(path)
    with open_slide(path, mpp=0.25, probe=False) as slide:
        letter = pickle.dumps(slide)
    arrived = pickle.loads(letter)
    assert len(letter) < 2000
    assert (arrived.info, arrived.read(BoxPx(0, 0, 2, 2)).rgb.tolist()) == (slide.info, [[[200] * 3] * 2] * 2)
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(path)
    with pytest.raises(SlideFormatError, match="another content here than where the run began"):
        pickle.loads(letter)
    path.unlink()
    with pytest.raises(SlideFormatError, match="no such file"):
        pickle.loads(letter)
    drawn = MemorySlide(np.full((4, 4, 3), 7, np.uint8), mpp=Mpp.square(0.25))
    assert pickle.loads(pickle.dumps(drawn)).read(BoxPx(0, 0, 1, 1)).rgb.tolist() == [[[7, 7, 7]]]


def test_a_bundle_travels_with_its_files(tiny_bundle: Bundle, tmp_path: Path) -> None:
    carried = pickle.loads(pickle.dumps(replace(tiny_bundle.carried(), folder=tmp_path / "elsewhere")))
    assert carried.onnx == tiny_bundle.onnx


def test_tasks_have_enough_to_do_and_grow_small_towards_the_end() -> None:
    crew = Cluster(Sent(None), DetectConfig(), Request(), ahead=4)
    assert crew._parts(1000, 4) == 1, "as long as nobody knows"
    crew._seconds = 0.001
    assert [crew._parts(left, 4) for left in (1000, 40, 3)] == [64, 5, 1]
    crew._seconds = 3.0
    assert crew._parts(1000, 4) == 1
