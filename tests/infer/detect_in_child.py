"""Run detection in a process that the test kills. Started by `runpy` with JOB in its globals.

Each chunk that begins to be computed and each that is recorded is written to a log, and each part of the
candidates that is verified likewise, so that the test can count what was done twice.
"""

from __future__ import annotations

import functools
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitoscope.bundle import load_bundle
from mitoscope.detections import Detections
from mitoscope.infer import DetectConfig, Engine, detect_slide, open_bundle_network
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.search import ReadChunk, read_chunk, search_chunk
from mitoscope.infer.survey import make_survey
from mitoscope.infer.verify import ReadPart
from mitoscope.slide import open_slide
from mitoscope.tissue import find_tissue

JOB: dict[str, Any] = globals()["JOB"]


def _log(line: str) -> None:
    descriptor = os.open(JOB["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def _rows(found: Detections) -> bytes:
    rows = zip(found.x_px0.tolist(), found.y_px0.tolist(), found.score.tolist(), strict=True)
    return "".join(f"{x!r},{y!r},{score!r}\n" for x, y, score in rows).encode()


def run() -> None:
    """Run as a user would, with a note of each chunk; the output is written at the end."""
    detect: Any = importlib.import_module("mitoscope.infer.detect")
    ledger_type: Any = Ledger
    chunks: Any = importlib.import_module("mitoscope.infer.search")
    cascade: Any = importlib.import_module("mitoscope.infer.cascade")
    crops: Any = importlib.import_module("mitoscope.infer.verify")
    search, record = chunks.search_chunk, ledger_type.record
    verify, record_verified = cascade.verify_part, ledger_type.record_verified
    together = ledger_type.together

    def noted_search(survey: Any, read: ReadChunk, *rest: Any, **options: Any) -> Any:
        _log(f"begin {read.chunk.index}")
        return search(survey, read, *rest, **options)

    # What is written together is recorded when its transaction is through, not before.
    written: list[str] = []

    @contextmanager
    def noted_together(ledger: Ledger) -> Iterator[None]:
        written.clear()
        with together(ledger):
            yield
        for line in written:
            _log(line)

    def noted_record(ledger: Ledger, index: int, *rest: Any, **options: Any) -> None:
        record(ledger, index, *rest, **options)
        written.append(f"recorded {index}")

    def noted_verify(read: ReadPart, *rest: Any, **options: Any) -> Any:
        _log(f"begin-verify {read.part.index}")
        return verify(read, *rest, **options)

    def noted_record_verified(ledger: Ledger, index: int, *rest: Any, **options: Any) -> None:
        record_verified(ledger, index, *rest, **options)
        written.append(f"recorded-verify {index}")

    crops.PART = JOB["part"]
    cascade.verify_part = noted_verify
    ledger_type.record_verified = noted_record_verified
    chunks.search_chunk = noted_search
    detect.open_slide = functools.partial(open_slide, probe=False)
    ledger_type.record, ledger_type.together = noted_record, noted_together
    found = detect_slide(
        JOB["slide"],
        load_bundle(Path(JOB["bundle"])),
        Path(JOB["out"]),
        config=DetectConfig.parse(JOB["config"], where="test"),
    )
    Path(JOB["result"]).write_bytes(_rows(found.detections))


def run_naively() -> None:
    """Do it as scripts do: what is there is taken for done, and rows are written as they come."""
    result = Path(JOB["result"])
    if result.exists():
        return
    bundle, config = load_bundle(Path(JOB["bundle"])), DetectConfig.parse(JOB["config"], where="test")
    with result.open("wb", buffering=0) as stream, open_slide(JOB["slide"], mpp=0.25, probe=False) as slide:
        survey = make_survey(slide, bundle, config, tissue=find_tissue(slide))
        engine = Engine(open_bundle_network(bundle, threads=1), batch=4)
        for chunk in survey.chunks:
            _log(f"begin {chunk.index}")
            part = search_chunk(survey, read_chunk(survey, chunk), engine, floor=bundle.manifest.score_floor)
            stream.write(_rows(Detections.of(part.points_px0, part.score)))


if JOB["naive"]:
    run_naively()
else:
    run()
