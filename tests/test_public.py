"""The public names: what a notebook writes, from a slide to a frame, a plot, a report and a score."""

from __future__ import annotations

import doctest
import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest

import mitoscope
from mitoscope import Detections, MemorySlide, Mpp, Region
from mitoscope.count import counts
from mitoscope.detections import Searched
from mitoscope.errors import ConfigError, FormatError, OutputError
from mitoscope.evaluate import call
from mitoscope.geometry import BoxPx0, SizePx
from mitoscope.slide.synthetic import SyntheticSlideConfig, truth_paths, write_slide

mpl.use("Agg")
pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A painted field with some figures."""
    path = tmp_path_factory.mktemp("slides") / "field.tiff"
    config = SyntheticSlideConfig.of(
        width=1200, height=1000, seed=3, tissue_fraction=0.8, mitoses_per_mm2=60, hot_spot_mitoses_per_mm2=60
    )
    write_slide(path, config)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The user's cache folder, for all tests of the module."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mitoscope.report.detection.cache_folder", lambda: folder)
        patch.setattr("mitoscope.written.cache_folder", lambda: folder)
        yield folder


@pytest.fixture(scope="module")
def result(slide: Path, cache: Path) -> mitoscope.DetectionResult:
    return mitoscope.detect(str(slide), progress=False)


def test_a_slide_is_searched_by_its_name_alone(result: mitoscope.DetectionResult, tmp_path: Path) -> None:
    assert 0 < len(result.figures) < len(result.candidates)
    assert (result.figures.score > result.threshold).all()
    frame = result.to_pandas()
    assert list(frame.columns) == ["x", "y", "score", "label", "source", "figure"]
    assert frame["figure"].sum() == len(result.figures)
    report = result.report(str(tmp_path / "report.html"))
    assert "mitotic" in report.read_text("utf-8")
    assert result.count().count == mitoscope.count(result).count == len(result.figures)
    saved = result.save(str(tmp_path / "results"), formats=["csv"])
    assert mitoscope.count(str(tmp_path / "results"))["field"].count == result.count().count
    assert saved[-1].name == "field.json"


def test_the_same_call_again_takes_what_was_kept(
    slide: Path, result: mitoscope.DetectionResult, cache: Path
) -> None:
    searched: list[Detections] = []
    again = mitoscope.detect(slide, progress=False, found=searched.append, threshold=0.9)
    assert again.candidates == result.candidates
    assert again.threshold == 0.9
    assert again.timings.sessions == result.timings.sessions + 1
    assert len(list((cache / "mitoscope" / "runs").iterdir())) == 1
    other = mitoscope.detect(slide, progress=False, roi=(0, 0, 500, 500))
    assert len(other.candidates) < len(result.candidates)
    assert len(list((cache / "mitoscope" / "runs").iterdir())) == 2


def test_a_slide_in_memory_is_searched_like_its_file(
    slide: Path, result: mitoscope.DetectionResult, tmp_path: Path
) -> None:
    with mitoscope.open_slide(slide) as pixels:
        rgb = pixels.read(mitoscope.BoxPx(0, 0, 1200, 1000)).rgb
        opened = mitoscope.detect(pixels, progress=False)
    assert opened.candidates == result.candidates
    found = mitoscope.detect(MemorySlide(rgb, mpp=Mpp.square(0.25), name="field.tiff"), progress=False)
    assert 0 < len(found.figures) < len(found.candidates)
    assert found.plot() is not None
    assert "data:image/jpeg" in found._repr_html_()
    assert "mitotic" in found.report(tmp_path / "memory.html").read_text("utf-8")


def test_former_calls_still_work(slide: Path, result: mitoscope.DetectionResult, tmp_path: Path) -> None:
    run = mitoscope.detect(slide, mitoscope.load_bundle(), tmp_path / "a", progress=None or False)
    assert run.ledger.parent == tmp_path / "a"
    assert mitoscope.write_outputs(run, tmp_path / "a", formats=("csv",))
    with pytest.warns(DeprecationWarning, match="out_dir"):
        named = mitoscope.detect(slide, out_dir=tmp_path / "b", progress=False)
    assert named.detections == run.detections == result.detections


def test_settings_by_name_are_checked(slide: Path, cache: Path) -> None:
    with pytest.raises(ConfigError, match="quality"):
        mitoscope.detect(slide, quality="great", progress=False)
    with pytest.raises(ConfigError, match="no shape"):
        mitoscope.count("nothing.csv", shape="square")
    with pytest.raises(ConfigError, match="no policy"):
        mitoscope.evaluate("pred.csv", "truth.csv", policy="vote")


def test_findings_of_any_kind_are_judged_alike(
    slide: Path, result: mitoscope.DetectionResult, tmp_path: Path
) -> None:
    truth = truth_paths(slide)[0]
    result.save(tmp_path, formats=["csv"])
    judged = [
        mitoscope.evaluate(found, truth_of, protocol="midog")
        for found, truth_of in (
            (result, str(truth)),
            ([result], truth),
            (result.candidates, truth),
            ({"field.tiff": result.candidates}, mitoscope.read_ground_truth(truth)),
            (str(tmp_path), str(truth)),
        )
    ]
    assert judged[0].f1 is not None
    assert judged[0].f1 > 0.5
    assert {(each.f1, each.precision, each.recall) for each in judged} == {
        (judged[0].f1, judged[0].precision, judged[0].recall)
    }
    assert judged[0].to_pandas()["tp"].sum() == judged[0].score.tp


def test_detections_of_an_unknown_image_are_refused() -> None:
    truth = mitoscope.GroundTruth(())
    with pytest.raises(FormatError, match="do not say on which"):
        mitoscope.evaluate(Detections.of([(1, 2)], [0.5]), truth)


SEARCHED = Searched(
    mpp=Mpp(0.25, 0.2501),
    size=SizePx(4000, 3000),
    threshold=0.4,
    region=Region.of_polygon([(0, 0), (100.5, 0), (3.1, 77.123456789)], "tumour"),
    gaps=(BoxPx0(1, 2, 3, 4.5),),
    calibrated=True,
    origin="slide.svs",
    colour_doubt="grey",
)


@pytest.mark.parametrize("searched", [Searched(), SEARCHED])
@pytest.mark.parametrize("n", [0, 3])
def test_frames_lose_nothing(n: int, searched: Searched, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    found = Detections(
        rng.random(n) * 1e5 / 3,
        rng.random(n) * 1e5 / 7,
        rng.random(n),
        np.array(["mitotic figure", "look-alike", "µ"][:n], dtype=np.str_),
        np.array(["a model 1.0", "", "rater"][:n], dtype=np.str_),
        searched,
    )
    frame = found.to_pandas()
    assert frame.attrs["units"]["x"] == "level-0 px"
    parquet = tmp_path / "found.parquet"
    frame.to_parquet(parquet)
    for back in (frame, found.to_geopandas(), pd.read_parquet(parquet)):
        again = Detections.from_pandas(back)
        assert again == found
        assert vars(again.searched) == vars(searched)
    placed = found.to_geopandas()
    assert [[point.x, point.y] for point in placed.geometry] == found.points_px0.tolist()


def test_a_frame_of_another_program_needs_places_alone() -> None:
    found = Detections.from_pandas(pd.DataFrame({"x": [1, 2], "y": [3, 4]}))
    assert found == Detections.of([(1, 3), (2, 4)], [1, 1])
    with pytest.raises(FormatError, match="no column y"):
        Detections.from_pandas(pd.DataFrame({"x": [1]}))
    frame = found.to_pandas()
    frame.attrs["searched"]["mpp"] = "small"
    with pytest.raises(FormatError, match="searched"):
        Detections.from_pandas(frame)


def test_layers_and_points_of_other_viewers() -> None:
    (places, settings, kind), *others = Detections.of([(8, 4)], [0.3], searched=SEARCHED).to_napari()
    assert (places.tolist(), kind, others) == ([[4.0, 8.0]], "points", [])
    assert settings["scale"] == (0.2501, 0.25)
    assert settings["features"]["label"].tolist() == ["mitotic figure candidate"]
    if "spatialdata" not in sys.modules:
        with pytest.raises(ConfigError, match="pip install spatialdata"):
            Detections.empty().to_spatialdata()


def test_plots_return_axes_in_level_0_pixels(result: mitoscope.DetectionResult, slide: Path) -> None:
    from matplotlib import pyplot as plt
    from matplotlib.axes import Axes

    _, given = plt.subplots()
    with mitoscope.open_slide(slide) as pixels:
        assert result.candidates.plot(pixels, ax=given) is given
        drawn = [pixels.plot(), result.count().plot(pixels)]
    assert given.get_xlim() == (0, 1200)
    assert given.get_ylim() == (1000, 0)
    dots = [np.asarray(one.get_offsets()) for one in given.collections]
    assert np.concatenate(dots).tolist() == [
        *result.candidates.points_px0[result.candidates.score <= result.threshold].tolist(),
        *result.figures.points_px0.tolist(),
    ]
    judged = mitoscope.evaluate(result, truth_paths(slide)[0])
    assert mitoscope.evaluate({slide.name: result}, truth_paths(slide)[0]).score == judged.score
    assert re.fullmatch(
        r"<Evaluation by mitoscope: F1 \S+, precision \S+, recall \S+, 1 image>", repr(judged)
    )
    assert repr(judged.truth).startswith("<GroundTruth ")
    drawn += [judged.plot(kind) for kind in ("precision-recall", "froc", "thresholds", "calibration")]
    drawn += [result.plot(), result.figures.plot(), Detections.empty().plot()]
    assert all(isinstance(axes, Axes) for axes in drawn)
    with pytest.raises(ConfigError, match="no plot 'roc'"):
        judged.plot("roc")
    crops = result.gallery(n=4)
    assert crops.size == min(4, len(result.figures))
    middle = crops.flat[0].images[0].get_array()[54:74, 54:74]
    assert middle.mean() < crops.flat[0].images[0].get_array().mean(), (
        "a figure is darker than what is around"
    )
    plt.close("all")


def test_objects_show_themselves_and_escape_what_files_say(
    result: mitoscope.DetectionResult, slide: Path
) -> None:
    named = MemorySlide(np.full((30, 40, 3), 200, np.uint8), mpp=Mpp.square(0.5), name="<script>x</script>")
    assert "<script>" not in named._repr_html_()
    assert "&lt;script&gt;" in named._repr_html_()
    pixels = mitoscope.open_slide(slide)
    assert all(text in pixels._repr_html_() for text in ("data:image/jpeg", "1,200 × 1,000 px", "0.25 µm/px"))
    pixels.close()
    assert "1,200 × 1,000 px" in pixels._repr_html_()
    html = result._repr_html_()
    assert f">{len(result.figures)}<" in html
    assert "field.tiff" in html
    assert result.candidates._repr_html_().count("<tr") == 11
    assert f"Mitotic count {result.count().count}" in result.count()._repr_html_()
    counts = mitoscope.count(str(truth_paths(slide)[0]), mpp=0.25)
    assert "Mitotic counts of 1 slide" in counts._repr_html_()
    assert counts.to_pandas()["count"].tolist() == [counts[0][1].count]
    assert "midog" in mitoscope.evaluate(result, truth_paths(slide)[0], protocol="midog")._repr_html_()


def test_a_report_replaces_its_own_alone(result: mitoscope.DetectionResult, tmp_path: Path) -> None:
    target = tmp_path / "report.html"
    result.report(target)
    result.report(target)
    target.write_text("mine")
    with pytest.raises(OutputError):
        result.report(target)


def test_every_public_function_takes_paths_as_text() -> None:
    verbs = {"count": counts.count, "evaluate": call.evaluate_any}
    for name in sorted({*mitoscope.__all__} - {"train"}):  # which needs torch
        function = verbs.get(name) or getattr(mitoscope, name)
        if not inspect.isfunction(function):
            continue
        for parameter in inspect.signature(function).parameters.values():
            words = re.findall(r"\w+", str(parameter.annotation))
            assert "Path" not in words or "str" in words, f"{name}({parameter})"


def test_the_names_are_loaded_on_first_use() -> None:
    code = (
        "import sys, mitoscope; "
        "print(*[name for name in ('pandas', 'matplotlib', 'numpy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_the_examples_of_the_page_on_python_hold(
    slide: Path, cache: Path, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a folder with the slide that the page tells its readers to make."""
    for file in (slide, *truth_paths(slide)):
        shutil.copy(file, tmp_path)
    monkeypatch.chdir(tmp_path)
    page = project / "docs" / "python.md"
    outcome = doctest.testfile(str(page), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 20
    assert outcome.failed == 0
