from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from mitoscope.data.field import Field
from mitoscope.data.sources import SourceConfig, agreements, provenance, read_fields
from mitoscope.errors import TrainingDataError
from mitoscope.exchange import coco, geojson
from mitoscope.exchange.annotations_csv import FORMAT as CSV
from mitoscope.exchange.format import WriteOptions
from mitoscope.exchange.registry import read_study
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.slide.synthetic.truth import PaintedTruth
from mitoscope.store import Rater, RaterKind, SlideRecord, Source, Store, Study, StudyBuilder

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
        TrainingDataError, match=r"2 of 2 slides are not there, the first: a\.svs.*data\.source\.slides"
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


def test_the_score_of_a_consensus_is_the_agreement_where_nobody_else_spoke() -> None:
    builder = StudyBuilder(DEFAULT_LABELS)
    slide = builder.slide(SlideRecord("a.svs"))
    merged = builder.rater(Rater("crowd", RaterKind.CONSENSUS))
    for score in (0.4, 0.9):
        builder.event(builder.cell(slide, (10.0, 10.0)), merged, 0, score=score)
    assert agreements(builder.build()) == pytest.approx([0.4, 0.9])


@pytest.mark.realdata
def test_annotations_of_a_published_set_have_their_disagreement(data: Path) -> None:
    study = read_study(data / "annotations" / "MIDOG++.json")
    shares = agreements(study)
    assert ((shares > 0) & (shares <= 1)).all()
    # Two experts of three: 1,623 + 1,560 + 1,397 + 935 of the 26,286 lists of labels in the file.
    assert (shares < 1).sum() == 5515
