"""What counts as true: classes, sizes, agreement, regions, examined area, cases and splits.

`GroundTruth` is the one currency between labels and everything that learns from them, judges against them or
counts them. It is made from a study by a named policy, is a frozen version of a study, or is read from a
file.
"""

from __future__ import annotations

from mitoscope.truth.agreement import (
    CROWD_THRESHOLD,
    NO_CLASS,
    AgreedClasses,
    Disputes,
    Opinions,
    Part,
    Policy,
    RaterKind,
    agreed_classes,
    disputes,
    first_three,
    last_opinions,
    majority_of_three,
    ranked_experts,
)
from mitoscope.truth.examined import REGION_IMAGE_MM2, ExaminedArea, examined_of
from mitoscope.truth.ground_truth import Domain, GroundTruth, SlideTruth, TrueCells, repeated_rows
from mitoscope.truth.in_json import from_json, to_json
from mitoscope.truth.splits import (
    MIDOGPP_SEED,
    MIDOGPP_STRATA,
    SIDES,
    Side,
    SlideSplit,
    balanced_folds,
    check_leaks,
    folds_by_case,
    quantile_strata,
    stratified_folds,
)

__all__ = [
    "CROWD_THRESHOLD",
    "MIDOGPP_SEED",
    "MIDOGPP_STRATA",
    "NO_CLASS",
    "REGION_IMAGE_MM2",
    "SIDES",
    "AgreedClasses",
    "Disputes",
    "Domain",
    "ExaminedArea",
    "GroundTruth",
    "Opinions",
    "Part",
    "Policy",
    "RaterKind",
    "Side",
    "SlideSplit",
    "SlideTruth",
    "TrueCells",
    "agreed_classes",
    "balanced_folds",
    "check_leaks",
    "disputes",
    "examined_of",
    "first_three",
    "folds_by_case",
    "from_json",
    "last_opinions",
    "majority_of_three",
    "quantile_strata",
    "ranked_experts",
    "repeated_rows",
    "stratified_folds",
    "to_json",
]
