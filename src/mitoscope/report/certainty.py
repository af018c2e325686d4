"""What the report says of how sure a count is: expected number, intervals, the hot spot's bias, a scheme."""

from __future__ import annotations

from mitoscope.count import AID
from mitoscope.report.findings import Findings
from mitoscope.report.page import Fact, GradeRow, Grading
from mitoscope.wording import say_area, say_expected, say_range, say_share

_EXPECTED = (
    "The expected number is the sum of the probabilities of all candidates, those below the threshold too. "
    "The interval of 95 % joins two things: which of the candidates are figures, and the chance that lies in "
    "any sample of tissue. Figures that were never proposed are not covered, and the scores have to be "
    "calibrated for slides like this one."
)
_CORRECTED = (
    "The fullest of many windows holds more figures than its tissue gives on average. Corrected: one part of "
    "the figures chooses the window, another is counted in it. Without a true hot spot this takes the bias "
    "away; of a true one it loses a little, so that the number to be expected lies between the two."
)


def write_certainty(findings: Findings) -> tuple[Fact, ...]:
    """Write how many figures are expected in the hot spot, and what remains without choosing it."""
    spot = findings.hot_spot
    if findings.window is None or findings.count is None:
        return ()
    fact = Fact("Expected there", "not stated", _sentence(spot.no_interval))
    if spot.expected is not None:
        joint, detector = spot.expected.interval, spot.expected.detector
        remark = f"95 %: {say_range(joint)}; detector alone {say_range(detector)}"
        fact = Fact("Expected there", say_expected(spot.expected.number), remark)
    if spot.corrected is None or findings.window_is_slide:
        return (fact,)
    corrected = Fact("Corrected", say_expected(spot.corrected), "without what choosing the window adds")
    return fact, corrected


def write_density(findings: Findings) -> tuple[Fact, ...]:
    """Write how many figures are expected on all that was searched."""
    whole = findings.hot_spot.whole
    if findings.count is None or whole is None or whole.expected is None or whole.interval is None:
        return ()
    low, high = (f"{end:.3g}" for end in whole.interval.as_list())
    value = f"{whole.expected_per_mm2 or 0.0:.3g} per mm²"
    remark = f"95 %: {low} to {high}; {say_expected(whole.expected.number)} figures"
    return (Fact("Expected in total", value, remark),)


def write_grading(findings: Findings) -> Grading | None:
    """Write what a grading scheme says of the count, where one was asked for."""
    graded = findings.hot_spot.graded
    if graded is None or findings.count is None:
        return None
    scheme = graded.rule.scheme
    rows = tuple(
        GradeRow(
            name=band.name,
            counts=band.text,
            in_window="" if graded.grades is None else say_share(graded.grades[band.name]),
            in_second="" if graded.repeated is None else say_share(graded.repeated[band.name]),
            here=band.name == graded.band,
        )
        for band in graded.rule.bands
    )
    about = (f"Over {say_area(graded.rule.area_mm2)}.", _sentence(graded.reason), scheme.note)
    return Grading(
        title=scheme.title,
        about=" ".join(filter(None, about)),
        rows=rows,
        has_shares=graded.grades is not None,
        source=f"{AID} Source: {scheme.source}.",
    )


def read_certainty(findings: Findings) -> tuple[str, ...]:
    """Write what a reader has to know of these numbers."""
    spot = findings.hot_spot
    if findings.count is None:
        return ()
    expected = () if spot.expected is None else (_EXPECTED,)
    return expected if spot.corrected is None else (*expected, _CORRECTED)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}." if text else ""
