"""What is true in a study is what a network learns: classes, agreement, sizes, examined area, side, case."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import TypeAdapter
from typer.testing import CliRunner

from mitoscope.bundle import load_bundle
from mitoscope.cli import app
from mitoscope.data.augment import AugmentConfig
from mitoscope.data.batches import make_batches
from mitoscope.data.field import BOX_UM, Field
from mitoscope.data.picture import Picture
from mitoscope.data.sampling import CropsConfig, CrowdConfig, HardPool, MidogppConfig, SemiConfig, plan
from mitoscope.data.sources import SourceConfig, fields_of, provenance, read_fields
from mitoscope.data.split import split_by_case
from mitoscope.data.target import Batch
from mitoscope.data.window import Window, cut_patch
from mitoscope.errors import TrainingDataError
from mitoscope.exchange import coco, frozen_file
from mitoscope.exchange.annotations_csv import FORMAT as CSV
from mitoscope.exchange.format import WriteOptions
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.models.build import build
from mitoscope.models.config import FasterRcnnConfig, FcnConfig
from mitoscope.region import Region
from mitoscope.search import crop_at
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.store import Rater, RaterKind, Shape, SlideRecord, Source, Store, Study, StudyBuilder
from mitoscope.train import Recipe
from mitoscope.train.detect import search
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells
from tests.loops.lessons import dense

pytestmark = pytest.mark.train

SIDE = 640
NAME = "slide.png"
LABELS = ("mitotic figure", "look-alike")
BOXES = [(100 + 90 * n, 110 + 60 * n, 30.0 + 2 * n, 44.0 - n) for n in range(6)]
"""x, y of the corner, width and height."""
YES = [3, 2, 1, 3, 2, 3]
"""How many of three experts said mitotic figure, before a consensus said so of all."""


def _study() -> Study:
    builder = StudyBuilder(DEFAULT_LABELS)
    experts = [builder.rater(Rater(name, RaterKind.EXPERT)) for name in "abc"]
    consensus = builder.rater(Rater("agreed", RaterKind.CONSENSUS))
    slide = builder.slide(SlideRecord(NAME, SizePx(SIDE, SIDE), Mpp.square(0.25), case="dog 7"))
    for (x, y, width, height), yes in zip(BOXES, YES, strict=True):
        cell = builder.cell(slide, (x, y, x + width, y + height), shape=Shape.BOX)
        for place, rater in enumerate(experts):
            builder.event(cell, rater, 0 if place < yes else 1)
        builder.event(cell, consensus, 0)
    return builder.build()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the study, the same labels in two formats, and the slide."""
    random = np.random.default_rng(1)
    pink = np.clip(random.normal((215, 150, 195), 18, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)
    Image.fromarray(pink).save(tmp_path / NAME)
    study = _study()
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(study, source=Source("test"))
    assert CSV.write is not None
    CSV.write(study, tmp_path / "labels.csv", WriteOptions())
    assert coco.FORMAT.write is not None
    coco.FORMAT.write(study, tmp_path / "labels.json", WriteOptions())
    return tmp_path


def _read(folder: Path, route: str) -> Field:
    kind = (
        {"kind": "study", "study": route}
        if route == "study.mito"
        else {"kind": "annotated-slides", "labels": route}
    )
    source: Any = TypeAdapter[SourceConfig](SourceConfig).validate_python(kind | {"slide_mpp": 0.25})
    (field,) = read_fields(source, folder, mpp=0.25)
    return field


@pytest.mark.parametrize("route", ["study.mito", "labels.csv", "labels.json"])
def test_every_route_teaches_the_same_cells(folder: Path, route: str) -> None:
    field = _read(folder, route)
    order = np.argsort(field.labels.points[:, 0])
    labels = field.labels.take(order)
    assert labels.label.tolist() == ["mitotic figure"] * 6
    assert labels.points == pytest.approx(np.array([(x + w / 2, y + h / 2) for x, y, w, h in BOXES]))
    assert labels.size == pytest.approx(np.array([(w, h) for _, _, w, h in BOXES]))
    assert labels.agreement == pytest.approx(np.array(YES) / 3)
    assert field.case == "dog 7"


@pytest.mark.parametrize("is_file", [False, True])
@pytest.mark.parametrize(
    ("stated", "expected"),
    [({}, "CC-BY-4.0"), ({"licence": "MIT"}, "MIT"), ({"licence": "not stated"}, "CC-BY-4.0")],
)
def test_the_licence_of_a_version_is_that_of_the_training_data(
    folder: Path, stated: dict[str, str], expected: str, is_file: bool
) -> None:
    with Store.open(folder / "study.mito") as store:
        frozen_file.write(folder / "MEL.json", store.freeze("MEL", licences="CC-BY-4.0"))
    kind = (
        {"kind": "annotated-slides", "labels": "MEL.json"}
        if is_file
        else {"kind": "study", "study": "study.mito@MEL"}
    )
    source: Any = TypeAdapter[SourceConfig](SourceConfig).validate_python(kind | stated)
    assert [named.licence for named in provenance(source, folder)] == [expected]


def test_without_a_version_no_licence_is_stated(folder: Path) -> None:
    source: Any = TypeAdapter[SourceConfig](SourceConfig).validate_python(
        {"kind": "study", "study": "study.mito"}
    )
    assert [named.licence for named in provenance(source, folder)] == ["not stated"]


def _batch(field: Field) -> Batch:
    batches = make_batches(
        (field,),
        MidogppConfig(kind="midogpp", window_px=128, batch=3, near_figure=1.0, near_px=40),
        AugmentConfig.nothing(),
        labels=LABELS,
        mpp=0.25,
        stride_px=8,
        seed=3,
    )
    return batches.draw(0, HardPool.empty())


def test_disagreement_moves_the_weighted_loss_and_not_the_other(folder: Path) -> None:
    batch = _batch(_read(folder, "study.mito"))
    assert {round(float(w), 3) for weights in batch.weights for w in weights} & {0.667, 0.333}
    losses: dict[tuple[bool, str], float] = {}
    for weighted in (True, False):
        config = FasterRcnnConfig(
            architecture="faster-rcnn-resnet50", labels=LABELS[:1], patch_px=128, agreement_weighted=weighted
        )
        family = build(config, seed=0)
        torch.manual_seed(0)
        losses[weighted, "as they are"] = float(family.loss(batch).detach())
        unanimous = Batch(
            batch.rgb,
            batch.boxes,
            batch.classes,
            tuple(torch.ones_like(w) for w in batch.weights),
            batch.score,
        )
        torch.manual_seed(0)
        losses[weighted, "unanimous"] = float(family.loss(unanimous).detach())
    assert losses[True, "as they are"] != pytest.approx(losses[False, "as they are"], rel=1e-6)
    # Control: where all agree, the two are one.
    assert losses[True, "unanimous"] == pytest.approx(losses[False, "unanimous"], rel=1e-6)


def test_boxes_are_as_drawn_and_of_12_um_where_only_a_point_is_known(folder: Path) -> None:
    batch = _batch(_read(folder, "study.mito"))
    sides = {
        tuple(np.round((box[2:] - box[:2]).numpy(), 3))
        for boxes in batch.boxes
        for box in boxes
        if _inside(box)
    }
    assert sides
    assert sides <= {(w, h) for _, _, w, h in BOXES}
    points = TrueCells.of([(x, y) for x, y, _, _ in BOXES], "mitotic figure")
    truth = GroundTruth((SlideTruth(NAME, points, mpp=Mpp.square(0.25)),))
    (field,) = fields_of(truth, {NAME: folder / NAME}, mpp=0.25)
    square = _batch(field)
    widths = {round(float(b[2] - b[0]), 3) for boxes in square.boxes for b in boxes if _inside(b)}
    assert widths == {BOX_UM / 0.25}


def _inside(box: torch.Tensor) -> bool:
    return bool((box > 0).all() and (box < 128).all())


@pytest.fixture(scope="module")
def half_examined(tmp_path_factory: pytest.TempPathFactory) -> Field:
    """Return a slide of tissue and glass of which the left half was looked at."""
    folder = tmp_path_factory.mktemp("half")
    config = SyntheticSlideConfig.of(
        width=2400, height=1600, seed=4, tissue_fraction=0.5, mitoses_per_mm2=60, fat=False
    )
    truth = write_slide(folder / "s.tiff", config)
    looked_at = ExaminedArea(Region.of_box(BoxPx0(0, 0, 1200, 1600)), "screened fields")
    slide = SlideTruth("s.tiff", TrueCells.of(truth.points(), "mitotic figure"), stated_examined=looked_at)
    (field,) = fields_of(GroundTruth((slide,)), {"s.tiff": folder / "s.tiff"}, mpp=0.25)
    return field


SCHEMES = [
    SemiConfig(kind="semi", window_px=64, foreground=1, bg_hard=0, bg_random=40),
    MidogppConfig(kind="midogpp", window_px=64, batch=40, near_figure=0.0),
    CropsConfig(kind="crops", window_px=64, batch=40, background=1.0),
    CrowdConfig(kind="crowd", window_px=125, batch=44, negatives=10.0, epoch=440),
]


def _negatives(field: Field, config: Any) -> list[Window]:
    scheme = plan((field,), config, labels=LABELS, mpp=0.25)
    drawn = [w for step in range(10) for w in scheme.windows(step, HardPool.empty(), seed=1)]
    if isinstance(config, SemiConfig):
        return [window for place, window in enumerate(drawn) if place % config.batch]
    if isinstance(config, CropsConfig):
        return [window for window in drawn if window.score == 1]
    return [window for window in drawn if window.score == 0]


@pytest.mark.parametrize("config", SCHEMES, ids=lambda config: config.kind)
def test_negatives_are_drawn_on_examined_tissue_alone(half_examined: Field, config: Any) -> None:
    drawn = _negatives(half_examined, config)
    assert len(drawn) >= 100
    places = np.array([(window.x, window.y) for window in drawn])
    assert (places[:, 0] < 1200).all()
    assert half_examined.may_be_background(places).all()
    assert _share_of_glass(half_examined, places) < 0.12


def test_control_places_drawn_without_regard_lie_on_glass_and_where_nobody_looked(
    half_examined: Field,
) -> None:
    random = np.random.default_rng(0)
    places = random.uniform(0, 1, (400, 2)) * (half_examined.width, half_examined.height)
    assert (~half_examined.examined(places)).mean() > 0.3
    assert (~half_examined.may_be_background(places)).mean() > 0.5
    assert _share_of_glass(half_examined, places) > 0.2


def test_what_nobody_looked_at_is_not_shown(half_examined: Field) -> None:
    patch = cut_patch(Window(0, 1190.0, 800.0), (half_examined,), side=64)
    assert (patch.rgb[:, 48:] == 255).all()
    assert not (patch.rgb[:, :40] == 255).all()
    x, y = np.array([10.0, 60.0]), np.array([30.0, 30.0])
    assert patch.hides(x, y).tolist() == [False, True]


def test_nothing_found_where_nobody_looked_is_a_false_positive(half_examined: Field) -> None:
    layout = build(FcnConfig(architecture="fcn-resnet12", widths=(16, 16, 16)), seed=0).layout()

    def everywhere(windows: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        side = windows.shape[2]
        return np.array([[[side / 2, windows.shape[1] / 2, 0.9]]] * len(windows))

    (found,) = search(everywhere, [half_examined], layout)
    assert len(found.points)
    assert (found.points[:, 0] < 1200).all()


def test_without_examined_tissue_there_is_no_background() -> None:
    glass = Picture("g", "s", "c", np.full((300, 300, 3), 245, np.uint8), np.array([[150.0, 150.0]]))
    with pytest.raises(TrainingDataError, match="no examined tissue for a background"):
        _negatives(glass, SCHEMES[1])


def _share_of_glass(field: Field, places: np.ndarray[Any, Any]) -> float:
    """Return the share of places around which hardly anything is darker than glass."""
    shown = [field.window(crop_at(x, y, 32)).mean(axis=2) for x, y in places.tolist()]
    return float(np.mean([(window > 235).mean() > 0.9 for window in shown]))


RECIPE = """
[model]
architecture = "fcn-resnet12"
widths = [16, 16, 16]

[data.source]
kind = "open-data"

[data.split]

[data.sampling]
kind = "semi"
window_px = 64
foreground = 4
bg_hard = 1
bg_random = 2

[[phases]]
steps = 60
learning_rate = 0.004

[validation]
every = 30

[calibration]
dataset = "validation"

[run]
tensorboard = false
"""


def test_train_takes_a_version_with_its_split_and_the_bundle_names_it(tmp_path: Path) -> None:
    slides = {f"slide {n}.tiff": side for n, side in enumerate(("train", "validation", "test"))}
    builder = StudyBuilder(DEFAULT_LABELS)
    expert = builder.rater(Rater("a", RaterKind.EXPERT))
    for n, name in enumerate(slides):
        painted = write_slide(tmp_path / name, dense(640, seed=n))
        slide = builder.slide(SlideRecord(name, SizePx(640, 640), Mpp.square(0.25), case=f"case {n}"))
        for figure in painted.figures:
            cell = builder.cell(slide, (figure.x_px0, figure.y_px0))
            builder.event(cell, expert, DEFAULT_LABELS.names.index(figure.label))
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(builder.build(), source=Source("test"))
        frozen = store.freeze("MEL", split=slides, licences="CC-BY-4.0")
        assert frozen.truth.n_figures
    (tmp_path / "recipe.toml").write_text(RECIPE)
    arguments = ["train", tmp_path / "recipe.toml", "--data", tmp_path, "--out", tmp_path / "run"]
    version = f"{tmp_path / 'study.mito'}@MEL"
    done = CliRunner().invoke(app, [*map(str, arguments), "--study", version], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    (source,) = load_bundle(tmp_path / "run" / "bundle").manifest.training
    truth = read_ground_truth(version)
    assert source.labels == truth.source
    assert "MEL" in truth.source
    assert source.sha256 == (truth.sha256,)
    assert source.policy == str(truth.policy)
    assert source.licence == "CC-BY-4.0"
    recipe = Recipe.from_toml(tmp_path / "run" / "recipe.toml")
    fields = read_fields(recipe.data.source, tmp_path, mpp=0.25)
    split = split_by_case(fields, recipe.data.split)
    assert [field.name for field in split.training] == ["slide 0.tiff"]
    assert [field.name for field in split.validation] == ["slide 1.tiff"]
