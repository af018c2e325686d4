"""Figures of the study: what is in it, progress, agreement, and who overruled whom."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from mitoscope.store import Policy, RaterKind
from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact


@exact
class StudySlide(TypedDict):
    """A slide: the mm² of its tumour, null where none is known, its cells, and these by agreed class."""

    id: int
    name: str
    area_mm2: float | None
    cells: int
    agreed: dict[str, int]


@exact
class StudyRater(TypedDict):
    """A rater: the labels given, and the cells that they are about."""

    name: str
    kind: RaterKind
    labels: int
    cells: int


@exact
class StudyFigures(TypedDict):
    """What is in a study; ``agreed`` counts its cells by agreed class under the policy."""

    name: str
    policy: Policy
    cells: int
    deleted: int
    events: int
    disputed: int
    agreed: dict[str, int]
    slides: list[StudySlide]
    raters: list[StudyRater]


@exact
class PolicySet(Done):
    """The rule of the study from now on."""

    policy: Policy


@exact
class SlideProgress(TypedDict):
    """A rater in a round on a slide: cells labelled of how many; seconds a label and labels a minute."""

    round: int
    round_name: str
    rater: int
    rater_name: str
    slide: int
    labelled: int
    cells: int
    seconds_median: float | None
    per_minute: float | None


@exact
class Progress(TypedDict):
    """How far and how fast each rater is."""

    rows: list[SlideProgress]


@exact
class Interval(TypedDict):
    """A measure with its 95 % interval; null where it could not be computed."""

    value: float | None
    low: float | None
    high: float | None


@exact
class PairKappa(TypedDict):
    """Two raters, the cells that both have labelled, and Cohen's kappa."""

    raters: Annotated[list[str], Field(min_length=2, max_length=2)]
    cells: int
    kappa: Interval


@exact
class DomainAgreement(TypedDict):
    """The experts' agreement on a tumour type: cells read twice and disagreed on, kappa and alpha."""

    domain: str
    cells: int
    two_reads: int
    disagreed: int
    disagreement: Interval
    kappa: Interval
    alpha: Interval
    pairs: list[PairKappa]


@exact
class ExpertAgreement(TypedDict):
    """How far the experts agree, by tumour type and in all."""

    domains: list[DomainAgreement]


@exact
class Overruled(TypedDict):
    """Whose labels were turned by whom: the cells, of how many decided on, and their share in [0, 1]."""

    overruled: str
    by: str
    cells: int
    decided: int
    share: float


@exact
class Overrules(TypedDict):
    """Who overruled whom."""

    rows: list[Overruled]
