"""Files judged against files: groups of images, and one door for every form of ground truth."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate import FileJudge, group_of, parse_group
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.statistics import Score

TABLE = """image,x,y,label,case,domain
a.tiff,1,1,mitosis,c1,breast
a.tiff,2,2,mitosis,c1,breast
b.tiff,1,1,mitosis,c1,lung
c.tiff,1,1,mitosis,,
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_groups_are_those_of_the_ground_truth(tmp_path: Path) -> None:
    truth = read_ground_truth(write(tmp_path / "t.csv", TABLE))
    assert group_of(truth, "case") == {"a": "c1", "b": "c1", "c": "c"}
    assert group_of(truth, "domain") == {"a": "breast", "b": "lung", "c": "not stated"}
    assert group_of(truth, "slide") == {"a": "a", "b": "b", "c": "c"}


def test_what_is_not_stated_is_said(tmp_path: Path) -> None:
    truth = read_ground_truth(write(tmp_path / "t.csv", "image,x,y,label\na,1,1,mitosis\n"))
    with pytest.raises(FormatError, match="no scanner is stated for any image; add a column scanner"):
        group_of(truth, "scanner")
    with pytest.raises(ConfigError, match="no group 'organ'; one of: slide, case, domain"):
        parse_group("organ")
    assert parse_group(" Case") == "case"


@pytest.mark.realdata
def test_domains_of_midogpp(data: Path) -> None:
    table = data / "annotations" / "datasets_xvalidation.csv"
    truth = read_ground_truth(data / "annotations" / "MIDOG++.json", domains=table)
    assert len(Counter(group_of(truth, "scanner").values())) >= 4
    assert group_of(truth, "domain")["001"] == "human breast cancer"


def test_results_are_judged_at_a_threshold_of_other_results(tmp_path: Path) -> None:
    found = write(tmp_path / "p.csv", "image,x,y,score\na,1,1,0.8\na,900,900,0.4\nb,1,1,0.7\nc,1,1,0.6\n")
    truth = write(tmp_path / "t.csv", TABLE.replace("a.tiff,2,2,mitosis,c1,breast\n", ""))
    judge = FileJudge(truth)
    assert judge.judge(found).score == Score(3, 1, 0)
    best = judge.judge_at_best(found)
    assert best.score == Score(3)
    assert 0.4 <= (best.threshold or 0) < 0.6
    other = judge.judge_as_on(found, found, judge)
    assert (other.score, other.threshold) == (best.score, best.threshold)
    assert "validation set" in other.threshold_source


STRATA = "image,region,stain\na.tiff,hot spot,pale\nb,random,\nc.tiff,random,dark\n"


def test_strata_from_a_table_with_several_columns(tmp_path: Path) -> None:
    judge = FileJudge(write(tmp_path / "t.csv", TABLE))
    table = write(tmp_path / "s.csv", STRATA.replace("b,random,", "b,random,pale"))
    region, stain = judge.read_strata(str(table))
    assert (region.by, region.stratum_of) == ("region", {"a": "hot spot", "b": "random", "c": "random"})
    assert (stain.by, stain.stratum_of) == ("stain", {"a": "pale", "b": "pale", "c": "dark"})


def test_strata_from_the_ground_truth(tmp_path: Path) -> None:
    text = "image,x,y,label,field,case\na,1,1,mitosis,hot spot,one\na,5,5,mitosis,,one\nb,,,,random,two\n"
    judge = FileJudge(write(tmp_path / "t.csv", text))
    (field,) = judge.read_strata("Field")
    assert (field.by, field.stratum_of) == ("field", {"a": "hot spot", "b": "random"})
    (case,) = judge.read_strata("case")
    assert case.stratum_of == {"a": "one", "b": "two"}


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (STRATA, "no stain is stated for 'b'; give every judged image a stratum"),
        ("image,stratum\na,x\nb,x\n", "no stratum is stated for 'c'"),
        ("image,stratum\na,x\nb,x\nc,y\nd,y\n", "no image 'd' in the ground truth, the strata name it"),
        ("image,stratum\na,x\na.tiff,y\n", "the image 'a' is in two strata, 'x' and 'y'"),
        ("image,stratum\n", "states no stratum"),
        ("image\na\n", "states no stratum"),
        ("name,stratum\na,x\n", "no column image"),
    ],
)
def test_strata_that_do_not_fit_the_images(table: str, message: str, tmp_path: Path) -> None:
    judge = FileJudge(write(tmp_path / "t.csv", TABLE))
    with pytest.raises(FormatError, match=message):
        judge.read_strata(str(write(tmp_path / "s.csv", table)))


def test_strata_that_nothing_states(tmp_path: Path) -> None:
    judge = FileJudge(write(tmp_path / "t.csv", TABLE))
    with pytest.raises(ConfigError, match="no file and no column 'organ'; give --strata a CSV with"):
        judge.read_strata("organ")
    with pytest.raises(FormatError, match="no domain is stated for 'c'"):
        judge.read_strata("domain")
    study = FileJudge(tmp_path / "study.mito")
    with pytest.raises(ConfigError, match="no file 'organ', and no group of that name"):
        study.read_strata("organ")


def test_strata_may_name_images_of_another_side(tmp_path: Path) -> None:
    text = "image,x,y,label,split\na,1,1,mitosis,test\nb,1,1,mitosis,train\n"
    judge = FileJudge(write(tmp_path / "t.csv", text), side="test")
    (both,) = judge.read_strata(str(write(tmp_path / "s.csv", "image,stratum\na,x\nb,y\n")))
    assert both.stratum_of == {"a": "x", "b": "y"}
    with pytest.raises(FormatError, match="no stratum is stated for 'a'"):
        judge.read_strata(str(write(tmp_path / "s.csv", "image,stratum\nb,y\n")))
