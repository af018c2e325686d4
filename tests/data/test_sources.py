from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from mitoscope.data.field import Field
from mitoscope.data.sources import SourceConfig, fields_of, files_of, provenance, read_fields
from mitoscope.errors import NotExaminedError, TrainingDataError
from mitoscope.exchange import coco, geojson
from mitoscope.exchange.annotations_csv import FORMAT as CSV
from mitoscope.exchange.format import WriteOptions
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.region import Region
from mitoscope.slide import fingerprint
from mitoscope.slide.synthetic.truth import PaintedTruth
from mitoscope.store import Rater, RaterKind, Shape, SlideRecord, Source, Store, Study, StudyBuilder
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

pytestmark = pytest.mark.train


def _config(kind: str, **values: Any) -> Any:
    return TypeAdapter[SourceConfig](SourceConfig).validate_python({"kind": kind} | values)


def _study(truths: list[PaintedTruth]) -> Study:
    """Return what three experts said: all agree on figures, two of three on look-alikes."""
    builder = StudyBuilder(DEFAULT_LABELS)
    experts = [builder.rater(Rater(name, RaterKind.EXPERT)) for name in "abc"]
    consensus = builder.rater(Rater("agreed", RaterKind.CONSENSUS))
    for truth in truths:
        slide = builder.slide(SlideRecord(truth.image, SizePx(700, 600), Mpp.square(0.25)))
        for figure in truth.figures:
            at = (figure.x_px0, figure.y_px0)
            cell = builder.cell(slide, (at[0] - 25, at[1] - 25, at[0] + 25, at[1] + 25))
            own = DEFAULT_LABELS.names.index(figure.label)
            said = [own, own, 0]
            for rater, label in zip([*experts, consensus], [*said, own], strict=True):
                builder.event(cell, rater, label)
    return builder.build()


def _check(fields: list[Field], truths: list[PaintedTruth], *, within: float = 0.01) -> None:
    assert [field.name for field in fields] == [truth.image for truth in truths]
    for field, truth in zip(fields, truths, strict=True):
        for label in ("mitotic figure", "look-alike"):
            points, wanted = field.labels.places_of(label), truth.points(label)
            assert len(points) == len(wanted) > 0
            order, own = np.lexsort(points.T.round()), np.lexsort(wanted.T.round())
            assert points[order] == pytest.approx(wanted[own], abs=within)
        assert (field.width, field.height) == (700, 600)


def test_synthetic_slides_come_with_both_labels(painted_slides: tuple[Path, list[PaintedTruth]]) -> None:
    data, truths = painted_slides
    config = _config("synthetic-slides")
    _check(read_fields(config, data, mpp=0.25), truths, within=0.06)  # the table has one decimal
    (named,) = provenance(config, data)
    assert len(named.sha256) == 64


def test_a_store_gives_labels_and_agreement(painted_slides: tuple[Path, list[PaintedTruth]]) -> None:
    data, truths = painted_slides
    with Store.create(data / "study.mitoscope") as store:
        store.import_study(_study(truths), source=Source("test"))
    try:
        fields = read_fields(
            _config("annotated-slides", labels="study.mitoscope", slide_mpp=0.25), data, mpp=0.25
        )
    finally:
        (data / "study.mitoscope").unlink()
    _check(fields, truths)
    for field in fields:
        agreement = field.labels.agreement
        assert agreement[field.labels.label == "mitotic figure"] == pytest.approx(1)
        assert agreement[field.labels.label == "look-alike"] == pytest.approx(2 / 3)


@pytest.mark.parametrize("form", [coco.FORMAT, CSV, geojson.FORMAT], ids=["coco", "csv", "geojson"])
def test_every_exchange_format_gives_the_same_cells(
    form: Any, painted_slides: tuple[Path, list[PaintedTruth]]
) -> None:
    data, truths = painted_slides
    one = truths[:1] if form is geojson.FORMAT else truths
    target = data / f"labels-{form.name}"
    form.write(_study(one), target, WriteOptions())
    try:
        config = _config("annotated-slides", labels=target.name)
        fields = read_fields(config, data, mpp=0.25)
        assert len(provenance(config, data)[0].sha256) == 64
    finally:
        shutil.rmtree(target) if target.is_dir() else target.unlink()
    _check(fields, one)


def test_missing_slides_are_counted_and_the_first_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("image,x,y,label\na.svs,10,10,mitosis\nb.svs,20,20,mitosis\n")
    with pytest.raises(
        TrainingDataError, match=r"2 of 2 slides are not there, the first: a;.*data\.source\.slides"
    ):
        read_fields(_config("annotated-slides", labels="labels.csv"), tmp_path, mpp=0.25)


def test_labels_of_another_slide_are_refused(
    painted_slides: tuple[Path, list[PaintedTruth]], tmp_path: Path
) -> None:
    shutil.copy(painted_slides[0] / "s0.tiff", tmp_path)
    (tmp_path / "labels.csv").write_text("image,x,y,label\ns0.tiff,10,10,mitosis\ns0.tiff,9000,20,mitosis\n")
    with pytest.raises(TrainingDataError, match="1 of 2 labels lie outside, the first at 9000, 20"):
        read_fields(_config("annotated-slides", labels="labels.csv"), tmp_path, mpp=0.25)


def test_missing_files_name_the_key(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingDataError, match=r"no such file or folder; check --data and data\.source\.labels|labels"
    ):
        read_fields(_config("annotated-slides", labels="none.csv"), tmp_path, mpp=0.25)
    with pytest.raises(TrainingDataError, match="no synthetic slide with its truth"):
        read_fields(_config("synthetic-slides"), tmp_path, mpp=0.25)


def test_an_unknown_source_or_key_is_refused() -> None:
    with pytest.raises(ValidationError, match="kind"):
        _config("cloud")
    with pytest.raises(ValidationError, match="slide"):
        _config("annotated-slides", labels="a", slide="b")


def test_the_score_of_a_consensus_is_the_agreement_where_nobody_else_spoke(
    painted_slides: tuple[Path, list[PaintedTruth]],
) -> None:
    data, _ = painted_slides
    builder = StudyBuilder(DEFAULT_LABELS)
    slide = builder.slide(SlideRecord("s0.tiff"))
    merged = builder.rater(Rater("crowd", RaterKind.CONSENSUS))
    for place, score in enumerate((0.4, 0.9)):
        at = 100.0 + 80 * place
        cell = builder.cell(slide, (at, at, at + 40, at + 60), shape=Shape.BOX)
        builder.event(cell, merged, 0, score=score)
    with Store.create(data / "crowd.mitoscope") as store:
        store.import_study(builder.build(), source=Source("test"))
    try:
        (field,) = read_fields(_config("study", study="crowd.mitoscope", slide_mpp=0.25), data, mpp=0.25)
        (named,) = provenance(_config("study", study="crowd.mitoscope"), data)
    finally:
        (data / "crowd.mitoscope").unlink()
    assert field.labels.agreement == pytest.approx([0.4, 0.9])
    assert field.labels.size.tolist() == [[40, 60], [40, 60]]
    assert (named.labels, named.policy) == ("crowd.mitoscope (settled)", "settled")


def test_what_was_examined_and_which_side_travel_with_the_field(
    painted_slides: tuple[Path, list[PaintedTruth]],
) -> None:
    data, _ = painted_slides
    interest = Region.of_box(BoxPx0(0, 0, 300, 300), "region of interest")
    cells = TrueCells.of([[100, 100], [500, 500]], ["atypical mitotic figure", "look-alike"])
    slide = SlideTruth(
        "s0.tiff", cells, mpp=Mpp.square(0.25), side="test", stated_examined=ExaminedArea(interest, "drawn")
    )
    truth = GroundTruth((slide,), source="test")
    (field,) = fields_of(truth, files_of(truth, data), mpp=0.5)
    assert field.side == "test"
    assert field.figures.tolist() == [[50, 50]]  # an atypical figure is one; the look-alike lies outside
    assert field.examined(np.array([[50.0, 50.0], [149, 149], [151, 20]])).tolist() == [True, True, False]


def test_a_slide_that_is_not_the_labelled_one_is_refused(
    painted_slides: tuple[Path, list[PaintedTruth]],
) -> None:
    data, _ = painted_slides
    slide = SlideTruth("s0.tiff", TrueCells.of([[9, 9]], "mitotic figure"), sha256=f"sha256:{'0' * 64}")
    truth = GroundTruth((slide,))
    with pytest.raises(TrainingDataError, match=r"s0\.tiff: is not the file that was labelled"):
        list(fields_of(truth, files_of(truth, data), mpp=0.25))
    same = replace(slide, sha256=fingerprint(data / "s0.tiff"))
    assert len(list(fields_of(GroundTruth((same,)), files_of(truth, data), mpp=0.25))) == 1


def test_a_whole_slide_of_which_nothing_is_known_to_be_examined_is_refused(
    painted_slides: tuple[Path, list[PaintedTruth]],
) -> None:
    data, _ = painted_slides
    size = SizePx(100_000, 80_000)
    slide = SlideTruth("s0.tiff", TrueCells.of([[9, 9]], "mitotic figure"), mpp=Mpp.square(0.25), size=size)
    with pytest.raises(NotExaminedError, match="examined"):
        list(fields_of(GroundTruth((slide,)), {"s0.tiff": data / "s0.tiff"}, mpp=0.25))


@pytest.mark.realdata
def test_annotations_of_a_published_set_have_their_disagreement(data: Path) -> None:
    truth = read_ground_truth(data / "annotations" / "MIDOG++.json")
    shares = np.concatenate([slide.cells.agreement for slide in truth])
    assert ((shares > 0) & (shares <= 1)).all()
    # Two experts of three: 1,623 + 1,560 + 1,397 + 935 of the 26,286 lists of labels in the file.
    assert (shares < 1).sum() == 5515
