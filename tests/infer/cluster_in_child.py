"""Make results on a cluster in a process that the test kills: python cluster_in_child.py JOB.json.

Each process of the cluster notes each chunk that it begins to compute, and each that is recorded, in a log.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitoscope.cluster import LOCAL
from mitoscope.infer import DetectConfig, ListedSlide, run_cohort
from mitoscope.report import ResultSettings, makers

ray: Any = importlib.import_module("ray")
JOB: dict[str, Any] = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))


def note_chunks() -> None:
    """Let this process note what it does with chunks; runs in every process of the cluster."""
    chunks: Any = importlib.import_module("mitoscope.infer.search")
    ledger: Any = importlib.import_module("mitoscope.infer.ledger").Ledger
    search, record, together = chunks.search_chunk, ledger.record, ledger.together
    written: list[str] = []

    def log(what: str) -> None:
        descriptor = os.open(JOB["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(descriptor, f"{what} {os.getpid()} {ray.get_runtime_context().get_node_id()}\n".encode())
        os.close(descriptor)

    def noted_search(survey: Any, read: Any, *rest: Any, **options: Any) -> Any:
        log(f"begin {survey.plane._slide.info.name} {read.chunk.index}")
        time.sleep(JOB["slow_s"])  # long enough to be killed in
        return search(survey, read, *rest, **options)

    @contextmanager
    def noted_together(self: Any) -> Any:
        written.clear()
        with together(self):
            yield
        for line in written:
            log(line)

    def noted_record(self: Any, index: int, *rest: Any, **options: Any) -> None:
        record(self, index, *rest, **options)
        written.append(f"recorded {self.path.stem} {index}")

    chunks.search_chunk = noted_search
    ledger.record, ledger.together = noted_record, noted_together


def make_results() -> None:
    """Make the results of the slides, as the command does, and write what became of each."""
    settings = ResultSettings(
        JOB["bundle"],
        Path(JOB["out"]),
        DetectConfig.parse(JOB["config"], where="test"),
        formats=tuple(JOB["formats"]),
    )
    listed = [ListedSlide(Path(slide)) for slide in JOB["slides"]]
    with makers(settings, cluster=JOB["address"], threads=1) as makes:
        rows = [
            {
                "slide": done.slide.path.name,
                "manifest": str(done.manifest),
                "kept": done.kept,
                "error": str(done.error),
            }
            for done in run_cohort(listed, makes.work, at_once=makes.at_once)
        ]
    Path(JOB["rows"]).write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    if JOB["address"] != LOCAL:
        ray.init(
            JOB["address"],
            runtime_env={"worker_process_setup_hook": note_chunks},
            log_to_driver=False,
            logging_level="ERROR",
        )
    make_results()
