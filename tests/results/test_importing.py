"""Findings of other programs become results as if they had been searched here; what cannot be is refused."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mitoscope.count.slides import count_slides
from mitoscope.errors import (
    ConfigError,
    FormatError,
    MitoscopeError,
    PlacementError,
    RegionError,
    UnknownLabelError,
)
from mitoscope.exchange import BoxLayout, read_manifest, read_result, read_study
from mitoscope.labels import LabelMapping
from mitoscope.report import write_outputs
from mitoscope.report.cohort_table import collect_rows
from mitoscope.results import GivenFindings, ImportSettings, import_findings
from tests.exchange.foreign_files import FIGURE, FINDINGS, LABELS, MPP, OTHER, hover_net, mmdetection, odd_csv
from tests.report.runs import paint_slide

WIDE = (3200, 1600)
FIGURES = sum(label == FIGURE for *_, label in FINDINGS)


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_slide(tmp_path_factory.mktemp("slide") / "painted.png")


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide with tissue in the right half alone: every other reading of a place is on glass."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("wide")
    island = Image.open(paint_slide(folder / "island.png", size=(1200, 900)))
    glass = Image.new("RGB", WIDE, (243, 243, 243))
    glass.paste(island, (1900, 600))
    glass.save(folder / "wide.png")
    return folder / "wide.png"


def spread(n: int = 60) -> np.ndarray:
    """Return points on the tissue of the wide slide."""
    rng = np.random.default_rng(4)
    angle, radius = rng.uniform(0, 2 * np.pi, n), np.sqrt(rng.uniform(0, 0.8, n))
    return np.column_stack([2500 + 480 * radius * np.cos(angle), 1050 + 360 * radius * np.sin(angle)])


def write_points(path: Path, points: np.ndarray, header: str = "x,y") -> Path:
    path.write_text("\n".join([header, *(f"{x},{y}" for x, y in points.tolist())]) + "\n")
    return path


def take(slide: Path, file: Path, *labels: str, **settings: object) -> GivenFindings:
    values = ImportSettings.parse({"mpp": MPP, **settings}, where="test")
    return import_findings(slide, file, settings=values, mapping=LabelMapping.parse(labels))


def test_a_result_states_who_found_it_and_is_read_as_any_other(slide: Path, tmp_path: Path) -> None:
    file = hover_net(tmp_path)
    found = take(slide, file, *LABELS, program="HoVer-Net 1.0", threshold=0.5)
    written = write_outputs(found, tmp_path / "out", area_mm2=0.02)
    kinds = [".csv", ".geojson", ".html", ".jpg", ".json", ".png", ".png"]
    assert sorted(path.suffix for path in written) == kinds
    manifest = read_manifest(written[-1])
    entry = manifest["detector"]
    assert (entry["name"], entry["kind"], entry["fingerprint"]) == ("HoVer-Net 1.0", "imported", None)
    assert entry["file"]["name"] == "hover_net.json"
    assert len(entry["file"]["sha256"]) == 64
    assert manifest["search"]["stage"] == "imported"
    assert manifest["search"]["region_px0"] == [0, 0, 800, 600]
    assert manifest["configuration"]["program"] == "HoVer-Net 1.0"
    result = read_result(written[-1])
    searched = result.candidates.searched
    assert (searched.threshold, searched.calibrated, searched.region) == (0.5, False, None)
    above = sum(label == FIGURE and score > 0.5 for *_, score, label in FINDINGS)
    assert manifest["search"]["mitotic_figures"] == above
    ((_, counted),) = count_slides(tmp_path / "out", area_mm2=0.02)
    assert counted.count == manifest["mitotic_count"]["count"]
    (row,) = collect_rows(tmp_path / "out")
    assert (row.values["detector"], row.values["mitotic_figures"]) == ("HoVer-Net 1.0", above)
    # It is taken into a study as what this program found.
    study = read_study(written[-1])
    assert [rater.name for rater in study.raters] == ["HoVer-Net 1.0"]
    page = next(path for path in written if path.suffix == ".html").read_text()
    assert "hover_net.json" in page
    assert entry["file"]["sha256"] in page


def test_what_was_searched_is_the_frame_or_what_the_user_states(slide: Path, tmp_path: Path) -> None:
    """A program that saw a part of the slide as its picture counts from its corner."""
    moved = [(x - 100, y - 50) for x, y, *_ in FINDINGS]
    file = write_points(tmp_path / "part.csv", np.array(moved))
    found = take(slide, file, frame=[100, 50, 600, 500])
    assert np.allclose(
        found.detections.sort().points_px0.sum(axis=0), np.array([r[:2] for r in FINDINGS]).sum(axis=0)
    )
    region = found.detections.searched.region
    assert region is not None
    assert region.bounds_px0.width == 600
    with pytest.raises(RegionError, match=r"--frame: 900,0,600,500 is outside the slide"):
        take(slide, file, frame=[900, 0, 600, 500])
    # Beyond what was searched nothing can have been found.
    file = write_points(tmp_path / "all.csv", np.array([row[:2] for row in FINDINGS]))
    part = take(slide, file, roi=[0, 0, 400, 600])
    assert len(part.detections) == sum(x <= 400 for x, *_ in FINDINGS)
    assert any("outside of the part that was searched" in note for note in part.notes)


def test_an_empty_output_is_a_result_with_no_figure(slide: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.json"
    file.write_text('{"mag": 20, "nuc": {}}')
    written = write_outputs(take(slide, file), tmp_path / "out", formats=(), area_mm2=0.02)
    assert read_manifest(written[-1])["mitotic_count"]["count"] == 0


@pytest.mark.parametrize(
    ("change", "option"),
    [
        (lambda p: p / 2, {"scale": 2}),
        (lambda p: p * 2, {"scale": 0.5}),
        (lambda p: p / 4, {"scale": 4}),
        (lambda p: p[:, ::-1], {"axes": "yx"}),
        (lambda p: np.array([WIDE[0], 0]) + p * (-1, 1), {"mirror": "x"}),
        (lambda p: np.array(WIDE) - p, {"mirror": "xy"}),
        (lambda p: p - 1400, {"origin": [1400, 1400]}),
    ],
    ids=["half", "double", "quarter", "transposed", "mirrored", "turned", "moved"],
)
def test_places_that_cannot_be_are_refused_with_the_option_that_corrects_them(
    change: object, option: dict[str, object], wide: Path, tmp_path: Path
) -> None:
    points = spread()
    file = write_points(tmp_path / "found.csv", change(points))  # type: ignore[operator]
    with pytest.raises(PlacementError) as error:
        take(wide, file)
    (name, value), line = next(iter(option.items())), str(error.value)
    expected = "another part (--origin, --frame)" if name == "origin" else f"--{name} {value}"
    assert expected in line
    assert "--as-is" in line
    placed = take(wide, file, **option).detections
    assert np.allclose(placed.points_px0[np.lexsort(placed.points_px0.T)], points[np.lexsort(points.T)])
    assert len(take(wide, write_points(tmp_path / "right.csv", points)).detections) == len(points)


def test_pixels_that_were_micrometres_are_named(wide: Path, tmp_path: Path) -> None:
    file = write_points(tmp_path / "found.csv", spread() * MPP * 1.3)
    with pytest.raises(PlacementError):
        take(wide, file)
    file = write_points(tmp_path / "um.csv", spread() * MPP, header="Centroid X µm,Centroid Y µm")
    assert len(take(wide, file).detections) == 60


def test_shares_are_not_taken_for_pixels(wide: Path, tmp_path: Path) -> None:
    file = write_points(tmp_path / "found.csv", spread() / WIDE)
    with pytest.raises(PlacementError, match="--unit share"):
        take(wide, file)
    assert np.allclose(
        take(wide, file, unit="share").detections.points_px0.mean(axis=0), spread().mean(axis=0)
    )


def test_findings_in_one_corner_are_said(tmp_path: Path) -> None:
    """On a slide full of tissue half the scale is possible: it is said, and taken as it is."""
    from PIL import Image

    slide = paint_slide(tmp_path / "full.png", size=(1600, 1200))
    picture = np.asarray(Image.open(slide))
    tissue = picture[400:800, 500:1100]
    Image.fromarray(np.tile(tissue, (3, 3, 1))[:1200, :1600]).save(slide)
    points = np.random.default_rng(2).uniform((40, 40), (1560, 1160), (80, 2))
    whole = take(slide, write_points(tmp_path / "whole.csv", points))
    half = take(slide, write_points(tmp_path / "half.csv", points / 2))
    assert not any("upper left" in note for note in whole.notes)
    assert any("--scale 2" in note for note in half.notes)


def test_what_lies_off_the_tissue_is_said_and_no_smaller_scale_is_offered(wide: Path, tmp_path: Path) -> None:
    """Points drawn together lie on tissue wherever there is some: that speaks for nothing."""
    rng = np.random.default_rng(6)
    points = np.vstack([spread(70), rng.uniform((1300, 100), (3100, 550), (30, 2))])
    found = take(wide, write_points(tmp_path / "found.csv", points))
    assert any("% of the findings lie off the tissue and do not count" in note for note in found.notes)
    elsewhere = rng.uniform((100, 100), (3100, 550), (60, 2))
    with pytest.raises(PlacementError, match="the result of another slide"):
        take(wide, write_points(tmp_path / "elsewhere.csv", elsewhere))


def test_few_points_outside_are_left_out_and_said(wide: Path, tmp_path: Path) -> None:
    points = np.vstack([spread(200), [[-3.0, 20.0]]])
    found = take(wide, write_points(tmp_path / "found.csv", points))
    assert len(found.detections) == 200
    assert any("1 of 201 findings lie outside of the slide" in note for note in found.notes)
    with pytest.raises(PlacementError, match="100% of the findings lie outside"):
        take(wide, write_points(tmp_path / "one.csv", np.array([[9000.0, 20.0]])))


def test_the_magnification_of_the_file_is_applied_and_said(wide: Path, tmp_path: Path) -> None:
    from mitoscope.exchange.foreign import read_foreign
    from mitoscope.geometry import Mpp
    from mitoscope.results.placing import place
    from mitoscope.slide import open_slide
    from mitoscope.tissue import find_tissue

    nuclei = {str(n): {"centroid": point} for n, point in enumerate((spread() * 2).tolist())}
    file = tmp_path / "nuc.json"
    file.write_text(json.dumps({"mag": 40, "nuc": nuclei}))
    with open_slide(wide, mpp=MPP) as opened:
        info, tissue = replace(opened.info, objective_power=20.0), find_tissue(opened)
    read = read_foreign(file, mpp=Mpp.square(MPP))
    placed = place(read, info, tissue, ImportSettings(), where=file)
    assert np.allclose(placed.points_px0, spread())
    assert "the file states 40×, the slide 20×" in placed.notes[0]
    # A slide without a magnification is not scaled by a guess, but it is said.
    unknown = replace(info, objective_power=None)
    placed = place(read, unknown, tissue, ImportSettings(as_is=True), where=file)
    assert np.allclose(placed.points_px0, spread() * 2)
    assert "--scale 0.5 takes them at the usual 0.25 µm/px" in placed.notes[0]
    assert not place(read, unknown, tissue, ImportSettings(scale=0.5), where=file).notes


def test_the_corner_of_the_bounds_is_offered(wide: Path, tmp_path: Path) -> None:
    from mitoscope.exchange.foreign import read_foreign
    from mitoscope.geometry import BoxPx, Mpp
    from mitoscope.results.placing import place
    from mitoscope.slide import open_slide
    from mitoscope.tissue import find_tissue

    corner = (1800, 500)
    file = write_points(tmp_path / "found.csv", spread() - corner)
    with open_slide(wide, mpp=MPP) as opened:
        info, tissue = replace(opened.info, bounds=BoxPx(*corner, 1300, 1000)), find_tissue(opened)
    read = read_foreign(file, mpp=Mpp.square(MPP))
    with pytest.raises(PlacementError, match="--origin bounds"):
        place(read, info, tissue, ImportSettings(), where=file)
    placed = place(read, info, tissue, ImportSettings(origin="bounds"), where=file)
    assert np.allclose(placed.points_px0, spread())


def test_a_result_of_another_image_is_refused(slide: Path, tmp_path: Path) -> None:
    file = odd_csv(tmp_path)
    text = file.read_text("utf-8-sig").replace("Bild", "image")
    file.write_text(text.replace("painted;", "other.svs;"))
    with pytest.raises(FormatError, match=r"of the image 'other.svs', not of painted.png.*--image NAME"):
        take(slide, file)
    assert len(take(slide, file, image="other.svs").detections) == len(FINDINGS)
    unnamed = write_points(tmp_path / "unnamed.csv", np.array([row[:2] for row in FINDINGS]))
    with pytest.raises(ConfigError, match=r"--image: the file names no image, so .* 'other.svs'"):
        take(slide, unnamed, image="other.svs")
    value = {
        "images": [{"id": 7, "file_name": "painted.png", "width": 400, "height": 300}],
        "categories": [{"id": 1, "name": FIGURE}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [200, 140, 10, 10], "iscrowd": 0}],
    }
    coco = tmp_path / "coco.json"
    coco.write_text(json.dumps(value))
    with pytest.raises(PlacementError, match=r"an image of 400 × 300 px.*--scale 2"):
        take(slide, coco)
    assert take(slide, coco, scale=2).detections.points_px0.tolist() == [[410.0, 290.0]]
    settings = ImportSettings(scale=2, mpp=MPP)
    with pytest.raises(FormatError, match=r"1 of 1 boxes have their second corner before the first; .*xywh"):
        import_findings(slide, coco, settings=settings, boxes=BoxLayout.XYXY)


@pytest.mark.parametrize(
    ("kind", "back"), [("percent", lambda s: s * 100), ("logit", lambda s: np.log(s / (1 - s)))]
)
def test_scores_that_are_no_probabilities_are_refused_and_converted(
    kind: str, back: object, slide: Path, tmp_path: Path
) -> None:
    file = tmp_path / "found.csv"
    with file.open("w", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(["x", "y", "score"])
        rows.writerows([(x, y, back(score)) for x, y, score, _ in FINDINGS])  # type: ignore[operator]
    with pytest.raises(ConfigError, match=f"--scores {kind}"):
        take(slide, file)
    found = take(slide, file, scores=kind)
    assert np.allclose(found.detections.score, sorted((row[2] for row in FINDINGS), reverse=True))


def test_class_names_are_settled_by_the_user(slide: Path, tmp_path: Path) -> None:
    file = mmdetection(tmp_path)
    with pytest.raises(UnknownLabelError, match=r"'1' \(8\), '2' \(4\)"):
        take(slide, file)
    found = take(slide, file, "1=mitotic figure", "*=ignore")
    assert len(found.detections) == FIGURES
    assert any("4 findings of other classes are left out: 2 (4)" in note for note in found.notes)
    both = take(slide, file, *LABELS)
    assert sorted(set(both.detections.label.tolist())) == [OTHER, FIGURE]


def test_of_several_images_of_one_name_the_user_says_which(slide: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    file.write_text(
        "image,x,y,score\na/painted.png,400,300,0.9\nb/painted.png,410,310,\nb/painted.png,420,310,1\n"
    )
    with pytest.raises(
        FormatError, match=r"several of its images .*'a/painted.png', 'b/painted.png'; name the image"
    ):
        take(slide, file)
    found = take(slide, file, image="b/painted.png")
    assert len(found.detections) == 2
    assert "1 of 2 findings have no score: each of them counts with 1" in found.notes


def test_findings_without_a_class_beside_others_are_nobodys_guess(slide: Path, tmp_path: Path) -> None:
    file = tmp_path / "found.csv"
    file.write_text("x,y,label\n400,300,mitosis\n410,300,\n")
    with pytest.raises(UnknownLabelError, match="'no class'"):
        take(slide, file)
    assert len(take(slide, file, "no class=ignore").detections) == 1


def test_settings_that_contradict_each_other_are_refused() -> None:
    for values in ({"scale": 2, "file_mpp": 0.5}, {"threshold": 0.5, "point": "f1"}, {"scale": 0}):
        with pytest.raises(MitoscopeError):
            ImportSettings.parse(values, where="test")
    with pytest.raises(ConfigError, match=r"^test: --scale and --file-mpp both say"):
        ImportSettings.parse({"scale": 2, "file_mpp": 0.5}, where="test")
