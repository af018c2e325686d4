from __future__ import annotations

from types import ModuleType

import pytest
from pydantic import ValidationError

from mitoscope.bundle import Metric, ScoreCalibration, Verifier

POINT = {"name": "f1", "protocol": "tupac", "threshold": 0.5, "chosen_on": "spotted fields"}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detects": "look-alike"}, "labels must be distinct"),
        ({"labels": ("mitotic figure", "mitotic figure")}, "labels must be distinct"),
        ({"mpp_min": 0.3}, "mpp must lie in"),
        ({"window_px": 65}, "multiple of stride_px"),
        ({"halo_px": 32}, "nothing remains between the halos"),
        ({"default_point": "robust"}, "default_point must be one of them"),
        ({"points": (POINT, POINT)}, "distinct names"),
        ({"points": ({**POINT, "threshold": 0.1},)}, "below score_floor"),
        ({"points": ({**POINT, "threshold": 1.5},)}, "less than or equal to 1"),
        ({"points": ({**POINT, "interval": (0.4, 1.5)},)}, "less than or equal to 1"),
        ({"points": ()}, "at least 1"),
        ({"name": "Tiny Model"}, "pattern"),
        ({"mpp": "0.25"}, "valid number"),
        ({"mpp": float("nan")}, "finite"),
        ({"training": ()}, "at least 1"),
        ({"staining": "H&E"}, "Extra inputs"),
    ],
)
def test_a_description_that_does_not_hold_is_refused(
    tiny: ModuleType, changes: dict[str, object], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        tiny.tiny_description(**changes)


def test_a_value_outside_of_its_interval_is_refused() -> None:
    with pytest.raises(ValidationError, match="confidence interval"):
        Metric(name="f1", dataset="d", protocol="tupac", value=0.7, ci_low=0.5, ci_high=0.6, images=35)


def test_the_aligned_halo_is_a_multiple_of_the_stride(tiny: ModuleType) -> None:
    assert tiny.tiny_description(stride_px=4, halo_px=5).aligned_halo_px == 8


def test_scores_of_a_first_stage_are_not_those_that_are_calibrated(tiny: ModuleType) -> None:
    line = ScoreCalibration(slope=1.0, intercept=0.0, fitted_on="fields")
    single = tiny.tiny_description(calibration=line)
    assert "are probabilities" in single.describe_scores()
    assert "are probabilities" in single.describe_scores(from_proposals=True)
    stage = Verifier(
        files=("verifier.onnx",),
        crop_px=32,
        mpp=0.25,
        proposal_threshold=0.3,
        labels=("mitotic figure", "look-alike"),
    )
    joined = tiny.tiny_description(calibration=line, verifier=stage)
    assert "are probabilities" in joined.describe_scores()
    assert "they are not probabilities" in joined.describe_scores(from_proposals=True)
