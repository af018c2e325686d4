"""What the routes of a case answer: its count, how sure that is, what was looked at."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Literal

from pydantic import Field

from mitoscope import store
from mitoscope.count import MicroscopeField, MitoticCount, WindowShape
from mitoscope.geometry import Aspect
from mitoscope.slide import SlideInfo
from mitoscope.web.case_count import CaseOnSlide, CaseRule, Looked, SeenGrid, grading_of
from mitoscope.web.forms import (
    Answer,
    Body,
    Cell,
    Coordinate,
    Name,
    Pair,
    Rectangle,
    Score,
    described,
)
from mitoscope.web.refusal import invalid
from mitoscope.wording import say_area

AREA_MAX_MM2 = 100.0
"""Of a window: forty times that of ten high-power fields."""
ThresholdOf = Literal["round", "search"]
"""Who states a threshold: the lead for the round, or the search with which the candidates came."""


class Fields(Body):
    """Microscope fields: how many, and the diameter of one in mm."""

    number: Annotated[int, Field(ge=1, le=500)]
    diameter_mm: Annotated[float, Field(gt=0.02, le=30)]


class FieldsSaid(Answer):
    """Microscope fields that make up an area: how many, and the diameter of one in mm."""

    number: int
    diameter_mm: float


class CountWindow(Answer):
    """What is counted over: a size in level-0 px, its mm², its shape, and width to height as in ``4:3``.

    Of a circle the size is that of the box around it. Fields are those that make up the area, where it was
    stated by fields.
    """

    width: int
    height: int
    area_mm2: float
    aspect: str
    shape: WindowShape
    fields: FieldsSaid | None


class DensityOfAll(Answer):
    """Figures and expected figures of all that was searched, and per mm² of it; the interval is of 95 %."""

    figures: int
    expected: float | None
    area_mm2: float | None
    within: str
    per_mm2: float | None
    expected_per_mm2: float | None
    interval: Pair | None


class Graded(Answer):
    """What a grading scheme makes of a count: an aid, not a grade.

    Its bands are counts with both ends included, null for no end; the band of the count and the probability
    of each are null where the window is too small, or scores are no probabilities: then a reason says so.
    """

    name: str
    title: str
    area_mm2: float
    bands: dict[str, list[int | None]]
    band_of_count: str | None
    grades: dict[str, float] | None
    grades_of_a_second_window: dict[str, float] | None
    reason: str | None
    note: str
    source: str
    read: str
    aid: str


class Certainty(Answer):
    """How sure a count is.

    The expected number of figures in the window; 95 % intervals of how many of its candidates are figures,
    and, with the chance of sampling, of the mean in tissue that is as active. Null where the scores are no
    probabilities, which is then the reason. What was never proposed is not covered.
    """

    expected: float | None
    interval: Pair | None
    detector_interval: Pair | None
    no_interval: str | None
    density: DensityOfAll | None
    scheme: Graded | None


class LookedAt(Answer):
    """What of a window was looked at.

    Candidates that count there or were judged; how many of them were judged or shown one by one; how many
    of them are undecided; figures that no model proposed; and the mm² that were shown at 10× or more.
    """

    candidates: int
    looked: int
    unsure: int
    added: int
    seen_mm2: float


class Counted(Answer):
    """A count: figures in a window, the window as it lies on the slide in level-0 px, and its mm².

    Covered is what of it is tissue in the regions that count; figures are those of the whole slide. The note
    holds what must be said beside the number, e.g. that a part could not be read. Atypical is how many of the
    figures in the window are called so, by the rater, else by the model that found them; null where none is.
    Left out is what would count but lies outside of tissue or tumour, or in an exclusion. Cells are the ids
    of those that count in the window. Not graded says why the scheme of the round says nothing.
    """

    count: int
    x: float
    y: float
    width: float
    height: float
    shape: WindowShape
    threshold: float | None
    area_mm2: float
    covered_mm2: float
    figures: int
    atypical: int | None
    left_out: int
    note: str
    not_graded: str | None
    certainty: Certainty
    looked_at: LookedAt
    cells: list[Cell]


class WindowBox(Answer):
    """Where a window lies, in level-0 px."""

    x: float
    y: float
    width: float
    height: float


class CountedOver(Body):
    """What is counted over, where it is not what the round states.

    A threshold; an area in mm², or a number of microscope fields; the shape of the window; and width to
    height of a rectangle.
    """

    threshold: Score | None = None
    area_mm2: Annotated[float, Field(gt=0, le=AREA_MAX_MM2)] | None = None
    fields: Fields | None = None
    aspect: Annotated[str, Field(max_length=20)] | None = None
    shape: WindowShape | None = None

    def rule(self, rule: CaseRule) -> CaseRule:
        """Return the rule of the round with what is stated here."""
        if self.threshold is not None:
            rule = replace(rule, threshold=self.threshold)
        if self.area_mm2 is not None and self.fields is not None:
            raise invalid("an area or fields, not both", field="fields", mend="state one of them")
        if self.area_mm2 is not None:
            rule = replace(rule, area_mm2=self.area_mm2, fields=None)
        if self.fields is not None:
            number, diameter = self.fields.number, self.fields.diameter_mm
            area = number * MicroscopeField(diameter).area_mm2
            if area > AREA_MAX_MM2:
                raise invalid(f"{say_area(area)} are more than {AREA_MAX_MM2:g}", field="fields")
            rule = replace(rule, area_mm2=area, fields=(number, diameter))
        if self.aspect is not None:
            rule = replace(rule, aspect=Aspect.parse(self.aspect))
        return rule if self.shape is None else replace(rule, shape=self.shape)


class KeptWindow(CountedOver):
    """A window that a rater keeps by a name: its upper left corner and what is counted over."""

    name: Name
    x: Coordinate
    y: Coordinate


class KeptWindowSaid(Answer):
    """A window that was kept, with the size that it has on the slide in level-0 px."""

    name: str
    x: float
    y: float
    width: int
    height: int
    threshold: float | None
    area_mm2: float | None
    fields: FieldsSaid | None
    aspect: str | None
    shape: WindowShape | None


class CaseSearch(Answer):
    """The search that the candidates came with.

    The model and its threshold, whether scores are probabilities, when it was kept, what could not be read,
    and the outlines of the part that was searched, null for all of the slide.
    """

    model: str
    threshold: float | None
    is_calibrated: bool | None
    gaps: list[Rectangle]
    part: list[list[Pair]] | None


class ChosenScheme(Answer):
    """The grading scheme of a round: what it counts over, and the fields that make that up, if any."""

    name: str
    title: str
    area_mm2: float
    fields: FieldsSaid | None


class SeenSquares(Answer):
    """Squares by which it is kept what was seen: their sides in level-0 px, and how many are in a row."""

    width: float
    height: float
    columns: int


class MyWork(Answer):
    """What I have done on a case: candidates looked at and undecided, squares seen, windows kept."""

    looked: list[Cell]
    unsure: list[Cell]
    seen: list[int]
    windows: list[KeptWindowSaid]


def describe_count(on: CaseOnSlide, rule: CaseRule, counted: MitoticCount) -> Counted:
    """Return a count as the page shows it."""
    return described(
        Counted,
        counted,
        **asdict(counted.box_px0),
        atypical=on.atypical(counted),
        not_graded=rule.not_graded or None,
        certainty=describe_certainty(counted),
        looked_at=describe_looked(on.looked(counted)),
        cells=on.cells.public_id[on.counted_in(counted)].tolist(),
    )


def describe_certainty(counted: MitoticCount) -> Certainty:
    """Return how sure a count is."""
    return described(Certainty, counted, **counted.certainty())


def describe_looked(looked: Looked) -> LookedAt:
    """Return what was looked at."""
    return described(LookedAt, looked)


def describe_window(on: CaseOnSlide, rule: CaseRule) -> CountWindow:
    """Return what is counted over on a slide."""
    return described(
        CountWindow,
        rule,
        width=rule.window(on.info).width,
        height=rule.window(on.info).height,
        aspect=rule.aspect_text,
        fields=describe_fields(rule),
    )


def describe_fields(rule: CaseRule) -> FieldsSaid | None:
    """Return the fields that make up an area, where it was stated by fields."""
    return None if rule.fields is None else {"number": rule.fields[0], "diameter_mm": rule.fields[1]}


def describe_scheme(terms: store.Terms) -> ChosenScheme | None:
    """Return the grading scheme that a round has chosen."""
    rule, fields = grading_of(terms.settings.get("scheme"), terms.settings.get("field_diameter_mm"))
    if rule is None:
        return None
    said: FieldsSaid | None = None if fields is None else {"number": fields[0], "diameter_mm": fields[1]}
    return {
        "name": rule.scheme.name,
        "title": rule.scheme.title,
        "area_mm2": rule.area_mm2,
        "fields": said,
    }


def describe_search(search: store.ModelSearch | None) -> CaseSearch | None:
    """Return the search that candidates came with."""
    if search is None:
        return None
    searched = search.searched
    return {
        "model": search.rater,
        "threshold": searched.threshold,
        "is_calibrated": searched.calibrated,
        "gaps": [[gap.x, gap.y, gap.width, gap.height] for gap in searched.gaps],
        "part": None if searched.region is None else [ring.tolist() for ring in searched.region.rings],
    }


def describe_work(work: store.CaseWork, rule: CaseRule, info: SlideInfo) -> MyWork:
    """Return what a rater has done on a case; `rule` is that of the round."""
    return {
        "looked": sorted(work.looked),
        "unsure": sorted(work.unsure),
        "seen": sorted(work.seen),
        "windows": [_describe_kept(KeptWindow.model_validate(one), rule, info) for one in work.windows],
    }


def _describe_kept(kept: KeptWindow, rule: CaseRule, info: SlideInfo) -> KeptWindowSaid:
    size = kept.rule(rule).window(info)
    fields: FieldsSaid | None = None
    if kept.fields is not None:
        fields = {"number": kept.fields.number, "diameter_mm": kept.fields.diameter_mm}
    return described(KeptWindowSaid, kept, width=size.width, height=size.height, fields=fields)


def describe_squares(on: CaseOnSlide) -> SeenSquares:
    """Return the squares by which it is kept what was seen."""
    grid = SeenGrid(on.info)
    width, height = grid.side_px0
    return {"width": width, "height": height, "columns": grid.columns}
