"""How large a pixel is: each slide's own, decided once, whoever reads it."""

from __future__ import annotations

import pytest

from mitoscope.exchange.names import stem
from mitoscope.exchange.truth import read_ground_truth
from tests.conftest import DATA

DOMAINS = DATA / "annotations" / "datasets_xvalidation.csv"
LABELS = DATA / "annotations" / "MIDOG++.json"


@pytest.mark.realdata
def test_each_scanner_of_midogpp_has_its_resolution() -> None:
    """The images have 2 mm² each (MIDOG++, Methods): at one resolution for all they would not."""
    truth = {stem(slide.name): slide for slide in read_ground_truth(LABELS, domains=DOMAINS)}
    areas = {
        name: slide.size.area * slide.mpp.pixel_area_mm2
        for name, slide in truth.items()
        if slide.size is not None and slide.mpp is not None
    }
    assert len(areas) == 503
    within = sum(1.9 < area < 2.15 for area in areas.values())
    assert within > 480
    at_one_resolution = sum(
        1.9 < slide.size.area * 0.25**2 * 1e-6 < 2.15 for slide in truth.values() if slide.size is not None
    )
    assert at_one_resolution < 350  # control: the scanners of 0.23 µm/px come out too large
