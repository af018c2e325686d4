from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.evaluate import PROTOCOLS, evaluate
from mitoscope.evaluate.domains import (
    ALL_DOMAINS,
    DomainScore,
    all_but,
    domain_matrix,
    domain_scores,
    leave_one_out,
)
from tests.evaluate.made import make

SCORES = [
    DomainScore("breast", "breast", 0.7, 0),
    DomainScore("breast", "breast", 0.8, 1),
    DomainScore("breast", "lung", 0.5),
    DomainScore(ALL_DOMAINS, "lung", 0.6),
    DomainScore(all_but("lung"), "lung", 0.55, 0),
    DomainScore(all_but("lung"), "lung", None, 1),
]


def test_mean_and_sd_over_folds() -> None:
    matrix = domain_matrix(SCORES)
    assert matrix.train == ("breast", "all", "all but lung")
    assert matrix.test == ("breast", "lung")
    assert matrix.mean[0].tolist() == [0.75, 0.5]
    assert matrix.sd[0, 0] == pytest.approx(np.std([0.7, 0.8], ddof=1))
    assert np.isnan(matrix.mean[1, 0])
    assert np.isnan(matrix.sd[0, 1])


def test_rows_come_from_evaluations() -> None:
    predictions, truth = make(4, 20, seed=2)
    domain_of = {image: ("breast", "lung")[n % 2] for n, image in enumerate(predictions)}
    judged = evaluate(predictions, truth, protocol=PROTOCOLS["mitoscope"], threshold=0.5)
    rows = domain_scores("all", judged, domain_of)
    lung = {image: domain for image, domain in domain_of.items() if domain == "lung"}
    alone = evaluate(
        {image: predictions[image] for image in lung},
        {image: truth[image] for image in lung},
        protocol=PROTOCOLS["mitoscope"],
        threshold=0.5,
    )
    assert rows[1] == DomainScore("all", "lung", alone.score.f1)
    areas = domain_scores("all", judged, domain_of, score="average_precision")
    assert areas[1].value == alone.average_precision


def test_as_table() -> None:
    rows = domain_matrix(SCORES).rows()
    assert rows[0] == ["F1: trained on \\ tested on", "breast", "lung"]
    assert rows[1] == ["breast", "0.750 ± 0.071", "0.500"]
    assert rows[2] == ["all", "", "0.600"]
    written = list(csv.DictReader(io.StringIO(domain_matrix(SCORES).to_csv())))
    assert float(written[0]["mean"]) == 0.75
    assert written[-1] == {"train": "all but lung", "test": "lung", "mean": "0.55", "sd": "", "n": "1"}


def test_leave_one_out_is_read_from_its_rows() -> None:
    assert list(leave_one_out(domain_matrix(SCORES))) == ["lung"]
    assert leave_one_out(domain_matrix(SCORES))["lung"].undefined == 1


def test_bad_input_is_refused() -> None:
    with pytest.raises(FormatError, match="no score"):
        domain_matrix([])
    with pytest.raises(FormatError, match="breast → lung: fold 0 stands twice"):
        domain_matrix([*SCORES, SCORES[2]])
