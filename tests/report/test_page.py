"""The page: one file, no script, no request, and names stay names (promise 24)."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from pathlib import Path

import jinja2
import numpy as np
import pytest

from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx0
from mitoscope.infer import DetectConfig, SlideRun
from mitoscope.region import Region, SlideRegions
from mitoscope.report import gather, page, render_report
from mitoscope.report.page import css_string
from mitoscope.report.sheets import borderline_rows, top_rows
from mitoscope.slide import open_slide
from mitoscope.wording import shown_name

from .payloads import PAYLOADS
from .reading import Reader
from .runs import CALIBRATION, MANIFEST, MPP, SHA, bundle_of, corrected, paint_slide, run_on, scatter

AREA = 0.008


def render(run: SlideRun, area_mm2: float = AREA) -> str:
    return render_report(gather(run, area_mm2=area_mm2))


@pytest.fixture(scope="module")
def plain(slide_file: Path) -> str:
    return render(run_on(slide_file))


def test_page_holds_everything_and_asks_for_nothing(plain: str) -> None:
    read = Reader(plain)
    assert not {"script", "iframe", "object", "embed", "link", "form", "base"} & set(read.elements)
    assert not [name for _, name, _ in read.attributes if name.startswith("on") or name == "style"]
    addresses = [value for _, name, value in read.attributes if name in ("src", "href", "data", "action")]
    assert len(addresses) > 20
    assert all(value.startswith(("data:image/", "#")) for value in addresses)
    assert "url(" not in read.style
    assert "@import" not in read.style
    assert len(plain.encode()) < 6_000_000


def test_policy_allows_this_style_and_embedded_pictures_alone(plain: str) -> None:
    (policy,) = [value for value in Reader(plain).values("meta", "content") if "default-src" in value]
    style = plain[plain.index("<style>") + len("<style>") : plain.index("</style>")]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    assert "unsafe" not in policy


def test_page_states_count_area_threshold_and_use(slide_file: Path, plain: str) -> None:
    findings = gather(run_on(slide_file), area_mm2=AREA)
    read = Reader(plain)
    assert read.values("data", "value") == [str(findings.count)]
    assert float(read.values("p", "data-area-mm2")[0]) == findings.hot_spot.area_mm2
    assert f"{findings.count} mitotic figures in 0.00798 mm² (0.0337 HPF)" in read.text
    assert "For research use only." in read.text
    assert "painted-fcn 1.2.0, point f1, greatest F1 on fields" in read.text
    assert findings.info.fingerprint in read.text
    assert SHA in read.text
    assert "CC0-1.0" in read.text
    assert read.text.count("Just above 0.50: counted") == 1


def test_kinds_of_figures_are_stated_with_how_far_they_can_be_trusted(slide_file: Path) -> None:
    subtype = {
        "file": "subtype.onnx",
        "crop_px": 64,
        "mpp": 0.25,
        "labels": ("atypical mitotic figure", "mitotic figure"),
        "threshold": 0.5,
        "metrics": ({**MANIFEST["metrics"][0], "name": "balanced-accuracy", "value": 0.6},),
    }
    manifest = MANIFEST | {
        "subtype": subtype,
        "self_test": {**MANIFEST["self_test"], "subtype_scores": (0.5, 0.5)},
        "files": MANIFEST["files"] | {"subtype.onnx": {"bytes": 1, "sha256": SHA}},
    }
    found = scatter(120)
    label = np.where(np.arange(len(found)) % 5 == 0, "atypical mitotic figure", "mitotic figure")
    asked = DetectConfig(mpp=MPP, subtype=True)
    run = replace(run_on(slide_file, found.relabelled(label)), bundle=bundle_of(manifest), config=asked)
    findings = gather(run, area_mm2=AREA)
    n = int(findings.of_kind.sum())
    assert 5 < n == int((findings.counted & (findings.candidates.label == label[0])).sum())
    assert findings.n_figures == gather(run_on(slide_file), area_mm2=AREA).n_figures, "all are figures"
    page = Reader(render(run)).text
    assert f"Of these atypical {n} {n / findings.n_figures:.0%} of the figures" in " ".join(page.split())
    assert "is an aid, to be checked by eye (balanced accuracy 0.60 [0.50, 0.70] on fields)" in page
    shown = np.concatenate([top_rows(findings), *borderline_rows(findings)])
    assert page.count("atypical") == 2 + findings.of_kind[shown].sum() > 4
    assert "atypical" not in Reader(render(run_on(slide_file))).text


def test_same_findings_give_the_same_page(slide_file: Path, plain: str) -> None:
    assert render(run_on(slide_file, wall_s=99.0)) == plain


def test_top_of_the_sheet_is_the_top_of_the_candidates(slide_file: Path, plain: str) -> None:
    findings = gather(run_on(slide_file), area_mm2=AREA)
    shown = re.findall(r'alt="Candidate (\d+), score ([\d.]+)"', plain)
    assert [int(rank) for rank, _ in shown[:24]] == list(range(1, 25))
    for rank, score in shown:
        assert float(score) == pytest.approx(findings.candidates.score[int(rank) - 1], abs=5.1e-4)
    above = [int(rank) for rank, _ in shown[24:32]]
    below = [int(rank) for rank, _ in shown[32:40]]
    n = findings.n_figures
    assert above == list(range(n, n - 8, -1))
    assert below == list(range(n + 1, n + 9))


def named(run: SlideRun, name: str) -> SlideRun:
    """Put a name into every text that comes from outside."""
    label = [name if row == 3 else "mitotic figure" for row in range(len(run.detections))]
    manifest = MANIFEST | {
        "licence": name,
        "training": ({"name": name, "licence": name, "attribution": name, "sha256": (SHA,)},),
        "metrics": ({**MANIFEST["metrics"][0], "dataset": name, "name": name},),
    }
    cells = run.detections
    return replace(
        run,
        slide=replace(run.slide, name=name, reader=name, mpp_source=name),
        bundle=bundle_of(manifest),
        detections=Detections(
            cells.x_px0, cells.y_px0, cells.score, np.array(label), np.full(len(cells), name)
        ),
        threshold_source=name,
        versions={name: name, "b": name, "c": name},
        notes=(name,),
    )


def check_inert(html: str, plain: Reader, name: str) -> None:
    read = Reader(html)
    assert read.elements == plain.elements
    assert [key for _, key, _ in read.attributes] == [key for _, key, _ in plain.attributes]
    assert read.text.count(" ".join(shown_name(name).split())) >= 10
    policy = next(value for value in read.values("meta", "content") if "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> SlideRun:
    """A run with little to draw."""
    path = paint_slide(tmp_path_factory.mktemp("few") / "few.png", size=(280, 200))
    cells = Detections.of([[140, 100], [150, 90], [120, 110], [130, 95]], [0.9, 0.8, 0.3, 0.2])
    return run_on(path, cells)


@pytest.fixture(scope="module")
def harmless(few: SlideRun) -> Reader:
    return Reader(render(named(few, "harmless")))


@pytest.mark.parametrize("name", PAYLOADS)
def test_names_cannot_become_markup(few: SlideRun, harmless: Reader, name: str) -> None:
    check_inert(render(named(few, _encodable(name))), harmless, name)


def _encodable(name: str) -> str:
    # pydantic refuses lone surrogates in a bundle's manifest; a file name may hold them.
    return name.replace("\udcff", "\ufffd")


def test_control_without_escaping_names_become_markup(
    few: SlideRun, harmless: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    naive = page.templates().overlay(autoescape=False)
    naive.cache = {}
    monkeypatch.setattr(page, "templates", lambda: naive)
    failed = 0
    for name in PAYLOADS[:8]:
        try:
            check_inert(render(named(few, name)), harmless, name)
        except AssertionError:
            failed += 1
    assert failed == 8


@pytest.mark.parametrize("name", PAYLOADS)
def test_css_strings_end_where_they_end(name: str) -> None:
    quoted = css_string(name)
    assert re.fullmatch(r'"(?:[A-Za-z0-9 ]|\\[0-9a-f]{6})*"', quoted)
    back = re.sub(r"\\([0-9a-f]{6})", lambda found: chr(int(found[1], 16)), quoted[1:-1])
    assert back == name.replace("\x00", "\ufffd").replace("\udcff", "\ufffd")


def test_a_file_with_such_a_name_is_read_and_shown(tmp_path: Path) -> None:
    name = "<img src=x onerror=alert(1)> & \udcff.png"
    read = Reader(render(run_on(paint_slide(tmp_path / name), scatter(5))))
    assert "<img src=x onerror=alert(1)> & \ufffd.png" in read.text


def test_a_refused_count_is_no_number(slide_file: Path) -> None:
    window = gather(run_on(slide_file), area_mm2=AREA).window
    assert window is not None
    read = Reader(render(run_on(slide_file, gaps=(BoxPx0(window.x + 5, window.y + 5, 40.0, 40.0),))))
    assert read.values("data", "value") == []
    assert "No count" in read.text
    assert "The count is refused." in read.text
    assert "Unreadable areas." in read.text
    assert "Could not be read" in read.text
    assert "Window of the refused count" in read.text
    assert "At other thresholds" not in read.text


def test_a_window_that_does_not_fit_is_said_so(slide_file: Path) -> None:
    text = Reader(render(run_on(slide_file), area_mm2=2.37)).text
    assert "The window does not fit in the tissue" in text
    assert "not comparable" in text


def test_no_tissue_and_nothing_found(tmp_path: Path) -> None:
    glass = paint_slide(tmp_path / "glass.png", tissue=False)
    read = Reader(render(run_on(glass, Detections.empty())))
    assert "No tissue." in read.text
    assert read.values("data", "value") == ["0"]
    assert "No candidate above the detector’s floor." in read.text
    assert "Hot spot" not in read.text


def test_nothing_above_the_threshold(slide_file: Path) -> None:
    read = Reader(render(run_on(slide_file, scatter(30), threshold=0.995)))
    assert read.values("data", "value") == ["0"]
    assert "There is no mitotic figure" in read.text
    assert "No candidate has a score above 0.995." in read.text
    assert "Just below 0.995: not counted" in read.text


def test_remarks_of_the_run_are_shown(slide_file: Path) -> None:
    text = Reader(render(run_on(slide_file, scatter(5), notes=("in 3 tiles all slots were used",)))).text
    assert "In 3 tiles all slots were used." in text


def test_a_region_of_interest_is_drawn_and_named(slide_file: Path) -> None:
    roi = (300.0, 200.0, 200.0, 150.0)
    text = Reader(render(run_on(slide_file, scatter(5), roi=roi))).text
    assert "Region analysed" in text
    assert "200 × 150 px from x 300, y 200" in text


def test_outlines_are_drawn_where_they_decide_what_counts(slide_file: Path) -> None:
    half = Region.of_box(BoxPx0(400, 0, 400, 600), "tumour")
    hole = Region.of_box(BoxPx0(500, 280, 40, 40))
    run = run_on(slide_file)
    whole, outlined = (
        render_report(gather(run, area_mm2=AREA, regions=regions))
        for regions in (None, SlideRegions(tumour=half.difference(hole)))
    )
    text = Reader(outlined).text
    assert text.count("Area counted") == 2
    assert "Area counted 0.0596 mm² tumour" in text
    findings = gather(run, area_mm2=AREA, regions=SlideRegions(tumour=half.difference(hole)))
    n, area = findings.n_figures, run.tissue.area_inside(half.difference(hole), BoxPx0(0, 0, 800, 600))
    assert f"Figures in total {n} {n / area:,.0f} per mm² of tumour tissue" in text
    assert "Area counted" not in Reader(whole).text
    assert outlined.count('stroke="#009e73"') == whole.count('stroke="#009e73"') + 2


def test_many_figures_stay_a_small_page(slide_file: Path) -> None:
    crowd = scatter(20_000)
    html = render(run_on(slide_file, crowd, threshold=0.1), area_mm2=0.03)
    assert len(html.encode()) < 6_000_000


def test_pictures_come_from_the_slide_that_is_given(slide_file: Path, plain: str) -> None:
    findings = gather(run_on(slide_file), area_mm2=AREA)
    with open_slide(slide_file, mpp=MPP, probe=False) as slide:
        assert render_report(findings, slide=slide) == plain


def test_an_undefined_value_in_a_template_is_an_error() -> None:
    with pytest.raises(jinja2.UndefinedError):
        page.templates().from_string("{{ nothing }}").render()


ECE = {**MANIFEST["metrics"][0], "name": "ece", "value": 0.04, "ci_low": 0.03, "ci_high": 0.07}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, "Scores rank candidates; they are not probabilities."),
        (
            {"calibration": CALIBRATION},
            "Scores are probabilities of being a mitotic figure, calibrated on fields of one laboratory "
            "(error not measured).",
        ),
        (
            {"calibration": CALIBRATION, "metrics": (ECE,)},
            "Scores are probabilities of being a mitotic figure, calibrated on fields of one laboratory "
            "(expected calibration error 0.040 [0.030, 0.070] on fields).",
        ),
    ],
)
def test_what_scores_mean_is_what_the_bundle_says(few: SlideRun, more: dict[str, object], said: str) -> None:
    text = Reader(render(replace(few, bundle=bundle_of(MANIFEST | more)))).text
    assert said in text
    assert ("Expected there not stated" in text) == ("calibration" not in more)


def test_the_page_states_the_share_of_figures_and_the_number_without_it(slide_file: Path) -> None:
    run = run_on(slide_file, scatter(60))
    html = render(corrected(run))
    text, plain = Reader(html).text, Reader(render(run)).text
    shift = corrected(run).correction.shift  # type: ignore[union-attr]
    without = gather(run, area_mm2=AREA).n_figures
    assert f"Figures among candidates {shift.estimated:.1%}" in text
    assert f"10.0% expected, {shift.alone:.1%} by this slide alone" in text
    assert f"{without} figures without the correction" in text
    assert gather(corrected(run), area_mm2=AREA).n_figures != without
    assert "Saerens" in text
    assert "Figures among candidates" not in plain
    assert "Saerens" not in plain
