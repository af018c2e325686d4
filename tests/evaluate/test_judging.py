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
