"""The rules of curation, without a network: agreement, consensus, crowd boxes."""

from __future__ import annotations

from mitoscope.curation.agreement import ALL, Agreement, PairAgreement, RaterTime, TwoReads, agreement
from mitoscope.curation.crowd import CrowdBoxes, merge_crowd_boxes
from mitoscope.curation.ratings import Ratings, ratings
from mitoscope.curation.settling import Settled, settle

__all__ = [
    "ALL",
    "Agreement",
    "CrowdBoxes",
    "PairAgreement",
    "RaterTime",
    "Ratings",
    "Settled",
    "TwoReads",
    "agreement",
    "merge_crowd_boxes",
    "ratings",
    "settle",
]
