"""A version's split is judged by side: what another side holds is neither true, false nor missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import TruthError
from mitoscope.evaluate import FileJudge
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import Rater, RaterKind, SlideRecord, Source, Store, StudyBuilder

SPLIT = {"1.tiff": "train", "2.tiff": "train", "3.tiff": "validation", "4.tiff": "test"}


@pytest.fixture(params=["version", "table"])
def split_truth(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return a ground truth with a split, one figure a slide: a frozen version, and a table."""
    if request.param == "table":
        rows = [f"{name},100,100,mitosis,{side}" for name, side in SPLIT.items()]
        path = tmp_path / "truth.csv"
        path.write_text("\n".join(["image,x,y,label,split", *rows]) + "\n", encoding="utf-8")
        return str(path)
    builder = StudyBuilder(DEFAULT_LABELS)
    expert = builder.rater(Rater("a", RaterKind.EXPERT))
    for name in SPLIT:
        slide = builder.slide(SlideRecord(name, SizePx(640, 640), Mpp.square(0.25), case=name))
        builder.event(builder.cell(slide, (100, 100)), expert, 0)
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(builder.build(), source=Source("test"))
        store.freeze("MEL", split=SPLIT)
    return f"{tmp_path / 'study.mito'}@MEL"


def found_on(folder: Path, *names: str) -> Path:
    """Write results of slides: the figure, and on the first slide something false of score 0.6."""
    rows = [f"{name},100,100,0.9" for name in names] + [f"{names[0]},400,400,0.6"]
    path = folder / "found.csv"
    path.write_text("\n".join(["image,x,y,score", *rows]) + "\n", encoding="utf-8")
    return path


def test_one_side_of_a_version_is_judged(split_truth: str, tmp_path: Path) -> None:
    found = found_on(tmp_path, *SPLIT)
    for side, slides, false in (("train", 2, 1), ("val", 1, 0), ("validation", 1, 0), ("test", 1, 0)):
        judged = FileJudge(split_truth, side=side).judge(found)
        assert (judged.score.tp, judged.score.fp, judged.score.fn) == (slides, false, 0)
        assert judged.without_truth == (), "what is on another side has a ground truth"
        assert any(f"{slides} of 4 slides" in note for note in judged.truth.notes)


def test_without_a_side_all_are_judged_and_a_note_says_so(split_truth: str, tmp_path: Path) -> None:
    judged = FileJudge(split_truth).judge(found_on(tmp_path, *SPLIT))
    assert judged.score.tp == 4
    assert "all sides of the split are judged (train 2, validation 1, test 1)" in judged.truth.notes


def test_the_threshold_for_the_test_side_is_chosen_on_the_validation_side(
    split_truth: str, tmp_path: Path
) -> None:
    found = found_on(tmp_path, "4.tiff", "3.tiff")
    judge = FileJudge(split_truth, side="test")
    judged = judge.judge_as_on(found, found, FileJudge(split_truth))
    assert judged.score.fp == 1, (
        "chosen on both, the threshold would leave out what is false on the test side"
    )
    assert judge.judge_at_best(found).score.fp == 0


def test_an_unknown_side_lists_those_there_are(split_truth: str, tmp_path: Path) -> None:
    found = found_on(tmp_path, "1.tiff")
    with pytest.raises(TruthError, match="no side 'dev' of the split; sides: train, validation, test"):
        FileJudge(split_truth, side="dev").judge(found)
    with pytest.raises(TruthError, match="no image is of the side 'test'"):
        FileJudge(split_truth, side="test").judge(found)
