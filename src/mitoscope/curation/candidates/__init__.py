"""Candidates of a detector for review (ODAEL): what is new, in bins by score, written into the store."""

from __future__ import annotations

from mitoscope.curation.candidates.candidates import BINS, RADIUS_PX0, bin_of, candidates
from mitoscope.curation.candidates.proposal import Proposal, propose, proposed_scores

__all__ = ["BINS", "RADIUS_PX0", "Proposal", "bin_of", "candidates", "propose", "proposed_scores"]
