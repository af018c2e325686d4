"""How large a pixel is: each slide's own, decided once, whoever reads it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from PIL import Image

from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import Mpp
from mitoscope.image_names import stem
from mitoscope.web import create_app, open_study
from mitoscope.web.looking import Scales
from mitoscope.web.serving import FIRST_ROUND
from tests.conftest import DATA
from tests.web.making import Person, enter

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


def test_a_board_is_drawn_at_the_resolution_that_the_study_is_served_with(tmp_path: Path) -> None:
    """A picture states no resolution; the page, the count and the board take the one of ``serve --mpp``."""
    Image.new("RGB", (400, 304), "plum").save(tmp_path / "picture.png")
    opened = open_study(tmp_path / "study.mito", folders=[tmp_path], scales=Scales(0.5, override=True))
    (slide_id,) = opened.store.slides()
    with opened.store.writing() as connection:
        connection.execute("UPDATE slide SET mpp_x = NULL, mpp_y = NULL")  # as studies of before have it
    assert opened.slides.open(slide_id).info.mpp == Mpp.square(0.5)
    app = create_app(opened.store, opened.slides)
    lead = Person(enter(app, f"/?token={opened.token}"), opened.lead_id)
    round_id = next(id_ for id_, known in opened.store.rounds().items() if known == FIRST_ROUND)
    made = lead.act(round_id, kind="create", slide=slide_id, x=100, y=100, label=1)
    board = lead.post("/api/boards", name="board", cells=[made["cell"]], x=[0], y=[0])["board"]
    while (shown := lead.get(f"/api/boards/{board}"))["state"] == "drawing":
        time.sleep(0.05)
    opened.store.close()
    assert shown["state"] == "ready", shown["reason"]
