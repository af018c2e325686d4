"""Reviews: cells that two experts read independently, and a third where they differ."""

from __future__ import annotations

from mitoscope.curation.review.answers import answer
from mitoscope.curation.review.review import (
    Outcome,
    ReviewState,
    ask_third,
    conclude,
    is_open,
    open_review,
    review_state,
)

__all__ = [
    "Outcome",
    "ReviewState",
    "answer",
    "ask_third",
    "conclude",
    "is_open",
    "open_review",
    "review_state",
]
