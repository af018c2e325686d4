"""The rules of curation, without a network: agreement, consensus, crowd boxes."""

from __future__ import annotations

from mitoscope.curation.agreement import ALL, Agreement, PairAgreement, RaterTime, TwoReads, agreement
from mitoscope.curation.consensus import (
    consensus_of_two,
    majority_of_three,
    merge_expert_boxes,
    unanimous,
)
from mitoscope.curation.crowd import CrowdBoxes, merge_crowd_boxes, sub_tiles, tile_scores
from mitoscope.curation.midog_tables import TableCell, table_2, table_3
from mitoscope.curation.ratings import Ratings, ratings
from mitoscope.curation.settle import Settled, settle

__all__ = [
    "ALL",
    "Agreement",
    "CrowdBoxes",
    "PairAgreement",
    "RaterTime",
    "Ratings",
    "Settled",
    "TableCell",
    "TwoReads",
    "agreement",
    "consensus_of_two",
    "majority_of_three",
    "merge_crowd_boxes",
    "merge_expert_boxes",
    "ratings",
    "settle",
    "sub_tiles",
    "table_2",
    "table_3",
    "tile_scores",
    "unanimous",
]
