"""``MIDOG++.json`` in a store: all of it, in time."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from mitoscope.exchange import coco
from mitoscope.exchange.format import ReadOptions
from mitoscope.store import Policy, Source, Store


@pytest.mark.realdata
def test_midog_is_imported_in_ten_seconds_with_nothing_held_back(tmp_path: Path, data: Path) -> None:
    path = data / "annotations" / "MIDOG++.json"
    start = time.process_time()
    study = coco.read(path, ReadOptions())
    with Store.create(tmp_path / "midog.mito") as store:
        report = store.import_study(study, source=Source(path.name))
        assert time.process_time() - start < 10
        assert (report.cells, report.labels, report.quarantined) == (26_286, 61_131 + 26_286, {})
        for policy in (Policy.RECORDED, Policy.MAJORITY):
            assert store.overview(policy).agreed == {"mitotic figure": 11_937, "look-alike": 14_349}
        assert store.export_study() == study
        store.verify()
